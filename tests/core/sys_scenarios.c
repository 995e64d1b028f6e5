/* What the systematic build runs, and what must hold in every schedule of it.
 *
 * Every behavior is a node. Scheduling takes from `begin` to `placed`, its body from `start` to `end` (steps of
 * the machine). The oracle, at each start: a node that was placed before this one began to be scheduled and
 * wants a common cown (not both reading) has ended. At the end: each ran or was cancelled, once; cowns are idle;
 * nothing pending; all memory given back. Who is inside a cown is checked by the host.
 */
#include "sys.h"

#include "atomic.h"
#include "platform.h"

#define NODES 400
#define COWNS 4

typedef struct {
    uint64_t begin, placed, start, end;
    uint32_t write, read, number, batch;
    uint32_t depth, yields;
    uint32_t ran, cancelled;
    boc_behavior_t *b;
} node_t;

static node_t node[NODES];
static uint32_t nodes;
static boc_cown_t *cowns[COWNS];
static uint32_t ncowns;

static struct { /* what the scenario allows */
    bool reads, batches, results, natives, pinned, nested, slow, kinds, alone;
} use;

/* On each cown: the batches in the order in which their behaviors ran there. */
static uint32_t trail[COWNS][NODES], length[COWNS];

/* ---- nodes -------------------------------------------------------------------------------- */
static bool conflict(const node_t *a, const node_t *b) {
    return ((a->write & (b->write | b->read)) | (a->read & b->write)) != 0;
}

static void look_at_order(const node_t *n) {
    for (uint32_t i = 0; i < nodes; i++) {
        const node_t *a = &node[i];
        if (a->placed != 0 && a->placed < n->begin && conflict(a, n)) {
            SYS_CHECK(a->end != 0);
        }
    }
}

static void schedule_some(uint32_t depth, uint64_t parent);

static void node_body(node_t *n, uint64_t id) {
    SYS_CHECK(n->ran++ == 0 && n->cancelled == 0);
    n->start = sys_step();
    look_at_order(n);
    for (uint32_t i = 0; i < COWNS; i++) {
        if ((n->write | n->read) >> i & 1) {
            trail[i][length[i]++] = n->batch;
        }
    }
    if (use.nested && n->depth > 0) {
        schedule_some(n->depth - 1, id);
    }
    for (uint32_t k = n->yields != 0 ? n->yields : sys_draw(use.slow ? 40 : 4); k > 0; k--) {
        boc__os_yield();
    }
    n->end = sys_step();
}

static void task_body(task_t *t) {
    node_body(t->arg, t->b->id);
}

static int native_body(boc_behavior_t *b) {
    node_body(task_of(b)->arg, 0);
    return BOC_RAN;
}

static void node_cancelled(boc_behavior_t *b) {
    node_t *n = task_of(b)->arg;
    SYS_CHECK(n->cancelled++ == 0 && (n->ran == 0 || boc__load_rlx(&b->state) == BOC_ST_RUNNING));
    n->end = sys_step();
    test_cancelled++;
}

static boc_behavior_t *make(uint32_t depth) {
    SYS_CHECK(nodes < NODES);
    node_t *n = &node[nodes++];
    *n = (node_t){.depth = depth, .number = nodes};
    uint32_t k = sys_draw(ncowns + 1), kind = sys_draw(6);
    boc_behavior_t *b = task_new(k + (use.results && kind == 0), task_body, n, 0);
    n->b = b;
    for (uint32_t i = 0; i < k; i++) {
        uint32_t c = sys_draw(ncowns);
        bool reads = use.reads && sys_draw(3) != 0;
        (sys_draw(2) ? boc_request_set : boc_request_lend)(b, i, cowns[c], (uint16_t)i, reads ? BOC_READ : BOC_WRITE);
        *(reads ? &n->read : &n->write) |= 1u << c;
    }
    n->read &= ~n->write;
    if (use.kinds) {
        b->kinds = sys_draw(3) == 0 ? BOC_KIND_ANY : sys_draw(2) ? BOC_KIND_PROCESS : BOC_KIND_INTERPRETER;
    }
    if (use.results && kind == 0) {
        boc_cown_t *result = boc_cown_new(BOC_COWN_RESULT);
        test_cowns++;
        b->flags = BOC_B_RESULT;
        boc_request_move(b, k, result, 0, BOC_WRITE);
    } else if (use.natives && kind == 1) {
        b->flags = BOC_B_NATIVE;
        b->run = native_body;
    } else if (use.pinned && kind <= 3) {
        b->flags = BOC_B_PINNED;
    }
    return b;
}

