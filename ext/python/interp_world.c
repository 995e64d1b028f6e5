/* A body in C code does not make the program stand still: free-threaded builds alone.
 *
 * Such a build of CPython stops all threads of all interpreters when any of them imports an extension module, and when main forks,
 * ends, or makes an interpreter. It waits without a limit for one that stays in C code (a regular expression), and so
 * would main. What these stops guard is main's or the importing interpreter's own; a worker in C has no part in it. So a thread looks now
 * and then whether a stop waits, and takes workers that run out of what it waits for. That thread has no Python. */
#include "interp_slot.h"

#include "interp_runtime.h"

#ifdef Py_GIL_DISABLED

#include <signal.h>
#include <time.h>

#define LOOK_NS 10000000
#define QUIET_LOOKS 10 /* without a stop, until the worker is where it was */

static void
pause_ns(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* One look at every worker. boc__slots.lock held. false: there is none. */
static bool
look(bool waits, bool quiet)
{
    bool some = false;
    for (int i = 0; i < BOC_MAX_WORKERS; i++) {
        boc__slot_t *slot = boc__slots.at[i];
        if (slot == NULL) {
            continue;
        }
        some = true;
        if (slot->outside && quiet) {
            slot->outside = !boc__runtime_put_back(slot->interp);
        } else if (!slot->outside && waits) {
            slot->outside = boc__runtime_let_run(slot->interp);
        }
    }
    return some;
}

static void *
watch(void *Py_UNUSED(arg))
{
    int quiet = 0;
    for (bool some = true; some;) {
        pause_ns(LOOK_NS);
        bool waits = boc__runtime_stop_waits();
        quiet = waits ? 0 : quiet + 1;
        if (waits) {
            pause_ns(LOOK_NS / 10); /* an ordinary one is over by then */
            waits = boc__runtime_stop_waits();
        }
        pthread_mutex_lock(&boc__slots.lock);
        some = look(waits, quiet >= QUIET_LOOKS);
        boc__slots.watched = some;
        pthread_mutex_unlock(&boc__slots.lock);
    }
    return NULL;
}

void
boc__world_watch(void)
{
    if (boc__slots.watched) {
        return;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* a signal is for main to see */
    pthread_t thread;
    boc__slots.watched = pthread_create(&thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (boc__slots.watched) {
        pthread_detach(thread);
    }
}

void
boc__world_back(boc__slot_t *slot)
{
    boc__runtime_put_back_and_wait(slot->interp);
}

#else

void
boc__world_watch(void)
{
    /* With a GIL there is no such stop. */
}

void
boc__world_back(boc__slot_t *Py_UNUSED(slot))
{
    /* It never left. */
}

#endif
