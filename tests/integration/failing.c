/* failing.c: preloaded, it lets the n-th request that boc's own libraries make of the C library fail. glibc alone.
 *
 * What CPython asks for goes through: a lack of memory there is its own matter. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static struct { uintptr_t from, to; } code[4]; /* of boc's libraries */
static int ncode;
static _Atomic long countdown = -1, asked;
static atomic_bool on;

/* The n-th from now on fails, and that one alone. */
void failing_arm(long n) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    for (ncode = 0; maps != NULL && ncode < 4 && fgets(line, sizeof line, maps) != NULL;) {
        char may[5];
        if (strstr(line, "/boc/_") != NULL && sscanf(line, "%lx-%lx %4s", &code[ncode].from, &code[ncode].to, may) == 3 && may[2] == 'x')
            ncode++;
    }
    if (maps != NULL)
        fclose(maps);
    atomic_store(&asked, 0);
    atomic_store(&countdown, n);
    atomic_store(&on, true);
}

/* How many there were. */
long failing_disarm(void) {
    atomic_store(&on, false);
    return atomic_load(&asked);
}

static bool fails(const void *caller) {
    if (!atomic_load_explicit(&on, memory_order_relaxed))
        return false;
    bool ours = false;
    for (int i = 0; i < ncode; i++)
        ours |= (uintptr_t)caller >= code[i].from && (uintptr_t)caller < code[i].to;
    if (!ours)
        return false;
    atomic_fetch_add(&asked, 1);
    return atomic_fetch_sub(&countdown, 1) == 0;
}

#define FAILS fails(__builtin_return_address(0))

void *malloc(size_t n) { return FAILS ? NULL : __libc_malloc(n); }
void *calloc(size_t k, size_t n) { return FAILS ? NULL : __libc_calloc(k, n); }
void *realloc(void *p, size_t n) { return n != 0 && FAILS ? NULL : __libc_realloc(p, n); }
void *aligned_alloc(size_t to, size_t n) { return FAILS ? NULL : __libc_memalign(to, n); }

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return FAILS ? EAGAIN : real(t, a, f, arg);
}

int eventfd(unsigned value, int flags) {
    int (*real)(unsigned, int);
    *(void **)&real = dlsym(RTLD_NEXT, "eventfd");
    if (!FAILS)
        return real(value, flags);
    errno = EMFILE;
    return -1;
}

void *mmap(void *at, size_t n, int may, int flags, int fd, off_t from) {
    void *(*real)(void *, size_t, int, int, int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "mmap");
    if (!FAILS)
        return real(at, n, may, flags, fd, from);
    errno = ENOMEM;
    return MAP_FAILED;
}
