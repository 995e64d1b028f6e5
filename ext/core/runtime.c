/* Start, stop, fork.
 *
 * Invariants
 *  T1 stop sets STOPPING, then bumps the epoch; schedule reads the epoch, then the state. So whatever is
 *     scheduled is refused, or is stale: after a stop began, only bodies that already run are not cancelled;
 *  T2 a stale behavior is finished by whoever has it in hand, without a worker. What a late push leaves in a
 *     lane of a stopped runtime is found by that pusher itself: it looks at the state after its push, stop
 *     looks at the lanes after it set STOPPED;
 *  T3 worker records are never freed (others look at them at any time); the next start uses them again, but
 *     for those of abandoned workers.
 */
#include "finish.h"
#include "fork.h"
#include "gate.h"
#include "home.h"
#include "lock.h"
#include "quiesce.h"
#include "ready.h"
#include "tracing.h"
#include "wake.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>

static boc__lock_t enter_lock;
static boc__os_thread_t *starter;

/* ---- start ----------------------------------------------------------------------------- */
/* The kinds of all workers, and the masks that are less than all of them. False: a host of no one known kind. */
static bool kinds_set(const boc_options_t *o) {
    uint8_t kinds = 0;
    for (uint32_t i = 0; i < o->workers; i++) {
        const boc_host_t *host = o->hosts != NULL ? o->hosts[i] : o->host;
        if (host == NULL || (host->kind & ~BOC_KINDS) != 0 || __builtin_popcount(host->kind) != 1) {
            return false;
        }
        kinds |= host->kind;
    }
    boc__rt.kinds = kinds;
    boc__rt.nnarrow = 0;
    for (uint8_t mask = 1; mask < BOC_KINDS; mask++) {
        if ((mask & ~kinds) == 0 && mask != kinds) {
            boc__rt.narrow_of[mask] = boc__rt.nnarrow;
            boc__rt.narrow[boc__rt.nnarrow++] = mask;
        }
    }
    return true;
}

static bool narrow_lanes(boc_worker_t *w) {
    if (boc__rt.nnarrow != 0 && w->more == NULL) {
        w->more = aligned_alloc(64, BOC__NARROW * sizeof *w->more);
        if (w->more == NULL) {
            return false;
        }
        memset(w->more, 0, BOC__NARROW * sizeof *w->more);
    }
    return true;
}

static boc_worker_t *worker_make(uint32_t i) {
    boc_worker_t *w = boc__worker(i);
    if (w == NULL || boc__load_acq(&w->verdict) == BOC__V_ABANDONED) { /* that one's thread may still look at it */
        w = aligned_alloc(64, (sizeof *w + 63) / 64 * 64);
        if (w == NULL) {
            return NULL;
        }
        memset(w, 0, sizeof *w);
        w->index = i;
        w->thread = boc__thread_new(i);
        if (w->thread == NULL) {
            free(w);
            return NULL;
        }
        w->thread->worker = w;
    }
    if (!narrow_lanes(w)) {
        return NULL; /* a new record stays: that of its thread, which others may look at, points to it */
    }
    w->os = NULL;
    w->in_a_row = w->tick = w->turn = 0;
    w->victim = i;
    w->stamp = 0;
    w->searching = false;
    boc__store_rlx(&w->verdict, BOC__V_NONE);
    boc__store_rlx(&w->fetches, NULL);
    boc__store_rlx(&w->mail, NULL);
    boc__store_rlx(&w->porter, 0);
    boc__store_rlx(&w->phase, BOC__W_NEW);
    memset(&w->n, 0, sizeof w->n);
    w->started_before = boc__load_rlx(&w->thread->started);
    w->finished_before = boc__load_rlx(&w->thread->finished);
    for (uint32_t k = 0; k < boc__lanes(); k++) {
        boc__store_rlx(&boc__lane(w, k)->posted, 0);
    }
    return w;
}

static void worker_thread(void *arg) {
    boc_worker_t *w = arg;
    boc__worker_main(w);
    if (boc__load_acq(&w->verdict) == BOC__V_ABANDONED) {
        return; /* the runtime has gone on without us */
    }
    boc__store_rel(&w->phase, BOC__W_ENDED);
    boc__add(&boc__rt.nended, 1);
    boc__os_wake(&boc__rt.nended, 1);
}

