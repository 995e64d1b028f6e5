/* What workers see of main's environment: checked in main, taken over in workers. */
#ifndef BOC_PYTHON_ENVIRON_H
#define BOC_PYTHON_ENVIRON_H

#include "binding.h"

/* Main, at each schedule: makes a new snapshot if something changed. No exception is set. */
void boc__environ_check(void);
uint64_t boc__environ_version(void);
int boc__environ_apply_new(boc_state_t *st);
/* A worker, before a body. -1 with an exception. */
static inline int boc__environ_apply(boc_state_t *st) {
    return st->environ_version == boc__environ_version() ? 0 : boc__environ_apply_new(st);
}
void boc__environ_after_fork(void);
extern PyMethodDef boc__environ_methods[];

#endif
