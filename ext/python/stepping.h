/* Stepping, breakpoints and waits at a closed gate; see stepping.c. */
#ifndef BOC_STEPPING_H
#define BOC_STEPPING_H

#include "binding.h"

extern PyMethodDef boc__gate_methods[];

/* What must be told of schedules, bodies and writes; 0 nearly always, so one relaxed load is what it costs. */
enum { HOOK_NUMBERED = 1, HOOK_KEYS = 2, HOOK_REPLAY = 4 };
extern _Atomic uint32_t boc__hooks;
static inline bool boc__hooked(uint32_t which) { return atomic_load_explicit(&boc__hooks, memory_order_relaxed) & which; }

void boc__gate_scheduling(boc_behavior_t **b, uint32_t n); /* HOOK_NUMBERED: about to be scheduled, in this order */
void boc__gate_key(uint32_t key);                          /* HOOK_KEYS: it was written */
void boc__gate_watch(void);                                /* sets or takes away the core's judge */
void boc__gate_after_fork(void);

/* Of one wait. said: a list, borrowed, or NULL. over(arg): what it waits for has come. */
typedef struct { int slices; PyObject *said; bool told; bool (*over)(const void *arg); const void *arg; } boc__paused_t;
int boc__paused_look(boc__paused_t *p); /* at each slice: -1 with RuntimeError if the gate keeps it from ever ending */

bool boc__pumping(void);                /* runtime.c: some thread runs pinned work */
int64_t boc__asks(void);                /* hold.c: requests of main's own that wait in queues */
int64_t boc__asked(void);               /* hold.c: requests of main's own that stood in queues, ever */

#endif
