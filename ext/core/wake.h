/* Who sleeps, and how it is woken: idle workers, and waits that look at several things. For all who make work. */
#ifndef BOC_WAKE_H
#define BOC_WAKE_H

#include "state.h"

/* ---- workers ---- */
enum { BOC__ASLEEP = 0, BOC__WOKEN = 1, BOC__WOKEN_TO_SEARCH = 2 };
void boc__wake_any(void);                 /* there is new work that any worker may do */
void boc__wake_kinds(uint8_t kinds);      /* there is new work that only workers of these may do */
bool boc__wake_worker(boc_worker_t *w);   /* if it sleeps; true: it did */
uint32_t boc__idle_pick(void);            /* index + 1 of a sleeping worker, the first; 0: none */
uint32_t boc__awake_pick(uint32_t from, uint32_t n);          /* of n workers, from that one on; from, if all sleep */
uint32_t boc__idle_of(uint8_t kinds);     /* the same, of one of these kinds */
bool boc__idle_any(void);
void boc__idle_set(uint32_t worker);      /* a full fence: looks for work come after it */
bool boc__idle_claim(uint32_t worker);    /* true: it was idle, and the caller alone may wake it now */
bool boc__idle_is(uint32_t worker);
bool boc__cores_taken(void);              /* as many workers are awake as there are cores */
bool boc__brisk(boc_worker_t *w);         /* its last bodies were short, and it has not slept long since */
void boc__idle_reset(void);

/* ---- waits ---- */
void boc__pulse(void);                    /* wake every wait that looks at several things */
extern _Atomic uint32_t boc__pulse_word, boc__pulse_waiters;

#endif
