/* How a worker falls asleep.
 *
 * A worker that finds nothing sets its bit in `idle` (wake.c), looks at everything once more, and sleeps on its own
 * word.
 *
 * Why no wake-up is lost. Pusher: puts the work, full fence, reads `searching` and `idle`. Worker: leaves
 * `searching`, sets its bit, (both full fences) looks at all queues. Whichever fence comes second sees the
 * other's store: the pusher sees the bit, or the worker sees the work. While somebody searches nobody is
 * woken, since a searcher looks at everything again after it has left `searching`; and the last searcher
 * that finds something wakes another in its place. If somebody wakes it for one thing just when it has seen another, it
 * goes on as a searcher: the pusher of the other relies on it.
 *
 * A brisk worker gets to what is in its free lane sooner than another would wake up; then nobody is woken, but the worker's
 * porter looks whether it really comes to that (ready.c, R4).
 */
#include "park.h"

#include "gate.h"
#include "home.h"
#include "quiesce.h"
#include "tracing.h"
#include "wake.h"

/* Values take a while to come. A thief that went on taking meanwhile would take everything, and the home would soon take
   it back: so it leaves the home as many as it waits for. One of those will wake it. */
bool boc__may_take_bound(boc_worker_t *w, boc_worker_t *home) {
    uint32_t size = boc__lane_size(&home->lane[BOC__BOUND]), incoming = boc__load_rlx(&w->incoming);
    if (incoming != 0 && incoming >= size) {
        return false;
    }
    if (size >= BOC__LONG) {
        return true;
    }
    return boc__load_rlx(&home->run_id) != 0 && !boc__lane_empty(&home->lane[BOC__BOUND]) &&
           boc__ticks_span(boc__ticks() - boc__load_rlx(&home->run_since)) > BOC__YOUNG_NS;
}

/* After the idle bit is set: is there anything for w? Looks at what it would wait for in vain. */
static bool work_somewhere(boc_worker_t *w) {
    boc__fence(); /* the idle bit before the looks; the other half is with those who push */
    if (!boc__lane_empty(&w->lane[BOC__FREE]) || !boc__lane_empty(&w->lane[BOC__BOUND]) ||
        boc__load_acq(&w->mail) != NULL || boc__load_seq(&boc__rt.state) != BOC__RUNNING ||
        (boc__load_acq(&boc__gate_shut) & BOC__GATE_SWEEP) ||
        (boc__load_acq(&w->fetches) != NULL && boc__load_acq(&w->serving) == 0)) {
        return true;
    }
    uint32_t n = boc__load_acq(&boc__rt.nworkers);
    for (uint32_t i = 0; i < n; i++) {
        boc_worker_t *v = boc__worker(i);
        if (!boc__lane_empty(&v->lane[BOC__FREE])) {
            return true;
        }
        if (!boc__lane_empty(&v->lane[BOC__BOUND])) {
            if (boc__may_take_bound(w, v)) {
                return true;
            }
            boc__porter_arm(v); /* wakes somebody if v's body turns out to be long */
        }
        for (uint32_t k = BOC__LANES; k < boc__lanes(); k++) {
            if (boc__may_take(w, k) && !boc__lane_empty(boc__lane(v, k))) {
                return true;
            }
        }
    }
    return false;
}

/* The caller searches no more. Returns with w->searching set if there is work, or if whoever woke it counted it
   as a searcher. */
void boc__park(boc_worker_t *w) {
    boc__store_rlx(&w->wake, BOC__ASLEEP);
    boc__idle_set(w->index);
    bool seen = work_somewhere(w);
    if (seen) {
        if (boc__idle_claim(w->index)) {
            boc__add(&boc__rt.searching, 1); /* there is work: look for it, however many do already */
            w->searching = true;
            return;
        }
    } else {
        boc__quiesce_look();
        if (boc__unlikely(boc__load_rlx(&boc__gate_shut) != 0)) {
            boc__pulse(); /* perhaps all is settled now */
        }
    }
    boc__thread_t *t = w->thread;
    const boc_host_t *host = w->host;
    if (host->park != NULL) {
        host->park(w->index);
    }
    if (boc__load_rlx(&w->brisk) != 0) {
        boc__store_rlx(&w->brisk, boc__ticks());
    }
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_park, 0, 0, 0, 0);
    }
    boc__count_up(&w->n.parked);
    uint32_t how;
    while ((how = boc__load_acq(&w->wake)) == BOC__ASLEEP) {
        boc__os_wait(&w->wake, BOC__ASLEEP, -1);
    }
    if (boc__brisk(w)) {
        boc__store_rlx(&w->brisk, 1);
    } else {
        boc__not_brisk(w);
    }
    if (boc__tracing(t)) {
        boc__trace_one(t->ring, 0, BOC_T_unpark, 0, 0, 0, 0);
    }
    if (host->unpark != NULL) {
        host->unpark(w->index);
    }
    w->searching = how == BOC__WOKEN_TO_SEARCH;
    if (seen && !w->searching) {
        boc__add(&boc__rt.searching, 1);
        w->searching = true;
    }
}
