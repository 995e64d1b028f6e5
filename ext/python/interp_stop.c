/* The end of the workers, by stop() and by the end of the process.
 *
 * Bodies that run are asked to end, get their time, and the core joins the workers whose bodies did. What is still inside a body
 * then is abandoned: its interpreter leaves CPython's list of all (3.12 and 3.13.0 abort a process that ends with one
 * in it) and is never ended. */
#include "interp_slot.h"

#include "interp_runtime.h"
#include "stepping.h"

#include <string.h>

#define SLICE_NS 5000000

static bool
has_bit(const uint64_t mask[16], uint32_t i)
{
    return (mask[i / 64] >> (i % 64)) & 1;
}

void
boc__interp_abandon(uint32_t worker)
{
    PyThreadState *thread = boc__slots_lock();
    boc__slot_t *slot = worker < BOC_MAX_WORKERS ? boc__slots.at[worker] : NULL;
    if (slot != NULL) {
        slot->abandoned = true;
        boc__slots.at[worker] = NULL;
        /* Before the lock is let go, because leave frees the interpreter after it. */
        boc__runtime_unlink(slot->interp);
    }
    boc__slots_unlock(thread);
}

/* Asks every running body once more than before to end; how many run. asked: last id asked, by worker. */
static uint32_t
press(bool cancel, bool interrupt, uint64_t *asked, uint32_t workers)
{
    uint32_t busy = 0;
    if (cancel) {
        boc_cancel_all(); /* also what the running bodies have scheduled since */
    }
    for (uint32_t w = 0; w < workers; w++) {
        boc_running_t now;
        if (boc_worker_running(w, &now) < 0 || now.id == 0) {
            continue;
        }
        busy++;
        if (interrupt && asked[w] != now.id && boc__interp_interrupt(w, now.id)) {
            asked[w] = now.id;
        }
    }
    return busy;
}

/* Until no body runs, or the time is up. 0, or -1 with a signal handler's exception. */
static int
let_end(bool cancel, bool interrupt, int64_t deadline, uint64_t *asked, uint32_t workers)
{
    while (press(cancel, interrupt, asked, workers) > 0) {
        int64_t now = boc_now();
        if (deadline != INT64_MAX && now >= deadline) {
            return 0;
        }
        int64_t slice = now + SLICE_NS;
        Py_BEGIN_ALLOW_THREADS
        /* Anything but quiescence only means: look again. */
        (void)boc_wait_quiescent(deadline < slice ? deadline : slice, false);
        Py_END_ALLOW_THREADS
        if (deadline == INT64_MAX && PyErr_CheckSignals() < 0) {
            return -1;
        }
    }
    return 0;
}

int
boc__interp_stop(bool cancel, bool interrupt, int64_t grace_ns, boc__ending_t *out)
{
    boc__ending_t none;
    boc__ending_t *end = out != NULL ? out : &none;
    memset(end, 0, sizeof *end);
    if (!boc_running()) {
        return 0;
    }
    uint32_t workers = boc_worker_count();
    uint64_t *asked = calloc(workers + 1, sizeof *asked);
    if (asked == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    boc_counts_t counts;
    boc_counts(&counts);
    uint64_t pending = counts.scheduled - counts.finished, asks = (uint64_t)boc__asks();
    end->pending = pending > asks ? pending - asks : 0; /* what main's own waits left in queues is no work */
    end->interrupted = press(false, false, asked, workers);
    int64_t deadline = grace_ns < 0 ? INT64_MAX : boc_now() + grace_ns;
    int rc = let_end(cancel, interrupt, deadline, asked, workers);
    free(asked);
    if (rc < 0) {
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    rc = boc_stop(deadline, end->stuck);
    for (uint32_t w = 0; w < workers; w++) {
        if (has_bit(end->stuck, w)) {
            boc__interp_abandon(w);
            end->abandoned++;
        }
    }
    boc__slots_await_endings();
    Py_END_ALLOW_THREADS
    return 0;
}
