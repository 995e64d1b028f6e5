/* The runtime's face: cowns, behaviors, workers, waiting. C11, no Python.
 *
 * One runtime per process. Every function says which thread may call it; those
 * that say nothing may be called from any thread. None takes a lock while it
 * calls back into the host. Errors are negative BOC_E... codes.
 *
 * Invariants that the rest of the program leans on
 *  - a behavior runs only when every request of it is granted, exactly once;
 *  - if schedule(a) happens before schedule(b) and they share a cown (not both
 *    readers), a finishes before b runs;
 *  - between the first exchange and the last mark of boc_schedule nothing is
 *    called back: no host code, no allocation;
 *  - a cown's value slot is touched only by the holder of the cown (or, for a
 *    fetch, by whoever claimed that fetch).
 */
#ifndef BOC_CORE_H
#define BOC_CORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BOC_OK = 0,
    BOC_ENOMEM = -1,
    BOC_ETIME = -2,    /* the deadline passed */
    BOC_EINTR = -3,    /* a signal arrived, or a slice of waiting ended */
    BOC_EBUSY = -4,    /* held or queued for by somebody else */
    BOC_ESTATE = -5,   /* not now: not running, already running, stopping */
    BOC_EINVAL = -6,
    BOC_EFULL = -7,    /* a table of fixed size is full */
    BOC_EPINNED = -8,  /* pinned work waits for the caller's thread */
    BOC_EMPTY = -9,
};

#define BOC_MAX_WORKERS 1024

typedef struct boc_cown boc_cown_t;
typedef struct boc_behavior boc_behavior_t;
typedef struct boc_request boc_request_t;

/* ---- values --------------------------------------------------------------
 * The core carries values and never looks inside. tag 0 is "nothing". */
typedef struct boc_value {
    union {
        int64_t i;
        double d;
        void *p;
        unsigned char text[16];
        struct {
            void *p;
            uint64_t n;
        } buf;
    } u;
    uint8_t tag;
    uint8_t len;
    uint16_t flags;
    uint32_t aux;
} boc_value_t;

enum { BOC_VALUE_ALONE = 0x8000 }; /* boc_value.flags, set by the host: its readers run one after another; it has no home */

/* ---- cowns --------------------------------------------------------------- */
enum {                     /* boc_cown.flags */
    BOC_COWN_PINNED = 1,   /* its value never leaves the main interpreter */
    BOC_COWN_RESULT = 2,   /* made by a behavior */
    BOC_COWN_CALLOUT = 4,  /* schedule calls host.callout first (clusters) */
    BOC_COWN_COUNTED = 8,  /* the host counts it among those of its name */
    BOC_COWN_WEAK = 0x80,  /* the host lists it: it may raise refs from 1 or more without owning one */
};

struct boc_cown {
    _Atomic(boc_request_t *) tail;        /* last request of the queue, or NULL */
    _Atomic uint64_t readers;             /* 2 x active readers + (a writer waits for them) */
    uint64_t id;                          /* from a counter, never an address */
    uint64_t seq;                         /* bumped by each owner: order of hand-offs */
    _Atomic(boc_request_t *) writer;      /* the active one, or the one that waits for the readers to leave */
    _Atomic uint32_t refs;
    _Atomic uint32_t holder;  /* 0: nobody; else index of the holding thread + 1; set by the host */
    uint32_t name;            /* of the name table */
    _Atomic uint16_t home;    /* 0: value rests nowhere in particular; else worker index + 1 where it is live */
    uint8_t flags;
    _Atomic uint8_t lock;     /* a spin bit for the host (cancel against finish) */
    boc_value_t value;        /* behind what the protocol touches: that stays on one cache line */
};

boc_cown_t *boc_cown_new(uint8_t flags);          /* refs = 1 */
static inline void boc_cown_retain(boc_cown_t *c) { atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); }
/* Several interpreters may mark one cown at a time; who reads a mark has it from whoever gave the handle. */
static inline void boc_cown_mark(boc_cown_t *c, uint8_t flag) { __atomic_fetch_or(&c->flags, flag, __ATOMIC_RELAXED); }
void boc_cown_release(boc_cown_t *c);             /* last one: host.drop_value, free */
void boc_cown_free(boc_cown_t *c);                /* after drop_value said false */
extern uint64_t boc_fork_floor;                   /* cowns with a lower id are of the process that forked this one */
bool boc_cown_idle(const boc_cown_t *c);          /* nobody holds or awaits it (a snapshot) */
uint32_t boc_cown_queue(const boc_cown_t *c);     /* 0 idle, 1 held, 2 held and awaited (a snapshot, for messages) */

/* ---- behaviors ----------------------------------------------------------- */
enum { BOC_WRITE = 0, BOC_READ = 1 };

