/* Quiescence, events, sleeping workers. */
#include "fixture.h"

#include "platform.h"

static void slow(task_t *t) {
    work_ns((int64_t)t->n);
}

static void fan(task_t *t) {
    if (t->n > 0) {
        when(fan, NULL, t->n - 1, 0, NULL);
        when(fan, NULL, t->n - 1, 0, NULL);
    }
}

static void spawn(task_t *t) {
    for (uint64_t i = 0; i < t->n; i++) {
        when(slow, NULL, 0, 0, NULL);
    }
}

/* What workers count adds up to what was done. */
static void test_stats(void) {
    test_start(2);
    for (int i = 0; i < 50; i++) {
        when(spawn, NULL, 10, 0, NULL);
    }
    boc_cown_t *c = cown();
    for (int i = 0; i < 100; i++) {
        when1(slow, NULL, 1000, c, BOC_WRITE);
    }
    test_wait();
    boc_stats_t sum = {0};
    for (uint32_t i = 0; i < 2; i++) {
        boc_stats_t s;
        CHECK_EQ(boc_worker_stats(i, &s), BOC_OK);
        sum.started += s.started;
        sum.finished += s.finished;
        sum.busy_ns += s.busy_ns;
        sum.pushed_local += s.pushed_local;
        sum.pushed_remote += s.pushed_remote;
    }
    boc_stats_t none;
    CHECK_EQ(boc_worker_stats(2, &none), BOC_EINVAL);
    CHECK_EQ(sum.started, 650);
    CHECK_EQ(sum.finished, 650);
    CHECK(sum.pushed_local >= 500 && sum.pushed_local < 600); /* and those whose turn in the pending slot was over */
    CHECK(sum.pushed_remote >= 50);
    CHECK(sum.busy_ns >= 100 * 1000);
    boc_cown_release(c);
    test_stop();
}

static void test_quiescent(void) {
    CHECK_EQ(boc_wait_quiescent(boc_now(), false), BOC_OK); /* before start nothing is pending */
    test_start(3);
    for (int i = 0; i < 200; i++) {
        when(fan, NULL, 5, 0, NULL);
        test_wait();
        CHECK_EQ(test_ran, (i + 1) * 63);
        boc_counts_t n;
        boc_counts(&n);
        CHECK_EQ(n.scheduled, n.finished);
    }
    when(slow, NULL, 30000000, 0, NULL);
    CHECK_EQ(boc_wait_quiescent(boc_now() + 1000000, false), BOC_ETIME);
    CHECK_EQ(boc_wait_quiescent(0, false), BOC_ETIME);
    test_wait();
    test_stop();
}

static boc_event_t event;

static void set_event(task_t *t) {
    work_ns((int64_t)t->n);
    boc_event_set(&event);
}

static void test_event(void) {
    test_start(2);
    for (uint64_t i = 0; i < 300; i++) {
        event.word = 0;
        when(set_event, NULL, i % 10 == 0 ? 300000 : 0, 0, NULL);
        int rc;
        while ((rc = boc_event_wait(&event, INT64_MAX, i % 2)) == BOC_EINTR) {
        }
        CHECK_EQ(rc, BOC_OK);
    }
    event.word = 0;
    CHECK_EQ(boc_event_wait(&event, boc_now() + 1000000, false), BOC_ETIME);
    CHECK_EQ(boc_event_wait(&event, boc_now() + 1000000, true), BOC_ETIME);
    int64_t t = boc_now();
    CHECK_EQ(boc_event_wait(&event, INT64_MAX, false), BOC_EINTR); /* a slice */
    CHECK(boc_now() - t < 1000000000);
    test_wait();
    test_stop();
}

/* Several threads wait at once; each returns. */
static void waiter(void *arg) {
    test_wait();
    atomic_fetch_add((_Atomic uint32_t *)arg, 1);
}

static void test_many_wait(void) {
    test_start(2);
    _Atomic uint32_t back = 0;
    when(slow, NULL, 3000000, 0, NULL);
    boc__os_thread_t *t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = boc__os_thread_start(waiter, &back, "waiter");
    }
    for (int i = 0; i < 4; i++) {
        boc__os_thread_join(t[i]);
    }
    CHECK_EQ(back, 4);
    test_stop();
}

static uint64_t parks(void) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < boc_worker_count(); i++) {
        boc_stats_t s;
        CHECK_EQ(boc_worker_stats(i, &s), BOC_OK);
        n += s.parked - s.unparked;
    }
    return n;
}

/* With nothing to do every worker sleeps; one behavior wakes exactly one. */
static void test_idle(void) {
    test_start(4);
    for (int i = 0; i < 1000; i++) {
        int64_t end = boc_now() + 5000000000;
        while (parks() != 4) {
            CHECK(boc_now() < end);
            boc__os_yield();
        }
        uint64_t before = 0, after = 0;
        for (uint32_t k = 0; k < 4; k++) {
            boc_stats_t s;
            boc_worker_stats(k, &s);
            before += s.unparked;
        }
        when(slow, NULL, 0, 0, NULL);
        test_wait();
        for (uint32_t k = 0; k < 4; k++) {
            boc_stats_t s;
            boc_worker_stats(k, &s);
            after += s.unparked;
        }
        CHECK_EQ(after - before, 1);
    }
    test_stop();
}

int main(void) {
    test_stats();
    test_quiescent();
    test_event();
    test_many_wait();
    test_idle();
    return 0;
}
