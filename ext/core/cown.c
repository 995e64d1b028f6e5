/* Cowns: made, counted, freed. Their queues are in queue.c. */
#include "cown.h"

#include "state.h"

boc_cown_t *boc_cown_new(uint8_t flags) {
    boc__thread_t *t = boc__me();
    boc_cown_t *c = boc__alloc(&t->pool, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    *c = (boc_cown_t){.id = boc__id(t), .flags = flags, .refs = 1};
    boc__tally(&t->cowns, 1);
    return c;
}

void boc_cown_free(boc_cown_t *c) {
    boc__thread_t *t = boc__me();
    boc__tally(&t->cowns, -1);
    boc__free(&t->pool, c, sizeof *c);
}

void boc_set_callbacks(const boc_callbacks_t *c) {
    boc__rt.call = c;
}

/* Deaths of cowns inside the values of dying cowns; from here on they wait for their turn: a chain of a million would not
   fit on the stack. */
#define MOST_NESTED 32

static void bury(boc__thread_t *t, boc_cown_t *c) {
    const boc_callbacks_t *call = boc__rt.call;
    if (call == NULL || call->drop_value == NULL || call->drop_value(c)) {
        boc__tally(&t->cowns, -1);
        boc__free(&t->pool, c, sizeof *c);
    }
}

void boc__cown_dead(boc__thread_t *t, boc_cown_t *c) {
    if (t->deaths == MOST_NESTED) {
        boc__store_rlx(&c->writer, (boc_request_t *)(void *)t->dead); /* nobody uses that of a dead one */
        t->dead = c;
        return;
    }
    t->deaths++;
    bury(t, c);
    while (t->deaths == MOST_NESTED && (c = t->dead) != NULL) {
        t->dead = (boc_cown_t *)(void *)boc__load_rlx(&c->writer);
        boc__store_rlx(&c->writer, NULL);
        bury(t, c);
    }
    t->deaths--;
}

void boc_cown_release(boc_cown_t *c) {
    boc__cown_drop(boc__me(), c);
}

bool boc_cown_idle(const boc_cown_t *c) {
    boc_cown_t *k = (boc_cown_t *)c;
    return boc__load_acq(&k->tail) == NULL && boc__load_acq(&k->readers) == 0;
}

uint32_t boc_cown_queue(const boc_cown_t *c) {
    boc_cown_t *k = (boc_cown_t *)c;
    boc_request_t *tail = boc__load_acq(&k->tail);
    if (tail == NULL) {
        return boc__load_acq(&k->readers) != 0;
    }
    /* The tail may be freed while we look, so only its address is compared. */
    if (boc__load_acq(&k->readers) == 0) {
        return tail == boc__load_rlx(&k->writer) ? 1 : 2;
    }
    return boc__load_acq(&k->readers) & 1 ? 2 : 1;
}
