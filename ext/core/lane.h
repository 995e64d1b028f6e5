/* A worker's run queue: what its owner, its thieves and those who post may do with it. See lane.c. */
#ifndef BOC_LANE_H
#define BOC_LANE_H

#include "atomic.h"
#include "core.h"

#ifndef BOC__RING
#define BOC__RING 256u /* entries of a lane; a power of two */
#endif

typedef struct boc__lane {
    _Atomic uint32_t head;                  /* taken from by CAS, by the owner and by thieves */
    _Atomic uint32_t tail;                  /* put to by the owner */
    _Atomic(boc_behavior_t *) overflow;     /* oldest first; only the owner puts, anybody takes all */
    _Atomic(boc_behavior_t *) slot[BOC__RING];
    _Alignas(64) _Atomic(boc_behavior_t *) inbox; /* newest first; anybody puts, anybody takes all */
    _Atomic uint64_t posted;                /* by other threads; on the line that they just took */
} boc__lane_t;

bool boc__lane_put(boc__lane_t *l, boc_behavior_t *b);  /* owner; true: into the ring */
void boc__lane_post(boc__lane_t *l, boc_behavior_t *b); /* anybody */
boc_behavior_t *boc__lane_take(boc__lane_t *l, bool *moved); /* owner */
void boc__lane_admit(boc__lane_t *l, bool *moved);      /* owner: what was posted joins the order now */
uint32_t boc__lane_steal(boc__lane_t *from, boc__lane_t *into, uint32_t max, boc_behavior_t **first);
boc_behavior_t *boc__lane_take_all(boc__lane_t *l);     /* stop: everything, any order */
bool boc__lane_empty(const boc__lane_t *l);
uint32_t boc__lane_size(const boc__lane_t *l);          /* of the ring */

#endif
