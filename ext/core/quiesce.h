/* For those that may have ended the last behavior: is there anybody to tell? And for waits that look at several things.
 * See quiesce.c. */
#ifndef BOC_QUIESCE_H
#define BOC_QUIESCE_H

#include <stdbool.h>
#include <stdint.h>

void boc__quiesce_look(void); /* somebody waits and nothing is pending: wake it */
/* Sleeps on the pulse until done(arg), a slice at most; codes as in wait.h. */
int boc__pulse_wait(bool (*done)(void *), void *arg, int64_t deadline_ns, bool pump);

#endif
