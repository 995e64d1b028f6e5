/* A worker's loop: boundary, next behavior, body, finish; and how it looks for work elsewhere.
 *
 * Invariants
 *  W1 fairness: at most BOC__IN_A_ROW behaviors come from the pending slot between two that come from a lane;
 *     the lanes take turns; every BOC__TICK dispatches from a lane (or 0.1 ms) the token fires: what was posted is
 *     admitted to the order, and one other worker is looked at: if it stands still, one behavior comes over (else none:
 *     values are warm where they are, and an idle worker takes more). So with n behaviors in its L lanes (2; more with
 *     workers of several kinds) a worker starts what is posted to it after at most
 *     (L n + BOC__TICK + 2) * (BOC__IN_A_ROW + 1) starts (tests/core/test_fair.c);
 *  W2 fetches and mail are served at every boundary, before the next body;
 *  W3 a worker begins to search only while fewer do than half of what the cores can run, or when it saw work as
 *     it was about to sleep; never while it has work.
 */
#include "worker.h"

#include "behavior.h"
#include "finish.h"
#include "gate.h"
#include "home.h"
#include "park.h"
#include "queue.h"
#include "quiesce.h"
#include "ready.h"
#include "tally.h"
#include "tracing.h"
#include "wake.h"

#ifndef BOC__TICK
#define BOC__TICK 64u /* dispatches between two fires of the fairness token */
#endif
#ifndef BOC__IN_A_ROW
#define BOC__IN_A_ROW 8u /* behaviors from the pending slot before a queue's turn */
#endif

/* ---- next -------------------------------------------------------------------------- */
/* Behaviors of w's lanes may have been in nobody's sight, or nobody may have been told: now somebody is. */
static void tell(boc_worker_t *w) {
    boc__fence(); /* what was put before the look for sleepers */
    if (!boc__lane_empty(&w->lane[BOC__FREE])) {
        boc__tell_free(w);
    }
    if (!boc__lane_empty(&w->lane[BOC__BOUND])) {
        boc__tell_bound(w);
    }
    for (uint32_t i = BOC__LANES; i < boc__lanes(); i++) {
        if (!boc__lane_empty(boc__lane(w, i))) {
            boc__wake_kinds(boc__rt.narrow[i - BOC__LANES]);
        }
    }
}

static boc_behavior_t *from_lanes(boc_worker_t *w) {
    boc_behavior_t *b = NULL;
    bool moved = false;
    for (uint32_t i = 0, n = boc__lanes(); i < n && b == NULL; i++) {
        uint32_t turn = w->turn;
        w->turn = turn + 1 < n ? turn + 1 : 0;
        b = boc__lane_take(boc__lane(w, turn), &moved);
    }
    if (boc__unlikely(moved)) {
        tell(w);
    }
    return b;
}

static boc_behavior_t *steal_from(boc_worker_t *w, boc_worker_t *victim, bool one) {
    boc_behavior_t *b = NULL;
    boc__count_up(&w->n.attempts);
    uint32_t n = boc__lane_steal(&victim->lane[BOC__FREE], one ? NULL : &w->lane[BOC__FREE], one ? 1 : 32, &b);
    for (uint32_t i = BOC__LANES; n == 0 && i < boc__lanes(); i++) {
        if (boc__may_take(w, i)) {
            n = boc__lane_steal(boc__lane(victim, i), one ? NULL : boc__lane(w, i), one ? 1 : 32, &b);
        }
    }
    if (n == 0 && boc__may_take_bound(w, victim)) {
        n = boc__lane_steal(&victim->lane[BOC__BOUND], one ? NULL : &w->lane[BOC__BOUND], 1, &b);
        if (n > 1) {
            tell(w); /* the others stand behind the one that w takes on now */
        }
    }
    if (n == 0) {
        boc__count_up(&w->n.failures);
        return NULL;
    }
    boc__count_up(&w->n.stolen);
    boc__thread_t *t = w->thread;
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_steal, b->id, 0, victim->index, 0);
    }
    return b;
}

static boc_worker_t *next_victim(boc_worker_t *w) {
    uint32_t n = boc__load_acq(&boc__rt.nworkers);
    w->victim = w->victim + 1 < n ? w->victim + 1 : 0;
    return boc__worker(w->victim);
}

