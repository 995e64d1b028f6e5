/* The faces of scheduling: when(...), its decorator object, read(...), whencall(...), batch(). */
#include "environ.h"
#include "replay.h"
#include "stepping.h"
#include "when.h"

#include <stdlib.h>
#include <string.h>

#define FEW 6

typedef struct when_object {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    spec_t spec;
    item_t few[FEW];
    PyObject *keep;  /* the argument objects (a tuple), so that their cowns live */
} when_object_t;

typedef struct read_object {
    PyObject_HEAD
    PyObject *of; /* a cown, or a tuple of cowns */
} read_object_t;

/* ---- arguments -------------------------------------------------------------------- */
static int put(when_object_t *w, uint32_t *cap, boc_cown_t *c, uint32_t param, uint8_t mode, bool in_list) {
    spec_t *s = &w->spec;
    if (s->nitems == *cap) {
        uint32_t n = *cap * 4;
        item_t *t = PyMem_Malloc(n * sizeof *t);
        if (t == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(t, s->items, s->nitems * sizeof *t);
        if (s->items != w->few)
            PyMem_Free(s->items);
        s->items = t;
        *cap = n;
    }
    s->items[s->nitems++] = (item_t){c, param, mode, in_list};
    return 0;
}

static int no_cown(PyObject *o, uint32_t param) {
    if (PyFunction_Check(o)) {
        PyErr_Format(PyExc_TypeError, "argument %u of @when is the function %R, not a Cown; @when without cowns is written @when()",
                     param + 1, ((PyFunctionObject *)o)->func_qualname);
        return -1;
    }
    PyErr_Format(PyExc_TypeError,
                 "argument %u of @when is of type '%.100s', not a Cown (or a list or tuple of them); wrap the value: Cown(value)",
                 param + 1, Py_TYPE(o)->tp_name);
    return -1;
}

static int put_argument(boc_state_t *st, when_object_t *w, uint32_t *cap, PyObject *o, uint32_t param, uint8_t mode, bool in_list) {
    if (boc__cown_check(st, o))
        return boc__check_born(((boc_cown_object_t *)o)->core) < 0
                   ? -1
                   : put(w, cap, ((boc_cown_object_t *)o)->core, param, mode, in_list);
    if (Py_TYPE(o) == st->read_type)
        return put_argument(st, w, cap, ((read_object_t *)o)->of, param, BOC_READ, in_list);
    if (in_list || !(PyList_Check(o) || PyTuple_Check(o)))
        return no_cown(o, param);
    Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
    if (n == 0)
        return put(w, cap, NULL, param, mode, true); /* an empty list is an empty list */
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *e = PySequence_Fast_GET_ITEM(o, i);
        if (PyList_Check(e) || PyTuple_Check(e))
            return no_cown(e, param);
        if (put_argument(st, w, cap, e, param, mode, true) < 0)
            return -1;
    }
    return 0;
}

static int keyword(when_object_t *w, PyObject *key, PyObject *value) {
    if (PyUnicode_CompareWithASCIIString(key, "name") == 0) {
        if (value == Py_None)
            return 0;
        if (!PyUnicode_Check(value)) {
            PyErr_Format(PyExc_TypeError, "name must be a string, not %.100s", Py_TYPE(value)->tp_name);
            return -1;
        }
        Py_ssize_t n;
        const char *text = PyUnicode_AsUTF8AndSize(value, &n);
        if (text == NULL)
            return -1;
        w->spec.name = boc_name(text, (size_t)n);
        return 0;
    }
    if (PyUnicode_CompareWithASCIIString(key, "on") == 0) {
        if (value == Py_None)
            return 0;
        if (!PyUnicode_Check(value)) {
            PyErr_Format(PyExc_TypeError, "on must be a string, not %.100s", Py_TYPE(value)->tp_name);
            return -1;
        }
        if (PyUnicode_CompareWithASCIIString(value, "main") == 0) {
            w->spec.on_main = true;
            return 0;
        }
        bool automatic = PyUnicode_CompareWithASCIIString(value, "auto") == 0;
        for (uint32_t i = 0; !automatic && i < w->spec.nitems; i++) {
            if (w->spec.items[i].core != NULL && (w->spec.items[i].core->flags & BOC_COWN_PINNED)) {
                PyErr_Format(PyExc_ValueError, "on=%R, but one of the cowns is pinned: such a behavior runs on main", value);
                return -1;
            }
        }
        if (automatic || PyUnicode_CompareWithASCIIString(value, "interpreter") == 0)
            return 0;
        PyErr_Format(PyExc_ValueError, "on=%R: known here are 'auto', 'interpreter' and 'main'", value);
        return -1;
    }
    PyErr_Format(PyExc_ValueError, "@when knows the keywords name= and on=, not %R", key);
    return -1;
}

