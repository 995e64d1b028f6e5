/* The systematic build's machine: threads that run one at a time, in an order drawn from a seed.
 *
 * A thread is a coroutine. At each point (an atomic operation of the core) the seed decides who goes on. Two ways
 * of drawing, by seed: a random walk, and priorities that change at a few drawn steps; in both a thread may be
 * held back for a long while. Locks, sleeping and spins
 * are conditions that the scheduler knows, so "nobody can go on" is a deadlock found. Time is a count of steps,
 * and jumps when everybody sleeps. Stores wait in a buffer per thread, for a drawn while.
 * Freed memory is filled and kept, so that whoever still uses it is seen. Each seed runs in a process of its own,
 * from the same start, so a seed is a replay.
 */
#include "sys.h"

#include "platform.h"
#include "sys_hooks.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define MAX_THREADS 24
#define MAX_BUFFER 12
#define STACK 262144
#define MAX_STEPS 600000u

typedef struct {
    void *p;
    uint64_t value;
    size_t size;
} store_t;

enum { FREE, RUNS, SLEEPS, SPINS, JOINS, OVER };

struct boc__os_thread {
    jmp_buf at;
    ucontext_t first;
    bool begun, detached;
    int state;
    const char *name;
    void (*fn)(void *), (*at_exit)(void *);
    void *arg, *exit_arg, *tls;
    _Atomic uint32_t *word; /* SLEEPS */
    int64_t until;          /* < 0: for ever */
    bool woken;
    uint64_t seen;          /* SPINS: memory as it was */
    struct boc__os_thread *joins;
    uint32_t priority;
    uint64_t frozen;        /* until this step, unless nobody else can go on: preempted at a bad moment */
    store_t buffer[MAX_BUFFER];
    uint32_t nbuffer;
};

static struct boc__os_thread thread[MAX_THREADS];
static struct boc__os_thread *me;
static uint64_t steps, changes, random_state;
static int64_t now_ns = 1000000;
static uint32_t walk_odds, delay_odds, flush_odds, freeze_odds, tick_ns, quantum, change_at[6], lowest;
static bool by_priority, replaying;
static int verbose;
static uint64_t seed;
bool sys_may_time_out, boc__tsc;

/* ---- drawing --------------------------------------------------------------------------- */
static uint64_t next_random(void) {
    uint64_t x = random_state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint32_t sys_draw(uint32_t n) {
    return (uint32_t)((next_random() >> 32) * n >> 32);
}

uint64_t sys_step(void) {
    return steps;
}

/* ---- failing and telling ----------------------------------------------------------------- */
static void vtell(const char *format, va_list list) {
    printf("%6llu %-10s ", (unsigned long long)steps, me != NULL ? me->name : "-");
    vprintf(format, list);
    printf("\n");
}

void sys_say(const char *format, ...) {
    if (replaying) {
        va_list list;
        va_start(list, format);
        vtell(format, list);
        va_end(list);
    }
}

void sys_fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    printf("seed %llu failed: ", (unsigned long long)seed);
    vtell(format, list);
    va_end(list);
    fflush(stdout);
    _exit(1);
}

void boc__sys_check(bool ok, const char *what, const char *file, int line) {
    if (!ok) {
        sys_fail("%s:%d: %s", file, line, what);
    }
}

static const char *const kind_name[] = {
#define X(name, subject, other, seq, flags, phase) #name,
#include "trace_events.def"
#undef X
};

void boc__sys_event(unsigned kind, uint64_t subject, uint64_t other, uint32_t seq, unsigned flags) {
    sys_say("%-10s %llu %llu (%u, flags %u)", kind_name[kind], (unsigned long long)subject, (unsigned long long)other,
            seq, flags);
}

/* ---- the store buffers --------------------------------------------------------------------- */
static void store_one(struct boc__os_thread *t) {
    store_t s = t->buffer[0];
    t->nbuffer--;
    memmove(t->buffer, t->buffer + 1, t->nbuffer * sizeof s);
    memcpy(s.p, &s.value, s.size);
    changes++;
}

static void store_all(struct boc__os_thread *t) {
    while (t->nbuffer != 0) {
        store_one(t);
    }
}

void boc__sys_fence(void) {
    store_all(me);
}

void boc__sys_changed(void) {
    changes++;
}

void boc__sys_own(const void *p, void *value, size_t size) {
    for (uint32_t i = me->nbuffer; i-- > 0;) {
        if (me->buffer[i].p == p) {
            memcpy(value, &me->buffer[i].value, size);
            return;
        }
    }
}

