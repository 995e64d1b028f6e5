/* The map of the core: what its files share with one another and with nobody else.
 *
 *   thread.c    a record for each thread that calls in: index, ids, counters, free lists
 *   pool.c      memory for behaviors and cowns
 *   cown.c      cowns                       queue.c     the request queue of one cown
 *   behavior.c  make, finish, cancel        schedule.c  two phases, batches, acquire
 *   ready.c     from granted to a run queue fetch.c     live values at other homes, the porter
 *   lane.c      a worker's run queue        worker.c    the worker's loop, stealing
 *   park.c      idle workers and wake-ups   pinned.c    work for the main thread
 *   quiesce.c   counts, waits, events       gate.c      stepping
 *   runtime.c   start, stop, fork           name.c      the table of names
 *   turn.c      readers one after another
 *   trace.c     rings and their readers     trace_clock.c  ticks to nanoseconds
 */
#ifndef BOC_INTERNAL_H
#define BOC_INTERNAL_H

#include "atomic.h"
#include "core.h"
#include "platform.h"
#include "trace.h"

#ifndef BOC__RING
#define BOC__RING 256u /* entries of a lane; a power of two */
#endif
#ifndef BOC__TICK
#define BOC__TICK 64u /* dispatches between two fires of the fairness token */
#endif
#ifndef BOC__LONG
#define BOC__LONG 4u /* bound behaviors in a ring from which on thieves help */
#endif
#ifndef BOC__LOOK_NS
#define BOC__LOOK_NS 200000 /* a body that takes longer does not keep others from live values */
#endif
#ifndef BOC__YOUNG_NS
#define BOC__YOUNG_NS 50000 /* nor, after this, what is bound to its worker from other workers */
#endif
#ifndef BOC__IN_A_ROW
#define BOC__IN_A_ROW 64u /* behaviors from the pending slot before a queue's turn */
#endif

#define BOC__FOREIGN 64u /* other threads that have an index (and a ring) of their own */

/* ---- memory (pool.c) -------------------------------------------------------- */
#define BOC__STEP 16u    /* an object is at least 16 bytes: boc__free_t */
#define BOC__CLASSES 64u /* sizes 16, 32, .. 1024 bytes; larger ones come from malloc */

typedef struct boc__free {
    struct boc__free *next;  /* in its batch */
    struct boc__free *batch; /* the next batch, in the first of each */
} boc__free_t;

typedef struct boc__shelf {
    boc__free_t *list;   /* handed out and taken back here */
    boc__free_t *spare;  /* full batches */
    uint32_t n;          /* of list */
    uint32_t nspare;
} boc__shelf_t;

/* ---- trace ring (trace.c) --------------------------------------------------- */
typedef struct boc__slot {
    _Atomic uint64_t w[4];
} boc__slot_t;

typedef struct boc__ring {
    _Atomic uint64_t claim; /* records whose slot may be half written are below it */
    _Atomic uint64_t head;  /* records below it are whole */
    uint64_t next;          /* writer's own */
    uint64_t mask;
    uint64_t thread;        /* in its place in a record's last word */
    _Atomic uint64_t floor; /* records below it were cleared */
    boc__slot_t slot[];
} boc__ring_t;

/* ---- threads (thread.c) ----------------------------------------------------- */
typedef struct boc__thread {
    uint32_t index;       /* worker index, or BOC_MAX_WORKERS + k */
    bool in_body;         /* a body runs on this thread: the pending slot is not ours to fill */
    bool draining;        /* boc__drain is at work below us on the stack */
    boc_worker_t *worker; /* NULL: no worker */
    boc__ring_t *ring;
    uint64_t id_next, id_end;
    _Atomic uint64_t scheduled, finished, started; /* written by this thread alone */
    _Atomic int64_t cowns, behaviors;              /* made less freed by this thread; their sums are the living */
    boc_behavior_t *inplace, *inplace_last;        /* ready, to be run by this very thread */
    int64_t grant_stamp;                           /* ticks: the time of the grants that this thread makes now */
    uint32_t next_worker;                          /* round robin for pushes from outside */
    uint32_t random;
    _Atomic bool taken;                            /* a living thread has this record */
    struct boc__thread *all;                       /* every record ever made */
    boc__shelf_t shelf[BOC__CLASSES];
} boc__thread_t;

