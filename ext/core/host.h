/* The seam for every kind of worker: what a host brings, start and stop, mail to a worker, what workers did.
 *
 * A worker is a thread of the core; its host gives it what bodies need and runs them. Codes and threads as in core.h. The
 * promises are kept by runtime.c, worker.c, home.c (mail) and state.c (questions).
 */
#ifndef BOC_HOST_H
#define BOC_HOST_H

#include "core.h"

/* ---- hosts ---------------------------------------------------------------- */
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

/* ---- start and stop -------------------------------------------------------- */
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

/* ---- mail ------------------------------------------------------------------ */
/* Run fn(node) on the home worker's thread, with what running needs, at its next body boundary; wakes it.
   BOC_ESTATE: it ended. FIFO per sender. */
typedef struct boc_mail {
    struct boc_mail *next;
    void (*fn)(struct boc_mail *);
} boc_mail_t;
int boc_mail_post(uint32_t worker, boc_mail_t *m);

/* ---- counters -------------------------------------------------------------- */
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
