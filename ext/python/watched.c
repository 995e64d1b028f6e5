/* The names that a body and what it reaches use: which there are, and what they hold now.
 *
 * analyse() lists them once. Each schedule looks at every one by identity; what holds something else than last time is
 * captured anew, and where that leads to further names the body is analysed again. */
#include "when.h"

#include <stdlib.h>

/* Does what a name holds decide which further names are reached? */
static bool reaches_within(PyObject *v, int depth) {
    if (v == NULL || v == Py_None)
        return false;
    PyTypeObject *t = Py_TYPE(v);
    if (t == &PyTuple_Type) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(v); i++)
            if (depth == 0 || reaches_within(PyTuple_GET_ITEM(v, i), depth - 1))
                return true;
        return false;
    }
    return !(t == &PyLong_Type || t == &PyUnicode_Type || t == &PyFloat_Type || t == &PyBool_Type || t == &PyBytes_Type ||
             t == &PyModule_Type || t == &PyList_Type || t == &PyDict_Type || t == &PySet_Type || t == &PyCFunction_Type);
}

bool boc__reaches(PyObject *v) { return reaches_within(v, 4); }

/* Two values of one shape use the same names: functions of one code, instances of one class (what an instance itself
   refers to brings its own names along). NULL: nothing is known. Borrowed. */
PyObject *boc__shape_of(PyObject *v) {
    if (v == NULL || PyTuple_Check(v) || PyFrozenSet_Check(v) || PyMethod_Check(v) || PyType_Check(v))
        return NULL;
    return PyFunction_Check(v) ? PyFunction_GET_CODE(v) : (PyObject *)Py_TYPE(v);
}

bool boc__same_shape(const boc_memory_t *shape, PyObject *v) { return shape->object != NULL && boc__knows(shape, boc__shape_of(v)); }

uint32_t boc__name_id(PyObject *str) {
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(str, &n);
    if (s == NULL) {
        PyErr_Clear();
        return 0;
    }
    return boc_name(s, (size_t)n);
}

/* Of a name that the body will look for: without a number it would not be there. -1: no room for it. */
static int name_needed(PyObject *str, uint32_t *out) {
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(str, &n);
    *out = 0;
    if (s != NULL)
        return boc__name_take(s, (size_t)n, out);
    if (PyErr_ExceptionMatches(PyExc_MemoryError))
        return -1;
    PyErr_Clear();
    return 0;
}

/* One entry of what analyse() returned. */
static int take_entry(PyObject *entry, watch_t *w, uint32_t *nwatch, reached_t *r, uint32_t *nreached) {
    PyObject *container, *key, *ns;
    int kind;
    if (!PyArg_ParseTuple(entry, "iOOO", &kind, &container, &key, &ns))
        return -1;
    if (kind == WATCH_FUNCTION)
        return boc__look_at(&r[(*nreached)++], container);
    w += (*nwatch)++;
    w->kind = (uint8_t)kind;
    if (kind == WATCH_TYPE)
        boc__remember(&w->cls, container);
    else
        w->container = Py_NewRef(container);
    w->key = Py_NewRef(key);
    if (PyUnicode_CheckExact(key))
        PyUnicode_InternInPlace(&w->key);
    w->dirty = true;
    return name_needed(ns, &w->ns) < 0 ? -1 : name_needed(key, &w->name);
}

/* entries: what analyse() returned; fills t->watch and t->reached anew. */
static int take_entries(template_t *t, PyObject *entries) {
    PyObject *seq = PySequence_Fast(entries, "analyse() must return a sequence of entries");
    if (seq == NULL)
        return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(seq);
    template_t now = {0};
    now.watch = PyMem_Calloc((size_t)n ? (size_t)n : 1, sizeof *now.watch);
    now.reached = PyMem_Calloc((size_t)n ? (size_t)n : 1, sizeof *now.reached);
    int rc = now.watch != NULL && now.reached != NULL ? 0 : -1;
    if (rc < 0)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; rc == 0 && i < n; i++)
        rc = take_entry(PySequence_Fast_GET_ITEM(seq, i), now.watch, &now.nwatch, now.reached, &now.nreached);
    Py_DECREF(seq);
    if (rc < 0) {
        boc__forget_watched(&now);
        return -1;
    }
    boc__forget_watched(t);
    t->watch = now.watch;
    t->nwatch = now.nwatch;
    t->reached = now.reached;
    t->nreached = now.nreached;
    boc__capset_drop(t->set);
    t->set = NULL;
    return 0;
}

