/* Order and exclusion: one cown is a queue, overlapping sets agree, nested behaviors stand behind. */
#include "fixture.h"

#define CHAIN 20000

static uint64_t log_of[CHAIN], logged;

static void note(task_t *t) {
    log_of[logged++] = t->n; /* guarded by the one cown that all of them hold */
}

static void test_one_queue(void) {
    test_start(2);
    boc_cown_t *c = cown();
    logged = 0;
    for (uint64_t i = 0; i < CHAIN; i++) {
        when1(note, NULL, i, c, BOC_WRITE);
    }
    test_wait();
    CHECK_EQ(logged, CHAIN);
    for (uint64_t i = 0; i < CHAIN; i++) {
        CHECK_EQ(log_of[i], i);
    }
    CHECK(boc_cown_idle(c));
    boc_cown_release(c);
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* Random pairs and triples over few cowns; a counter per cown that only its holder touches. */
static uint64_t seen[8];
static uint64_t expected[8];

static void count_all(task_t *t) {
    for (uint32_t i = 0; i < t->b->nreq; i++) {
        uint64_t *k = t->b->req[i].cown->value.u.buf.n ? (uint64_t *)(uintptr_t)t->b->req[i].cown->value.u.buf.n : NULL;
        if (k != NULL) {
            ++*k;
        }
    }
}

static void test_overlap(void) {
    test_start(3);
    boc_cown_t *c[8];
    memset(seen, 0, sizeof seen);
    memset(expected, 0, sizeof expected);
    for (int i = 0; i < 8; i++) {
        c[i] = cown();
        c[i]->value.u.buf.n = (uint64_t)(uintptr_t)&seen[i];
    }
    uint32_t r = 1;
    for (int i = 0; i < 20000; i++) {
        boc_cown_t *set[4];
        uint32_t n = 1 + (r >> 8) % 4;
        uint32_t mask = 0;
        for (uint32_t k = 0; k < n; k++) {
            r = r * 1664525 + 1013904223;
            uint32_t j = (r >> 10) % 8;
            set[k] = c[j]; /* duplicates are one request */
            mask |= 1u << j;
        }
        for (int j = 0; j < 8; j++) {
            expected[j] += mask >> j & 1;
        }
        when(count_all, NULL, 0, n, set);
    }
    test_wait();
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(seen[i], expected[i]);
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* A behavior that schedules the next on the same cown, a long way. */
static void chain(task_t *t) {
    if (t->n > 0) {
        when1(chain, t->arg, t->n - 1, t->b->req[0].cown, BOC_WRITE);
    } else {
        *(uint64_t *)t->arg += 1;
    }
}

static void test_chains(void) {
    test_start(2);
    uint64_t ended[8] = {0};
    boc_cown_t *c[8];
    for (int i = 0; i < 8; i++) {
        c[i] = cown();
        when1(chain, &ended[i], 5000, c[i], BOC_WRITE);
    }
    test_wait();
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(ended[i], 1);
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_ran, 8 * 5001);
    CHECK_EQ(test_dropped, 8 * 5001);
    test_stop();
}

/* Results: held from birth, so what is scheduled on one runs behind its maker. */
static void after(task_t *t) {
    CHECK_EQ(*(uint64_t *)t->arg, t->n);
}

static void make(task_t *t) {
    work_ns(1000);
    *(uint64_t *)t->arg = t->n;
}

static void test_results(void) {
    test_start(2);
    static uint64_t cell[2000];
    for (uint64_t i = 0; i < 2000; i++) {
        boc_cown_t *r = boc_cown_new(BOC_COWN_RESULT);
        test_cowns++;
        boc_behavior_t *b = task_new(1, make, &cell[i], i + 1);
        b->flags = BOC_B_RESULT;
        boc_request_set(b, 0, r, 0, BOC_WRITE);
        CHECK_EQ(b->id, r->id);
        CHECK_EQ(boc_schedule(b, 0), BOC_OK);
        when1(after, &cell[i], i + 1, r, i % 2 ? BOC_READ : BOC_WRITE);
        boc_cown_release(r);
    }
    test_wait();
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* A thousand cowns in one set, given in reverse, some twice. */
static void hold_many(task_t *t) {
    CHECK_EQ(t->b->nreq, 1000);
    ++*(uint64_t *)t->arg;
}

static void test_many(void) {
    test_start(2);
    static boc_cown_t *c[1200];
    uint64_t ran = 0;
    for (int i = 0; i < 1000; i++) {
        c[i] = cown();
    }
    for (int i = 0; i < 200; i++) {
        c[1000 + i] = c[i * 3];
    }
    for (int i = 0; i < 20; i++) {
        boc_cown_t *swap = c[i];
        c[i] = c[999 - i];
        c[999 - i] = swap;
        when(hold_many, &ran, 0, 1200, c);
    }
    test_wait();
    CHECK_EQ(ran, 20);
    for (int i = 0; i < 1000; i++) {
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

int main(void) {
    test_one_queue();
    test_overlap();
    test_chains();
    test_results();
    test_many();
    return 0;
}
