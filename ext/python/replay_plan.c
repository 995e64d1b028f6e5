/* A replay made from a schedule, asked how far it is, and dropped. */
#include "replay_state.h"

#include "stepping.h"

#include <stdlib.h>
#include <string.h>

#define r boc__r

/* ---- from Python ------------------------------------------------------------------------------------ */
static uint32_t *numbers(PyObject *tuple, uint32_t *n) {
    *n = (uint32_t)PyTuple_GET_SIZE(tuple);
    uint32_t *a = calloc((size_t)*n + 1, sizeof *a);
    if (a == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (uint32_t i = 0; i < *n; i++) {
        unsigned long v = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(tuple, (Py_ssize_t)i));
        if (v == (unsigned long)-1 && PyErr_Occurred()) {
            free(a);
            return NULL;
        }
        a[i] = (uint32_t)v;
    }
    return a;
}

static void plan_free(boc__replay_t *p) {
    for (uint32_t i = 0; p->node != NULL && i < p->n + 2; i++) {
        free(p->node[i].before);
        free(p->node[i].ended);
        free(p->node[i].cowns);
    }
    free(p->node);
    free(p->starts);
    free(p->write);
    free(p->views);
    free(p->ids.at);
    free(p->kinds.at);
}

static int take_node(boc__node_t *k, PyObject *row) {
    const char *name;
    Py_ssize_t length;
    long long view, after, behind;
    PyObject *before, *ended, *cowns;
    if (!PyArg_ParseTuple(row, "s#iIIIO!O!O!LLLI", &name, &length, &k->parent, &k->nth, &k->first, &k->count, &PyTuple_Type, &before,
                          &PyTuple_Type, &ended, &PyTuple_Type, &cowns, &view, &after, &behind, &k->calm))
        return -1;
    k->name = boc_name(name, (size_t)length);
    k->view = view;
    k->after = after;
    k->behind = behind;
    uint32_t three = 0;
    if ((k->before = numbers(before, &k->nbefore)) == NULL || (k->ended = numbers(ended, &k->nended)) == NULL ||
        (k->cowns = numbers(cowns, &three)) == NULL)
        return -1;
    k->ncowns = three / 3;
    return 0;
}

static int take_writes(boc__replay_t *p, PyObject *writes) {
    p->nwrites = (uint32_t)PyTuple_GET_SIZE(writes);
    p->write = calloc((size_t)p->nwrites + 1, sizeof *p->write);
    p->views = calloc((size_t)p->nwrites + 2, sizeof *p->views);
    if (p->write == NULL || p->views == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < p->nwrites; i++) {
        const char *key;
        Py_ssize_t length;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(writes, (Py_ssize_t)i), "is#", &p->write[i].writer, &key, &length))
            return -1;
        p->write[i].key = boc_name(key, (size_t)length);
    }
    for (uint32_t i = 0; i < p->n; i++)
        if (p->node[i].view >= 0 && p->node[i].view <= p->nwrites)
            p->views[p->node[i].view]++;
    while (p->low <= p->nwrites && p->views[p->low] == 0)
        p->low++;
    return 0;
}

static int plan_make(boc__replay_t *p, PyObject *nodes, PyObject *starts, PyObject *writes) {
    p->n = (uint32_t)PyTuple_GET_SIZE(nodes) - 2;
    p->ids.mask = p->kinds.mask = 255;
    p->node = calloc((size_t)p->n + 2, sizeof *p->node);
    p->ids.at = calloc((size_t)p->ids.mask + 1, sizeof *p->ids.at);
    p->kinds.at = calloc((size_t)p->kinds.mask + 1, sizeof *p->kinds.at);
    if (p->node == NULL || p->ids.at == NULL || p->kinds.at == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < p->n + 2; i++)
        if (take_node(&p->node[i], PyTuple_GET_ITEM(nodes, (Py_ssize_t)i)) < 0)
            return -1;
    if ((p->starts = numbers(starts, &p->nstarts)) == NULL)
        return -1;
    for (uint32_t i = 0; i < p->nstarts; i++)
        p->node[p->starts[i]].starts = true;
    return take_writes(p, writes);
}

