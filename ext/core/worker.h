/* The threads that run behaviors, for runtime.c, which starts them. See worker.c. */
#ifndef BOC_WORKER_H
#define BOC_WORKER_H

#include "state.h"

void boc__worker_main(void *worker);
void boc__worker_up(boc_worker_t *w, int rc); /* enter returned, or never will be called */

#endif