#ifdef BOC_SYSTEMATIC
#define boc__tls boc__sys_tls()
#else
extern _Thread_local boc__thread_t *boc__tls_record __attribute__((tls_model("initial-exec")));
#define boc__tls boc__tls_record
#endif
boc__thread_t *boc__thread_attach(void);
void boc__thread_bind(boc__thread_t *t); /* this thread is the worker that owns t */
boc__thread_t *boc__thread_new(uint32_t index);
boc__thread_t *boc__thread_all(void);
uint64_t boc__id_refill(boc__thread_t *t);
void boc__thread_fork_child(void);

static inline boc__thread_t *boc__me(void) {
    boc__thread_t *t = boc__tls;
    return boc__likely(t != NULL) ? t : boc__thread_attach();
}

static inline uint64_t boc__id(boc__thread_t *t) {
    return boc__likely(t->id_next != t->id_end) ? t->id_next++ : boc__id_refill(t);
}

/* A counter that one thread writes and others read. */
static inline void boc__count_up(_Atomic uint64_t *n) {
    boc__store_rel(n, boc__load_rlx(n) + 1);
}

#define BOC__BATCH 64u /* objects that wander between threads together */
#if defined(BOC__ASAN) || defined(BOC__TSAN) || defined(BOC_SYSTEMATIC)
#define BOC__EACH_FROM_MALLOC 1
#else
#define BOC__EACH_FROM_MALLOC 0
#endif

void *boc__alloc_slow(boc__thread_t *t, size_t size);
void boc__free_slow(boc__thread_t *t, void *p, size_t size);
static inline uint32_t boc__class_of(size_t size) {
    return (uint32_t)((size + BOC__STEP - 1) / BOC__STEP) - 1;
}
/* Not zeroed; NULL: out of memory. */
static inline void *boc__alloc(boc__thread_t *t, size_t size) {
    uint32_t k = boc__class_of(size);
    if (BOC__EACH_FROM_MALLOC || boc__unlikely(k >= BOC__CLASSES) || boc__unlikely(t->shelf[k].list == NULL)) {
        return boc__alloc_slow(t, size);
    }
    boc__shelf_t *s = &t->shelf[k];
    boc__free_t *p = s->list;
    s->list = p->next;
    s->n--;
    return p;
}
static inline void boc__free(boc__thread_t *t, void *p, size_t size) {
    uint32_t k = boc__class_of(size);
    if (BOC__EACH_FROM_MALLOC || boc__unlikely(k >= BOC__CLASSES) || boc__unlikely(t->shelf[k].n >= BOC__BATCH)) {
        boc__free_slow(t, p, size);
        return;
    }
    boc__shelf_t *s = &t->shelf[k];
    boc__free_t *f = p;
    f->next = s->list;
    s->list = f;
    s->n++;
}

/* A difference that one thread writes and others read. */
static inline void boc__tally(_Atomic int64_t *n, int by) {
    boc__store_rlx(n, boc__load_rlx(n) + by);
}
static inline uint8_t boc__units(size_t size) {
    return size > BOC__STEP * BOC__CLASSES ? 255 : (uint8_t)((size + BOC__STEP - 1) / BOC__STEP);
}
static inline void boc__free_units(boc__thread_t *t, void *p, uint8_t units) {
    boc__free(t, p, (size_t)units * BOC__STEP);
}
void boc__shelves_return(boc__thread_t *t); /* the thread ends: give its free lists to the others */
int64_t boc__alloc_balance(void);           /* sanitizer and systematic builds: objects alive; else 0 */

void boc__cown_dead(boc__thread_t *t, boc_cown_t *c);
static inline void boc__cown_drop(boc__thread_t *t, boc_cown_t *c) {
    /* 1 is the caller's own: nobody else can raise it, unless the host lists the cown. Acquire: what the others
       did before they let go. */
    if ((boc__load_acq(&c->refs) == 1 && !(c->flags & BOC_COWN_WEAK)) || boc__sub(&c->refs, 1) == 1) {
        boc__cown_dead(t, c);
    }
}

/* ---- request queues (queue.c) ------------------------------------------------ */
/* Joins the chain first..last (same cown, already linked) to the cown's queue. True: first is granted
   now; a reader then counts in cown.readers. alone: the chain is one request of a behavior without a
   guard; it is marked before it can be granted. pred: id of the behavior before it, for the trace. */
