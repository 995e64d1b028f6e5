/* Trace rings: what is written is read, whole and in order; what was overtaken is counted; what is implied can
 * be derived. And the table of names. */
#include "fixture.h"

#include "tracing.h"

static boc_record_t record[200000];
static uint64_t lost[BOC_MAX_WORKERS + 64];

/* One by one, so that those of the worker, which come at any time, are passed over. */
static size_t read_of(boc_trace_cursor_t *cur, const boc__ring_t *ring, boc_record_t *out, size_t max) {
    size_t got = 0;
    while (got < max && boc_trace_read(cur, &out[got], 1, lost) != 0) {
        got += out[got].thread == ring->thread;
    }
    return got;
}

static void nothing(task_t *t) {
    (void)t;
}

static uint64_t total(const uint64_t *n, size_t k) {
    uint64_t sum = 0;
    for (size_t i = 0; i < k; i++) {
        sum += n[i];
    }
    return sum;
}

/* One behavior alone: schedule, request, start, end; times in order and on the clock. */
static void test_four(void) {
    test_start(1);
    boc_trace_cursor_t *cur = boc_trace_open();
    boc_trace_read(cur, record, 200000, lost);
    boc_cown_t *c = cown();
    int64_t before = boc_now();
    boc_behavior_t *b = task_new(1, nothing, NULL, 0);
    uint64_t id = b->id;
    b->name = 5;
    boc_request_set(b, 0, c, 0, BOC_WRITE);
    CHECK_EQ(boc_schedule(b, 77), BOC_OK);
    test_wait();
    int64_t after = boc_now();
    size_t n = boc_trace_read(cur, record, 200000, lost), k = 0;
    boc_record_t mine[10];
    for (size_t i = 0; i < n; i++) {
        if (record[i].subject == id && k < 10) {
            mine[k++] = record[i];
        }
    }
    CHECK_EQ(k, 4);
    for (size_t i = 0; i < 4; i++) { /* threads come in any order */
        for (size_t j = i + 1; j < 4; j++) {
            if (mine[j].kind < mine[i].kind) {
                boc_record_t swap = mine[i];
                mine[i] = mine[j];
                mine[j] = swap;
            }
        }
    }
    CHECK_EQ(mine[0].kind, BOC_T_schedule);
    CHECK_EQ(mine[0].other, 77);
    CHECK_EQ(mine[0].seq, 5);
    CHECK_EQ(mine[0].flags, 1);
    CHECK_EQ(mine[0].thread, BOC_MAX_WORKERS);
    CHECK_EQ(mine[1].kind, BOC_T_request);
    CHECK_EQ(mine[1].other, c->id);
    CHECK_EQ(mine[1].flags, 2);
    CHECK_EQ(mine[1].seq, c->seq);
    CHECK_EQ(mine[2].kind, BOC_T_start);
    CHECK_EQ(mine[2].thread, 0);
    CHECK_EQ(mine[3].kind, BOC_T_end);
    for (int i = 0; i < 4; i++) {
        CHECK(mine[i].time >= before - 20000 && mine[i].time <= after + 20000);
    }
    CHECK(mine[2].time <= mine[3].time);
    boc_cown_release(c);
    boc_trace_close(cur);
    test_stop();
}

/* An end and the next start may share one reading of the clock. They stand in order also if one of them is read
 * earlier than the other, with a tuning of the clock in between. */
static void test_order_over_reads(void) {
    test_start(1);
    boc_trace_cursor_t *cur = boc_trace_open();
    boc_trace_read(cur, record, 200000, lost);
    boc_cown_t *c = cown();
    for (int i = 0; i < 1000; i++) {
        boc_behavior_t *b = task_new(1, nothing, NULL, 0);
        boc_request_set(b, 0, c, 0, BOC_WRITE);
        CHECK_EQ(boc_schedule(b, 0), BOC_OK);
    }
    test_wait();
    int64_t last = 0;
    size_t seen = 0;
    while (boc_trace_read(cur, record, 1, lost) != 0) {
        if (record[0].thread == 0 && (record[0].kind == BOC_T_start || record[0].kind == BOC_T_end)) {
            CHECK(record[0].time >= last);
            last = record[0].time;
            seen++;
        }
    }
    CHECK_EQ(seen, 2000);
    CHECK(last <= boc_now() + 20000);
    boc_cown_release(c);
    boc_trace_close(cur);
    test_stop();
}