static void schedule_some(uint32_t depth, uint64_t parent) {
    boc_behavior_t *b[3];
    node_t *n[3]; /* not in a row: others make theirs meanwhile */
    uint32_t count = use.batches && sys_draw(3) == 0 ? 2 + sys_draw(2) : 1;
    for (uint32_t i = 0; i < count; i++) {
        b[i] = make(depth);
        n[i] = task_of(b[i])->arg;
        n[i]->batch = n[0]->number;
    }
    uint64_t begin = sys_step();
    for (uint32_t i = 0; i < count; i++) {
        n[i]->begin = begin;
    }
    int rc = count == 1 ? boc_schedule(b[0], parent) : boc_schedule_batch(b, count, parent);
    if (rc != BOC_OK) { /* the runtime stops */
        SYS_CHECK(rc == BOC_ESTATE);
        for (uint32_t i = 0; i < count; i++) {
            n[i]->ran = 1;
            boc_behavior_free(b[i]);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        n[i]->placed = sys_step();
    }
}

/* ---- the frame of every scenario ------------------------------------------------------------- */
static void pump(void) {
    boc_behavior_t *b;
    while ((b = boc_pinned_pop()) != NULL) {
        if (boc_begin(b)) {
            for (uint32_t i = 0; i < b->nreq; i++) {
                SYS_CHECK(b->req[i].cown->home == 0);
            }
            node_body(task_of(b)->arg, b->id);
        }
        boc_finish(b);
    }
}

static void wait_all(void) {
    int rc;
    while ((rc = boc_wait_quiescent(INT64_MAX, use.pinned)) != BOC_OK) {
        SYS_CHECK(rc == BOC_EINTR || rc == BOC_EPINNED);
        pump();
    }
    for (uint32_t i = 0; i < nodes; i++) { /* nobody else schedules any more */
        SYS_CHECK(node[i].end != 0);
    }
}

static void begin(uint32_t workers) {
    test_trace_events = 1024;
    test_callbacks.cancelled = node_cancelled;
    nodes = 0;
    memset(length, 0, sizeof length);
    test_start(workers);
    ncowns = 1 + sys_draw(1 + sys_draw(COWNS));
    for (uint32_t i = 0; i < ncowns; i++) {
        cowns[i] = cown();
        cowns[i]->value.flags = use.alone && i % 3 != 2 ? BOC_VALUE_ALONE : 0;
    }
}

static void end(bool stopped) {
    if (!stopped) {
        wait_all();
    }
    boc_counts_t n;
    if (!stopped) {
        test_stop();
    }
    boc_counts(&n);
    SYS_CHECK(n.scheduled == n.finished);
    for (uint32_t i = 0; i < nodes; i++) {
        SYS_CHECK(node[i].ran + node[i].cancelled == 1);
    }
    for (uint32_t i = 0; i < ncowns; i++) {
        SYS_CHECK(boc_cown_idle(cowns[i]));
        SYS_CHECK(boc_cown_queue(cowns[i]) == 0);
        SYS_CHECK(cowns[i]->refs == 1);
        atomic_store(&cowns[i]->home, 0);
        boc_cown_release(cowns[i]);
    }
    SYS_CHECK(test_cowns == 0);
    SYS_CHECK(boc_pinned_depth(NULL) == 0);
}

/* Half of the programs come slowly: then queues are short, and arriving meets leaving. */
static void producer(void *arg) {
    uint32_t pause = sys_draw(2) ? 0 : 1 + sys_draw(60);
    for (uint32_t i = *(uint32_t *)arg; i > 0; i--) {
        schedule_some(1, 0);
        for (uint32_t k = pause != 0 ? sys_draw(pause) : 0; k > 0; k--) {
            boc__os_yield();
        }
    }
}

static void run_programs(uint32_t each) {
    begin(1 + sys_draw(3));
    uint32_t second = each;
    boc__os_thread_t *other = boc__os_thread_start(producer, &second, "producer");
    producer(&each);
    boc__os_thread_join(other);
    end(false);
}

/* ---- scenarios ---------------------------------------------------------------------------------- */
static void queue(void) {
    use.nested = true;
    run_programs(12);
}

static void readers(void) {
    use.reads = use.nested = true;
    for (int i = 0; i < 3; i++) {
        use.slow = sys_draw(2);
        run_programs(12);
    }
}

/* Readers that run one after another, on several cowns at once, cancelled ones among them. */
static void turns(void) {
    use.reads = use.nested = use.alone = true;
    use.natives = sys_draw(2);
    use.batches = sys_draw(2);
    use.slow = sys_draw(2);
    run_programs(12);
}

/* One cown. Readers overlap, those at the tail leave first, and then a writer comes to an empty queue. */
static void place(bool reads, uint32_t yields) {
    node_t *n = &node[nodes++];
    *n = (node_t){.number = nodes, .batch = nodes, .yields = yields};
    *(reads ? &n->read : &n->write) = 1;
    n->b = task_new(1, task_body, n, 0);
    boc_request_set(n->b, 0, cowns[0], 0, reads ? BOC_READ : BOC_WRITE);
    n->begin = sys_step();
    SYS_CHECK(boc_schedule(n->b, 0) == BOC_OK);
    n->placed = sys_step();
}

static void leaving(void) {
    begin(2 + sys_draw(2));
    for (uint32_t i = 0; i < 4; i++) {
        place(true, 20 + sys_draw(100));
        place(true, 1);
        for (uint32_t k = sys_draw(80); k > 0; k--) {
            boc__os_yield();
        }
        place(sys_draw(4) == 0, 1 + sys_draw(20));
        place(sys_draw(2), 1);
    }
    end(false);
}

/* Two producers of batches only: on each cown those of one batch stand together. */
static void batches_round(void) {
    use.batches = true;
    use.reads = sys_draw(2);
    begin(1 + sys_draw(3));
    uint32_t second = 8, first = 8;
    boc__os_thread_t *other = boc__os_thread_start(producer, &second, "producer");
    producer(&first);
    boc__os_thread_join(other);
    wait_all();
    for (uint32_t c = 0; c < ncowns && !use.reads; c++) {
        for (uint32_t i = 0; i < length[c]; i++) {
            for (uint32_t k = i + 2; k < length[c]; k++) {
                SYS_CHECK(trail[c][i] != trail[c][k] || trail[c][i] == trail[c][i + 1]);
            }
        }
    }
    end(false);
}

static void batches(void) {
    for (int i = 0; i < 4; i++) {
        batches_round();
    }
}

/* Nothing but wake-ups: behaviors without cowns, workers that fall asleep between them, waits, events. */
static _Atomic uint32_t rung;
static boc_event_t bell;

static void ring(task_t *t) {
    (void)t;
    rung++;
    boc_event_set(&bell);
}

static void parking(void) {
    use.nested = true;
    begin(1 + sys_draw(3));
    ncowns = 0;
    for (uint32_t i = 1; i <= 10; i++) {
        schedule_some(2, 0);
        if (sys_draw(2)) {
            wait_all();
        }
        bell.word = 0;
        when(ring, NULL, 0, 0, NULL);
        int rc;
        while ((rc = boc_event_wait(&bell, INT64_MAX, sys_draw(2))) == BOC_EINTR) {
        }
        SYS_CHECK(rc == BOC_OK && rung == i);
        for (uint32_t k = sys_draw(30); k > 0; k--) {
            boc__os_yield();
        }
    }
    ncowns = COWNS; /* all were made with begin */
    for (uint32_t i = 0; i < COWNS; i++) {
        if (cowns[i] == NULL) {
            ncowns = i;
            break;
        }
    }
    rung = 0;
    end(false);
}

static void pinned(void) {
    use.pinned = use.nested = use.natives = true;
    SYS_CHECK(boc_pinned_fd() >= 0);
    run_programs(5);
    extern bool sys_fd_readable(void);
    SYS_CHECK(boc_pinned_pop() == NULL);
    SYS_CHECK(!sys_fd_readable());
}

static void slow_encode(uint32_t home, boc_cown_t *c) {
    for (uint32_t k = sys_draw(20); k > 0; k--) {
        boc__os_yield();
    }
    CHECK_EQ(c->home, home + 1);
    atomic_store(&c->home, 0);
}

static void homes(void) {
    test_callbacks.encode = slow_encode;
    use.nested = use.slow = true;
    use.reads = sys_draw(2);
    use.natives = sys_draw(2);
    use.pinned = sys_draw(4) == 0;
    test_live_values = true;
    for (int i = 0; i < 5; i++) {
        run_programs(10);
    }
}

/* All values live at one worker, which is inside a body now and then; others ask for them all the time, so that
 * it and its porter take turns in serving. */
static void linger(task_t *t) {
    for (uint64_t k = t->n; k > 0; k--) {
        boc__os_yield();
    }
}

static void fetches(void) {
    test_callbacks.encode = slow_encode;
    begin(2);
    for (uint32_t round = 0; round < 12; round++) {
        boc_cown_t *c[4];
        for (uint32_t i = 0; i < 4; i++) {
            c[i] = cown();
            atomic_store(&c[i]->home, 1);
        }
        when1(linger, NULL, sys_draw(80), c[0], BOC_WRITE);
        for (uint32_t i = 1; i < 4; i++) {
            for (uint32_t k = sys_draw(40); k > 0; k--) {
                boc__os_yield();
            }
            when1(linger, NULL, 1, c[i], BOC_READ);
        }
        wait_all();
        for (uint32_t i = 0; i < 4; i++) {
            SYS_CHECK(c[i]->home == 0);
            boc_cown_release(c[i]);
        }
    }
    end(false);
}

/* Bound to a worker that is in a long body; stolen, and cancelled in the hands of the thief. */
static void robbed(void) {
    test_callbacks.encode = slow_encode;
    begin(2);
    test_callbacks.cancelled = NULL;
    for (uint32_t round = 0; round < 20; round++) {
        boc_cown_t *c[4];
        for (uint32_t i = 0; i < 4; i++) {
            c[i] = cown();
            atomic_store(&c[i]->home, 1);
            when1(linger, NULL, i == 0 ? 20 + sys_draw(60) : 1, c[i], BOC_WRITE);
        }
        for (uint32_t k = sys_draw(80); k > 0; k--) {
            boc__os_yield();
        }
        boc_cancel_all();
        wait_all();
        for (uint32_t i = 0; i < 4; i++) {
            boc_cown_release(c[i]);
        }
    }
    end(false);
}

static void cancels(void) {
    use.nested = use.reads = use.results = true;
    use.batches = sys_draw(2);
    begin(1 + sys_draw(2));
    for (uint32_t i = 0; i < 8; i++) {
        schedule_some(1, 0);
        uint32_t k = sys_draw(8);
        if (k == 0) {
            boc_cancel_all();
        } else if (k == 1) {
            boc_gate_close();
        } else if (k == 2) {
            boc_gate_open();
        } else if (k == 3 && boc_gate_closed()) {
            boc_gate_step(0);
        }
    }
    boc_gate_open();
    end(false);
}

/* One that is cancelled alone stands behind one that this thread keeps from ending. */
static void cancel_one(void) {
    begin(1 + sys_draw(2));
    uint16_t home;
    boc_behavior_t *hold = task_new(1, NULL, NULL, 0);
    boc_request_set(hold, 0, cowns[0], 0, BOC_WRITE);
    SYS_CHECK(boc_acquire(hold, &home) == BOC_OK);
    uint32_t cancelled = 0;
    for (uint32_t i = 0; i < 5; i++) {
        node_t *n = &node[nodes++];
        *n = (node_t){.write = 1};
        n->b = task_new(2, task_body, n, 0);
        boc_request_set(n->b, 0, cowns[0], 0, BOC_WRITE);
        boc_cown_t *result = result_of(n->b);
        n->begin = sys_step();
        SYS_CHECK(boc_schedule(n->b, 0) == BOC_OK);
        n->placed = sys_step();
        if (sys_draw(2)) {
            cancelled++;
            SYS_CHECK(boc_cancel(n->b) == BOC_OK);
        }
        boc_cown_release(result);
    }
    boc_acquire_end(hold);
    wait_all();
    SYS_CHECK(test_cancelled == cancelled);
    end(false);
}

/* Some worker says that it runs this one's body, or that is over. */
static bool runs_or_ran(const node_t *n) {
    boc_running_t now;
    for (uint32_t w = 0; w < boc_worker_count(); w++) {
        if (boc_worker_running(w, &now) == BOC_OK && now.id == n->b->id) {
            return true;
        }
    }
    return n->end != 0;
}

/* Cancelled just as it begins: one of the two, and the canceller knows which, and where it runs; or its result is let go
 * at that moment. It ends by our hand, so it stays. */
static void cancel_race(void) {
    begin(1 + sys_draw(2));
    for (uint32_t i = 0; i < 60; i++) {
        node_t *n = &node[nodes++];
        *n = (node_t){.write = 1, .yields = 1};
        n->b = task_new(2, task_body, n, 0);
        task_of(n->b)->later = true;
        boc_request_set(n->b, 0, cowns[0], 0, BOC_WRITE);
        boc_cown_t *result = result_of(n->b);
        n->begin = sys_step();
        SYS_CHECK(boc_schedule(n->b, 0) == BOC_OK);
        n->placed = sys_step();
        for (uint32_t k = sys_draw(30); k > 0; k--) {
            boc__os_yield();
        }
        bool tried = sys_draw(4) != 0, late = !tried || boc_cancel(n->b) != BOC_OK;
        SYS_CHECK(!tried || !late || runs_or_ran(n));
        boc_cown_release(result);
        while (n->end == 0) {
            boc__os_yield();
        }
        SYS_CHECK(n->ran == late && n->cancelled == !late);
        if (late) {
            boc__os_barrier(); /* the plain store of its end stands for one that orders what was before */
            boc_finish(n->b);
        }
    }
    end(false);
}

static void acquires(void) {
    use.reads = use.nested = true;
    begin(1 + sys_draw(2));
    for (uint32_t i = 0; i < 6; i++) {
        schedule_some(1, 0);
        uint16_t home;
        boc_behavior_t *b = task_new(1, NULL, NULL, 0);
        boc_cown_t *c = cowns[sys_draw(ncowns)];
        boc_request_set(b, 0, c, 0, BOC_WRITE);
        if (boc_acquire(b, &home) == BOC_OK) {
            SYS_CHECK(c->value.u.i == 0);
            boc__os_yield();
            SYS_CHECK(c->value.u.i == 0);
            boc_acquire_end(b);
        } else {
            boc_behavior_free(b);
        }
    }
    end(false);
}

/* Stop in the middle, while another thread goes on scheduling; then once more from the start. */
static void stops(void) {
    for (int again = 0; again < 12; again++) {
        use.nested = use.reads = true;
        use.pinned = sys_draw(3) == 0;
        test_live_values = sys_draw(2);
        begin(1 + sys_draw(3));
        uint32_t second = 10, first = sys_draw(4);
        boc__os_thread_t *other = boc__os_thread_start(producer, &second, "producer");
        producer(&first);
        for (uint32_t k = sys_draw(20); k > 0; k--) {
            boc__os_yield();
        }
        test_stop();
        boc__os_thread_join(other);
        end(true);
    }
}

/* A deadline that may or may not find a body: it is given up or it ends, never both. */
static _Atomic bool let_go;

static void stuck_body(task_t *t) {
    for (uint32_t k = (uint32_t)t->n; k > 0 && !let_go; k--) {
        boc__os_yield();
    }
    rung++;
}

static void stuck_round(bool *abandoned) {
    let_go = false;
    begin(1 + sys_draw(2));
    rung = 0;
    uint32_t count = 1 + sys_draw(2);
    for (uint32_t i = 0; i < count; i++) {
        when1(stuck_body, NULL, sys_draw(60), cowns[sys_draw(ncowns)], BOC_WRITE);
    }
    test_callbacks.cancelled = NULL;
    for (uint32_t k = sys_draw(30); k > 0; k--) {
        boc__os_yield();
    }
    uint64_t mask[16];
    SYS_CHECK(boc_stop(boc_now() + sys_draw(1000), mask) == BOC_OK);
    boc_counts_t n;
    boc_counts(&n);
    SYS_CHECK(n.scheduled == n.finished);
    uint32_t given_up = (uint32_t)__builtin_popcountll(mask[0]);
    for (uint32_t i = 0; i < ncowns; i++) {
        SYS_CHECK(boc_cown_idle(cowns[i]));
    }
    let_go = true;
    for (int k = 0; k < 200; k++) {
        boc__os_yield();
    }
    if (given_up != 0) { /* what was given up stays */
        *abandoned = true;
        test_cowns = 0;
        return;
    }
    for (uint32_t i = 0; i < ncowns; i++) {
        boc_cown_release(cowns[i]);
    }
    SYS_CHECK(test_cowns == 0);
}

static void stuck(void) {
    sys_may_time_out = true;
    bool abandoned = false;
    for (int i = 0; i < 60; i++) {
        stuck_round(&abandoned);
    }
    if (abandoned) {
        fflush(stdout);
        _Exit(0); /* no balance to check */
    }
}

/* As many bodies as workers, and each waits for the others: no worker may sleep. They stand in one worker's lane,
 * or come from main, or are bound to one worker by live values. */
static _Atomic uint32_t met, group;

static void meet(task_t *t) {
    (void)t;
    met++;
    while (met % group != 0 && met < group * (uint32_t)t->n) {
        boc__os_yield();
    }
}

static void quick(task_t *t) {
    (void)t;
}

static void spawn_meeting(task_t *t) {
    for (uint32_t i = 0; i < group; i++) {
        when(meet, NULL, t->n, 0, NULL);
    }
}

static void spawn_and_meet(task_t *t) {
    for (uint32_t i = 1; i < group; i++) {
        when(meet, NULL, t->n, 0, NULL);
    }
    meet(t);
}

static void meeting(void) {
    group = 2 + sys_draw(2);
    begin(group);
    for (uint32_t i = 1; i <= 24; i++) {
        met = 0;
        uint32_t kind = sys_draw(4);
        for (uint32_t k = sys_draw(8); k > 0; k--) {
            when(quick, NULL, 0, 0, NULL); /* so that workers are brisk: what comes next waits for the porter */
        }
        for (uint32_t k = sys_draw(80); k > 0; k--) {
            boc__os_yield();
        }
        if (kind == 0) {
            when(spawn_meeting, NULL, 1, 0, NULL);
        } else if (kind == 3) {
            when(spawn_and_meet, NULL, 1, 0, NULL);
        }
        for (uint32_t k = 0; (kind == 1 || kind == 2) && k < group; k++) {
            if (kind == 1) {
                when(meet, NULL, 1, 0, NULL);
            } else {
                boc_cown_t *c = cown();
                atomic_store(&c->home, 1);
                when1(meet, NULL, 1, c, BOC_WRITE);
                boc_cown_release(c);
            }
        }
        wait_all();
        SYS_CHECK(met == group);
    }
    end(false);
}

/* The same, from main, one by one, while the workers look for work for the last time before they sleep. */
static void drowsy(void) {
    group = 2 + sys_draw(2);
    begin(group);
    for (uint32_t i = 0; i < 400; i++) {
        bell.word = 0;
        when(ring, NULL, 0, 0, NULL);
        while (boc_event_wait(&bell, INT64_MAX, false) != BOC_OK) {
        }
        met = 0;
        for (uint32_t k = sys_draw(30); k > 0; k--) {
            boc__os_yield();
        }
        for (uint32_t k = 0; k < group; k++) {
            when(meet, NULL, 1, 0, NULL);
        }
        wait_all();
        SYS_CHECK(met == group);
    }
    end(false);
}

/* Workers of two kinds: nobody runs what it may not (the host looks), and nobody sleeps over what it may. */
static const boc_host_t *hosts[4];

static void draw_hosts(uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        hosts[i] = i == 0 || (i > 1 && sys_draw(2)) ? &test_host : &test_process_host;
    }
    test_hosts = hosts;
}

