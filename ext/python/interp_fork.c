/* The child of a fork: only the main interpreter, no workers.
 *
 * CPython kills a child that is born while a sub-interpreter exists (it looks for the current thread in each of them, gh-101437).
 * The handler runs in the child before any Python does, on the one thread that is left, and takes
 * no lock: whoever held one is gone. What the interpreters held is lost to the child. */
#include "interp_slot.h"

#include "interp_runtime.h"

#include <string.h>

static void
in_child(void)
{
    if (atomic_load_explicit(&boc__slots.any, memory_order_relaxed)) {
        boc__runtime_only_main();
    }
    boc__slots_reset();
    boc__interp_pinned_after_fork();
    boc_after_fork_child();
    boc__binding_after_fork();
}

int
boc__interp_init_fork(void)
{
    int err = pthread_atfork(NULL, NULL, in_child);
    if (err != 0) {
        PyErr_Format(PyExc_RuntimeError, "pthread_atfork: %s", strerror(err));
        return -1;
    }
    return 0;
}
