/* Linux and other POSIX systems behind platform.h. */
#include "platform.h"

#include "atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

bool boc__tsc;
#ifdef BOC__TSAN
_Thread_local _Atomic uint32_t boc__fence_word;
#endif

static void timespec_of(int64_t ns, struct timespec *ts) {
    ts->tv_sec = (time_t)(ns / 1000000000);
    ts->tv_nsec = (long)(ns % 1000000000);
}

/* ---- sleeping on a word --------------------------------------------------- */
#if defined(__linux__)

bool boc__os_wait(_Atomic uint32_t *word, uint32_t expect, int64_t timeout_ns) {
    struct timespec ts;
    if (timeout_ns >= 0) {
        timespec_of(timeout_ns, &ts);
    }
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expect, timeout_ns >= 0 ? &ts : NULL, NULL, 0);
    return !(rc == -1 && errno == EINTR);
}

void boc__os_wake(_Atomic uint32_t *word, uint32_t n) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n > INT32_MAX ? INT32_MAX : (int)n, NULL, NULL, 0);
}

#else /* one lock and one condition a bucket: correct, not fast */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t cond;
} bucket[64];
static pthread_once_t bucket_once = PTHREAD_ONCE_INIT;

static void bucket_init(void) {
    for (int i = 0; i < 64; i++) {
        pthread_mutex_init(&bucket[i].lock, NULL);
        pthread_cond_init(&bucket[i].cond, NULL);
    }
}

static int bucket_of(const void *p) {
    pthread_once(&bucket_once, bucket_init);
    return (int)(((uintptr_t)p >> 4) & 63);
}

bool boc__os_wait(_Atomic uint32_t *word, uint32_t expect, int64_t timeout_ns) {
    int i = bucket_of(word);
    pthread_mutex_lock(&bucket[i].lock);
    if (atomic_load(word) == expect) {
        if (timeout_ns < 0) {
            pthread_cond_wait(&bucket[i].cond, &bucket[i].lock);
        } else {
            struct timespec ts;
            clock_gettime(CLOCK_REALTIME, &ts);
            timespec_of(ts.tv_sec * 1000000000LL + ts.tv_nsec + timeout_ns, &ts);
            pthread_cond_timedwait(&bucket[i].cond, &bucket[i].lock, &ts);
        }
    }
    pthread_mutex_unlock(&bucket[i].lock);
    return true;
}

void boc__os_wake(_Atomic uint32_t *word, uint32_t n) {
    (void)n; /* others may share the bucket */
    int i = bucket_of(word);
    pthread_mutex_lock(&bucket[i].lock);
    pthread_cond_broadcast(&bucket[i].cond);
    pthread_mutex_unlock(&bucket[i].lock);
}

#endif

/* ---- clocks ---------------------------------------------------------------- */
static int64_t clock_of(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t boc__os_now(void) {
    return clock_of(CLOCK_MONOTONIC);
}

int64_t boc__os_cpu(void) {
    return clock_of(CLOCK_THREAD_CPUTIME_ID);
}

bool boc__os_has_tsc(void) {
#if defined(__linux__) && defined(__x86_64__)
    char text[16] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    /* the kernel takes the TSC as its clock only while it is invariant and in step on all cores */
    return n >= 3 && memcmp(text, "tsc", 3) == 0;
#else
    return false;
#endif
}

/* ---- threads --------------------------------------------------------------- */
void boc__os_yield(void) {
    sched_yield();
}

void boc__os_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

void boc__spin_slow(uint32_t *turns) {
    if (++*turns < 64) {
        boc__os_pause();
    } else {
        boc__os_yield();
    }
}

uint32_t boc__os_cpus(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (uint32_t)CPU_COUNT(&set);
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

bool boc__os_main_thread(void) {
#if defined(__linux__)
    return (pid_t)syscall(SYS_gettid) == getpid();
#else
    return pthread_main_np();
#endif
}

void boc__os_barrier(void) {
#if defined(__linux__)
    static _Atomic int registered; /* 0 not yet, 1 yes, 2 the kernel refuses */
    if (atomic_load(&registered) == 0) {
        long rc = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
        atomic_store(&registered, rc == 0 ? 1 : 2);
    }
    if (atomic_load(&registered) == 1 && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) {
        return;
    }
#endif
    /* no such call: a store leaves its buffer within microseconds, or with the next switch */
    struct timespec ts = {0, 10000000};
    nanosleep(&ts, NULL);
}

struct boc__os_thread {
    pthread_t id;
    void (*fn)(void *);
    void *arg;
    char name[16];
    _Atomic uint32_t holders; /* the thread itself and its handle */
};

static void thread_drop(boc__os_thread_t *t) {
    if (atomic_fetch_sub(&t->holders, 1) == 1) {
        free(t);
    }
}

static void *thread_main(void *arg) {
    boc__os_thread_t *t = arg;
#if defined(__linux__)
    prctl(PR_SET_NAME, t->name, 0, 0, 0);
#endif
    t->fn(t->arg);
    thread_drop(t);
    return NULL;
}

boc__os_thread_t *boc__os_thread_start(void (*fn)(void *), void *arg, const char *name) {
    boc__os_thread_t *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->fn = fn;
    t->arg = arg;
    atomic_init(&t->holders, 2);
    snprintf(t->name, sizeof t->name, "%s", name);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 16u << 20); /* interpreters recurse deeply; untouched pages cost nothing */
    int rc = pthread_create(&t->id, &attr, thread_main, t);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        free(t);
        return NULL;
    }
    return t;
}

void boc__os_thread_join(boc__os_thread_t *t) {
    pthread_join(t->id, NULL);
    thread_drop(t);
}

void boc__os_thread_detach(boc__os_thread_t *t) {
    pthread_detach(t->id);
    thread_drop(t);
}

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static void (*_Atomic exit_fn)(void *);

static void exit_run(void *arg) {
    atomic_load(&exit_fn)(arg);
}

static void exit_init(void) {
    pthread_key_create(&exit_key, exit_run);
}

void boc__os_at_thread_exit(void (*fn)(void *), void *arg) {
    atomic_store(&exit_fn, fn); /* always the same one */
    pthread_once(&exit_once, exit_init);
    pthread_setspecific(exit_key, arg);
}

/* ---- a descriptor to poll -------------------------------------------------- */
/* A pipe's ends are fd and fd_write; an eventfd is both. One such descriptor per process. */
static int fd_write = -1;

int boc__os_fd_open(int same_as) {
    int fd = -1, other = -1;
#if defined(__linux__)
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
#else
    int p[2];
    if (pipe(p) == 0) {
        for (int i = 0; i < 2; i++) {
            fcntl(p[i], F_SETFD, FD_CLOEXEC);
            fcntl(p[i], F_SETFL, O_NONBLOCK);
        }
        fd = p[0];
        other = p[1];
    }
#endif
    if (fd >= 0 && same_as >= 0 && fd != same_as) {
        if (dup2(fd, same_as) >= 0) {
            fcntl(same_as, F_SETFD, FD_CLOEXEC);
            close(fd);
            fd = same_as;
        }
    }
    fd_write = other >= 0 ? other : fd;
    return fd;
}

void boc__os_fd_signal(int fd) {
    (void)fd;
    uint64_t one = 1;
    if (write(fd_write, &one, sizeof one) < 0) {
        return; /* full: it is readable already */
    }
}

void boc__os_fd_clear(int fd) {
    uint64_t sink[8];
    while (read(fd, sink, sizeof sink) > 0) {
    }
}
