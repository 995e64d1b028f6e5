/* What the files of the binding share: the state of one interpreter and jobs. Values are in value.h, captures in captures.h.
 *
 * Reading order: when.c (a decorator call becomes a behavior) -> core -> run.c (a behavior runs) ->
 * value.c (what its cowns hold moves or stays) -> core. capture.c carries the names a body uses,
 * codec.c turns objects into bytes, runtime.c starts and waits, service.c carries text to main.
 */
#ifndef BOC_BINDING_H
#define BOC_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "core.h"
#include "host.h"
#include "interp.h"
#include "trace.h"
#include "wait.h"

typedef struct boc_state boc_state_t; /* one interpreter, below */

#include "captures.h"
#include "value.h"

/* ---- jobs ---------------------------------------------------------------- */
/* How parameters follow from requests when they are not simply one distinct cown each. */
typedef struct boc_shape {
    uint32_t nitems;         /* cowns in all parameters together */
    struct { boc_cown_t *cown; uint32_t param; bool in_list; } item[]; /* the requests keep the cowns alive */
} boc_shape_t;

typedef struct boc_job {     /* the binding's part of a behavior */
    boc_recipe_t *recipe;    /* NULL: dyn[0] is the callable itself */
    boc_capset_t *captures;
    boc_shape_t *shape;
    uint32_t origin : 24;    /* the cell that scheduled it */
    uint32_t nkw : 8;        /* dyn: closure cells, then trailing defaults, then keyword-only values */
    uint16_t nparams;
    uint8_t nclosure, ndefaults;
    boc_value_t dyn[];
} boc_job_t;

/* ---- one interpreter ------------------------------------------------------ */
typedef struct boc_ctx {     /* a thread that runs a body */
    boc_state_t *st;
    boc_behavior_t *current; /* NULL between bodies */
    struct boc_ctx *outer;
    PyObject *reads;         /* list of the handles that keep a reader's copy until the body ends */
    bool ended;              /* the end of the body was traced */
    struct boc_view *view;   /* of the noticeboard, from the body's first read on */
    PyObject *board;         /* dict of what it decoded from that */
    bool dirty_output;
} boc_ctx_t;

typedef struct boc_cown_object {
    PyObject_HEAD
    boc_cown_t *core;
    PyObject *view;          /* a reader's own copy while its body runs */
} boc_cown_object_t;

#define SEEN_NOTES 64
#define BOC_TAGS 8
#define BOC_TYPE_WORDS 16
enum { NOTE_SAME, NOTE_LIST, NOTE_COPY };
typedef struct boc_seen {    /* what an interpreter decoded of a noticeboard entry and can copy cheaply */
    boc_blob_t *blob;        /* keeps it: so its address stays its own */
    PyObject *object;        /* what cannot change, a tuple of a list's items, or what is copied */
    PyObject *list;          /* lent to behaviors, one after another */
    uint8_t how;
} boc_seen_t;

