/* The operating system, all of it: sleeping on a word, clocks, threads, a descriptor to poll.
 * platform.c is the only file of the core with system calls; tests/core/sys.c replaces it. */
#ifndef BOC_PLATFORM_H
#define BOC_PLATFORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Sleep while *word == expect, at most timeout_ns (< 0: for ever). False: a signal arrived. */
bool boc__os_wait(_Atomic uint32_t *word, uint32_t expect, int64_t timeout_ns);
void boc__os_wake(_Atomic uint32_t *word, uint32_t n);

int64_t boc__os_now(void);     /* CLOCK_MONOTONIC, ns */
int64_t boc__os_cpu(void);     /* CPU time of this thread, ns */
bool boc__os_has_tsc(void);    /* the TSC is invariant and the kernel's own clock source */
void boc__os_yield(void);
void boc__os_pause(void);
uint32_t boc__os_cpus(void);   /* cores this process may use */
bool boc__os_main_thread(void);

/* Every running thread of the process passes a full barrier before this returns: the other side of a
   store-then-load race can then do without one. */
void boc__os_barrier(void);

typedef struct boc__os_thread boc__os_thread_t;
boc__os_thread_t *boc__os_thread_start(void (*fn)(void *), void *arg, const char *name);
void boc__os_thread_join(boc__os_thread_t *t);
void boc__os_thread_detach(boc__os_thread_t *t);
void boc__os_at_thread_exit(void (*fn)(void *), void *arg); /* for the calling thread, once */

int boc__os_fd_open(int same_as);  /* readable after signal; same_as >= 0: under that number */
void boc__os_fd_signal(int fd);
void boc__os_fd_clear(int fd);

#ifdef BOC_SYSTEMATIC
#include "sys_hooks.h"
#else
/* Time stamps for the trace and for ages: TSC ticks where they are good, else ns. See trace_clock.c. */
extern bool boc__tsc;
static inline int64_t boc__ticks(void) {
#if defined(__x86_64__)
    if (boc__tsc) {
        return (int64_t)__builtin_ia32_rdtsc();
    }
#endif
    return boc__os_now();
}
#endif

#endif
