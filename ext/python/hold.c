/* Cowns held or asked for from outside behaviors.
 *
 * `with c:` takes an idle cown in place. Whatever has to wait its turn is a native behavior in the cown's queue:
 * it runs in place on whichever thread makes it ready, with no value live, so it may copy what the slot
 * says without an interpreter; then it wakes the thread that asked. A waiter is shared by that thread and
 * the behavior: whoever lets go last frees it, so a timeout leaves nothing dangling. */
#include "hold.h"
#include "stepping.h"
#include "lend.h"
#include "live.h"
#include "movable.h"
#include "move.h"
#include "when.h"

#include <stdlib.h>

enum { TURN_AWAITED = 0, TURN_CAME, TURN_GIVEN_UP };

typedef struct waiter {
    boc_event_t event;
    _Atomic uint32_t refs;
    bool hold;              /* keep the cown until boc__let_go */
    bool ran;               /* its turn came; else a stop cancelled it */
    _Atomic int turn;       /* of a hold: whoever comes second sees the first */
    boc_behavior_t *b;      /* set when held */
    boc_value_t value;      /* else: the snapshot */
    void *done;             /* of watch(): what tells the service */
} waiter_t;

static void waiter_drop(waiter_t *w) {
    if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    boc__value_drop(&w->value);
    free(w->done);
    free(w);
}

static _Atomic int64_t asks;  /* scheduled by ask() and not freed yet */
static _Atomic int64_t asked; /* scheduled by ask(), ever */

int64_t boc__asks(void) { return atomic_load_explicit(&asks, memory_order_relaxed); }

int64_t boc__asked(void) { return atomic_load_explicit(&asked, memory_order_relaxed); }

/* It has left the cown's queue: only now may the thread that asked go on, or its next `with c` would still find the cown
   awaited by this very request. */
void boc__native_drop(boc_behavior_t *b) {
    waiter_t *w = *(waiter_t **)boc_behavior_extra(b);
    if (w == NULL)
        return;
    atomic_fetch_sub_explicit(&asks, 1, memory_order_relaxed);
    if (w->done != NULL)
        boc__emit_made(w->done);
    w->done = NULL;
    if (!w->hold || !w->ran)
        boc_event_set(&w->event);
    waiter_drop(w);
}

static int native_run(boc_behavior_t *b) {
    waiter_t *w = *(waiter_t **)boc_behavior_extra(b);
    w->ran = true;
    if (w->hold) {
        w->b = b;
        if (atomic_exchange(&w->turn, TURN_CAME) == TURN_GIVEN_UP)
            return BOC_RAN;
        boc_event_set(&w->event);
        return BOC_LATER;
    }
    if (w->done == NULL)
        boc__value_copy(&w->value, &b->req[0].cown->value);
    return BOC_RAN;
}

