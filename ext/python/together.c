/* Captures of one behavior that share what can change: they go as one value, so that the body finds them sharing it as well.
 *
 * Each captured value is encoded by itself (capture.c), which is what lets equal ones be kept once. Two that lead to the same list,
 * or two functions that close over one variable, would arrive as two lists and two variables. So the values of a schedule that are
 * taken anew are walked first; where one leads to what another one leads to, all of them are encoded as one tuple, and each slot
 * says which item of it it is (V_TOGETHER). A body decodes the tuple once.
 *
 * The walk runs no Python code and takes no references. It remembers what has more than one reference; the rest has one way to it.
 * Without a GIL others may change a value under the walk, so there all goes together that could share. */
#include "together.h"

#include <stdlib.h>
#include <string.h>

#define PICKLED 0x80 /* the first byte of a pickle; what plain.c wrote holds no functions */
#define FEW_FUNCTIONS 16

typedef struct seen { PyObject *object; uint32_t root; bool again; } seen_t;
typedef struct todo { PyObject *object; bool again; } todo_t;

typedef struct walk {
    boc_state_t *st;
    seen_t *seen; /* open addresses, by object */
    uint32_t nseen, seen_cap;
    todo_t *todo;
    uint32_t ntodo, todo_cap;
    uint32_t root; /* whose graph is walked */
    bool again;    /* below what another root led to: whatever can change there is shared */
    bool shared, no_memory;
    bool cell_shared; /* a variable that holds what cannot change: it matters if somebody rebinds it */
    uint32_t nfunctions;
    PyObject *function[FEW_FUNCTIONS]; /* with closures, met on the way */
} walk_t;

typedef enum { LEAF, THROUGH, VARIABLE, CHANGES } kind_t;

/* What most values are made of. */
static inline bool is_atom(PyObject *o) {
    PyTypeObject *type = Py_TYPE(o);
    return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type || o == Py_None;
}

/* Can an object change, or lead to what can? An instance counts as able to: taken together by mistake, values are still right. */
static kind_t kind_of(boc_state_t *st, PyObject *o) {
    PyTypeObject *type = Py_TYPE(o);
    if (is_atom(o) || type == &PyBytes_Type || type == &PyBool_Type || type == &PyComplex_Type || type == &PyRange_Type || o == Py_Ellipsis)
        return LEAF;
    if (type == &PyList_Type || type == &PyDict_Type || type == &PySet_Type)
        return CHANGES;
    if (type == &PyTuple_Type || type == &PyFrozenSet_Type || type == &PyFunction_Type || type == &PyMethod_Type || type == &PyCFunction_Type)
        return THROUGH;
    if (type == &PyCell_Type)
        return VARIABLE;
    if (PyType_Check(o) || PyModule_Check(o) || PyCode_Check(o) || boc__cown_check(st, o))
        return LEAF;
    PyTypeObject *meta = Py_TYPE(type);
    return meta != &PyType_Type && strcmp(meta->tp_name, "EnumType") == 0 ? LEAF : CHANGES;
}

static seen_t *probe(seen_t *table, uint32_t cap, PyObject *o) {
    uint32_t h = (uint32_t)(((uintptr_t)o >> 4) * 0x9E3779B97F4A7C15ull >> 32) & (cap - 1);
    while (table[h].object != NULL && table[h].object != o)
        h = (h + 1) & (cap - 1);
    return &table[h];
}

static seen_t *seen_of(walk_t *w, PyObject *o) {
    if (w->nseen * 2 >= w->seen_cap) {
        uint32_t cap = w->seen_cap ? w->seen_cap * 2 : 64;
        seen_t *t = calloc(cap, sizeof *t);
        if (t == NULL) {
            w->no_memory = true;
            return NULL;
        }
        for (uint32_t i = 0; i < w->seen_cap; i++)
            if (w->seen[i].object != NULL)
                *probe(t, cap, w->seen[i].object) = w->seen[i];
        free(w->seen);
        w->seen = t;
        w->seen_cap = cap;
    }
    return probe(w->seen, w->seen_cap, o);
}

static int later(walk_t *w, PyObject *o, bool again) {
    if (w->ntodo == w->todo_cap) {
        uint32_t cap = w->todo_cap ? w->todo_cap * 2 : 64;
        todo_t *t = realloc(w->todo, cap * sizeof *t);
        if (t == NULL) {
            w->no_memory = true;
            return 1;
        }
        w->todo = t;
        w->todo_cap = cap;
    }
    w->todo[w->ntodo++] = (todo_t){o, again};
    return 0;
}

