/* What a thread outside does while behaviors run: waits, runs pinned ones, steps through the others. Codes as in core.h.
 *
 * The promises are kept by quiesce.c, pinned.c, gate.c with step.c, and settle.c.
 */
#ifndef BOC_WAIT_H
#define BOC_WAIT_H

#include "core.h"

/* ---- waiting ------------------------------------------------------------- */
/* Until nothing is pending. deadline in boc_now() ns, INT64_MAX: for ever. pump: the caller may run pinned
   behaviors, so BOC_EPINNED tells it that there are some. Returns 0, BOC_ETIME, BOC_EINTR, BOC_EPINNED.
   Waits in slices of at most 50 ms (then BOC_EINTR: the caller looks for signals and calls again). */
int boc_wait_quiescent(int64_t deadline_ns, bool pump);
void boc_trace_quiet(void);           /* after a 0: records it, at the moment at which nothing was pending */
typedef struct { uint64_t scheduled, finished, started; } boc_counts_t;
void boc_counts(boc_counts_t *out);   /* pending = scheduled - finished, never negative */

/* One-shot event for result() and friends; spins briefly, then sleeps; same slices and codes as above. */
typedef struct { _Atomic uint32_t word; } boc_event_t;
void boc_event_set(boc_event_t *e);
int boc_event_wait(boc_event_t *e, int64_t deadline_ns, bool pump);
bool boc_event_came(const boc_event_t *e);

/* ---- pinned -------------------------------------------------------------- */
int boc_pinned_fd(void);              /* readable while pinned work is ready (eventfd, pipe elsewhere); made once */
boc_behavior_t *boc_pinned_pop(void); /* NULL: empty. One consumer at a time. The caller runs it, then boc_finish. */
uint32_t boc_pinned_depth(int64_t *oldest_ns);
bool boc_begin(boc_behavior_t *b);    /* PENDING -> RUNNING, traces start; false: it was cancelled (the core has
                                         called cancelled): just boc_finish it. The core does it itself for workers. */

/* ---- the step gate --------------------------------------------------------
   Closed: what becomes runnable (also pinned; not native, urgent or cancelled) is held, oldest first. */
void boc_gate_close(void);
void boc_gate_open(void);                        /* lets all through, up to the next one that the judge stops */
int boc_gate_step(uint64_t id);                  /* lets this one through, 0: the oldest; BOC_EMPTY: no such */
bool boc_gate_closed(void);
typedef struct { uint64_t id; uint32_t name; bool pinned; } boc_held_t;
size_t boc_gate_held(boc_held_t *out, size_t max); /* the held, oldest first; returns how many there are */
/* Asked of each behavior that comes to the gate, open or closed, while set; NULL: nobody. Under the gate's lock: it must be
   short and not call the core. It may be asked again of one that it let be. */
enum { BOC_GATE_AS_IT_IS = 0, BOC_GATE_CLOSES, BOC_GATE_PASSES }; /* closes: and holds this one first */
typedef int (*boc_gate_judge_t)(const boc_behavior_t *b, bool closed);
void boc_gate_watch(boc_gate_judge_t judge);
/* No worker runs or is about to run a body, and no value is on its way: what is pending is held or waits. A snapshot. */
bool boc_settled(void);
bool boc_settled_beside(bool (*rests)(uint64_t id)); /* the same, but for bodies of which rests(id) is true */
/* Until something more is held than at `seen` (boc_gate_arrivals), or all is settled; slices and codes as above. */
uint64_t boc_gate_arrivals(void);
int boc_gate_wait(uint64_t seen, int64_t deadline_ns, bool pump);

#endif