/* One decorator at a time is alive, as a rule: the last one is used again. */
static when_object_t *new_when(boc_state_t *st) {
    when_object_t *w = st->spare_when;
    if (w == NULL) {
        w = (when_object_t *)st->when_type->tp_alloc(st->when_type, 0);
    } else {
        st->spare_when = NULL;
        (void)PyObject_Init((PyObject *)w, st->when_type);
        w->spec = (spec_t){0};
    }
    if (w != NULL)
        w->spec.items = w->few;
    return w;
}

static when_object_t *parse(boc_state_t *st, PyObject *const *args, Py_ssize_t n, bool keep) {
    when_object_t *w = new_when(st);
    if (w == NULL)
        return NULL;
    uint32_t cap = FEW;
    w->spec.nargs = n;
    for (Py_ssize_t i = 0; i < n; i++)
        if (put_argument(st, w, &cap, args[i], (uint32_t)i, BOC_WRITE, false) < 0)
            goto fail;
    for (uint32_t i = 0; keep && i < w->spec.nitems; i++)
        if (w->spec.items[i].core != NULL)
            boc_cown_retain(w->spec.items[i].core);
    w->keep = keep ? Py_NewRef(Py_None) : NULL;
    return w;
fail:
    Py_DECREF(w);
    return NULL;
}

/* ---- the decorator ------------------------------------------------------------------ */
static PyObject *when_call(PyObject *self, PyObject *const *args, size_t nf, PyObject *kwnames) {
    when_object_t *w = (when_object_t *)self;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    if (PyVectorcall_NARGS(nf) != 1 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError, "@when(...) decorates one function");
        return NULL;
    }
    return boc__schedule(st, args[0], &w->spec);
}

static void when_dealloc(PyObject *self) {
    when_object_t *w = (when_object_t *)self;
    PyTypeObject *t = Py_TYPE(self);
    if (w->keep != NULL) {
        for (uint32_t i = 0; i < w->spec.nitems; i++)
            if (w->spec.items[i].core != NULL)
                boc_cown_release(w->spec.items[i].core);
        Py_CLEAR(w->keep);
    }
    if (w->spec.items != w->few)
        PyMem_Free(w->spec.items);
#ifndef Py_GIL_DISABLED
    boc_state_t *st = boc__ctx != NULL ? boc__ctx->st : boc__main_state;
    if (st != NULL && t == st->when_type && st->spare_when == NULL) {
        st->spare_when = w;
        Py_DECREF(t);
        return;
    }
#endif
    t->tp_free(self);
    Py_DECREF(t);
}

PyObject *boc__when(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    (void)module;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    if (st->worker < 0)
        boc__environ_check();
    when_object_t *w = parse(st, args, n, true);
    if (w == NULL)
        return NULL;
    w->vectorcall = when_call;
    for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); i++) {
        if (keyword(w, PyTuple_GET_ITEM(kwnames, i), args[n + i]) < 0) {
            Py_DECREF(w);
            return NULL;
        }
    }
    return (PyObject *)w;
}

/* The items of an iterable argument that is no text; says what is wanted of it otherwise. */
static PyObject *a_tuple(PyObject *o, const char *wanted) {
    PyObject *t = PyUnicode_Check(o) || PyBytes_Check(o) ? NULL : PySequence_Tuple(o);
    if (t == NULL && (!PyErr_Occurred() || (PyErr_ExceptionMatches(PyExc_TypeError) && Py_TYPE(o)->tp_iter == NULL)))
        PyErr_Format(PyExc_TypeError, "whencall(func, cowns, captures=()): %s, not %.100s", wanted, Py_TYPE(o)->tp_name);
    return t;
}

