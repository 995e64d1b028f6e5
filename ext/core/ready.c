/* From "all requests granted" to a run queue.
 *
 *   granted    count of requests left - 1; at zero:
 *   ready      readers that take turns take them (turn.c); then: who may run it, and are its values there? If not, a
 *              fetch is posted for each (fetch.c)
 *   enqueue    values are there: the pinned queue, the gate, or
 *   push       a worker's lane, its pending slot
 *
 * Invariants
 *  R1 count is touched by one kind of event at a time: grants until it is 0, then fetches until it is 0
 *     again; whoever takes it to 0 goes on with the behavior, nobody else looks at it any more;
 *  R2 native and cancelled behaviors run here and now, by the thread that made them ready; through a list, so
 *     that a chain of them does not recurse, and never in the middle of an operation of the core;
 *  R3 the pending slot is filled only by a worker between bodies, so what stands in it never waits for one;
 *  R4 who leaves something in a lane of an awake worker without waking another arms that worker's porter after that: the
 *     porter rests only when it has seen the lane empty, or nobody asleep, and wakes somebody if a body turns out to be
 *     long. So a behavior waits for such a body for at most BOC__LOOK_NS and BOC__YOUNG_NS.
 */
#include "ready.h"

#include "fork.h"
#include "gate.h"
#include "home.h"
#include "lock.h"
#include "pinned.h"
#include "tracing.h"
#include "turn.h"
#include "wake.h"

/* With the end that it came of, if no record tells of that yet. */
static inline void trace_grant(boc__thread_t *t, uint64_t id, uint64_t cown, uint32_t seq, uint8_t flags) {
    uint64_t ended = t->ended;
    if (boc__likely(ended != 0)) {
        t->ended = 0;
        if (boc__likely(boc__trace_hand_on(t->ring, t->grant_stamp, ended, id, cown, seq, flags))) {
            return;
        }
        boc__trace_one(t->ring, t->grant_stamp, BOC_T_end, ended, 0, 0, 0);
    }
    boc__trace_one(t->ring, t->grant_stamp, BOC_T_grant, id, cown, seq, flags);
}

static boc__within void granted(boc__thread_t *t, boc_request_t *r, uint64_t seq, bool tracing) {
    boc_behavior_t *b = boc_behavior_of(r);
    uint64_t id = b->id, cown = r->cown->id;
    uint8_t read = r->mode == BOC_READ ? BOC__TF_READ : 0;
    /* If 1 is left it is this grant: no other can come, so no exchange is needed. Acquire: what the others
       who counted it down did before. */
    bool last = boc__load_acq(&b->count) == 1;
    boc__check(boc__load_rlx(&b->count) > 0);
    if (last) {
        boc__store_rlx(&b->count, 0);
    } else {
        last = boc__sub(&b->count, 1) == 1;
    }
    if (tracing) {
        trace_grant(t, id, cown, (uint32_t)seq, (uint8_t)(read | (last ? BOC__TF_LAST : 0)));
    }
    if (last) {
        boc__ready(t, b);
    }
}

static boc__apart void granted_traced(boc__thread_t *t, boc_request_t *r, uint64_t seq) {
    granted(t, r, seq, true);
}

void boc__granted(boc__thread_t *t, boc_request_t *r, uint64_t seq) {
    if (boc__tracing(t)) {
        granted_traced(t, r, seq);
    } else {
        granted(t, r, seq, false);
    }
}

/* ---- in place ---------------------------------------------------------------------- */
void boc__inplace(boc__thread_t *t, boc_behavior_t *b) {
    boc__store_rlx(&b->next, NULL);
    if (t->inplace == NULL) {
        t->inplace = b;
    } else {
        boc__store_rlx(&t->inplace_last->next, b);
    }
    t->inplace_last = b;
}

/* ---- values ------------------------------------------------------------------------ */
/* Posts a fetch for each value that is live elsewhere than at target (or anywhere, for a reader), then drops
   the count that kept the behavior back meanwhile. True: nothing is missing, it can be queued. */
static bool fetch_all(boc__thread_t *t, boc_behavior_t *b) {
    uint32_t n = b->nreq;
    boc__store_rlx(&b->count, 1);
    b->bound = 0;
    for (uint32_t i = 0; i < n; i++) {
        boc_request_t *r = &b->req[i];
        uint16_t home = boc__load_acq(&r->cown->home);
        if (home == 0) {
            continue;
        }
        if (r->mode == BOC_WRITE && home == b->target) {
            b->bound = 1;
            continue;
        }
        boc__add(&b->count, 1); /* before the post: it may be served at once */
        if (!boc__fetch_post(t, r, home - 1u)) {
            boc__sub(&b->count, 1); /* that home has ended and has encoded what it had */
        }
    }
    if (boc__load_acq(&b->count) != 1 && boc__sub(&b->count, 1) != 1) {
        return false;
    }
    boc__store_rlx(&b->count, 0);
    return true;
}