int boc__analyse(boc_state_t *st, template_t *t, PyObject *func, PyObject *values) {
    t->recipe = NULL; /* if it fails the next schedule analyses */
    t->fresh = true;
    PyObject *f = boc__py(st, PY_ANALYSE);
    PyObject *r = f ? PyObject_CallFunctionObjArgs(f, func, values, NULL) : NULL;
    if (r == NULL)
        return -1;
    PyObject *id, *entries, *hints;
    int rc = -1;
    if (PyArg_ParseTuple(r, "OOO", &id, &entries, &hints) &&
        (id == Py_None || (PyBytes_Check(id) && PyBytes_GET_SIZE(id) == 32))) {
        rc = take_entries(t, entries);
        if (rc == 0) {
            t->recipe = id == Py_None ? NULL : boc__recipe((unsigned char *)PyBytes_AS_STRING(id));
            t->fresh = false;
        }
        if (rc == 0 && PyObject_IsTrue(hints) > 0 && !t->hinted) {
            t->hinted = true;
            PyObject *h = boc__py(st, PY_HINT);
            PyObject *done = h ? PyObject_CallOneArg(h, hints) : NULL;
            if (done == NULL)
                boc__forgive();
            Py_XDECREF(done);
        }
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_SystemError, "analyse() returned no recipe");
    }
    Py_DECREF(r);
    return rc;
}

/* ---- captures of one schedule ------------------------------------------------------ */
PyObject *boc__watched(watch_t *w) {
#ifdef Py_GIL_DISABLED
    PyObject *v = NULL;
    if (w->kind == WATCH_TYPE)
        return w->cls.ref == NULL ? Py_XNewRef(w->cls.object) : PyWeakref_GetRef(w->cls.ref, &v) > 0 ? v : NULL;
    if (w->kind == WATCH_ATTRIBUTES)
        return Py_NewRef(w->container);
    return PyDict_GetItemRef(w->container, w->key, &v) > 0 ? v : NULL;
#else
    if (w->kind == WATCH_TYPE)
        return boc__recall(&w->cls);
    return w->kind == WATCH_ATTRIBUTES ? w->container : PyDict_GetItemWithError(w->container, w->key);
#endif
}

static uint32_t type_version(PyObject *cls) {
    PyTypeObject *t = (PyTypeObject *)cls;
    if (t->tp_version_tag == 0)
        PyUnstable_Type_AssignVersionTag(t);
    return t->tp_version_tag;
}

/* A number for what is set on a class and may use further names; 0 with an exception. */
static uint64_t class_shape(boc_state_t *st, PyObject *cls) {
    PyObject *f = boc__py(st, PY_SHAPE);
    PyObject *r = f ? PyObject_CallOneArg(f, cls) : NULL;
    uint64_t shape = r ? PyLong_AsUnsignedLongLong(r) : 0;
    Py_XDECREF(r);
    return shape;
}

static boc_capture_t *watch_capture(boc_state_t *st, watch_t *w, PyObject *v) {
    if (w->kind == WATCH_TYPE) {
        PyObject *f = boc__py(st, PY_CHANGES);
        PyObject *id = v == NULL ? Py_NewRef(Py_None) : f ? PyObject_CallOneArg(f, v) : NULL;
        if (id == NULL)
            return NULL;
        boc_capture_t *c = boc__capture_def(id == Py_None ? NULL : (unsigned char *)PyBytes_AS_STRING(id));
        if (c == NULL)
            PyErr_NoMemory();
        else
            c->is_patch = 1;
        Py_DECREF(id);
        w->version = v ? type_version(v) : 0;
        if (c != NULL && v != NULL && (c->met = class_shape(st, v)) == 0) {
            boc__capture_drop(c);
            return NULL;
        }
        return c;
    }
    if (w->kind == WATCH_RELOAD) { /* what says so is the namespace; the value only shows that it is time */
        boc_capture_t *c = boc__capture_def(NULL);
        if (c == NULL)
            PyErr_NoMemory();
        return c;
    }
    boc_capture_t *known = v && w->kind == WATCH_GLOBAL ? boc__installed_capture(st, w->ns, w->name, v) : NULL;
    if (known != NULL) {
        atomic_fetch_add_explicit(&known->refs, 1, memory_order_relaxed);
        return known;
    }
    bool name = w->kind == WATCH_GLOBAL;
    char what[120];
    snprintf(what, sizeof what, "the %s '%.80s' used by the behavior", name ? "name" : "class", boc_name_text(w->name));
    boc_capture_t *c = boc__capture_new(st, v, what);
    if (c != NULL && !name)
        c->is_patch = 1; /* that of a name may be one that others have too */
    return c;
}

