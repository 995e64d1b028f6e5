/* The step gate: held in order, stepped by age and by name, opened, cancelled, stopped. */
#include "fixture.h"

#include "platform.h"

static _Atomic uint64_t trail[1000];
static _Atomic uint32_t reserved, length;

static void leave(task_t *t) {
    trail[atomic_fetch_add(&reserved, 1)] = t->n;
    length++;
}

static boc_behavior_t *ready(uint64_t n, uint8_t flags, boc_cown_t *c) {
    boc_behavior_t *b = task_new(1, leave, NULL, n);
    b->flags = flags;
    boc_request_set(b, 0, c, 0, BOC_WRITE);
    return b;
}

static void until(uint32_t n) {
    int64_t end = boc_now() + 10000000000;
    while (length != n) {
        CHECK(boc_now() < end);
        boc__os_yield();
    }
}

/* A judge that closes the gate before behaviors with `stops` in their bits, and one that lets these pass alone. */
static _Atomic uint64_t stops;
static _Atomic bool passes;
static _Atomic uint64_t ids[10];

static int judged(const boc_behavior_t *b, bool closed) {
    for (int i = 0; i < 10; i++) {
        if (b->id == ids[i] && (stops >> i & 1)) {
            return passes ? BOC_GATE_PASSES : closed ? BOC_GATE_AS_IT_IS : BOC_GATE_CLOSES;
        }
    }
    return BOC_GATE_AS_IT_IS;
}

static void test_judge(boc_cown_t **c) {
    boc_behavior_t *b[10];
    uint32_t before = length;
    stops = 1u << 3 | 1u << 6;
    boc_gate_watch(judged);
    CHECK(!boc_gate_closed());
    for (uint64_t i = 0; i < 10; i++) {
        b[i] = ready(i, 0, c[i]);
        ids[i] = b[i]->id;
    }
    for (uint32_t i = 0; i < 10; i++) {
        CHECK_EQ(boc_gate_closed(), i > 3);
        CHECK_EQ(boc_schedule(b[i], 0), BOC_OK);
        until(before + (i < 3 ? i + 1 : 3)); /* else it would be held too: it stands in a run queue when 3 stops all */
    }
    CHECK(boc_gate_closed());
    CHECK_EQ(boc_gate_held(NULL, 0), 7);
    int64_t end = boc_now() + 10000000000;
    while (!boc_settled()) {
        CHECK(boc_now() < end);
        boc__os_yield();
    }
    boc_gate_open(); /* 3, 4, 5; stops before 6 */
    until(before + 6);
    CHECK(boc_gate_closed());
    CHECK_EQ(boc_gate_held(NULL, 0), 4);
    uint64_t seen = boc_gate_arrivals();
    passes = true;
    boc_cown_t *more = cown();
    boc_behavior_t *last = ready(200, 0, more);
    ids[6] = last->id;
    CHECK_EQ(boc_schedule(last, 0), BOC_OK); /* the judge lets it pass though the gate is closed */
    until(before + 7);
    while (!boc_settled()) {
        CHECK(boc_now() < end);
        boc__os_yield();
    }
    CHECK_EQ(boc_gate_wait(seen, boc_now() + 10000000000, false), BOC_OK); /* settled */
    CHECK_EQ(boc_gate_arrivals(), seen);
    stops = 0;
    boc_gate_open();
    test_wait();
    CHECK_EQ(length, before + 11);
    boc_gate_watch(NULL);
    boc_cown_release(more);
}

int main(void) {
    test_start(2);
    boc_cown_t *c[10];
    uint64_t id[10];
    boc_behavior_t *b[10];
    boc_cown_t *result = NULL;
    boc_gate_close();
    CHECK(boc_gate_closed());
    for (uint64_t i = 0; i < 10; i++) {
        c[i] = cown();
        if (i == 3) {
            b[i] = task_new(2, leave, NULL, i);
            boc_request_set(b[i], 0, c[i], 0, BOC_WRITE);
            result = result_of(b[i]);
        } else {
            b[i] = ready(i, 0, c[i]);
        }
        id[i] = b[i]->id;
        CHECK_EQ(boc_schedule(b[i], 0), BOC_OK);
    }
    boc_held_t held[4];
    CHECK_EQ(boc_gate_held(held, 4), 10);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(held[i].id, id[i]);
        CHECK(!held[i].pinned);
    }
    CHECK_EQ(boc_schedule(ready(100, BOC_B_URGENT, c[0]), 0), BOC_OK); /* behind a held one: waits for it */
    boc_cown_t *free_one = cown();
    CHECK_EQ(boc_schedule(ready(101, BOC_B_URGENT, free_one), 0), BOC_OK);
    until(1);
    CHECK_EQ(trail[0], 101);
    CHECK_EQ(boc_gate_step(0), BOC_OK);
    until(3); /* the first, and the urgent one behind it */
    CHECK_EQ(trail[1], 0);
    CHECK_EQ(trail[2], 100);
    CHECK_EQ(boc_gate_step(id[7]), BOC_OK);
    until(4);
    CHECK_EQ(trail[3], 7);
    CHECK_EQ(boc_gate_step(id[7]), BOC_EMPTY);
    CHECK_EQ(boc_wait_quiescent(boc_now() + 1000000, false), BOC_ETIME);
    CHECK_EQ(boc_cancel(b[3]), BOC_OK); /* passes the gate, by itself */
    boc_cown_release(result);
    int64_t end = boc_now() + 10000000000;
    while (boc_gate_held(NULL, 0) != 7) {
        CHECK(boc_now() < end);
        boc__os_yield();
    }
    boc_gate_open();
    CHECK(!boc_gate_closed());
    test_wait();
    CHECK_EQ(length, 11);
    CHECK_EQ(test_cancelled, 1);
    test_judge(c);
    /* closed while behaviors stand in run queues; then stopped */
    boc_gate_close();
    for (uint64_t i = 0; i < 10; i++) {
        CHECK_EQ(boc_schedule(ready(i, i == 5 ? BOC_B_PINNED : 0, c[i]), 0), BOC_OK);
    }
    CHECK_EQ(boc_pinned_depth(NULL), 0);
    test_stop();
    CHECK_EQ(test_cancelled, 11);
    boc_gate_open();
    boc_cown_release(free_one);
    for (int i = 0; i < 10; i++) {
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    return 0;
}