struct boc_request {
    boc_cown_t *cown;         /* owns a reference, unless lent */
    _Atomic uintptr_t state;  /* core's: see queue.c */
    boc_request_t *link;      /* core's: list of fetches at a home */
    uint16_t index;           /* place in behavior.req, to find the behavior */
    uint16_t param;           /* host's: which parameter it was */
    uint8_t mode;             /* BOC_WRITE or BOC_READ */
    uint8_t turn;             /* core's: in line for the cown's turn, see turn.c */
    uint8_t lent;             /* core's: the cown lives by its scheduler's reference, then by that of the one before it */
    uint8_t spare[1];
};

enum {                        /* boc_behavior.flags */
    BOC_B_PINNED = 1,         /* runs in boc_pinned_* on the main thread */
    BOC_B_NATIVE = 2,         /* run() is called in place by whoever makes it ready; must be
                                 short, not block, not call the host; no value is live then */
    BOC_B_RESULT = 4,         /* the last request is a result cown: fresh, held from birth */
    BOC_B_URGENT = 8,         /* passes the step gate (main's own requests) */
    BOC_B_NARROW = 0x80,      /* core's: not every worker may run it */
};
enum { BOC_ST_PENDING = 0, BOC_ST_RUNNING = 1, BOC_ST_DONE = 2, BOC_ST_CANCELLED = 3 };
enum { BOC_RAN = 0, BOC_LATER = 1 };

#define BOC_KIND_INTERPRETER 1u
#define BOC_KIND_PROCESS 2u
#define BOC_KIND_THREAD 4u
#define BOC_KIND_ANY 0xffu
#define BOC_KINDS 7u                 /* those that a host may be of, each one bit */

struct boc_behavior {
    _Atomic(boc_behavior_t *) next;  /* run queue link */
    uint64_t id;                     /* from a counter; final once its requests are set: a behavior with a
                                        result has the id of its result cown (boc_request_set) */
    union {
        int (*run)(boc_behavior_t *); /* native behaviors only: BOC_RAN, or BOC_LATER and boc_finish(b) later */
        int64_t since;                /* core's, others only: when it joined the pinned queue (ns), began there (ticks) */
    };
    _Atomic int32_t count;           /* requests not granted + fetches not served + 1 while scheduling */
    uint16_t nreq;
    uint16_t target;                 /* worker index + 1 whose live values it needs; 0: any */
    uint32_t name;                   /* of the name table */
    uint16_t epoch;                  /* of boc_cancel_all */
    uint8_t kinds;                   /* mask of the kinds it may run on */
    uint8_t flags;
    _Atomic uint8_t state;           /* BOC_ST_... */
    uint8_t passed;                  /* core's: 1 the step gate let it through, 2 its judge stopped it once */
    uint8_t bound : 1;               /* core's: a live value waits for it at target */
    uint8_t narrow : 3;              /* core's, with BOC_B_NARROW: which lane, see state.h */
    uint8_t size;                    /* core's: in its allocator's units */
    uint32_t extra;                  /* byte offset of the host's part */
    boc_request_t req[];
};

/* A behavior with room for nreq requests and `extra` bytes for the host (zeroed, 16-aligned).
   Free lists per thread, freed across threads without a lock. NULL: out of memory. */
boc_behavior_t *boc_behavior_new(uint32_t nreq, size_t extra);
static inline void *boc_behavior_extra(boc_behavior_t *b) { return (char *)b + b->extra; }
void boc_behavior_free(boc_behavior_t *b); /* only one that was never scheduled: releases its cowns */
static inline boc_behavior_t *boc_behavior_of(boc_request_t *r) {
    return (boc_behavior_t *)((char *)(r - r->index) - offsetof(boc_behavior_t, req));
}
/* Sets request i; takes a new reference to c. Duplicates are allowed, boc_schedule merges them
   (a write wins) and then nreq shrinks; param of a merged request is that of the first. */
void boc_request_set(boc_behavior_t *b, uint32_t i, boc_cown_t *c, uint16_t param, uint8_t mode);
/* The same, but takes over the caller's reference. The first of the two to see a cown made with
   BOC_COWN_RESULT makes it b's result: from here on b->id == c->id. So set a result before anybody
   else can request it. */
void boc_request_move(boc_behavior_t *b, uint32_t i, boc_cown_t *c, uint16_t param, uint8_t mode);

/* The same, and no reference is counted where none is needed: c must live until boc_schedule has returned, by the
   caller's own. Not for results. */
void boc_request_lend(boc_behavior_t *b, uint32_t i, boc_cown_t *c, uint16_t param, uint8_t mode);

/* Two-phase schedule on the calling thread. The runtime must run (BOC_ESTATE). parent: id of the
   behavior whose body schedules, 0 from outside. After it returned 0 the behavior is the core's. */
