/* The request queue of one cown. schedule.c enters, marks and opens, finish.c leaves. See queue.c. */
#ifndef BOC_QUEUE_H
#define BOC_QUEUE_H

#include "thread.h"

#define BOC__STATE_BITS 7u /* of request.state; the rest is the successor */

/* Joins the chain first..last (same cown, already linked) to the cown's queue. True: first is granted
   now; a reader then counts in cown.readers. alone: the chain is one request of a behavior without a
   guard; it is marked before it can be granted. pred: id of the behavior before it, for the trace; or NULL. */
bool boc__queue_enter(boc_cown_t *c, boc_request_t *first, boc_request_t *last, bool alone, uint64_t *pred);
void boc__queue_mark(boc_request_t *r);
void boc__queue_chain(boc_request_t *r, boc_request_t *next); /* inside a batch, before enter */
void boc__queue_open(boc__thread_t *t, boc_request_t *first); /* readers: grants first and those behind it */
void boc__queue_born(boc_request_t *r);                       /* a result: held from birth */
bool boc__queue_leave(boc__thread_t *t, boc_request_t *r);    /* true: its reference went to the next one */

/* b runs: asks for the memory of who comes behind it on its first cown, if somebody does. */
static inline void boc__queue_expect(const boc_behavior_t *b) {
    uintptr_t next = b->nreq > 0 ? boc__load_rlx(&b->req[0].state) & ~(uintptr_t)BOC__STATE_BITS : 0;
    if (next != 0) {
        const char *p = (const char *)next - offsetof(boc_behavior_t, req);
        for (int line = 0; line < 3; line++) {
            boc__prefetch(p + 64 * line);
        }
    }
}

#endif
