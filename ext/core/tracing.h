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
    _Atomic uint64_t head;  /* slots below it are whole */
    uint64_t mask;
    uint16_t thread;
    _Atomic uint64_t floor; /* slots below it were cleared */
    boc__slot_t slot[];
} boc__ring_t;

#define BOC__AHEAD 32u /* so many slots from head on may be half written */

/* Kinds of slots beside those of records: two records that come together in one slot.
 *
 *               words 0, 1, 2                bits of word 3: 0-31, 32-47, 48-55, 56-63
 *   a record    time, subject, other         seq, -, kind, flags
 *   ENTER       time, behavior, cown         name, d, kind, flags of the schedule | of the request << 4 | ROOT
 *   HAND_ON     time, next behavior, cown    the grant's seq, d, kind, the grant's flags
 *
 * ENTER is a schedule and its one request. d: the cown's sequence if it was granted, else how much less the predecessor's
 * id is. It has no parent (ROOT), or the predecessor is its parent: a chain. HAND_ON is an end and the grant that came of
 * it. d: how much less the id of the behavior that ended is. What does not fit takes two slots. */
enum { BOC__PAIR_ENTER = BOC_T_COUNT, BOC__PAIR_HAND_ON };
enum { BOC__PAIR_ROOT = 1u << 6 };

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

static inline void boc__slot_put(boc__ring_t *r, uint64_t at, int64_t time, uint64_t b, uint64_t c, uint64_t d) {
    boc__slot_t *s = &r->slot[at & r->mask];
    boc__check(at - boc__load_rlx(&r->head) < BOC__AHEAD);
    boc__fence_rel(); /* a reader that copies a word of these must see the head so far */
    atomic_store_explicit(&s->w[0], (uint64_t)time, memory_order_relaxed);
    atomic_store_explicit(&s->w[1], b, memory_order_relaxed);
    atomic_store_explicit(&s->w[2], c, memory_order_relaxed);
    atomic_store_explicit(&s->w[3], d, memory_order_relaxed);
    boc__prefetch((const void *)((uintptr_t)s + 64 * sizeof *s)); /* the next locked instruction waits for these stores */
}

static inline uint64_t boc__slot_last(uint32_t low, uint64_t mid, uint8_t kind, uint8_t flags) {
    return (uint64_t)low | mid << 32 | (uint64_t)kind << 48 | (uint64_t)flags << 56;
}

/* A record, so many slots ahead of the head; readers see it after boc__trace_commit. */
static inline void boc__trace_put(boc__ring_t *r, uint64_t ahead, int64_t time, uint8_t kind, uint64_t subject,
                                  uint64_t other, uint32_t seq, uint8_t flags) {
#ifdef BOC_SYSTEMATIC
    boc__sys_event(kind, subject, other, seq, flags);
#endif
    boc__slot_put(r, boc__load_rlx(&r->head) + ahead, time, subject, other, boc__slot_last(seq, 0, kind, flags));
}

static inline void boc__trace_commit(boc__ring_t *r, uint32_t n) {
    boc__store_rel(&r->head, boc__load_rlx(&r->head) + n);
}

/* One record; time in ticks, 0: now. The caller has asked boc__tracing. */
static inline void boc__trace_one(boc__ring_t *r, int64_t time, uint8_t kind, uint64_t subject, uint64_t other,
                                  uint32_t seq, uint8_t flags) {
    boc__trace_put(r, 0, time != 0 ? time : boc__ticks(), kind, subject, other, seq, flags);
    boc__trace_commit(r, 1);
}

/* Two records in one slot, if that is how they can be told. The flags as in them. */
static inline bool boc__trace_enter(boc__ring_t *r, int64_t time, uint64_t b, uint64_t parent, uint32_t name,
                                    uint8_t flags, uint64_t cown, uint64_t seq, uint8_t request) {
    uint64_t d = request & BOC__TF_GRANTED ? (uint32_t)seq : b - seq;
    bool root = parent == 0;
    if (boc__unlikely(d > UINT16_MAX || !(root || (seq == parent && !(request & BOC__TF_GRANTED))))) {
        return false;
    }
#ifdef BOC_SYSTEMATIC
    boc__sys_event(BOC_T_schedule, b, parent, name, flags);
    boc__sys_event(BOC_T_request, b, cown, (uint32_t)seq, request);
#endif
    boc__slot_put(r, boc__load_rlx(&r->head), time, b, cown,
                  boc__slot_last(name, d, BOC__PAIR_ENTER, (uint8_t)(flags | request << 4 | root << 6)));
    boc__trace_commit(r, 1);
    return true;
}

static inline bool boc__trace_hand_on(boc__ring_t *r, int64_t time, uint64_t ended, uint64_t next, uint64_t cown,
                                      uint32_t seq, uint8_t flags) {
    uint64_t d = next - ended;
    if (boc__unlikely(d > UINT16_MAX)) {
        return false;
    }
#ifdef BOC_SYSTEMATIC
    boc__sys_event(BOC_T_end, ended, 0, 0, 0);
    boc__sys_event(BOC_T_grant, next, cown, seq, flags);
#endif
    boc__slot_put(r, boc__load_rlx(&r->head), time, next, cown, boc__slot_last(seq, d, BOC__PAIR_HAND_ON, flags));
    boc__trace_commit(r, 1);
    return true;
}

#endif