int boc_schedule(boc_behavior_t *b, uint64_t parent);
/* Several at once: nothing else comes between them on any shared cown. */
int boc_schedule_batch(boc_behavior_t **b, uint32_t n, uint64_t parent);
/* The body ended: releases the requests, hands on, frees. Called by the core after host.run or
   pinned run, by the host for those that said BOC_LATER. */
void boc_finish(boc_behavior_t *b);
/* PENDING -> CANCELLED: keeps its place in the queues, is not run, host.cancelled is called in its
   place. Returns BOC_OK, or BOC_ESTATE if it runs or ended; BOC_EINVAL: it has no result. The caller owns a reference to
   the result, and keeps b alive (cown.lock). */
int boc_cancel(boc_behavior_t *b);
void boc_cancel_all(void);  /* every behavior scheduled before now that has not started */

/* Take an idle cown without queueing, for `with c:` on main. req is the caller's, of a behavior made
   by boc_behavior_new(1, ..) that is never scheduled. BOC_EBUSY: held or queued for. A cown with a live
   value elsewhere: BOC_EBUSY with *home set; schedule a native behavior and wait instead. */
int boc_acquire(boc_behavior_t *b, uint16_t *home);
void boc_acquire_end(boc_behavior_t *b);  /* hands on to whoever queued behind, frees b */

/* ---- workers and their host ---------------------------------------------- */
typedef struct boc_worker boc_worker_t;

typedef struct boc_host {
    uint8_t kind;
    /* on the worker's own thread; enter may fail (<0): the worker ends, and boc_start_error() tells */
    int (*enter)(uint32_t worker);
    void (*leave)(uint32_t worker);
    /* around every sleep of the worker: give up / take back what running needs (the GIL) */
    void (*park)(uint32_t worker);
    void (*unpark)(uint32_t worker);
    int (*run)(uint32_t worker, boc_behavior_t *b); /* BOC_RAN or BOC_LATER */
} boc_host_t;

typedef struct boc_callbacks {
    /* instead of run, for a cancelled behavior: give its result a value. Any thread, must not block.
       With b->state == BOC_ST_RUNNING: boc_stop abandons the worker whose body of b is stuck; b, its host
       part and its references then stay for ever, because the body may still look at them. */
    void (*cancelled)(boc_behavior_t *b);
    /* the behavior's host part dies (after its requests were released). Any thread. */
    void (*drop_behavior)(boc_behavior_t *b);
    /* the last reference to the cown went. Any thread; must not block. true: the core frees the cown now;
       false: its value must die at its home first, the host calls boc_cown_free then. */
    bool (*drop_value)(boc_cown_t *c);
    /* make c's value rest nowhere (home = 0). On the home's thread at a body boundary, or on its porter
       (core thread, one a home, made lazily) which brackets it by porter_enter/leave. */
    void (*encode)(uint32_t home_worker, boc_cown_t *c);
    void (*porter_enter)(uint32_t home_worker); /* wait until home's interpreter can be entered; enter */
    void (*porter_leave)(uint32_t home_worker);
    void (*callout)(boc_behavior_t *b);         /* a cown with BOC_COWN_CALLOUT; NULL: unused */
} boc_callbacks_t;

typedef struct boc_options {
    uint32_t workers;
    const boc_host_t *host;
    const boc_host_t *const *hosts; /* one for each worker, of any kinds; NULL: host for all */
    const boc_callbacks_t *callbacks;
    uint32_t trace_events;  /* ring size per thread, power of two; 0: off */
    void (*before_workers)(void); /* on the starter thread, before the first worker's enter (preloading) */
} boc_options_t;

/* Returns at once: a starter thread runs before_workers and starts the workers one after another (each
   enter is serial, under one mutex). Main thread of the host's main interpreter only. */
int boc_start(const boc_options_t *o);
void boc_set_callbacks(const boc_callbacks_t *c); /* what cowns need that die before the first start */
int boc_start_error(void);        /* what the first enter that failed returned; 0: none did */
bool boc_start_done(void);        /* every worker is up, or has failed */
bool boc_running(void);
uint32_t boc_worker_count(void);
/* Cancels what has not started, wakes all, lets running bodies end, joins every worker (leave has run), frees queues. Call without the GIL.
   deadline: workers still in a body then are abandoned: left out, their index is added to *stuck (a bit
   mask by index, 16 words) and their thread is detached. */
int boc_stop(int64_t deadline_ns, uint64_t stuck[16]);
/* In host.run, directly after the body's call: true if a stop gave this worker up meanwhile. Then everything of the behavior is
   somebody else's: the host touches nothing any more and never returns. */
