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

void
boc__runtime_unlink(PyInterpreterState *interp)
{
    LIST_LOCK();
    PyInterpreterState **at = &_PyRuntime.interpreters.head;
    while (*at != NULL && *at != interp) {
        at = &(*at)->next;
    }
    if (*at == interp) {
        *at = interp->next;
    }
    LIST_UNLOCK();
}

void
boc__runtime_only_main(void)
{
    /* Newest first, so main is the last of the list. */
    _PyRuntime.interpreters.head = _PyRuntime.interpreters.main;
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
