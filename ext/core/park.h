/* How a worker falls asleep, and what others may do for it meanwhile. For the workers' loop. See park.c. */
#ifndef BOC_PARK_H
#define BOC_PARK_H

#include "state.h"

bool boc__may_take_bound(boc_worker_t *w); /* thieves may: its body keeps them waiting, or it has too much */
void boc__park(boc_worker_t *w);           /* until woken; checks for work first */

#endif
