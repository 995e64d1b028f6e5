/* The step gate. ready.c, pinned.c and the workers' loop ask it; gate.c keeps what is held, step.c lets through. */
#ifndef BOC_GATE_H
#define BOC_GATE_H

#include "atomic.h"
#include "thread.h"

enum { BOC__GATE_SHUT = 1, BOC__GATE_SWEEP = 2, BOC__GATE_WATCHED = 4 };
enum { BOC__PASSED = 1 }; /* boc_behavior.passed */
extern _Atomic uint32_t boc__gate_shut;

bool boc__gate_hold(boc_behavior_t *b, bool was_queued); /* true: it is the gate's now */
void boc__gate_swept(void);                              /* something was cancelled: a worker shall sweep */

/* Takes out what wanted(b, arg) is true of, at most max of them, in order; clears bits of the gate meanwhile. */
boc_behavior_t *boc__gate_take(bool (*wanted)(const boc_behavior_t *, uint64_t), uint64_t arg, uint32_t max,
                               uint32_t clear);
/* Opens the gate and takes out all, up to the next that the judge stops: then it is closed again. */
boc_behavior_t *boc__gate_take_to_stop(void);

void boc__gate_sweep(boc__thread_t *t, bool all);        /* lets the cancelled ones through, or all (step.c) */

#endif
