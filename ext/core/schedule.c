/* Scheduling: the two phases, alone or as a batch, and taking an idle cown without a queue.
 *
 * Invariants
 *  S1 phase 2 exchanges the tails of all cowns in the order of their ids, each only after the predecessor at
 *     the cown before is MARKED, that is: has exchanged all its own. So behaviors stand in the same order
 *     in all queues that they share, and the graph of who waits for whom has no cycle;
 *  S2 marks are set only when every exchange of the behavior (of the batch) is done;
 *  S3 between the first exchange and the last mark: no callback, no allocation, no lock;
 *  S4 the guard (one more count) keeps a behavior from starting before its marks are set. One with a
 *     single queue needs none: its mark is set before it links itself.
 *
 * A behavior's requests are sorted in place, its result (held from birth, never exchanged) stays the last.
 */
#include "behavior.h"
#include "finish.h"
#include "queue.h"
#include "ready.h"
#include "tally.h"
#include "tracing.h"

#include <stdlib.h>
#include <string.h>

static bool has_result(const boc_behavior_t *b) {
    return (b->flags & BOC_B_RESULT) != 0;
}

/* What the host has set; the rest is still zero everywhere. */
static void request_copy(boc_request_t *to, const boc_request_t *from) {
    to->cown = from->cown;
    to->param = from->param;
    to->mode = from->mode;
    to->lent = from->lent;
}

static void request_swap(boc_request_t *x, boc_request_t *y) {
    boc_request_t z;
    request_copy(&z, x);
    request_copy(x, y);
    request_copy(y, &z);
}

/* Heap sort: in place, n log n, no allocation; ties by param, so that the first of duplicates comes first. */
static bool before(const boc_request_t *x, const boc_request_t *y) {
    return x->cown->id != y->cown->id ? x->cown->id < y->cown->id : x->param < y->param;
}

static void sift(boc_request_t *r, uint32_t i, uint32_t n) {
    for (uint32_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && before(&r[k], &r[k + 1])) {
            k++;
        }
        if (!before(&r[i], &r[k])) {
            return;
        }
        request_swap(&r[i], &r[k]);
    }
}

static void sort(boc_request_t *r, uint32_t n) {
    uint32_t in_order = 1; /* as cowns made one after another are */
    while (in_order < n && !before(&r[in_order], &r[in_order - 1])) {
        in_order++;
    }
    if (in_order == n) {
        return;
    }
    if (n <= 12) {
        for (uint32_t i = 1; i < n; i++) {
            for (uint32_t j = i; j > 0 && before(&r[j], &r[j - 1]); j--) {
                request_swap(&r[j], &r[j - 1]);
            }
        }
        return;
    }
    for (uint32_t i = n / 2; i-- > 0;) {
        sift(r, i, n);
    }
    for (uint32_t i = n - 1; i > 0; i--) {
        request_swap(&r[0], &r[i]);
        sift(r, 0, i);
    }
}

/* n > 1: sorts, merges duplicates (a write wins), numbers. How many are left but for the result. */
static boc__apart uint32_t merge(boc_behavior_t *b, uint32_t n) {
    sort(b->req, n);
    uint32_t k = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (b->req[i].cown != b->req[k].cown) {
            if (++k != i) {
                request_copy(&b->req[k], &b->req[i]);
            }
            continue;
        }
        if (b->req[i].mode == BOC_WRITE) {
            b->req[k].mode = BOC_WRITE;
        }
        if (!b->req[i].lent) {
            boc_cown_release(b->req[i].cown); /* never the last one: req[k] has another, or it is lent */
        }
    }
    if (++k < n && has_result(b)) {
        request_copy(&b->req[k], &b->req[n]);
    }
    b->nreq = (uint16_t)(k + has_result(b)); /* they stand in the first places, and keep the numbers of these */
    return k;
}

static inline void own_read(boc_request_t *r) {
    if (r->lent && r->mode == BOC_READ) {
        boc_cown_retain(r->cown); /* readers leave in any order: each needs its own */
        r->lent = 0;
    }
}

