/* Batches: nothing comes between their behaviors on any shared cown; results can be used inside. */
#include "fixture.h"

#define ROUNDS 3000

static uint32_t trail[3][ROUNDS * 16];
static uint32_t length[3];

typedef struct {
    boc_cown_t *c[3];
} shared_t;

/* arg: which batch, n: cowns as a mask. Each body leaves its batch's number on the cowns it holds. */
static void leave_mark(task_t *t) {
    for (uint32_t i = 0; i < 3; i++) {
        if (t->n >> i & 1) {
            trail[i][length[i]++] = (uint32_t)(uintptr_t)t->arg;
        }
    }
}

static void add(boc_behavior_t **b, uint32_t k, shared_t *s, uint32_t batch, uint32_t mask) {
    uint32_t n = 0;
    b[k] = task_new((uint32_t)__builtin_popcount(mask), leave_mark, (void *)(uintptr_t)batch, mask);
    for (uint32_t i = 0; i < 3; i++) {
        if (mask >> i & 1) {
            boc_request_set(b[k], n++, s->c[2 - i == 0 ? 2 : i], 0, BOC_WRITE);
        }
    }
}

static void schedule_batches(task_t *t) {
    shared_t *s = t->arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        boc_behavior_t *b[4];
        uint32_t batch = (uint32_t)(t->n * ROUNDS) + i;
        add(b, 0, s, batch, 1);
        add(b, 1, s, batch, 6);
        add(b, 2, s, batch, 3);
        add(b, 3, s, batch, 4);
        CHECK_EQ(boc_schedule_batch(b, 4, t->b->id), BOC_OK);
    }
}

static void test_never_interleave(void) {
    test_start(3);
    shared_t s = {{cown(), cown(), cown()}};
    memset(length, 0, sizeof length);
    for (uint64_t i = 0; i < 2; i++) {
        when(schedule_batches, &s, i, 0, NULL);
    }
    test_wait();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(length[i], 2 * ROUNDS * 2);
        for (uint32_t k = 0; k < length[i]; k += 2) { /* two behaviors of each batch on each cown */
            CHECK_EQ(trail[i][k], trail[i][k + 1]);
            CHECK_EQ(trail[i][k], trail[0][k]); /* and the batches in one order on all */
        }
        boc_cown_release(s.c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

static uint64_t steps[3];

static void step(task_t *t) {
    steps[t->n] = t->n == 0 ? 1 : steps[t->n - 1] + 1;
}

/* A result scheduled in the batch is an argument of the next in the same batch, read and written. */
static void test_results_inside(void) {
    test_start(2);
    for (int round = 0; round < 500; round++) {
        boc_behavior_t *b[3];
        boc_cown_t *r[3];
        memset(steps, 0, sizeof steps);
        for (uint32_t i = 0; i < 3; i++) {
            r[i] = boc_cown_new(BOC_COWN_RESULT);
            test_cowns++;
            b[i] = task_new(i == 0 ? 1 : 2, step, NULL, i);
            b[i]->flags = BOC_B_RESULT;
            if (i > 0) {
                boc_request_set(b[i], 0, r[i - 1], 0, i == 1 ? BOC_READ : BOC_WRITE);
            }
            boc_request_move(b[i], i == 0 ? 0 : 1, r[i], 1, BOC_WRITE);
        }
        CHECK_EQ(boc_schedule_batch(b, 3, 0), BOC_OK);
        test_wait();
        CHECK_EQ(steps[2], 3);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

static _Atomic uint64_t reads;

static void read_one(task_t *t) {
    (void)t;
    reads++;
}

/* Readers chained inside a batch, behind readers that are active, behind a writer. */
static void test_readers(void) {
    test_start(3);
    boc_cown_t *c = cown();
    reads = 0;
    for (int round = 0; round < 3000; round++) {
        boc_behavior_t *b[5];
        for (int i = 0; i < 5; i++) {
            b[i] = task_new(1, read_one, NULL, 0);
            boc_request_set(b[i], 0, c, 0, i == 3 && round % 3 == 0 ? BOC_WRITE : BOC_READ);
        }
        CHECK_EQ(boc_schedule_batch(b, 5, 0), BOC_OK);
        when1(read_one, NULL, 0, c, round % 5 == 0 ? BOC_WRITE : BOC_READ);
    }
    test_wait();
    CHECK_EQ(reads, 3000 * 6);
    CHECK(boc_cown_idle(c));
    boc_cown_release(c);
    test_stop();
}

int main(void) {
    test_never_interleave();
    test_results_inside();
    test_readers();
    return 0;
}
