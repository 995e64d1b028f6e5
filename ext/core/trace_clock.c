/* Ticks and nanoseconds. Ticks are the TSC where the kernel trusts it, else CLOCK_MONOTONIC itself.
 *
 * Pairs (ticks, ns) are taken when somebody reads the trace; a moment is converted on the line between the two
 * pairs around it, the latest pair moves along until it is a second from the one before. So times agree with
 * CLOCK_MONOTONIC also while that is being slewed. A duration uses the last known ratio.
 */
#include "fork.h"
#include "lock.h"
#include "tracing.h"

#include <string.h>

#define PAIRS 256

typedef struct {
    int64_t ticks, ns;
} pair_t;

static boc__lock_t lock;
static pair_t pair[PAIRS];
static int npairs;
static _Atomic uint64_t ns_per_tick; /* 32.32 fixed point */

static pair_t pair_now(void) {
    pair_t best = {0, 0};
    int64_t narrow = INT64_MAX;
    for (int i = 0; i < 3; i++) { /* the try with the least between the two readings of the TSC */
        int64_t a = boc__ticks(), ns = boc__os_now(), b = boc__ticks();
        if (b - a < narrow) {
            narrow = b - a;
            best = (pair_t){a + (b - a) / 2, ns};
        }
    }
    return best;
}

static void ratio_set(pair_t a, pair_t b) {
    if (b.ticks > a.ticks) {
        boc__store_rlx(&ns_per_tick, (uint64_t)(((unsigned __int128)(b.ns - a.ns) << 32) / (uint64_t)(b.ticks - a.ticks)));
    }
}

void boc__clock_init(void) {
    boc__lock(&lock);
    if (npairs == 0) {
        boc__tsc = boc__os_has_tsc();
        if (boc__tsc) {
            pair[0] = pair_now();
            while (boc__os_now() - pair[0].ns < 20000) { /* enough for a ratio to 1 %, until the first tuning */
            }
            pair[1] = pair_now();
            ratio_set(pair[0], pair[1]);
        } else {
            pair[1] = (pair_t){1, 1};
            boc__store_rlx(&ns_per_tick, 1ull << 32);
        }
        npairs = 2;
    }
    boc__unlock(&lock);
}

void boc__clock_tune(void) {
    if (!boc__tsc) {
        return;
    }
    boc__lock(&lock);
    pair_t now = pair_now();
    if (now.ns - pair[npairs - 2].ns > 1000000000) {
        if (npairs == PAIRS) { /* thin out what is long ago */
            for (int i = 1; i < PAIRS / 2; i++) {
                pair[i] = pair[2 * i];
            }
            npairs = PAIRS / 2;
        }
        pair[npairs++] = now;
    } else {
        pair[npairs - 1] = now;
    }
    ratio_set(pair[npairs - 2], pair[npairs - 1]);
    boc__unlock(&lock);
}

int64_t boc__ticks_to_ns(int64_t ticks) {
    if (!boc__tsc) {
        return ticks;
    }
    boc__lock(&lock);
    int i = npairs - 2;
    while (i > 0 && ticks < pair[i].ticks) {
        i--;
    }
    pair_t a = pair[i], b = pair[i + 1];
    boc__unlock(&lock);
    __int128 span = (__int128)(ticks - a.ticks) * (b.ns - a.ns);
    return a.ns + (int64_t)(span / (b.ticks - a.ticks));
}

/* The same for many: one look at the pairs, and a multiplication in place of each division. */
void boc__ticks_to_times(boc_record_t *r, size_t n) {
    if (!boc__tsc) {
        return;
    }
    pair_t copy[PAIRS];
    boc__lock(&lock);
    int count = npairs;
    memcpy(copy, pair, sizeof *copy * (size_t)count);
    boc__unlock(&lock);
    int at = -1; /* the segment of the record before: most stay in it */
    uint64_t ratio = 0;
    for (size_t k = 0; k < n; k++) {
        int64_t ticks = r[k].time;
        int i = at >= 0 && (at == count - 2 || ticks < copy[at + 1].ticks) ? at : count - 2;
        while (i > 0 && ticks < copy[i].ticks) {
            i--;
        }
        if (i != at) {
            at = i;
            ratio = (uint64_t)(((unsigned __int128)(copy[i + 1].ns - copy[i].ns) << 32) /
                               (uint64_t)(copy[i + 1].ticks - copy[i].ticks));
        }
        r[k].time = copy[i].ns + (int64_t)(((__int128)(ticks - copy[i].ticks) * ratio) >> 32);
    }
}

int64_t boc__ticks_span(int64_t ticks) {
    return (int64_t)(((__int128)ticks * boc__load_rlx(&ns_per_tick)) >> 32);
}

int64_t boc__ns_to_ticks(int64_t ns) {
    uint64_t ratio = boc__load_rlx(&ns_per_tick);
    return ratio != 0 ? (int64_t)(((__int128)ns << 32) / ratio) : ns;
}

void boc__clock_fork_child(void) {
    boc__store_rlx(&lock.word, 0);
}