static int visit(PyObject *o, void *arg) {
    walk_t *w = arg;
    kind_t kind = o ? kind_of(w->st, o) : LEAF;
    if (kind == LEAF)
        return 0;
    if (w->again && kind == CHANGES) {
        w->shared = true;
        return 1;
    }
    if (Py_REFCNT(o) == 1)
        return later(w, o, w->again);
    seen_t *s = seen_of(w, o);
    if (s == NULL)
        return 1;
    if (s->object == NULL) {
        *s = (seen_t){o, w->root, w->again};
        w->nseen++;
        return later(w, o, w->again);
    }
    if (s->root != w->root && kind == CHANGES) {
        w->shared = true;
        return 1;
    }
    w->cell_shared |= s->root != w->root && kind == VARIABLE;
    if (s->again || (s->root == w->root && !w->again))
        return 0;
    s->again = true;
    return later(w, o, true);
}

/* What a function takes along by value: not its globals, which are taken by name. */
static void visit_function(walk_t *w, PyObject *o) {
    PyFunctionObject *f = (PyFunctionObject *)o;
    if (f->func_closure != NULL && w->nfunctions < FEW_FUNCTIONS)
        w->function[w->nfunctions++] = o;
    else if (f->func_closure != NULL)
        w->shared |= w->cell_shared; /* too many to ask: they go together, which is never wrong */
    for (Py_ssize_t i = 0; f->func_closure != NULL && i < PyTuple_GET_SIZE(f->func_closure); i++)
        visit(PyTuple_GET_ITEM(f->func_closure, i), w);
    if (f->func_defaults != NULL)
        visit(f->func_defaults, w);
    if (f->func_kwdefaults != NULL)
        visit(f->func_kwdefaults, w);
    if (f->func_dict != NULL && PyDict_GET_SIZE(f->func_dict) > 0)
        visit(f->func_dict, w);
}

static void visit_inside(walk_t *w, PyObject *o) {
    if (PyFunction_Check(o)) {
        visit_function(w, o);
    } else if (PyList_CheckExact(o)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(o); i++)
            if (!is_atom(PyList_GET_ITEM(o, i)) && visit(PyList_GET_ITEM(o, i), w))
                return;
    } else if (PyDict_CheckExact(o)) {
        PyObject *key, *value;
        for (Py_ssize_t at = 0; PyDict_Next(o, &at, &key, &value);)
            if ((!is_atom(key) && visit(key, w)) || (!is_atom(value) && visit(value, w)))
                return;
    } else if (Py_TYPE(o)->tp_traverse != NULL && PyObject_IS_GC(o)) {
        Py_TYPE(o)->tp_traverse(o, visit, w);
    }
}

static void walk(walk_t *w, PyObject *values) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values) && !w->shared && !w->no_memory; i++) {
        w->root = (uint32_t)i;
        w->again = false;
        visit(PyTuple_GET_ITEM(values, i), w);
        while (w->ntodo > 0 && !w->shared && !w->no_memory) {
            todo_t next = w->todo[--w->ntodo];
            w->again = next.again;
            visit_inside(w, next.object);
        }
    }
    free(w->seen);
    free(w->todo);
}

/* Does one of the functions that were met rebind a variable? 1, 0; -1 with an exception. */
static int rebinds(walk_t *w) {
    int rc = 0;
    for (uint32_t i = 0; i < w->nfunctions; i++)
        Py_INCREF(w->function[i]);
    for (uint32_t i = 0; i < w->nfunctions; i++) {
        PyObject *f = rc == 0 ? boc__py(w->st, PY_REBINDS) : NULL;
        PyObject *r = f ? PyObject_CallOneArg(f, PyFunction_GET_CODE(w->function[i])) : NULL;
        if (rc == 0)
            rc = r == NULL ? -1 : r == Py_True;
        Py_XDECREF(r);
        Py_DECREF(w->function[i]);
    }
    return rc;
}

/* Do two of the values lead to the same thing that can change? 1, 0; -1 with an exception. */
static int share(boc_state_t *st, PyObject *values) {
#ifdef Py_GIL_DISABLED
    (void)walk, (void)rebinds, (void)st, (void)values;
    return 1;
#else
    walk_t w = {.st = st};
    walk(&w, values);
    if (w.no_memory) {
        PyErr_NoMemory();
        return -1;
    }
    return w.shared ? 1 : w.cell_shared ? rebinds(&w) : 0;
#endif
}

