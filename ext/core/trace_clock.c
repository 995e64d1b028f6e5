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
    uint64_t slope; /* ns per tick behind it, 32.32 fixed point: what was used once is kept, to the bit */
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
            *out = (knot_t){a + (b - a) / 2, ns, 0};
            return true;
        }
    }
    narrowest *= 2; /* perhaps the core has become slower: nobody may try for ever */
    return false;
}

static uint64_t ratio(knot_t a, knot_t b) {
    return (uint64_t)(((unsigned __int128)(b.ns - a.ns) << 32) / (uint64_t)(b.ticks - a.ticks));
}

static int64_t at(knot_t k, int64_t ticks) {
    return k.ns + (int64_t)(((__int128)(ticks - k.ticks) * k.slope) >> 32);
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
        first.slope = boc__load_rlx(&ns_per_tick);
        knot[nknots++] = first;
    }
    boc__unlock(&lock);
}

static void knot_add(knot_t k) {
    if (nknots == KNOTS) { /* thin out the older half */
        int n = 0;
        for (int i = 0; i < KNOTS; i += i < KNOTS / 2 ? 2 : 1) {
            knot[n] = knot[i];
            if (i < KNOTS / 2) {
                knot[n].slope = ratio(knot[i], knot[i + 2]);
            }
            n++;
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
            knot_add((knot_t){used, at(last, used), 0});
        }
        knot_t *from = &knot[nknots - 1];
        if (now.ticks > from->ticks) {
            now.ns = now.ns > from->ns ? now.ns : from->ns;
            from->slope = ratio(*from, now);
            knot_add(now);
        }
        knot_t ago = second_ago(), *end = &knot[nknots - 1];
        if (end->ns > ago.ns) {
            boc__store_rlx(&ns_per_tick, ratio(ago, *end));
        }
        end->slope = boc__load_rlx(&ns_per_tick);
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
    int64_t ns = at(knot[i], ticks);
    boc__unlock(&lock);
    return ns;
}

/* The same for many, with one look at the knots. */
void boc__ticks_to_times(boc_record_t *r, size_t n) {
    if (!boc__tsc) {
        return;
    }
    knot_t copy[KNOTS];
    boc__lock(&lock);
    int count = nknots;
    memcpy(copy, knot, sizeof *copy * (size_t)count);
    boc__unlock(&lock);
    int i = count - 1; /* of the record before: most stay in its segment */
    for (size_t k = 0; k < n; k++) {
        int64_t ticks = r[k].time;
        if (i + 1 < count && ticks >= copy[i + 1].ticks) {
            i = count - 1;
        }
        while (i > 0 && ticks < copy[i].ticks) {
            i--;
        }
        r[k].time = at(copy[i], ticks);
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
