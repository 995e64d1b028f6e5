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

static void record_of(boc__slot_t *s, boc_record_t *out) {
    uint64_t w = atomic_load_explicit(&s->w[3], memory_order_relaxed);
    out->time = (int64_t)atomic_load_explicit(&s->w[0], memory_order_relaxed);
    out->subject = atomic_load_explicit(&s->w[1], memory_order_relaxed);
    out->other = atomic_load_explicit(&s->w[2], memory_order_relaxed);
    out->seq = (uint32_t)w;
    out->kind = (uint8_t)(w >> 32);
    out->flags = (uint8_t)(w >> 40);
    out->thread = (uint16_t)(w >> 48);
}

/* Oldest record that a ring still holds whole, or that was not cleared. */
static uint64_t oldest(boc__ring_t *r, uint64_t claim) {
    uint64_t size = r->mask + 1;
    return claim > size ? claim - size : 0;
}

static size_t read_ring(boc__ring_t *r, uint64_t *at, boc_record_t *out, size_t max, uint64_t *lost) {
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
    n = n < max ? n : max;
    for (uint64_t i = 0; i < n; i++) {
        record_of(&r->slot[(from + i) & r->mask], &out[i]);
    }
    boc__fence_acq(); /* the copies before the look at claim */
    keep = oldest(r, boc__load_acq(&r->claim));
    uint64_t gone = keep > from ? keep - from : 0;
    gone = gone < n ? gone : n;
    if (gone != 0) {
        *lost += gone;
        memmove(out, out + gone, (n - gone) * sizeof *out);
    }
    *at = from + n;
    return (size_t)(n - gone);
}

size_t boc_trace_read(boc_trace_cursor_t *c, boc_record_t *out, size_t max, uint64_t *lost) {
    size_t got = 0;
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
        size_t n = read_ring(r, &c->at[i], out + got, max - got, &gone);
        if (fresh) {
            c->before[i] = gone;
        } else if (lost != NULL) {
            lost[i] += gone;
        }
        got += n;
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