/* Returns how many cowns have to be queued for. */
static inline uint32_t prepare(boc_behavior_t *b) {
    uint32_t n = (uint32_t)b->nreq - has_result(b);
    if (boc__likely(n == 1)) {
        own_read(&b->req[0]);
    } else if (n > 1) {
        n = merge(b, n);
        for (uint32_t i = 0; i < n; i++) {
            own_read(&b->req[i]);
        }
    }
    if (has_result(b)) {
        boc__queue_born(&b->req[n]);
    }
    return n;
}

/* The runtime takes it: its epoch is read first, so that what a stop missed by a hair counts as cancelled. */
static int admit(boc__thread_t *t, boc_behavior_t *b) {
    b->epoch = (uint16_t)boc__load_acq(&boc__rt.epoch);
    if (boc__unlikely(boc__load_acq(&boc__rt.state) != BOC__RUNNING)) {
        return BOC_ESTATE;
    }
    uint8_t kinds = b->kinds & boc__rt.kinds;
    if (boc__unlikely(kinds != boc__rt.kinds) && !(b->flags & (BOC_B_NATIVE | BOC_B_PINNED))) {
        if (kinds == 0) {
            return BOC_EINVAL;
        }
        b->flags |= BOC_B_NARROW;
        b->narrow = boc__rt.narrow_of[kinds] & 7;
    }
    if (boc__unlikely(t->worker != NULL && boc__load_rlx(&t->worker->verdict) == BOC__V_ABANDONED)) {
        return BOC_ESTATE; /* a body that was given up goes on alone */
    }
    return BOC_OK;
}

static void callout(boc_behavior_t *b) {
    uint8_t any = 0;
    for (uint32_t i = 0; i < b->nreq; i++) {
        any |= b->req[i].cown->flags;
    }
    if (boc__unlikely(any & BOC_COWN_CALLOUT) && boc__rt.call->callout != NULL) {
        boc__rt.call->callout(b);
    }
}

static inline uint8_t schedule_flags(const boc_behavior_t *b) {
    _Static_assert(BOC__TF_PINNED == 2 * BOC_B_PINNED && BOC__TF_NATIVE == 2 * BOC_B_NATIVE &&
                   BOC__TF_RESULT == 2 * BOC_B_RESULT, "the same flags, one bit further");
    return (uint8_t)(b->flags << 1 & (BOC__TF_PINNED | BOC__TF_NATIVE | BOC__TF_RESULT));
}

/* A result of another id than its behavior (two results, or set late): the trace cannot imply it. */
static inline void trace_result(boc__thread_t *t, const boc_behavior_t *b, int64_t now) {
    const boc_cown_t *c = b->req[b->nreq - 1].cown;
    if (c->id != b->id) {
        boc__trace_one(t->ring, now, BOC_T_result, b->id, c->id, 0, 0);
    }
}

/* No cown. */
static boc__apart void schedule_none(boc__thread_t *t, boc_behavior_t *b, uint64_t parent) {
    t->grant_stamp = 0;
    if (boc__tracing(t)) {
        int64_t now = boc__ticks();
        t->grant_stamp = now;
        if (has_result(b)) {
            trace_result(t, b, now);
        }
        boc__trace_one(t->ring, now, BOC_T_schedule, b->id, parent, b->name, schedule_flags(b) | BOC__TF_READY);
    }
    boc__ready(t, b);
}

static boc__apart void trace_both(boc__ring_t *r, int64_t now, uint64_t id, uint64_t parent, uint32_t name, uint8_t flags,
                                  uint64_t cown, uint64_t seq, uint8_t request) {
    boc__trace_put(r, 0, now, BOC_T_schedule, id, parent, name, flags);
    boc__trace_put(r, 1, now, BOC_T_request, id, cown, (uint32_t)seq, request);
    boc__trace_commit(r, 2);
}