bool boc__queue_enter(boc_cown_t *c, boc_request_t *first, boc_request_t *last, bool alone, uint64_t *pred);
void boc__queue_mark(boc_request_t *r);
void boc__queue_chain(boc_request_t *r, boc_request_t *next); /* inside a batch, before enter */
void boc__queue_open(boc__thread_t *t, boc_request_t *first); /* readers: grants first and those behind it */
void boc__queue_born(boc_request_t *r);                       /* a result: held from birth */
void boc__queue_leave(boc__thread_t *t, boc_request_t *r);

/* ---- ready (ready.c) ---------------------------------------------------------- */
void boc__granted(boc__thread_t *t, boc_request_t *r, uint64_t seq); /* one request less to wait for */
void boc__ready(boc__thread_t *t, boc_behavior_t *b);                /* all requests are granted */
void boc__enqueue(boc__thread_t *t, boc_behavior_t *b);              /* and all values are here */
void boc__push(boc__thread_t *t, boc_behavior_t *b);                 /* past the gate */
void boc__tell_bound(boc_worker_t *w);                               /* there is more in its bound lane */
void boc__retarget(boc__thread_t *t, boc_behavior_t *b);
void boc__inplace(boc__thread_t *t, boc_behavior_t *b);
void boc__turn_came(boc__thread_t *t, boc_behavior_t *b);            /* it has waited for turns and has them all */
void boc__drain_slow(boc__thread_t *t);
bool boc__begin(boc__thread_t *t, boc_behavior_t *b);
int boc__pass(boc_behavior_t *b); /* the run of the core's own placeholders: no host part, no result */
static inline bool boc__hidden(const boc_behavior_t *b) {
    return boc__unlikely((b->flags & BOC_B_NATIVE) && b->run == boc__pass);
}
void boc__end(boc__thread_t *t, boc_behavior_t *b, bool forget); /* release, free; forget: leave b be */

static inline void boc__drain(boc__thread_t *t) {
    if (boc__unlikely(t->inplace != NULL) && !t->draining) {
        boc__drain_slow(t);
    }
}

/* ---- readers one after another (turn.c) --------------------------------------- */
bool boc__turns_take(boc_behavior_t *b, uint32_t from); /* of requests from .. nreq; false: it waits, boc__turn_came follows */
void boc__turn_pass(boc__thread_t *t, boc_request_t *r);
void boc__turns_fork_child(void);

/* ---- run queues (lane.c) ------------------------------------------------------- */
typedef struct boc__lane {
    _Atomic uint32_t head;                  /* taken from by CAS, by the owner and by thieves */
    _Atomic uint32_t tail;                  /* put to by the owner */
    _Atomic(boc_behavior_t *) overflow;     /* oldest first; only the owner puts, anybody takes all */
    _Atomic(boc_behavior_t *) slot[BOC__RING];
    _Alignas(64) _Atomic(boc_behavior_t *) inbox; /* newest first; anybody puts, anybody takes all */
    _Atomic uint64_t posted;                /* by other threads; on the line that they just took */
} boc__lane_t;

bool boc__lane_put(boc__lane_t *l, boc_behavior_t *b);  /* owner; true: into the ring */
void boc__lane_post(boc__lane_t *l, boc_behavior_t *b); /* anybody */
boc_behavior_t *boc__lane_take(boc__lane_t *l, bool *moved); /* owner */
void boc__lane_admit(boc__lane_t *l, bool *moved);      /* owner: what was posted joins the order now */
uint32_t boc__lane_steal(boc__lane_t *from, boc__lane_t *into, uint32_t max, boc_behavior_t **first);
boc_behavior_t *boc__lane_take_all(boc__lane_t *l);     /* stop: everything, any order */
bool boc__lane_empty(const boc__lane_t *l);
uint32_t boc__lane_size(const boc__lane_t *l);          /* of the ring */

/* ---- workers (worker.c) --------------------------------------------------------- */
enum { BOC__FREE = 0, BOC__BOUND = 1 };
enum { BOC__W_NEW = 0, BOC__W_UP = 1, BOC__W_ENDED = 2 };
enum { BOC__V_NONE = 0, BOC__V_ASKED = 1, BOC__V_GO_ON = 2, BOC__V_ABANDONED = 3 };

