/* A worker as the home of live values: the lists that others post to, and the porter that serves while a body runs
 * for long. What is done with a fetch is in fetch.c. */
#include "home.h"

#include "lock.h"
#include "tracing.h"
#include "wake.h"

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

/* ---- the porter ----------------------------------------------------------------------- */
static boc__lock_t making;

void boc__home_fork_child(void) {
    boc__store_rlx(&making.word, 0);
}

bool boc__porter_arm(boc_worker_t *w) {
    uint32_t rests = boc__load_seq(&w->porter);
    if (rests != BOC__PORTER_RESTS || !boc__cas(&w->porter, &rests, BOC__PORTER_ARMED)) {
        return rests != BOC__PORTER_ENDS;
    }
    if (boc__load_acq(&w->porter_os) == NULL) {
        boc__lock(&making);
        if (boc__load_acq(&w->porter_os) == NULL && boc__load_acq(&w->porter) != BOC__PORTER_ENDS) {
            boc__store_rel(&w->porter_os, boc__os_thread_start(boc__rt.porter, w, "boc porter"));
        }
        boc__unlock(&making);
        if (boc__load_acq(&w->porter_os) == NULL) {
            uint32_t armed = BOC__PORTER_ARMED;
            boc__cas(&w->porter, &armed, BOC__PORTER_RESTS); /* the next one tries again */
            return false;
        }
    }
    boc__os_wake(&w->porter, 1);
    return true;
}

void boc__porter_end(boc_worker_t *w, bool abandon) {
    boc__lock(&making);
    boc__swap(&w->porter, BOC__PORTER_ENDS);
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