/* One cown: no sort, no guard, no array. */
static boc__within void schedule_one(boc__thread_t *t, boc_behavior_t *b, uint64_t parent, bool tracing) {
    int64_t now = tracing ? boc__ticks() : 0;
    t->grant_stamp = now;
    if (tracing && has_result(b)) {
        trace_result(t, b, now);
    }
    boc_request_t *r = &b->req[0];
    boc_cown_t *c = r->cown;
    uint64_t id = b->id, cown = c->id, pred = 0;
    uint32_t name = b->name;
    uint8_t flags = schedule_flags(b), read = r->mode == BOC_READ;
    boc__store_rlx(&b->count, 1);
    bool granted = boc__queue_enter(c, r, r, true, tracing ? &pred : NULL);
    /* not granted: b may already have run and be gone */
    bool writes_now = granted && !read;
    uint64_t seq = writes_now ? c->seq : pred;
    if (tracing) {
        uint8_t request = (uint8_t)((read ? BOC__TF_READ : 0) | (writes_now ? BOC__TF_GRANTED : 0));
        flags |= writes_now ? BOC__TF_READY : 0;
        if (boc__unlikely(!boc__trace_enter(t->ring, now, id, parent, name, flags, cown, seq, request))) {
            trace_both(t->ring, now, id, parent, name, flags, cown, seq, request);
        }
    }
    if (!granted) {
        return;
    }
    if (!(boc__load_rlx(&r->state) & 1)) { /* enter marks only what it leaves waiting */
        boc__queue_mark(r);
    }
    if (read) {
        boc__queue_open(t, r);
    } else {
        boc__store_rlx(&b->count, 0);
        boc__ready(t, b);
    }
}

static boc__apart void schedule_traced(boc__thread_t *t, boc_behavior_t *b, uint64_t parent) {
    schedule_one(t, b, parent, true);
}

/* One cown's part of a behavior or of a batch; first..last are chained. Readers that can be are granted now: the
   guards keep every count above 0. True: first is a writer and was granted; the caller counts it. */
static bool splice(boc__thread_t *t, boc_request_t *first, boc_request_t *last, uint64_t *pred) {
    bool granted = boc__queue_enter(first->cown, first, last, false, pred);
    if (granted && first->mode == BOC_READ) {
        boc__queue_open(t, first);
        return false;
    }
    return granted;
}

/* Drops the guard and the grants that the scheduler itself has seen; whoever takes the count to zero makes the
   behavior runnable. Nobody else can lower it if that is all that is left. */
static void guard_drop(boc__thread_t *t, boc_behavior_t *b, int32_t by, bool told) {
    if (boc__load_acq(&b->count) == by) {
        boc__store_rlx(&b->count, 0);
    } else if (boc__sub(&b->count, by) != by) {
        return;
    }
    if (!told && boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_ready, b->id, 0, t->index, 0);
    }
    boc__ready(t, b);
}

/* Few writers: the schedule record stands before those of its requests, and knows READY. Less than BOC__AHEAD. */
#define FEW 16u

