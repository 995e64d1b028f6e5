/* A run that follows a recorded schedule; see replay.c. All of this is asked only while HOOK_REPLAY is set. */
#ifndef BOC_REPLAY_H
#define BOC_REPLAY_H

#include "binding.h"

extern PyMethodDef boc__replay_methods[];

/* Behaviors that a thread schedules together: their places in the schedule, kept from their turn until they have joined. */
typedef struct {
    uint32_t generation, n, few[8], *place;
} boc__turn_t;

/* Rests until it is the turn of these to join their cowns; -1 with an exception, and they are not scheduled. After
   boc_schedule, whatever came of it: joined. */
int boc__replay_turn(boc_behavior_t **b, uint32_t n, boc__turn_t *turn);
void boc__replay_joined(boc__turn_t *turn);

void boc__replay_arrived(uint64_t id);   /* at the closed gate; under the gate's lock */
int boc__replay_begins(uint64_t id);     /* a body is about to begin: rests until no other moves; -1 with an exception */
void boc__replay_ended(uint64_t id);     /* a body has ended */
void boc__replay_cancelled(uint64_t id); /* it will not start */
int boc__replay_cancelling(uint64_t id); /* about to be cancelled: rests until it has begun, if it did when recorded */

/* A body waits for something else than its turn, and others may move meanwhile. timed: it ends by itself. */
bool boc__replay_leaves(bool timed);
int boc__replay_returns(bool left, bool timed);

/* The noticeboard. A view rests until what it showed is applied; viewed: it is taken. What becomes of a queued write now:
   applied, left where it is, or taken out without any effect (which is what it had). applied: it had one. */
enum { REPLAY_HOLD, REPLAY_APPLY, REPLAY_SKIP };
int boc__replay_viewing(uint64_t id);
void boc__replay_viewed(uint64_t id);
int boc__replay_write(uint64_t writer, uint32_t key, bool deletes, bool present);
void boc__replay_applied(uint64_t writer, uint32_t key);
bool boc__notice_busy(void);             /* notice.c: a write is being applied, or could be */
uint64_t boc__notice_ticket(uint64_t ticket); /* what this thread's next sync waits for; returns what it was */

/* At each slice of a wait; outside of bodies a run that stands still differs. over(arg): what it waits for has come.
   -1 with an exception. */
int boc__replay_look(bool (*over)(const void *arg), const void *arg);
void boc__replay_serves(void);           /* by the service, with the GIL: a task may await, whose loop does not look */
void boc__replay_calm(void);             /* a wait of this thread until nothing is pending has ended */
int boc__replay_before_pump(int64_t deadline); /* until something pinned is there or nothing comes by itself; -1 with an exception */
void boc__replay_at_exit(void);
void boc__replay_after_fork(void);

#endif
