/* Live values: bringing them to rest where they live, for a behavior that needs them elsewhere. And mail.
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
 *
 * porter: RESTS -> ARMED by whoever posts, back by the porter itself when it saw nothing to look after;
 * after that it looks at the lists once more, and the poster posts before it arms: no fetch is forgotten.
 */
#include "internal.h"

enum { RESTS = 0, ARMED = 1, ENDS = 2 };

#define SLOWEST_NS (8 * BOC__LOOK_NS)

/* ---- fetches ------------------------------------------------------------------------ */
bool boc__fetch_post(boc__thread_t *t, boc_request_t *r, uint32_t home) {
    boc_worker_t *w = boc__worker(home);
    boc_request_t *head = boc__load_acq(&w->fetches);
    uint64_t behavior = boc_behavior_of(r)->id, cown = r->cown->id;
    do {
        if (head == BOC__CLOSED) {
            return false;
        }
        r->link = head;
    } while (!boc__cas(&w->fetches, &head, r));
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_fetch, behavior, cown, home, 0);
    }
    if (!boc__wake_worker(w)) {
        boc__porter_arm(w);
    }
    return true;
}

static void served(boc__thread_t *t, boc_request_t *r) {
    boc_behavior_t *b = boc_behavior_of(r);
    uint64_t id = b->id;
    boc__check(boc__load_rlx(&b->count) > 0);
    if (boc__sub(&b->count, 1) != 1) {
        return;
    }
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
static bool anything(boc_worker_t *w) {
    boc_request_t *r = boc__load_seq(&w->fetches);
    return (r != NULL && r != BOC__CLOSED) || (!boc__lane_empty(&w->lane[BOC__BOUND]) && boc__idle_any());
}

static void porter_rest(boc_worker_t *w) {
    uint32_t armed = ARMED, rests = RESTS;
    if (boc__cas(&w->porter, &armed, RESTS)) {
        boc__fence(); /* at rest before the look; the poster posts before it arms */
        if (anything(w)) {
            boc__cas(&w->porter, &rests, ARMED);
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
    if (!boc__lane_empty(&w->lane[BOC__BOUND]) && boc__idle_any()) {
        if (age > BOC__YOUNG_NS) {
            boc__wake_any();
        }
        return true;
    }
    return false;
}

static void porter_main(void *arg) {
    boc_worker_t *w = arg;
    boc__thread_t *t = boc__me();
    int64_t delay = BOC__LOOK_NS;
    uint32_t s;
    while ((s = boc__load_acq(&w->porter)) != ENDS) {
        if (s == RESTS) {
            boc__os_wait(&w->porter, RESTS, -1);
            delay = BOC__LOOK_NS;
            continue;
        }
        boc__os_wait(&w->porter, ARMED, delay); /* only the end comes before its time */
        if (boc__load_acq(&w->porter) == ENDS) {
            break;
        }
        if (!porter_look(w, t)) {
            porter_rest(w);
        } else if (boc__load_acq(&w->fetches) == NULL && delay < SLOWEST_NS) {
            delay *= 2; /* short bodies, and others idle: look less often */
        }
    }
}

static boc__lock_t making;

void boc__porter_arm(boc_worker_t *w) {
    uint32_t rests = RESTS;
    if (boc__load_seq(&w->porter) != RESTS || !boc__cas(&w->porter, &rests, ARMED)) {
        return;
    }
    if (boc__load_acq(&w->porter_os) == NULL) {
        boc__lock(&making);
        if (boc__load_acq(&w->porter_os) == NULL && boc__load_acq(&w->porter) != ENDS) {
            boc__store_rel(&w->porter_os, boc__os_thread_start(porter_main, w, "boc porter"));
        }
        boc__unlock(&making);
    }
    boc__os_wake(&w->porter, 1);
}

void boc__porter_end(boc_worker_t *w, bool abandon) {
    boc__lock(&making);
    boc__swap(&w->porter, ENDS);
    boc__os_thread_t *os = boc__swap(&w->porter_os, NULL);
    boc__unlock(&making);
    boc__os_wake(&w->porter, 1);
    if (os != NULL) {
        if (abandon) {
            boc__os_thread_detach(os);
        } else {
            boc__os_thread_join(os);
        }
    }
}

/* ---- mail ------------------------------------------------------------------------------ */
int boc_mail_post(uint32_t worker, boc_mail_t *m) {
    boc_worker_t *w = worker < boc__load_acq(&boc__rt.nworkers) ? boc__worker(worker) : NULL;
    if (w == NULL) {
        return BOC_ESTATE;
    }
    boc_mail_t *head = boc__load_acq(&w->mail);
    do {
        if (head == BOC__CLOSED) {
            return BOC_ESTATE;
        }
        m->next = head;
    } while (!boc__cas(&w->mail, &head, m));
    boc__wake_worker(w);
    return BOC_OK;
}

static void mail_run(boc_mail_t *m) {
    boc_mail_t *in_order = NULL;
    while (m != NULL) {
        boc_mail_t *next = m->next;
        m->next = in_order;
        in_order = m;
        m = next;
    }
    while (in_order != NULL) {
        boc_mail_t *next = in_order->next;
        in_order->fn(in_order); /* may free it */
        in_order = next;
    }
}

void boc__mail_serve(boc_worker_t *w) {
    mail_run(boc__swap(&w->mail, NULL));
}

void boc__mail_close_unread(boc_worker_t *w) {
    boc__swap(&w->mail, BOC__CLOSED);
}

void boc__mail_close(boc_worker_t *w) {
    mail_run(boc__swap(&w->mail, BOC__CLOSED));
}
