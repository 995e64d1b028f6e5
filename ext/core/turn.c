/* Readers that run one after another: of a value that only one of them can have at a time.
 *
 * Readers of a cown are granted together, as ever. Where the host has marked the value (BOC_VALUE_ALONE) a reader
 * also needs the cown's turn before its behavior can be queued; it passes it on when it ends.
 *
 * Invariants
 *  T1 a behavior asks for turns when it has all its grants, in the order of the cowns' ids, for each only when it has
 *     those before. So who has a turn and waits, waits for one of a greater id: no cycle; and never for a grant;
 *  T2 in a list, the first request of a cown has the cown's turn, the others of that cown wait in order;
 *  T3 the mark changes only while a writer holds the cown: it is the same for all readers of a group.
 */
#include "turn.h"

#include "atomic.h"
#include "fork.h"

#define LISTS 64u

static struct {
    _Atomic uint32_t lock; /* for a few instructions, nothing is called under it */
    boc_request_t *first, *last;
} list[LISTS];

static void close_list(uint32_t i) {
    boc__spin_until(boc__swap(&list[i].lock, 1) == 0);
}

static void open_list(uint32_t i) {
    boc__store_rel(&list[i].lock, 0);
}

/* Joins the line; true: nobody is before it. */
static bool join(boc_request_t *r) {
    uint32_t i = (uint32_t)r->cown->id % LISTS;
    r->link = NULL;
    r->turn = 1;
    close_list(i);
    boc_request_t *q = list[i].first;
    while (q != NULL && q->cown != r->cown) {
        q = q->link;
    }
    if (list[i].first == NULL) {
        list[i].first = r;
    } else {
        list[i].last->link = r;
    }
    list[i].last = r;
    open_list(i);
    return q == NULL;
}

bool boc__turns_take(boc_behavior_t *b, uint32_t from) {
    for (uint32_t i = from; i < b->nreq; i++) {
        boc_request_t *r = &b->req[i];
        if (r->mode == BOC_READ && (boc__load_rlx((_Atomic uint16_t *)&r->cown->value.flags) & BOC_VALUE_ALONE) && !join(r)) {
            return false;
        }
    }
    return true;
}

boc_request_t *boc__turn_leave(boc_request_t *r) {
    uint32_t i = (uint32_t)r->cown->id % LISTS;
    close_list(i);
    boc_request_t *before = NULL, *q = list[i].first;
    while (q != r) {
        before = q;
        q = q->link;
    }
    if (before == NULL) {
        list[i].first = r->link;
    } else {
        before->link = r->link;
    }
    if (list[i].last == r) {
        list[i].last = before;
    }
    boc_request_t *next = r->link;
    while (next != NULL && next->cown != r->cown) {
        next = next->link;
    }
    open_list(i);
    r->turn = 0;
    return next;
}

void boc__turns_fork_child(void) {
    for (uint32_t i = 0; i < LISTS; i++) {
        boc__store_rlx(&list[i].lock, 0);
        list[i].first = list[i].last = NULL;
    }
}
