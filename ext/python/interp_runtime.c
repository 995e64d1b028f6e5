/* The private parts of CPython's runtime state that a runtime on sub-interpreters cannot do without.
 *
 * Three facts make them necessary: a process with a sub-interpreter that cannot be ended (its body is stuck
 * in C) aborts at its end while that interpreter is in the list of all; the child of a fork dies for the
 * same reason (gh-101437); and a thread of another interpreter is reached only by a pending call. */
#define Py_BUILD_CORE 1
#include "interp_runtime.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include "internal/pycore_ceval.h"
#include "internal/pycore_hashtable.h"
#include "internal/pycore_interp.h"
#ifdef Py_GIL_DISABLED
#include "internal/pycore_lock.h"
#include "internal/pycore_parking_lot.h"
#include "internal/pycore_pystate.h"
#endif
#include "internal/pycore_runtime.h"
#pragma GCC diagnostic pop

#if PY_VERSION_HEX >= 0x030d0000
#define LIST_LOCK() PyMutex_Lock(&_PyRuntime.interpreters.mutex)
#define LIST_UNLOCK() PyMutex_Unlock(&_PyRuntime.interpreters.mutex)
#else
#define LIST_LOCK() PyThread_acquire_lock(_PyRuntime.interpreters.mutex, WAIT_LOCK)
#define LIST_UNLOCK() PyThread_release_lock(_PyRuntime.interpreters.mutex)
#endif

bool
boc__runtime_matches(void)
{
    PyInterpreterState *main = PyInterpreterState_Main();
    return _PyRuntime.interpreters.main == main && _PyRuntime.interpreters.head == PyInterpreterState_Head();
}

/* Where the list leads to interp, or its end. The list's mutex held. */
static PyInterpreterState **
find(PyInterpreterState *interp)
{
    PyInterpreterState **at = &_PyRuntime.interpreters.head;
    while (*at != NULL && *at != interp) {
        at = &(*at)->next;
    }
    return at;
}

/* ---- the world that stops: free-threaded builds alone ------------------------- */

#ifdef Py_GIL_DISABLED

/* A stop of the world is on, and waits for threads. The list's mutex held. */
static bool
stop_waits(void)
{
    return _PyRuntime.stoptheworld.requested && !_PyRuntime.stoptheworld.world_stopped;
}

/* A stop that is on waits no longer for the threads of interp, which has left the list: as if they had ended. None of them
   is asked to stop any more: it would count itself once again, and the stop would go on while another thread still runs.
   The list's mutex held. */
static void
count_out(PyInterpreterState *interp)
{
    struct _stoptheworld_state *stop = &_PyRuntime.stoptheworld;
    if (!stop_waits()) {
        return;
    }
    Py_ssize_t before = stop->thread_countdown;
    for (PyThreadState *t = interp->threads.head; t != NULL; t = t->next) {
        if (t != stop->requester && _Py_atomic_load_int(&t->state) != _Py_THREAD_SUSPENDED) {
            _Py_atomic_and_uintptr(&t->eval_breaker, ~(uintptr_t)_PY_EVAL_PLEASE_STOP_BIT);
            stop->thread_countdown--;
        }
    }
    if (before > 0 && stop->thread_countdown <= 0) {
        _PyEvent_Notify(&stop->stop_event);
    }
}

bool
boc__runtime_stop_waits(void)
{
    LIST_LOCK();
    bool waits = stop_waits();
    LIST_UNLOCK();
    return waits;
}

/* Some thread runs, and each that does has yet to see that it is asked to stop. One that has seen it counts itself out in a
   moment. */
static bool
can_be_left(PyInterpreterState *interp)
{
    bool some = false;
    for (PyThreadState *t = interp->threads.head; t != NULL; t = t->next) {
        if (_Py_atomic_load_int(&t->state) == _Py_THREAD_ATTACHED) {
            some = true;
            if (!(_Py_atomic_load_uintptr(&t->eval_breaker) & _PY_EVAL_PLEASE_STOP_BIT)) {
                return false;
            }
        }
    }
    return some;
}