PyObject *boc__whencall(PyObject *module, PyObject *args, PyObject *kw) {
    (void)module;
    static char *keys[] = {"func", "cowns", "captures", "name", "on", NULL};
    PyObject *func, *cowns, *captures = NULL, *name = Py_None, *on = Py_None;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyArg_ParseTupleAndKeywords(args, kw, "OO|O$OO:whencall", keys, &func, &cowns, &captures, &name, &on))
        return NULL;
    if (st->worker < 0)
        boc__environ_check();
    PyObject *list, *result = NULL, *extra = NULL, *kwcaptures = NULL;
    if (boc__cown_check(st, cowns) || Py_TYPE(cowns) == st->read_type)
        list = PyTuple_Pack(1, cowns);
    else
        list = a_tuple(cowns, "cowns must be a list or tuple of cowns");
    if (list == NULL)
        return NULL;
    when_object_t *w = parse(st, ((PyTupleObject *)list)->ob_item, PyTuple_GET_SIZE(list), false);
    PyObject *k_name = PyUnicode_FromString("name"), *k_on = PyUnicode_FromString("on");
    if (w == NULL || k_name == NULL || k_on == NULL || keyword(w, k_name, name) < 0 || keyword(w, k_on, on) < 0)
        goto done;
    if (captures != NULL && captures != Py_None) {
        if (PyDict_Check(captures)) {
            /* by parameter name: those of the trailing parameters in their order, the rest keyword-only */
            kwcaptures = PyDict_Copy(captures);
            extra = PyList_New(0);
            PyObject *names = PyFunction_Check(func) ? PyCode_GetVarnames((PyCodeObject *)PyFunction_GET_CODE(func)) : NULL;
            Py_ssize_t argcount = PyFunction_Check(func) ? ((PyCodeObject *)PyFunction_GET_CODE(func))->co_argcount : 0;
            PyObject *defaults = PyFunction_Check(func) ? PyFunction_GET_DEFAULTS(func) : NULL;
            Py_ssize_t ndef = defaults ? PyTuple_GET_SIZE(defaults) : 0;
            Py_ssize_t left = kwcaptures ? PyDict_GET_SIZE(kwcaptures) : 0;
            for (Py_ssize_t i = w->spec.nargs; kwcaptures && extra && names && i < argcount && left > 0; i++) {
                PyObject *v = PyDict_GetItemWithError(kwcaptures, PyTuple_GET_ITEM(names, i));
                if (v != NULL)
                    left--;
                else if (i >= argcount - ndef)
                    v = PyTuple_GET_ITEM(defaults, i - (argcount - ndef));
                else
                    break;
                if (PyList_Append(extra, v) < 0)
                    break;
            }
            Py_ssize_t kwonly = PyFunction_Check(func) ? ((PyCodeObject *)PyFunction_GET_CODE(func))->co_kwonlyargcount : 0;
            for (Py_ssize_t i = argcount; kwcaptures && names && i < argcount + kwonly; i++)
                left -= PyDict_Contains(kwcaptures, PyTuple_GET_ITEM(names, i)) > 0;
            Py_XDECREF(names);
            if (!PyErr_Occurred() && left > 0)
                PyErr_Format(PyExc_TypeError, "captures names a parameter that the behavior does not have: %R", captures);
            if (PyErr_Occurred())
                goto done;
            w->spec.kwcaptures = kwcaptures;
            Py_XSETREF(extra, PySequence_Tuple(extra));
        } else {
            extra = a_tuple(captures, "captures must be a list of values passed after the cowns, or a dict by parameter name");
        }
        if (extra == NULL)
            goto done;
        w->spec.captures = ((PyTupleObject *)extra)->ob_item;
        w->spec.ncaptures = PyTuple_GET_SIZE(extra);
    }
    result = boc__schedule(st, func, &w->spec);
done:
    Py_XDECREF(k_name);
    Py_XDECREF(k_on);
    Py_XDECREF(extra);
    Py_XDECREF(kwcaptures);
    Py_XDECREF(w);
    Py_DECREF(list);
    return result;
}

/* ---- read(...) ------------------------------------------------------------------------ */
PyObject *boc__read(PyObject *module, PyObject *arg) {
    (void)module;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    PyObject *of;
    if (boc__cown_check(st, arg) || Py_TYPE(arg) == st->read_type) {
        of = Py_NewRef(arg);
    } else if (PyList_Check(arg) || PyTuple_Check(arg)) {
        of = PySequence_Tuple(arg);
        for (Py_ssize_t i = 0; of != NULL && i < PyTuple_GET_SIZE(of); i++) {
            PyObject *e = PyTuple_GET_ITEM(of, i);
            if (!boc__cown_check(st, e) && Py_TYPE(e) != st->read_type) {
                PyErr_Format(PyExc_TypeError, "read([...]) takes cowns, not %.100s", Py_TYPE(e)->tp_name);
                Py_CLEAR(of);
            }
        }
    } else {
        PyErr_Format(PyExc_TypeError, "read(...) takes a Cown or a list of them, not %.100s", Py_TYPE(arg)->tp_name);
        return NULL;
    }
    if (of == NULL)
        return NULL;
    read_object_t *r = (read_object_t *)st->read_type->tp_alloc(st->read_type, 0);
    if (r == NULL) {
        Py_DECREF(of);
        return NULL;
    }
    r->of = of;
    return (PyObject *)r;
}

static void read_dealloc(PyObject *self) {
    PyTypeObject *t = Py_TYPE(self);
    Py_CLEAR(((read_object_t *)self)->of);
    t->tp_free(self);
    Py_DECREF(t);
}

