/* A host for tests: bodies are C functions, values are what a test makes of them.
 *
 * A body is task_t in the behavior's host part. The host checks, in every run, that the cowns which the
 * behavior asked for are really its own: a writer alone, readers only among readers.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "host.h"
#include "trace.h"
#include "wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond)                                                                    \
    do {                                                                               \
        if (!(cond)) {                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
            abort();                                                                   \
        }                                                                              \
    } while (0)
#define CHECK_EQ(a, b)                                                                 \
    do {                                                                               \
        long long a_ = (long long)(a), b_ = (long long)(b);                            \
        if (a_ != b_) {                                                                \
            fprintf(stderr, "%s:%d: %s is %lld, %s is %lld\n", __FILE__, __LINE__, #a, \
                    a_, #b, b_);                                                       \
            abort();                                                                   \
        }                                                                              \
    } while (0)

typedef struct task task_t;
struct task {
    void (*fn)(task_t *);
    boc_behavior_t *b;
    void *arg;
    uint64_t n;
    bool later;     /* fn calls boc_finish itself, from wherever */
    bool cancelled; /* filled by the host */
};

/* ---- what the host does ---- */
extern boc_host_t test_host;
extern boc_callbacks_t test_callbacks;
extern _Atomic uint64_t test_ran, test_cancelled, test_dropped, test_encoded, test_cowns;
extern bool test_live_values; /* after each body the written cowns are live where it ran */

extern uint32_t test_trace_events;
extern const boc_host_t *const *test_hosts; /* of workers of several kinds; NULL: test_host for all */
extern boc_host_t test_process_host;          /* as test_host, of another kind */

void test_start(uint32_t workers);
void test_stop(void);
void test_wait(void);

/* ---- shorthands ---- */
boc_cown_t *cown(void);
boc_behavior_t *task_new(uint32_t nreq, void (*fn)(task_t *), void *arg, uint64_t n);
boc_cown_t *result_of(boc_behavior_t *b); /* makes b's last request its result; a reference is the caller's */
void when(void (*fn)(task_t *), void *arg, uint64_t n, uint32_t nreq, boc_cown_t **c);
void when1(void (*fn)(task_t *), void *arg, uint64_t n, boc_cown_t *c, uint8_t mode);
static inline task_t *task_of(boc_behavior_t *b) {
    return boc_behavior_extra(b);
}
void work_ns(int64_t ns); /* busy, not asleep */

#endif
