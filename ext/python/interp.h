/* Worker interpreters: made, entered, parked, interrupted, forked, abandoned, reused, ended.
 *
 * The only files of the binding that know what differs between CPython versions in
 * life cycle are interp*.c; nothing of that shows here.
 *
 * Words: a *worker interpreter* is an own-GIL sub-interpreter that belongs to one
 * worker thread of the core for as long as that worker lives. *Foreign* is any other
 * interpreter that is not the main one.
 *
 * Threads: each function says who calls it. None is called with a core lock held.
 */
#ifndef BOC_PYTHON_INTERP_H
#define BOC_PYTHON_INTERP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- once, from the exec slot of boc._core in the main interpreter ---------
 * Remembers main, checks that the runtime's private layout is the one compiled against,
 * registers the fork handler and the exit hook. 0, or -1 with an exception set. */
int boc__interp_init(PyObject *module);

/* From then on sys._current_frames() leaves the threads of other interpreters out, in every interpreter. Main, once. */
void boc__interp_own_frames_only(void);

/* ---- implemented by the rest of the binding -------------------------------- */
/* In a worker interpreter, its GIL held: import what bodies need, hand over the class for interrupts. The
   interpreter is new, or as good: it served before, was torn down, and has no module in sys.modules but the
   standard library's and boc's extension modules (boc._worker is imported anew). 0, or -1 with an exception set. */
int boc__worker_setup(uint32_t worker);
/* The same interpreter's worker ends, its GIL held: give back what it holds, whatever setup did. */
void boc__worker_teardown(uint32_t worker);
/* In the child of a fork, before any Python runs: forget runtime state, take no lock,
   touch no object. */
void boc__binding_after_fork(void);
/* The process ends, atexit, GIL held, the workers are gone: report what nobody looked at. */
void boc__binding_at_exit(void);

/* ---- where am I (a thread state is current) --------------------------------- */
enum { BOC__MAIN = -1, BOC__FOREIGN = -2 };
bool boc__interp_is_main(void);
int boc__interp_index(void); /* BOC__MAIN, the worker whose interpreter it is (any thread of it), BOC__FOREIGN */

/* ---- the host's callbacks ---------------------------------------------------- */
/* boc_options_t.before_workers, on the starter thread: attaches to main, imports there what must be
   there before a worker imports it, takes main's sys.path for the workers. */
void boc__interp_preload(void);
/* On the worker's own thread, which has no thread state; the core calls these one after another. Makes the
   interpreter, leaves it current with its GIL held and calls boc__worker_setup. -1: see boc__interp_error. */
int boc__interp_enter(uint32_t worker);
/* The same thread, GIL held: ends the interpreter, or resets it and keeps it for the next worker. Threads that
   bodies left behind get a short while to end; if they do not, the interpreter is abandoned. No porter is
   inside, none comes. */
void boc__interp_leave(uint32_t worker);
void boc__interp_park(uint32_t worker);   /* gives up the worker's GIL */
void boc__interp_unpark(uint32_t worker); /* takes it again */
/* A core thread without a thread state enters home's interpreter: waits for its GIL, which a running Python
   body gives up within a switch interval (short in workers), C code when it ends. */
void boc__interp_porter_enter(uint32_t home);
void boc__interp_porter_leave(uint32_t home);
/* Why the last enter failed; "" if none did. Copied under a lock into buf, always terminated. */
void boc__interp_error(char *buf, size_t size);

/* ---- interrupting a body ------------------------------------------------------ */
/* On the worker's thread, GIL held: this behavior's body starts (its id), or has ended (0). Call with 0 directly
   after the body's call returned, before its values are encoded: an interrupt that came too late is taken
   back there and can reach nothing else. -1 with it set if it was asked for before the body began,
   or put off until the body had ended; -1 also if the body left any exception meanwhile. */
int boc__interp_running(uint32_t worker, uint64_t behavior);
/* The class to raise, of the worker's interpreter (boc__worker_setup hands it over; a reference is kept). */
void boc__interp_set_interrupted(uint32_t worker, PyObject *cls);
/* Any thread, no GIL needed, does not block: raise that class in the body of `behavior`, if it runs on `worker`
   then. true: asked for (a body in C sees it when that call returns, one in an import when that is done; one that ends first
   never does). */
bool boc__interp_interrupt(uint32_t worker, uint64_t behavior);
/* On the worker's thread: an interrupt that was raised in its body got lost on the way (in a destructor, say). */
void boc__interp_interrupt_again(void);
/* unbroken(function) -> a function that does the same; a body in it is interrupted when it returns. No frame of it is seen. */
PyObject *boc__interp_unbroken(PyObject *module, PyObject *function);
/* A pinned body begins, with main's class Interrupted, or is over (0, NULL): on the thread that runs it. */
void boc__interp_pinned(uint64_t behavior, PyObject *interrupted);
/* The same for a pinned body, 0: whichever runs; from a worker, as soon as the main thread runs Python. GIL held. */
bool boc__interp_interrupt_pinned(uint64_t behavior);
/* C code that waits inside a body without running Python calls this in each slice of its wait, GIL held:
   0, or -1 with the interrupt set as the exception. On any other thread 0. */
int boc__interp_check(void);

/* ---- ending -------------------------------------------------------------------- */
/* A worker that boc_stop left stuck: it will never be ended. Its interpreter leaves the runtime's list, so that the process
   can end and fork; its thread may run on. Any thread. The index may be used again afterwards. */
void boc__interp_abandon(uint32_t worker);

typedef struct boc__ending {
    uint64_t pending;     /* scheduled and not ended when the stop began */
    uint32_t interrupted; /* bodies that ran then */
    uint32_t abandoned;   /* workers left stuck */
    uint64_t stuck[16];   /* their indices, bit by bit */
} boc__ending_t;
/* The common end of stop() and of the exit hook; main interpreter, GIL held (released while it waits).
   cancel: drop what is queued. interrupt: raise in what runs. grace_ns: how long bodies get to end;
   what is left then is abandoned. < 0: for ever. out may be NULL. 0, or -1 with an exception set (a signal
   handler's, only with grace_ns < 0; the runtime still runs then). */
int boc__interp_stop(bool cancel, bool interrupt, int64_t grace_ns, boc__ending_t *out);
/* True from the exit hook on: the runtime must not be started again. */
bool boc__interp_exiting(void);
/* Whether worker interpreters can be made now; main, GIL held. 0, or -1 with RuntimeError: the program ends, or
   tracemalloc traces, which CPython does not survive with them (gh-134604). */
int boc__interp_may_start(void);

#endif
