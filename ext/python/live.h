/* Values that stay with the worker that made them: which may, where they are listed, how they leave. */
#ifndef BOC_LIVE_H
#define BOC_LIVE_H

#include "binding.h"

/* Of the live values in c[0..n): those whose inside something else refers to are encoded, the rest may stay. */
void boc__separate(boc_state_t *st, boc_cown_t **c, uint32_t n);
void boc__live_lost(boc_behavior_t *stuck); /* the worker whose body this is was given up: what rests there is lost */
int64_t boc__rough_now(void);
void boc__live_sweep(boc_state_t *st); /* encodes what lies idle; before a body */
void boc__encode_live(boc_state_t *st, boc_cown_t *c, uint8_t trace_flags);
void boc__mark_seen(boc_cown_t *c);

#endif