struct boc_state {
    PyObject *module;
    int worker;              /* -1: main */
    unsigned long ident;     /* of the worker's thread */
    PyObject *module_locks;  /* of a worker: the import system's; empty while nothing is imported */
    uint64_t environ_version; /* of main's environment as it was taken over here */
    PyTypeObject *cown_type, *pinned_type, *when_type, *read_type, *encoder_type, *writer_type, *cursor_type;
    PyObject *errors;        /* module boc._errors, on demand */
    PyObject *loads, *cown_ctor;
    PyObject *py[32];        /* functions of Python modules, see lazy.c */
    Py_ssize_t code_extra;
    /* encoder kept for reuse */
    PyObject *pickler, *writer;
    atomic_bool encoding;    /* the kept pair is in use */
    /* values that rest live here */
    struct { boc_cown_t *cown; int64_t since; uint32_t last; } *live; /* last: name of the body that had it */
    uint32_t blame;          /* name of the body that left what is being encoded; 0: none */
    struct { uint32_t version, name; } type_words[BOC_TYPE_WORDS]; /* names of types, by the type's version */
    uint32_t nlive, live_cap;
    int64_t sweep_at;        /* when idle ones are looked for next */
    /* caches of a worker, indexed by name, recipe */
    PyObject **names;
    uint32_t nnames;
    struct { PyObject *code, *globals, *func; } *recipes;
    uint32_t nrecipes, kept_recipes;
    struct boc_installed *installed;  /* open hash: (ns, name) -> capture and object */
    uint32_t ninstalled, installed_cap;
    boc_capset_t *last_set;           /* all of it is installed */
    boc_capset_t *body_set;           /* of the body that runs */
    struct boc_capture *together_of;  /* what the body that runs captured as one value, or NULL; see together.c */
    PyObject *together;               /* that, decoded */
    bool names_moved;                 /* names that came with definitions were bound since the last set was */
    struct template *templates;       /* those that know something, see when.c */
    _Atomic(struct boc_callable *) callables; /* what is known of callables that are no functions, see when.c */
    PyObject *ns_dicts;               /* dict: ns id -> dict */
    PyObject *defs;                   /* dict: id bytes -> object */
    boc_ctx_t ctx;
    PyObject *spare_handles;          /* dead Cown objects, linked by their core; see cown.c */
    uint32_t nspare_handles;
    struct when_object *spare_when;  /* see when_type.c */
    PyObject *type_ok;                /* set of types seen to encode */
    PyObject *movable_types;          /* type -> index */
    PyTypeObject **movable;           /* index -> type, or NULL */
    uint32_t nmovable;
    int32_t movable_answer;           /* to the last question, about this type: */
    PyTypeObject *movable_asked;      /* only compared */
    PyObject *touched;                /* list of ids of what bodies changed, or NULL; see touched.c */
    int class_watcher, dict_watcher;  /* their numbers and 1, or 0 */
    PyObject *array_type;             /* array.array, once one came by */
    int array_layout;                 /* 1: its items can be taken, -1: not, 0: not looked yet */
    PyObject *part_ctor, *buffer_callback;
    _Atomic(struct boc_view *) view;  /* the noticeboard as last seen here */
    boc_seen_t seen[SEEN_NOTES];
    struct { PyObject *text; uint32_t name; } tags[BOC_TAGS]; /* of messages, by the address of their text */
};

extern boc_state_t *boc__main_state;
/* Read several times for each behavior: addressed directly, where the compiler can say so. */
#if defined(__GNUC__) && defined(__linux__)
#define BOC_TLS __attribute__((tls_model("initial-exec")))
#else
#define BOC_TLS
#endif
extern _Thread_local boc_ctx_t *boc__ctx BOC_TLS;
extern bool boc__check;               /* start(check=True): encode at every release */

/* The state of the current interpreter; NULL with RuntimeError in one that is not ours. */
boc_state_t *boc__st(void);
static inline bool boc__in_body(void) { return boc__ctx != NULL && boc__ctx->current != NULL; }
/* "... cannot be called in a behavior": 0, or -1 with RuntimeError */
int boc__not_in_body(const char *what);

/* For a few instructions that call nobody: without a GIL several threads of main come at once. */
#ifdef Py_GIL_DISABLED
typedef PyMutex boc_brief_t;
#define boc__brief_lock(m) PyMutex_Lock(m)
#define boc__brief_unlock(m) PyMutex_Unlock(m)
#else
typedef char boc_brief_t;
#define boc__brief_lock(m) ((void)(m))
#define boc__brief_unlock(m) ((void)(m))
#endif
/* All of them: the child of a fork finds none taken. */
extern struct boc__briefs {
    boc_brief_t names;     /* capture.c: objects of the name table */
    boc_brief_t environ;   /* what was seen of main's environment */
    boc_brief_t held;      /* hold.c: the cowns that threads hold */
    boc_brief_t places;    /* movable.c: room for one more type */
    boc_brief_t templates; /* template.c: the list of them */
    boc_brief_t extras;    /* template.c: what hangs on a code object */
} boc__briefs;

