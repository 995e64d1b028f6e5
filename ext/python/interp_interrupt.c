/* Interrupting a body from outside its interpreter.
 *
 * PyThreadState_SetAsyncExc finds only threads of the current interpreter, so a pending call does it there. The call may be
 * run by any thread of that interpreter and at any later time, therefore it compares ids: wanted against running. Both are
 * written on the worker's thread under the GIL that the call holds as well, so what it sees cannot change under it. */
#include "interp_slot.h"

#include "interp_runtime.h"

/* Runs inside the worker's interpreter, its GIL held, on whichever of its threads came first. */
static int
raise_in_body(void *arg)
{
    boc__slot_t *slot = arg;
    /* Before the ids are read: who asks after this posts anew. */
    atomic_store_explicit(&slot->posted, false, memory_order_seq_cst);
    uint64_t wanted = atomic_load_explicit(&slot->wanted, memory_order_seq_cst);
    if (wanted != 0 && wanted == atomic_load_explicit(&slot->running, memory_order_relaxed) && slot->interrupted != NULL) {
        atomic_compare_exchange_strong(&slot->wanted, &wanted, 0);
        slot->raised = true;
        PyThreadState_SetAsyncExc(slot->ident, slot->interrupted);
    }
    return 0;
}

bool
boc__interp_interrupt(uint32_t worker, uint64_t behavior)
{
    bool asked = false;
    if (worker >= BOC_MAX_WORKERS || behavior == 0) {
        return false;
    }
    PyThreadState *thread = boc__slots_lock();
    boc__slot_t *slot = boc__slots.at[worker];
    if (slot != NULL && atomic_load_explicit(&slot->running, memory_order_acquire) == behavior) {
        atomic_store_explicit(&slot->wanted, behavior, memory_order_seq_cst);
        asked = true;
        if (!atomic_exchange_explicit(&slot->posted, true, memory_order_seq_cst)) {
            asked = boc__runtime_add_pending(slot->interp, raise_in_body, slot);
            if (!asked) {
                atomic_store_explicit(&slot->posted, false, memory_order_relaxed);
            }
        }
    }
    boc__slots_unlock(thread);
    return asked;
}

void
boc__interp_running(uint32_t Py_UNUSED(worker), uint64_t behavior)
{
    boc__slot_t *slot = boc__slot_mine();
    atomic_store_explicit(&slot->running, behavior, memory_order_release);
    if (slot->raised) {
        /* It was set and the body ended first, or it was raised and this clears nothing. */
        slot->raised = false;
        PyThreadState_SetAsyncExc(slot->ident, NULL);
        PyObject *exc = PyErr_GetRaisedException();
        PyObject *done = PyObject_CallMethod(slot->python, "forget_half_imported", NULL);
        if (done == NULL) {
            PyErr_WriteUnraisable(slot->python);
        }
        Py_XDECREF(done);
        PyErr_SetRaisedException(exc);
    }
}

void
boc__interp_set_interrupted(uint32_t Py_UNUSED(worker), PyObject *cls)
{
    Py_XSETREF(boc__slot_mine()->interrupted, Py_XNewRef(cls));
}

int
boc__interp_check(void)
{
    boc__slot_t *slot = boc__slot_mine();
    if (slot == NULL) {
        return 0;
    }
    uint64_t wanted = atomic_load_explicit(&slot->wanted, memory_order_relaxed);
    if (wanted == 0 || wanted != atomic_load_explicit(&slot->running, memory_order_relaxed) || slot->interrupted == NULL) {
        return 0;
    }
    atomic_compare_exchange_strong(&slot->wanted, &wanted, 0);
    PyErr_SetNone(slot->interrupted);
    return -1;
}