/* Every behavior: one schedule, one start, one end; on each cown the sequence numbers are 1, 2, 3 ... */
static void test_all_there(void) {
    test_start(2);
    boc_trace_cursor_t *cur = boc_trace_open();
    boc_trace_read(cur, record, 200000, lost);
    memset(lost, 0, sizeof lost);
    boc_cown_t *c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = cown();
    }
    uint64_t starts = 0, ends = 0, schedules = 0, grants = 0, first = 0, last_seq[4] = {0};
    bool seen[4][1000] = {{false}};
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 20; i++) {
            boc_cown_t *two[2] = {c[i % 4], c[(i + 1 + i / 8) % 4]};
            when(nothing, NULL, 0, 2, two);
        }
        test_wait();
        size_t n = boc_trace_read(cur, record, 200000, lost);
        for (size_t i = 0; i < n; i++) {
            boc_record_t *r = &record[i];
            starts += r->kind == BOC_T_start;
            ends += r->kind == BOC_T_end;
            schedules += r->kind == BOC_T_schedule;
            if (r->kind == BOC_T_grant || (r->kind == BOC_T_request && (r->flags & 2))) {
                grants++;
                for (int k = 0; k < 4; k++) {
                    if (c[k]->id == r->other) {
                        CHECK(r->seq < 1000 && !seen[k][r->seq]);
                        seen[k][r->seq] = true;
                        last_seq[k] = r->seq > last_seq[k] ? r->seq : last_seq[k];
                    }
                }
            }
        }
    }
    (void)first;
    CHECK_EQ(total(lost, BOC_MAX_WORKERS + 64), 0);
    CHECK_EQ(schedules, 400);
    CHECK_EQ(starts, 400);
    CHECK_EQ(ends, 400);
    CHECK_EQ(grants, 800);
    for (int k = 0; k < 4; k++) {
        CHECK_EQ(last_seq[k], c[k]->seq);
        for (uint64_t s = 1; s <= last_seq[k]; s++) {
            CHECK(seen[k][s]);
        }
        boc_cown_release(c[k]);
    }
    boc_trace_close(cur);
    test_stop();
}

/* A writer faster than the reader: whole records, in order, and read + lost = written. */
static _Atomic bool writing;
#define WRITTEN 3000000ull

static void writer(void *arg) {
    (void)arg;
    for (uint64_t i = 0; i < WRITTEN; i++) {
        boc_trace(BOC_T_mark, i, ~i, (uint32_t)i, (uint8_t)i);
    }
    writing = false;
}

static void test_overtaken(void) {
    test_start(1);
    boc_trace_clear();
    boc_trace_cursor_t *cur = boc_trace_open();
    boc_trace_read(cur, record, 200000, lost);
    memset(lost, 0, sizeof lost);
    writing = true;
    boc__os_thread_t *t = boc__os_thread_start(writer, NULL, "writer");
    uint64_t got = 0, next = 0;
    int64_t time = 0;
    bool first = true;
    for (bool more = true; more;) {
        more = writing;
        size_t n = boc_trace_read(cur, record, 1 + got % 5000, lost);
        for (size_t i = 0; i < n; i++) {
            if (record[i].kind != BOC_T_mark) {
                continue;
            }
            CHECK_EQ(record[i].other, ~record[i].subject);
            CHECK_EQ(record[i].seq, (uint32_t)record[i].subject);
            CHECK_EQ(record[i].flags, (uint8_t)record[i].subject);
            CHECK(first || record[i].subject >= next);
            CHECK(record[i].time >= time - 1000);
            first = false;
            next = record[i].subject + 1;
            time = record[i].time;
            got++;
        }
        more = more || n != 0;
    }
    boc__os_thread_join(t);
    CHECK_EQ(next, WRITTEN);
    CHECK(got <= WRITTEN);
    CHECK(got + total(lost, BOC_MAX_WORKERS + 64) <= WRITTEN + 16);
    boc_trace_enable(false);
    boc_trace(BOC_T_mark, 1, 2, 3, 4);
    boc_trace_enable(true);
    CHECK_EQ(read_of(cur, boc__me()->ring, record, 10), 0);
    boc_trace(BOC_T_mark, 1, 2, 3, 4);
    boc_trace_clear();
    CHECK_EQ(read_of(cur, boc__me()->ring, record, 10), 0);
    boc_trace_close(cur);
    test_stop();
}

