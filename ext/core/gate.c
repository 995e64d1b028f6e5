/* The step gate: closed, what becomes runnable is held, in the order in which it became so.
 *
 * What is let through, and when, is in step.c.
 * Open it costs one relaxed load per behavior. Held are two lists: what stood in run queues when the gate
 * closed (found there by workers, older), and what became runnable since. Cancelled behaviors, native and
 * urgent ones pass; after a cancel a worker sweeps the lists (the canceller may hold the host's locks).
 */
#include "gate.h"

#include "fork.h"
#include "lock.h"
#include "state.h"
#include "tracing.h"
#include "wake.h"

typedef struct {
    boc_behavior_t *first, *last;
} list_t;

_Atomic uint32_t boc__gate_shut;
static boc__lock_t lock;
static list_t held[2]; /* older, newer */

static void append(list_t *l, boc_behavior_t *b) {
    boc__store_rlx(&b->next, NULL);
    if (l->first == NULL) {
        l->first = b;
    } else {
        boc__store_rlx(&l->last->next, b);
    }
    l->last = b;
}

bool boc__gate_hold(boc_behavior_t *b, bool was_queued) {
    if (b->passed || (b->flags & (BOC_B_URGENT | BOC_B_NATIVE)) || boc__stale(b)) {
        return false;
    }
    uint64_t id = b->id;
    boc__lock(&lock);
    bool hold = boc__load_acq(&boc__gate_shut) & BOC__GATE_SHUT;
    if (hold) {
        append(&held[!was_queued], b);
        if (boc__stale(b)) {
            boc__or(&boc__gate_shut, BOC__GATE_SWEEP); /* cancelled while we were at it */
        }
    }
    boc__unlock(&lock);
    boc__thread_t *t = boc__me();
    if (hold && boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_gate_hold, id, 0, 0, 0);
    }
    return hold;
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

size_t boc_gate_held(uint64_t *ids, size_t max) {
    size_t n = 0;
    boc__lock(&lock);
    for (int i = 0; i < 2; i++) {
        for (boc_behavior_t *b = held[i].first; b != NULL; b = boc__load_rlx(&b->next)) {
            if (n < max) {
                ids[n] = b->id;
            }
            n++;
        }
    }
    boc__unlock(&lock);
    return n;
}

void boc__gate_fork_child(void) {
    boc__store_rlx(&lock.word, 0);
    held[0] = held[1] = (list_t){0};
    boc__store_rlx(&boc__gate_shut, 0);
}
