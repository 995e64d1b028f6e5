/* The last reference to a cown. For finish.c, which drops those of each behavior. */
#ifndef BOC_COWN_H
#define BOC_COWN_H

#include "thread.h"

void boc__cown_dead(boc__thread_t *t, boc_cown_t *c); /* cown.c */
static inline void boc__cown_drop(boc__thread_t *t, boc_cown_t *c) {
    /* 1 is the caller's own: nobody else can raise it, unless the host lists the cown. Acquire: what the others
       did before they let go. */
    if ((boc__load_acq(&c->refs) == 1 && !(c->flags & BOC_COWN_WEAK)) || boc__sub(&c->refs, 1) == 1) {
        boc__cown_dead(t, c);
    }
}

#endif
