/* Exact counters by name, beside the rings: what a ring has forgotten they still know. A thread writes its own, at the
 * end of each body and where a cown becomes held or free; anybody reads the sums. No ring, no tally: off costs nothing.
 *
 * A name's rows are found by its number. Numbers from BOC__TALLY_NAMES on share row 0 with what has no name.
 */
#ifndef BOC_TALLY_H
#define BOC_TALLY_H

#include "thread.h"

#define BOC__TALLY_NAMES 4096u
#define BOC__TIMED (1ull << 63) /* in a cown's seq: its present holding is timed */

typedef struct boc__tally_row {
    _Atomic uint64_t n;     /* bodies that ended; or grants of a cown but for main's own looks */
    _Atomic uint64_t ticks; /* bodies: their length. Cowns: ends of holdings less their begins, modulo 2^64 */
    _Atomic uint64_t open;  /* bodies: how many raised. Cowns: holdings begun less ended here, modulo 2^64 */
    _Atomic uint64_t used;  /* cowns: ticks that bodies had them, those of readers at once added up */
} boc__tally_row_t;

typedef struct boc__tally {
    _Atomic uint64_t version; /* odd while ticks and open of a cown do not fit together */
    _Atomic int64_t first;    /* ticks: the first start since the latest mark that this thread knows of */
    _Atomic uint32_t mark;    /* which one that is */
    boc__tally_row_t body[BOC__TALLY_NAMES], cown[BOC__TALLY_NAMES];
} boc__tally_t;

extern _Atomic uint32_t boc__tally_marks;
extern boc__tally_t boc__tally_shared; /* of threads that have none */
boc__tally_t *boc__tally_new(void);
void boc__tally_unlock(void); /* in a forked child */

static inline uint32_t boc__tally_at(uint32_t name) {
    return boc__likely(name < BOC__TALLY_NAMES) ? name : 0;
}

static inline void boc__tally_add(_Atomic uint64_t *word, uint64_t by) {
    boc__store_rlx(word, boc__load_rlx(word) + by);
}

/* A body of this thread ended. */
static inline void boc__tally_body(boc__tally_t *y, uint32_t name, int64_t start, int64_t end) {
    uint32_t mark = boc__load_rlx(&boc__tally_marks);
    if (boc__unlikely(boc__load_rlx(&y->mark) != mark)) {
        boc__store_rlx(&y->first, start);
        boc__store_rel(&y->mark, mark); /* first before mark */
    }
    boc__tally_row_t *r = &y->body[boc__tally_at(name)];
    boc__tally_add(&r->ticks, (uint64_t)(end - start));
    boc__tally_add(&r->n, 1);
}

/* A behavior gives back a cown that it was granted, and that its body had for so long. */
static inline void boc__tally_grant(boc__tally_t *y, uint32_t name, int64_t used) {
    boc__tally_row_t *r = &y->cown[boc__tally_at(name)];
    boc__tally_add(&r->used, (uint64_t)used);
    boc__tally_add(&r->n, 1);
}

/* By who was granted a cown that nobody held, before anybody can take it over: the next sequence number. now: ticks,
   0 where nothing is recorded. A cown without a name may get one while it is held, so that is not timed. */
void boc__tally_held(boc__tally_t *y, uint32_t name, int64_t now);
static inline uint64_t boc__tally_begin(boc__thread_t *t, const boc_cown_t *c, int64_t now) {
    uint64_t seq = (c->seq & ~BOC__TIMED) + 1;
    boc__tally_t *y = boc__load_rlx(&t->tally);
    if (now == 0 || c->name == 0 || y == NULL) {
        return seq;
    }
    boc__tally_held(y, c->name, now);
    return seq | BOC__TIMED;
}

/* Nobody holds it any more. timed: its seq, read while it was held. now: ticks, 0: it is asked here. */
void boc__tally_freed(boc__tally_t *y, uint32_t name, int64_t now);
static inline void boc__tally_end(boc__thread_t *t, uint32_t name, uint64_t timed, int64_t now) {
    if (timed & BOC__TIMED) {
        boc__tally_freed(boc__load_rlx(&t->tally), name, now);
    }
}

#endif