static void test_names(void) {
    char text[32];
    CHECK_EQ(boc_name("", 0), 0);
    CHECK(strcmp(boc_name_text(0), "") == 0);
    uint32_t id[3000];
    for (int i = 0; i < 3000; i++) {
        int n = snprintf(text, sizeof text, "name %d", i);
        id[i] = boc_name(text, (size_t)n);
        CHECK(id[i] != 0);
    }
    for (int i = 0; i < 3000; i++) {
        int n = snprintf(text, sizeof text, "name %d and more", i);
        n -= 9;
        CHECK_EQ(boc_name(text, (size_t)n), id[i]);
        CHECK_EQ(strlen(boc_name_text(id[i])), (size_t)n);
        CHECK(memcmp(boc_name_text(id[i]), text, (size_t)n) == 0);
    }
    CHECK(strcmp(boc_name_text(4000000000u), "") == 0);
    CHECK_EQ(boc_name_size(4000000000u), 0);
    uint32_t cut = boc_name("a", 1), b = boc_name("a\0b", 3), c = boc_name("a\0c", 3), end = boc_name("a\0", 2);
    CHECK(cut != b && b != c && c != end && end != cut && end != b);
    CHECK_EQ(boc_name("a\0b", 3), b);
    CHECK_EQ(boc_name_size(b), 3);
    CHECK(memcmp(boc_name_text(b), "a\0b", 4) == 0);
}

/* Two records in one slot, up to the edges of what fits; also through a reader who takes them one at a time. */
static void same(const boc_record_t *r, uint8_t kind, uint64_t subject, uint64_t other, uint32_t seq, uint8_t flags) {
    CHECK_EQ(r->kind, kind);
    CHECK_EQ(r->subject, subject);
    CHECK_EQ(r->other, other);
    CHECK_EQ(r->seq, seq);
    CHECK_EQ(r->flags, flags);
    CHECK_EQ(r->thread, boc__me()->index);
}

