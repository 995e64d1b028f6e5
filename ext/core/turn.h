/* Readers of one cown one after another. For ready.c, which takes turns before it queues, and passes them on. */
#ifndef BOC_TURN_H
#define BOC_TURN_H

#include "core.h"

/* Of requests from .. nreq; false: it waits in line for one, and asks for the others when that one has come. */
bool boc__turns_take(boc_behavior_t *b, uint32_t from);
boc_request_t *boc__turn_leave(boc_request_t *r); /* whose turn it is now, or NULL */

#endif
