/* The step gate as Python sees it, breakpoints, and what a wait does that the closed gate keeps from ending.
 *
 * A breakpoint is looked at where a behavior comes to the gate (the core's judge), or where a key of the noticeboard
 * is written. One for the n-th behavior of a name counts schedules of that name until it knows its behavior's id.
 * The lock is held for a few loads and stores; the judge takes it under the gate's own lock, nobody the other way round. */
#include "stepping.h"

#include "replay.h"

#include <pthread.h>
#include <stdlib.h>

enum { BREAK_COWN, BREAK_KEY, BREAK_NAME, BREAK_NUMBER };

typedef struct {
    uint32_t token;   /* 0: removed */
    uint8_t kind;
    uint32_t name;    /* of the key or of behaviors */
    uint64_t id;      /* of the cown, or of the one behavior once it is known */
    int64_t left;     /* BREAK_NUMBER: schedules of the name until it is this one's turn */
    uint64_t hits;
} break_t;

_Atomic uint32_t boc__hooks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static break_t *breaks;
static uint32_t nbreaks, cap, tokens;

/* ---- breakpoints ------------------------------------------------------------------------- */
static bool stops(const break_t *k, const boc_behavior_t *b) {
    if (k->token == 0 || k->kind == BREAK_KEY)
        return false;
    if (k->kind == BREAK_NAME)
        return b->name == k->name;
    if (k->kind == BREAK_NUMBER)
        return k->id == b->id;
    uint32_t n = (uint32_t)b->nreq - ((b->flags & BOC_B_RESULT) != 0); /* its own result it makes, not takes */
    for (uint32_t i = 0; i < n; i++)
        if (b->req[i].cown->id == k->id)
            return true;
    return false;
}

static int judge(const boc_behavior_t *b, bool closed) {
    if (closed) {
        if (boc__hooked(HOOK_REPLAY))
            boc__replay_arrived(b->id);
        return BOC_GATE_AS_IT_IS;
    }
    int v = BOC_GATE_AS_IT_IS;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < nbreaks; i++) {
        if (stops(&breaks[i], b)) {
            breaks[i].hits++;
            v = BOC_GATE_CLOSES;
        }
    }
    pthread_mutex_unlock(&lock);
    return v;
}

void boc__gate_watch(void) {
    bool any = boc__hooked(HOOK_REPLAY);
    uint32_t hooks = 0;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < nbreaks; i++) {
        if (breaks[i].token == 0)
            continue;
        any |= breaks[i].kind != BREAK_KEY;
        hooks |= breaks[i].kind == BREAK_KEY ? HOOK_KEYS : breaks[i].kind == BREAK_NUMBER ? HOOK_NUMBERED : 0;
    }
    atomic_fetch_and(&boc__hooks, ~(uint32_t)(HOOK_KEYS | HOOK_NUMBERED));
    atomic_fetch_or(&boc__hooks, hooks);
    pthread_mutex_unlock(&lock);
    boc_gate_watch(any ? judge : NULL);
}

void boc__gate_key(uint32_t key) {
    bool hit = false;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < nbreaks; i++) {
        if (breaks[i].token != 0 && breaks[i].kind == BREAK_KEY && breaks[i].name == key) {
            breaks[i].hits++;
            hit = true;
        }
    }
    pthread_mutex_unlock(&lock);
    if (hit)
        boc_gate_close();
}

void boc__gate_scheduling(boc_behavior_t **b, uint32_t n) {
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < nbreaks; i++) {
        break_t *k = &breaks[i];
        for (uint32_t j = 0; k->token != 0 && k->kind == BREAK_NUMBER && k->id == 0 && j < n; j++)
            if (b[j]->name == k->name && --k->left == 0)
                k->id = b[j]->id;
    }
    pthread_mutex_unlock(&lock);
}

void boc__gate_after_fork(void) {
    pthread_mutex_init(&lock, NULL);
    nbreaks = 0;
    atomic_store(&boc__hooks, 0);
}

/* _break_add(kind, name, id, left) -> token */
static PyObject *break_add(PyObject *module, PyObject *args) {
    (void)module;
    int kind;
    const char *name;
    Py_ssize_t length;
    unsigned long long id;
    long long left;
    if (!PyArg_ParseTuple(args, "is#KL:_break_add", &kind, &name, &length, &id, &left))
        return NULL;
    break_t k = {.kind = (uint8_t)kind, .name = boc_name(name, (size_t)length), .id = id, .left = left};
    pthread_mutex_lock(&lock);
    uint32_t at = 0;
    while (at < nbreaks && breaks[at].token != 0)
        at++;
    if (at == cap) {
        void *more = realloc(breaks, (cap + 16) * sizeof *breaks);
        if (more == NULL) {
            pthread_mutex_unlock(&lock);
            return PyErr_NoMemory();
        }
        breaks = more;
        cap += 16;
    }
    nbreaks = at == nbreaks ? at + 1 : nbreaks;
    uint32_t token = k.token = ++tokens;
    breaks[at] = k;
    pthread_mutex_unlock(&lock);
    boc__gate_watch();
    return PyLong_FromUnsignedLong(token);
}

/* _break_hits(token) -> how often it closed the gate, or None: it was removed */
static PyObject *break_hits(PyObject *module, PyObject *arg) {
    (void)module;
    unsigned long token = PyLong_AsUnsignedLong(arg);
    if (token == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    int64_t hits = -1;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < nbreaks; i++)
        if (token != 0 && breaks[i].token == token)
            hits = (int64_t)breaks[i].hits;
    pthread_mutex_unlock(&lock);
    if (hits < 0)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(hits);
}