static boc_behavior_t *steal(boc_worker_t *w) {
    uint32_t n = boc__load_acq(&boc__rt.nworkers);
    boc_behavior_t *b = NULL;
    for (uint32_t i = 0; i < n && b == NULL; i++) {
        boc_worker_t *v = next_victim(w);
        b = v != w ? steal_from(w, v, false) : NULL;
    }
    return b;
}

/* w has work of its own: it takes one behavior from a worker that stands still, because its body is long or the system
   lets it wait between two. */
static boc_behavior_t *relieve(boc_worker_t *w) {
    boc_worker_t *v = next_victim(w);
    v = v != w ? v : next_victim(w);
    bool still = boc__ticks_span(boc__ticks() - boc__load_rlx(&v->run_since)) > BOC__YOUNG_NS;
    return v != w && still ? steal_from(w, v, true) : NULL;
}

/* The fairness token. May come back with a behavior of another worker. */
static boc_behavior_t *token(boc_worker_t *w) {
    w->tick = 0;
    w->admitted = w->stamp;
    boc__count_up(&w->n.arm);
    bool moved = false;
    for (uint32_t i = 0; i < boc__lanes(); i++) {
        boc__lane_admit(boc__lane(w, i), &moved);
    }
    if (moved) {
        tell(w);
    }
    return relieve(w);
}

static boc__apart boc_behavior_t *next_queued(boc_worker_t *w) {
    boc_behavior_t *b = w->pending;
    w->in_a_row = 0;
    boc_behavior_t *queued = NULL;
    if (++w->tick >= BOC__TICK || w->stamp - w->admitted > w->patience) {
        queued = token(w);
    }
    if (queued == NULL) {
        queued = from_lanes(w);
    }
    if (queued == NULL) {
        w->pending = NULL;
        return b;
    }
    boc__count_up(&w->n.popped);
    if (b != NULL) { /* its turn is over: to the end of the lane, then the queue's turn */
        w->pending = NULL;
        boc__store_rel(&w->n.pending, boc__load_rlx(&w->n.pending) - 1);
        boc__count_up(&w->n.pushed_local);
        boc__lane_put(boc__lane_for(w, b), b);
        tell(w);
    }
    return queued;
}

static inline boc_behavior_t *next(boc_worker_t *w) {
    boc_behavior_t *b = w->pending;
    if (boc__unlikely(b == NULL || w->in_a_row >= BOC__IN_A_ROW)) {
        return next_queued(w);
    }
    w->in_a_row++;
    w->pending = NULL;
    return b;
}

/* ---- search ------------------------------------------------------------------------ */
/* Pushes while this one searched woke nobody, relying on it. If it was the last and found something, somebody
   else shall see to the rest; and if others search on, they may be of kinds that may not run the rest. */
static boc__apart void search_end(boc_worker_t *w, bool found) {
    if (!w->searching) {
        return;
    }
    w->searching = false;
    bool last = boc__sub(&boc__rt.searching, 1) == 1;
    if (found && (last || boc__rt.nnarrow != 0) && boc__idle_any()) {
        uint32_t n = boc__load_acq(&boc__rt.nworkers);
        for (uint32_t i = 0; i < n; i++) {
            tell(boc__worker(i));
        }
    }
}

static boc__apart boc_behavior_t *search(boc_worker_t *w) {
    if (!w->searching && boc__load_acq(&boc__rt.searching) < boc__rt.searchers) {
        boc__add(&boc__rt.searching, 1);
        w->searching = true;
    }
    for (uint32_t round = 0; w->searching; round++) {
        boc_behavior_t *b = from_lanes(w);
        if (b != NULL) {
            boc__count_up(&w->n.popped);
        } else {
            b = steal(w);
        }
        if (b != NULL) {
            search_end(w, true);
            return b;
        }
        if (round >= boc__rt.spin || boc__load_rlx(&w->mail) != NULL || boc__load_rlx(&w->fetches) != NULL ||
            boc__load_rlx(&boc__rt.state) != BOC__RUNNING) {
            break;
        }
        if (round == 0) {
            boc__quiesce_look();
        }
        for (int i = 0; i < 16; i++) {
            boc__os_pause();
        }
    }
    search_end(w, false);
    return NULL;
}

