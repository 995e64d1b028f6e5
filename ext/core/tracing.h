/* Writing trace records on the ring of the calling thread; ticks and nanoseconds. Included by whoever records.
 *
 * Readers of rings know trace.h alone. The order that the two sides keep is at the head of tracing.c.
 */
#ifndef BOC_TRACING_H
#define BOC_TRACING_H

#include "platform.h"
#include "thread.h"
#include "trace.h"

#define BOC__RINGS (BOC_MAX_WORKERS + 64u) /* of workers, and of so many other threads */

typedef struct boc__slot {
    _Atomic uint64_t w[4];
} boc__slot_t;

typedef struct boc__ring {
    _Atomic uint64_t claim; /* records whose slot may be half written are below it */
    _Atomic uint64_t head;  /* records below it are whole */
    uint64_t next;          /* writer's own */
    uint64_t mask;
    uint64_t thread;        /* in its place in a record's last word */
    _Atomic uint64_t floor; /* records below it were cleared */
    boc__slot_t slot[];
} boc__ring_t;

enum { /* flags of records, as in trace_events.def */
    BOC__TF_READY = 1, BOC__TF_PINNED = 2, BOC__TF_NATIVE = 4, BOC__TF_RESULT = 8, /* schedule */
    BOC__TF_READ = 1, BOC__TF_GRANTED = 2,                                       /* request */
    BOC__TF_LAST = 2,                                                            /* grant: READY */
    BOC__TF_STOLEN = 1, BOC__TF_CANCELLED = 2,                                   /* start; end */
};

/* ---- tracing.c ---- */
extern _Atomic(boc__ring_t *) boc__rings[BOC__RINGS];
void boc__trace_size(uint32_t events);
void boc__trace_thread(boc__thread_t *t); /* gives it a ring, if tracing is on and it has none */

/* ---- trace_clock.c ---- */
int64_t boc__ticks_to_ns(int64_t ticks);  /* a moment */
void boc__ticks_to_times(boc_record_t *r, size_t n); /* the moments of records, in place */
int64_t boc__ns_to_ticks(int64_t ns);     /* a duration */
int64_t boc__ticks_span(int64_t ticks);   /* a duration, in ns */
void boc__clock_init(void);
void boc__clock_tune(void);

/* ---- one record ---- */
static inline bool boc__tracing(boc__thread_t *t) {
    if (boc__likely(boc__load_rlx(&boc_trace_on) == 0)) {
        return false;
    }
    if (boc__unlikely(t->ring == NULL)) {
        boc__trace_thread(t);
    }
    return t->ring != NULL;
}

/* n records follow, from r->next on; the reader sees them after boc__trace_commit. */
static inline void boc__trace_claim(boc__ring_t *r, uint32_t n) {
    boc__store_rlx(&r->claim, r->next + n);
    boc__fence_rel(); /* a reader that copies a word of these records must see the claim */
}

static inline void boc__trace_put(boc__ring_t *r, uint64_t at, int64_t time, uint8_t kind, uint64_t subject,
                                  uint64_t other, uint32_t seq, uint8_t flags) {
#ifdef BOC_SYSTEMATIC
    boc__sys_event(kind, subject, other, seq, flags);
#endif
    boc__slot_t *s = &r->slot[at & r->mask];
    atomic_store_explicit(&s->w[0], (uint64_t)time, memory_order_relaxed);
    atomic_store_explicit(&s->w[1], subject, memory_order_relaxed);
    atomic_store_explicit(&s->w[2], other, memory_order_relaxed);
    atomic_store_explicit(&s->w[3], (uint64_t)seq | (uint64_t)kind << 32 | (uint64_t)flags << 40 | r->thread,
                          memory_order_relaxed);
}

static inline void boc__trace_commit(boc__ring_t *r, uint32_t n) {
    r->next += n;
    boc__store_rel(&r->head, r->next);
}

/* One record; time in ticks, 0: now. The caller has asked boc__tracing. */
static inline void boc__trace_one(boc__ring_t *r, int64_t time, uint8_t kind, uint64_t subject, uint64_t other,
                                  uint32_t seq, uint8_t flags) {
    boc__trace_claim(r, 1);
    boc__trace_put(r, r->next, time != 0 ? time : boc__ticks(), kind, subject, other, seq, flags);
    boc__trace_commit(r, 1);
}

#endif
