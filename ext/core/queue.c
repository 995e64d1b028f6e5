/* The request queue of one cown: a fair queue for readers and writers, in the manner of Mellor-Crummey and
 * Scott, with counts of behaviors in place of spinning threads.
 *
 * A queue is a list of requests, found by its last one (cown.tail). request.state is one word:
 *   bit 0  MARKED  its behavior has finished phase 2: a successor may link itself
 *   bit 1  ACTIVE  a reader that is granted
 *   bit 2  NEXT_R  the successor is a reader; with a null pointer: it joined and needs nothing from here
 *   rest           the successor
 *
 * Invariants
 *  Q1 only the one who got r as its predecessor (by the exchange on tail) links behind r, and only once r
 *     is MARKED; so "linked or tail" is settled by one CAS of the leaver;
 *  Q2 cown.readers = 2 x active readers + 1 while a writer waits in cown.writer for them. That bit is set at
 *     most once per group, no reader becomes active while it is set (each would stand behind the writer),
 *     so exactly one decrement leaves 1: that reader grants the writer;
 *  Q3 an active writer is alone: readers == 0, and it is the head of the queue;
 *  Q4 between a writer's leaving and the next writer's grant stand only readers, each granted as soon as its
 *     predecessor is;
 *  Q5 cown.seq is bumped by whoever grants a writer or opens a group of readers, always before the grant,
 *     while nobody else holds the cown;
 *  Q6 a granted request, and every reader, owns a reference to the cown. A writer that waits need not (lent): who is
 *     granted before it keeps the cown alive, and hands its own reference on with the grant.
 */
#include "queue.h"

#include "ready.h"
#include "tally.h"

enum { MARKED = 1, ACTIVE = 2, NEXT_R = 4 };

static boc_request_t *next_of(uintptr_t s) {
    return (boc_request_t *)(s & ~(uintptr_t)BOC__STATE_BITS);
}

static uintptr_t link_to(boc_request_t *r) {
    return (uintptr_t)r | (r->mode == BOC_READ ? NEXT_R : 0);
}

/* No predecessor, so no writer is active. Readers that left the queue may be. */
static boc__apart bool enter_empty(boc_cown_t *c, boc_request_t *first, bool alone) {
    boc__thread_t *t = boc__me();
    if (first->lent) {
        boc_cown_retain(c); /* Q6: nobody is there to get one from */
        first->lent = 0;
    }
    if (first->mode == BOC_READ) {
        if (boc__add(&c->readers, 2) == 0) {
            c->seq = boc__tally_begin(t, c, t->grant_stamp);
        }
        return true;
    }
    if (boc__load_acq(&c->readers) == 0) { /* sees all that the last reader did */
        boc__store_rlx(&c->writer, first);
        c->seq = boc__tally_begin(t, c, t->grant_stamp);
        return true;
    }
    if (alone) {
        boc__store_rlx(&first->state, boc__load_rlx(&first->state) | MARKED);
    }
    boc__store_rlx(&c->writer, first);
    if (boc__add(&c->readers, 1) == 0) { /* publishes cown.writer to the last reader */
        boc__store_rlx(&c->readers, 0);
        c->seq = boc__tally_begin(t, c, t->grant_stamp);
        return true;
    }
    return false;
}

/* A reader behind a reader. */
static boc__apart bool enter_group(boc_cown_t *c, boc_request_t *first, boc_request_t *pred, uintptr_t s) {
    for (;;) {
        if (s & ACTIVE) {
            boc__add(&c->readers, 2); /* before pred may leave: it waits for NEXT_R */
            boc__store_rel(&pred->state, s | NEXT_R);
            return true;
        }
        if (boc__cas(&pred->state, &s, s | link_to(first))) {
            return false; /* whoever grants pred grants first */
        }
    }
}

/* Behind pred, whose state s is MARKED. */
static boc__within bool enter_behind(boc_cown_t *c, boc_request_t *first, boc_request_t *pred, uintptr_t s, bool alone,
                                     uint64_t *pred_id) {
    if (pred_id != NULL) {
        *pred_id = boc_behavior_of(pred)->id;
    }
    if (alone) { /* all cowns of this behavior are exchanged: it is through with phase 2 */
        boc__store_rel(&first->state, boc__load_rlx(&first->state) | MARKED);
    }
    if (pred->mode != BOC_READ || first->mode != BOC_READ) {
        /* nobody else writes there any more; but for a reader's grant, whose ACTIVE only readers look for */
        boc__store_rel(&pred->state, s | link_to(first));
        return false;
    }
    return enter_group(c, first, pred, s);
}

static boc__apart bool enter_late(boc_cown_t *c, boc_request_t *first, boc_request_t *pred, bool alone, uint64_t *pred_id) {
    uintptr_t s;
    boc__spin_until((s = boc__load_acq(&pred->state)) & MARKED);
    return enter_behind(c, first, pred, s, alone, pred_id);
}

