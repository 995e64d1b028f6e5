/* The queue for the main thread: filled by ready.c, emptied at the end by the runtime. See pinned.c. */
#ifndef BOC_PINNED_H
#define BOC_PINNED_H

#include "thread.h"

void boc__pinned_push(boc__thread_t *t, boc_behavior_t *b);
boc_behavior_t *boc__pinned_take_all(void);

#endif
