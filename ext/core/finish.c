/* The end of a behavior: hand on its cowns, let it go, count it. And what runs in place, by the thread that made it
 * ready: it ends here too.
 *
 * A release may make native and cancelled behaviors ready; they stand in a list of the thread (ready.c, R2) until
 * boc__drain, the last step of every operation, takes them one after another.
 */
#include "finish.h"

#include "behavior.h"
#include "cown.h"
#include "queue.h"
#include "quiesce.h"
#include "ready.h"
#include "tally.h"
#include "tracing.h"

/* When its body began, ticks: of the last one on this worker, or of one on main. */
static int64_t began(boc__thread_t *t, boc_behavior_t *b) {
    return t->worker != NULL ? boc__load_rlx(&t->worker->run_since) : b->flags & BOC_B_PINNED ? b->since : t->grant_stamp;
}

/* While it still has its cowns. ran: to its end, so they were used. Its result was nobody's before, and has its name from b. */
static boc__within void tally_grants(boc__thread_t *t, boc_behavior_t *b, bool ran) {
    boc__tally_t *y = boc__load_rlx(&t->tally);
    int64_t used = ran && t->grant_stamp != 0 ? t->grant_stamp - began(t, b) : 0;
    uint32_t n = (uint32_t)b->nreq - (b->flags & BOC_B_RESULT ? 1 : 0);
    for (boc_request_t *r = b->req, *end = r + n; y != NULL && r < end; r++) {
        boc__tally_grant(y, r->cown->name, used);
    }
}

/* No grant came that could tell of it (ready.c). */
static boc__apart void trace_end(boc__thread_t *t) {
    boc__trace_one(t->ring, t->grant_stamp, BOC_T_end, t->ended, 0, 0, 0);
    t->ended = 0;
}

/* Everything after the body but the trace: hand on, drop, free. The caller counts it as finished behind that: so
   "nothing pending" means that nothing of it is left. */
void boc__end(boc__thread_t *t, boc_behavior_t *b, bool forget) {
    bool ran = boc__load_rlx(&b->state) == BOC_ST_RUNNING;
    boc__store_rlx(&b->state, ran ? BOC_ST_DONE : BOC_ST_CANCELLED);
    uint32_t n = b->nreq;
    if (boc__tracing(t) && !(b->flags & BOC_B_NATIVE)) {
        tally_grants(t, b, ran && !forget);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (boc__unlikely(b->req[i].turn != 0)) {
            boc__turn_pass(t, &b->req[i]);
        }
        b->req[i].lent = boc__queue_leave(t, &b->req[i]);
    }
    if (boc__unlikely(t->ended != 0)) {
        trace_end(t);
    }
    if (boc__likely(!forget)) {
        for (uint32_t i = 0; i < n; i++) {
            if (!b->req[i].lent) {
                boc__cown_drop(t, b->req[i].cown);
            }
        }
        if (!boc__hidden(b) && boc__rt.call->drop_behavior != NULL) {
            boc__rt.call->drop_behavior(b);
        }
        boc__tally(&t->behaviors, -1);
        boc__free_units(&t->pool, b, b->size);
    }
}

void boc_finish(boc_behavior_t *b) {
    boc__thread_t *t = boc__me();
    int64_t now = boc__ticks();
    t->grant_stamp = now;
    if (boc__tracing(t)) {
        bool ran = boc__load_rlx(&b->state) == BOC_ST_RUNNING;
        if (ran && (b->flags & (BOC_B_PINNED | BOC_B_NATIVE)) == BOC_B_PINNED) { /* a worker has counted its own */
            boc__tally_body(boc__load_rlx(&t->tally), b->name, b->since, now);
        }
        boc__trace_one(t->ring, now, BOC_T_end, b->id, 0, 0, ran ? 0 : BOC__TF_CANCELLED);
    }
    boc__end(t, b, false);
    boc__count_up(&t->finished);
    boc__drain(t);
    if (t->worker == NULL) { /* a worker looks when it has nothing left to do */
        boc__quiesce_look();
    }
}

/* ---- in place ---------------------------------------------------------------------- */
static void run_native(boc__thread_t *t, boc_behavior_t *b) {
    uint64_t id = b->id;
    if (t->worker != NULL) {
        boc__count_up(&t->worker->n.native);
    }
    if (!boc__hidden(b) && boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_start, id, 0, b->name, 0);
    }
    if (b->run(b) == BOC_RAN) {
        boc_finish(b);
    }
}

void boc__drain_slow(boc__thread_t *t) {
    t->draining = true;
    while (t->inplace != NULL) {
        boc_behavior_t *b = t->inplace;
        t->inplace = boc__load_rlx(&b->next);
        if (boc__begin(t, b)) {
            run_native(t, b);
        } else {
            boc_finish(b);
        }
    }
    t->draining = false;
}
