/* What a worker interpreter and main need in Python terms before bodies can run, by version of CPython.
 * Implemented in interp_prepare.c, called from interp.c. The interpreter's GIL is held in all of them. */
#ifndef BOC_PYTHON_INTERP_PREPARE_H
#define BOC_PYTHON_INTERP_PREPARE_H

#include <stdbool.h>

/* In main, before the first worker: imports what crashes if a worker is the first to import it, and takes
   down sys.path. Failures are not errors: what cannot be imported here will not be imported there. */
void boc__prepare_main(void);
/* In a fresh worker interpreter, on its thread: sys.path as taken down, threading.main_thread() is this
   thread, the switch interval in seconds. 0, or -1 with an exception set. */
int boc__prepare_worker(double switch_interval_s);
/* In a worker interpreter whose worker ends: makes it as good as new for another one. What is kept is the standard library
   with what it keeps in itself. false: it cannot be (it has extension modules of others); end it. */
bool boc__prepare_reset(void);
/* In a worker interpreter that is to end: waits a short while for threads that bodies left behind. */
void boc__prepare_join_threads(void);

#endif
