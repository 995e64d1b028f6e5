/* trylock.h: a lock that nobody waits for: whoever finds it taken does without what it guards. (In the child of a fork it
 * may stay taken for ever, by a thread that is not there.) */
#ifndef BOC_MATRIX_TRYLOCK_H
#define BOC_MATRIX_TRYLOCK_H

#include <stdatomic.h>
#include <stdbool.h>

static inline bool boc__try_lock(_Atomic bool *taken)
{
    return !atomic_load_explicit(taken, memory_order_relaxed) &&
           !atomic_exchange_explicit(taken, true, memory_order_acquire); /* after what the last holder wrote */
}

static inline void boc__unlock(_Atomic bool *taken)
{
    atomic_store_explicit(taken, false, memory_order_release); /* with all that was written under the lock */
}

#endif
