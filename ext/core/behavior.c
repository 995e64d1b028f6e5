/* A behavior before and apart from its queues: made, begun, cancelled. Its end is in finish.c.
 *
 * state: PENDING -> RUNNING (begin) -> DONE, or PENDING -> CANCELLED; one CAS decides between the two.
 * A cancelled behavior keeps its place in the queues; at its turn the host gives its result a value, on
 * whatever thread made it ready, and it is finished like any other.
 *
 * Invariants
 *  B1 a behavior is cancelled alone only by who owns a reference to its result, or before it is scheduled. So if it has
 *     no result, or is the last to own it, the state is its worker's alone, and it begins by a plain store;
 *  B2 it is cancelled with all by its epoch, which nobody writes after it was scheduled.
 */
#include "behavior.h"

#include "gate.h"
#include "state.h"
#include "tracing.h"

#include <string.h>

#define ALIGNED(n) (((n) + 15u) & ~(size_t)15u)
#define SHORT 192u /* bytes that are cleared here, 16 at a time; more by memset */
_Static_assert(sizeof(boc_behavior_t) % 16 == 0 && sizeof(boc_request_t) % 16 == 0, "cleared 16 bytes at a time");

/* The host's part stands behind the requests; extra finds it after requests were merged. */
static size_t head_size(uint32_t nreq) {
    return ALIGNED(sizeof(boc_behavior_t) + (size_t)nreq * sizeof(boc_request_t));
}

static boc__within boc_behavior_t *filled(boc__thread_t *t, boc_behavior_t *b, uint32_t nreq, size_t head, size_t size) {
    b->id = boc__id(t);
    b->nreq = (uint16_t)nreq;
    b->kinds = BOC_KIND_ANY;
    b->extra = (uint32_t)head;
    b->size = boc__units(size);
    boc__tally(&t->behaviors, 1);
    for (uint32_t i = 1; i < nreq; i++) {
        b->req[i].index = (uint16_t)i;
    }
    return b;
}

static boc__apart boc_behavior_t *new_slow(boc__thread_t *t, uint32_t nreq, size_t head, size_t size) {
    if (nreq > UINT16_MAX || size > UINT32_MAX) {
        return NULL;
    }
    boc_behavior_t *b = boc__alloc(&t->pool, size);
    if (b == NULL) {
        return NULL;
    }
    memset(b, 0, size);
    return filled(t, b, nreq, head, size);
}

boc_behavior_t *boc_behavior_new(uint32_t nreq, size_t extra) {
    boc__thread_t *t = boc__me();
    size_t head = head_size(nreq), size = head + ALIGNED(extra);
    if (boc__unlikely(size > SHORT) || !boc__alloc_ready(&t->pool, size)) {
        return new_slow(t, nreq, head, size);
    }
    boc_behavior_t *b = boc__alloc(&t->pool, size);
    memset(b, 0, sizeof *b);
    for (char *p = (char *)b + sizeof *b, *end = (char *)b + size; p != end; p += 16) {
        memset(p, 0, 16);
        boc__compiler_fence(); /* so that it stays a loop: the call of memset costs more */
    }
    return filled(t, b, nreq, head, size);
}

void boc_request_move(boc_behavior_t *b, uint32_t i, boc_cown_t *c, uint16_t param, uint8_t mode) {
    boc_request_t *r = &b->req[i];
    r->cown = c;
    r->param = param;
    r->mode = mode;
    if ((c->flags & BOC_COWN_RESULT) && c->seq == 0) { /* nobody else knows it yet */
        c->seq = 1;
        b->id = c->id;
    }
}

void boc_request_set(boc_behavior_t *b, uint32_t i, boc_cown_t *c, uint16_t param, uint8_t mode) {
    boc_cown_retain(c);
    boc_request_move(b, i, c, param, mode);
}

void boc_request_lend(boc_behavior_t *b, uint32_t i, boc_cown_t *c, uint16_t param, uint8_t mode) {
    boc_request_t *r = &b->req[i];
    r->cown = c;
    r->param = param;
    r->mode = mode;
    r->lent = 1;
}

void boc_behavior_free(boc_behavior_t *b) {
    for (uint32_t i = 0; i < b->nreq; i++) {
        if (b->req[i].cown != NULL && !b->req[i].lent) {
            boc_cown_release(b->req[i].cown);
        }
    }
    boc__thread_t *t = boc__me();
    boc__tally(&t->behaviors, -1);
    boc__free_units(&t->pool, b, b->size);
}

int boc__pass(boc_behavior_t *b) {
    (void)b;
    return BOC_RAN;
}

/* ---- begin and cancel ---------------------------------------------------------- */
void boc__cancelled(boc_behavior_t *b) {
    boc__thread_t *t = boc__me();
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_cancel, b->id, 0, 0, 0);
    }
    if (!boc__hidden(b) && boc__rt.call->cancelled != NULL) {
        boc__rt.call->cancelled(b);
    }
}

/* Can somebody be about to cancel it? Acquire: what those did who let its result go. */
static bool cancellable(const boc_behavior_t *b) {
    if (!(b->flags & BOC_B_RESULT)) {
        return false;
    }
    boc_cown_t *result = b->req[b->nreq - 1u].cown;
    return boc__load_acq(&result->refs) != 1 || (result->flags & BOC_COWN_WEAK);
}

/* PENDING -> RUNNING, unless it was cancelled. No trace, no callback. */
static bool claim(boc_behavior_t *b) {
    uint8_t pending = BOC_ST_PENDING;
    if (boc__unlikely(b->epoch != (uint16_t)boc__load_rlx(&boc__rt.epoch)) && !boc__hidden(b)) {
        boc__cas(&b->state, &pending, BOC_ST_CANCELLED);
        return false;
    }
    if (cancellable(b)) {
        return boc__cas(&b->state, &pending, BOC_ST_RUNNING);
    }
    if (boc__unlikely(boc__load_rlx(&b->state) != BOC_ST_PENDING)) {
        return false;
    }
    boc__store_rlx(&b->state, BOC_ST_RUNNING); /* B1 */
    return true;
}

bool boc__claim(boc__thread_t *t, boc_behavior_t *b) {
    bool ours = claim(b);
    if (boc__likely(ours)) {
        boc__count_up(&t->started);
    }
    return ours;
}

bool boc__begin(boc__thread_t *t, boc_behavior_t *b) {
    if (boc__likely(boc__claim(t, b))) {
        return true;
    }
    boc__cancelled(b);
    return false;
}

bool boc_begin(boc_behavior_t *b) {
    boc__thread_t *t = boc__me();
    if (!boc__begin(t, b)) {
        return false;
    }
    if (boc__tracing(t)) {
        int64_t now = boc__ticks();
        if (!(b->flags & BOC_B_NATIVE)) {
            b->since = now; /* it has left the pinned queue */
        }
        boc__trace_one(t->ring, now, BOC_T_start, b->id, 0, b->name, 0);
    }
    return true;
}

int boc_cancel(boc_behavior_t *b) {
    uint8_t pending = BOC_ST_PENDING;
    if (!(b->flags & BOC_B_RESULT)) {
        return BOC_EINVAL;
    }
    if (!boc__cas(&b->state, &pending, BOC_ST_CANCELLED)) {
        return BOC_ESTATE;
    }
    boc__gate_swept();
    return BOC_OK;
}

void boc_cancel_all(void) {
    boc__add(&boc__rt.epoch, 1);
    boc__gate_swept();
}
