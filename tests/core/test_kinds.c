/* Workers of two kinds: each runs only what it may, all of it is run, and nobody sleeps over what it may run. */
#include "fixture.h"

#include "platform.h"

#define ROUNDS 200
#define EACH 20

static const boc_host_t *hosts[4] = {&test_host, &test_process_host, &test_host, &test_process_host};
static _Atomic uint64_t ran[3], met;

static uint8_t kinds_of(uint64_t n) {
    return n % 3 == 0 ? BOC_KIND_INTERPRETER : n % 3 == 1 ? BOC_KIND_PROCESS : BOC_KIND_INTERPRETER | BOC_KIND_PROCESS;
}

static void count(task_t *t) {
    CHECK(t->b->kinds & hosts[boc_self()]->kind);
    atomic_fetch_add(&ran[t->n % 3], 1);
}

static void narrow(void (*fn)(task_t *), boc_cown_t *c, uint64_t n) {
    boc_behavior_t *b = task_new(c != NULL, fn, NULL, n);
    b->kinds = kinds_of(n);
    if (c != NULL) {
        boc_request_set(b, 0, c, 0, BOC_WRITE);
    }
    CHECK_EQ(boc_schedule(b, 0), BOC_OK);
}

static void spread(task_t *t) {
    for (uint64_t i = 0; i < EACH; i++) {
        narrow(count, t->arg, i);
    }
}

/* Two process workers: both are needed, though an interpreter worker made the work. */
static void meet(task_t *t) {
    (void)t;
    uint64_t goal = atomic_fetch_add(&met, 1) / 2 * 2 + 2;
    while (atomic_load(&met) < goal) {
        boc__os_yield();
    }
}

static void spawn_meeting(task_t *t) {
    (void)t;
    narrow(meet, NULL, 1);
    narrow(meet, NULL, 1);
}

static void refused(void) {
    boc_behavior_t *b = task_new(0, count, NULL, 0);
    b->kinds = BOC_KIND_THREAD;
    CHECK_EQ(boc_schedule(b, 0), BOC_EINVAL);
    boc_behavior_free(b);
}

int main(void) {
    test_hosts = hosts;
    for (int live = 0; live < 2; live++) {
        test_live_values = live;
        test_start(4);
        atomic_store(&ran[0], 0);
        atomic_store(&ran[1], 0);
        atomic_store(&ran[2], 0);
        boc_cown_t *c = cown(), *d = cown();
        for (uint64_t i = 0; i < ROUNDS; i++) {
            narrow(spread, NULL, i);
            when1(spread, i % 2 ? c : d, 0, i % 2 ? d : c, BOC_WRITE);
        }
        refused();
        test_wait();
        CHECK_EQ(ran[0], 2 * ROUNDS * ((EACH + 2) / 3));
        CHECK_EQ(ran[1], 2 * ROUNDS * ((EACH + 1) / 3));
        CHECK_EQ(ran[2], 2 * ROUNDS * (EACH / 3));
        for (int i = 0; i < 50; i++) {
            narrow(spawn_meeting, NULL, 0);
            test_wait();
        }
        atomic_store(&c->home, 0);
        atomic_store(&d->home, 0);
        boc_cown_release(c);
        boc_cown_release(d);
        test_stop();
    }
    test_hosts = NULL; /* one kind again: what was narrow is not any more */
    test_start(2);
    boc_behavior_t *b = task_new(0, spread, NULL, 0);
    b->kinds = BOC_KIND_PROCESS;
    CHECK_EQ(boc_schedule(b, 0), BOC_EINVAL);
    boc_behavior_free(b);
    test_stop();
    return 0;
}
