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
#ifdef Py_GIL_DISABLED
/* Without a GIL CPython stops the threads of all interpreters for each import of an extension module, for a fork, for a new
   interpreter and at its end, and waits without a limit for one that is in C code. These take an interpreter out of that. */
/* A stop of the world has begun and waits for threads. */
bool boc__runtime_stop_waits(void);
/* If one does, and a thread of interp runs: takes interp out of the list; the stop waits for it no longer. It goes on in its
   own heap meanwhile, as it does beside a GIL of its own. true: taken out. */
bool boc__runtime_let_run(PyInterpreterState *interp);
/* Puts it back, unless a stop is on: then false. */
bool boc__runtime_put_back(PyInterpreterState *interp);
/* The same after such a stop; a thread state may be current. Nothing happens if it is in the list. */
void boc__runtime_put_back_and_wait(PyInterpreterState *interp);
#endif
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