/* functions of Python modules, imported at first use */
enum { PY_ANALYSE, PY_LOAD_RECIPE, PY_LOAD, PY_DEFINE, PY_CLASSIFY, PY_REDUCE, PY_NAMESPACE, PY_CHANGES, PY_PACK, PY_UNPACK,
       PY_REFUSAL, PY_BODY_END, PY_PUT_BACK, PY_WORKER_SETUP, PY_SERVICE_START, PY_SERVICE_DRAIN, PY_SERVICE_STOP, PY_PLACE,
       PY_ARGUMENTS, PY_HINT, PY_IMPORTING, PY_ARRIVAL, PY_EDITED, PY_VIEW, PY_NAMES_SET, PY_SHAPE, PY_RAISED_FOR,
       PY_UNREADABLE, PY_RECEIVE, PY_REBINDS, PY_COUNT };
PyObject *boc__py(boc_state_t *st, int which);       /* borrowed; NULL with an exception */
/* Unless it has one; the trace and later pictures know it. counted: among those of its name. */
void boc__cown_name(boc_cown_t *c, uint32_t name, bool counted);
void boc__name_free(const boc_cown_t *c);            /* a counted one dies */
uint32_t boc__name_number(const boc_cown_t *c);      /* among those of its name that live: 2 for the second */
PyObject *boc__cown_names(PyObject *module, PyObject *unused);
PyObject *boc__error_type(boc_state_t *st, const char *name); /* borrowed: a class of boc._errors */
/* Clears an error that changes nothing. An interrupt that came to Python code of ours is asked for again: it is the program's. */
void boc__forgive(void);
PyObject *boc__raise_code(int code, const char *what); /* maps BOC_E... to an exception; returns NULL */

/* ---- handle.c ------------------------------------------------------------- */
void boc__handle_forget(boc_cown_t *c);               /* a cown that was pickled by hand once dies */

/* ---- cown.c --------------------------------------------------------------- */
int boc__cown_init(boc_state_t *st);
PyObject *boc__cown_wrap(boc_state_t *st, boc_cown_t *c);    /* new handle; takes over the caller's reference */
boc_cown_t *boc__cown_core(boc_state_t *st, PyObject *o);    /* borrowed, NULL without exception if o is no cown */
static inline bool boc__cown_check(boc_state_t *st, PyObject *o) {
    return Py_TYPE(o) == st->cown_type || Py_TYPE(o) == st->pinned_type || PyType_IsSubtype(Py_TYPE(o), st->cown_type);
}
int boc__of_before(const boc_cown_t *c);              /* -1 with RuntimeError: it was made before this process was forked */
static inline int boc__check_born(const boc_cown_t *c) { return c->id < boc_fork_floor ? boc__of_before(c) : 0; }
PyObject *boc__name_str(uint32_t name); /* a text of the name table, whole */
int boc__name_take(const char *utf8, size_t n, uint32_t *out); /* its number in the table; -1 with MemoryError: no room for it */
const char *boc__cown_label(const boc_cown_t *c, char *buf, size_t n);
void boc__owner_text(const boc_cown_t *c, char *buf, size_t n);

