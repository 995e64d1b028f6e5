/* Trace rings: made for each thread that records. Their readers are in trace_read.c.
 *
 * Invariants
 *  C1 one thread writes a ring: slots from `head` on, fewer than BOC__AHEAD of them, then it raises head;
 *  C2 a reader copies slots below head, then reads head again: what is within one ring's length of head and what may
 *     be half written ahead of it was not touched meanwhile; older slots are dropped and counted as lost;
 *  C3 rings stay with their thread records and are never freed while anybody may read them.
 */
#include "tracing.h"

#include "tally.h"

#include <stdlib.h>
#include <string.h>

_Atomic uint32_t boc_trace_on;
_Atomic(boc__ring_t *) boc__rings[BOC__RINGS];
static _Atomic uint32_t ring_size;

void boc__trace_size(uint32_t events) {
    uint32_t size = events;
    while (size & (size - 1)) {
        size &= size - 1;
    }
    size = size != 0 && size < 1024 ? 1024 : size;
    boc__store_rel(&ring_size, size);
    boc__store_rel(&boc_trace_on, size != 0);
}

void boc_trace_enable(bool on) {
    boc__store_rel(&boc_trace_on, on && boc__load_acq(&ring_size) != 0);
}

void boc__trace_thread(boc__thread_t *t) {
    uint32_t size = boc__load_acq(&ring_size);
    if (t->index >= BOC__RINGS || size == 0) {
        return;
    }
    size_t bytes = sizeof(boc__ring_t) + (size_t)size * sizeof(boc__slot_t);
    boc__ring_t *r = t->index < BOC_MAX_WORKERS ? malloc(bytes) : calloc(1, bytes);
    if (r == NULL) {
        return;
    }
    if (t->index < BOC_MAX_WORKERS) {
        memset(r, 0, bytes); /* a worker takes its page faults now, not in its first bodies */
    }
    boc__tally_t *y = boc__load_rlx(&t->tally);
    if (y == NULL && (y = boc__tally_new()) == NULL) {
        free(r);
        return;
    }
    boc__store_rel(&t->tally, y);
    r->mask = size - 1;
    r->thread = (uint16_t)t->index;
    t->ring = r;
    boc__store_rel(&boc__rings[t->index], r);
}

void boc_trace(uint8_t kind, uint64_t subject, uint64_t other, uint32_t seq, uint8_t flags) {
    boc__thread_t *t = boc__me();
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, kind, subject, other, seq, flags);
    }
}