static void test_pairs(void) {
    static const struct {
        uint64_t b, parent, cown, seq;
        uint32_t name;
        uint8_t flags, request;
        bool fits;
    } enter[] = {
        {9, 0, 4, 7, 3, BOC__TF_READY, BOC__TF_GRANTED, true},
        {9, 0, UINT64_MAX, UINT16_MAX, UINT32_MAX, 15, BOC__TF_GRANTED, true},
        {9, 0, 4, UINT16_MAX + 1ull, 3, 0, BOC__TF_GRANTED, false},
        {UINT64_MAX, 0, 4, UINT64_MAX - UINT16_MAX, 3, 8, BOC__TF_READ, true},
        {UINT64_MAX, 0, 4, UINT64_MAX - UINT16_MAX - 1, 3, 8, 0, false},
        {(1ull << 32) + 5, (1ull << 32) - 5, 4, (1ull << 32) - 5, 3, 8, 0, true}, /* a chain */
        {100, 90, 4, 95, 3, 8, 0, false},                                         /* the parent is another */
        {100, 90, 4, 90, 3, 8, BOC__TF_GRANTED, false},
        {100, 0, 4, 101, 3, 0, 0, false}, /* the predecessor has the greater id */
    };
    static const struct {
        uint64_t ended, next;
        bool fits;
    } hand_on[] = {{1, 2, true}, {1, 1 + UINT16_MAX, true}, {1, 2 + UINT16_MAX, false}, {2, 1, false}};
    test_start(1);
    boc_trace_cursor_t *cur = boc_trace_open();
    boc_trace(BOC_T_mark, 0, 0, 0, 0); /* it has a ring now */
    boc__ring_t *ring = boc__me()->ring;
    for (size_t i = 0; i < sizeof enter / sizeof *enter; i++) {
        while (boc_trace_read(cur, record, 200000, lost) != 0) {
        }
        uint64_t head = boc__load_rlx(&ring->head);
        bool told = boc__trace_enter(ring, boc__ticks(), enter[i].b, enter[i].parent, enter[i].name, enter[i].flags,
                                     enter[i].cown, enter[i].seq, enter[i].request);
        CHECK_EQ(told, enter[i].fits);
        CHECK_EQ(boc__load_rlx(&ring->head), head + told);
        CHECK_EQ(read_of(cur, ring, &record[0], 1), told);
        CHECK_EQ(read_of(cur, ring, &record[1], 1), told);
        if (told) {
            same(&record[0], BOC_T_schedule, enter[i].b, enter[i].parent, enter[i].name, enter[i].flags);
            same(&record[1], BOC_T_request, enter[i].b, enter[i].cown, (uint32_t)enter[i].seq, enter[i].request);
            int64_t apart = record[1].time - record[0].time; /* the clocks were compared once more between the reads */
            CHECK(apart < 1000 && apart > -1000);
            CHECK(record[0].time <= boc_now() + 20000 && record[0].time >= boc_now() - 1000000000);
        }
    }
    for (size_t i = 0; i < sizeof hand_on / sizeof *hand_on; i++) {
        bool told = boc__trace_hand_on(ring, boc__ticks(), hand_on[i].ended, hand_on[i].next, UINT64_MAX, UINT32_MAX, 3);
        CHECK_EQ(told, hand_on[i].fits);
        CHECK_EQ(read_of(cur, ring, record, 3), told ? 2 : 0);
        if (told) {
            same(&record[0], BOC_T_end, hand_on[i].ended, 0, 0, 0);
            same(&record[1], BOC_T_grant, hand_on[i].next, UINT64_MAX, UINT32_MAX, 3);
        }
    }
    boc_trace_close(cur);
    test_stop();
}

/* A step of a chain on one worker takes three slots: schedule and request, end and grant, start. */
#define STEPS 500u

static void step(task_t *t) {
    boc_behavior_t *me = t->b;
    if (t->n != 0) {
        boc_behavior_t *b = task_new(1, step, NULL, t->n - 1);
        boc_request_set(b, 0, me->req[0].cown, 0, BOC_WRITE);
        CHECK_EQ(boc_schedule(b, me->id), BOC_OK);
    }
}

static void test_chain(void) {
    test_start(1);
    boc_trace_cursor_t *cur = boc_trace_open();
    boc_cown_t *c = cown();
    when(step, NULL, STEPS, 1, &c);
    test_wait();
    while (boc_trace_read(cur, record, 200000, lost) != 0) {
    }
    uint64_t before = boc__load_acq(&boc__rings[0]->head);
    when(step, NULL, STEPS, 1, &c);
    test_wait();
    CHECK(boc__load_acq(&boc__rings[0]->head) - before <= 3 * STEPS + 10);
    size_t n = boc_trace_read(cur, record, 200000, lost), kinds[BOC_T_COUNT] = {0};
    uint64_t running = 0;
    for (size_t i = 0; i < n; i++) {
        boc_record_t *r = &record[i];
        kinds[r->kind]++;
        if (r->thread == 0 && r->kind == BOC_T_schedule) {
            CHECK_EQ(r->other, running);
        } else if (r->kind == BOC_T_start) {
            CHECK_EQ(running, 0);
            running = r->subject;
        } else if (r->kind == BOC_T_end) {
            CHECK_EQ(running, r->subject);
            running = 0;
        }
    }
    CHECK_EQ(kinds[BOC_T_schedule], STEPS + 1);
    CHECK_EQ(kinds[BOC_T_request], STEPS + 1);
    CHECK_EQ(kinds[BOC_T_grant], STEPS);
    CHECK_EQ(kinds[BOC_T_start], STEPS + 1);
    CHECK_EQ(kinds[BOC_T_end], STEPS + 1);
    boc_cown_release(c);
    boc_trace_close(cur);
    test_stop();
}

int main(void) {
    test_four();
    test_pairs();
    test_chain();
    test_order_over_reads();
    test_all_there();
    test_overtaken();
    test_names();
    return 0;
}