/* ---- a body ------------------------------------------------------------------------ */
/* No body runs here any more. Whether this worker was given up in it. */
static bool over(boc_worker_t *w) {
    boc__store_rel(&w->run_id, 0);
    boc__store_rel(&w->body, NULL);
    boc__compiler_fence(); /* that before the look: stop's boc__os_barrier does the rest for both of us */
    if (boc__likely(boc__load_acq(&w->verdict) == BOC__V_NONE)) {
        return false;
    }
    uint32_t v; /* stop asked whether this body is stuck, and decides at once */
    while ((v = boc__load_acq(&w->verdict)) == BOC__V_ASKED) {
        boc__os_wait(&w->verdict, BOC__V_ASKED, -1);
    }
    if (v == BOC__V_GO_ON) {
        boc__store_rlx(&w->verdict, BOC__V_NONE);
    }
    return v == BOC__V_ABANDONED;
}

bool boc_body_over(void) {
    boc_worker_t *w = boc__me()->worker;
    if (w == NULL) {
        return false;
    }
    return over(w);
}

static int64_t cpu_sample(boc_worker_t *w, int64_t now) {
    if (now - w->cpu_at < w->cpu_every) {
        return 0;
    }
    w->cpu_at = now;
    return boc__os_cpu();
}

/* This worker is about to run b. Before it claims it: who finds b RUNNING finds the worker, until the body is over. */
static int64_t announce(boc_worker_t *w, boc_behavior_t *b) {
    int64_t start = w->stamp != 0 ? w->stamp : boc__ticks();
    boc__store_rlx(&w->run_name, b->name);
    boc__store_rlx(&w->run_since, start);
    boc__store_rel(&w->run_id, b->id);
    return start;
}

/* Until now it was busy. */
static boc__within int64_t spent(boc_worker_t *w, int64_t start) {
    int64_t now = boc__ticks();
    w->stamp = now;
    if (boc__unlikely(now - start > w->short_body)) {
        boc__not_brisk(w);
    } else if (boc__unlikely(w->shorts < BOC__BRISK) && ++w->shorts == BOC__BRISK) {
        boc__store_rlx(&w->brisk, 1);
    }
    boc__store_rlx(&w->n.busy_ticks, boc__load_rlx(&w->n.busy_ticks) + (uint64_t)(now - start));
    return now;
}

/* Runs b, which this worker has claimed. False: the worker was given up meanwhile, b is no longer ours.
   Where nobody records when the body ended, the time is read when b has handed on: so far behind the exchange of the
   schedule in the body it costs a third less. But before b counts as finished: who has seen that sees all of its time. */
static bool body(boc_worker_t *w, boc__thread_t *t, boc_behavior_t *b, bool stolen, int64_t start) {
    uint64_t id = b->id;
    uint32_t name = b->name;
    bool tracing = boc__tracing(t);
    int64_t cpu = 0;
    if (tracing) {
        cpu = cpu_sample(w, start);
        boc__trace_one(t->ring, start, BOC_T_start, id, (uint64_t)cpu, name, stolen ? BOC__TF_STOLEN : 0);
    }
    t->in_body = true;
    boc__queue_expect(b);
    boc__store_rel(&w->body, b);
    int rc = w->host->run(w->index, b);
    t->in_body = false;
    if (boc__unlikely(over(w))) {
        return false;
    }
    bool timed = tracing || rc != BOC_RAN || boc__tracing(t);
    int64_t now = timed ? spent(w, start) : 0;
    if (tracing) {
        boc__tally_body(boc__load_rlx(&t->tally), name, start, now);
    }
    if (boc__unlikely(rc != BOC_RAN)) {
        return true; /* boc_finish comes later */
    }
    t->grant_stamp = now;
    if (timed && boc__tracing(t)) {
        if (cpu != 0 || now - start > w->cpu_long) {
            cpu = boc__os_cpu();
        }
        if (cpu == 0) {
            t->ended = id; /* boc__end tells it, with the first grant if there is one */
        } else {
            boc__trace_one(t->ring, now, BOC_T_end, id, (uint64_t)cpu, 0, 0);
        }
    }
    boc__end(t, b, false);
    if (!timed) {
        spent(w, start);
    }
    boc__count_up(&t->finished);
    boc__drain(t);
    return true;
}