bool boc_body_over(void);
void boc_after_fork_child(void);  /* no lock taken: the runtime is not running, cowns of before are of an old epoch */

/* Index of the calling thread: worker 0..n-1, or BOC_MAX_WORKERS + k for another thread. */
uint32_t boc_self(void);
bool boc_on_worker(void);
int64_t boc_now(void);  /* CLOCK_MONOTONIC, ns */

/* Run fn(node) on the home worker's thread, with what running needs, at its next body boundary; wakes it.
   BOC_ESTATE: it ended. FIFO per sender. */
typedef struct boc_mail {
    struct boc_mail *next;
    void (*fn)(struct boc_mail *);
} boc_mail_t;
int boc_mail_post(uint32_t worker, boc_mail_t *m);

/* ---- waiting ------------------------------------------------------------- */
/* Until nothing is pending. deadline in boc_now() ns, INT64_MAX: for ever. pump: the caller may run pinned
   behaviors, so BOC_EPINNED tells it that there are some. Returns 0, BOC_ETIME, BOC_EINTR, BOC_EPINNED.
   Waits in slices of at most 50 ms (then BOC_EINTR: the caller looks for signals and calls again). */
int boc_wait_quiescent(int64_t deadline_ns, bool pump);
typedef struct { uint64_t scheduled, finished, started; } boc_counts_t;
void boc_counts(boc_counts_t *out);   /* pending = scheduled - finished, never negative */

/* One-shot event for result() and friends; spins briefly, then sleeps; same slices and codes as above. */
typedef struct { _Atomic uint32_t word; } boc_event_t;
void boc_event_set(boc_event_t *e);
int boc_event_wait(boc_event_t *e, int64_t deadline_ns, bool pump);

/* ---- pinned -------------------------------------------------------------- */
int boc_pinned_fd(void);              /* readable while pinned work is ready (eventfd, pipe elsewhere); made once */
boc_behavior_t *boc_pinned_pop(void); /* NULL: empty. One consumer at a time. The caller runs it, then boc_finish. */
uint32_t boc_pinned_depth(int64_t *oldest_ns);
bool boc_begin(boc_behavior_t *b);    /* PENDING -> RUNNING, traces start; false: it was cancelled (the core has
                                         called cancelled): just boc_finish it. The core does it itself for workers. */

/* ---- the step gate --------------------------------------------------------
   Closed: what becomes runnable (also pinned; not native, urgent or cancelled) is held, oldest first. */
void boc_gate_close(void);
void boc_gate_open(void);                        /* lets all through, up to the next one that the judge stops */
int boc_gate_step(uint64_t id);                  /* lets this one through, 0: the oldest; BOC_EMPTY: no such */
bool boc_gate_closed(void);
typedef struct { uint64_t id; uint32_t name; bool pinned; } boc_held_t;
size_t boc_gate_held(boc_held_t *out, size_t max); /* the held, oldest first; returns how many there are */
/* Asked of each behavior that comes to the gate, open or closed, while set; NULL: nobody. Under the gate's lock: it must be
   short and not call the core. It may be asked again of one that it let be. */
enum { BOC_GATE_AS_IT_IS = 0, BOC_GATE_CLOSES, BOC_GATE_PASSES }; /* closes: and holds this one first */
typedef int (*boc_gate_judge_t)(const boc_behavior_t *b, bool closed);
void boc_gate_watch(boc_gate_judge_t judge);
/* No worker runs or is about to run a body, and no value is on its way: what is pending is held or waits. A snapshot. */
bool boc_settled(void);
/* Until something more is held than at `seen` (boc_gate_arrivals), or all is settled; slices and codes as above. */
uint64_t boc_gate_arrivals(void);
int boc_gate_wait(uint64_t seen, int64_t deadline_ns, bool pump);

/* What lives now, whoever made it (sums over threads: exact once nothing moves). */
void boc_living(int64_t *cowns, int64_t *behaviors);

/* ---- names, counters ----------------------------------------------------- */
uint32_t boc_name(const char *utf8, size_t n);     /* interned for ever; 0 is "" */
const char *boc_name_text(uint32_t name);
uint32_t boc_name_count(void);                     /* names are 0 .. count - 1 */
typedef struct boc_stats {
    uint64_t pushed_local, pushed_remote, dispatched_to_pending, popped_local, popped_via_steal,
        steal_attempts, steal_failures, parked, unparked, fairness_arm_fires, fetches, porter_fetches,
        started, finished, busy_ns;
} boc_stats_t;
int boc_worker_stats(uint32_t worker, boc_stats_t *out);
/* what runs now on a worker: behavior id, name and start; 0: nothing */
typedef struct { uint64_t id; uint32_t name; int64_t since; } boc_running_t;
int boc_worker_running(uint32_t worker, boc_running_t *out);

#endif
