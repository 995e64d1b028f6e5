/* How a worker falls asleep, and what others may do for it meanwhile. For the workers' loop. See park.c. */
#ifndef BOC_PARK_H
#define BOC_PARK_H

#include "state.h"

/* w may take what is bound to home: its body keeps that waiting, or it has too much. */
bool boc__may_take_bound(boc_worker_t *w, boc_worker_t *home);
void boc__park(boc_worker_t *w); /* until woken; checks for work first */

#endif
