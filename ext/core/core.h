/* The runtime's face: values, cowns, behaviors. C11, no Python. Workers and their host: host.h; waiting and what the
 * main thread does meanwhile: wait.h.
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
    uint8_t incoming : 1;            /* core's: target took it from its values' home, and they are not there yet */
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

/* ---- names --------------------------------------------------------------- */
uint32_t boc_name(const char *utf8, size_t n);     /* interned for ever; 0 is "" */
const char *boc_name_text(uint32_t name);          /* ends with a NUL, and may hold others */
size_t boc_name_size(uint32_t name);               /* bytes of the text */
uint32_t boc_name_count(void);                     /* names are 0 .. count - 1 */

/* ---- who asks, what lives ------------------------------------------------- */
/* Index of the calling thread: worker 0..n-1, or BOC_MAX_WORKERS + k for another thread. */
uint32_t boc_self(void);
bool boc_on_worker(void);
bool boc_thread_lives(uint32_t index); /* false: it ended; its index may be given to a new one */
int64_t boc_now(void);  /* CLOCK_MONOTONIC, ns */
/* What lives now, whoever made it (sums over threads: exact once nothing moves). */
void boc_living(int64_t *cowns, int64_t *behaviors);

#endif
