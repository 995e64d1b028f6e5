/* A callable that is no function as a body: a partial, a bound method, a builtin, an instance with `__call__`.
 *
 * It is captured itself. The names that it leads to are taken along as those of a function are; what is known of them
 * hangs on no code object here but stands in a small table of the interpreter. */
#include "together.h"

#include <stddef.h>
#include <string.h>

#define CALLABLES 64u

struct boc_callable { /* what is known of one, like a template on a code object */
    PyObject *key;    /* a method's function, a partial itself, ... */
    PyTypeObject *type;
    template_t t;
};

/* A place belongs to who has its template, see boc__template_take: other threads of main come by at any time. */
static struct boc_callable move_out(struct boc_callable *c) {
    struct boc_callable old = {.key = c->key, .type = c->type};
    memcpy(&old.t, &c->t, offsetof(template_t, busy));
    memset(&c->t, 0, offsetof(template_t, busy));
    c->key = NULL;
    c->type = NULL;
    return old;
}

/* Of what was moved out: it may run Python. */
static void drop(struct boc_callable *old) {
    boc__forget_watched(&old->t);
    boc__capset_drop(old->t.set);
    Py_XDECREF(old->key);
    Py_XDECREF(old->type);
}

void boc__callables_forget(boc_state_t *st) {
    struct boc_callable *all = atomic_load_explicit(&st->callables, memory_order_acquire);
    for (uint32_t i = 0; all != NULL && i < CALLABLES; i++) {
        if (!boc__template_take(&all[i].t))
            continue;
        struct boc_callable old = move_out(&all[i]);
        boc__template_leave(&all[i].t);
        drop(&old);
    }
}

void boc__callables_clear(boc_state_t *st) {
    boc__callables_forget(st);
    PyMem_Free(atomic_exchange_explicit(&st->callables, NULL, memory_order_relaxed));
}

/* The table; NULL with an exception. Of threads that make it at once one is first. */
static struct boc_callable *table(boc_state_t *st) {
    struct boc_callable *all = atomic_load_explicit(&st->callables, memory_order_acquire);
    if (all != NULL)
        return all;
    struct boc_callable *mine = PyMem_Calloc(CALLABLES, sizeof *mine);
    if (mine == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (atomic_compare_exchange_strong(&st->callables, &all, mine))
        return mine;
    PyMem_Free(mine);
    return all;
}

/* Of a bound method by its function and the object's class, of an instance by the function that it runs, else by the
   callable itself. Who comes next to the same place takes it over. To be given back by boc__template_leave. */
static template_t *template_of_callable(boc_state_t *st, PyObject *func) {
    struct boc_callable *all = table(st);
    if (all == NULL)
        return NULL;
    PyObject *of = PyMethod_Check(func) ? PyMethod_GET_SELF(func) : func;
    PyTypeObject *type = PyType_Check(of) ? (PyTypeObject *)of : Py_TYPE(of);
    PyObject *key = NULL;
    if (!PyMethod_Check(func) && (key = PyObject_GetAttrString((PyObject *)Py_TYPE(func), "__call__")) == NULL)
        boc__forgive();
    if (PyMethod_Check(func))
        key = Py_NewRef(PyMethod_GET_FUNCTION(func));
    else if (key == NULL || !PyFunction_Check(key))
        Py_XSETREF(key, Py_NewRef(func));
    struct boc_callable *c = &all[(((uintptr_t)key >> 4) ^ ((uintptr_t)type >> 5)) % CALLABLES];
    if (!boc__template_take(&c->t)) {
        Py_DECREF(key);
        template_t *t = PyMem_Calloc(1, sizeof *t);
        if (t == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        t->once = t->fresh = true;
        return t;
    }
    if (c->key == key && c->type == type) {
        Py_DECREF(key);
        return &c->t;
    }
    struct boc_callable old = move_out(c);
    c->key = key;
    c->type = (PyTypeObject *)Py_NewRef(type);
    c->t.fresh = true;
    drop(&old);
    return &c->t;
}

/* The callable and the captures after the cowns into job->dyn; *again: one of these may lead to further names. */
static int take_callable(boc_state_t *st, template_t *t, PyObject *func, spec_t *s, boc_job_t *job, bool *again) {
    job->nclosure = 1;
    uint64_t met = 0;
    for (Py_ssize_t i = 0; i <= s->ncaptures; i++) {
        PyObject *v = i ? s->captures[i - 1] : func;
        boc_capture_t *c = boc__capture_new(st, v, i ? "a capture of the behavior" : "the callable");
        if (c == NULL)
            return -1;
        met += c->met;
        if (c->is_def) {
            job->dyn[i].tag = V_DEF;
            job->dyn[i].u.p = c;
        } else {
            job->dyn[i] = c->v;
            job->dyn[i].flags |= c->mutable ? VF_ANEW : 0;
            c->v.tag = V_EMPTY;
            boc__capture_drop(c);
        }
        job->ndefaults = (uint8_t)i;
        *again = *again || (i > 0 && boc__reaches(v));
    }
    *again |= met != t->met;
    t->met = met;
    return 0;
}

/* As of a function: the callable and the captures after the cowns. */
static int keep_shared(boc_state_t *st, template_t *t, PyObject *func, spec_t *s, boc_job_t *job) {
    uint32_t n = 1 + (uint32_t)s->ncaptures;
    if (!boc__may_share(t, job, n))
        return 0;
    PyObject *values = PyTuple_New(n);
    for (uint32_t i = 0; values != NULL && i < n; i++)
        PyTuple_SET_ITEM(values, i, Py_NewRef(!(job->dyn[i].flags & VF_ANEW) ? Py_None : i ? s->captures[i - 1] : func));
    int rc = values ? boc__together(st, t, job, values) : -1;
    Py_XDECREF(values);
    return rc;
}

static PyObject *schedule_by(boc_state_t *st, template_t *t, PyObject *func, spec_t *s) {
    int edited = t->nreached ? boc__look_again(st, t) : 0;
    boc_cown_t *result;
    boc_behavior_t *b = edited < 0 ? NULL : boc__allocate(s, 1 + (uint32_t)s->ncaptures, &result);
    if (b == NULL)
        return NULL;
    boc_job_t *job = boc__job(b);
    PyObject *handle = NULL;
    bool again = t->fresh || edited;
    if (take_callable(st, t, func, s, job, &again) == 0 && boc__take_names(st, t, func, s, 0, again) == 0 &&
        keep_shared(st, t, func, s, job) == 0) {
        t->fresh = false;
        job->captures = boc__set_of(t);
        b->name = s->name;
        PyObject *name = b->name == 0 ? boc__body_name(st, func, &b->name) : Py_NewRef(Py_None);
        Py_XDECREF(name);
        if (name != NULL) {
            result->name = b->name;
            handle = boc__submit(st, b, result);
        }
    }
    if (handle == NULL) {
        boc__drop_behavior(b);
        boc_behavior_free(b);
    }
    return handle;
}

PyObject *boc__schedule_callable(boc_state_t *st, PyObject *func, spec_t *s) {
    if (s->ncaptures > 255) {
        PyErr_SetString(PyExc_ValueError, "a behavior can have at most 255 captures of a kind");
        return NULL;
    }
    template_t *t = template_of_callable(st, func);
    if (t == NULL)
        return NULL;
    PyObject *handle = schedule_by(st, t, func, s);
    boc__template_leave(t);
    return handle;
}