bool boc__sys_delay(void *p, const void *value, size_t size) {
    if (me->nbuffer == 0 && (delay_odds == 0 || sys_draw(delay_odds) != 0)) {
        return false;
    }
    if (me->nbuffer == MAX_BUFFER) {
        store_one(me);
    }
    store_t *s = &me->buffer[me->nbuffer++];
    *s = (store_t){.p = p, .size = size};
    memcpy(&s->value, value, size);
    return true;
}

/* ---- who goes on ----------------------------------------------------------------------------- */
static bool can_run(struct boc__os_thread *t) {
    switch (t->state) {
    case RUNS:
        return true;
    case SLEEPS:
        return t->woken || (t->until >= 0 && now_ns >= t->until);
    case SPINS:
        return t->seen != changes;
    case JOINS:
        return t->joins->state == OVER;
    default:
        return false;
    }
}

static struct boc__os_thread *choose(void) {
    struct boc__os_thread *can[MAX_THREADS];
    uint32_t n = 0;
    for (int pass = 0; pass < 2 && n == 0; pass++) {
        for (int i = 0; i < MAX_THREADS; i++) {
            if (can_run(&thread[i]) && (pass == 1 || thread[i].frozen <= steps)) {
                can[n++] = &thread[i];
            }
        }
    }
    if (n == 0) {
        return NULL;
    }
    if (!by_priority) {
        return can[sys_draw(n)];
    }
    struct boc__os_thread *best = can[0];
    for (uint32_t i = 1; i < n; i++) {
        if (can[i]->priority > best->priority) {
            best = can[i];
        }
    }
    return best;
}

/* Nobody can: what is still in a buffer arrives; else time passes; else it is a deadlock. */
static struct boc__os_thread *wait_for_somebody(void) {
    for (;;) {
        struct boc__os_thread *t = choose();
        if (t != NULL) {
            return t;
        }
        bool stored = false;
        struct boc__os_thread *late = NULL;
        int64_t earliest = INT64_MAX;
        for (int i = 0; i < MAX_THREADS; i++) {
            stored |= thread[i].nbuffer != 0;
            store_all(&thread[i]);
            if (thread[i].state == SLEEPS && thread[i].until >= 0 && thread[i].until < earliest) {
                earliest = thread[i].until;
                late = strncmp(thread[i].name, "porter", 6) != 0 ? &thread[i] : NULL; /* a porter's work is to look */
            }
        }
        if (stored) {
            continue;
        }
        if (earliest != INT64_MAX && late != NULL && !sys_may_time_out) {
            sys_fail("blocked: everybody sleeps, only a time-out of %s goes on", late->name);
        }
        if (earliest == INT64_MAX) {
            for (int i = 0; i < MAX_THREADS; i++) {
                if (thread[i].state != FREE && thread[i].state != OVER) {
                    printf("    %s %s\n", thread[i].name,
                           thread[i].state == SLEEPS ? "sleeps" : thread[i].state == SPINS ? "spins" : "joins");
                }
            }
            sys_fail("deadlock: every thread is blocked");
        }
        now_ns = earliest;
    }
}

static void begin_first(void);

static void go(struct boc__os_thread *t) {
    t->state = RUNS;
    if (t == me) {
        return;
    }
    struct boc__os_thread *from = me;
    if (_setjmp(from->at) == 0) {
        me = t;
        if (t->begun) {
            _longjmp(t->at, 1);
        }
        t->begun = true;
        setcontext(&t->first);
    }
}

static void switch_away(void) {
    go(wait_for_somebody());
}

static void pass_time(void) {
    steps++;
    now_ns += 1 + sys_draw(tick_ns);
    if (steps > MAX_STEPS) {
        sys_fail("no end after %u steps", MAX_STEPS);
    }
    for (int i = 0; i < MAX_THREADS; i++) {
        if (thread[i].nbuffer != 0 && sys_draw(flush_odds) == 0) {
            store_one(&thread[i]);
        }
    }
}

void boc__sys_point(const char *file, int line) {
    if (replaying && verbose > 1) {
        const char *slash = strrchr(file, '/');
        sys_say("%s:%d", slash != NULL ? slash + 1 : file, line);
    }
    pass_time();
    if (freeze_odds != 0 && sys_draw(freeze_odds) == 0) {
        me->frozen = steps + sys_draw(600);
        switch_away();
    } else if (by_priority) {
        for (int i = 0; i < 6; i++) {
            if (steps == change_at[i]) {
                me->priority = --lowest;
            }
        }
        switch_away();
    } else if (sys_draw(walk_odds) == 0) {
        switch_away();
    }
}

