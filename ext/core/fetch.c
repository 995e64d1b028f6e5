/* Live values: bringing them to rest where they live, for a behavior that needs them elsewhere.
 *
 * A fetch is a request on its home's list. The home serves its list at each body boundary; a home that sleeps
 * is woken; while a body runs for long, the home's porter (a thread made at the first need) does it.
 *
 * Invariants
 *  F1 one thread at a time serves a home (the flag `serving`), so no value is encoded twice at once. Who finds
 *     the flag taken goes on with other work: the one who has it looks again after it gave it back;
 *  F2 a posted fetch is served exactly once: who took the list from its head has it;
 *  F3 the requests of a list belong to behaviors that are kept back by them, so they stay where they are;
 *  F4 nobody waits for a home but its porter, and the porter waits for nothing else.
 */
#include "finish.h"
#include "home.h"
#include "ready.h"
#include "tracing.h"
#include "wake.h"

#define SLOWEST_NS (8 * BOC__LOOK_NS)

/* ---- fetches ------------------------------------------------------------------------ */
static void served(boc__thread_t *t, boc_request_t *r) {
    boc_behavior_t *b = boc_behavior_of(r);
    uint64_t id = b->id;
    boc__check(boc__load_rlx(&b->count) > 0);
    if (boc__sub(&b->count, 1) != 1) {
        return;
    }
    boc__came(b);
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_ready, id, 0, b->target != 0 ? b->target - 1u : t->index, 0);
    }
    boc__enqueue(t, b);
}

/* Newest first becomes oldest first. */
static boc_request_t *turned(boc_request_t *r) {
    boc_request_t *out = NULL;
    while (r != NULL) {
        boc_request_t *next = r->link;
        r->link = out;
        out = r;
        r = next;
    }
    return out;
}

static void serve_list(boc_worker_t *w, boc__thread_t *t, boc_request_t *r, _Atomic uint64_t *counter, bool encode) {
    r = turned(r);
    while (r != NULL) {
        boc_request_t *next = r->link;
        boc_cown_t *c = r->cown;
        if (encode && boc__load_acq(&c->home) == w->index + 1) { /* another reader's fetch may have done it */
            boc__rt.call->encode(w->index, c);
        }
        boc__count_up(counter);
        served(t, r);
        r = next;
    }
}

void boc__fetch_serve(boc_worker_t *w, boc__thread_t *t, bool by_porter) {
    for (;;) {
        boc_request_t *r = boc__load_acq(&w->fetches);
        if (r == NULL || r == BOC__CLOSED || boc__swap(&w->serving, 1) != 0) {
            break;
        }
        r = boc__swap(&w->fetches, NULL);
        serve_list(w, t, r, by_porter ? &w->n.porter_fetches : &w->n.fetches, true);
        boc__swap(&w->serving, 0); /* a full fence: now look again */
    }
    boc__drain(t);
}

/* The host has brought all live values to rest, the porter is gone: what is posted needs no more. */
void boc__home_close(boc_worker_t *w) {
    boc__thread_t *t = boc__me();
    serve_list(w, t, boc__swap(&w->fetches, BOC__CLOSED), &w->n.fetches, false);
    boc__drain(t);
}

/* ---- the porter ----------------------------------------------------------------------- */
/* Somebody sleeps who could run what is in w's lanes. */
static bool could_help(boc_worker_t *w) {
    return !(boc__lane_empty(&w->lane[BOC__FREE]) && boc__lane_empty(&w->lane[BOC__BOUND])) && boc__idle_any();
}

static bool anything(boc_worker_t *w) {
    boc_request_t *r = boc__load_seq(&w->fetches);
    return (r != NULL && r != BOC__CLOSED) || could_help(w);
}

static void porter_rest(boc_worker_t *w) {
    uint32_t armed = BOC__PORTER_ARMED, rests = BOC__PORTER_RESTS;
    if (boc__cas(&w->porter, &armed, BOC__PORTER_RESTS)) {
        boc__fence(); /* at rest before the look; the poster posts before it arms */
        if (anything(w)) {
            boc__cas(&w->porter, &rests, BOC__PORTER_ARMED);
        }
    }
}

/* Armed, and some time has gone. Returns whether there was something to look after. */
static bool porter_look(boc_worker_t *w, boc__thread_t *t) {
    int64_t age = boc__load_acq(&w->run_id) != 0 ? boc__ticks_span(boc__ticks() - boc__load_acq(&w->run_since)) : 0;
    boc_request_t *r = boc__load_acq(&w->fetches);
    if (r != NULL && r != BOC__CLOSED) {
        if (age > BOC__LOOK_NS) {
            boc__rt.call->porter_enter(w->index);
            boc__fetch_serve(w, t, true);
            boc__rt.call->porter_leave(w->index);
        }
        return true;
    }
    if (could_help(w)) {
        if (age > BOC__YOUNG_NS) {
            boc__store_rlx(&w->brisk, 0); /* whatever comes while this body runs does not wait for it */
            boc__wake_any();
        }
        return true;
    }
    return false;
}

void boc__porter_main(void *arg) {
    boc_worker_t *w = arg;
    boc__thread_t *t = boc__me();
    int64_t delay = BOC__LOOK_NS;
    uint32_t s;
    while ((s = boc__load_acq(&w->porter)) != BOC__PORTER_ENDS) {
        if (s == BOC__PORTER_RESTS) {
            boc__os_wait(&w->porter, BOC__PORTER_RESTS, -1);
            delay = BOC__LOOK_NS;
            continue;
        }
        boc__os_wait(&w->porter, BOC__PORTER_ARMED, delay); /* only the end comes before its time */
        if (boc__load_acq(&w->porter) == BOC__PORTER_ENDS) {
            break;
        }
        if (!porter_look(w, t)) {
            porter_rest(w);
        } else if (boc__load_acq(&w->fetches) == NULL && boc__lane_empty(&w->lane[BOC__FREE]) && delay < SLOWEST_NS) {
            delay *= 2; /* short bodies, and others idle: look less often */
        }
    }
}
