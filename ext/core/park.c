/* Idle workers: who sleeps, whom to wake, and that no wake-up is lost.
 *
 * A worker that finds nothing sets its bit in `idle`, looks at everything once more, and sleeps on its own
 * word. Who clears the bit has claimed it: it alone wakes that worker, so one wake-up wakes exactly one.
 *
 * Why none is lost. Pusher: puts the work, full fence, reads `searching` and `idle`. Worker: leaves
 * `searching`, sets its bit, (both full fences) looks at all queues. Whichever fence comes second sees the
 * other's store: the pusher sees the bit, or the worker sees the work. While somebody searches nobody is
 * woken, since a searcher looks at everything again after it has left `searching`; and the last searcher
 * that finds something wakes another in its place.
 */
#include "internal.h"

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

uint32_t boc__idle_pick(uint32_t from) {
    uint32_t n = words();
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = (from / 64 + k) % n;
        uint64_t w = boc__load_acq(&idle[i]);
        if (w != 0) {
            uint64_t later = w & (~0ull << (from % 64));
            return i * 64 + (uint32_t)__builtin_ctzll(k == 0 && later != 0 ? later : w) + 1;
        }
    }
    return 0;
}

static bool claim(uint32_t i) {
    uint64_t bit = 1ull << (i % 64);
    return (boc__load_acq(&idle[i / 64]) & bit) && (boc__and(&idle[i / 64], ~bit) & bit);
}

enum { ASLEEP = 0, WOKEN = 1, WOKEN_TO_SEARCH = 2 };

static void wake(boc_worker_t *w, uint32_t how) {
    boc__store_rel(&w->wake, how);
    boc__os_wake(&w->wake, 1);
    boc__add_rlx(&w->n.unparked, 1);
}

bool boc__wake_worker(boc_worker_t *w) {
    if (!claim(w->index)) {
        return false;
    }
    wake(w, WOKEN);
    return true;
}

void boc__wake_any(void) {
    if (!boc__idle_any()) {
        return;
    }
    uint32_t none = 0;
    if (boc__load_acq(&boc__rt.searching) != 0 || !boc__cas(&boc__rt.searching, &none, 1)) {
        return;
    }
    for (uint32_t i; (i = boc__idle_pick(0)) != 0;) {
        if (claim(i - 1)) {
            wake(boc__worker(i - 1), WOKEN_TO_SEARCH);
            return;
        }
    }
    boc__sub(&boc__rt.searching, 1);
}

/* The caller searches no more. Returns with w->searching set if there is work, or if whoever woke it counted it
   as a searcher. */
void boc__park(boc_worker_t *w) {
    uint64_t bit = 1ull << (w->index % 64);
    boc__store_rlx(&w->wake, ASLEEP);
    boc__or(&idle[w->index / 64], bit);
    if (boc__work_somewhere(w)) {
        if (claim(w->index)) {
            boc__add(&boc__rt.searching, 1); /* there is work: look for it, however many do already */
            w->searching = true;
            return;
        }
    } else {
        boc__quiesce_look();
    }
    boc__thread_t *t = w->thread;
    const boc_host_t *host = boc__rt.host;
    if (host->park != NULL) {
        host->park(w->index);
    }
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_park, 0, 0, 0, 0);
    }
    boc__count_up(&w->n.parked);
    uint32_t how;
    while ((how = boc__load_acq(&w->wake)) == ASLEEP) {
        boc__os_wait(&w->wake, ASLEEP, -1);
    }
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_unpark, 0, 0, 0, 0);
    }
    if (host->unpark != NULL) {
        host->unpark(w->index);
    }
    w->searching = how == WOKEN_TO_SEARCH;
}

void boc__park_reset(void) {
    for (uint32_t i = 0; i < WORDS; i++) {
        boc__store_rlx(&idle[i], 0);
    }
    boc__store_rlx(&boc__rt.searching, 0);
}

/* ---- a lock for rare things ----------------------------------------------------- */
void boc__lock(boc__lock_t *l) {
    uint32_t s = 0;
    if (boc__cas(&l->word, &s, 1)) {
        return;
    }
    while (boc__swap(&l->word, 2) != 0) { /* 2: somebody sleeps */
        boc__os_wait(&l->word, 2, -1);
    }
}

void boc__unlock(boc__lock_t *l) {
    if (boc__swap(&l->word, 0) == 2) {
        boc__os_wake(&l->word, 1);
    }
}