/* Does another value of a name, or its absence, change which names are reached? */
static bool reaches_else(boc_state_t *st, watch_t *w, PyObject *v) {
    PyObject *last = boc__recall(&w->last);
    if (w->last.object != NULL && last == NULL)
        return !boc__same_shape(&w->shape, v);
    if ((!boc__reaches(v) && !boc__reaches(last)) || boc__same_shape(&w->shape, v))
        return false;
    return last == NULL || v == NULL || !boc__cown_check(st, v) || !boc__cown_check(st, last);
}

/* Of one name that holds v: 0: nothing changed; 1: something did, and is marked dirty; 2: analyse again; -1 */
static int look_at(boc_state_t *st, watch_t *w, PyObject *v) {
    if (w->kind == WATCH_ATTRIBUTES) {
        /* may have changed in place: taken anew */
    } else if (w->kind == WATCH_TYPE) {
        if (!w->dirty && (v == NULL || (w->version != 0 && w->version == type_version(v))))
            return 0;
        uint64_t shape = w->dirty || v == NULL ? w->met : class_shape(st, v);
        if (shape != w->met)
            return shape == 0 ? -1 : 2;
    } else if (!w->dirty && !w->mutable) {
        if (boc__knows(&w->last, v))
            return 0;
        if (reaches_else(st, w, v))
            return 2;
    } else if (w->mutable && !w->dirty && boc__reaches(v) && !boc__same_shape(&w->shape, v)) {
        return 2;
    }
    w->dirty = true;
    return 1;
}

static int look(boc_state_t *st, template_t *t) {
    int changed = t->set == NULL;
    for (uint32_t i = 0; i < t->nwatch; i++) {
        PyObject *v = boc__watched(&t->watch[i]);
        int rc = look_at(st, &t->watch[i], v);
        boc__watched_done(v);
        if (rc < 0 || rc == 2)
            return rc;
        changed |= rc;
    }
    return changed;
}

/* Take the value of a name, or what was set on a class, anew. *more: it holds other functions or classes than before. */
static boc_capture_t *take_watched(boc_state_t *st, watch_t *w, bool *more) {
    PyObject *now = boc__watched(w), *v = Py_XNewRef(now);
    boc__watched_done(now);
    boc_capture_t *c = watch_capture(st, w, v);
    if (c != NULL) {
        if (w->capture != NULL)
            boc__capture_drop(w->capture);
        w->capture = NULL;
        w->mutable = c->mutable;
        *more |= w->looked && w->met != c->met;
        w->looked = true;
        w->met = c->met;
        boc__remember(&w->shape, boc__shape_of(v));
        boc__remember(&w->last, w->mutable ? NULL : v);
        if (!w->mutable) {
            atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
            w->capture = c;
        }
    }
    Py_XDECREF(v);
    return c;
}

/* 0: set is current; 1: another set was made; 2: analyse again; -1 */
int boc__refresh(boc_state_t *st, template_t *t) {
    int rc = look(st, t);
    if (rc != 1)
        return rc;
    boc_capset_t *s = calloc(1, sizeof *s + t->nwatch * sizeof s->entry[0]);
    if (s == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    atomic_init(&s->refs, 1);
    s->n = t->nwatch;
    bool more = false;
    for (uint32_t i = 0; i < t->nwatch; i++) {
        watch_t *w = &t->watch[i];
        s->entry[i].ns = w->ns;
        s->entry[i].name = w->name;
        boc_capture_t *c = w->capture;
        if (!w->dirty && c != NULL)
            atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        else if ((c = take_watched(st, w, &more)) == NULL) {
            boc__capset_drop(s);
            return -1;
        }
        s->entry[i].capture = c;
        s->any_mutable |= c->mutable;
    }
    if (more) {
        boc__capset_drop(s);
        return 2;
    }
    for (uint32_t i = 0; i < t->nwatch; i++)
        t->watch[i].dirty = false;
    boc__capset_drop(t->set);
    t->set = s;
    return 1;
}

/* The set for one behavior. One with mutable captures is of no use to the next, so it is not kept. */
boc_capset_t *boc__set_of(template_t *t) {
    boc_capset_t *s = t->set;
    if (s != NULL && s->any_mutable)
        t->set = NULL;
    else
        boc__capset_keep(s);
    return s;
}

/* Was a function that the body leads to edited since? Then nothing that is known by identity may hold it as it was. */
int boc__look_again(boc_state_t *st, template_t *t) {
    uint32_t i = 0;
    while (i < t->nreached && !boc__is_edited(&t->reached[i]))
        i++;
    if (i == t->nreached)
        return 0;
    for (uint32_t k = 0; k < t->nslots; k++)
        boc__forget(&t->slots[k].last);
    PyObject *f = boc__py(st, PY_EDITED);
    PyObject *r = f ? PyObject_CallNoArgs(f) : NULL;
    Py_XDECREF(r);
    return r ? 1 : -1;
}
