/* The runtime's life as Python sees it: start, wait, stop, pump, cancel, counters. Thin: boc/_control.py gives these
 * functions their public faces. */
#include "binding.h"
#include "stepping.h"
#include "hold.h"
#include "live.h"
#include "parts.h"
#include "replay.h"
#include "when.h"
#include "notebook.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

bool boc__check;
static unsigned long main_thread; /* ident of main's main thread */
static _Atomic int pumping;       /* one pumper at a time */

static const boc_host_t host = {
    .kind = BOC_KIND_INTERPRETER,
    .enter = boc__interp_enter,
    .leave = boc__interp_leave,
    .park = boc__interp_park,
    .unpark = boc__interp_unpark,
    .run = boc__host_run,
};
static const boc_callbacks_t callbacks = {
    .cancelled = boc__host_cancelled,
    .drop_behavior = boc__drop_behavior,
    .drop_value = boc__drop_value,
    .encode = boc__host_encode,
    .porter_enter = boc__interp_porter_enter,
    .porter_leave = boc__interp_porter_leave,
};

int boc__runtime_init(void) {
    boc_set_callbacks(&callbacks);
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *t = threading ? PyObject_CallMethod(threading, "main_thread", NULL) : NULL;
    PyObject *ident = t ? PyObject_GetAttrString(t, "ident") : NULL;
    if (ident != NULL)
        main_thread = PyLong_AsUnsignedLong(ident);
    Py_XDECREF(ident);
    Py_XDECREF(t);
    Py_XDECREF(threading);
    return PyErr_Occurred() ? -1 : 0;
}

bool boc__may_pump(void) {
    return PyThread_get_thread_ident() == main_thread && boc__interp_is_main() &&
           atomic_load_explicit(&pumping, memory_order_relaxed) == 0;
}

void boc__forgive(void) {
    PyObject *exc = PyErr_GetRaisedException();
    if (exc != NULL && !PyErr_GivenExceptionMatches(exc, PyExc_Exception)) {
        if (!boc__interp_is_main())
            boc__interp_interrupt_again();
        else if (PyErr_GivenExceptionMatches(exc, PyExc_KeyboardInterrupt) && PyThread_get_thread_ident() == main_thread)
            PyErr_SetInterrupt();
    }
    Py_XDECREF(exc);
}

bool boc__pumping(void) { return atomic_load_explicit(&pumping, memory_order_acquire) != 0; }

int boc__not_in_body(const char *what) {
    if (boc__not_in_update() < 0)
        return -1;
    if (!boc__in_body() && boc__interp_is_main())
        return 0;
    PyErr_Format(PyExc_RuntimeError,
                 "%s cannot be used inside a behavior: a body never waits. Schedule another behavior on the cowns instead", what);
    return -1;
}

PyObject *boc__raise_code(int code, const char *what) {
    switch (code) {
    case BOC_ENOMEM:
        return PyErr_NoMemory();
    case BOC_ETIME:
        PyErr_Format(PyExc_TimeoutError, "%s: the time is up", what);
        break;
    case BOC_ESTATE:
        PyErr_Format(PyExc_RuntimeError, "%s: the boc runtime does not run (or is being stopped)", what);
        break;
    case BOC_EBUSY:
        PyErr_Format(PyExc_RuntimeError, "%s: held or awaited by somebody else", what);
        break;
    case BOC_EINVAL:
        PyErr_Format(PyExc_ValueError, "%s: bad argument", what);
        break;
    case BOC_EFULL:
        PyErr_Format(PyExc_RuntimeError, "%s: a table is full", what);
        break;
    default:
        PyErr_Format(PyExc_RuntimeError, "%s failed (%d)", what, code);
    }
    return NULL;
}

