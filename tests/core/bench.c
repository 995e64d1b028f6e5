/* What the core alone costs: ns per behavior, best and median of several rounds, as JSON.
 *
 * bench [behaviors per round] [rounds] [case] [trace]. Bodies are empty. One core is meant: run it under taskset for W15.
 * With a case only that one runs, on one worker, for perf; with trace events in each ring, else without a trace. */
#include "host.h"
#include "trace.h"
#include "wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t todo;
static boc_cown_t *pool[64];
static boc_event_t done;
static _Atomic uint64_t left;

typedef struct {
    int (*fn)(boc_behavior_t *);
    uint64_t n;
} part_t;

static part_t *part(boc_behavior_t *b) {
    return boc_behavior_extra(b);
}

static int host_run(uint32_t worker, boc_behavior_t *b) {
    (void)worker;
    part(b)->fn(b);
    return BOC_RAN;
}

static bool drop_value(boc_cown_t *c) {
    (void)c;
    return true;
}

static boc_host_t host = {.kind = BOC_KIND_INTERPRETER, .run = host_run};
static boc_callbacks_t callbacks = {.drop_value = drop_value};

static boc_behavior_t *make(uint32_t nreq, int (*fn)(boc_behavior_t *), uint64_t n) {
    boc_behavior_t *b = boc_behavior_new(nreq, sizeof(part_t));
    *part(b) = (part_t){fn, n};
    return b;
}

static void finish_one(void) {
    if (atomic_fetch_sub_explicit(&left, 1, memory_order_acq_rel) == 1) {
        boc_event_set(&done);
    }
}

static void wait_done(void) {
    while (boc_event_wait(&done, INT64_MAX, false) != BOC_OK) {
    }
    while (boc_wait_quiescent(INT64_MAX, false) != BOC_OK) {
    }
    atomic_store(&done.word, 0);
}

static int nothing(boc_behavior_t *b) {
    (void)b;
    return 0;
}

/* a chain on one cown, or on two: each body schedules the next */
static int chain(boc_behavior_t *b) {
    uint64_t n = part(b)->n;
    if (n == 0) {
        finish_one();
        return 0;
    }
    boc_behavior_t *next = make(b->nreq, chain, n - 1);
    for (uint32_t i = 0; i < b->nreq; i++) {
        boc_request_lend(next, i, b->req[i].cown, 0, b->req[i].mode);
    }
    boc_schedule(next, b->id);
    return 0;
}

static void run_chain(uint32_t chains, uint32_t cowns, uint8_t mode) {
    atomic_store(&left, chains);
    for (uint32_t k = 0; k < chains; k++) {
        boc_behavior_t *b = make(cowns, chain, todo / chains);
        for (uint32_t i = 0; i < cowns; i++) {
            boc_request_set(b, i, pool[(k * cowns + i) % 64], 0, mode);
        }
        boc_schedule(b, 0);
    }
    wait_done();
}

/* a producer's body schedules many: on one cown; on fresh cowns with a result */
static int produce_same(boc_behavior_t *b) {
    for (uint64_t i = 0; i < part(b)->n; i++) {
        boc_behavior_t *n = make(1, nothing, 0);
        boc_request_set(n, 0, pool[0], 0, BOC_WRITE);
        boc_schedule(n, b->id);
    }
    finish_one();
    return 0;
}

static int produce_fresh(boc_behavior_t *b) {
    for (uint64_t i = 0; i < part(b)->n; i++) {
        boc_behavior_t *n = make(1, nothing, 0);
        n->flags = BOC_B_RESULT;
        boc_request_move(n, 0, boc_cown_new(BOC_COWN_RESULT), 0, BOC_WRITE);
        boc_schedule(n, b->id);
    }
    finish_one();
    return 0;
}

static void run_produce(int (*fn)(boc_behavior_t *), uint32_t producers) {
    atomic_store(&left, producers);
    for (uint32_t i = 0; i < producers; i++) {
        boc_schedule(make(0, fn, todo / producers), 0);
    }
    wait_done();
}

