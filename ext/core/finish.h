/* The end of a behavior, and of those that run in place. For all that end one or may have made some ready. */
#ifndef BOC_FINISH_H
#define BOC_FINISH_H

#include "thread.h"

void boc__end(boc__thread_t *t, boc_behavior_t *b, bool forget); /* release, free; forget: leave b be. Then count it in finished */
void boc__drain_slow(boc__thread_t *t);

/* Last thing in every operation that may have made behaviors ready. */
static inline void boc__drain(boc__thread_t *t) {
    if (boc__unlikely(t->inplace != NULL) && !t->draining) {
        boc__drain_slow(t);
    }
}

#endif
