/* The runtime's record, and what the host may ask about it and about its workers. */
#include "state.h"

#include "tracing.h"

#include <string.h>

boc__runtime_t boc__rt;

bool boc_running(void) {
    return boc__load_acq(&boc__rt.state) == BOC__RUNNING;
}

uint32_t boc_worker_count(void) {
    return boc__load_acq(&boc__rt.state) == BOC__STOPPED ? 0 : boc__load_acq(&boc__rt.nworkers);
}

int boc_start_error(void) {
    return boc__load_acq(&boc__rt.start_error);
}

bool boc_start_done(void) {
    return boc__load_acq(&boc__rt.nup) + boc__load_acq(&boc__rt.nfailed) >= boc__load_acq(&boc__rt.nworkers);
}

int64_t boc_now(void) {
    return boc__os_now();
}

int boc_worker_stats(uint32_t worker, boc_stats_t *out) {
    boc_worker_t *w = worker < BOC_MAX_WORKERS ? boc__worker(worker) : NULL;
    memset(out, 0, sizeof *out);
    if (w == NULL || worker >= boc__load_acq(&boc__rt.nworkers)) {
        return BOC_EINVAL;
    }
    out->pushed_local = boc__load_acq(&w->n.pushed_local);
    for (uint32_t i = 0; i < boc__lanes(); i++) {
        out->pushed_remote += boc__load_rlx(&boc__lane(w, i)->posted);
    }
    out->dispatched_to_pending = boc__load_acq(&w->n.pending);
    out->popped_local = boc__load_acq(&w->n.popped) + out->dispatched_to_pending;
    out->popped_via_steal = boc__load_acq(&w->n.stolen);
    out->steal_attempts = boc__load_acq(&w->n.attempts);
    out->steal_failures = boc__load_acq(&w->n.failures);
    out->parked = boc__load_acq(&w->n.parked);
    out->unparked = boc__load_acq(&w->n.unparked);
    out->fairness_arm_fires = boc__load_acq(&w->n.arm);
    out->fetches = boc__load_acq(&w->n.fetches);
    out->porter_fetches = boc__load_acq(&w->n.porter_fetches);
    uint64_t finished = boc__load_acq(&w->thread->finished) - w->finished_before;
    uint64_t started = boc__load_acq(&w->thread->started) - w->started_before;
    uint64_t native = boc__load_acq(&w->n.native); /* what the runtime runs for itself is nobody's body */
    out->started = started > native ? started - native : 0;
    out->finished = finished > native ? finished - native : 0;
    out->busy_ns = (uint64_t)boc__ticks_span((int64_t)boc__load_acq(&w->n.busy_ticks));
    return BOC_OK;
}

int boc_worker_running(uint32_t worker, boc_running_t *out) {
    boc_worker_t *w = worker < boc__load_acq(&boc__rt.nworkers) ? boc__worker(worker) : NULL;
    *out = (boc_running_t){0};
    if (w == NULL) {
        return BOC_EINVAL;
    }
    uint64_t id;
    int64_t since;
    do { /* until no other body began meanwhile */
        id = boc__load_acq(&w->run_id);
        out->name = boc__load_acq(&w->run_name);
        since = boc__load_acq(&w->run_since);
    } while (id != boc__load_acq(&w->run_id));
    if (id != 0) {
        out->id = id;
        out->since = boc__ticks_to_ns(since);
    }
    return BOC_OK;
}
