/* The request queue of one cown. schedule.c enters, marks and opens, finish.c leaves. See queue.c. */
#ifndef BOC_QUEUE_H
#define BOC_QUEUE_H

#include "thread.h"

/* Joins the chain first..last (same cown, already linked) to the cown's queue. True: first is granted
   now; a reader then counts in cown.readers. alone: the chain is one request of a behavior without a
   guard; it is marked before it can be granted. pred: id of the behavior before it, for the trace; or NULL. */
bool boc__queue_enter(boc_cown_t *c, boc_request_t *first, boc_request_t *last, bool alone, uint64_t *pred);
void boc__queue_mark(boc_request_t *r);
void boc__queue_chain(boc_request_t *r, boc_request_t *next); /* inside a batch, before enter */
void boc__queue_open(boc__thread_t *t, boc_request_t *first); /* readers: grants first and those behind it */
void boc__queue_born(boc_request_t *r);                       /* a result: held from birth */
void boc__queue_expect(const boc_behavior_t *b); /* b runs: asks for the memory of who comes behind it, if somebody does */
bool boc__queue_leave(boc__thread_t *t, boc_request_t *r);    /* true: its reference went to the next one */

#endif