static boc__apart void schedule_long(boc__thread_t *t, boc_behavior_t *b, uint64_t parent, uint32_t n) {
    boc__ring_t *ring = boc__tracing(t) ? t->ring : NULL;
    int64_t now = ring != NULL ? boc__ticks() : 0;
    bool few = n <= FEW;
    for (uint32_t i = 0; i < n && few; i++) {
        few = b->req[i].mode == BOC_WRITE;
    }
    t->grant_stamp = now;
    if (ring != NULL) {
        if (has_result(b)) {
            trace_result(t, b, now);
        }
        if (!few) {
            boc__trace_one(ring, now, BOC_T_schedule, b->id, parent, b->name, schedule_flags(b));
        }
    }
    boc__store_rlx(&b->count, (int32_t)n + 1);
    uint32_t granted = 0;
    for (uint32_t i = 0; i < n; i++) {
        boc_request_t *r = &b->req[i];
        boc_cown_t *c = r->cown;
        uint64_t pred = 0;
        bool writes = splice(t, r, r, &pred);
        granted += writes;
        if (ring != NULL) {
            uint8_t flags = (uint8_t)((r->mode == BOC_READ ? BOC__TF_READ : 0) | (writes ? BOC__TF_GRANTED : 0));
            uint32_t seq = (uint32_t)(writes ? c->seq : pred);
            if (few) {
                boc__trace_put(ring, 1 + i, now, BOC_T_request, b->id, c->id, seq, flags);
            } else {
                boc__trace_one(ring, now, BOC_T_request, b->id, c->id, seq, flags);
            }
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        boc__queue_mark(&b->req[i]);
    }
    bool ready = few && granted == n;
    if (ring != NULL && few) {
        boc__trace_put(ring, 0, now, BOC_T_schedule, b->id, parent, b->name,
                       (uint8_t)(schedule_flags(b) | (ready ? BOC__TF_READY : 0)));
        boc__trace_commit(ring, n + 1);
    }
    guard_drop(t, b, (int32_t)granted + 1, ready);
}

int boc_schedule(boc_behavior_t *b, uint64_t parent) {
    boc__thread_t *t = boc__me();
    int rc = admit(t, b);
    if (boc__unlikely(rc != BOC_OK)) {
        return rc;
    }
    callout(b);
    uint32_t n = prepare(b);
    boc__count_up(&t->scheduled);
    if (boc__unlikely(n > 1)) {
        schedule_long(t, b, parent, n);
    } else if (boc__unlikely(n == 0)) {
        schedule_none(t, b, parent);
    } else if (boc__tracing(t)) {
        schedule_traced(t, b, parent);
    } else {
        schedule_one(t, b, parent, false);
    }
    boc__drain(t);
    return BOC_OK;
}

/* ---- batches ---------------------------------------------------------------- */
typedef struct {
    boc_request_t *r;
    uint64_t cown;
    uint32_t order; /* of its behavior in the batch */
} place_t;

static int place_compare(const void *x, const void *y) {
    const place_t *a = x, *b = y;
    if (a->cown != b->cown) {
        return a->cown < b->cown ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

/* Every request of the batch, those of one cown together and in the order of the batch, chained. */
static uint32_t gather(boc_behavior_t **b, uint32_t n, place_t *p) {
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t queued = (uint32_t)b[i]->nreq - has_result(b[i]);
        boc__store_rlx(&b[i]->count, (int32_t)queued + 1);
        for (uint32_t j = 0; j < queued; j++) {
            p[k++] = (place_t){&b[i]->req[j], b[i]->req[j].cown->id, i};
        }
    }
    qsort(p, k, sizeof *p, place_compare);
    for (uint32_t i = 0; i + 1 < k; i++) {
        if (p[i].cown == p[i + 1].cown) {
            boc__queue_chain(p[i].r, p[i + 1].r);
        }
    }
    return k;
}

static void batch_trace(boc__thread_t *t, boc_behavior_t **b, uint32_t n, uint64_t parent) {
    for (uint32_t i = 0; i < n; i++) {
        if (has_result(b[i])) {
            trace_result(t, b[i], t->grant_stamp);
        }
        boc__trace_one(t->ring, t->grant_stamp, BOC_T_schedule, b[i]->id, parent, b[i]->name, schedule_flags(b[i]));
    }
}

static void batch_splice(boc__thread_t *t, place_t *p, uint32_t k) {
    for (uint32_t i = 0, j; i < k; i = j) {
        for (j = i + 1; j < k && p[j].cown == p[i].cown; j++) {
        }
        uint64_t pred = 0;
        bool writes = splice(t, p[i].r, p[j - 1].r, &pred);
        if (writes) {
            boc__sub(&boc_behavior_of(p[i].r)->count, 1);
        }
        for (uint32_t m = i; t->ring != NULL && m < j; m++) {
            bool now = writes && m == i;
            boc__trace_one(t->ring, t->grant_stamp, BOC_T_request, boc_behavior_of(p[m].r)->id, p[m].cown,
                           (uint32_t)(now ? p[m].r->cown->seq : pred),
                           (uint8_t)((p[m].r->mode == BOC_READ ? BOC__TF_READ : 0) | (now ? BOC__TF_GRANTED : 0)));
            pred = boc_behavior_of(p[m].r)->id;
        }
    }
}

int boc_schedule_batch(boc_behavior_t **b, uint32_t n, uint64_t parent) {
    boc__thread_t *t = boc__me();
    size_t total = 1;
    for (uint32_t i = 0; i < n; i++) {
        int rc = admit(t, b[i]);
        if (rc != BOC_OK) {
            return rc;
        }
        total += b[i]->nreq;
    }
    place_t *p = malloc(total * sizeof *p);
    if (p == NULL) {
        return BOC_ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++) {
        callout(b[i]);
        prepare(b[i]);
        boc__count_up(&t->scheduled);
    }
    bool tracing = boc__tracing(t);
    t->grant_stamp = tracing ? boc__ticks() : 0;
    if (tracing) {
        batch_trace(t, b, n, parent);
    }
    uint32_t k = gather(b, n, p);
    batch_splice(t, p, k);
    for (uint32_t i = 0; i < k; i++) {
        boc__queue_mark(p[i].r);
    }
    for (uint32_t i = 0; i < n; i++) {
        guard_drop(t, b[i], 1, false);
    }
    free(p);
    boc__drain(t);
    return BOC_OK;
}

/* ---- taking an idle cown -------------------------------------------------------
 * A hidden native behavior stands in the queue for the caller's. If readers that already left the queue turn
 * out to be active, and somebody has queued behind meanwhile, it stays there as one that does nothing. */
static bool take(boc_cown_t *c, boc_request_t *r) {
    boc_request_t *none = NULL;
    if (boc__load_acq(&c->readers) != 0 || !boc__cas(&c->tail, &none, r)) {
        return false;
    }
    boc_request_t *me = r;
    return boc__load_acq(&c->readers) == 0 || !boc__cas(&c->tail, &me, NULL);
}

int boc_acquire(boc_behavior_t *b, uint16_t *home) {
    boc__thread_t *t = boc__me();
    boc_cown_t *c = b->req[0].cown;
    boc_behavior_t *in = boc_behavior_new(1, 0);
    if (in == NULL) {
        return BOC_ENOMEM;
    }
    *home = 0;
    in->flags = BOC_B_NATIVE;
    in->run = boc__pass;
    in->id = b->id;
    boc_request_set(in, 0, c, 0, BOC_WRITE);
    boc_request_t *r = &in->req[0];
    if (!take(c, r)) {
        boc_behavior_free(in);
        return BOC_EBUSY;
    }
    boc__store_rlx(&in->count, 1);
    boc__store_rlx(&c->writer, r);
    boc__queue_mark(r);
    if (boc__load_acq(&c->readers) != 0) {
        boc__count_up(&t->scheduled);
        if (boc__add(&c->readers, 1) != 0) {
            return BOC_EBUSY; /* `in` is the queue's now */
        }
        boc__store_rlx(&c->readers, 0);
        boc__count_up(&t->finished);
    }
    c->seq = boc__tally_begin(t, c, boc__tracing(t) ? boc__ticks() : 0);
    if (boc__load_rlx(&c->home) != 0) {
        *home = boc__load_rlx(&c->home);
        t->grant_stamp = boc__ticks();
        r->lent = boc__queue_leave(t, r);
        boc_behavior_free(in);
        boc__drain(t);
        return BOC_EBUSY;
    }
    boc__store_rlx(&b->next, in);
    if (boc__tracing(t)) {
        int64_t now = boc__ticks();
        boc__trace_one(t->ring, now, BOC_T_schedule, b->id, 0, b->name, BOC__TF_READY | BOC__TF_NATIVE);
        boc__trace_one(t->ring, now, BOC_T_request, b->id, c->id, (uint32_t)c->seq, BOC__TF_GRANTED);
        boc__trace_one(t->ring, now, BOC_T_start, b->id, 0, b->name, 0);
    }
    return BOC_OK;
}

void boc_acquire_end(boc_behavior_t *b) {
    boc__thread_t *t = boc__me();
    boc_behavior_t *in = boc__load_rlx(&b->next);
    t->grant_stamp = boc__ticks();
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, t->grant_stamp, BOC_T_end, b->id, 0, 0, 0);
    }
    in->req[0].lent = boc__queue_leave(t, &in->req[0]);
    boc_behavior_free(in);
    boc_behavior_free(b);
    boc__drain(t);
}