static waiter_t *ask(boc_cown_t *c, uint8_t mode, bool hold, uint64_t token) {
    waiter_t *w = calloc(1, sizeof *w);
    bool good = w != NULL && (token == 0 || (w->done = boc__emission(K_DONE, &token, sizeof token)) != NULL);
    boc_behavior_t *b = good ? boc_behavior_new(1, sizeof(waiter_t *)) : NULL;
    if (b == NULL) {
        if (w != NULL)
            free(w->done);
        free(w);
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&w->refs, 2);
    w->hold = hold;
    *(waiter_t **)boc_behavior_extra(b) = w;
    b->run = native_run;
    b->flags = BOC_B_NATIVE | BOC_B_URGENT;
    b->kinds = BOC_KIND_ANY;
    boc_request_set(b, 0, c, 0, mode);
    atomic_fetch_add_explicit(&asks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    int rc = boc_schedule(b, 0);
    if (rc < 0) {
        atomic_fetch_sub_explicit(&asks, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&asked, 1, memory_order_relaxed);
        *(waiter_t **)boc_behavior_extra(b) = NULL;
        boc_behavior_free(b);
        free(w->done);
        free(w);
        boc__raise_code(rc, "waiting for a cown");
        return NULL;
    }
    return w;
}

/* What threads of this interpreter hold by `with c:`. Without a GIL several of them come here at once: a lock for a few
   instructions, never across a call out. */
static struct held {
    boc_cown_t *cown;
    boc_behavior_t *b;
    PyObject *context; /* of the one who took it: each asyncio task has its own */
    bool native;
    bool leaving;      /* its release has begun */
} *held;
static uint32_t nheld, held_cap;

/* The first cown that this thread holds, in a task only what the task itself took; NULL: none, or another thread or task
   that lives holds one too and may release it. */
static boc_cown_t *only_mine(const PyObject *context, bool *some) {
    uint32_t me = boc_self() + 1;
    boc_cown_t *mine = NULL;
    bool others = false;
    *some = false;
    boc__brief_lock(&boc__briefs.held);
    for (uint32_t i = 0; i < nheld; i++) {
        uint32_t holder = atomic_load_explicit(&held[i].cown->holder, memory_order_acquire);
        bool own = holder == me && !held[i].leaving && (context == NULL || held[i].context == context);
        if (own && mine == NULL)
            mine = held[i].cown;
        others |= !own && (holder == 0 || boc_thread_lives(holder - 1));
    }
    boc__brief_unlock(&boc__briefs.held);
    *some = mine != NULL;
    return others ? NULL : mine;
}

/* Nothing runs, nothing is ready, and nothing changed since the last look: three times. */
static bool all_quiet(boc__stuck_t *s) {
    boc_counts_t now;
    boc_running_t body;
    boc_counts(&now);
    bool quiet = now.scheduled == s->scheduled && now.started == s->started && now.finished == s->finished &&
                 boc_pinned_depth(NULL) == 0 && boc_start_done() && !boc_gate_closed();
    for (uint32_t w = 0; quiet && w < boc_worker_count(); w++)
        quiet = boc_worker_running(w, &body) < 0 || body.id == 0;
    s->scheduled = now.scheduled;
    s->started = now.started;
    s->finished = now.finished;
    s->slices = quiet ? s->slices + 1 : 0;
    return s->slices >= 3;
}

static PyObject *stuck_text(const boc_cown_t *mine, const char *who) {
    char label[80];
    return PyUnicode_FromFormat("this wait would never end: what is pending queues behind %s, which this %s holds; release it first "
                                "(leave the `with` block)", boc__cown_label(mine, label, sizeof label), who);
}

/* A wait that only this thread's own release could end: nothing runs, nothing is ready, something is pending, and this thread
   alone holds cowns. Called at each slice of a wait; three slices without any change count. */
int boc__stuck_on_own(boc__stuck_t *s) {
    bool some;
    boc_cown_t *mine = only_mine(NULL, &some);
    if (mine == NULL) {
        s->slices = 0;
        return 0;
    }
    if (!all_quiet(s))
        return 0;
    PyObject *text = stuck_text(mine, "thread");
    if (text != NULL)
        PyErr_SetObject(PyExc_RuntimeError, text);
    Py_XDECREF(text);
    return -1;
}

/* _stuck_task(seen): the same of an asyncio task that awaits, whose loop goes on. The text of an error if only this task's own
   release could end its wait, else what to pass at the next look (first four zeros); None if it holds no cown. */
PyObject *boc__stuck_task(PyObject *module, PyObject *args) {
    (void)module;
    unsigned long long slices, scheduled, started, finished;
    if (!PyArg_ParseTuple(args, "(KKKK):_stuck_task", &slices, &scheduled, &started, &finished))
        return NULL;
    boc__stuck_t s = {.slices = (int)slices, .scheduled = scheduled, .started = started, .finished = finished};
    bool some;
    boc_cown_t *mine = only_mine(PyThreadState_Get()->context, &some);
    if (!some)
        Py_RETURN_NONE;
    if (mine == NULL)
        s.slices = 0;
    else if (all_quiet(&s))
        return stuck_text(mine, "task");
    return Py_BuildValue("(KKKK)", (unsigned long long)s.slices, (unsigned long long)s.scheduled, (unsigned long long)s.started,
                         (unsigned long long)s.finished);
}

/* _stuck(first): RuntimeError if only this thread's own release could end its wait; called at each slice of one in Python. */
PyObject *boc__stuck(PyObject *module, PyObject *first) {
    (void)module;
    static _Thread_local boc__stuck_t s BOC_TLS;
    if (first == Py_True)
        s = (boc__stuck_t){0};
    return boc__stuck_on_own(&s) < 0 ? NULL : Py_NewRef(Py_None);
}

static bool event_came(const void *event) { return boc_event_came(event); }

/* Until the waiter's event; pumps on the main thread. -1 with an exception. */
static int await_event(waiter_t *w, int64_t deadline, const boc_cown_t *c) {
    boc_state_t *st = boc__st();
    bool pump = boc__may_pump();
    boc__stuck_t stuck = {0};
    boc__paused_t paused = {.over = event_came, .arg = &w->event};
    for (;;) {
        int rc;
        Py_BEGIN_ALLOW_THREADS
        rc = boc_event_wait(&w->event, deadline, pump);
        Py_END_ALLOW_THREADS
        if (rc == 0)
            return 0;
        if (rc == BOC_ETIME) {
            char label[80];
            PyErr_Format(PyExc_TimeoutError, "%s was not reached in time; it goes on",
                         boc__cown_label(c, label, sizeof label));
            return -1;
        }
        if (boc__wait_slice(st, rc, pump) < 0 || boc__stuck_on_own(&stuck) < 0 || boc__paused_look(&paused) < 0)
            return -1;
    }
}

/* Left by a signal or a timeout: the cown passes on by itself when its turn comes. */
static void give_up(waiter_t *w) {
    if (atomic_exchange(&w->turn, TURN_GIVEN_UP) == TURN_CAME)
        boc_finish(w->b);
    waiter_drop(w);
}

/* Until the cown is held. -1 with an exception, and the waiter is let go. */
static int await_turn(waiter_t *w, int64_t deadline, const boc_cown_t *c) {
    if (await_event(w, deadline, c) < 0) {
        give_up(w);
        return -1;
    }
    if (w->ran)
        return 0;
    waiter_drop(w);
    boc__raise_code(BOC_ESTATE, "waiting for a cown");
    return -1;
}

/* ---- with c: ------------------------------------------------------------------ */
static int held_add(boc_cown_t *c, boc_behavior_t *b, bool native) {
    PyObject *context = PyThreadState_Get()->context;
    int rc = 0;
    boc__brief_lock(&boc__briefs.held);
    if (nheld == held_cap) {
        uint32_t cap = held_cap ? held_cap * 2 : 8;
        void *t = realloc(held, cap * sizeof *held);
        if (t == NULL)
            rc = -1;
        else {
            held = t;
            held_cap = cap;
        }
    }
    if (rc == 0)
        held[nheld++] = (struct held){c, b, Py_XNewRef(context), native, false};
    boc__brief_unlock(&boc__briefs.held);
    return rc;
}

static int busy(const boc_cown_t *c) {
    char label[80], owner[60];
    boc__cown_label(c, label, sizeof label);
    boc__owner_text(c, owner, sizeof owner);
    PyErr_Format(PyExc_RuntimeError, "%s is %s; schedule a behavior on it with @when(c), or wait for c.result()", label, owner);
    return -1;
}

/* The result of a behavior in a batch that somebody has open. */
static int unscheduled(const boc_cown_t *c) {
    char label[80];
    PyErr_Format(PyExc_RuntimeError, "%s belongs to a batch that has not ended: its behavior is not scheduled yet",
                 boc__cown_label(c, label, sizeof label));
    return -1;
}

int boc__hold(boc_cown_t *c) {
    if (boc__check_born(c) < 0 || boc__not_in_body("with c: / acquire()") < 0)
        return -1;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return -1;
    if (atomic_load_explicit(&c->holder, memory_order_acquire))
        return busy(c);
    boc_behavior_t *b = boc_behavior_new(1, sizeof(waiter_t *));
    if (b == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    b->run = native_run;
    b->flags = BOC_B_NATIVE;
    boc_request_set(b, 0, c, 0, BOC_WRITE);
    uint16_t home = 0;
    bool native = false;
    int rc = boc_acquire(b, &home);
    if (rc == BOC_EBUSY && home != 0) { /* idle, but its value rests live with a worker: ask for it */
        boc_behavior_free(b);
        waiter_t *w = ask(c, BOC_WRITE, true, 0);
        if (w == NULL)
            return -1;
        if (await_turn(w, INT64_MAX, c) < 0)
            return -1;
        b = w->b;
        native = true;
        waiter_drop(w);
    } else if (rc < 0) {
        boc_behavior_free(b);
        return busy(c);
    }
    if (c->value.tag == V_EMPTY) {
        native ? boc_finish(b) : boc_acquire_end(b);
        return unscheduled(c);
    }
    if (held_add(c, b, native) < 0) {
        native ? boc_finish(b) : boc_acquire_end(b);
        PyErr_NoMemory();
        return -1;
    }
    atomic_store_explicit(&c->holder, boc_self() + 1, memory_order_release);
    return 0;
}

/* Takes h off the list, found by its cown if it is not marked yet; false: it is not there. */
static bool held_take(struct held *h, bool leaving) {
    boc__brief_lock(&boc__briefs.held);
    uint32_t i = 0;
    while (i < nheld && (held[i].cown != h->cown || held[i].leaving != leaving))
        i++;
    bool found = i < nheld;
    if (found && !leaving) {
        held[i].leaving = true;
        *h = held[i];
    } else if (found) {
        held[i] = held[--nheld];
    }
    boc__brief_unlock(&boc__briefs.held);
    return found;
}

bool boc__held_in_another(const boc_cown_t *c, PyObject *o) {
    bool found = false;
    boc__brief_lock(&boc__briefs.held);
    for (uint32_t i = 0; i < nheld && !found; i++)
        found = held[i].cown != c && held[i].cown->value.tag == V_LIVE && held[i].cown->value.u.p == o;
    boc__brief_unlock(&boc__briefs.held);
    return found;
}

/* h as held_take() marked it. Encoding may run anything: others take and let go meanwhile. */
static void let_go(boc_state_t *st, struct held *h) {
    boc__settle(st, h->b);
    held_take(h, true);
    atomic_store_explicit(&h->cown->holder, 0, memory_order_release);
    h->native ? boc_finish(h->b) : boc_acquire_end(h->b);
    Py_XDECREF(h->context);
}

/* A cown whose thread has ended; NULL: none. */
static boc_cown_t *held_by_the_dead(void) {
    boc_cown_t *c = NULL;
    boc__brief_lock(&boc__briefs.held);
    for (uint32_t i = 0; i < nheld && c == NULL; i++) {
        uint32_t holder = atomic_load_explicit(&held[i].cown->holder, memory_order_acquire);
        if (!held[i].leaving && holder != 0 && !boc_thread_lives(holder - 1))
            c = held[i].cown;
    }
    boc__brief_unlock(&boc__briefs.held);
    return c;
}

void boc__let_go_of_the_dead(boc_state_t *st) {
    struct held h;
    while ((h.cown = held_by_the_dead()) != NULL && held_take(&h, false))
        let_go(st, &h);
}

int boc__let_go(boc_cown_t *c) {
    boc_state_t *st = boc__st();
    if (st == NULL)
        return -1;
    struct held h = {.cown = c};
    if (atomic_load_explicit(&c->holder, memory_order_acquire) != boc_self() + 1 || !held_take(&h, false)) {
        char label[80];
        PyErr_Format(PyExc_RuntimeError, "%s is not held by this thread", boc__cown_label(c, label, sizeof label));
        return -1;
    }
    let_go(st, &h);
    return 0;
}

/* ---- result() and unwrap() ------------------------------------------------------ */
/* A decoded value to hand out: a captured or lost one is raised. Steals o. */
static PyObject *hand_out(boc_state_t *st, PyObject *o, uint16_t flags) {
    if (o == NULL || !(flags & VF_EXC) || !PyExceptionInstance_Check(o))
        return o;
    if (!PyErr_GivenExceptionMatches(o, PyExc_Exception)) {
        PyObject *f = boc__py(st, PY_RAISED_FOR);
        PyObject *e = f ? PyObject_CallOneArg(f, o) : NULL;
        Py_DECREF(o);
        if ((o = e) == NULL)
            return NULL;
    }
    PyErr_SetRaisedException(o);
    return NULL;
}

/* Would only this thread's own release end the wait? */
static int waits_for_itself(const boc_cown_t *c) {
    if (boc__batching()) {
        PyErr_SetString(PyExc_RuntimeError, "result() inside `with batch():` would wait for what the batch has not scheduled yet");
        return 1;
    }
    if (atomic_load_explicit(&c->holder, memory_order_acquire) != boc_self() + 1)
        return 0;
    char label[80];
    PyErr_Format(PyExc_RuntimeError, "%s is held by this thread itself: release it first (leave the `with` block)",
                 boc__cown_label(c, label, sizeof label));
    return 1;
}

/* A fast look at an idle cown: 1 taken into *v, 0 not idle. */
static int peek(boc_state_t *st, boc_cown_t *c, boc_value_t *v) {
    boc_behavior_t *b = boc_behavior_new(1, sizeof(waiter_t *));
    if (b == NULL)
        return 0;
    b->flags = BOC_B_NATIVE;
    boc_request_set(b, 0, c, 0, BOC_WRITE);
    uint16_t home = 0;
    if (boc_acquire(b, &home) < 0) {
        boc_behavior_free(b);
        return 0;
    }
    if (c->value.flags & VF_EXC)
        boc__mark_seen(c);
    if (!boc__moved_copy_here(st, v, &c->value)) {
        boc__forgive();
        boc__value_copy(v, &c->value);
    }
    boc_acquire_end(b);
    return 1;
}

static PyObject *pinned_result(boc_state_t *st, boc_cown_t *c, int64_t deadline) {
    if (st->worker >= 0) {
        PyErr_SetString(PyExc_RuntimeError, "the value of a PinnedCown never leaves the main interpreter");
        return NULL;
    }
    waiter_t *w = ask(c, BOC_WRITE, true, 0);
    if (w == NULL)
        return NULL;
    if (await_turn(w, deadline, c) < 0)
        return NULL;
    PyObject *o = c->value.tag == V_LIVE ? Py_NewRef((PyObject *)c->value.u.p) : boc__decode(st, &c->value);
    boc_finish(w->b);
    waiter_drop(w);
    return o;
}

/* A type that copies only an object: taken here, in the cown's turn. */
static int copy_held(boc_state_t *st, boc_cown_t *c, int64_t deadline, boc_value_t *v) {
    waiter_t *w = ask(c, BOC_WRITE, true, 0);
    if (w == NULL)
        return -1;
    if (await_turn(w, deadline, c) < 0)
        return -1;
    if (!boc__moved_copy_here(st, v, &c->value)) {
        boc__forgive();
        boc__value_copy(v, &c->value);
    }
    boc_finish(w->b);
    waiter_drop(w);
    return 0;
}

PyObject *boc__result(boc_cown_t *c, PyObject *timeout) {
    boc_state_t *st = boc__st();
    int64_t deadline;
    if (st == NULL || boc__check_born(c) < 0 || boc__not_in_body("result()") < 0 || boc__deadline(timeout, &deadline) < 0 || waits_for_itself(c))
        return NULL;
    boc_value_t v = {0};
    if (!(c->flags & BOC_COWN_PINNED) && peek(st, c, &v)) {
        /* idle */
    } else if (!boc_running()) {
        if ((c->flags & BOC_COWN_RESULT) && c->value.tag == V_EMPTY) { /* stop() cancelled it behind a cown that somebody still holds */
            boc_value_t none = {.tag = V_CANCELLED};
            return hand_out(st, boc__decode(st, &none), VF_EXC);
        }
        if (!(c->flags & BOC_COWN_PINNED)) {
            busy(c);
            return NULL;
        }
        return c->value.tag == V_LIVE ? Py_NewRef((PyObject *)c->value.u.p) : boc__decode(st, &c->value);
    } else if (c->flags & BOC_COWN_PINNED) {
        return pinned_result(st, c, deadline);
    } else {
        waiter_t *w = ask(c, BOC_READ, false, 0);
        if (w == NULL)
            return NULL;
        if (await_event(w, deadline, c) < 0) {
            waiter_drop(w);
            return NULL;
        }
        bool ran = w->ran;
        v = w->value;
        w->value.tag = V_EMPTY;
        waiter_drop(w);
        if (!ran && !peek(st, c, &v)) { /* a stop came in between; it leaves values at rest */
            boc__raise_code(BOC_ESTATE, "result()");
            return NULL;
        }
        if (v.tag == V_REFUSED && v.aux != UINT32_MAX && boc__movable(v.aux)->copy != NULL && copy_held(st, c, deadline, &v) < 0)
            return NULL;
        if (v.flags & VF_EXC)
            boc__mark_seen(c);
    }
    if (v.tag == V_EMPTY)
        return unscheduled(c), NULL;
    boc__drain_output(deadline);
    uint16_t flags = v.flags;
    PyObject *o = boc__is_moved(v.tag) ? boc__give(st, &v) : boc__decode_cown(st, c, &v);
    boc__value_drop(&v);
    return hand_out(st, o, flags);
}

PyObject *boc__unwrap(boc_cown_t *c) {
    boc_state_t *st = boc__st();
    if (st == NULL || boc__check_born(c) < 0 || boc__not_in_body("unwrap()") < 0)
        return NULL;
    bool mine = atomic_load_explicit(&c->holder, memory_order_acquire) == boc_self() + 1;
    if (!mine && !boc_cown_idle(c)) {
        char label[80];
        PyErr_Format(PyExc_RuntimeError, "%s is still in flight: a behavior holds or awaits it; wait with c.result() or quiesce()",
                     boc__cown_label(c, label, sizeof label));
        return NULL;
    }
    if (!mine && boc__hold(c) < 0)
        return NULL;
    uint16_t flags = c->value.flags;
    c->value.flags &= (uint16_t)~VF_LOST;
    PyObject *o = boc__slot_get(st, c);
    if (o != NULL)
        boc__slot_set(st, c, Py_None);
    if (!mine) {
        PyObject *exc = PyErr_GetRaisedException();
        if (boc__let_go(c) < 0)
            boc__forgive();
        PyErr_SetRaisedException(exc);
    }
    return hand_out(st, o, flags);
}

#define AT_ONCE 256 /* values that are asked for together */

/* _bring(cowns, first) -> the first one that it did not look at. Of those that nobody uses, values that are live with workers are
   asked for: a worker that sleeps wakes once for all of them, where result() would wake it for each. */
PyObject *boc__bring(PyObject *module, PyObject *args) {
    (void)module;
    boc_state_t *st = boc__st();
    PyObject *cowns;
    Py_ssize_t i;
    if (st == NULL || !PyArg_ParseTuple(args, "O!n:_bring", &PyList_Type, &cowns, &i))
        return NULL;
    for (Py_ssize_t end = i + AT_ONCE; i < end && i < PyList_GET_SIZE(cowns); i++) {
        boc_cown_t *c = boc__cown_core(st, PyList_GET_ITEM(cowns, i));
        if (c == NULL || atomic_load_explicit(&c->home, memory_order_relaxed) == 0 || (c->flags & BOC_COWN_PINNED) ||
            !boc_cown_idle(c) || !boc_running() || boc__hooked(HOOK_REPLAY))
            continue;
        waiter_t *w = ask(c, BOC_READ, false, 0);
        if (w == NULL)
            return NULL;
        waiter_drop(w);
    }
    return PyLong_FromSsize_t(i);
}

PyObject *boc__watch(PyObject *module, PyObject *args) {
    (void)module;
    boc_state_t *st = boc__st();
    PyObject *cown;
    unsigned long long token;
    if (st == NULL || !PyArg_ParseTuple(args, "OK:_watch", &cown, &token))
        return NULL;
    boc_cown_t *c = boc__cown_core(st, cown);
    if (c == NULL || token == 0) {
        PyErr_SetString(PyExc_TypeError, "_watch(cown, token)");
        return NULL;
    }
    if (!boc_running() || boc_cown_idle(c))
        Py_RETURN_FALSE;
    waiter_t *w = ask(c, BOC_READ, false, token);
    if (w == NULL)
        return NULL;
    waiter_drop(w);
    Py_RETURN_TRUE;
}