static void one_cown(void) { run_chain(1, 1, BOC_WRITE); }
static void two_cowns(void) { run_chain(1, 2, BOC_WRITE); }
static void reads(void) { run_chain(1, 1, BOC_READ); }
static void eight_chains(void) { run_chain(8, 1, BOC_WRITE); }
static void same_cown(void) { run_produce(produce_same, 1); }
static void fresh(void) { run_produce(produce_fresh, 1); }
static void fresh_two(void) { run_produce(produce_fresh, 2); }

static void from_main(void) {
    for (uint64_t i = 0; i < todo; i++) {
        boc_behavior_t *b = make(1, nothing, 0);
        boc_request_set(b, 0, pool[i % 8], 0, BOC_WRITE);
        boc_schedule(b, 0);
    }
    atomic_store(&left, 1);
    finish_one();
    wait_done();
}

static void contended(void) {
    for (uint64_t i = 0; i < todo; i++) {
        boc_behavior_t *b = make(1, nothing, 0);
        boc_request_set(b, 0, pool[0], 0, BOC_WRITE);
        boc_schedule(b, 0);
    }
    atomic_store(&left, 1);
    finish_one();
    wait_done();
}

static void records(void) {
    for (uint64_t i = 0; i < todo; i++) {
        boc_trace(BOC_T_mark, i, 0, 0, 0);
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static const char *comma = "";

static const char *only;

/* Of all threads; on a busy machine it says more than the clock. */
static int64_t cpu_time(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void measure(const char *name, void (*fn)(void), int rounds) {
    double ns[64], cpu[64];
    if (only != NULL && strcmp(only, name) != 0) {
        return;
    }
    fn();
    for (int i = 0; i < rounds; i++) {
        int64_t t = boc_now(), c = cpu_time();
        fn();
        ns[i] = (double)(boc_now() - t) / (double)todo;
        cpu[i] = (double)(cpu_time() - c) / (double)todo;
    }
    qsort(ns, (size_t)rounds, sizeof *ns, compare);
    qsort(cpu, (size_t)rounds, sizeof *cpu, compare);
    printf("%s\n    {\"case\": \"%s\", \"best_ns\": %.1f, \"median_ns\": %.1f, \"best_cpu_ns\": %.1f}", comma, name,
           ns[0], ns[rounds / 2], cpu[0]);
    comma = ",";
    fflush(stdout);
}

static void all(uint32_t workers, uint32_t trace, int rounds) {
    uint64_t stuck[16];
    boc_options_t o = {.workers = workers, .host = &host, .callbacks = &callbacks, .trace_events = trace};
    boc_start(&o);
    printf("%s\n  {\"workers\": %u, \"trace\": %s, \"cases\": [", comma, workers, trace ? "true" : "false");
    comma = "";
    measure("one cown, chain", one_cown, rounds);
    measure("two cowns, chain", two_cowns, rounds);
    measure("one cown read, chain", reads, rounds);
    measure("eight chains", eight_chains, rounds);
    measure("one cown, one producer", same_cown, rounds);
    measure("fresh result each", fresh, rounds);
    measure("fresh result each, two producers", fresh_two, rounds);
    measure("main over 8 cowns", from_main, rounds);
    measure("main, one cown", contended, rounds);
    if (trace) {
        measure("a trace record", records, rounds);
    }
    printf("\n  ]}");
    comma = ",";
    boc_stop(INT64_MAX, stuck);
}

int main(int argc, char **argv) {
    todo = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    rounds = rounds < 1 ? 1 : rounds > 64 ? 64 : rounds;
    for (int i = 0; i < 64; i++) {
        pool[i] = boc_cown_new(0);
    }
    printf("[");
    only = argc > 3 ? argv[3] : NULL;
    all(1, argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 0) : 0, rounds);
    if (only == NULL) {
        all(1, 65536, rounds);
        all(2, 0, rounds);
        all(2, 65536, rounds);
    }
    printf("\n]\n");
    return 0;
}