int boc__deadline(PyObject *timeout, int64_t *out) {
    *out = INT64_MAX;
    if (timeout == NULL || timeout == Py_None)
        return 0;
    double s = PyBool_Check(timeout) ? -1.0 : PyFloat_AsDouble(timeout);
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) { /* an int beyond all floats */
        PyErr_Clear();
        s = PyObject_RichCompareBool(timeout, Py_False, Py_GT) > 0 ? 1e300 : 0;
    }
    if (PyBool_Check(timeout) || (s == -1.0 && PyErr_Occurred())) {
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "timeout must be a number of seconds or None, not %.100s", Py_TYPE(timeout)->tp_name);
        return -1;
    }
    if (s != s) {
        PyErr_SetString(PyExc_ValueError, "timeout is NaN");
        return -1;
    }
    if (s < 0)
        s = 0;
    if (s < 9e9)
        *out = boc_now() + (int64_t)(s * 1e9);
    return 0;
}

/* ---- starting --------------------------------------------------------------------------- */
int boc__ensure_started(void) {
    if (boc_running())
        return 0;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return -1;
    if (st->worker >= 0 || boc__interp_exiting()) {
        PyErr_SetString(PyExc_RuntimeError, boc__interp_exiting() ? "the program ends: nothing more can be scheduled"
                                                                  : "the boc runtime is being stopped");
        return -1;
    }
    PyObject *m = PyImport_ImportModule("boc._control");
    PyObject *r = m ? PyObject_CallMethod(m, "start_on_demand", NULL) : NULL;
    Py_XDECREF(m);
    Py_XDECREF(r);
    return r ? 0 : -1;
}

static PyObject *rt_start(PyObject *module, PyObject *args) {
    (void)module;
    unsigned workers, trace;
    int check;
    if (!PyArg_ParseTuple(args, "IIp:_start", &workers, &trace, &check) || boc__not_in_body("start()") < 0)
        return NULL;
    if (boc__interp_may_start() < 0)
        return NULL;
    boc__check = check;
    boc_options_t o = {.workers = workers, .host = &host, .callbacks = &callbacks, .trace_events = trace,
                       .before_workers = boc__interp_preload};
    int rc = boc_start(&o);
    if (rc < 0)
        return boc__raise_code(rc, "start()");
    Py_RETURN_NONE;
}

static PyObject *rt_running(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(boc_running());
}

static PyObject *rt_worker_count(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(boc_running() ? boc_worker_count() : 0);
}