static void starter_main(void *arg) {
    (void)arg;
    if (boc__rt.before_workers != NULL) {
        boc__rt.before_workers();
    }
    uint32_t n = boc__load_rlx(&boc__rt.nworkers);
    for (uint32_t i = 0; i < n; i++) {
        boc_worker_t *w = boc__worker(i);
        if (boc__load_acq(&boc__rt.state) == BOC__RUNNING) {
            boc__lock(&enter_lock); /* a worker's enter is alone: the next one starts when it is up */
            w->os = boc__os_thread_start(worker_thread, w, "boc worker");
            if (w->os != NULL) {
                while (boc__load_acq(&w->phase) == BOC__W_NEW) {
                    boc__os_wait(&w->phase, BOC__W_NEW, -1);
                }
            }
            boc__unlock(&enter_lock);
        }
        if (w->os == NULL) {
            boc__worker_up(w, boc_running() ? BOC_ENOMEM : BOC_ESTATE);
            boc__add(&boc__rt.nended, 1);
        }
    }
}

int boc_start(const boc_options_t *o) {
    if (o->workers == 0 || o->workers > BOC_MAX_WORKERS || (o->host == NULL && o->hosts == NULL) || o->callbacks == NULL) {
        return BOC_EINVAL;
    }
    if (boc__load_acq(&boc__rt.state) != BOC__STOPPED) {
        return BOC_ESTATE;
    }
    if (!kinds_set(o)) {
        return BOC_EINVAL;
    }
    boc__me(); /* the caller's record, before any other thread's */
    boc__clock_init();
    boc__trace_size(o->trace_events);
    for (uint32_t i = 0; i < o->workers; i++) {
        boc_worker_t *w = worker_make(i);
        if (w == NULL) {
            return BOC_ENOMEM;
        }
        w->host = o->hosts != NULL ? o->hosts[i] : o->host;
        boc__store_rel(&boc__rt.worker[i], w);
    }
    boc__idle_reset();
    boc__rt.call = o->callbacks;
    boc__rt.before_workers = o->before_workers;
    boc__rt.porter = boc__porter_main;
    uint32_t cores = boc__os_cpus(), able = o->workers < cores ? o->workers : cores;
    boc__rt.cores = cores;
    boc__rt.spin = cores > 1 ? 20 : 0;
    boc__rt.searchers = able > 3 ? able / 2 : 1;
    boc__store_rlx(&boc__rt.nup, 0);
    boc__store_rlx(&boc__rt.nfailed, 0);
    boc__store_rlx(&boc__rt.nended, 0);
    boc__store_rlx(&boc__rt.start_error, 0);
    boc__store_rel(&boc__rt.nworkers, o->workers);
    boc__store_rel(&boc__rt.state, BOC__RUNNING);
    starter = boc__os_thread_start(starter_main, NULL, "boc starter");
    if (starter == NULL) {
        boc__store_rel(&boc__rt.state, BOC__STOPPED);
        return BOC_ENOMEM;
    }
    return BOC_OK;
}

/* ---- stop -------------------------------------------------------------------------------- */
static bool all_ended(int64_t deadline) {
    uint32_t n = boc__load_rlx(&boc__rt.nworkers), ended;
    while ((ended = boc__load_acq(&boc__rt.nended)) < n) {
        int64_t now = boc_now();
        if (now >= deadline) {
            return false;
        }
        boc__os_wait(&boc__rt.nended, ended, deadline == INT64_MAX ? -1 : deadline - now);
    }
    return true;
}

