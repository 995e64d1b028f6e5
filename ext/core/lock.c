/* The lock for rare things: an exchange when free, a futex when not. */
#include "lock.h"

#include "atomic.h"
#include "platform.h"

void boc__lock(boc__lock_t *l) {
    uint32_t s = 0;
    if (boc__cas(&l->word, &s, 1)) {
        return;
    }
    while (boc__swap(&l->word, 2) != 0) { /* 2: somebody sleeps */
        boc__os_wait(&l->word, 2, -1);
    }
}

void boc__unlock(boc__lock_t *l) {
    if (boc__swap(&l->word, 0) == 2) {
        boc__os_wake(&l->word, 1);
    }
}