static void kinds(void) {
    use.kinds = use.nested = true;
    use.natives = sys_draw(2);
    use.reads = sys_draw(2);
    use.slow = sys_draw(2);
    test_live_values = sys_draw(2);
    uint32_t workers = 2 + sys_draw(3);
    draw_hosts(workers);
    begin(workers);
    uint32_t first = 8, second = 8;
    boc__os_thread_t *other = boc__os_thread_start(producer, &second, "producer");
    producer(&first);
    boc__os_thread_join(other);
    end(false);
}

/* As many as there are workers that may run them, and each waits for the others. */
static void spawn_narrow(task_t *t) {
    for (uint32_t i = 0; i < group; i++) {
        boc_behavior_t *b = task_new(0, meet, NULL, 1);
        b->kinds = (uint8_t)(uintptr_t)t->arg;
        SYS_CHECK(boc_schedule(b, 0) == BOC_OK);
    }
}

static void kinds_meet(void) {
    uint32_t workers = 3 + sys_draw(2), of[2] = {0, 0};
    draw_hosts(workers);
    for (uint32_t i = 0; i < workers; i++) {
        of[hosts[i] == &test_process_host]++;
    }
    begin(workers);
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t process = sys_draw(2);
        uint8_t kind = process ? BOC_KIND_PROCESS : BOC_KIND_INTERPRETER;
        met = 0;
        group = of[process];
        for (uint32_t k = sys_draw(80); k > 0; k--) {
            boc__os_yield();
        }
        task_t from_here = {.arg = (void *)(uintptr_t)kind};
        if (sys_draw(2)) {
            spawn_narrow(&from_here);
        } else {
            when(spawn_narrow, from_here.arg, 0, 0, NULL);
        }
        wait_all();
        SYS_CHECK(met == group);
    }
    end(false);
}

static void mixed(void) {
    use.nested = true;
    use.reads = sys_draw(2);
    use.batches = sys_draw(2);
    use.results = sys_draw(2);
    use.natives = sys_draw(2);
    use.pinned = sys_draw(2);
    use.slow = sys_draw(2);
    test_live_values = sys_draw(2);
    use.alone = !test_live_values && sys_draw(2);
    run_programs(5);
}

const scenario_t scenarios[] = {
    {"queue", queue},     {"readers", readers},       {"turns", turns},       {"leaving", leaving}, {"batches", batches},
    {"parking", parking}, {"meeting", meeting}, {"drowsy", drowsy},         {"pinned", pinned},   {"homes", homes},     {"fetches", fetches},
    {"robbed", robbed},   {"cancels", cancels},       {"cancel_one", cancel_one}, {"cancel_race", cancel_race}, {"acquires", acquires},
    {"stops", stops},     {"stuck", stuck},     {"kinds", kinds},         {"kinds_meet", kinds_meet}, {"mixed", mixed},           {NULL, NULL},
};