void boc__sys_spin(void) {
    pass_time();
    me->state = SPINS;
    me->seen = changes;
    switch_away();
}

void boc__spin_slow(uint32_t *turns);
void boc__os_yield(void) {
    pass_time();
    if (by_priority) {
        me->priority = --lowest;
    }
    switch_away();
}

void boc__os_pause(void) {
    if (quantum++ % 8 == 0) {
        boc__os_yield();
    }
}

/* ---- platform.h -------------------------------------------------------------------------------- */
bool boc__os_wait(_Atomic uint32_t *word, uint32_t expect, int64_t timeout_ns) {
    boc__sys_point(__FILE__, __LINE__);
    store_all(me);
    if (atomic_load(word) != expect || sys_draw(40) == 0) { /* a sleep may end for no reason */
        return true;
    }
    me->state = SLEEPS;
    me->word = word;
    me->woken = false;
    me->until = timeout_ns < 0 ? -1 : now_ns + timeout_ns;
    switch_away();
    return true;
}

void boc__os_wake(_Atomic uint32_t *word, uint32_t n) {
    boc__sys_point(__FILE__, __LINE__);
    store_all(me);
    uint32_t from = sys_draw(MAX_THREADS);
    for (uint32_t i = 0; i < MAX_THREADS && n > 0; i++) {
        struct boc__os_thread *t = &thread[(from + i) % MAX_THREADS];
        if (t->state == SLEEPS && t->word == word && !t->woken) {
            t->woken = true;
            n--;
        }
    }
}

int64_t boc__os_now(void) {
    return now_ns;
}

int64_t boc__ticks(void) {
    return now_ns;
}

int64_t boc__os_cpu(void) {
    return now_ns;
}

bool boc__os_has_tsc(void) {
    return false;
}

uint32_t boc__os_cpus(void) {
    return seed % 3 == 0 ? 1 : 2;
}

bool boc__os_main_thread(void) {
    return me == &thread[0];
}

void boc__os_barrier(void) {
    boc__sys_point(__FILE__, __LINE__);
    for (int i = 0; i < MAX_THREADS; i++) {
        store_all(&thread[i]);
    }
}

static void begin_first(void) {
    struct boc__os_thread *t = me;
    t->fn(t->arg);
    if (t->at_exit != NULL) {
        t->at_exit(t->exit_arg);
    }
    store_all(t);
    t->state = t->detached ? FREE : OVER;
    switch_away();
}

boc__os_thread_t *boc__os_thread_start(void (*fn)(void *), void *arg, const char *name) {
    store_all(me);
    for (int i = 1; i < MAX_THREADS; i++) {
        struct boc__os_thread *t = &thread[i];
        if (t->state != FREE) {
            continue;
        }
        char *label = malloc(24);
        snprintf(label, 24, "%s %d", strncmp(name, "boc ", 4) == 0 ? name + 4 : name, i);
        *t = (struct boc__os_thread){.state = RUNS, .name = label, .fn = fn, .arg = arg, .priority = (1u << 30) + sys_draw(1000)};
        getcontext(&t->first);
        t->first.uc_stack.ss_sp = malloc(STACK);
        t->first.uc_stack.ss_size = STACK;
        makecontext(&t->first, begin_first, 0);
        boc__sys_point(__FILE__, __LINE__);
        return t;
    }
    sys_fail("too many threads");
}

void boc__os_thread_join(boc__os_thread_t *t) {
    boc__sys_point(__FILE__, __LINE__);
    store_all(me);
    if (t->state != OVER) {
        me->state = JOINS;
        me->joins = t;
        switch_away();
    }
    t->state = FREE;
}

void boc__os_thread_detach(boc__os_thread_t *t) {
    t->detached = true;
    if (t->state == OVER) {
        t->state = FREE;
    }
}

void boc__os_at_thread_exit(void (*fn)(void *), void *arg) {
    me->at_exit = fn;
    me->exit_arg = arg;
}

static uint32_t fd_count;

int boc__os_fd_open(int same_as) {
    return same_as >= 0 ? same_as : 77;
}

void boc__os_fd_signal(int fd) {
    (void)fd;
    boc__sys_point(__FILE__, __LINE__);
    fd_count++;
}

void boc__os_fd_clear(int fd) {
    (void)fd;
    boc__sys_point(__FILE__, __LINE__);
    fd_count = 0;
}

