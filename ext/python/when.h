/* What a decorator call says (spec_t) and what is known of a body (template_t). */
#ifndef BOC_WHEN_H
#define BOC_WHEN_H

#include "binding.h"
#include "edited.h"

enum { WATCH_GLOBAL = 0, WATCH_TYPE = 2, WATCH_FUNCTION = 3, WATCH_RELOAD = 4, WATCH_ATTRIBUTES = 5 }; /* mirrored in boc/_reach.py */
enum { KNOWN_NAMES = 6 };

typedef struct watch {   /* one name that the body or what it reaches uses */
    PyObject *container; /* dict, or what stands for attributes; NULL: a class is watched */
    PyObject *key;
    boc_memory_t cls;    /* the class whose attributes are watched */
    boc_memory_t last;   /* the value at the last schedule; nothing: absent, or mutable */
    boc_memory_t shape;  /* of that value, see shape_of() */
    boc_capture_t *capture; /* of that value; NULL: none yet, or mutable */
    uint32_t ns, name, version;
    uint64_t met;        /* of the last capture; only if looked */
    uint8_t kind;
    bool mutable, dirty, looked;
} watch_t;

typedef struct template {  /* hangs on the code object of a body, per interpreter */
    struct template *next, **at; /* in the list of the interpreter's templates; at NULL: in none */
    PyObject *globals;
    boc_recipe_t *recipe;  /* NULL: not analysed yet */
    watch_t *watch;
    uint32_t nwatch;
    reached_t *reached;    /* functions that it leads to */
    uint32_t nreached;
    boc_capset_t *set;     /* of the last schedule, if nothing in it is mutable */
    struct slot { boc_memory_t last, shape; boc_capture_t *capture; } *slots; /* definitions in closure cells and defaults */
    uint32_t nslots, nfree, argcount, kwonly;
    bool varargs, hinted, fresh; /* fresh: of a callable that was not analysed yet */
    bool once;             /* for one schedule, because somebody else is at the one that stays */
    uint64_t met;          /* over the captures that hang on the schedule itself, at the last one */
    uint32_t name;
    PyObject *named_for;   /* only compared */
    PyObject *texts;       /* of the arguments in the @when line */
    uint32_t argument_names[KNOWN_NAMES]; /* what the first arguments call their cowns; 0: not asked yet */
    _Atomic bool busy;     /* the last: a schedule is at it */
} template_t;

typedef struct item {      /* one cown of one argument */
    boc_cown_t *core;
    uint32_t param;
    uint8_t mode;
    bool in_list;
} item_t;

typedef struct spec {
    Py_ssize_t nargs;      /* parameters that get cowns */
    uint32_t nitems;
    item_t *items;
    uint32_t name;
    bool on_main;
    PyObject *const *captures; /* values after the cowns */
    Py_ssize_t ncaptures;
    PyObject *kwcaptures;
} spec_t;

PyObject *boc__schedule(boc_state_t *st, PyObject *func, spec_t *s);
PyObject *boc__schedule_callable(boc_state_t *st, PyObject *func, spec_t *s);
void boc__template_free(void *p);
template_t *boc__template_of(boc_state_t *st, PyObject *func); /* taken; to be given back by boc__template_leave. NULL with an exception */
bool boc__template_take(template_t *t);  /* false: another schedule is at it */
void boc__template_leave(template_t *t); /* frees one for once */
void boc__forget_watched(template_t *t);
void boc__template_list(boc_state_t *st, template_t *t); /* into the interpreter's list */
int boc__take_names(boc_state_t *st, template_t *t, PyObject *func, spec_t *s, uint32_t ndefaults, bool again);
PyObject *boc__body_name(boc_state_t *st, PyObject *func, uint32_t *id);
boc_behavior_t *boc__allocate(spec_t *s, uint32_t ndyn, boc_cown_t **result);
PyObject *boc__submit(boc_state_t *st, boc_behavior_t *b, boc_cown_t *result);

/* ---- watched.c ---- */
uint32_t boc__name_id(PyObject *str);    /* of the name table */
bool boc__reaches(PyObject *v);          /* may it decide which further names are used? */
PyObject *boc__shape_of(PyObject *v);    /* borrowed; NULL: nothing is known */
bool boc__same_shape(const boc_memory_t *shape, PyObject *v);
int boc__look_again(boc_state_t *st, template_t *t); /* 1: a function that the body leads to was edited; 0; -1 */
int boc__analyse(boc_state_t *st, template_t *t, PyObject *func, PyObject *values); /* recipe and watched names anew */
int boc__refresh(boc_state_t *st, template_t *t); /* 0: the set is current; 1: another was made; 2: analyse again; -1 */
/* The value now; NULL: absent, or gone. Borrowed where a GIL keeps other threads of main from rebinding the name meanwhile, so
   boc__watched_done() gives it back. */
PyObject *boc__watched(watch_t *w);
#ifdef Py_GIL_DISABLED
#define boc__watched_done(v) Py_XDECREF(v)
#else
#define boc__watched_done(v) ((void)(v))
#endif
boc_capset_t *boc__set_of(template_t *t); /* the set for one behavior */

/* ---- batches ---- */
uint32_t boc__batching(void); /* the number of this thread's open batch, or 0 */
typedef struct {
    uint32_t depth, n, cap, number;
    boc_behavior_t **list;
} boc_batch_t;
/* Around a body: it has no part in the batch of who pumps, nor leaves one open. */
void boc__batch_aside(boc_batch_t *outer);
void boc__batch_back(const boc_batch_t *outer);
int boc__batch_add(boc_behavior_t *b);

#endif
