/* Native behaviors, those that end later, cancelling, and taking an idle cown. */
#include "fixture.h"

#include "platform.h"

static _Atomic uint64_t natives;

static int count(boc_behavior_t *b) {
    (void)b;
    natives++;
    return BOC_RAN;
}

static void native(boc_cown_t *c, int (*run)(boc_behavior_t *), uint8_t mode) {
    boc_behavior_t *b = task_new(1, NULL, NULL, 0);
    b->flags = BOC_B_NATIVE;
    b->run = run;
    boc_request_set(b, 0, c, 0, mode);
    CHECK_EQ(boc_schedule(b, 0), BOC_OK);
}

static void slow(task_t *t) {
    work_ns((int64_t)t->n);
}

/* A long row of natives behind a body: run one after another, not one inside the other. */
static void test_row(void) {
    test_start(2);
    boc_cown_t *c = cown();
    natives = 0;
    when1(slow, NULL, 2000000, c, BOC_WRITE);
    for (int i = 0; i < 200000; i++) {
        native(c, count, BOC_WRITE);
    }
    native(c, count, BOC_READ);
    test_wait();
    CHECK_EQ(natives, 200001);
    /* an idle cown: run before schedule returns */
    native(c, count, BOC_WRITE);
    CHECK_EQ(natives, 200002);
    boc_cown_release(c);
    test_stop();
}

/* Ends later, from a thread of its own. */
static boc_behavior_t *unfinished;
static boc_event_t taken;

static int keep(boc_behavior_t *b) {
    unfinished = b;
    boc_event_set(&taken);
    return BOC_LATER;
}

static void keep_task(task_t *t) {
    keep(t->b);
}

static _Atomic bool ended;

static void note_end(task_t *t) {
    (void)t;
    CHECK(atomic_load(&ended));
}

static void other_thread(void *arg) {
    (void)arg;
    while (boc_event_wait(&taken, boc_now() + 5000000000, false) != BOC_OK) {
    }
    work_ns(500000);
    atomic_store(&ended, true);
    boc_finish(unfinished);
}

static void test_later(bool as_native) {
    test_start(2);
    boc_cown_t *c = cown();
    ended = false;
    taken.word = 0;
    boc__os_thread_t *other = boc__os_thread_start(other_thread, NULL, "other");
    if (as_native) {
        native(c, keep, BOC_WRITE);
    } else {
        boc_behavior_t *b = task_new(1, keep_task, NULL, 0);
        task_of(b)->later = true;
        boc_request_set(b, 0, c, 0, BOC_WRITE);
        CHECK_EQ(boc_schedule(b, 0), BOC_OK);
    }
    when1(note_end, NULL, 0, c, BOC_WRITE);
    test_wait();
    boc__os_thread_join(other);
    CHECK(boc_cown_idle(c));
    boc_cown_release(c);
    test_stop();
}

static void hold(task_t *t) {
    boc_event_set(&taken);
    while (!atomic_load((_Atomic bool *)t->arg)) {
        boc__os_yield();
    }
}

/* Cancelled: keeps its place, does not run, its host part is told. */
static void test_cancel(void) {
    test_start(2);
    boc_cown_t *c = cown();
    _Atomic bool let_go = false;
    when1(hold, &let_go, 0, c, BOC_WRITE);
    boc_behavior_t *b[10];
    boc_cown_t *result[10];
    for (int i = 0; i < 10; i++) {
        b[i] = task_new(i == 9 ? 1 : 2, slow, NULL, 0);
        result[i] = i == 9 ? NULL : result_of(b[i]);
        boc_request_set(b[i], 0, c, 0, i % 3 ? BOC_WRITE : BOC_READ);
        CHECK_EQ(boc_schedule(b[i], 0), BOC_OK);
    }
    CHECK_EQ(boc_cancel(b[9]), BOC_EINVAL);
    for (int i = 0; i < 9; i++) { /* the one in front keeps them alive */
        if (i % 2 == 0) {
            CHECK_EQ(boc_cancel(b[i]), BOC_OK);
            CHECK_EQ(boc_cancel(b[i]), BOC_ESTATE);
        }
        boc_cown_release(result[i]);
    }
    atomic_store(&let_go, true);
    test_wait();
    CHECK_EQ(test_cancelled, 5);
    CHECK_EQ(test_ran, 6);
    let_go = false;
    taken.word = 0;
    when1(hold, &let_go, 0, c, BOC_WRITE);
    while (boc_event_wait(&taken, INT64_MAX, false) != BOC_OK) {
    }
    for (int i = 0; i < 1000; i++) {
        when1(slow, NULL, 0, c, BOC_WRITE);
    }
    boc_cancel_all();
    atomic_store(&let_go, true);
    when1(slow, NULL, 0, c, BOC_WRITE);
    test_wait();
    CHECK_EQ(test_cancelled, 1005);
    CHECK_EQ(test_ran, 8);
    boc_cown_release(c);
    test_stop();
}