/* _break_remove(token): 0 removes all */
static PyObject *break_remove(PyObject *module, PyObject *arg) {
    (void)module;
    unsigned long token = PyLong_AsUnsignedLong(arg);
    if (token == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < nbreaks; i++)
        if (token == 0 || breaks[i].token == token)
            breaks[i].token = 0;
    pthread_mutex_unlock(&lock);
    boc__gate_watch();
    Py_RETURN_NONE;
}

/* ---- the gate ------------------------------------------------------------------------------ */
static PyObject *gate_close(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_gate_close();
    Py_RETURN_NONE;
}

static PyObject *gate_open(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_gate_open();
    Py_RETURN_NONE;
}

static PyObject *gate_closed(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(boc_gate_closed());
}

static PyObject *gate_step(PyObject *module, PyObject *arg) {
    (void)module;
    unsigned long long id = PyLong_AsUnsignedLongLong(arg);
    if (id == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(boc_gate_step(id) == BOC_OK);
}

static PyObject *gate_held(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    size_t room = 64, n;
    boc_held_t *all = malloc(room * sizeof *all);
    while (all != NULL && (n = boc_gate_held(all, room)) > room) {
        room = n + 64;
        free(all);
        all = malloc(room * sizeof *all);
    }
    PyObject *list = all ? PyList_New((Py_ssize_t)n) : PyErr_NoMemory();
    for (size_t i = 0; list != NULL && i < n; i++) {
        PyObject *t = Py_BuildValue("KNO", (unsigned long long)all[i].id, boc__name_str(all[i].name), all[i].pinned ? Py_True : Py_False);
        if (t == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, t);
    }
    free(all);
    return list;
}

static bool settled(void) { return boc_settled() && !boc__pumping(); }

static PyObject *gate_settled(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(settled());
}

static PyObject *gate_arrivals(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(boc_gate_arrivals());
}

/* _gate_wait(arrivals, timeout) -> True: something more is held, or the gate is open; False: all is settled; None: time is up */
static PyObject *gate_wait(PyObject *module, PyObject *args) {
    (void)module;
    unsigned long long seen;
    PyObject *timeout;
    int64_t deadline;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyArg_ParseTuple(args, "KO:_gate_wait", &seen, &timeout) || boc__deadline(timeout, &deadline) < 0)
        return NULL;
    bool pump = boc__may_pump();
    for (;;) {
        int rc;
        Py_BEGIN_ALLOW_THREADS
        rc = boc_gate_wait(seen, deadline, pump);
        Py_END_ALLOW_THREADS
        if (boc_gate_arrivals() != seen || !boc_gate_closed())
            Py_RETURN_TRUE;
        if (rc == BOC_OK && settled())
            Py_RETURN_FALSE;
        if (rc == BOC_ETIME)
            Py_RETURN_NONE;
        if (boc__wait_slice(st, rc, pump) < 0)
            return NULL;
    }
}

/* _pending() -> behaviors scheduled and not ended, without main's own requests */
static PyObject *pending(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_counts_t c;
    int64_t asks = boc__asks();
    boc_counts(&c);
    int64_t n = (int64_t)(c.scheduled - c.finished) - asks;
    return PyLong_FromLongLong(n > 0 ? n : 0);
}

/* ---- waits at a closed gate -------------------------------------------------------------------- */
#define SETTLED_SLICES 2 /* of 50 ms */
#define AGAIN_SLICES 10

int boc__paused_look(boc__paused_t *p) {
    if (boc__hooked(HOOK_REPLAY))
        return boc__replay_look(p->over, p->arg);
    if (!boc_gate_closed() || !settled()) {
        p->slices = 0;
        return 0;
    }
    if (++p->slices < (p->told ? AGAIN_SLICES : SETTLED_SLICES))
        return 0;
    p->slices = 0;
    bool told = p->told || (p->said != NULL && PyList_GET_SIZE(p->said) > 0);
    PyObject *m = PyImport_ImportModule("boc._gate");
    PyObject *r = m ? PyObject_CallMethod(m, "waits", "O", told ? Py_True : Py_False) : NULL;
    Py_XDECREF(m);
    int rc = r == NULL ? -1 : 0;
    if (rc == 0 && p->said != NULL && !told)
        rc = PyList_Append(p->said, r);
    Py_XDECREF(r);
    p->told = true;
    return rc;
}

PyMethodDef boc__gate_methods[] = {
    {"_gate_close", gate_close, METH_NOARGS, NULL},
    {"_gate_open", gate_open, METH_NOARGS, NULL},
    {"_gate_closed", gate_closed, METH_NOARGS, NULL},
    {"_gate_step", gate_step, METH_O, "_gate_step(id) -> bool: let this one through, 0: the oldest"},
    {"_gate_held", gate_held, METH_NOARGS, "_gate_held() -> list of (id, name, pinned), oldest first"},
    {"_gate_settled", gate_settled, METH_NOARGS, NULL},
    {"_gate_arrivals", gate_arrivals, METH_NOARGS, NULL},
    {"_gate_wait", gate_wait, METH_VARARGS, NULL},
    {"_pending", pending, METH_NOARGS, NULL},
    {"_break_add", break_add, METH_VARARGS, NULL},
    {"_break_hits", break_hits, METH_O, NULL},
    {"_break_remove", break_remove, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
