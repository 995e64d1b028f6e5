/* Waiting: until nothing is pending, or for one event.
 *
 * Each thread counts what it scheduled and what it finished. A reader sums `finished` first and `scheduled`
 * afterwards: counts only grow, and a finish is counted after its schedule, so if the sums are equal, nothing
 * was pending at the moment between the two sums.
 *
 * Nobody is told at each finish. A worker that finds nothing to do, and any other thread at each finish, looks
 * whether somebody waits, after a full fence behind its counts; a waiter registers, full fence, then sums:
 * one of them sees the other.
 */
#include "quiesce.h"

#include "fork.h"
#include "tracing.h"
#include "wait.h"
#include "wake.h"

#define SLICE_NS 50000000
#define SPIN_NS 60000 /* a core that sleeps takes this long to wake: let main not sleep for a short body, nor workers then */

static _Atomic uint32_t waiters; /* until nothing is pending */

/* between: the moment between the two sums. Whoever is counted after it records its schedule after it, too. */
static void sums(boc_counts_t *out, int64_t *between) {
    *out = (boc_counts_t){0};
    boc__thread_t *all = boc__thread_all();
    for (boc__thread_t *t = all; t != NULL; t = t->all) {
        out->finished += boc__load_acq(&t->finished);
    }
    for (boc__thread_t *t = all; t != NULL; t = t->all) {
        out->started += boc__load_acq(&t->started);
    }
    if (between != NULL) {
        *between = boc__ticks();
    }
    for (boc__thread_t *t = boc__thread_all(); t != NULL; t = t->all) { /* a new thread may have scheduled */
        out->scheduled += boc__load_acq(&t->scheduled);
    }
}

void boc_counts(boc_counts_t *out) {
    sums(out, NULL);
}

static bool quiescent(void *between) {
    boc_counts_t n;
    sums(&n, between);
    return n.finished == n.scheduled;
}

void boc__quiesce_look(void) {
    boc__fence(); /* counts before the look for waiters */
    if (boc__unlikely(boc__load_seq(&waiters) != 0) && quiescent(NULL)) {
        boc__pulse();
    }
}

static bool nobody_works(void) {
    uint32_t n = boc__load_acq(&boc__rt.nworkers);
    return boc__load_acq(&boc__rt.state) == BOC__RUNNING && n != 0 && boc__load_acq(&boc__rt.nfailed) == n;
}

int boc__pulse_wait(bool (*done)(void *), void *arg, int64_t deadline, bool pump) {
    int64_t slice = boc_now() + SLICE_NS;
    int64_t until = slice < deadline ? slice : deadline;
    int rc = BOC_OK;
    boc__add(&boc__pulse_waiters, 1);
    for (;;) {
        uint32_t seen = boc__load_acq(&boc__pulse_word);
        boc__fence(); /* registered, and pulse read, before the looks */
        if (done(arg)) {
            break;
        }
        if (pump && boc_pinned_depth(NULL) != 0) {
            rc = BOC_EPINNED;
            break;
        }
        if (nobody_works()) {
            rc = BOC_ESTATE;
            break;
        }
        int64_t now = boc_now();
        if (now >= until) {
            rc = now >= deadline ? BOC_ETIME : BOC_EINTR;
            break;
        }
        if (!boc__os_wait(&boc__pulse_word, seen, until - now)) {
            rc = done(arg) ? BOC_OK : BOC_EINTR;
            break;
        }
    }
    boc__sub(&boc__pulse_waiters, 1);
    return rc;
}

int boc_wait_quiescent(int64_t deadline_ns, bool pump) {
    int64_t *between = &boc__me()->quiet_stamp;
    if (quiescent(between)) {
        return BOC_OK;
    }
    boc__add(&waiters, 1);
    int rc = boc__pulse_wait(quiescent, between, deadline_ns, pump);
    boc__sub(&waiters, 1);
    return rc;
}

void boc_trace_quiet(void) {
    boc__thread_t *t = boc__me();
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, t->quiet_stamp, BOC_T_quiet, 0, 0, 0, 0);
    }
}

/* ---- events --------------------------------------------------------------------------- */
enum { SET = 1, SLEEPERS = 2, PULSED = 4 }; /* somebody sleeps on the word; on the pulse */

void boc_event_set(boc_event_t *e) {
    uint32_t was = boc__swap(&e->word, SET); /* the waiter may free e from here on */
    if (was & SLEEPERS) {
        boc__os_wake(&e->word, UINT32_MAX);
    }
    if (was & PULSED) {
        boc__pulse();
    }
}

bool boc_event_came(const boc_event_t *e) {
    return boc__load_acq(&e->word) & SET;
}

static bool event_is_set(void *arg) {
    return boc_event_came(arg);
}

int boc_event_wait(boc_event_t *e, int64_t deadline_ns, bool pump) {
    bool spins = boc__rt.spin != 0 && !boc__cores_taken(); /* else it would take a core from a body */
    int64_t spin = spins ? boc_now() + SPIN_NS : 0;
    for (uint32_t i = 1; !event_is_set(e) && (i % 16 != 0 || boc_now() < spin); i++) {
        if (pump && boc_pinned_depth(NULL) != 0) {
            return BOC_EPINNED;
        }
        boc__os_pause();
    }
    if (event_is_set(e)) {
        return BOC_OK;
    }
    if (pump) {
        return boc__or(&e->word, PULSED) & SET ? BOC_OK : boc__pulse_wait(event_is_set, e, deadline_ns, true);
    }
    int64_t slice = boc_now() + SLICE_NS;
    int64_t until = slice < deadline_ns ? slice : deadline_ns;
    for (;;) {
        uint32_t was = boc__or(&e->word, SLEEPERS);
        if (was & SET) {
            return BOC_OK;
        }
        if (nobody_works()) {
            return BOC_ESTATE;
        }
        int64_t now = boc_now();
        if (now >= until) {
            return now >= deadline_ns ? BOC_ETIME : BOC_EINTR;
        }
        if (!boc__os_wait(&e->word, was | SLEEPERS, until - now) && !event_is_set(e)) {
            return BOC_EINTR;
        }
    }
}

void boc__waits_fork_child(void) {
    boc__store_rlx(&boc__pulse_waiters, 0);
    boc__store_rlx(&waiters, 0);
}
