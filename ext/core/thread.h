/* A record for each thread that calls in: index, ids, counters, memory. Whoever acts for a thread includes it.
 *
 * Most words belong to that thread alone; the atomics are written by it and read by others.
 */
#ifndef BOC_THREAD_H
#define BOC_THREAD_H

#include "atomic.h"
#include "host.h"
#include "pool.h"

typedef struct boc__thread {
    uint32_t index;       /* worker index, or BOC_MAX_WORKERS + k */
    bool in_body;         /* a body runs on this thread: the pending slot is not ours to fill */
    bool draining;        /* boc__drain is at work below us on the stack */
    boc_worker_t *worker; /* NULL: no worker */
    struct boc__ring *ring; /* of trace records; see tracing.h */
    _Atomic(struct boc__tally *) tally; /* its counters by name; there where a ring is */
    uint64_t id_next, id_end;
    _Atomic uint64_t scheduled, finished, started; /* written by this thread alone */
    _Atomic int64_t cowns, behaviors;              /* made less freed by this thread; their sums are the living */
    boc_behavior_t *inplace, *inplace_last;        /* ready, to be run by this very thread */
    int64_t grant_stamp;                           /* ticks: the time of the grants that this thread makes now; 0: not asked yet */
    uint64_t ended;                                /* the behavior of whose end no record tells yet: the next grant will; or 0 */
    int64_t quiet_stamp;                           /* ticks: when this thread last found that nothing was pending */
    uint32_t next_worker;                          /* round robin for pushes from outside */
    uint32_t random;
    uint32_t deaths;                               /* of cowns, one in another, that are under way on this stack */
    boc_cown_t *dead;                              /* those that wait for the deepest of these */
    _Atomic bool taken;                            /* a living thread has this record */
    struct boc__thread *all;                       /* every record ever made */
    boc__pool_t pool;
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

/* A difference that one thread writes and others read. */
static inline void boc__tally(_Atomic int64_t *n, int by) {
    boc__store_rlx(n, boc__load_rlx(n) + by);
}

#endif