static uint16_t target_of(const boc_behavior_t *b) {
    if (b->flags & (BOC_B_NATIVE | BOC_B_PINNED)) {
        return 0;
    }
    for (uint32_t i = 0; i < b->nreq; i++) {
        uint16_t home = boc__load_acq(&b->req[i].cown->home);
        if (home != 0 && b->req[i].mode == BOC_WRITE && (boc__worker(home - 1u)->host->kind & b->kinds) &&
            boc__load_acq(&boc__worker(home - 1u)->phase) == BOC__W_UP) { /* not one that is ending */
            return home;
        }
    }
    return 0;
}

static bool slot_is_free(boc__thread_t *t) {
    boc_worker_t *me = t->worker;
    return me != NULL && !t->in_body && me->pending == NULL && boc__load_rlx(&me->phase) == BOC__W_UP;
}

/* Not into the pending slot at once. live: homes of its values, and bits above if it reads. */
static boc__apart void ready_otherwise(boc__thread_t *t, boc_behavior_t *b, uint32_t live) {
    if (live >> 16 != 0) {
        if (!boc__turns_take(b, 0)) {
            return;
        }
        live &= UINT16_MAX;
    }
    if (live != 0) {
        b->target = target_of(b);
        if (!fetch_all(t, b)) {
            return;
        }
    }
    boc__enqueue(t, b);
}

void boc__ready(boc__thread_t *t, boc_behavior_t *b) {
    if (boc__unlikely(boc__stale(b))) {
        boc__inplace(t, b);
        return;
    }
    uint32_t n = b->nreq, live = 0;
    for (uint32_t i = 0; i < n; i++) { /* its last holder's store: ours since the grant */
        live |= boc__load_rlx(&b->req[i].cown->home) | (uint32_t)b->req[i].mode << 16;
    }
    uint32_t unusual = live | boc__load_rlx(&boc__gate_shut) | (b->flags & (BOC_B_NATIVE | BOC_B_PINNED | BOC_B_NARROW));
    if (boc__likely(unusual == 0) && slot_is_free(t)) { /* the common way, at once */
        t->worker->pending = b;
        boc__count_up(&t->worker->n.pending);
        return;
    }
    ready_otherwise(t, b, live);
}

/* It has waited for turns and has them all. */
static void turn_came(boc__thread_t *t, boc_behavior_t *b) {
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_ready, b->id, 0, t->index, 0);
    }
    b->target = boc__stale(b) ? 0 : target_of(b);
    if (boc__stale(b) || fetch_all(t, b)) {
        boc__enqueue(t, b);
    }
}

void boc__turn_pass(boc__thread_t *t, boc_request_t *r) {
    boc_request_t *next = boc__turn_leave(r);
    if (next != NULL && boc__turns_take(boc_behavior_of(next), next->index + 1u)) {
        turn_came(t, boc_behavior_of(next));
    }
}

/* A worker took what is bound to another: the values come here. */
void boc__retarget(boc__thread_t *t, boc_behavior_t *b) {
    b->target = (uint16_t)(t->worker->index + 1);
    b->incoming = 1;
    boc__add(&t->worker->incoming, 1); /* before the post: it may be served at once */
    if (fetch_all(t, b)) {
        boc__came(b);
        boc__enqueue(t, b);
    }
}

/* ---- nobody runs them any more --------------------------------------------------------- */
static boc__lock_t leftover_lock;

static void cancel_list(boc__thread_t *t, boc_behavior_t *b) {
    for (boc_behavior_t *next; b != NULL; b = next) {
        next = boc__load_rlx(&b->next);
        boc__inplace(t, b);
    }
}

void boc__leftovers(boc__thread_t *t) {
    boc__lock(&leftover_lock);
    uint32_t n = boc__load_acq(&boc__rt.nworkers);
    for (uint32_t i = 0; i < n; i++) {
        boc_worker_t *w = boc__worker(i);
        if (w != NULL) {
            for (uint32_t k = 0; k < boc__lanes(); k++) {
                cancel_list(t, boc__lane_take_all(boc__lane(w, k)));
            }
        }
    }
    cancel_list(t, boc__pinned_take_all());
    boc__unlock(&leftover_lock);
}

/* After a push from outside: if the runtime stopped meanwhile, nobody else will find it. */
static void late(boc__thread_t *t) {
    boc__fence(); /* the push before the look */
    if (boc__unlikely(boc__load_seq(&boc__rt.state) == BOC__STOPPED)) {
        boc__leftovers(t);
    }
}

void boc__ready_fork_child(void) {
    boc__store_rlx(&leftover_lock.word, 0);
}

/* ---- queues ------------------------------------------------------------------------ */
void boc__enqueue(boc__thread_t *t, boc_behavior_t *b) {
    if (boc__unlikely(b->flags & BOC_B_NATIVE) || boc__unlikely(boc__stale(b))) {
        boc__inplace(t, b);
        return;
    }
    if (boc__unlikely(boc__load_rlx(&boc__gate_shut) != 0) && boc__gate_hold(b, false)) {
        return;
    }
    boc__push(t, b);
}

static bool long_lane(boc_worker_t *w) {
    return boc__lane_size(&w->lane[BOC__BOUND]) >= BOC__LONG;
}