/* ---- when.c, run.c -------------------------------------------------------- */
int boc__when_init(boc_state_t *st);
PyObject *boc__when(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
PyObject *boc__whencall(PyObject *module, PyObject *args, PyObject *kw);
PyObject *boc__read(PyObject *module, PyObject *arg);
int boc__run_body(boc_state_t *st, boc_ctx_t *ctx, boc_behavior_t *b); /* GIL held; settles values and result; -1: BaseException kept set (pinned only) */
int boc__host_run(uint32_t worker, boc_behavior_t *b);
void boc__host_cancelled(boc_behavior_t *b);
void boc__drop_behavior(boc_behavior_t *b);
static inline boc_job_t *boc__job(boc_behavior_t *b) { return boc_behavior_extra(b); }
static inline boc_cown_t *boc__result_of(boc_behavior_t *b) {
    return (b->flags & BOC_B_RESULT) ? b->req[b->nreq - 1].cown : NULL;
}

/* While a result is pending its slot says which behavior makes it (V_EMPTY, u.p), so that cancel() finds it; whoever fills the
   slot does so under this bit, and the behavior is not freed before. */
static inline void boc__slot_lock(boc_cown_t *c) {
    while (atomic_exchange_explicit(&c->lock, 1, memory_order_acquire))
        ;
}
static inline void boc__slot_unlock(boc_cown_t *c) { atomic_store_explicit(&c->lock, 0, memory_order_release); }
static inline void boc__arrived(boc_cown_t *c) {
    boc__slot_lock(c);
    c->value.u.p = NULL;
    boc__slot_unlock(c);
}

/* ---- message.c ------------------------------------------------------------ */
void boc__message_forget(boc_state_t *st);            /* the interpreter ends */
void boc__message_look_again(void);                   /* every waiter */

/* ---- frames.c ------------------------------------------------------------- */
boc_state_t *boc__worker_state(uint32_t worker);      /* NULL: no such worker */
PyObject *boc__worker_frames(PyObject *module, PyObject *arg);
void boc__frames_open(uint32_t worker);
void boc__frames_close(uint32_t worker);

/* ---- runtime.c, pump.c, service.c, notice.c ------------------------------- */
int boc__ensure_started(void);        /* starts on demand (main), -1 with an exception */
extern PyMethodDef boc__runtime_methods[], boc__service_methods[], boc__notice_methods[], boc__trace_methods[], boc__columns_methods[], boc__message_methods[];
int boc__pump_some(boc_state_t *st, int64_t deadline, long max, bool raise_on_error, long *executed, long *raised, bool *deadline_hit);
int boc__wait_slice(boc_state_t *st, int code, bool pump); /* after a BOC_EINTR / BOC_EPINNED: signals, pinned work; -1 with an exception */
/* kinds of what goes to main: mirrored in boc/_kinds.py */
enum { K_OUT = 1, K_ERR, K_LOG, K_WARN, K_UNSEEN, K_HINT, K_DISPLAY, K_NOTICE, K_DONE, K_RAISED };
void boc__emit(int kind, const char *a, size_t na, const char *b, size_t nb, uint64_t behavior, uint32_t name, uint32_t origin);
void boc__emit_unseen(uint64_t cown, uint32_t name, boc_blob_t *exc, uint32_t origin, bool lost);  /* takes over the blob */
void boc__emit_notice(void);                 /* the mutator has something to look at; cannot fail */
void *boc__emission(int kind, const void *a, size_t na);   /* made ahead; NULL: no memory */
void boc__emit_made(void *emission);                       /* takes it over; cannot fail */
void boc__emit_cown(int kind, boc_cown_t *c, uint32_t origin); /* takes a reference of its own */
int boc__deadline(PyObject *timeout, int64_t *out); /* None, seconds -> boc_now() ns; -1 with an exception */
bool boc__may_pump(void);             /* on main's main thread, and no pump runs */
void boc__drain_output(int64_t deadline); /* what bodies printed so far is written; by then also what they put on the board is applied */
uint32_t boc__origin(void);
bool boc__in_update(void);
int boc__not_in_update(void); /* -1 with an error: an update function of the noticeboard must not call boc */
int boc__arguments(PyObject *const *args, Py_ssize_t n, PyObject *kwnames, const char *const *names, int needed, const char *call,
                   PyObject **out);
void boc__main_drops(void);            /* objects of pinned cowns that died elsewhere */
PyObject *boc__batch_enter(PyObject *module, PyObject *unused);
PyObject *boc__batch_exit(PyObject *module, PyObject *ok);
void boc__notice_body_end(boc_ctx_t *ctx);

#endif