bool sys_fd_readable(void) {
    return fd_count != 0;
}

void *boc__sys_tls(void) {
    return me->tls;
}

void boc__sys_tls_set(void *t) {
    me->tls = t;
}

/* ---- memory -------------------------------------------------------------------------------------- */
static struct {
    unsigned char *p;
    size_t size;
} dead[100000];
static uint32_t ndead;

void *boc__sys_alloc(size_t size) {
    return malloc(size);
}

void boc__sys_freed(void *p, size_t size) {
    store_all(me);
    for (int i = 0; i < MAX_THREADS; i++) {
        for (uint32_t k = 0; k < thread[i].nbuffer; k++) {
            if ((char *)thread[i].buffer[k].p >= (char *)p && (char *)thread[i].buffer[k].p < (char *)p + size) {
                sys_fail("%s still has a store under way to memory that is freed", thread[i].name);
            }
        }
    }
    memset(p, 0xdd, size);
    if (ndead < sizeof dead / sizeof *dead) {
        dead[ndead].p = p;
        dead[ndead++].size = size;
    }
}

static void check_dead(void) {
    for (uint32_t i = 0; i < ndead; i++) {
        for (size_t k = 0; k < dead[i].size; k++) {
            if (dead[i].p[k] != 0xdd) {
                sys_fail("freed memory was written, %zu bytes into an object of %zu", k, dead[i].size);
            }
        }
    }
}

/* ---- a seed ---------------------------------------------------------------------------------------- */
static void run_seed(const scenario_t *s) {
    random_state = seed * 0x2545f4914f6cdd1dull + 7;
    thread[0] = (struct boc__os_thread){.state = RUNS, .name = "main", .begun = true, .priority = (1u << 30) + 500};
    me = &thread[0];
    by_priority = seed % 2;
    walk_odds = 1 + (1u << sys_draw(4));
    delay_odds = sys_draw(4) == 0 ? 0 : 1 + sys_draw(4);
    flush_odds = 3 + sys_draw(3) * sys_draw(20);
    tick_ns = sys_draw(3) == 0 ? 2000 : 60;
    lowest = 1u << 30;
    freeze_odds = sys_draw(2) ? 0 : 50u << sys_draw(4);
    for (int i = 0; i < 6; i++) {
        change_at[i] = 1 + sys_draw(i < 3 ? 400 : 4000);
    }
    s->run();
    store_all(me);
    if (boc__alloc_balance() != 0) {
        sys_fail("%lld objects were never freed", (long long)boc__alloc_balance());
    }
    check_dead();
}

static void on_crash(int sig) {
    sys_fail("signal %d", sig);
}

static bool run_child(const scenario_t *s) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, on_crash);
        signal(SIGSEGV, on_crash);
        alarm(20);
        if (!replaying) {
            dup2(STDOUT_FILENO, STDERR_FILENO);
        }
        run_seed(s);
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return status == 0;
}

int main(int argc, char **argv) {
    uint64_t seeds = 300, first = 1;
    const char *only = NULL;
    bool replay = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seeds") == 0) {
            seeds = strtoull(value, NULL, 0), i++;
        } else if (strcmp(argv[i], "--first") == 0) {
            first = strtoull(value, NULL, 0), i++;
        } else if (strcmp(argv[i], "--only") == 0) {
            only = value, i++;
        } else if (strcmp(argv[i], "--replay") == 0) {
            first = strtoull(value, NULL, 0), seeds = 1, replay = true, i++;
        } else if (strcmp(argv[i], "-v") == 0) {
            verbose++;
        } else {
            fprintf(stderr, "usage: %s [--seeds N] [--first SEED] [--only SCENARIO] [--replay SEED [-v -v]]\n", argv[0]);
            return 2;
        }
    }
    replaying = replay;
    for (const scenario_t *s = scenarios; s->name != NULL; s++) {
        if (only != NULL && strcmp(only, s->name) != 0) {
            continue;
        }
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (seed = first; seed < first + seeds; seed++) {
            if (!run_child(s)) {
                printf("%s: seed %llu; to see it: %s --only %s --replay %llu\n", s->name, (unsigned long long)seed,
                       argv[0], s->name, (unsigned long long)seed);
                return 1;
            }
        }
        clock_gettime(CLOCK_MONOTONIC, &b);
        printf("%-10s %llu seeds, %.1f s\n", s->name, (unsigned long long)seeds,
               (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    }
    return 0;
}