/* Text of what went wrong when workers were made, or None. */
static PyObject *rt_start_error(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    char text[400];
    if (boc_start_error() == 0)
        Py_RETURN_NONE;
    boc__interp_error(text, sizeof text);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

/* ---- pumping ---------------------------------------------------------------------------- */
int boc__pump_some(boc_state_t *st, int64_t deadline, long max, bool raise_on_error, long *executed, long *raised, bool *hit) {
    int idle = 0;
    if (!atomic_compare_exchange_strong(&pumping, &idle, 1))
        return 0;
    boc_trace(BOC_T_pump_begin, 0, 0, 0, 0);
    int rc = 0;
    boc_ctx_t ctx = {.st = st, .outer = boc__ctx};
    boc__ctx = &ctx;
    while (rc == 0 && (max < 0 || *executed < max)) {
        if (deadline != INT64_MAX && boc_now() >= deadline) {
            *hit = boc_pinned_depth(NULL) > 0;
            break;
        }
        boc_behavior_t *b = boc_pinned_pop();
        if (b == NULL)
            break;
        if (boc_begin(b)) {
            boc_cown_t *r = boc__result_of(b);
            PyObject *token = boc__pinned_begin(b);
            rc = boc__run_body(st, &ctx, b);
            boc__pinned_end(token);
            bool exc = r != NULL && r->value.tag == V_EXC && (r->value.flags & VF_EXC);
            if (exc && rc == 0) {
                ++*raised;
                if (raise_on_error) {
                    PyObject *e = boc__decode(st, &r->value);
                    boc__mark_seen(r);
                    if (e != NULL && PyExceptionInstance_Check(e))
                        PyErr_SetRaisedException(e);
                    rc = -1;
                }
            }
        }
        ++*executed;
        boc_finish(b);
    }
    boc__ctx = ctx.outer;
    boc_trace(BOC_T_pump_end, 0, 0, (uint32_t)*executed, 0);
    atomic_store(&pumping, 0);
    return rc;
}

static int bound(PyObject *o, const char *name, long most, long *out) {
    if (o == NULL || o == Py_None)
        return 0;
    if (!PyLong_Check(o) || PyBool_Check(o)) {
        PyErr_Format(PyExc_TypeError, "%s must be a positive int or None, not %R", name, o);
        return -1;
    }
    int overflow;
    long v = PyLong_AsLongAndOverflow(o, &overflow);
    if (overflow < 0 || (overflow == 0 && v <= 0)) {
        PyErr_Format(PyExc_TypeError, "%s must be a positive int or None, not %R", name, o);
        return -1;
    }
    if (overflow > 0 || v > most) {
        if (most == LONG_MAX)
            return 0; /* larger than any queue */
        PyErr_Format(PyExc_OverflowError, "%s exceeds %ld: %R", name, most, o);
        return -1;
    }
    *out = v;
    return 0;
}

static PyObject *rt_pump(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *deadline_ms, *max_behaviors;
    int raise_on_error;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyArg_ParseTuple(args, "OOp:_pump", &deadline_ms, &max_behaviors, &raise_on_error))
        return NULL;
    long ms = -1, max = -1, executed = 0, raised = 0;
    if (bound(deadline_ms, "deadline_ms", LONG_MAX / 1000000, &ms) < 0 || bound(max_behaviors, "max_behaviors", LONG_MAX, &max) < 0)
        return NULL;
    if (st->worker >= 0) {
        PyErr_SetString(PyExc_RuntimeError, "pump() runs pinned behaviors, so it can be called on the main interpreter only");
        return NULL;
    }
    if (boc__not_in_update() < 0)
        return NULL;
    if (boc__in_body()) {
        PyErr_SetString(PyExc_RuntimeError, "pump() was called inside a pinned behavior; it is not reentrant");
        return NULL;
    }
    if (atomic_load(&pumping)) {
        PyErr_SetString(PyExc_RuntimeError, "another thread pumps already; one at a time");
        return NULL;
    }
    bool hit = false;
    if (boc__hooked(HOOK_REPLAY) && boc__replay_before_pump(ms < 0 ? INT64_MAX : boc_now() + ms * 1000000) < 0)
        return NULL;
    if (boc__pump_some(st, ms < 0 ? INT64_MAX : boc_now() + ms * 1000000, max, raise_on_error, &executed, &raised, &hit) < 0)
        return NULL;
    return Py_BuildValue("lOl", executed, hit ? Py_True : Py_False, raised);
}

/* ---- waiting ---------------------------------------------------------------------------- */
static _Atomic long pinned_slice_ms = 20;

int boc__wait_slice(boc_state_t *st, int code, bool pump) {
    if (PyErr_CheckSignals() < 0)
        return -1;
    if (pump && (code == BOC_EPINNED || boc_pinned_depth(NULL) > 0)) {
        long executed = 0, raised = 0;
        bool hit = false;
        return boc__pump_some(st, boc_now() + pinned_slice_ms * 1000000, -1, false, &executed, &raised, &hit);
    }
    return 0;
}

static bool nothing_pending(const void *unused) {
    (void)unused;
    boc_counts_t n;
    boc_counts(&n);
    return n.scheduled == n.finished;
}

/* _quiesce(timeout, tick, said=None): until nothing is pending. True; False when the time is up; tick seconds without an end:
   None, so that the caller can say something and call again. said, a list: RuntimeError where the closed gate keeps it from
   ending; what was said of that is put into it, so that the next call does not say it again. */
