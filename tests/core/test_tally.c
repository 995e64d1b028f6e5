/* Counters by name: bodies, grants and holdings equal what happened, also when the rings have forgotten it, over
 * marks, and while the trace is turned on and off. */
#include "fixture.h"

#include "platform.h"

static boc_tally_t look[64];

/* The sums now, over threads, of a kind and a name. */
static boc_tally_row_t sum(uint8_t kind, uint32_t name) {
    uint32_t n = boc_tally_read(look, 64);
    CHECK(n > 0);
    boc_tally_row_t out = {.name = name, .kind = kind};
    for (uint32_t i = 0; i < look[n - 1].n; i++) {
        boc_tally_row_t r = look[n - 1].row[i];
        if (r.kind == kind && r.name == name) {
            out.n += r.n;
            out.ns += r.ns;
            out.more += r.more;
            out.used += r.used;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        boc_tally_free(&look[i]);
    }
    return out;
}

static void nothing(task_t *t) {
    (void)t;
}

static void busy(task_t *t) {
    (void)t;
    work_ns(200000);
}

static void named(uint32_t name, void (*fn)(task_t *), boc_cown_t *c, uint8_t mode) {
    boc_behavior_t *b = task_new(1, fn, NULL, 0);
    b->name = name;
    boc_request_set(b, 0, c, 0, mode);
    CHECK_EQ(boc_schedule(b, 0), BOC_OK);
}

static boc_cown_t *cown_of(const char *name) {
    boc_cown_t *c = cown();
    c->name = boc_name(name, strlen(name));
    return c;
}

static void test_counts(void) {
    test_trace_events = 1024;
    test_start(2);
    boc_trace_clear();
    boc_cown_t *c = cown_of("knife"), *d = cown_of("pan");
    uint32_t cut = boc_name("cut", 3), cook = boc_name("cook", 4);
    for (int i = 0; i < 5000; i++) { /* more than the rings hold */
        named(cut, nothing, c, i % 7 == 0 ? BOC_READ : BOC_WRITE);
        named(cook, nothing, d, BOC_READ);
    }
    test_wait();
    CHECK_EQ(sum(BOC_TALLY_BODY, cut).n, 5000);
    CHECK_EQ(sum(BOC_TALLY_BODY, cook).n, 5000);
    boc_tally_row_t knife = sum(BOC_TALLY_COWN, c->name), pan = sum(BOC_TALLY_COWN, d->name);
    CHECK_EQ(knife.n, 5000);
    CHECK_EQ(pan.n, 5000);
    CHECK_EQ(knife.more, 0);
    CHECK_EQ(pan.more, 0);
    boc_cown_release(c);
    boc_cown_release(d);
    test_stop();
}

/* Held from the grant to the last release; bodies sum up; a cown that is held now counts up to now. */
static void test_held(void) {
    test_start(2);
    boc_trace_clear();
    boc_cown_t *c = cown_of("held"), *d = cown_of("free");
    uint32_t name = boc_name("busy", 4);
    int64_t begin = boc_now();
    for (int i = 0; i < 20; i++) {
        named(name, busy, c, BOC_WRITE);
    }
    test_wait();
    int64_t took = boc_now() - begin;
    boc_tally_row_t held = sum(BOC_TALLY_COWN, c->name), ran = sum(BOC_TALLY_BODY, name);
    CHECK_EQ(held.n, 20);
    CHECK(ran.ns >= 20 * 200000 && ran.ns <= held.ns + 20000);
    CHECK(held.ns <= took + took / 50 + 20000);
    CHECK_EQ(held.used, ran.ns);
    CHECK_EQ(sum(BOC_TALLY_COWN, d->name).ns, 0);
    boc_behavior_t *b = boc_behavior_new(1, 0);
    uint16_t home;
    boc_request_set(b, 0, d, 0, BOC_WRITE);
    CHECK_EQ(boc_acquire(b, &home), BOC_OK);
    work_ns(2000000);
    boc_tally_row_t now = sum(BOC_TALLY_COWN, d->name);
    CHECK_EQ(now.more, 1);
    CHECK(now.ns >= 1900000);
    boc_acquire_end(b);
    now = sum(BOC_TALLY_COWN, d->name);
    CHECK_EQ(now.more, 0);
    CHECK_EQ(now.n, 0); /* a look from main hands nothing on */
    boc_cown_release(c);
    boc_cown_release(d);
    test_stop();
}

/* A mark keeps what was; a second one at the same sums adds nothing; the first start since is told. */
static void test_marks(void) {
    test_start(1);
    boc_trace_clear();
    boc_cown_t *c = cown_of("marked");
    uint32_t name = boc_name("step", 4);
    int64_t begin = boc_now();
    for (int round = 0; round < 3; round++) {
        int64_t before = begin; /* a body may begin by the clock when the one before it ended */
        begin = boc_now();
        for (int i = 0; i < 10; i++) {
            named(name, nothing, c, BOC_WRITE);
        }
        test_wait();
        boc_tally_mark();
        boc_tally_mark();
        uint32_t n = boc_tally_read(look, 64);
        CHECK_EQ(n, (uint32_t)round + 3); /* the beginning, one a round, now */
        CHECK(look[n - 2].first >= before - 20000 && look[n - 2].first <= look[n - 2].time);
        CHECK_EQ(look[n - 1].first, -1);
        for (uint32_t i = 0; i < n; i++) {
            boc_tally_free(&look[i]);
        }
    }
    boc_cown_release(c);
    test_stop();
}

/* What is held when the trace goes off is still ended; what is taken while it is off counts nothing. */
static void test_off(void) {
    test_start(1);
    boc_trace_clear();
    boc_cown_t *c = cown_of("switched");
    uint32_t name = boc_name("quiet", 5);
    int64_t begin = boc_now();
    named(name, nothing, c, BOC_WRITE);
    test_wait();
    uint16_t home;
    boc_behavior_t *b = boc_behavior_new(1, 0);
    boc_request_set(b, 0, c, 0, BOC_WRITE);
    CHECK_EQ(boc_acquire(b, &home), BOC_OK);
    boc_trace_enable(false);
    boc_acquire_end(b);
    for (int i = 0; i < 10; i++) {
        named(name, nothing, c, BOC_WRITE);
    }
    test_wait();
    boc_trace_enable(true);
    boc_tally_row_t after = sum(BOC_TALLY_COWN, c->name);
    CHECK_EQ(sum(BOC_TALLY_BODY, name).n, 1);
    CHECK_EQ(after.n, 1);
    CHECK_EQ(after.more, 0);
    CHECK(after.ns <= boc_now() - begin + 1000000);
    boc_cown_release(c);
    test_stop();
}

static _Atomic bool go;

static void waits(task_t *t) {
    (void)t;
    while (!atomic_load(&go)) {
        work_ns(10000);
    }
}

/* Granted while it was recorded, begun and given back when it is not: the holding ends all the same. */
static void test_off_meanwhile(void) {
    test_start(1);
    boc_trace_clear();
    atomic_store(&go, false);
    boc_cown_t *c = cown_of("before"), *d = cown_of("behind");
    int64_t begin = boc_now();
    named(0, waits, c, BOC_WRITE);
    for (int i = 0; i < 3; i++) {
        named(0, nothing, d, i == 1 ? BOC_READ : BOC_WRITE);
    }
    boc_trace_enable(false);
    atomic_store(&go, true);
    test_wait();
    boc_trace_enable(true);
    boc_tally_row_t held = sum(BOC_TALLY_COWN, d->name);
    CHECK_EQ(held.more, 0);
    CHECK(held.ns > 0 && held.ns <= boc_now() - begin + 1000000);
    boc_cown_release(c);
    boc_cown_release(d);
    test_stop();
}

int main(void) {
    test_counts();
    test_held();
    test_marks();
    test_off();
    test_off_meanwhile();
    return 0;
}
