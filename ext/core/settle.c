/* Is anything under way? For who steps: with the gate closed, all is settled once workers rest and nothing moves.
 *
 * A snapshot that looks at one worker after another, so it also looks whether anybody was woken meanwhile.
 */
#include "home.h"
#include "quiesce.h"
#include "wait.h"
#include "wake.h"

static uint64_t wakes(uint32_t n) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += boc__load_acq(&boc__worker(i)->n.unparked);
    }
    return sum;
}

static bool rests(boc_worker_t *w, bool (*beside)(uint64_t id)) {
    if (boc__load_acq(&w->phase) == BOC__W_ENDED) {
        return true;
    }
    for (uint32_t k = 0; k < boc__lanes(); k++) {
        if (!boc__lane_empty(boc__lane(w, k))) {
            return false;
        }
    }
    boc_request_t *r = boc__load_acq(&w->fetches);
    boc_running_t now = {0};
    bool waits = beside != NULL && boc_worker_running(w->index, &now) == BOC_OK && now.id != 0 && beside(now.id);
    return (waits || boc__idle_is(w->index)) && (r == NULL || r == BOC__CLOSED) && boc__load_acq(&w->serving) == 0 && boc__load_acq(&w->mail) == NULL;
}

/* A worker that gave work to one already looked at has woken it: then the sums differ. */
bool boc_settled_beside(bool (*beside)(uint64_t id)) {
    uint32_t n = boc_worker_count();
    if (!boc_start_done()) {
        return n == 0;
    }
    uint64_t before = wakes(n);
    boc__fence(); /* the sum before the looks */
    for (uint32_t i = 0; i < n; i++) {
        if (!rests(boc__worker(i), beside)) {
            return false;
        }
    }
    boc__fence(); /* the looks before the second sum */
    return wakes(n) == before && boc_pinned_depth(NULL) == 0;
}

bool boc_settled(void) {
    return boc_settled_beside(NULL);
}

static bool held_or_settled(void *seen) {
    return boc_gate_arrivals() != *(uint64_t *)seen || !boc_gate_closed() || boc_settled();
}

int boc_gate_wait(uint64_t seen, int64_t deadline_ns, bool pump) {
    return boc__pulse_wait(held_or_settled, &seen, deadline_ns, pump);
}
