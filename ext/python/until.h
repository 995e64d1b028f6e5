/* Deadlines of POSIX condition variables, which go by the system's clock. */
#ifndef BOC_UNTIL_H
#define BOC_UNTIL_H

#include <stdint.h>
#include <time.h>

#define BOC_SLICE_NS 50000000 /* of a wait between two looks for signals */

/* ns from now; ns >= 0 */
static inline struct timespec boc__until(int64_t ns) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    ns += t.tv_nsec;
    t.tv_sec += (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

#endif