/* ---- its life ------------------------------------------------------------------------------------------ */
/* Under no lock; what rests goes on. */
static void end(bool opens) {
    boc__r_lock();
    bool on = r.on && !r.ending;
    r.opens = r.opens && opens;
    r.over = true;
    r.ending = r.on;
    boc__r_moved();
    boc__r_unlock();
    if (!on)
        return;
    Py_BEGIN_ALLOW_THREADS
    pthread_join(r.conductor, NULL);
    Py_END_ALLOW_THREADS
    boc__r_lock();
    boc__replay_t old = r;
    r.on = r.ending = false;
    r.node = NULL;
    r.starts = NULL;
    r.write = NULL;
    r.views = NULL;
    r.ids.at = r.kinds.at = NULL;
    r.resting = NULL;
    boc__r_moved();
    boc__r_unlock();
    plan_free(&old);
    atomic_fetch_and(&boc__hooks, ~(uint32_t)HOOK_REPLAY);
    boc__gate_watch();
}

/* _replay_begin(nodes, starts, writes, partial). nodes: a tuple of (name, parent, nth, first child, children, joins before it,
   ended before it, kinds of cowns, view, after, behind, calm) for each behavior, one for the main thread, one for all others. */
static PyObject *replay_begin(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *nodes, *starts, *writes;
    int partial;
    if (!PyArg_ParseTuple(args, "O!O!O!p:_replay_begin", &PyTuple_Type, &nodes, &PyTuple_Type, &starts, &PyTuple_Type, &writes, &partial))
        return NULL;
    boc__replay_t p = {.on = true, .opens = true, .partial = partial, .starting = NOWHERE, .calm_behind = -1};
    if (plan_make(&p, nodes, starts, writes) < 0) {
        plan_free(&p);
        return NULL;
    }
    boc__r_lock();
    bool on = r.on;
    if (!on) {
        p.generation = r.generation + 1;
        r = p;
    }
    boc__r_unlock();
    int rc = on ? -1 : pthread_create(&r.conductor, NULL, boc__replay_conduct, NULL);
    if (rc != 0) {
        if (!on) {
            boc__r_lock();
            r.on = false;
            r.node = NULL;
            boc__r_unlock();
        }
        plan_free(&p);
        PyErr_SetString(PyExc_RuntimeError, on ? "a replay is under way" : "the thread of the replay could not be started");
        return NULL;
    }
    atomic_fetch_or(&boc__hooks, HOOK_REPLAY);
    boc__gate_watch();
    boc_gate_close();
    Py_RETURN_NONE;
}

/* _replay_state() -> (starts so far, of how many, all is followed, it is over, the first difference or ""), or None */
static PyObject *replay_state(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc__r_lock();
    bool on = r.on, over = r.over, all = on && r.at == r.nstarts && r.moving == 0 && r.starting == NOWHERE && r.applied == r.nwrites;
    uint32_t at = r.at, n = r.nstarts;
    for (uint32_t i = 0; all && i < r.n + 2; i++)
        all = r.node[i].seen == r.node[i].count;
    char text[sizeof r.text];
    memcpy(text, r.text, sizeof text);
    boc__r_unlock();
    if (!on)
        Py_RETURN_NONE;
    return Py_BuildValue("IINNN", at, n, PyBool_FromLong(all), PyBool_FromLong(over), PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace"));
}

/* _replay_end(opens): follow the schedule no longer; opens: what is held runs */
static PyObject *replay_end(PyObject *module, PyObject *opens) {
    (void)module;
    end(PyObject_IsTrue(opens) == 1);
    Py_RETURN_NONE;
}

void boc__replay_at_exit(void) {
    end(false);
}

PyMethodDef boc__replay_methods[] = {
    {"_replay_begin", replay_begin, METH_VARARGS, NULL},
    {"_replay_state", replay_state, METH_NOARGS, NULL},
    {"_replay_end", replay_end, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
