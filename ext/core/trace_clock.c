/* Ticks and nanoseconds. Ticks are the TSC where the kernel trusts it, else CLOCK_MONOTONIC itself.
 *
 * Knots (ticks, ns) are taken now and then when somebody has copied records; a moment is converted on the line
 * between the two knots around it, one behind the last knot by the ratio of the last second or so. So times agree
 * with CLOCK_MONOTONIC also while that is being slewed. What was once given out stays: before a new knot changes
 * the line behind the last, a knot is set where the line was used up to. So what is read now and what is read later
 * stand in the order of their ticks, but for what is older than some hundred knots.
 */
#include "fork.h"
#include "lock.h"
#include "tracing.h"

#include <string.h>

#define KNOTS 256
#define APART_NS 50000000 /* from a knot to the next, in the long run */

typedef struct {
    int64_t ticks, ns;
} knot_t;

static boc__lock_t lock;
static knot_t knot[KNOTS], first;
static int nknots;
static int64_t used; /* ticks up to which the line was used */
static _Atomic uint64_t ns_per_tick; /* 32.32 fixed point */

/* Between two readings of the TSC, as few ticks as ever were between them, or nearly; false: interrupted each time. */
static bool look(knot_t *out) {
    static int64_t narrowest = INT64_MAX;
    for (int i = 0; i < 10; i++) {
        int64_t a = boc__ticks(), ns = boc__os_now(), b = boc__ticks();
        if (b - a < narrowest) {
            narrowest = b - a;
        }
        if (i >= 2 && b - a <= 2 * narrowest) {
            *out = (knot_t){a + (b - a) / 2, ns};
            return true;
        }
    }
    narrowest *= 2; /* perhaps the core has become slower: nobody may try for ever */
    return false;
}

static uint64_t ratio(knot_t a, knot_t b) {
    return (uint64_t)(((unsigned __int128)(b.ns - a.ns) << 32) / (uint64_t)(b.ticks - a.ticks));
}

/* ns per tick behind knot i; tail: behind the last. */
static uint64_t slope(const knot_t *k, int n, int i, uint64_t tail) {
    return i + 1 < n ? ratio(k[i], k[i + 1]) : tail;
}

static int64_t at(knot_t k, uint64_t slope, int64_t ticks) {
    return k.ns + (int64_t)(((__int128)(ticks - k.ticks) * slope) >> 32);
}

void boc__clock_init(void) {
    boc__lock(&lock);
    if (nknots == 0) {
        boc__tsc = boc__os_has_tsc();
        boc__store_rlx(&ns_per_tick, 1ull << 32);
        if (boc__tsc) {
            knot_t now;
            while (!look(&first)) {
            }
            while (!look(&now) || now.ns - first.ns < 20000) { /* a ratio to 1 %, until it is tuned */
            }
            boc__store_rlx(&ns_per_tick, ratio(first, now));
        }
        knot[nknots++] = first;
    }
    boc__unlock(&lock);
}

static void knot_add(knot_t k) {
    if (nknots == KNOTS) { /* thin out the older half */
        int n = 0;
        for (int i = 0; i < KNOTS; i += i < KNOTS / 2 ? 2 : 1) {
            knot[n++] = knot[i];
        }
        nknots = n;
    }
    knot[nknots++] = k;
}

/* The knot a second before the last, or the earliest: from there the ratio is taken. */
static knot_t second_ago(void) {
    int i = nknots - 1;
    while (i > 0 && knot[nknots - 1].ns - knot[i].ns < 1000000000) {
        i--;
    }
    return knot[i];
}

void boc__clock_tune(void) {
    if (!boc__tsc) {
        return;
    }
    boc__lock(&lock);
    knot_t now, last = knot[nknots - 1];
    int64_t apart = last.ns - first.ns < APART_NS ? last.ns - first.ns : APART_NS; /* at first the ratio is rough */
    if (!look(&now) || now.ticks <= last.ticks || now.ns - last.ns < apart) {
        int64_t ticks = boc__ticks();
        used = ticks > used ? ticks : used;
    } else {
        if (used > last.ticks) {
            knot_t stay = {used, at(last, boc__load_rlx(&ns_per_tick), used)};
            knot_add(stay);
            now.ns = now.ns > stay.ns ? now.ns : stay.ns;
        }
        if (now.ticks > knot[nknots - 1].ticks) {
            knot_add(now);
        }
        knot_t from = second_ago();
        if (knot[nknots - 1].ns > from.ns) {
            boc__store_rlx(&ns_per_tick, ratio(from, knot[nknots - 1]));
        }
        used = knot[nknots - 1].ticks;
    }
    boc__unlock(&lock);
}

int64_t boc__ticks_to_ns(int64_t ticks) {
    if (!boc__tsc) {
        return ticks;
    }
    boc__lock(&lock);
    int i = nknots - 1;
    while (i > 0 && ticks < knot[i].ticks) {
        i--;
    }
    int64_t ns = at(knot[i], slope(knot, nknots, i, boc__load_rlx(&ns_per_tick)), ticks);
    boc__unlock(&lock);
    return ns;
}

/* The same for many: one look at the knots, and a multiplication in place of each division. */
void boc__ticks_to_times(boc_record_t *r, size_t n) {
    if (!boc__tsc) {
        return;
    }
    knot_t copy[KNOTS];
    boc__lock(&lock);
    int count = nknots;
    uint64_t tail = boc__load_rlx(&ns_per_tick);
    memcpy(copy, knot, sizeof *copy * (size_t)count);
    boc__unlock(&lock);
    int was = -1; /* the segment of the record before: most stay in it */
    uint64_t rise = 0;
    for (size_t k = 0; k < n; k++) {
        int64_t ticks = r[k].time;
        int i = was >= 0 && (was == count - 1 || ticks < copy[was + 1].ticks) ? was : count - 1;
        while (i > 0 && ticks < copy[i].ticks) {
            i--;
        }
        if (i != was) {
            was = i;
            rise = slope(copy, count, i, tail);
        }
        r[k].time = at(copy[i], rise, ticks);
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
