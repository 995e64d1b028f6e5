/* Starting, stopping, failing, being stuck, forking. */
#include "fixture.h"

#include "platform.h"

#include <sys/wait.h>
#include <unistd.h>

static void chain(task_t *t) {
    if (t->n > 0) {
        boc_behavior_t *b = task_new(1, chain, NULL, t->n - 1);
        boc_request_set(b, 0, t->b->req[0].cown, 0, BOC_WRITE);
        if (boc_schedule(b, 0) != BOC_OK) { /* the runtime stops */
            boc_behavior_free(b);
        }
    }
}

/* Stop in the middle: running bodies end, the rest is cancelled, all is freed. */
static void test_again(void) {
    for (int i = 0; i < 60; i++) {
        test_live_values = i % 2;
        test_start(1 + i % 4);
        boc_options_t o = {.workers = 9, .host = &test_host, .callbacks = &test_callbacks};
        CHECK_EQ(boc_start(&o), BOC_ESTATE);
        boc_cown_t *c[8];
        for (int k = 0; k < 8; k++) {
            c[k] = cown();
            when1(chain, NULL, 100000, c[k], BOC_WRITE);
            when1(chain, NULL, 0, c[k], BOC_READ);
            when(chain, NULL, 0, k + 1, c);
        }
        work_ns(i * 20000);
        test_stop();
        for (int k = 0; k < 8; k++) {
            atomic_store(&c[k]->home, 0);
            CHECK(boc_cown_idle(c[k]));
            boc_cown_release(c[k]);
        }
        CHECK_EQ(test_cowns, 0);
        boc_counts_t n;
        boc_counts(&n);
        CHECK_EQ(n.scheduled, n.finished);
        boc_behavior_t *late = task_new(0, chain, NULL, 0);
        CHECK_EQ(boc_schedule(late, 0), BOC_ESTATE);
        boc_behavior_free(late);
        uint64_t stuck[16];
        CHECK_EQ(boc_stop(INT64_MAX, stuck), BOC_ESTATE);
    }
    test_live_values = false;
}

/* A body that does not end: its worker is given up, those behind it are cancelled, the process goes on. */
static _Atomic bool in, out, through;

static boc_behavior_t *volatile abandoned; /* never freed: seen here, so no leak */

static void stuck_body(task_t *t) {
    abandoned = t->b;
    in = true;
    while (!out) {
        boc__os_yield();
    }
    boc_behavior_t *b = task_new(0, chain, NULL, 0);
    CHECK_EQ(boc_schedule(b, 0), BOC_ESTATE);
    boc_behavior_free(b);
    through = true;
}

static void test_stuck(void) {
    test_start(2);
    boc_cown_t *c = cown();
    in = out = through = false;
    when1(stuck_body, NULL, 0, c, BOC_WRITE);
    while (!in) {
        boc__os_yield();
    }
    for (int i = 0; i < 5; i++) {
        when1(chain, NULL, 0, c, BOC_WRITE);
    }
    uint64_t stuck[16];
    CHECK_EQ(boc_stop(boc_now() + 20000000, stuck), BOC_OK);
    CHECK_EQ(__builtin_popcountll(stuck[0]), 1);
    CHECK_EQ(test_cancelled, 6);
    CHECK(boc_cown_idle(c));
    test_start(2); /* a fresh worker stands in its place */
    for (int i = 0; i < 100; i++) {
        when(chain, NULL, 0, 0, NULL);
    }
    out = true;
    test_wait();
    while (!through) {
        boc__os_yield();
    }
    test_stop();
    CHECK_EQ(test_ran, 101); /* and the stuck body's own count of having run */
    test_cowns = 0; /* what it held stays for ever */
}

/* enter fails on some, then on all workers. */
static uint32_t fail_from;

static int failing_enter(uint32_t worker) {
    return worker >= fail_from ? -42 : 0;
}

static void test_enter(void) {
    test_host.enter = failing_enter;
    for (fail_from = 3; fail_from-- > 0;) {
        test_start(3);
        for (int i = 0; i < 100; i++) {
            when(chain, NULL, 0, 0, NULL);
        }
        int rc;
        while ((rc = boc_wait_quiescent(INT64_MAX, false)) == BOC_EINTR) {
        }
        CHECK_EQ(rc, fail_from == 0 ? BOC_ESTATE : BOC_OK);
        CHECK_EQ(test_ran, fail_from == 0 ? 0 : 100);
        while (boc_start_error() == 0) {
            boc__os_yield();
        }
        test_stop();
        CHECK_EQ(test_dropped, 100);
        CHECK_EQ(boc_start_error(), -42);
    }
    test_host.enter = NULL;
}

/* While the runtime stops, another thread goes on scheduling. */
static void scheduler(void *arg) {
    boc_cown_t *c = arg;
    for (;;) {
        boc_behavior_t *b = task_new(1, chain, NULL, 0);
        boc_request_set(b, 0, c, 0, BOC_WRITE);
        if (boc_schedule(b, 0) != BOC_OK) {
            boc_behavior_free(b);
            return;
        }
    }
}

static void test_race(void) {
    for (int i = 0; i < 50; i++) {
        test_start(2);
        boc_cown_t *c = cown();
        boc__os_thread_t *t = boc__os_thread_start(scheduler, c, "scheduler");
        work_ns(i * 10000);
        test_stop();
        boc__os_thread_join(t);
        boc_counts_t n;
        boc_counts(&n);
        CHECK_EQ(n.scheduled, n.finished);
        CHECK(boc_cown_idle(c));
        boc_cown_release(c);
        CHECK_EQ(test_cowns, 0);
    }
}

#ifndef __SANITIZE_THREAD__ /* TSan starts no threads after a fork */
static void test_fork(void) {
    test_start(2);
    boc_cown_t *c = cown();
    when1(chain, NULL, 10000, c, BOC_WRITE);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        boc_after_fork_child();
        CHECK(!boc_running());
        CHECK_EQ(boc_wait_quiescent(INT64_MAX, false), BOC_OK);
        boc_cown_t *d = cown();
        test_start(2);
        when1(chain, NULL, 1000, d, BOC_WRITE);
        test_wait();
        CHECK_EQ(test_ran, 1001);
        test_stop();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    test_wait();
    boc_cown_release(c);
    test_stop();
}
#endif

int main(void) {
    test_again();
    test_enter();
    test_race();
#ifndef __SANITIZE_THREAD__
    test_fork();
#endif
    test_stuck();
    return 0;
}
