/* Readers: together, behind writers in order, never beside a writer (the host checks that in every body). */
#include "fixture.h"

#include "platform.h"

static _Atomic uint32_t inside, most, go;

static void meet(task_t *t) {
    (void)t;
    uint32_t n = atomic_fetch_add(&inside, 1) + 1;
    if (n > most) {
        most = n;
    }
    while (atomic_load(&go) == 0) { /* all of them are inside before any leaves */
        boc__os_yield();
        if (atomic_load(&inside) == 3) {
            atomic_store(&go, 1);
        }
    }
}

static void test_together(void) {
    test_start(3);
    boc_cown_t *c = cown();
    inside = most = go = 0;
    for (int i = 0; i < 3; i++) {
        when1(meet, NULL, 0, c, BOC_READ);
    }
    test_wait();
    CHECK_EQ(inside, 3);
    boc_cown_release(c);
    test_stop();
}

/* Writers append their number; readers see exactly the writers before them. */
static uint64_t written;

static void write_next(task_t *t) {
    CHECK_EQ(written, t->n);
    written++;
}

static void read_now(task_t *t) {
    CHECK_EQ(written, t->n);
}

static void test_order(void) {
    test_start(3);
    boc_cown_t *c = cown();
    written = 0;
    uint64_t writers = 0;
    uint32_t r = 7;
    for (int i = 0; i < 30000; i++) {
        r = r * 1664525 + 1013904223;
        if (r >> 30) {
            when1(read_now, NULL, writers, c, BOC_READ);
        } else {
            when1(write_next, NULL, writers++, c, BOC_WRITE);
        }
    }
    test_wait();
    CHECK_EQ(written, writers);
    CHECK(boc_cown_idle(c));
    boc_cown_release(c);
    test_stop();
}

static void nothing(task_t *t) {
    (void)t;
}

/* Sets of several cowns, each read or written, some given twice: a write wins. */
static void spread(task_t *t) {
    if (t->n > 0) {
        uint32_t r = (uint32_t)t->n * 2654435761u + (uint32_t)(uintptr_t)t->b;
        boc_cown_t **c = t->arg;
        boc_behavior_t *b = task_new(3, spread, c, t->n - 1);
        for (uint32_t i = 0; i < 3; i++) {
            boc_request_set(b, i, c[(r >> (5 * i)) % 5], (uint16_t)i, r >> (20 + i) & 1);
        }
        CHECK_EQ(boc_schedule(b, t->b->id), BOC_OK);
        when1(nothing, NULL, 0, c[(r >> 16) % 5], BOC_READ);
    }
}

static void test_mixed(void) {
    test_start(3);
    boc_cown_t *c[5];
    for (int i = 0; i < 5; i++) {
        c[i] = cown();
    }
    for (int i = 0; i < 6; i++) {
        when1(spread, c, 3000, c[i % 5], i % 2 ? BOC_READ : BOC_WRITE);
    }
    test_wait();
    for (int i = 0; i < 5; i++) {
        CHECK(boc_cown_idle(c[i]));
        CHECK_EQ(c[i]->readers, 0);
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* Values that one reader at a time can have: the host checks that they read alone, and no set of them locks another. */
static void flip(task_t *t) {
    boc_cown_t *c = t->arg;
    c->value.flags ^= BOC_VALUE_ALONE; /* a writer may change its mind */
}

static void test_turns(void) {
    test_start(3);
    boc_cown_t *c[5];
    for (int i = 0; i < 5; i++) {
        c[i] = cown();
        c[i]->value.flags = i < 4 ? BOC_VALUE_ALONE : 0;
    }
    uint32_t r = 3;
    for (int i = 0; i < 20000; i++) {
        r = r * 1664525 + 1013904223;
        boc_behavior_t *b = task_new(3, nothing, NULL, 0);
        for (uint32_t k = 0; k < 3; k++) {
            boc_request_set(b, k, c[(r >> (8 + 5 * k)) % 5], (uint16_t)k, BOC_READ);
        }
        CHECK_EQ(boc_schedule(b, 0), BOC_OK);
        if (r >> 28 == 0) {
            when1(flip, c[i % 5], 0, c[i % 5], BOC_WRITE);
        }
    }
    test_wait();
    for (int i = 0; i < 5; i++) {
        CHECK(boc_cown_idle(c[i]));
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

int main(void) {
    test_together();
    test_order();
    test_mixed();
    test_turns();
    return 0;
}