/* ---- at the schedule ------------------------------------------------------------- */
static bool is_pickled(const boc_value_t *v) {
    return v->tag == V_BLOB && ((boc_blob_t *)v->u.p)->len > 0 && ((boc_blob_t *)v->u.p)->data[0] == PICKLED;
}

static bool is_named(const template_t *t, uint32_t i) {
    return t->watch[i].kind == WATCH_GLOBAL && t->set->entry[i].capture->mutable;
}

bool boc__may_share(const template_t *t, const boc_job_t *job, uint32_t ndyn) {
    uint32_t anew = 0;
    bool pickled = false;
    for (uint32_t i = 0; i < ndyn; i++) {
        if (job->dyn[i].flags & VF_ANEW) {
            anew++;
            pickled |= is_pickled(&job->dyn[i]);
        }
    }
    for (uint32_t i = 0; t->set != NULL && t->set->any_mutable && i < t->set->n; i++) {
        if (is_named(t, i)) {
            anew++;
            pickled |= is_pickled(&t->set->entry[i].capture->v);
        }
    }
    return anew > 1 || (anew == 1 && pickled && job->nclosure > 0 && job->recipe != NULL);
}

/* values with those of the names behind them; None where a name goes by itself. */
static PyObject *with_names(template_t *t, PyObject *values) {
    Py_ssize_t n = PyTuple_GET_SIZE(values), names = t->set != NULL && t->set->any_mutable ? t->set->n : 0;
    PyObject *all = PyTuple_New(n + names);
    for (Py_ssize_t i = 0; all != NULL && i < n + names; i++) {
        PyObject *named = i >= n && is_named(t, (uint32_t)(i - n)) ? boc__watched(&t->watch[i - n]) : NULL;
        PyObject *v = i < n ? PyTuple_GET_ITEM(values, i) : named;
        PyTuple_SET_ITEM(all, i, Py_NewRef(v ? v : Py_None));
        boc__watched_done(named);
    }
    return all;
}

static boc_capture_t *encoded(boc_state_t *st, PyObject *all) {
    boc_capture_t *c = boc__capture_def(NULL);
    if (c == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (boc__encode(st, all, &c->v, "what the behavior captures") == 0) {
        boc__share(&c->v);
        return c;
    }
    boc__capture_drop(c);
    return NULL;
}

static void become_item(boc_value_t *v, boc_capture_t *whole, uint32_t i) {
    boc__value_drop(v);
    memset(v, 0, sizeof *v);
    atomic_fetch_add_explicit(&whole->refs, 1, memory_order_relaxed);
    v->tag = V_TOGETHER;
    v->aux = i;
    v->u.p = whole;
}

int boc__together(boc_state_t *st, template_t *t, boc_job_t *job, PyObject *values) {
    uint32_t n = (uint32_t)PyTuple_GET_SIZE(values);
    PyObject *all = with_names(t, values);
    int rc = all ? share(st, all) : -1;
    boc_capture_t *whole = rc == 1 ? encoded(st, all) : NULL;
    if (rc == 1 && whole == NULL)
        rc = -1;
    for (uint32_t i = 0; whole != NULL && i < (uint32_t)PyTuple_GET_SIZE(all); i++) {
        if (PyTuple_GET_ITEM(all, i) == Py_None)
            continue;
        if (i < n) {
            become_item(&job->dyn[i], whole, i);
            continue;
        }
        boc_capture_t **at = &t->set->entry[i - n].capture, *item = boc__capture_def(NULL);
        if (item == NULL) {
            PyErr_NoMemory();
            rc = -1;
            break;
        }
        item->mutable = 1;
        item->met = (*at)->met;
        become_item(&item->v, whole, i);
        boc__capture_drop(*at);
        *at = item;
    }
    if (whole != NULL)
        boc__capture_drop(whole);
    Py_XDECREF(all);
    return rc < 0 ? -1 : 0;
}

/* ---- in the body ------------------------------------------------------------------- */
PyObject *boc__together_item(boc_state_t *st, const boc_value_t *v) {
    boc_capture_t *whole = v->u.p;
    if (st->together_of != whole) {
        PyObject *all = boc__decode_taking(st, &whole->v);
        if (all == NULL)
            return NULL;
        Py_XSETREF(st->together, all);
        st->together_of = whole;
    }
    return Py_NewRef(PyTuple_GET_ITEM(st->together, v->aux));
}
