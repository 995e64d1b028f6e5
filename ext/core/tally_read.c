/* Exact counters by name: their sums, and how they stood when nothing was pending. Writing: tally.h.
 *
 * A mark keeps the sums of a moment when nothing was pending: between two marks lies a run. The first mark is the
 * beginning; of the others the latest are kept.
 */
#include "fork.h"
#include "lock.h"
#include "tally.h"
#include "tracing.h"

#include <stdlib.h>
#include <string.h>

#define MARKS 32u

static boc__lock_t lock; /* of the marks */
static boc_tally_t kept[MARKS];
static uint32_t nkept;

/* ---- sums --------------------------------------------------------------------------------- */
typedef struct {
    uint64_t n, ticks, open, used;
} sums_t;

static sums_t row_of(boc__tally_row_t *r) {
    return (sums_t){boc__load_rlx(&r->n), boc__load_rlx(&r->ticks), boc__load_rlx(&r->open), boc__load_rlx(&r->used)};
}

/* Adds the holdings of one tally, of a moment. */
static void holdings_of(boc__tally_t *y, sums_t *sum, sums_t *look, uint32_t names) {
    uint64_t version;
    do {
        boc__spin_until(((version = boc__load_acq(&y->version)) & 1) == 0);
        for (uint32_t i = 0; i < names; i++) {
            look[i] = row_of(&y->cown[i]);
        }
        boc__fence_acq(); /* the words before the second look */
    } while (boc__load_rlx(&y->version) != version);
    for (uint32_t i = 0; i < names; i++) {
        sum[i].n += look[i].n;
        sum[i].ticks += look[i].ticks;
        sum[i].open += look[i].open;
        sum[i].used += look[i].used;
    }
}

static bool put(boc_tally_t *out, uint32_t *room, boc_tally_row_t row) {
    if (out->n == *room) {
        uint32_t more = *room != 0 ? *room * 2 : 64;
        boc_tally_row_t *rows = realloc(out->row, more * sizeof *rows);
        if (rows == NULL) {
            return false;
        }
        out->row = rows;
        *room = more;
    }
    out->row[out->n++] = row;
    return true;
}

static bool bodies(boc_tally_t *out, uint32_t *room, boc__tally_t *y, uint32_t thread, uint32_t names) {
    for (uint32_t i = 0; i < names; i++) {
        sums_t s = row_of(&y->body[i]);
        if ((s.n != 0 || s.open != 0) &&
            !put(out, room, (boc_tally_row_t){i, (uint16_t)thread, BOC_TALLY_BODY, 0, s.n,
                                              boc__ticks_span((int64_t)s.ticks), (int64_t)s.open, 0})) {
            return false;
        }
    }
    return true;
}

static bool read_all(boc_tally_t *out) {
    uint32_t names = boc_name_count(), room = 0, mark = boc__load_acq(&boc__tally_marks);
    names = names < BOC__TALLY_NAMES ? names : BOC__TALLY_NAMES;
    sums_t *sum = calloc(2 * (size_t)names, sizeof *sum);
    *out = (boc_tally_t){.first = -1};
    bool done = sum != NULL;
    boc__clock_tune(); /* the sums are long: a rough ratio would show */
    for (boc__thread_t *t = boc__thread_all(); done && t != NULL; t = t->all) {
        boc__tally_t *y = boc__load_acq(&t->tally);
        if (y == NULL) {
            continue;
        }
        done = bodies(out, &room, y, t->index, names);
        holdings_of(y, sum, sum + names, names);
        if (boc__load_acq(&y->mark) == mark) {
            int64_t first = boc__ticks_to_ns(boc__load_rlx(&y->first));
            out->first = out->first < 0 || first < out->first ? first : out->first;
        }
    }
    if (done) {
        holdings_of(&boc__tally_shared, sum, sum + names, names);
    }
    int64_t now = boc__ticks();
    out->time = boc__ticks_to_ns(now);
    for (uint32_t i = 0; done && i < names; i++) {
        int64_t held = (int64_t)(sum[i].ticks + sum[i].open * (uint64_t)now);
        if (sum[i].n != 0 || held != 0) {
            done = put(out, &room, (boc_tally_row_t){i, UINT16_MAX, BOC_TALLY_COWN, 0, sum[i].n,
                                                     boc__ticks_span(held > 0 ? held : 0), (int64_t)sum[i].open,
                                                     boc__ticks_span((int64_t)sum[i].used)});
        }
    }
    free(sum);
    if (!done) {
        boc_tally_free(out);
    }
    return done;
}