/* Its thread is inside a body for good. The behavior ends without it. */
static void abandon(boc__thread_t *t, boc_worker_t *w, boc_behavior_t *b) {
    boc__os_thread_detach(w->os);
    boc__porter_end(w, true);
    boc__store_rel(&w->phase, BOC__W_ENDED);
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_end, b->id, 0, 0, BOC__TF_CANCELLED);
        boc__trace_one(t->ring, 0, BOC_T_worker_down, w->index, 0, 0, 1);
    }
    if (boc__rt.call->cancelled != NULL) {
        boc__rt.call->cancelled(b);
    }
    t->grant_stamp = boc__ticks();
    boc__mail_close_unread(w);
    boc__home_close(w);
    boc__end(t, b, true);
    boc__count_up(&t->finished);
    boc__drain(t);
    boc__add(&boc__rt.nended, 1);
}

/* Asks every worker that has not ended whether it is inside a body; those are given up. */
static void give_up_stuck(boc__thread_t *t, uint64_t stuck[16]) {
    uint32_t n = boc__load_rlx(&boc__rt.nworkers);
    for (uint32_t i = 0; i < n; i++) {
        boc__swap(&boc__worker(i)->verdict, BOC__V_ASKED);
    }
    /* from here on a worker that ends its body sees the question before it goes on, or we see it ended */
    boc__os_barrier();
    for (uint32_t i = 0; i < n; i++) {
        boc_worker_t *w = boc__worker(i);
        boc_behavior_t *b = boc__load_acq(&w->phase) == BOC__W_UP ? boc__load_seq(&w->body) : NULL;
        boc__swap(&w->verdict, b != NULL ? BOC__V_ABANDONED : BOC__V_GO_ON);
        boc__os_wake(&w->verdict, UINT32_MAX);
        if (b != NULL) {
            stuck[i / 64] |= 1ull << (i % 64);
            abandon(t, w, b);
        }
    }
}

static void join_all(const uint64_t stuck[16]) {
    uint32_t n = boc__load_rlx(&boc__rt.nworkers);
    for (uint32_t i = 0; i < n; i++) {
        boc_worker_t *w = boc__worker(i);
        if (stuck[i / 64] >> (i % 64) & 1) {
            continue;
        }
        if (w->os != NULL) {
            boc__os_thread_join(w->os);
            w->os = NULL;
        }
    }
}

int boc_stop(int64_t deadline_ns, uint64_t stuck[16]) {
    boc__thread_t *t = boc__me();
    uint32_t running = BOC__RUNNING;
    memset(stuck, 0, 16 * sizeof *stuck);
    if (!boc__cas(&boc__rt.state, &running, BOC__STOPPING)) {
        return BOC_ESTATE;
    }
    boc_cancel_all();
    boc__gate_sweep(t, true);
    for (uint32_t i = 0; i < boc__load_rlx(&boc__rt.nworkers); i++) {
        boc__wake_worker(boc__worker(i));
    }
    boc__os_thread_join(starter);
    starter = NULL;
    if (!all_ended(deadline_ns)) {
        give_up_stuck(t, stuck);
        all_ended(INT64_MAX); /* those that were between bodies need no more than their leave */
    }
    join_all(stuck);
    boc__swap(&boc__rt.state, BOC__STOPPED);
    boc__leftovers(t);
    boc__drain(t); /* all of it is stale; what it makes ready is drained here too */
    boc_tally_mark();
    boc__quiesce_look();
    return BOC_OK;
}

/* ---- fork --------------------------------------------------------------------------------- */
void boc_after_fork_child(void) {
    for (uint32_t i = 0; i < BOC_MAX_WORKERS; i++) {
        boc__store_rlx(&boc__rt.worker[i], NULL); /* their threads are gone, their records may be half written */
    }
    boc__store_rlx(&boc__rt.nworkers, 0);
    boc__store_rlx(&boc__rt.epoch, boc__load_rlx(&boc__rt.epoch) + 1);
    boc__store_rlx(&boc__rt.state, BOC__STOPPED);
    boc__store_rlx(&enter_lock.word, 0);
    starter = NULL;
    boc__idle_reset();
    boc__thread_fork_child();
    boc__ready_fork_child();
    boc__pinned_fork_child();
    boc__home_fork_child();
    boc__waits_fork_child();
    boc__gate_fork_child();
    boc__turns_fork_child();
    boc__names_fork_child();
    boc__clock_fork_child();
    boc__trace_fork_child();
}