struct boc_worker {
    uint32_t index;
    _Atomic uint32_t phase;   /* BOC__W_... */
    boc__thread_t *thread;
    boc__os_thread_t *os;
    /* the loop's own */
    boc_behavior_t *pending;  /* made ready by the release in progress: runs next */
    uint32_t in_a_row, tick, turn, victim;
    int64_t stamp;            /* ticks at the end of the last behavior; 0: something else came between */
    int64_t admitted, patience;           /* ticks: when the token fired, and for how long it may rest */
    int64_t cpu_at, cpu_every, cpu_long;  /* ticks: sampling of the thread's CPU clock */
    bool searching;
    /* what runs, for others to look at */
    _Atomic(boc_behavior_t *) body; /* the latest */
    _Atomic uint64_t run_id;
    _Atomic uint32_t run_name;
    _Atomic int64_t run_since; /* ticks */
    _Atomic uint32_t verdict;  /* BOC__V_...: stop's question whether the body is stuck */
    /* lanes: behaviors that any worker may take, and those whose live values are here */
    boc__lane_t lane[2];
    _Alignas(64) _Atomic uint32_t wake; /* sleeps while 0 */
    _Atomic(boc_request_t *) fetches;   /* posted by others, newest first */
    _Atomic(boc_mail_t *) mail;
    _Atomic uint32_t serving;           /* somebody serves the fetches */
    _Atomic uint32_t porter;            /* see fetch.c */
    _Atomic(boc__os_thread_t *) porter_os;
    struct {
        _Atomic uint64_t pushed_local, pending, popped, stolen, attempts, failures, parked, unparked,
            arm, fetches, porter_fetches, busy_ticks;
    } n;
};

void boc__worker_main(void *worker);
void boc__worker_up(boc_worker_t *w, int rc); /* enter returned (runtime.c) */
bool boc__work_somewhere(boc_worker_t *w);

/* ---- idle workers (park.c) -------------------------------------------------------- */
void boc__wake_any(void);                 /* there is new work that any worker may do */
bool boc__wake_worker(boc_worker_t *w);   /* if it sleeps; true: it did */
uint32_t boc__idle_pick(uint32_t from);   /* index + 1 of a sleeping worker, 0: none */
bool boc__idle_any(void);
void boc__park(boc_worker_t *w);          /* until woken; checks for work first */
void boc__park_reset(void);

/* ---- fetches, porters and mail (fetch.c) ------------------------------------------- */
#define BOC__CLOSED ((void *)1)           /* a list that takes no more */
bool boc__fetch_post(boc__thread_t *t, boc_request_t *r, uint32_t home);
void boc__fetch_serve(boc_worker_t *w, boc__thread_t *t, bool by_porter);
void boc__porter_arm(boc_worker_t *w);
void boc__porter_end(boc_worker_t *w, bool abandon);
void boc__mail_serve(boc_worker_t *w);
void boc__mail_close(boc_worker_t *w);    /* serves what is left, takes no more */
void boc__mail_close_unread(boc_worker_t *w); /* its worker was given up */
void boc__home_close(boc_worker_t *w);    /* serves what is left, takes no more */

/* ---- pinned, waits, gate ------------------------------------------------------------ */
void boc__pinned_push(boc__thread_t *t, boc_behavior_t *b);
void boc__pinned_fork_child(void);
void boc__pulse(void);                    /* wake every wait that looks at several things */
void boc__quiesce_look(void);             /* somebody waits and nothing is pending: wake it */
extern _Atomic uint32_t boc__quiesce_waiters;
void boc__waits_fork_child(void);
boc_behavior_t *boc__pinned_take_all(void);
bool boc__gate_hold(boc_behavior_t *b, bool was_queued); /* true: it is the gate's now */
void boc__gate_sweep(boc__thread_t *t, bool all);        /* lets the cancelled ones through, or all */
void boc__gate_swept(void);                              /* something was cancelled: a worker shall sweep */
void boc__gate_fork_child(void);
enum { BOC__GATE_SHUT = 1, BOC__GATE_SWEEP = 2 };
extern _Atomic uint32_t boc__gate_shut;
void boc__names_fork_child(void);

/* ---- the runtime (runtime.c) --------------------------------------------------------- */
enum { BOC__STOPPED = 0, BOC__RUNNING = 1, BOC__STOPPING = 2 };

