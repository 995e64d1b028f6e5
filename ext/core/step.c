/* Through the step gate: all, one, or those that were cancelled meanwhile. */
#include "finish.h"
#include "gate.h"
#include "ready.h"
#include "tracing.h"
#include "wait.h"
#include "wake.h"

static bool any(const boc_behavior_t *b, uint64_t arg) {
    (void)b;
    (void)arg;
    return true;
}

static bool has_id(const boc_behavior_t *b, uint64_t id) {
    return b->id == id;
}

static bool is_stale(const boc_behavior_t *b, uint64_t arg) {
    (void)arg;
    return boc__stale(b);
}

static void let_through(boc__thread_t *t, boc_behavior_t *b) {
    for (boc_behavior_t *next; b != NULL; b = next) {
        next = boc__load_rlx(&b->next);
        b->passed = BOC__PASSED;
        if (boc__tracing(t)) {
            boc__trace_one(t->ring, 0, BOC_T_gate_pass, b->id, 0, 0, 0);
        }
        if (boc__stale(b)) {
            boc__inplace(t, b);
        } else {
            boc__push(t, b);
        }
    }
    boc__drain(t);
}

void boc_gate_open(void) {
    let_through(boc__me(), boc__gate_take_to_stop());
    boc__pulse(); /* who waits for it to be opened */
}

int boc_gate_step(uint64_t id) {
    boc_behavior_t *b = boc__gate_take(id != 0 ? has_id : any, id, 1, 0);
    let_through(boc__me(), b);
    return b != NULL ? BOC_OK : BOC_EMPTY;
}

void boc__gate_sweep(boc__thread_t *t, bool all) {
    let_through(t, boc__gate_take(all ? any : is_stale, 0, UINT32_MAX, BOC__GATE_SWEEP));
}