static PyObject *read_repr(PyObject *self) { return PyUnicode_FromFormat("read(%R)", ((read_object_t *)self)->of); }

/* ---- batch() --------------------------------------------------------------------------- */
static _Thread_local boc_batch_t batch BOC_TLS;
static _Thread_local uint32_t batches BOC_TLS; /* that this thread opened */

uint32_t boc__batching(void) { return batch.depth > 0 ? batch.number : 0; }

int boc__batch_add(boc_behavior_t *b) {
    if (batch.n == batch.cap) {
        uint32_t cap = batch.cap ? batch.cap * 2 : 16;
        boc_behavior_t **t = realloc(batch.list, cap * sizeof *t);
        if (t == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        batch.list = t;
        batch.cap = cap;
    }
    batch.list[batch.n++] = b;
    return 0;
}

/* _batch_enter() -> the number of the outermost one */
PyObject *boc__batch_enter(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    if (batch.depth++ == 0 && (batch.number = ++batches) == 0)
        batch.number = ++batches;
    PyObject *number = PyLong_FromUnsignedLong(batch.number);
    if (number == NULL)
        batch.depth--;
    return number;
}

/* _batch_exit(ok): at the end of the outermost block, all or none. */
PyObject *boc__batch_exit(PyObject *module, PyObject *ok) {
    (void)module;
    int good = PyObject_IsTrue(ok);
    if (good < 0)
        return NULL;
    if (batch.depth == 0) {
        PyErr_SetString(PyExc_RuntimeError, "this batch belongs to another thread");
        return NULL;
    }
    if (--batch.depth > 0)
        Py_RETURN_NONE;
    boc_behavior_t **list = batch.list; /* destructors of what is dropped may open a batch of their own */
    uint32_t n = batch.n, cap = batch.cap;
    batch.list = NULL;
    batch.n = batch.cap = 0;
    int rc = 0;
    boc__turn_t turn;
    bool replay = good && n && boc__hooked(HOOK_REPLAY), raised = false;
    if (good && n && boc__hooked(HOOK_NUMBERED))
        boc__gate_scheduling(list, n);
    if (replay && boc__replay_turn(list, n, &turn) < 0)
        raised = true;
    if (good && n && !raised)
        rc = boc_schedule_batch(list, n, boc__in_body() ? boc__ctx->current->id : 0);
    if (replay && !raised)
        boc__replay_joined(&turn);
    if (!good || rc < 0 || raised) {
        for (uint32_t i = 0; i < n; i++) {
            boc__host_cancelled(list[i]);
            boc__drop_behavior(list[i]);
            boc_behavior_free(list[i]);
        }
    }
    if (batch.list == NULL) {
        batch.list = list;
        batch.cap = cap;
    } else {
        free(list);
    }
    if (raised)
        return NULL;
    if (rc < 0)
        return boc__raise_code(rc, "batch()");
    Py_RETURN_NONE;
}

void boc__batch_aside(boc_batch_t *outer) {
    *outer = batch;
    batch = (boc_batch_t){0};
}

void boc__batch_back(const boc_batch_t *outer) {
    if (batch.depth > 0) { /* the body ended inside: none of it is scheduled, as if an exception had left it */
        PyObject *exc = PyErr_GetRaisedException();
        batch.depth = 1;
        Py_XDECREF(boc__batch_exit(NULL, Py_False));
        PyErr_SetRaisedException(exc);
    }
    if (outer->list != NULL) {
        free(batch.list);
        batch = *outer;
    } else {
        batch.depth = outer->depth; /* and it keeps the room that the body made */
    }
}

/* ---- types ------------------------------------------------------------------------------ */
static PyMemberDef when_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(when_object_t, vectorcall), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot when_slots[] = {
    {Py_tp_dealloc, when_dealloc},
    {Py_tp_members, when_members},
    {Py_tp_call, PyVectorcall_Call},
    {0, NULL},
};
static PyType_Spec when_spec = {"boc._core.When", sizeof(when_object_t), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, when_slots};
static PyType_Slot read_slots[] = {{Py_tp_dealloc, read_dealloc}, {Py_tp_repr, read_repr}, {0, NULL}};
static PyType_Spec read_spec = {"boc._core.Read", sizeof(read_object_t), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                read_slots};

int boc__when_init(boc_state_t *st) {
    st->when_type = (PyTypeObject *)PyType_FromModuleAndSpec(st->module, &when_spec, NULL);
    st->read_type = (PyTypeObject *)PyType_FromModuleAndSpec(st->module, &read_spec, NULL);
    st->code_extra = PyUnstable_Eval_RequestCodeExtraIndex(boc__template_free);
    return st->when_type == NULL || st->read_type == NULL || st->code_extra < 0 ? -1 : 0;
}