typedef struct boc__runtime {
    _Atomic uint32_t state;
    _Atomic uint32_t epoch;     /* of boc_cancel_all */
    _Atomic uint32_t nworkers;
    _Atomic uint32_t nup;       /* workers whose enter succeeded */
    _Atomic uint32_t nfailed;
    _Atomic int start_error;
    _Atomic uint32_t searching; /* workers that look for work: no need to wake another */
    uint32_t searchers;         /* how many may search at once */
    uint32_t spin;              /* rounds of looking before a worker sleeps; 0 on one core */
    _Atomic uint32_t nended;    /* workers whose thread is through */
    const boc_host_t *host;
    const boc_callbacks_t *call;
    void (*before_workers)(void);
    _Atomic(boc_worker_t *) worker[BOC_MAX_WORKERS];
} boc__runtime_t;
extern boc__runtime_t boc__rt;
/* Cancelled, alone or with all. */
static inline bool boc__stale(const boc_behavior_t *b) {
    boc_behavior_t *x = (boc_behavior_t *)b;
    return boc__load_rlx(&x->state) == BOC_ST_CANCELLED || x->epoch != (uint16_t)boc__load_rlx(&boc__rt.epoch);
}
void boc__late(boc__thread_t *t); /* after a push from outside: if the runtime stopped meanwhile, cancel it here */

static inline boc_worker_t *boc__worker(uint32_t i) {
    return boc__load_rlx(&boc__rt.worker[i]);
}

/* A lock for what happens rarely; sleeps on its word. */
typedef struct {
    _Atomic uint32_t word;
} boc__lock_t;
void boc__lock(boc__lock_t *l);
void boc__unlock(boc__lock_t *l);

/* ---- trace --------------------------------------------------------------------------- */
int64_t boc__ticks_to_ns(int64_t ticks);  /* a moment */
void boc__ticks_to_times(boc_record_t *r, size_t n); /* the moments of records, in place */
int64_t boc__ns_to_ticks(int64_t ns);     /* a duration */
int64_t boc__ticks_span(int64_t ticks);   /* a duration, in ns */
void boc__clock_init(void);
void boc__clock_tune(void);
void boc__clock_fork_child(void);
void boc__trace_fork_child(void);
void boc__trace_size(uint32_t events);
void boc__trace_thread(boc__thread_t *t); /* gives it a ring, if tracing is on and it has none */

static inline bool boc__tracing(boc__thread_t *t) {
    if (boc__likely(boc__load_rlx(&boc_trace_on) == 0)) {
        return false;
    }
    if (boc__unlikely(t->ring == NULL)) {
        boc__trace_thread(t);
    }
    return t->ring != NULL;
}

/* n records follow, from r->next on; the reader sees them after boc__trace_commit. */
static inline void boc__trace_claim(boc__ring_t *r, uint32_t n) {
    boc__store_rlx(&r->claim, r->next + n);
    boc__fence_rel(); /* a reader that copies a word of these records must see the claim */
}

static inline void boc__trace_put(boc__ring_t *r, uint64_t at, int64_t time, uint8_t kind, uint64_t subject,
                                  uint64_t other, uint32_t seq, uint8_t flags) {
#ifdef BOC_SYSTEMATIC
    boc__sys_event(kind, subject, other, seq, flags);
#endif
    boc__slot_t *s = &r->slot[at & r->mask];
    atomic_store_explicit(&s->w[0], (uint64_t)time, memory_order_relaxed);
    atomic_store_explicit(&s->w[1], subject, memory_order_relaxed);
    atomic_store_explicit(&s->w[2], other, memory_order_relaxed);
    atomic_store_explicit(&s->w[3], (uint64_t)seq | (uint64_t)kind << 32 | (uint64_t)flags << 40 | r->thread,
                          memory_order_relaxed);
}

static inline void boc__trace_commit(boc__ring_t *r, uint32_t n) {
    r->next += n;
    boc__store_rel(&r->head, r->next);
}

/* One record; time in ticks, 0: now. The caller has asked boc__tracing. */
static inline void boc__trace_one(boc__ring_t *r, int64_t time, uint8_t kind, uint64_t subject, uint64_t other,
                                  uint32_t seq, uint8_t flags) {
    boc__trace_claim(r, 1);
    boc__trace_put(r, r->next, time != 0 ? time : boc__ticks(), kind, subject, other, seq, flags);
    boc__trace_commit(r, 1);
}

enum { /* flags of records, as in trace_events.def */
    BOC__TF_READY = 1, BOC__TF_PINNED = 2, BOC__TF_NATIVE = 4, BOC__TF_RESULT = 8, /* schedule */
    BOC__TF_READ = 1, BOC__TF_GRANTED = 2,                                       /* request */
    BOC__TF_LAST = 2,                                                            /* grant: READY */
    BOC__TF_STOLEN = 1, BOC__TF_CANCELLED = 2,                                   /* start; end */
};

#endif
