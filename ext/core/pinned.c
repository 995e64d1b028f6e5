/* Behaviors for the main thread: a queue that anybody fills and one consumer at a time empties, and a
 * descriptor that is readable while it is not empty.
 *
 * Invariants
 *  N1 depth counts what was pushed and not popped. Who takes it from 0 to 1 signals the descriptor; who takes
 *     it to 0, or finds it 0, clears it, then looks at depth again and signals if it grew meanwhile;
 *  N2 front is in order of arrival and belongs to the consumer.
 */
#include "pinned.h"

#include "fork.h"
#include "gate.h"
#include "lock.h"
#include "tracing.h"
#include "wait.h"
#include "wake.h"

static _Atomic(boc_behavior_t *) inbox; /* newest first */
static boc_behavior_t *front;
static _Atomic uint32_t depth;
static _Atomic int64_t oldest;          /* ns: since when the first one waits */
static _Atomic int fd = -1;
static boc__lock_t opening;

int boc_pinned_fd(void) {
    if (boc__load_acq(&fd) < 0) {
        boc__lock(&opening);
        if (boc__load_acq(&fd) < 0) {
            boc__store_rel(&fd, boc__os_fd_open(-1));
        }
        boc__unlock(&opening);
        boc__fence(); /* the descriptor before the look; a pusher counts before it looks for one */
        if (boc__load_seq(&depth) != 0) {
            boc__os_fd_signal(boc__load_acq(&fd));
        }
    }
    return boc__load_acq(&fd);
}

void boc__pinned_push(boc__thread_t *t, boc_behavior_t *b) {
    uint64_t id = b->id;
    if (!(b->flags & BOC_B_NATIVE)) {
        b->since = boc_now();
    }
    int64_t since = b->since;
    boc_behavior_t *head = boc__load_rlx(&inbox);
    do {
        boc__store_rlx(&b->next, head);
    } while (!boc__cas(&inbox, &head, b));
    uint32_t before = boc__add(&depth, 1);
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_pinned, id, 0, before + 1, 0);
    }
    if (before == 0) {
        boc__store_rlx(&oldest, since);
        if (boc__load_seq(&fd) >= 0) {
            boc__os_fd_signal(boc__load_acq(&fd));
        }
    }
    boc__pulse();
}

static void refill(void) {
    if (front == NULL) {
        for (boc_behavior_t *b = boc__swap(&inbox, NULL), *next; b != NULL; b = next) {
            next = boc__load_rlx(&b->next);
            boc__store_rlx(&b->next, front);
            front = b;
        }
    }
}

static void clear_fd(void) {
    if (boc__load_acq(&fd) >= 0) {
        boc__os_fd_clear(boc__load_acq(&fd));
        boc__fence(); /* cleared before the look */
        if (boc__load_seq(&depth) != 0) {
            boc__os_fd_signal(boc__load_acq(&fd));
        }
    }
}

static boc_behavior_t *pop(void) {
    refill();
    boc_behavior_t *b = front;
    if (b == NULL) {
        clear_fd(); /* a signal may come after what it stands for was popped */
        return NULL;
    }
    front = boc__load_rlx(&b->next);
    refill();
    if (front != NULL) {
        boc__store_rlx(&oldest, front->since);
    }
    if (boc__sub(&depth, 1) == 1) {
        clear_fd();
    }
    return b;
}

boc_behavior_t *boc_pinned_pop(void) {
    for (;;) {
        boc_behavior_t *b = pop();
        if (b == NULL || boc__likely(boc__load_rlx(&boc__gate_shut) == 0) || !boc__gate_hold(b, true)) {
            return b;
        }
    }
}

uint32_t boc_pinned_depth(int64_t *oldest_ns) {
    uint32_t n = boc__load_acq(&depth);
    if (oldest_ns != NULL) {
        *oldest_ns = n != 0 ? boc__load_rlx(&oldest) : 0;
    }
    return n;
}

boc_behavior_t *boc__pinned_take_all(void) {
    boc_behavior_t *out = NULL, *b;
    while ((b = pop()) != NULL) {
        boc__store_rlx(&b->next, out);
        out = b;
    }
    return out;
}

void boc__pinned_fork_child(void) {
    boc__store_rlx(&inbox, NULL);
    front = NULL;
    boc__store_rlx(&depth, 0);
    boc__store_rlx(&opening.word, 0);
    if (boc__load_rlx(&fd) >= 0) { /* the parent's must not hear of us; watchers know the number */
        boc__store_rlx(&fd, boc__os_fd_open(boc__load_rlx(&fd)));
    }
}
