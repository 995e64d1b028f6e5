/* What interp*.c needs of CPython's private runtime state, and nothing else of the program may use.
 *
 * The functions are implemented in interp_runtime.c, the only file compiled with
 * Py_BUILD_CORE; every version of CPython is told apart there. */
#ifndef BOC_PYTHON_INTERP_RUNTIME_H
#define BOC_PYTHON_INTERP_RUNTIME_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* The private layout is the one compiled against (as far as one can tell without crashing). */
bool boc__runtime_matches(void);
/* Takes one interpreter out of the list of all, under the list's mutex. Nothing walks to it any more: not the
   end of the process, not a fork. It goes on working for the threads inside it. No GIL needed. */
void boc__runtime_unlink(PyInterpreterState *interp);
/* In the child of a fork, where no other thread exists: only the main interpreter is left in the list. */
void boc__runtime_only_main(void);
/* The process is about to end and had workers: what they left in memory that the end of main would free with the
   wrong allocator stays where it is. */
void boc__runtime_before_exit(void);
/* The process ends by SIGINT, as it does when a KeyboardInterrupt leaves the program: CPython keeps that in one flag for
   the process, which every text that any interpreter evaluates later clears. */
void boc__runtime_ends_by_sigint(void);
/* Has fn(arg) called by some thread of interp, at its next bytecode boundary, with its GIL. No GIL needed.
   false: the queue is full. */
bool boc__runtime_add_pending(PyInterpreterState *interp, int (*fn)(void *), void *arg);
/* The calling thread's thread state, or NULL if it has none or has let go of its GIL. */
PyThreadState *boc__runtime_current(void);

#endif