static PyObject *rt_quiesce(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *timeout;
    double tick;
    PyObject *said = Py_None;
    boc_state_t *st = boc__st();
    int64_t deadline;
    if (st == NULL || !PyArg_ParseTuple(args, "Od|O:_quiesce", &timeout, &tick, &said) || boc__not_in_body("wait() / quiesce()") < 0 ||
        boc__deadline(timeout, &deadline) < 0)
        return NULL;
    int64_t until = boc_now() + (int64_t)(tick * 1e9);
    bool capped = until < deadline;
    if (!capped)
        until = deadline;
    bool pump = boc__may_pump();
    boc__stuck_t stuck = {0};
    boc__paused_t paused = {.said = said, .over = nothing_pending};
    for (;;) {
        int rc = 0;
        if (!boc_running())
            Py_RETURN_TRUE;
        Py_BEGIN_ALLOW_THREADS
        rc = boc_wait_quiescent(until, pump);
        Py_END_ALLOW_THREADS
        if (rc == 0) {
            boc_tally_mark();
            boc_trace_quiet(); /* a chart of "the run" begins behind it */
            if (boc__hooked(HOOK_REPLAY))
                boc__replay_calm();
            Py_RETURN_TRUE;
        }
        if (rc == BOC_ETIME) {
            if (capped)
                Py_RETURN_NONE;
            Py_RETURN_FALSE;
        }
        if (boc__wait_slice(st, rc, pump) < 0 || boc__stuck_on_own(&stuck) < 0 || ((said != Py_None || boc__hooked(HOOK_REPLAY)) && boc__paused_look(&paused) < 0))
            return NULL;
    }
}

/* _stop(cancel, interrupt, grace) -> (pending, interrupted, abandoned) */
static PyObject *rt_stop(PyObject *module, PyObject *args) {
    (void)module;
    int cancel, interrupt;
    double grace;
    if (!PyArg_ParseTuple(args, "ppd:_stop", &cancel, &interrupt, &grace) || boc__not_in_body("stop()") < 0)
        return NULL;
    boc__ending_t end;
    memset(&end, 0, sizeof end);
    if (interrupt)
        boc__interp_interrupt_pinned(0); /* of another thread: this one is in no body */
    if (boc__interp_stop(cancel, interrupt, grace < 0 ? -1 : (int64_t)(grace * 1e9), &end) < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "stop() failed");
        return NULL;
    }
    boc__main_drops();
    boc__let_go_of_the_dead(boc__st());
    return Py_BuildValue("KII", (unsigned long long)end.pending, end.interrupted, end.abandoned);
}

/* ---- cancelling --------------------------------------------------------------------------- */
static bool interrupt_wherever(uint64_t id) {
    boc_running_t now;
    for (uint32_t w = 0; w < boc_worker_count(); w++)
        if (boc_worker_running(w, &now) == 0 && now.id == id)
            return boc__interp_interrupt(w, id);
    return false;
}

static bool interrupt_body(uint64_t id, bool pinned) {
    bool asked = pinned ? boc__interp_interrupt_pinned(id) : interrupt_wherever(id);
    if (asked)
        boc__message_look_again(); /* it may wait in receive() */
    return asked;
}

static PyObject *rt_cancel(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *cown;
    int interrupt;
    boc_state_t *st = boc__st();
    if (st == NULL || boc__not_in_update() < 0 || !PyArg_ParseTuple(args, "Op:_cancel", &cown, &interrupt))
        return NULL;
    boc_cown_t *c = boc__cown_core(st, cown);
    if (boc__hooked(HOOK_REPLAY) && boc__replay_cancelling(c->id) < 0)
        return NULL;
    bool begun = false, pinned = false;
    int rc = BOC_ESTATE;
    boc__slot_lock(c);
    if (c->value.tag == V_EMPTY && c->value.u.p != NULL) {
        boc_behavior_t *b = c->value.u.p;
        rc = boc_cancel(b);
        begun = atomic_load_explicit(&b->state, memory_order_acquire) == BOC_ST_RUNNING;
        pinned = b->flags & BOC_B_PINNED;
    }
    boc__slot_unlock(c);
    /* If it has begun, its worker has said so before, and does until the body is over. */
    return PyLong_FromLong(rc == BOC_OK || (begun && interrupt && interrupt_body(c->id, pinned)));
}

