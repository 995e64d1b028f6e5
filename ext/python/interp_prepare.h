/* What a worker interpreter and main need in Python terms before bodies can run, by version of CPython.
 * Implemented in interp_prepare.c, called from interp.c. The interpreter's GIL is held in all of them. */
#ifndef BOC_PYTHON_INTERP_PREPARE_H
#define BOC_PYTHON_INTERP_PREPARE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* In main, before the first worker: imports what crashes if a worker is the first to import it, and takes
   down sys.path. Failures are not errors: what cannot be imported here will not be imported there. */
void boc__prepare_main(void);
/* In a worker interpreter, on its thread: sys.path as taken down, then boc._interpreter.prepare; the switch
   interval in seconds. The module (a new reference, for the functions below), or NULL with an exception set. */
PyObject *boc__prepare_worker(double switch_interval_s);
/* The worker ends: waits a short while for threads that bodies left behind. */
void boc__prepare_join_threads(PyObject *module);
/* Makes the interpreter as good as new for another worker. false: it cannot be; end it. */
bool boc__prepare_reset(PyObject *module);

#endif
