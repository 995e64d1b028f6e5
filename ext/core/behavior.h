/* A behavior apart from all queues: begun. For finish.c, schedule.c and the workers' loop. */
#ifndef BOC_BEHAVIOR_H
#define BOC_BEHAVIOR_H

#include "thread.h"

bool boc__begin(boc__thread_t *t, boc_behavior_t *b); /* PENDING -> RUNNING; false: it was cancelled, and has said so */
bool boc__claim(boc__thread_t *t, boc_behavior_t *b); /* the same; it has not said so */
void boc__cancelled(boc_behavior_t *b);

/* The run of the core's own placeholders: no host part, no result. */
int boc__pass(boc_behavior_t *b);
static inline bool boc__hidden(const boc_behavior_t *b) {
    return boc__unlikely((b->flags & BOC_B_NATIVE) && b->run == boc__pass);
}

#endif