void boc_tally_free(boc_tally_t *y) {
    free(y->row);
    *y = (boc_tally_t){.first = -1};
}

/* ---- marks -------------------------------------------------------------------------------- */
static uint64_t ended(const boc_tally_t *y) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < y->n; i++) {
        n += y->row[i].kind == BOC_TALLY_BODY ? y->row[i].n : 0;
    }
    return n;
}

/* Under the lock, as what follows. The first mark is the beginning of all. */
static void begin(void) {
    if (nkept == 0) {
        kept[nkept++] = (boc_tally_t){.first = -1};
    }
}

static void keep(boc_tally_t y) {
    begin();
    if (nkept == MARKS) {
        boc_tally_free(&kept[1]); /* the beginning stays */
        memmove(&kept[1], &kept[2], (MARKS - 2) * sizeof *kept);
        nkept--;
    }
    kept[nkept++] = y;
    boc__store_rel(&boc__tally_marks, boc__load_rlx(&boc__tally_marks) + 1);
}

void boc_tally_raised(uint32_t name) {
    boc__thread_t *t = boc__me();
    boc__tally_t *y = boc__load_rlx(&t->tally);
    if (y != NULL && boc__tracing(t)) {
        boc__tally_add(&y->body[boc__tally_at(name)].open, 1);
    }
}

void boc_tally_mark(void) {
    boc_tally_t now;
    boc__clock_init();
    boc__lock(&lock);
    if (read_all(&now)) {
        if (ended(&now) != (nkept != 0 ? ended(&kept[nkept - 1]) : 0)) {
            keep(now);
        } else {
            boc_tally_free(&now);
        }
    }
    boc__unlock(&lock);
}

uint32_t boc_tally_read(boc_tally_t *out, uint32_t max) {
    uint32_t n = 0;
    boc__clock_init();
    boc__lock(&lock);
    begin();
    for (uint32_t i = 0; i < nkept && n + 1 < max; i++) {
        out[n] = kept[i];
        out[n].row = malloc((size_t)(kept[i].n + 1) * sizeof *kept[i].row);
        if (out[n].row == NULL) {
            continue;
        }
        for (uint32_t k = 0; k < kept[i].n; k++) {
            out[n].row[k] = kept[i].row[k];
        }
        n++;
    }
    n += read_all(&out[n]);
    boc__unlock(&lock);
    return n;
}

static void forget(void) {
    while (nkept != 0) {
        boc_tally_free(&kept[--nkept]);
    }
    if (read_all(&kept[0])) {
        nkept = 1;
        boc__store_rel(&boc__tally_marks, boc__load_rlx(&boc__tally_marks) + 1);
    }
}

void boc__tally_clear(void) {
    boc__clock_init();
    boc__lock(&lock);
    forget();
    boc__unlock(&lock);
}

/* What the parent did is the parent's to show, and who wrote its tallies is gone. */
void boc__tally_fork_child(void) {
    boc__store_rlx(&lock.word, 0);
    boc__tally_unlock();
    uint32_t names = boc_name_count();
    names = names < BOC__TALLY_NAMES ? names : BOC__TALLY_NAMES;
    for (boc__thread_t *t = boc__thread_all(); t != NULL; t = t->all) {
        boc__tally_t *y = boc__load_rlx(&t->tally);
        if (y != NULL) {
            boc__store_rlx(&y->version, 0);
            memset(y->body, 0, names * sizeof *y->body);
            memset(y->cown, 0, names * sizeof *y->cown);
        }
    }
    memset(&boc__tally_shared, 0, sizeof boc__tally_shared);
    while (nkept != 0) {
        boc_tally_free(&kept[--nkept]);
    }
}
