/* A lock for what happens rarely; it sleeps on its word. Needs nothing of the core; anybody may include it. */
#ifndef BOC_LOCK_H
#define BOC_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct {
    _Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody sleeps */
} boc__lock_t;

void boc__lock(boc__lock_t *l);
void boc__unlock(boc__lock_t *l);

#endif
