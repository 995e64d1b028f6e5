/* The test host: see fixture.h. A cown's value word keeps who is inside: readers in units of 2, a writer as 1. */
#include "fixture.h"

#include "atomic.h"
#include "platform.h"

_Atomic uint64_t test_ran, test_cancelled, test_dropped, test_encoded, test_cowns;
bool test_live_values;
uint32_t test_trace_events = 4096;

static _Atomic int64_t *inside_of(boc_cown_t *c) {
    return (_Atomic int64_t *)&c->value.u.i;
}

static void enter_all(boc_behavior_t *b) {
    for (uint32_t i = 0; i < b->nreq; i++) {
        boc_cown_t *c = b->req[i].cown;
        if (b->req[i].mode == BOC_READ) {
            int64_t inside = atomic_fetch_add(inside_of(c), 2);
            CHECK((inside & 1) == 0);
            CHECK(inside == 0 || !(c->value.flags & BOC_VALUE_ALONE)); /* these read in turn */
            CHECK_EQ(c->home, 0); /* readers never get the live value */
        } else {
            CHECK_EQ(atomic_fetch_add(inside_of(c), 1), 0);
        }
    }
}

static void leave_all(boc_behavior_t *b, uint16_t home) {
    for (uint32_t i = 0; i < b->nreq; i++) {
        boc_cown_t *c = b->req[i].cown;
        if (b->req[i].mode == BOC_READ) {
            CHECK((atomic_fetch_sub(inside_of(c), 2) & 1) == 0);
        } else {
            CHECK_EQ(atomic_fetch_sub(inside_of(c), 1), 1);
            atomic_store(&c->home, home);
        }
    }
}

static int host_run(uint32_t worker, boc_behavior_t *b) {
    task_t *task = task_of(b);
    CHECK_EQ(boc_self(), worker);
    CHECK(b->kinds & (test_hosts != NULL ? test_hosts[worker] : &test_host)->kind);
    CHECK_EQ(boc__load_rlx(&b->state), BOC_ST_RUNNING);
    for (uint32_t i = 0; i < b->nreq; i++) {
        uint16_t home = b->req[i].cown->home;
        CHECK(home == 0 || home == worker + 1);
    }
    enter_all(b);
    bool later = task->later;
    if (later) {
        leave_all(b, 0); /* the end may come before fn returns */
    }
    task->b = b;
    task->fn(task);
    if (!later) {
        leave_all(b, test_live_values && !(b->flags & BOC_B_PINNED) ? (uint16_t)(worker + 1) : 0);
    }
    atomic_fetch_add(&test_ran, 1);
    return later ? BOC_LATER : BOC_RAN;
}

static void host_cancelled(boc_behavior_t *b) {
    task_of(b)->cancelled = true;
    atomic_fetch_add(&test_cancelled, 1);
}

static void host_drop_behavior(boc_behavior_t *b) {
    (void)b;
    atomic_fetch_add(&test_dropped, 1);
}

static bool host_drop_value(boc_cown_t *c) {
    CHECK_EQ(*inside_of(c), 0);
    atomic_fetch_sub(&test_cowns, 1);
    return true;
}

static void host_encode(uint32_t home, boc_cown_t *c) {
    CHECK_EQ(c->home, home + 1);
    CHECK_EQ(*inside_of(c), 0); /* whoever asked waits for it */
    atomic_store(&c->home, 0);
    atomic_fetch_add(&test_encoded, 1);
}

static void host_porter(uint32_t home) {
    (void)home;
}

boc_host_t test_host = {.kind = BOC_KIND_INTERPRETER, .run = host_run};
boc_host_t test_process_host = {.kind = BOC_KIND_PROCESS, .run = host_run};
const boc_host_t *const *test_hosts;
boc_callbacks_t test_callbacks = {
    .cancelled = host_cancelled,
    .drop_behavior = host_drop_behavior,
    .drop_value = host_drop_value,
    .encode = host_encode,
    .porter_enter = host_porter,
    .porter_leave = host_porter,
};

void test_start(uint32_t workers) {
    boc_options_t o = {.workers = workers, .host = &test_host, .hosts = test_hosts, .callbacks = &test_callbacks, .trace_events = test_trace_events};
    test_ran = test_cancelled = test_dropped = test_encoded = 0;
    CHECK_EQ(boc_start(&o), BOC_OK);
}

void test_wait(void) {
    int rc;
    while ((rc = boc_wait_quiescent(boc_now() + 20000000000, false)) == BOC_EINTR) {
    }
    CHECK_EQ(rc, BOC_OK);
}

void test_stop(void) {
    uint64_t stuck[16];
    CHECK_EQ(boc_stop(INT64_MAX, stuck), BOC_OK);
    for (int i = 0; i < 16; i++) {
        CHECK_EQ(stuck[i], 0);
    }
}

boc_cown_t *cown(void) {
    boc_cown_t *c = boc_cown_new(0);
    atomic_fetch_add(&test_cowns, 1);
    return c;
}

boc_behavior_t *task_new(uint32_t nreq, void (*fn)(task_t *), void *arg, uint64_t n) {
    boc_behavior_t *b = boc_behavior_new(nreq, sizeof(task_t));
    CHECK(b != NULL);
    *task_of(b) = (task_t){.fn = fn, .arg = arg, .n = n};
    return b;
}

boc_cown_t *result_of(boc_behavior_t *b) {
    boc_cown_t *result = boc_cown_new(BOC_COWN_RESULT);
    CHECK(result != NULL);
    test_cowns++;
    boc_cown_retain(result);
    b->flags |= BOC_B_RESULT;
    boc_request_move(b, b->nreq - 1u, result, 0, BOC_WRITE);
    return result;
}

void when(void (*fn)(task_t *), void *arg, uint64_t n, uint32_t nreq, boc_cown_t **c) {
    boc_behavior_t *b = task_new(nreq, fn, arg, n);
    for (uint32_t i = 0; i < nreq; i++) {
        boc_request_lend(b, i, c[i], (uint16_t)i, BOC_WRITE);
    }
    CHECK_EQ(boc_schedule(b, 0), BOC_OK);
}

void when1(void (*fn)(task_t *), void *arg, uint64_t n, boc_cown_t *c, uint8_t mode) {
    boc_behavior_t *b = task_new(1, fn, arg, n);
    boc_request_lend(b, 0, c, 0, mode);
    CHECK_EQ(boc_schedule(b, 0), BOC_OK);
}

void work_ns(int64_t ns) {
    int64_t end = boc_now() + ns;
    while (boc_now() < end) {
        boc__os_pause();
    }
}
