/* The step gate: closed, what becomes runnable is held, in the order in which it became so.
 *
 * What is let through, and when, is in step.c.
 * Open it costs one relaxed load per behavior. Held are two lists: what stood in run queues when the gate
 * closed (found there by workers, older), and what became runnable since. Cancelled behaviors, native and
 * urgent ones pass; after a cancel a worker sweeps the lists (the canceller may hold the host's locks).
 * A judge, if the host set one, is asked of each that comes: it may close the gate (a breakpoint) or
 * let this one pass a closed gate (a replay).
 */
#include "gate.h"

#include "fork.h"
#include "lock.h"
#include "state.h"
#include "tracing.h"
#include "wait.h"
#include "wake.h"

typedef struct {
    boc_behavior_t *first, *last;
} list_t;

_Atomic uint32_t boc__gate_shut;
static boc__lock_t lock;
static list_t held[2]; /* older, newer */
static boc_gate_judge_t judge;
static _Atomic uint64_t arrivals;

enum { STOPPED = 2 }; /* boc_behavior.passed, beside BOC__PASSED: the judge stopped it once */

static void append(list_t *l, boc_behavior_t *b) {
    boc__store_rlx(&b->next, NULL);
    if (l->first == NULL) {
        l->first = b;
    } else {
        boc__store_rlx(&l->last->next, b);
    }
    l->last = b;
}

/* Under the lock. */
static int verdict(const boc_behavior_t *b, bool closed) {
    return judge != NULL ? judge(b, closed) : BOC_GATE_AS_IT_IS;
}

bool boc__gate_hold(boc_behavior_t *b, bool was_queued) {
    if (b->passed == BOC__PASSED || (b->flags & (BOC_B_URGENT | BOC_B_NATIVE)) || boc__stale(b)) {
        return false;
    }
    boc__thread_t *t = boc__me();
    boc__lock(&lock);
    bool closed = boc__load_acq(&boc__gate_shut) & BOC__GATE_SHUT;
    int v = verdict(b, closed);
    if (v == BOC_GATE_CLOSES && !closed) {
        boc__or(&boc__gate_shut, BOC__GATE_SHUT);
        b->passed = STOPPED;
        closed = true;
    } else if (v == BOC_GATE_PASSES) {
        b->passed = BOC__PASSED;
        closed = false;
    }
    if (closed) {
        if (boc__tracing(t)) {
            boc__trace_one(t->ring, 0, BOC_T_gate_hold, b->id, 0, 0, 0);
        }
        append(&held[!was_queued], b);
        boc__add(&arrivals, 1);
        if (boc__stale(b)) {
            boc__or(&boc__gate_shut, BOC__GATE_SWEEP); /* cancelled while we were at it */
        }
    }
    boc__unlock(&lock);
    if (closed) {
        boc__pulse();
    }
    return closed;
}

boc_behavior_t *boc__gate_take(bool (*wanted)(const boc_behavior_t *, uint64_t), uint64_t arg, uint32_t max,
                               uint32_t clear) {
    list_t out = {0};
    boc__lock(&lock);
    if (clear != 0) {
        boc__and(&boc__gate_shut, ~clear);
    }
    for (int i = 0; i < 2; i++) {
        list_t keep = {0};
        for (boc_behavior_t *b = held[i].first, *next; b != NULL; b = next) {
            next = boc__load_rlx(&b->next);
            if (max != 0 && wanted(b, arg)) {
                append(&out, b);
                max--;
            } else {
                append(&keep, b);
            }
        }
        held[i] = keep;
    }
    boc__unlock(&lock);
    return out.first;
}

/* All that are held, up to the next that the judge stops: it and those behind it stay, and the gate is closed again. */
boc_behavior_t *boc__gate_take_to_stop(void) {
    list_t out = {0};
    bool stop = false;
    boc__lock(&lock);
    boc__and(&boc__gate_shut, ~(uint32_t)BOC__GATE_SHUT);
    for (int i = 0; i < 2; i++) {
        list_t keep = {0};
        for (boc_behavior_t *b = held[i].first, *next; b != NULL; b = next) {
            next = boc__load_rlx(&b->next);
            if (!stop && b->passed != STOPPED && verdict(b, false) == BOC_GATE_CLOSES) {
                b->passed = STOPPED;
                stop = true;
            }
            append(stop ? &keep : &out, b);
        }
        held[i] = keep;
    }
    if (stop) {
        boc__or(&boc__gate_shut, BOC__GATE_SHUT);
    }
    boc__unlock(&lock);
    return out.first;
}

void boc_gate_watch(boc_gate_judge_t by) {
    boc__lock(&lock);
    judge = by;
    if (by != NULL) {
        boc__or(&boc__gate_shut, BOC__GATE_WATCHED);
    } else {
        boc__and(&boc__gate_shut, ~(uint32_t)BOC__GATE_WATCHED);
    }
    boc__unlock(&lock);
}

void boc_gate_close(void) {
    boc__or(&boc__gate_shut, BOC__GATE_SHUT);
}

void boc__gate_swept(void) {
    if (boc__unlikely(boc__load_acq(&boc__gate_shut) != 0)) {
        boc__or(&boc__gate_shut, BOC__GATE_SWEEP);
        boc__wake_any();
    }
}

bool boc_gate_closed(void) {
    return boc__load_acq(&boc__gate_shut) & BOC__GATE_SHUT;
}

size_t boc_gate_held(boc_held_t *out, size_t max) {
    size_t n = 0;
    boc__lock(&lock);
    for (int i = 0; i < 2; i++) {
        for (boc_behavior_t *b = held[i].first; b != NULL; b = boc__load_rlx(&b->next)) {
            if (n < max) {
                out[n] = (boc_held_t){b->id, b->name, (b->flags & BOC_B_PINNED) != 0};
            }
            n++;
        }
    }
    boc__unlock(&lock);
    return n;
}

uint64_t boc_gate_arrivals(void) {
    return boc__load_acq(&arrivals);
}

void boc__gate_fork_child(void) {
    boc__store_rlx(&lock.word, 0);
    held[0] = held[1] = (list_t){0};
    boc__store_rlx(&boc__gate_shut, 0);
    judge = NULL;
}