static bool dispatch(boc_worker_t *w, boc__thread_t *t, boc_behavior_t *b, bool stolen) {
    if (boc__unlikely(b->bound && b->target != w->index + 1) && !boc__stale(b)) {
        boc__retarget(t, b);
        boc__drain(t); /* it may have been cancelled meanwhile */
        return true;
    }
    if (boc__unlikely(boc__load_rlx(&boc__gate_shut) != 0) && boc__gate_hold(b, true)) {
        return true;
    }
    int64_t start = announce(w, b);
    if (boc__likely(boc__claim(t, b))) {
        return body(w, t, b, stolen, start);
    }
    boc__store_rel(&w->run_id, 0);
    boc__cancelled(b);
    boc_finish(b);
    return true;
}

/* ---- the loop ------------------------------------------------------------------------ */
static boc__apart void serve(boc_worker_t *w, boc__thread_t *t) {
    if (boc__load_rlx(&w->fetches) != NULL) {
        boc__fetch_serve(w, t, false);
        w->stamp = 0;
    }
    if (boc__load_rlx(&w->mail) != NULL) {
        boc__mail_serve(w);
        w->stamp = 0;
    }
    if (boc__unlikely(boc__load_rlx(&boc__gate_shut) & BOC__GATE_SWEEP)) {
        boc__gate_sweep(t, false);
    }
}

static bool loop(boc_worker_t *w, boc__thread_t *t) {
    for (;;) {
        if (boc__unlikely(boc__load_rlx(&w->fetches) != NULL || boc__load_rlx(&w->mail) != NULL ||
                          (boc__load_rlx(&boc__gate_shut) & BOC__GATE_SWEEP))) {
            serve(w, t);
        }
        boc_behavior_t *b = next(w);
        bool stolen = false;
        if (boc__unlikely(b == NULL)) {
            b = search(w);
            w->stamp = 0;
            stolen = b != NULL;
        } else if (boc__unlikely(w->searching)) {
            search_end(w, true);
        }
        if (b != NULL) {
            if (!dispatch(w, t, b, stolen)) {
                return false;
            }
            continue;
        }
        if (boc__load_acq(&boc__rt.state) != BOC__RUNNING) {
            return true;
        }
        boc__park(w);
    }
}

void boc__worker_up(boc_worker_t *w, int rc) {
    if (rc >= 0) {
        boc__add(&boc__rt.nup, 1);
        boc__store_rel(&w->phase, BOC__W_UP);
    } else {
        int none = 0;
        if (rc != BOC_ESTATE) { /* that is: the runtime stops before this one's turn */
            boc__cas(&boc__rt.start_error, &none, rc);
        }
        boc__mail_close(w);
        boc__home_close(w);
        boc__add(&boc__rt.nfailed, 1);
        boc__store_rel(&w->phase, BOC__W_ENDED);
        boc__pulse(); /* who waits must not wait for workers that never come */
    }
    boc__os_wake(&w->phase, UINT32_MAX);
}

void boc__worker_main(void *arg) {
    boc_worker_t *w = arg;
    boc__thread_t *t = w->thread;
    const boc_host_t *host = w->host;
    boc__thread_bind(t);
    w->cpu_every = boc__ns_to_ticks(1000000);
    w->cpu_long = boc__ns_to_ticks(200000);
    w->patience = boc__ns_to_ticks(100000);
    w->short_body = boc__ns_to_ticks(BOC__SHORT_NS);
    int rc = host->enter != NULL ? host->enter(w->index) : 0;
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, rc < 0 ? BOC_T_worker_down : BOC_T_worker_up, w->index, 0, host->kind, 0);
    }
    boc__worker_up(w, rc);
    if (rc < 0) {
        boc__pool_return(&t->pool);
        return;
    }
    if (!loop(w, t)) {
        return; /* given up: nothing here is ours any more */
    }
    boc__mail_close(w);
    if (host->park != NULL) {
        host->park(w->index); /* the porter may need what we have, to end */
    }
    boc__porter_end(w, false);
    if (host->unpark != NULL) {
        host->unpark(w->index);
    }
    if (host->leave != NULL) {
        host->leave(w->index);
    }
    boc__home_close(w);
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_worker_down, w->index, 0, 0, 0);
    }
    boc__pool_return(&t->pool);
}
