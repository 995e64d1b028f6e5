/* A record for each thread that calls into the core: its index, ids, counters and free lists.
 *
 * Workers bring their own, 0..n-1. Another thread takes one at its first call and gives it back when it
 * ends; the next one goes on with it, counters and ring included, so sums over all records never fall.
 * The process's main thread is always BOC_MAX_WORKERS + 0. Records are never freed: others read them.
 */
#include "thread.h"

#include "fork.h"
#include "platform.h"

#include <stdlib.h>

#define IDS 1024u  /* taken from the common counter at a time */
#define SPARES 16u /* records that need no memory, see thread_spare() */

#ifndef BOC_SYSTEMATIC
_Thread_local boc__thread_t *boc__tls_record __attribute__((tls_model("initial-exec")));
#endif

static _Atomic(boc__thread_t *) all;
static _Atomic uint64_t next_id = 1; /* 0 is "no id" */
static _Atomic uint32_t next_foreign = 1;
uint64_t boc_fork_floor;

boc__thread_t *boc__thread_all(void) {
    return boc__load_acq(&all);
}

uint64_t boc__id_refill(boc__thread_t *t) {
    t->id_next = boc__add(&next_id, IDS);
    t->id_end = t->id_next + IDS;
    return t->id_next++;
}

static boc__thread_t *thread_first(boc__thread_t *t, uint32_t index) {
    *t = (boc__thread_t){.index = index, .pool.home = boc__home_of(index), .random = index * 2654435761u + 1};
    atomic_init(&t->taken, true);
    t->all = boc__load_rlx(&all);
    while (!boc__cas(&all, &t->all, t)) {
    }
    return t;
}

boc__thread_t *boc__thread_new(uint32_t index) {
    boc__thread_t *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
    return t != NULL ? thread_first(t, index) : NULL;
}

/* Who calls in has no way to fail, and can be told only later that there is no memory: so some records are here. */
static boc__thread_t *thread_spare(uint32_t index) {
    static _Alignas(64) boc__thread_t spare[SPARES];
    static _Atomic uint32_t used;
    uint32_t i = boc__add(&used, 1);
    return i < SPARES ? thread_first(&spare[i], index) : NULL;
}

static void thread_gone(void *arg) {
    boc__thread_t *t = arg;
    boc__pool_return(&t->pool);
    boc__store_rel(&t->taken, false);
}

void boc__thread_bind(boc__thread_t *t) {
#ifdef BOC_SYSTEMATIC
    boc__sys_tls_set(t);
#else
    boc__tls_record = t;
#endif
}

boc__thread_t *boc__thread_attach(void) {
    bool main = boc__os_main_thread();
    boc__thread_t *t = NULL;
    for (boc__thread_t *r = boc__thread_all(); r != NULL; r = r->all) {
        bool no = false;
        if (r->index >= BOC_MAX_WORKERS && (r->index == BOC_MAX_WORKERS) == main && !boc__load_rlx(&r->taken) &&
            boc__cas(&r->taken, &no, true)) {
            t = r;
            break;
        }
    }
    if (t == NULL) {
        uint32_t index = BOC_MAX_WORKERS + (main ? 0 : boc__add(&next_foreign, 1));
        t = boc__thread_new(index);
        t = t != NULL ? t : thread_spare(index);
    }
    if (t == NULL) {
        abort(); /* more new threads than spares, and no memory for any of them */
    }
    boc__thread_bind(t);
    boc__os_at_thread_exit(thread_gone, t);
    return t;
}

uint32_t boc_self(void) {
    return boc__me()->index;
}

bool boc_on_worker(void) {
    return boc__me()->index < BOC_MAX_WORKERS;
}

bool boc_thread_lives(uint32_t index) {
    for (boc__thread_t *r = boc__thread_all(); r != NULL; r = r->all) {
        if (r->index == index) {
            return boc__load_acq(&r->taken);
        }
    }
    return false;
}

/* The other threads are gone; what their records hold is lost but for the counters. */
void boc__thread_fork_child(void) {
    boc_fork_floor = boc__load_rlx(&next_id); /* every id of before, and what is left of their blocks, is below */
    for (boc__thread_t *t = boc__thread_all(); t != NULL; t = t->all) {
        t->id_next = t->id_end = 0;
    }
    boc__thread_t *me = boc__tls;
    for (boc__thread_t *r = boc__thread_all(); r != NULL; r = r->all) {
        r->inplace = r->inplace_last = NULL;
        r->draining = r->in_body = false;
        boc__store_rlx(&r->scheduled, 0);
        boc__store_rlx(&r->finished, 0);
        boc__store_rlx(&r->started, 0);
        if (r != me && r->index >= BOC_MAX_WORKERS) {
            boc__store_rel(&r->taken, false);
        }
    }
    if (me != NULL && me->index != BOC_MAX_WORKERS) {
        boc__thread_bind(NULL); /* it is the main thread now: takes that record at its next call */
    }
}

void boc_living(int64_t *cowns, int64_t *behaviors) {
    *cowns = *behaviors = 0;
    for (boc__thread_t *t = boc__thread_all(); t != NULL; t = t->all) {
        *cowns += boc__load_rlx(&t->cowns);
        *behaviors += boc__load_rlx(&t->behaviors);
    }
}
