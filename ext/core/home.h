/* A worker as the home of live values: fetches, its porter, its mail. home.c keeps the lists and wakes who serves
 * them, fetch.c serves; ready.c posts, the workers' loop and the runtime serve and close. */
#ifndef BOC_HOME_H
#define BOC_HOME_H

#include "state.h"

#define BOC__CLOSED ((void *)1)           /* a list that takes no more */

/* boc_worker.porter: RESTS -> ARMED by whoever posts, back by the porter itself when it saw nothing to look
   after; after that it looks at the lists once more, and the poster posts before it arms: no fetch is forgotten. */
enum { BOC__PORTER_RESTS = 0, BOC__PORTER_ARMED = 1, BOC__PORTER_ENDS = 2 };

/* ---- home.c ---- */
bool boc__fetch_post(boc__thread_t *t, boc_request_t *r, uint32_t home); /* false: that home has ended */
bool boc__porter_arm(boc_worker_t *w);    /* false: there is none, and none could be made */
void boc__porter_end(boc_worker_t *w, bool abandon);
void boc__mail_serve(boc_worker_t *w);
void boc__mail_close(boc_worker_t *w);    /* serves what is left, takes no more */
void boc__mail_close_unread(boc_worker_t *w); /* its worker was given up */
void boc__home_fork_child(void);

/* The values of b are here, or nobody will bring them: it is under way no more. */
static inline void boc__came(boc_behavior_t *b) {
    if (boc__unlikely(b->incoming)) {
        b->incoming = 0;
        boc__sub(&boc__worker(b->target - 1u)->incoming, 1);
    }
}

/* ---- fetch.c ---- */
void boc__fetch_serve(boc_worker_t *w, boc__thread_t *t, bool by_porter);
void boc__home_close(boc_worker_t *w);    /* serves what is left, takes no more */
void boc__porter_main(void *worker);

#endif