/* _check_result(cown): TypeError unless it is what @when returned */
static PyObject *rt_check_result(PyObject *module, PyObject *cown) {
    (void)module;
    boc_state_t *st = boc__st();
    boc_cown_t *c = st ? boc__cown_core(st, cown) : NULL;
    if (st == NULL)
        return NULL;
    if (c == NULL || !(c->flags & BOC_COWN_RESULT)) {
        PyErr_Format(PyExc_TypeError, "cancel() takes result cowns (what @when returned), not %R", cown);
        return NULL;
    }
    if (boc__check_born(c) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- looking ------------------------------------------------------------------------------- */
static PyObject *rt_stats(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    boc_stats_t s;
    for (uint32_t w = 0; list != NULL && boc_worker_stats(w, &s) == 0; w++) {
        PyObject *d = Py_BuildValue(
            "{sIsKsKsKsKsKsKsKsKsKsKsKsKsKsKsd}", "worker_index", w, "pushed_local", (unsigned long long)s.pushed_local,
            "pushed_remote", (unsigned long long)s.pushed_remote, "dispatched_to_pending", (unsigned long long)s.dispatched_to_pending,
            "popped_local", (unsigned long long)s.popped_local, "popped_via_steal", (unsigned long long)s.popped_via_steal,
            "steal_attempts", (unsigned long long)s.steal_attempts, "steal_failures", (unsigned long long)s.steal_failures, "parked",
            (unsigned long long)s.parked, "unparked", (unsigned long long)s.unparked, "fairness_arm_fires",
            (unsigned long long)s.fairness_arm_fires, "fetches", (unsigned long long)s.fetches, "porter_fetches",
            (unsigned long long)s.porter_fetches, "started", (unsigned long long)s.started, "finished", (unsigned long long)s.finished,
            "busy_s", (double)s.busy_ns * 1e-9);
        if (d == NULL || PyList_Append(list, d) < 0)
            Py_CLEAR(list);
        Py_XDECREF(d);
    }
    return list;
}

static PyObject *rt_bodies(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    boc_running_t now;
    for (uint32_t w = 0; list != NULL && boc_running() && w < boc_worker_count(); w++) {
        if (boc_worker_running(w, &now) < 0 || now.id == 0)
            continue;
        PyObject *t = Py_BuildValue("IKNL", w, (unsigned long long)now.id, boc__name_str(now.name), (long long)now.since);
        if (t == NULL || PyList_Append(list, t) < 0)
            Py_CLEAR(list);
        Py_XDECREF(t);
    }
    return list;
}

/* What main asked for itself (`result()`, `with c`) is no behavior of the program: it is left out. */
static PyObject *rt_counts(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    int64_t over = boc__asked() - boc__asks();
    boc_counts_t c;
    boc_counts(&c);
    int64_t asked = boc__asked();
    int64_t n[3] = {(int64_t)c.scheduled - asked, (int64_t)c.started - over, (int64_t)c.finished - over};
    for (int i = 0; i < 3; i++)
        n[i] = n[i] > 0 ? n[i] : 0;
    return Py_BuildValue("LLL", (long long)n[0], (long long)n[1], (long long)n[2]);
}

/* _buffers() -> (bytes of large buffers that changed hands as a pointer, bytes that were copied), ever */
static PyObject *rt_buffers(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return Py_BuildValue("LL", (long long)atomic_load(&boc__passed_bytes), (long long)atomic_load(&boc__copied_bytes));
}

/* _living() -> (cowns, behaviors, live values, encoded values, their bytes) */
static PyObject *rt_living(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    int64_t cowns, behaviors, blobs, bytes;
    uint32_t live = 0;
    boc_living(&cowns, &behaviors);
    boc__living(&blobs, &bytes);
    for (uint32_t w = 0; w < BOC_MAX_WORKERS; w++) {
        boc_state_t *st = boc__worker_state(w);
        live += st ? st->nlive : 0;
    }
    return Py_BuildValue("LLILL", (long long)cowns, (long long)behaviors, live, (long long)blobs, (long long)bytes);
}

static PyObject *rt_pinned_fd(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    int fd = boc_pinned_fd();
    if (fd < 0)
        return boc__raise_code(fd, "pinned_fd()");
    return PyLong_FromLong(fd);
}

static PyObject *rt_pinned_depth(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    int64_t oldest = 0;
    uint32_t n = boc_pinned_depth(&oldest);
    return Py_BuildValue("Id", n, n ? (double)(boc_now() - oldest) * 1e-9 : 0.0);
}

static PyObject *rt_in_body(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(boc__in_body());
}

static PyObject *rt_forget_definitions(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    boc__templates_forget(st);
    boc__callables_forget(st);
    Py_RETURN_NONE;
}

static PyObject *rt_interrupt_again(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc__interp_interrupt_again();
    Py_RETURN_NONE;
}

static PyObject *rt_is_main(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(boc__interp_is_main());
}

static PyObject *rt_worker_index(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromLong(boc__interp_index());
}

/* _current() -> (behavior id, name) or None */
static PyObject *rt_current(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    if (!boc__in_body())
        Py_RETURN_NONE;
    return Py_BuildValue("KN", (unsigned long long)boc__ctx->current->id, boc__name_str(boc__ctx->current->name));
}

static PyObject *rt_batching(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(boc__batching());
}

static PyObject *rt_set_wait_poll(PyObject *module, PyObject *ms) {
    (void)module;
    int huge;
    long v = PyLong_AsLongAndOverflow(ms, &huge);
    if (v == -1 && PyErr_Occurred())
        return NULL;
    atomic_store(&pinned_slice_ms, huge || v > 50 ? 50 : v);
    Py_RETURN_NONE;
}

/* _pump_if_mine() -> bool: on the thread that pumps, runs what is ready */
static PyObject *rt_pump_if_mine(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    if (!boc__may_pump() || boc__in_body())
        Py_RETURN_FALSE;
    if (boc__wait_slice(st, BOC_EPINNED, true) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

PyMethodDef boc__runtime_methods[] = {
    {"_batching", rt_batching, METH_NOARGS, NULL},
    {"_check_result", rt_check_result, METH_O, NULL},
    {"_set_wait_poll", rt_set_wait_poll, METH_O, NULL},
    {"_pump_if_mine", rt_pump_if_mine, METH_NOARGS, NULL},
    {"_start", rt_start, METH_VARARGS, NULL},
    {"_running", rt_running, METH_NOARGS, NULL},
    {"_worker_count", rt_worker_count, METH_NOARGS, NULL},
    {"_start_error", rt_start_error, METH_NOARGS, NULL},
    {"_pump", rt_pump, METH_VARARGS, NULL},
    {"_quiesce", rt_quiesce, METH_VARARGS, NULL},
    {"_stop", rt_stop, METH_VARARGS, NULL},
    {"_cancel", rt_cancel, METH_VARARGS, NULL},
    {"_stats", rt_stats, METH_NOARGS, NULL},
    {"running", rt_bodies, METH_NOARGS, "running() -> list of (worker, behavior id, name, start in now() ns)"},
    {"worker_frames", boc__worker_frames, METH_O, "worker_frames(worker) -> list of (file, line, function), outermost first"},
    {"_counts", rt_counts, METH_NOARGS, "_counts() -> (scheduled, started, finished)"},
    {"_living", rt_living, METH_NOARGS, NULL},
    {"_buffers", rt_buffers, METH_NOARGS, NULL},
    {"pinned_fd", rt_pinned_fd, METH_NOARGS, "pinned_fd() -> file descriptor, readable while pinned work is ready"},
    {"_pinned_depth", rt_pinned_depth, METH_NOARGS, "_pinned_depth() -> (depth, age of the oldest in seconds)"},
    {"_in_body", rt_in_body, METH_NOARGS, NULL},
    {"_forget_definitions", rt_forget_definitions, METH_NOARGS, NULL},
    {"interrupt_again", rt_interrupt_again, METH_NOARGS, NULL},
    {"unbroken", boc__interp_unbroken, METH_O, NULL},
    {"is_main", rt_is_main, METH_NOARGS, "is_main() -> bool: this is the main interpreter"},
    {"worker_index", rt_worker_index, METH_NOARGS, "worker_index() -> int: the worker, -1 on main"},
    {"_current", rt_current, METH_NOARGS, NULL},
    {"_watch", boc__watch, METH_VARARGS, NULL},
    {"_bring", boc__bring, METH_VARARGS, NULL},
    {"_stuck", boc__stuck, METH_O, NULL},
    {"_stuck_task", boc__stuck_task, METH_VARARGS, NULL},
    {"_handle", boc__cown_from_handle, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
