/* A worker's run queue: first in, first out, with stealing.
 *
 *   inbox     anybody posts here (a stack by CAS); it joins the order when the owner gets to it
 *   overflow  a list in order, what did not fit the ring
 *   ring      what runs next; the owner puts, the owner and thieves take by CAS on head
 *
 * Invariants
 *  L1 only the owner stores a non-null overflow, so between its exchange and its store nobody else does;
 *  L2 while overflow is not empty the owner puts to the inbox: ring before overflow before inbox is the order
 *     of arrival, but for posts that the owner has not admitted yet;
 *  L3 a slot is overwritten only BOC__RING puts later, when head has passed it: a thief that read an old slot
 *     fails its CAS;
 *  L4 who empties overflow or inbox takes all of it, so there is no ABA.
 */
#include "lane.h"

#define MASK (BOC__RING - 1u)

static bool ring_put(boc__lane_t *l, boc_behavior_t *b) {
    uint32_t tail = boc__load_rlx(&l->tail);
    if (tail - boc__load_acq(&l->head) >= BOC__RING) {
        return false;
    }
    boc__store_rlx(&l->slot[tail & MASK], b);
    boc__store_rel(&l->tail, tail + 1); /* the slot before the tail */
    return true;
}

static void post(boc__lane_t *l, boc_behavior_t *b) {
    boc_behavior_t *head = boc__load_rlx(&l->inbox);
    do {
        boc__store_rlx(&b->next, head);
    } while (!boc__cas(&l->inbox, &head, b));
}

void boc__lane_post(boc__lane_t *l, boc_behavior_t *b) {
    post(l, b);
    boc__add_rlx(&l->posted, 1);
}

bool boc__lane_put(boc__lane_t *l, boc_behavior_t *b) {
    if (boc__load_rlx(&l->overflow) == NULL && ring_put(l, b)) {
        return true;
    }
    post(l, b);
    return false;
}

static boc_behavior_t *reversed(boc_behavior_t *b) {
    boc_behavior_t *out = NULL;
    while (b != NULL) {
        boc_behavior_t *next = boc__load_rlx(&b->next);
        boc__store_rlx(&b->next, out);
        out = b;
        b = next;
    }
    return out;
}

/* All of a backlog, oldest first. */
static boc_behavior_t *backlog(boc__lane_t *l) {
    boc_behavior_t *b = NULL;
    if (boc__load_rlx(&l->overflow) != NULL) {
        b = boc__swap(&l->overflow, NULL);
    }
    if (b == NULL && boc__load_rlx(&l->inbox) != NULL) {
        b = reversed(boc__swap(&l->inbox, NULL));
    }
    return b;
}

/* A list in order into an owner's ring, the rest into its overflow, which is empty. */
static void fill(boc__lane_t *l, boc_behavior_t *b) {
    while (b != NULL) {
        boc_behavior_t *next = boc__load_rlx(&b->next);
        if (!ring_put(l, b)) {
            boc__store_rel(&l->overflow, b);
            return;
        }
        b = next;
    }
}

static boc_behavior_t *ring_take(boc__lane_t *l) {
    uint32_t head = boc__load_acq(&l->head);
    while (head != boc__load_rlx(&l->tail)) {
        boc_behavior_t *b = boc__load_rlx(&l->slot[head & MASK]);
        if (boc__cas(&l->head, &head, head + 1)) {
            return b;
        }
    }
    return NULL;
}

/* moved: behaviors were in nobody's sight for a moment, so a worker may have fallen asleep over them. */
boc_behavior_t *boc__lane_take(boc__lane_t *l, bool *moved) {
    boc_behavior_t *b = ring_take(l);
    if (b == NULL && (b = backlog(l)) != NULL) {
        boc_behavior_t *rest = boc__load_rlx(&b->next);
        fill(l, rest);
        *moved |= rest != NULL;
    }
    return b;
}

void boc__lane_admit(boc__lane_t *l, bool *moved) {
    if (boc__load_rlx(&l->inbox) != NULL && boc__load_rlx(&l->overflow) == NULL) {
        fill(l, backlog(l));
        *moved = true;
    }
}

/* Half of the ring, at most max; or, if the ring is empty, the whole backlog. The first one is handed out, the
   others go into the thief's own lane, which must have no overflow. into == NULL: from the ring, max is 1.
   Returns how many were taken (2 for "several"). */
uint32_t boc__lane_steal(boc__lane_t *from, boc__lane_t *into, uint32_t max, boc_behavior_t **first) {
    boc_behavior_t *loot[64];
    uint32_t head = boc__load_acq(&from->head);
    for (;;) {
        uint32_t n = boc__load_acq(&from->tail) - head;
        if (n == 0 || n > BOC__RING) { /* empty, or head has moved since */
            break;
        }
        n = (n + 1) / 2;
        n = n > max ? max : n;
        for (uint32_t i = 0; i < n; i++) {
            loot[i] = boc__load_rlx(&from->slot[(head + i) & MASK]);
        }
        if (boc__cas(&from->head, &head, head + n)) {
            *first = loot[0];
            for (uint32_t i = 1; i < n; i++) {
                boc__lane_put(into, loot[i]);
            }
            return n;
        }
    }
    boc_behavior_t *b = into != NULL ? backlog(from) : NULL;
    if (b == NULL) {
        return 0;
    }
    *first = b;
    boc_behavior_t *rest = boc__load_rlx(&b->next);
    fill(into, rest);
    return rest != NULL ? 2 : 1;
}

boc_behavior_t *boc__lane_take_all(boc__lane_t *l) {
    boc_behavior_t *out = NULL, *b;
    bool moved;
    while ((b = boc__lane_take(l, &moved)) != NULL) {
        boc__store_rlx(&b->next, out);
        out = b;
    }
    return out;
}

bool boc__lane_empty(const boc__lane_t *lane) {
    boc__lane_t *l = (boc__lane_t *)lane;
    return boc__load_acq(&l->head) == boc__load_acq(&l->tail) && boc__load_acq(&l->overflow) == NULL &&
           boc__load_acq(&l->inbox) == NULL;
}

uint32_t boc__lane_size(const boc__lane_t *lane) {
    boc__lane_t *l = (boc__lane_t *)lane;
    uint32_t n = boc__load_rlx(&l->tail) - boc__load_rlx(&l->head);
    return n > BOC__RING ? 0 : n;
}
