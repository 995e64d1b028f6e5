/* Whom to wake, and that one wake-up wakes exactly one: who clears a worker's bit in `idle` has claimed it, and
 * alone wakes it. How a worker falls asleep, and why no wake-up is lost, is in park.c.
 *
 * Waits that look at several things (nothing pending, an event, pinned work) sleep on one word, `pulse`.
 */
#include "wake.h"

#include "tracing.h"

#define WORDS (BOC_MAX_WORKERS / 64)

static _Atomic uint64_t idle[WORDS];

static uint32_t words(void) {
    return (boc__load_rlx(&boc__rt.nworkers) + 63) / 64;
}

bool boc__idle_any(void) {
    for (uint32_t i = 0; i < words(); i++) {
        if (boc__load_acq(&idle[i]) != 0) {
            return true;
        }
    }
    return false;
}

uint32_t boc__idle_pick(void) {
    for (uint32_t i = 0; i < words(); i++) {
        uint64_t w = boc__load_acq(&idle[i]);
        if (w != 0) {
            return i * 64 + (uint32_t)__builtin_ctzll(w) + 1;
        }
    }
    return 0;
}

bool boc__idle_is(uint32_t i) {
    return boc__load_acq(&idle[i / 64]) >> (i % 64) & 1;
}

bool boc__cores_taken(void) {
    uint32_t asleep = 0;
    for (uint32_t i = 0; i < words(); i++) {
        asleep += (uint32_t)__builtin_popcountll(boc__load_rlx(&idle[i]));
    }
    return boc__load_rlx(&boc__rt.nup) >= boc__rt.cores + asleep;
}

/* Of from .. to - 1 the first whose bit is clear, or `to`. */
static uint32_t first_awake(uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i = (i | 63) + 1) {
        uint64_t awake = ~boc__load_acq(&idle[i / 64]) >> (i % 64);
        if (awake != 0) {
            i += (uint32_t)__builtin_ctzll(awake);
            return i < to ? i : to;
        }
    }
    return to;
}

uint32_t boc__awake_pick(uint32_t from, uint32_t n) {
    uint32_t i = first_awake(from, n);
    return i < n ? i : first_awake(0, from);
}

bool boc__brisk(boc_worker_t *w) {
    int64_t since = boc__load_rlx(&w->brisk);
    return since == 1 || (since != 0 && boc__ticks_span(boc__ticks() - since) < BOC__NAP_NS);
}

void boc__idle_set(uint32_t worker) {
    boc__or(&idle[worker / 64], 1ull << (worker % 64));
}

bool boc__idle_claim(uint32_t i) {
    uint64_t bit = 1ull << (i % 64);
    return (boc__load_acq(&idle[i / 64]) & bit) && (boc__and(&idle[i / 64], ~bit) & bit);
}

static void wake(boc_worker_t *w, uint32_t how) {
    boc__store_rel(&w->wake, how);
    boc__os_wake(&w->wake, 1);
    boc__add_rlx(&w->n.unparked, 1);
}

bool boc__wake_worker(boc_worker_t *w) {
    if (!boc__idle_claim(w->index)) {
        return false;
    }
    wake(w, BOC__WOKEN);
    return true;
}

uint32_t boc__idle_of(uint8_t kinds) {
    for (uint32_t i = 0; i < words(); i++) {
        for (uint64_t rest = boc__load_acq(&idle[i]); rest != 0; rest &= rest - 1) {
            uint32_t w = i * 64 + (uint32_t)__builtin_ctzll(rest);
            if (boc__worker(w)->host->kind & kinds) {
                return w + 1;
            }
        }
    }
    return 0;
}

void boc__wake_kinds(uint8_t kinds) {
    for (uint32_t i; (i = boc__idle_of(kinds)) != 0;) {
        if (boc__wake_worker(boc__worker(i - 1))) {
            return;
        }
    }
}

void boc__wake_any(void) {
    if (!boc__idle_any()) {
        return;
    }
    uint32_t none = 0;
    if (boc__load_acq(&boc__rt.searching) != 0 || !boc__cas(&boc__rt.searching, &none, 1)) {
        return;
    }
    for (uint32_t i; (i = boc__idle_pick()) != 0;) {
        if (boc__idle_claim(i - 1)) {
            wake(boc__worker(i - 1), BOC__WOKEN_TO_SEARCH);
            return;
        }
    }
    boc__sub(&boc__rt.searching, 1);
}

void boc__idle_reset(void) {
    for (uint32_t i = 0; i < WORDS; i++) {
        boc__store_rlx(&idle[i], 0);
    }
    boc__store_rlx(&boc__rt.searching, 0);
}

/* ---- waits --------------------------------------------------------------------- */
_Atomic uint32_t boc__pulse_word, boc__pulse_waiters;

void boc__pulse(void) {
    boc__fence(); /* what happened before the look for waiters */
    if (boc__load_seq(&boc__pulse_waiters) != 0) {
        boc__add(&boc__pulse_word, 1);
        boc__os_wake(&boc__pulse_word, UINT32_MAX);
    }
}
