/* Pinned work: its descriptor, its order, its consumer; waits that pump. */
#include "fixture.h"

#include "platform.h"

#include <poll.h>

static bool readable(void) {
    struct pollfd p = {.fd = boc_pinned_fd(), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static uint32_t pump(uint32_t max) {
    uint32_t n = 0;
    boc_behavior_t *b;
    while (n < max && (b = boc_pinned_pop()) != NULL) {
        if (boc_begin(b)) {
            task_of(b)->b = b;
            task_of(b)->fn(task_of(b));
        }
        boc_finish(b);
        n++;
    }
    return n;
}

static uint64_t order;

static void in_order(task_t *t) {
    CHECK_EQ(order, t->n);
    order++;
}

static void pinned(void (*fn)(task_t *), uint64_t n, boc_cown_t *c) {
    boc_behavior_t *b = task_new(1, fn, c, n);
    b->flags = BOC_B_PINNED;
    boc_request_set(b, 0, c, 0, BOC_WRITE);
    CHECK_EQ(boc_schedule(b, 0), BOC_OK);
}

static void test_queue(void) {
    test_start(2);
    order = 0;
    boc_cown_t *c[20];
    CHECK(!readable());
    for (uint64_t i = 0; i < 20; i++) {
        c[i] = cown();
        pinned(in_order, i, c[i]);
    }
    int64_t oldest;
    CHECK(readable());
    CHECK_EQ(boc_pinned_depth(&oldest), 20);
    CHECK(oldest > 0 && oldest <= boc_now());
    CHECK_EQ(boc_wait_quiescent(INT64_MAX, true), BOC_EPINNED);
    CHECK_EQ(boc_wait_quiescent(boc_now() + 1000000, false), BOC_ETIME);
    CHECK_EQ(pump(5), 5);
    CHECK(readable());
    CHECK_EQ(pump(100), 15);
    CHECK(!readable());
    CHECK_EQ(boc_pinned_depth(&oldest), 0);
    test_wait();
    pinned(in_order, 99, c[0]);
    boc_cancel_all();
    CHECK_EQ(pump(100), 1);
    CHECK_EQ(test_cancelled, 1);
    for (int i = 0; i < 20; i++) {
        boc_cown_release(c[i]);
    }
    test_stop();
}

/* Workers make pinned work, a wait on main that pumps sees each at once. */
static void ping(task_t *t);

static void pong(task_t *t) { /* on main */
    CHECK(!boc_on_worker());
    order++;
    if (t->n > 0) {
        when1(ping, t->arg, t->n - 1, t->arg, BOC_WRITE);
    }
}

static void ping(task_t *t) {
    CHECK(boc_on_worker());
    pinned(pong, t->n, t->arg);
}

static void test_wait_pumps(void) {
    test_start(2);
    boc_cown_t *c[4];
    order = 0;
    for (int i = 0; i < 4; i++) {
        c[i] = cown();
        when1(ping, c[i], 500, c[i], BOC_WRITE);
    }
    int rc;
    while ((rc = boc_wait_quiescent(boc_now() + 20000000000, true)) != BOC_OK) {
        CHECK(rc == BOC_EPINNED || rc == BOC_EINTR);
        pump(3);
    }
    CHECK_EQ(order, 4 * 501);
    test_stop(); /* the last signal may come late: an empty pop takes it away */
    CHECK(boc_pinned_pop() == NULL);
    CHECK(!readable());
    test_start(1);
    boc_event_t e = {0}; /* an event wait, too, comes back for pinned work */
    pinned(pong, 0, c[0]);
    CHECK_EQ(boc_event_wait(&e, INT64_MAX, true), BOC_EPINNED);
    pump(1);
    for (int i = 0; i < 4; i++) {
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* Stop with pinned work that nobody pumped: cancelled there. */
static void test_stop_pinned(void) {
    test_start(2);
    boc_cown_t *c = cown();
    for (int i = 0; i < 10; i++) {
        pinned(in_order, 0, c);
    }
    boc_cown_release(c);
    test_stop();
    CHECK_EQ(test_cancelled, 10);
    CHECK_EQ(test_cowns, 0);
    CHECK_EQ(boc_pinned_depth(NULL), 0);
    CHECK(!readable());
}

int main(void) {
    test_queue();
    test_wait_pumps();
    test_stop_pinned();
    return 0;
}
