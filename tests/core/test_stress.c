/* Everything at once, at random: writers, readers, batches, results, natives, pinned work, live values, cancels,
 * acquires from main, stops in between. The host checks holders and homes; here the sums are checked. */
#include "fixture.h"

#include "platform.h"

#define COWNS 6

static boc_cown_t *cowns[COWNS];
static _Atomic uint64_t made, ended_natives;

static uint32_t draw(uint32_t *r) {
    *r = *r * 1664525 + 1013904223;
    return *r >> 8;
}

static int native_run(boc_behavior_t *b) {
    (void)b;
    ended_natives++;
    return BOC_RAN;
}

static void body(task_t *t);

static boc_behavior_t *random_behavior(uint32_t *r, uint64_t depth) {
    uint32_t n = draw(r) % 4, kind = draw(r) % 16;
    boc_behavior_t *b = task_new(n + (kind == 0), body, NULL, depth);
    for (uint32_t i = 0; i < n; i++) {
        boc_request_set(b, i, cowns[draw(r) % COWNS], (uint16_t)i, draw(r) % 3 == 0);
    }
    if (kind == 0) {
        boc_cown_t *result = boc_cown_new(BOC_COWN_RESULT);
        test_cowns++;
        b->flags = BOC_B_RESULT;
        boc_request_move(b, n, result, 0, BOC_WRITE);
    } else if (kind == 1) {
        b->flags = BOC_B_NATIVE;
        b->run = native_run;
    } else if (kind == 2) {
        b->flags = BOC_B_PINNED;
    }
    return b;
}

static void schedule_some(uint32_t *r, uint64_t depth, uint64_t parent) {
    boc_behavior_t *b[4];
    uint32_t n = draw(r) % 8 == 0 ? 4 : 1;
    for (uint32_t i = 0; i < n; i++) {
        b[i] = random_behavior(r, depth);
    }
    int rc = n == 1 ? boc_schedule(b[0], parent) : boc_schedule_batch(b, n, parent);
    if (rc == BOC_OK) {
        made += n;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        boc_behavior_free(b[i]);
    }
}

static void body(task_t *t) {
    uint32_t r = (uint32_t)t->b->id * 2654435761u;
    if (t->n > 0) {
        schedule_some(&r, t->n - 1, t->b->id);
        if (draw(&r) % 3 == 0) {
            schedule_some(&r, t->n - 1, t->b->id);
        }
    }
    if (draw(&r) % 500 == 0) {
        work_ns(300000);
    }
}

static void pump(void) {
    boc_behavior_t *b;
    while ((b = boc_pinned_pop()) != NULL) {
        if (boc_begin(b)) {
            for (uint32_t i = 0; i < b->nreq; i++) {
                CHECK_EQ(b->req[i].cown->home, 0);
            }
            task_of(b)->b = b;
            body(task_of(b));
        }
        boc_finish(b);
    }
}

static void acquire_one(uint32_t *r) {
    uint16_t home;
    boc_behavior_t *b = task_new(1, NULL, NULL, 0);
    boc_request_set(b, 0, cowns[draw(r) % COWNS], 0, BOC_WRITE);
    if (boc_acquire(b, &home) == BOC_OK) {
        CHECK_EQ(b->req[0].cown->value.u.i, 0);
        boc_acquire_end(b);
    } else {
        boc_behavior_free(b);
    }
}

static void round_of(uint32_t seed) {
    uint32_t r = seed * 7919 + 1;
    test_live_values = seed % 2;
    test_start(1 + seed % 3);
    made = ended_natives = 0;
    for (int i = 0; i < COWNS; i++) {
        cowns[i] = cown();
    }
    for (int i = 0; i < 150; i++) {
        schedule_some(&r, 6, 0);
        acquire_one(&r);
        if (i % 10 == 0) {
            pump();
        }
        if (i == 100 && seed % 5 == 0) {
            boc_cancel_all();
        }
    }
    int rc = 0;
    while (seed % 4 != 0 && (rc = boc_wait_quiescent(boc_now() + 20000000000, true)) != BOC_OK) {
        CHECK(rc == BOC_EPINNED || rc == BOC_EINTR);
        pump();
    }
    test_stop();
    CHECK_EQ(test_dropped, made);
    for (int i = 0; i < COWNS; i++) {
        CHECK(boc_cown_idle(cowns[i]));
        atomic_store(&cowns[i]->home, 0);
        boc_cown_release(cowns[i]);
    }
    CHECK_EQ(test_cowns, 0);
}

int main(int argc, char **argv) {
    uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 60;
    for (uint32_t i = 0; i < rounds; i++) {
        round_of(i);
    }
    return 0;
}
