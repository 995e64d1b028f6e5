/* Fairness, by structure, not by time: one worker, bodies note their order. The bound is W1 in worker.c. */
#include "fixture.h"

#include "platform.h"

#define IN_A_ROW 8u
#define TICK 64u

static _Atomic uint64_t starts; /* one worker: no two bodies at once */
static _Atomic uint64_t started_at;

static void mark(task_t *t) {
    (void)t;
    started_at = ++starts;
}

static _Atomic bool stop_chain;

/* Runs for ever by itself, always from the pending slot. */
static void endless(task_t *t) {
    starts++;
    if (!stop_chain) {
        when1(endless, NULL, 0, t->b->req[0].cown, BOC_WRITE);
    }
}

static void put_both(task_t *t) {
    boc_cown_t **c = t->arg;
    starts = 0;
    when1(endless, NULL, 0, c[0], BOC_WRITE); /* ready at once: into the lane */
    when1(mark, NULL, 0, c[1], BOC_WRITE);    /* behind it */
}

static void wait_mark(void) {
    int64_t end = boc_now() + 10000000000;
    while (started_at == 0) {
        CHECK(boc_now() < end);
        boc__os_yield();
    }
}

static void test_pending_is_bounded(void) {
    test_start(1);
    boc_cown_t *c[2] = {cown(), cown()};
    stop_chain = false;
    started_at = 0;
    when(put_both, c, 0, 0, NULL);
    wait_mark();
    stop_chain = true;
    test_wait();
    CHECK(started_at > 2); /* the slot does run ahead of the lane */
    CHECK(started_at <= IN_A_ROW + 2);
    boc_cown_release(c[0]);
    boc_cown_release(c[1]);
    test_stop();
}

/* n chains keep the lane full by itself; what main posts to the inbox is still admitted. */
static void rotate(task_t *t) {
    (void)t;
    starts++;
    if (!stop_chain) {
        when(rotate, NULL, 0, 0, NULL); /* no cown: into the lane, never the pending slot */
    }
}

static uint64_t posted_at;

static void mark_posted(task_t *t) {
    (void)t;
    started_at = starts;
}

static void post_from_main(uint32_t chains) {
    test_start(1);
    stop_chain = false;
    starts = 0;
    started_at = 0;
    for (uint32_t i = 0; i < chains; i++) {
        when(rotate, NULL, 0, 0, NULL);
    }
    while (starts < 10000) {
        boc__os_yield();
    }
    when(mark_posted, NULL, 0, 0, NULL);
    posted_at = starts; /* it was posted before this was read */
    wait_mark();
    stop_chain = true;
    test_wait();
    CHECK(started_at <= posted_at + 2 * chains + TICK + 2);
    test_stop();
}

/* More than the ring holds: still first in, first out. */
static uint64_t expect;

static void in_turn(task_t *t) {
    CHECK_EQ(t->n, expect);
    expect++;
}

static void put_many(task_t *t) {
    for (uint64_t i = 0; i < t->n; i++) {
        when(in_turn, NULL, i, 0, NULL);
    }
}

static void test_fifo(void) {
    test_start(1);
    for (int i = 0; i < 5; i++) {
        expect = 0;
        when(put_many, NULL, 3000, 0, NULL);
        test_wait();
        CHECK_EQ(expect, 3000);
    }
    test_stop();
}

/* A worker whose own work never ends still helps: the token makes it look at others. */
static _Atomic uint32_t helped;

static void long_one(task_t *t) {
    (void)t;
    work_ns(200000);
    if (boc_self() != t->n) {
        helped++;
    }
}

static void put_long(task_t *t) {
    for (int i = 0; i < 100; i++) {
        when(long_one, NULL, boc_self(), 0, NULL);
    }
    (void)t;
}

static void test_token(void) {
    test_start(2);
    stop_chain = false;
    helped = 0;
    boc_cown_t *c = cown();
    when1(endless, NULL, 0, c, BOC_WRITE);
    when(put_long, NULL, 0, 0, NULL);
    int64_t end = boc_now() + 10000000000;
    while (helped == 0) {
        CHECK(boc_now() < end);
        boc__os_yield();
    }
    stop_chain = true;
    test_wait();
    boc_cown_release(c);
    test_stop();
}

int main(void) {
    test_pending_is_bounded();
    post_from_main(3);
    post_from_main(200);
    test_fifo();
    test_token();
    return 0;
}
