/* From "all requests granted" to a run queue. Called by whoever grants (queue.c, schedule.c), serves a fetch, opens
 * the gate, or has found what it cannot run. */
#ifndef BOC_READY_H
#define BOC_READY_H

#include "state.h"

void boc__granted(boc__thread_t *t, boc_request_t *r, uint64_t seq); /* one request less to wait for */
void boc__ready(boc__thread_t *t, boc_behavior_t *b);                /* all requests are granted */
void boc__enqueue(boc__thread_t *t, boc_behavior_t *b);              /* and all values are here */
void boc__push(boc__thread_t *t, boc_behavior_t *b);                 /* past the gate */
void boc__retarget(boc__thread_t *t, boc_behavior_t *b);
void boc__turn_pass(boc__thread_t *t, boc_request_t *r);              /* the end of one that had its turn (turn.c) */
void boc__tell_bound(boc_worker_t *w);                               /* there is more in its bound lane */
void boc__tell_free(boc_worker_t *w);                                /* the same of its free lane */

/* To be run by this very thread; the next boc__drain does (finish.h), so one has to follow. */
void boc__inplace(boc__thread_t *t, boc_behavior_t *b);
void boc__leftovers(boc__thread_t *t); /* no worker runs any more: cancel, in place, what is in any queue */

#endif