static void test_acquire(void) {
    boc_cown_t *c = cown();
    uint16_t home;
    boc_behavior_t *mine = task_new(1, NULL, NULL, 0);
    boc_request_set(mine, 0, c, 0, BOC_WRITE);
    CHECK_EQ(boc_acquire(mine, &home), BOC_OK); /* before start too */
    CHECK_EQ(boc_cown_queue(c), 1);
    boc_behavior_t *again = task_new(1, NULL, NULL, 0);
    boc_request_set(again, 0, c, 0, BOC_WRITE);
    CHECK_EQ(boc_acquire(again, &home), BOC_EBUSY);
    test_start(2);
    natives = 0;
    when1(slow, NULL, 0, c, BOC_WRITE);
    CHECK_EQ(boc_cown_queue(c), 2);
    CHECK_EQ(boc_wait_quiescent(boc_now() + 2000000, false), BOC_ETIME);
    CHECK_EQ(test_ran, 0);
    boc_acquire_end(mine);
    test_wait();
    CHECK_EQ(test_ran, 1);
    CHECK_EQ(boc_cown_queue(c), 0);

    _Atomic bool let_go = false; /* held by a reader that has left the queue: still busy */
    taken.word = 0;
    when1(hold, &let_go, 0, c, BOC_READ);
    while (boc_event_wait(&taken, INT64_MAX, false) != BOC_OK) {
    }
    when1(slow, NULL, 0, c, BOC_READ);
    while (test_ran < 2) {
        boc__os_yield();
    }
    CHECK_EQ(boc_acquire(again, &home), BOC_EBUSY);
    CHECK_EQ(home, 0);
    atomic_store(&let_go, true);
    test_wait();
    atomic_store(&c->home, 1); /* a live value elsewhere */
    CHECK_EQ(boc_acquire(again, &home), BOC_EBUSY);
    CHECK_EQ(home, 1);
    atomic_store(&c->home, 0);
    CHECK_EQ(boc_acquire(again, &home), BOC_OK);
    boc_acquire_end(again);
    CHECK(boc_cown_idle(c));
    boc_cown_release(c);
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* Acquire races with readers that come and go; whatever happens, everything ends. */
static void test_acquire_race(void) {
    test_start(2);
    boc_cown_t *c = cown();
    uint32_t got = 0;
    for (int i = 0; i < 20000; i++) {
        uint16_t home;
        when1(slow, NULL, 0, c, BOC_READ);
        boc_behavior_t *b = task_new(1, NULL, NULL, 0);
        boc_request_set(b, 0, c, 0, BOC_WRITE);
        if (boc_acquire(b, &home) == BOC_OK) {
            got++;
            CHECK_EQ(c->value.u.i, 0);
            boc_acquire_end(b);
        } else {
            boc_behavior_free(b);
        }
    }
    test_wait();
    CHECK(boc_cown_idle(c));
    (void)got;
    boc_cown_release(c);
    test_stop();
}

int main(void) {
    test_row();
    test_later(true);
    test_later(false);
    test_cancel();
    test_acquire();
    test_acquire_race();
    return 0;
}