bool boc__queue_enter(boc_cown_t *c, boc_request_t *first, boc_request_t *last, bool alone, uint64_t *pred_id) {
    boc_request_t *pred = boc__swap(&c->tail, last);
    if (pred == NULL) {
        return enter_empty(c, first, alone);
    }
    uintptr_t s = boc__load_acq(&pred->state);
    if (boc__unlikely(!(s & MARKED))) {
        return enter_late(c, first, pred, alone, pred_id);
    }
    return enter_behind(c, first, pred, s, alone, pred_id);
}

void boc__queue_chain(boc_request_t *r, boc_request_t *next) {
    boc__store_rlx(&r->state, link_to(next));
}

void boc__queue_mark(boc_request_t *r) {
    if (r->mode == BOC_READ) {
        boc__or(&r->state, MARKED); /* its grant may set ACTIVE at this moment */
    } else {
        boc__store_rel(&r->state, boc__load_rlx(&r->state) | MARKED);
    }
}

void boc__queue_born(boc_request_t *r) {
    boc__store_rlx(&r->state, MARKED); /* the cown is not known to anybody yet */
    boc__store_rlx(&r->cown->tail, r);
    boc__store_rlx(&r->cown->writer, r);
}

void boc__queue_open(boc__thread_t *t, boc_request_t *first) {
    boc_cown_t *c = first->cown;
    uint64_t seq = c->seq;
    for (boc_request_t *n = first, *next; n != NULL; n = next) {
        uintptr_t s = boc__or(&n->state, ACTIVE);
        next = s & NEXT_R ? next_of(s) : NULL;
        if (next != NULL) {
            boc__add(&c->readers, 2); /* before n may leave */
        }
        boc__granted(t, n, seq);
    }
}

/* By one who leaves; true: w has its reference now. */
static bool grant_writer(boc__thread_t *t, boc_cown_t *c, boc_request_t *w) {
    uint64_t seq = ++c->seq;
    bool passed = w->lent;
    w->lent = 0;
    boc__store_rlx(&c->writer, w);
    boc__granted(t, w, seq);
    return passed;
}

static boc__apart void open_next(boc__thread_t *t, boc_cown_t *c, boc_request_t *next) {
    boc__store_rlx(&c->readers, 2); /* Q3: it was 0; open publishes it */
    c->seq++;
    boc__queue_open(t, next);
}

/* To the successor in a writer's state s. */
static boc__within bool hand_on(boc__thread_t *t, boc_cown_t *c, uintptr_t s) {
    if (boc__unlikely(s & NEXT_R)) {
        open_next(t, c, next_of(s));
        return false;
    }
    return grant_writer(t, c, next_of(s));
}

/* Nobody has linked itself behind r. */
static boc__apart bool leave_last(boc__thread_t *t, boc_cown_t *c, boc_request_t *r) {
    boc_request_t *me = r;
    uint64_t timed = c->seq; /* another's, once the tail is free */
    if (boc__load_rlx(&c->tail) == r && boc__cas(&c->tail, &me, NULL)) {
        boc__tally_end(t, c->name, timed, t->grant_stamp);
        return false;
    }
    uintptr_t s;
    boc__spin_until(next_of(s = boc__load_acq(&r->state)) != NULL);
    return hand_on(t, c, s);
}

static boc__within bool leave_writer(boc__thread_t *t, boc_cown_t *c, boc_request_t *r) {
    uintptr_t s = boc__load_acq(&r->state);
    return next_of(s) == NULL ? leave_last(t, c, r) : hand_on(t, c, s);
}

static boc__apart bool leave_reader(boc__thread_t *t, boc_cown_t *c, boc_request_t *r) {
    uintptr_t s = boc__load_acq(&r->state);
    bool linked = (s & ~(uintptr_t)(MARKED | ACTIVE)) != 0;
    if (!linked) {
        boc_request_t *me = r;
        if (!boc__cas(&c->tail, &me, NULL)) {
            boc__spin_until((s = boc__load_acq(&r->state)) & ~(uintptr_t)(MARKED | ACTIVE));
            linked = true;
        }
    }
    uint64_t left, timed = c->seq; /* another's, once readers is 0 */
    if (linked && !(s & NEXT_R)) {
        boc__store_rlx(&c->writer, next_of(s)); /* published by the subtraction */
        left = boc__sub(&c->readers, 1) - 1;
    } else {
        left = boc__sub(&c->readers, 2) - 2;
    }
    if (left == 1) { /* Q2: the last of its group, and a writer waits */
        boc_request_t *w = boc__load_rlx(&c->writer);
        boc__store_rlx(&c->readers, 0);
        return grant_writer(t, c, w);
    }
    if (left == 0) {
        boc__tally_end(t, c->name, timed, t->grant_stamp);
    }
    return false;
}

bool boc__queue_leave(boc__thread_t *t, boc_request_t *r) {
    return r->mode == BOC_READ ? leave_reader(t, r->cown, r) : leave_writer(t, r->cown, r);
}