bool
boc__runtime_let_run(PyInterpreterState *interp)
{
    LIST_LOCK();
    PyInterpreterState **at = find(interp);
    PyThreadState *requester = _PyRuntime.stoptheworld.requester;
    bool out = stop_waits() && *at == interp && can_be_left(interp) && (requester == NULL || requester->interp != interp);
    if (out) {
        *at = interp->next;
        count_out(interp);
    }
    LIST_UNLOCK();
    return out;
}

/* The list's mutex held, no stop is on. */
static void
put_back(PyInterpreterState *interp)
{
    if (*find(interp) != interp) {
        interp->next = _PyRuntime.interpreters.head;
        _PyRuntime.interpreters.head = interp;
    }
    /* What wanted to begin or saw the request meanwhile waits for the end of a stop that did not know it. */
    for (PyThreadState *t = interp->threads.head; t != NULL; t = t->next) {
        if (!interp->stoptheworld.requested && _Py_atomic_load_int(&t->state) == _Py_THREAD_SUSPENDED) {
            _Py_atomic_store_int(&t->state, _Py_THREAD_DETACHED);
            _PyParkingLot_UnparkAll(&t->state);
        }
    }
}

bool
boc__runtime_put_back(PyInterpreterState *interp)
{
    LIST_LOCK();
    bool can = !_PyRuntime.stoptheworld.requested;
    if (can) {
        put_back(interp);
    }
    LIST_UNLOCK();
    return can;
}

void
boc__runtime_put_back_and_wait(PyInterpreterState *interp)
{
    _PyRWMutex_RLock(&_PyRuntime.stoptheworld_mutex); /* who has it to write stops the world */
    LIST_LOCK();
    put_back(interp);
    LIST_UNLOCK();
    _PyRWMutex_RUnlock(&_PyRuntime.stoptheworld_mutex);
}

#endif

/* ---- the list of interpreters ------------------------------------------------- */

void
boc__runtime_unlink(PyInterpreterState *interp)
{
    LIST_LOCK();
    PyInterpreterState **at = find(interp);
    if (*at == interp) {
        *at = interp->next;
#ifdef Py_GIL_DISABLED
        count_out(interp);
#endif
    }
    LIST_UNLOCK();
}

void
boc__runtime_only_main(void)
{
    /* Newest first, so main is the last of the list. */
    _PyRuntime.interpreters.head = _PyRuntime.interpreters.main;
#ifdef Py_GIL_DISABLED
    /* A worker that imports an extension module does it as a thread of main for a moment, which it clears and only then
       deletes. Without a GIL the child dies when it clears one a second time. */
    PyThreadState **at = &_PyRuntime.interpreters.main->threads.head;
    for (PyThreadState *t = *at, *next; t != NULL; t = next) {
        next = t->next;
        if (!t->_status.cleared) {
            at = &t->next;
            continue;
        }
        *at = next;
        if (next != NULL) {
            next->prev = t->prev;
        }
    }
#endif
}

void
boc__runtime_before_exit(void)
{
    /* File names that tracemalloc noted in workers are objects of theirs. */
    if (_PyRuntime.tracemalloc.filenames != NULL) {
        _PyRuntime.tracemalloc.filenames->key_destroy_func = NULL;
    }
#if PY_VERSION_HEX < 0x030d0000
    /* C functions with keyword arguments make a tuple of their names at their first call, in the memory of whichever
       interpreter called; 3.12 frees all of them from main at its end, and aborts. */
    _PyRuntime.getargs.static_parsers = NULL;
#endif
}

void
boc__runtime_ends_by_sigint(void)
{
    _PyRuntime.signals.unhandled_keyboard_interrupt = 1;
}

bool
boc__runtime_add_pending(PyInterpreterState *interp, int (*fn)(void *), void *arg)
{
    return (int)_PyEval_AddPendingCall(interp, fn, arg, 0) == 0;
}

PyThreadState *
boc__runtime_current(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}
