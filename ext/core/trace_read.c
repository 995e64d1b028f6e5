/* Readers of trace rings: a cursor copies behind the writers and counts what it was too late for.
 *
 * The order that the two sides keep (C1 to C3) is at the head of tracing.c.
 */
#include "fork.h"
#include "tracing.h"

#include <stdlib.h>
#include <string.h>

struct boc_trace_cursor {
    boc__ring_t *ring[BOC__RINGS];
    uint64_t at[BOC__RINGS];
    uint64_t before[BOC__RINGS]; /* overtaken before the first look */
    boc_record_t spare; /* the second of a slot for which there was no room; time in ticks; no kind: none */
    uint32_t first; /* where the next read begins: all rings get their turn */
};

boc_trace_cursor_t *boc_trace_open(void) {
    boc__clock_init();
    return calloc(1, sizeof(boc_trace_cursor_t));
}

void boc_trace_close(boc_trace_cursor_t *c) {
    free(c);
}

void boc_trace_clear(void) {
    for (uint32_t i = 0; i < BOC__RINGS; i++) {
        boc__ring_t *r = boc__load_acq(&boc__rings[i]);
        if (r != NULL) {
            boc__store_rel(&r->floor, boc__load_acq(&r->head));
        }
    }
    boc__tally_clear();
}

static void slot_of(boc__slot_t *s, uint64_t w[4]) {
    for (int i = 0; i < 4; i++) {
        w[i] = atomic_load_explicit(&s->w[i], memory_order_relaxed);
    }
}

/* One record or two. */
static size_t records_of(const uint64_t w[4], uint16_t thread, boc_record_t out[2]) {
    int64_t time = (int64_t)w[0];
    uint32_t low = (uint32_t)w[3], d = (uint16_t)(w[3] >> 32);
    uint8_t kind = (uint8_t)(w[3] >> 48), flags = (uint8_t)(w[3] >> 56);
    if (kind == BOC__PAIR_ENTER) {
        uint8_t request = flags >> 4 & 3u;
        uint64_t pred = w[1] - d, parent = flags & BOC__PAIR_ROOT ? 0 : pred;
        out[0] = (boc_record_t){time, w[1], parent, low, BOC_T_schedule, flags & 15u, thread};
        out[1] = (boc_record_t){time, w[1], w[2], request & BOC__TF_GRANTED ? d : (uint32_t)pred, BOC_T_request, request,
                                thread};
        return 2;
    }
    if (kind == BOC__PAIR_HAND_ON) {
        out[0] = (boc_record_t){time, w[1] - d, 0, 0, BOC_T_end, 0, thread};
        out[1] = (boc_record_t){time, w[1], w[2], low, BOC_T_grant, flags, thread};
        return 2;
    }
    out[0] = (boc_record_t){time, w[1], w[2], low, kind, flags, thread};
    return 1;
}

/* Oldest slot that a ring surely still holds whole, or that was not cleared. */
static uint64_t oldest(boc__ring_t *r, uint64_t head) {
    uint64_t size = r->mask + 1 - BOC__AHEAD;
    return head > size ? head - size : 0;
}

#define AT_ONCE 256u /* slots that are copied between two looks at head */

/* Copies slots from *at on, at most AT_ONCE; counts in lost what was overtaken, and moves *at to the first copied. */
static size_t copy_slots(boc__ring_t *r, uint64_t *at, uint64_t w[AT_ONCE][4], uint64_t *lost) {
    uint64_t head = boc__load_acq(&r->head);
    uint64_t from = *at, floor = boc__load_acq(&r->floor), keep = oldest(r, head);
    if (from < floor) {
        from = floor; /* cleared, not lost */
    }
    if (from < keep) {
        *lost += keep - from;
        from = keep;
    }
    uint64_t n = head > from ? head - from : 0;
    n = n < AT_ONCE ? n : AT_ONCE;
    for (uint64_t i = 0; i < n; i++) {
        slot_of(&r->slot[(from + i) & r->mask], w[i]);
    }
    boc__fence_acq(); /* the copies before the look at head */
    keep = oldest(r, boc__load_acq(&r->head));
    uint64_t gone = keep > from ? keep - from : 0;
    gone = gone < n ? gone : n;
    *lost += gone;
    memmove(w, w + gone, (n - gone) * sizeof *w);
    *at = from + gone;
    return (size_t)(n - gone);
}

/* What was there when the call began; up to max records, one more goes into spare. */
static size_t read_ring(boc_trace_cursor_t *c, boc__ring_t *r, uint64_t *at, boc_record_t *out, size_t max,
                        uint64_t *lost) {
    uint64_t w[AT_ONCE][4], end = boc__load_acq(&r->head);
    size_t got = 0;
    while (got < max && *at < end) {
        size_t n = copy_slots(r, at, w, lost);
        for (size_t i = 0; i < n && got < max; i++) {
            boc_record_t two[2];
            size_t k = records_of(w[i], r->thread, two);
            out[got++] = two[0];
            *at += 1;
            if (k == 2 && got < max) {
                out[got++] = two[1];
            } else if (k == 2) {
                c->spare = two[1];
            }
        }
    }
    return got;
}

size_t boc_trace_read(boc_trace_cursor_t *c, boc_record_t *out, size_t max, uint64_t *lost) {
    size_t got = 0;
    if (c->spare.kind != 0 && max != 0) {
        out[got++] = c->spare;
        c->spare.kind = 0;
    }
    for (uint32_t k = 0; k < BOC__RINGS && got < max; k++) {
        uint32_t i = (c->first + k) % BOC__RINGS;
        boc__ring_t *r = boc__load_acq(&boc__rings[i]);
        if (r == NULL) {
            continue;
        }
        if (c->ring[i] != r) {
            c->ring[i] = r;
            c->at[i] = 0;
        }
        bool fresh = c->at[i] == 0; /* a cursor starts at the oldest: what is gone before was never its */
        uint64_t gone = 0;
        got += read_ring(c, r, &c->at[i], out + got, max - got, &gone);
        if (fresh) {
            c->before[i] = gone;
        } else if (lost != NULL) {
            lost[i] += gone;
        }
        if (got == max) {
            c->first = i; /* it may have more: it comes first next time */
        }
    }
    boc__clock_tune(); /* behind the copies: what was read lies before the latest pair, so its times are final */
    boc__ticks_to_times(out, got);
    return got;
}

uint64_t boc_trace_before(const boc_trace_cursor_t *c, uint32_t thread) {
    return thread < BOC__RINGS ? c->before[thread] : 0;
}

void boc__trace_fork_child(void) {
    boc__tally_fork_child();
    boc_trace_clear(); /* what the parent did is the parent's to show */
}
