/* What a scenario of the systematic build may ask of its scheduler. */
#ifndef SYS_H
#define SYS_H

#include "fixture.h"

uint32_t sys_draw(uint32_t n);      /* 0..n-1, from the seed */
extern bool sys_may_time_out;       /* waits whose end is the deadline are no lost wake-ups here */
uint64_t sys_step(void);            /* how many points have passed: a clock that orders everything */
void sys_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void sys_say(const char *format, ...) __attribute__((format(printf, 1, 2))); /* shown in a replay */
#define SYS_CHECK(cond) ((cond) ? (void)0 : sys_fail("%s:%d: %s", __FILE__, __LINE__, #cond))

typedef struct {
    const char *name;
    void (*run)(void);
} scenario_t;
extern const scenario_t scenarios[];

int64_t boc__alloc_balance(void);

#endif