/* Others should only hear of it if w is busy and behind. */
void boc__tell_bound(boc_worker_t *w) {
    if (boc__idle_any()) {
        if (long_lane(w) || !boc__porter_arm(w)) { /* it looks whether a long body keeps w from it */
            boc__wake_any();
        }
    }
}

/* A wake-up costs as much as ten short bodies, and whoever pays for it falls behind meanwhile: one producer of null bodies
   was half as fast with two workers as with one. */
static bool keeps_up(boc_worker_t *w) {
    return boc__brisk(w) && boc__lane_size(&w->lane[BOC__FREE]) < BOC__FEW;
}

/* Others need not hear of it if w gets to it soon. */
void boc__tell_free(boc_worker_t *w) {
    if (boc__idle_any() && !(keeps_up(w) && boc__porter_arm(w))) {
        boc__wake_any();
    }
}

/* Its live values are at w. */
static void push_bound(boc_worker_t *w, boc_behavior_t *b, boc_worker_t *me) {
    if (w == me) {
        if (boc__lane_put(&w->lane[BOC__BOUND], b)) {
            boc__count_up(&w->n.pushed_local);
        }
    } else {
        boc__lane_post(&w->lane[BOC__BOUND], b);
        if (boc__wake_worker(w)) {
            return;
        }
    }
    boc__fence(); /* the put before the look for sleepers */
    boc__tell_bound(w);
}

/* From a thread that is no worker: in turn to those awake; but if nobody looks for work and that one does not keep up, to one
   that sleeps. */
static void push_outside(boc__thread_t *t, boc_behavior_t *b) {
    uint32_t n = boc__load_acq(&boc__rt.nup);
    if (n == 0) {
        n = boc__load_acq(&boc__rt.nworkers); /* none has come up yet: whoever does will look */
    }
    uint32_t sleeper = boc__load_acq(&boc__rt.searching) == 0 ? boc__idle_pick() : 0;
    boc_worker_t *w = boc__worker(boc__awake_pick(t->next_worker++ % n, n));
    if (sleeper != 0 && (boc__idle_is(w->index) || !keeps_up(w))) {
        w = boc__worker(sleeper - 1);
    }
    boc__lane_post(&w->lane[BOC__FREE], b);
    if (!boc__wake_worker(w)) {
        boc__tell_free(w);
    }
    late(t);
}

/* Whom to give it: its live values' home, this one, one that sleeps, or the next in turn; of those that may run it. */
static boc_worker_t *narrow_worker(boc__thread_t *t, const boc_behavior_t *b, uint8_t kinds) {
    if (b->target != 0) {
        return boc__worker(b->target - 1u);
    }
    if (t->worker != NULL && (t->worker->host->kind & kinds)) {
        return t->worker;
    }
    uint32_t i = boc__idle_of(kinds), n = boc__load_acq(&boc__rt.nworkers);
    if (i != 0) {
        return boc__worker(i - 1);
    }
    do {
        i = t->next_worker++ % n;
    } while (!(boc__worker(i)->host->kind & kinds));
    return boc__worker(i);
}

static void push_narrow(boc__thread_t *t, boc_behavior_t *b) {
    uint8_t kinds = boc__rt.narrow[b->narrow];
    boc_worker_t *w = narrow_worker(t, b, kinds);
    if (w == t->worker) {
        if (slot_is_free(t)) {
            w->pending = b;
            boc__count_up(&w->n.pending);
            return;
        }
        boc__lane_put(boc__lane_for(w, b), b);
        boc__count_up(&w->n.pushed_local);
    } else {
        boc__lane_post(boc__lane_for(w, b), b);
        if (boc__wake_worker(w)) {
            late(t);
            return;
        }
    }
    boc__fence(); /* the put before the look for sleepers */
    boc__wake_kinds(kinds);
    if (w != t->worker) {
        late(t);
    }
}

void boc__push(boc__thread_t *t, boc_behavior_t *b) {
    if (boc__unlikely(b->flags & (BOC_B_PINNED | BOC_B_NARROW))) {
        if (b->flags & BOC_B_NARROW) {
            push_narrow(t, b);
            return;
        }
        boc__pinned_push(t, b);
        late(t);
        return;
    }
    boc_worker_t *me = t->worker;
    if (boc__unlikely(b->target != 0) && (me == NULL || b->target != me->index + 1)) {
        boc_worker_t *w = boc__worker(b->target - 1u);
        if (b->bound) {
            push_bound(w, b, me);
        } else {
            boc__lane_post(&w->lane[BOC__FREE], b);
            if (!boc__wake_worker(w)) {
                boc__wake_any();
            }
        }
        late(t);
        return;
    }
    if (me == NULL) {
        push_outside(t, b);
        return;
    }
    if (slot_is_free(t)) {
        me->pending = b;
        boc__count_up(&me->n.pending);
        return;
    }
    if (b->bound) {
        push_bound(me, b, me);
        return;
    }
    boc__lane_put(&me->lane[BOC__FREE], b);
    boc__count_up(&me->n.pushed_local);
    boc__fence(); /* the put before the look for sleepers; the other half is in boc__park */
    boc__wake_any();
}
