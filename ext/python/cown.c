/* Cown and PinnedCown: handles. Any number of handles, in any interpreter, name one cown of the core; the value
 * is touched only by the thread that holds it (core->holder). */
#include "binding.h"
#include "hold.h"
#include "lend.h"
#include "live.h"
#include "move.h"
#include "movable.h"

#include <string.h>

#define SELF(o) ((boc_cown_object_t *)(o))
#define CORE(o) (((boc_cown_object_t *)(o))->core)

static bool i_hold(const boc_cown_t *c) {
    return atomic_load_explicit(&c->holder, memory_order_acquire) == boc_self() + 1;
}

PyObject *boc__name_str(uint32_t name) {
    return PyUnicode_DecodeUTF8(boc_name_text(name), (Py_ssize_t)boc_name_size(name), "replace");
}

int boc__name_take(const char *utf8, size_t n, uint32_t *out) {
    *out = boc_name(utf8, n);
    if (*out != 0 || n == 0)
        return 0;
    PyErr_NoMemory();
    return -1;
}

/* The first 60 bytes of a name for a message; a NUL shows as a symbol. */
static const char *short_name(uint32_t name, char out[184]) {
    const char *text = boc_name_text(name);
    size_t n = boc_name_size(name), k = 0;
    for (size_t i = 0; i < n && i < 60; i++) {
        if (text[i] == 0) {
            memcpy(&out[k], "\u2400", 3);
            k += 3;
        } else {
            out[k++] = text[i];
        }
    }
    out[k] = 0;
    return out;
}

const char *boc__cown_label(const boc_cown_t *c, char *buf, size_t n) {
    char name[184];
    if (c->name)
        snprintf(buf, n, "cown '%.60s'", short_name(c->name, name));
    else
        snprintf(buf, n, "cown %llu", (unsigned long long)c->id);
    return buf;
}

int boc__of_before(const boc_cown_t *c) {
    char label[80];
    PyErr_Format(PyExc_RuntimeError, "%s was made before this process was forked: it lives in the parent. Make a new one here",
                 boc__cown_label(c, label, sizeof label));
    return -1;
}

void boc__owner_text(const boc_cown_t *c, char *buf, size_t n) {
    uint32_t h = atomic_load_explicit(&c->holder, memory_order_acquire);
    if (h == 0)
        snprintf(buf, n, boc_cown_idle(c) ? "held by nobody" : "waited for by a behavior");
    else if (h - 1 < BOC_MAX_WORKERS)
        snprintf(buf, n, "owned by worker %u", (unsigned)(h - 1));
    else
        snprintf(buf, n, "owned by main");
}

/* ---- spare handles: a behavior makes and drops several ------------------------- */
#define SPARE_HANDLES 64

static PyObject *handle_alloc(boc_state_t *st, PyTypeObject *t) {
    PyObject *o = t == st->cown_type ? st->spare_handles : NULL;
    if (o == NULL)
        return t->tp_alloc(t, 0);
    st->spare_handles = (PyObject *)CORE(o);
    st->nspare_handles--;
    CORE(o) = NULL;
    return PyObject_Init(o, t); /* its view was cleared when it died */
}

/* Builds without a GIL do without spares: nothing guards them there. */
static void handle_free(PyTypeObject *t, PyObject *o) {
#ifndef Py_GIL_DISABLED
    boc_state_t *st = boc__ctx != NULL ? boc__ctx->st : boc__main_state;
    if (st != NULL && t == st->cown_type && st->nspare_handles < SPARE_HANDLES) {
        CORE(o) = (boc_cown_t *)st->spare_handles;
        st->spare_handles = o;
        st->nspare_handles++;
        return;
    }
#endif
    t->tp_free(o);
}

PyObject *boc__cown_wrap(boc_state_t *st, boc_cown_t *c) {
    PyTypeObject *t = (c->flags & BOC_COWN_PINNED) ? st->pinned_type : st->cown_type;
    PyObject *o = handle_alloc(st, t);
    if (o == NULL) {
        boc_cown_release(c);
        return NULL;
    }
    CORE(o) = c;
    return o;
}

boc_cown_t *boc__cown_core(boc_state_t *st, PyObject *o) { return boc__cown_check(st, o) ? CORE(o) : NULL; }

static void cown_dealloc(PyObject *self) {
    PyTypeObject *t = Py_TYPE(self);
    Py_CLEAR(SELF(self)->view);
    if (CORE(self) != NULL)
        boc_cown_release(CORE(self));
    handle_free(t, self);
    Py_DECREF(t);
}

static int set_name(boc_cown_t *c, PyObject *name) {
    if (name == NULL || name == Py_None)
        return 0;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "name must be a string, not %.100s", Py_TYPE(name)->tp_name);
        return -1;
    }
    Py_ssize_t n;
    const char *text = PyUnicode_AsUTF8AndSize(name, &n);
    if (text == NULL)
        return -1;
    if (n > 0)
        boc__cown_name(c, boc_name(text, (size_t)n), true);
    return 0;
}

#define ELSEWHERE "a worker made this PinnedCown when it imported its module, and pinned values are on main"

static PyObject *cown_new(PyTypeObject *type, PyObject *args, PyObject *kw) {
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    static char *keys[] = {"value", "name", NULL};
    PyObject *value = Py_None, *name = NULL;
    bool pinned = PyType_IsSubtype(type, st->pinned_type);
    if (boc__not_in_update() < 0 ||
        !PyArg_ParseTupleAndKeywords(args, kw, pinned ? "O|$O:PinnedCown" : "|O$O:Cown", keys, &value, &name))
        return NULL;
    bool stands_in = pinned && st->worker >= 0 && boc__importing(st); /* main's own takes its place once the import is through */
    if (pinned && st->worker >= 0 && !stands_in) {
        PyErr_SetString(PyExc_RuntimeError, "PinnedCown(value) can be made on the main interpreter only: its value stays "
                                            "there. Make it outside of behaviors; the handle may go anywhere");
        return NULL;
    }
    boc_cown_t *c = boc_cown_new(pinned ? BOC_COWN_PINNED : 0);
    if (c == NULL)
        return PyErr_NoMemory();
    PyObject *o = handle_alloc(st, type);
    if (o == NULL) {
        boc_cown_release(c);
        return NULL;
    }
    CORE(o) = c;
    if (set_name(c, name) < 0)
        goto fail;
    if (stands_in) {
        c->value.tag = V_DIED;
        c->value.flags = VF_EXC | VF_SEEN | VF_LOST;
        c->value.aux = boc_name(ELSEWHERE, sizeof ELSEWHERE - 1);
    } else if (pinned) {
        c->value.tag = V_LIVE;
        c->value.aux = UINT32_MAX;
        c->value.u.p = Py_NewRef(value);
        c->value.u.buf.n = boc__type_word(st, value);
    } else if (boc__encode_taking(st, value, &c->value, "the value given to Cown()") < 0) {
        goto fail;
    }
    return o;
fail:
    Py_DECREF(o);
    return NULL;
}

static bool is_read_here(const boc_cown_t *c) {
    const boc_behavior_t *b = boc__in_body() ? boc__ctx->current : NULL;
    for (uint32_t i = 0; b != NULL && i < b->nreq; i++)
        if (b->req[i].cown == c)
            return true;
    return false;
}

/* Not held: who has it, and how to hold it. */
static int not_held(const boc_cown_t *c, const char *doing) {
    char label[80], owner[60];
    boc__cown_label(c, label, sizeof label);
    boc__owner_text(c, owner, sizeof owner);
    if (is_read_here(c))
        PyErr_Format(PyExc_RuntimeError, "cannot %s %s: it is read here with read(...); name it without read() to change it", doing,
                     label);
    else if (boc__in_body())
        PyErr_Format(PyExc_RuntimeError,
                     "cannot %s %s here: it is %s. Name it in the @when(...) of this behavior, or schedule a behavior on it",
                     doing, label, owner);
    else
        PyErr_Format(PyExc_RuntimeError,
                     "cannot %s %s here: it is %s. Use it in a behavior (@when(c)), take it with `with c:` when idle, or ask "
                     "for c.result()",
                     doing, label, owner);
    return -1;
}

/* A reader's own copy, or NULL (no exception: this thread does not read it). */
static PyObject *reader_value(boc_state_t *st, PyObject *self) {
    boc_cown_t *c = CORE(self);
    boc_behavior_t *b = boc__ctx->current;
    if (SELF(self)->view != NULL)
        return Py_NewRef(SELF(self)->view);
    for (uint32_t i = 0; i < b->nreq; i++) {
        if (b->req[i].cown != c || b->req[i].mode != BOC_READ)
            continue;
        if (c->value.flags & VF_EXC)
            boc__mark_seen(c);
        PyObject *o = (c->value.flags & BOC_VALUE_ALONE) ? boc__lend(st, c) : boc__decode_cown(st, c, &c->value);
        if (o == NULL)
            return NULL;
        if ((c->value.flags & VF_LOST) && PyExceptionInstance_Check(o)) {
            PyErr_SetRaisedException(o);
            return NULL;
        }
        if (boc__read_view(self, o) < 0) {
            Py_DECREF(o);
            return NULL;
        }
        return o;
    }
    return NULL;
}

static PyObject *cown_get_value(PyObject *self, void *unused) {
    (void)unused;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    boc_cown_t *c = CORE(self);
    if (boc__check_born(c) < 0)
        return NULL;
    if (i_hold(c))
        return boc__slot_get(st, c);
    if (boc__in_body()) {
        PyObject *o = reader_value(st, self);
        if (o != NULL || PyErr_Occurred())
            return o;
    }
    not_held(c, "read the value of");
    return NULL;
}

static int cown_set_value(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return -1;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "the value of a cown cannot be deleted; assign None");
        return -1;
    }
    boc_cown_t *c = CORE(self);
    if (boc__check_born(c) < 0)
        return -1;
    if (!i_hold(c))
        return not_held(c, "assign the value of");
    boc__slot_set(st, c, value);
    return 0;
}

static PyObject *cown_get_exception(PyObject *self, void *unused) {
    (void)unused;
    boc_cown_t *c = CORE(self);
    uint16_t flags = atomic_load_explicit((_Atomic uint16_t *)&c->value.flags, memory_order_acquire);
    bool yes = (flags & VF_EXC) != 0;
    if (yes)
        boc__mark_seen(c);
    return PyBool_FromLong(yes);
}

static int cown_set_exception(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    boc_cown_t *c = CORE(self);
    int yes = value ? PyObject_IsTrue(value) : 0;
    if (yes < 0)
        return -1;
    if (!i_hold(c))
        return not_held(c, "assign .exception of");
    boc__mark_seen(c);
    c->value.flags = (uint16_t)(yes ? (c->value.flags | VF_EXC | VF_SEEN) : (c->value.flags & ~(VF_EXC | VF_LOST)));
    return 0;
}

static PyObject *cown_get_name(PyObject *self, void *unused) {
    (void)unused;
    boc_cown_t *c = CORE(self);
    if (c->name == 0)
        return PyUnicode_FromFormat("cown %llu", (unsigned long long)c->id);
    return boc__name_str(c->name);
}

static PyObject *cown_get_acquired(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(i_hold(CORE(self)));
}

static PyObject *cown_get_id(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(CORE(self)->id);
}

static const char *value_word(const boc_cown_t *c) {
    if (c->value.flags & VF_LOST)
        return "lost";
    if (c->value.flags & VF_EXC)
        return "exception";
    switch (c->value.tag) {
    case V_EMPTY: return "pending";
    case V_NONE: return "None";
    case V_BOOL: return "bool";
    case V_INT: return "int";
    case V_FLOAT: return "float";
    case V_STR: return "str";
    case V_BYTES: case V_BYTESOBJ: return "bytes";
    case V_BYTEARRAY: return "bytearray";
    case V_COWN: return "Cown";
    case V_BLOB: return c->value.aux ? boc_name_text(c->value.aux) : "object";
    case V_MOVED: case V_LENT: return boc__movable(c->value.aux)->name;
    case V_RAWBYTES: return "bytes";
    case V_RAWARRAY: return "bytearray";
    case V_LIVE: return c->value.u.buf.n ? boc_name_text((uint32_t)c->value.u.buf.n) : "object";
    default: return "object";
    }
}

static PyObject *cown_repr(PyObject *self) {
    boc_cown_t *c = CORE(self);
    char owner[60], label[80], name[184];
    boc__owner_text(c, owner, sizeof owner);
    const char *kind = (c->flags & BOC_COWN_PINNED) ? "PinnedCown" : "Cown";
    const char *word = value_word(c);
    if (i_hold(c) && c->value.tag == V_LIVE)
        word = Py_TYPE((PyObject *)c->value.u.p)->tp_name;
    uint32_t number = boc__name_number(c);
    if (c->name && number > 1)
        snprintf(label, sizeof label, "%.60s#%u", short_name(c->name, name), number);
    else if (c->name)
        snprintf(label, sizeof label, "%.60s", short_name(c->name, name));
    else
        snprintf(label, sizeof label, "%llu", (unsigned long long)c->id);
    uint32_t q = boc_cown_queue(c);
    return PyUnicode_FromFormat("<%s %s: %s%s, %s>", kind, label, owner, q > 1 ? ", behaviors queued" : "", word);
}

static Py_hash_t cown_hash(PyObject *self) {
    Py_hash_t h = (Py_hash_t)(CORE(self)->id * 0x9E3779B97F4A7C15ull >> 1);
    return h == -1 ? -2 : h;
}

static PyObject *cown_richcompare(PyObject *a, PyObject *b, int op) {
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    if (!boc__cown_check(st, a) || !boc__cown_check(st, b))
        Py_RETURN_NOTIMPLEMENTED;
    uint64_t x = CORE(a)->id, y = CORE(b)->id;
    Py_RETURN_RICHCOMPARE(x, y, op);
}

static PyObject *cown_acquire(PyObject *self, PyObject *unused) {
    (void)unused;
    if (boc__hold(CORE(self)) < 0)
        return NULL;
    if (boc__is_moved(CORE(self)->value.tag)) /* objects that main moved into it have their contents from here on */
        boc__slot_open(boc__st(), CORE(self));
    Py_RETURN_NONE;
}

static PyObject *cown_release(PyObject *self, PyObject *unused) {
    (void)unused;
    return boc__let_go(CORE(self)) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *cown_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    if (boc__hold(CORE(self)) < 0)
        return NULL;
    uint16_t seen = CORE(self)->value.flags & VF_SEEN;
    PyObject *value = boc__slot_get(boc__st(), CORE(self));
    if (!seen) /* holding alone is not looking */
        CORE(self)->value.flags &= (uint16_t)~VF_SEEN;
    if (value == NULL) { /* a lost value: the block may still assign another */
        boc__forgive();
        Py_RETURN_NONE;
    }
    return value;
}

static PyObject *cown_exit(PyObject *self, PyObject *args) {
    (void)args;
    return boc__let_go(CORE(self)) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *cown_done(PyObject *self, PyObject *unused) {
    (void)unused;
    boc_cown_t *c = CORE(self);
    return PyBool_FromLong(boc_cown_idle(c) && c->value.tag != V_EMPTY); /* empty: a result of an open batch */
}

static PyObject *cown_result(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    PyObject *timeout = Py_None;
    Py_ssize_t nk = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    if (n + nk > 1 || (nk && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "timeout") != 0)) {
        PyErr_SetString(PyExc_TypeError, "result() takes one argument, timeout=None (seconds)");
        return NULL;
    }
    if (n + nk == 1)
        timeout = args[0];
    return boc__result(CORE(self), timeout);
}

static PyObject *cown_unwrap(PyObject *self, PyObject *unused) {
    (void)unused;
    return boc__unwrap(CORE(self));
}

static PyObject *cown_await(PyObject *self) {
    PyObject *m = PyImport_ImportModule("boc._await");
    if (m == NULL)
        return NULL;
    PyObject *r = PyObject_CallMethod(m, "awaiter", "O", self);
    Py_DECREF(m);
    return r;
}

static PyMethodDef cown_methods[] = {
    {"acquire", cown_acquire, METH_NOARGS,
     "acquire()\n--\n\nTake an idle cown on main. RuntimeError at once if it is owned elsewhere or behaviors queue for it."},
    {"release", cown_release, METH_NOARGS, "release()\n--\n\nGive it back; behaviors that queued behind may start."},
    {"__enter__", cown_enter, METH_NOARGS, "with c as value: hold an idle cown on main; `value` is its value"},
    {"__exit__", cown_exit, METH_VARARGS, NULL},
    {"done", cown_done, METH_NOARGS, "done()\n--\n\nTrue while no behavior holds or awaits the cown."},
    {"result", (PyCFunction)(void (*)(void))cown_result, METH_FASTCALL | METH_KEYWORDS,
     "result(timeout=None)\n--\n\nWait in order behind what is queued and return a snapshot of the value.\n\n"
     "Changing the snapshot does not reach the cown. A captured exception is raised again with the worker's\n"
     "traceback. timeout: seconds, None waits for ever; TimeoutError."},
    {"unwrap", cown_unwrap, METH_NOARGS,
     "unwrap()\n--\n\nTake the value out, leaving None, and copy nothing. A captured exception is raised and cleared.\n"
     "RuntimeError while a behavior holds or awaits the cown."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "Cown[T]: for annotations."},
    {"__reduce__", boc__cown_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef cown_getset[] = {
    {"value", cown_get_value, cown_set_value, "The value; only for whoever holds the cown.", NULL},
    {"exception", cown_get_exception, cown_set_exception,
     "True if the value is an exception that a behavior let escape; False while pending.", NULL},
    {"name", cown_get_name, NULL, "The name for people: what was given, what a behavior called it, or `cown 7`.", NULL},
    {"acquired", cown_get_acquired, NULL, "True if the one who asks holds it.", NULL},
    {"id", cown_get_id, NULL, "A number, the same in every interpreter of this runtime.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot cown_slots[] = {
    {Py_tp_doc, "Cown(value=None, *, name=None)\n--\n\nA box for one value, owned by one interpreter at a time.\n\n"
                "The handle may be copied anywhere; the value is touched only by its owner: in a behavior that names the\n"
                "cown in @when(...), or on main inside `with c:`. The value is taken at the call."},
    {Py_tp_new, cown_new},
    {Py_tp_dealloc, cown_dealloc},
    {Py_tp_methods, cown_methods},
    {Py_tp_getset, cown_getset},
    {Py_tp_repr, cown_repr},
    {Py_tp_hash, cown_hash},
    {Py_tp_richcompare, cown_richcompare},
    {Py_am_await, cown_await},
    {0, NULL},
};
static PyType_Spec cown_spec = {"boc.Cown", sizeof(boc_cown_object_t), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, cown_slots};

static PyType_Slot pinned_slots[] = {
    {Py_tp_doc, "PinnedCown(value, *, name=None)\n--\n\nA cown whose value never leaves the main interpreter.\n\n"
                "Any behavior with one in its set runs on the main thread, in pump() or in a wait there."},
    {0, NULL},
};
static PyType_Spec pinned_spec = {"boc.PinnedCown", sizeof(boc_cown_object_t), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                  pinned_slots};

int boc__cown_init(boc_state_t *st) {
    st->cown_type = (PyTypeObject *)PyType_FromModuleAndSpec(st->module, &cown_spec, NULL);
    if (st->cown_type == NULL || PyModule_AddType(st->module, st->cown_type) < 0)
        return -1;
    st->pinned_type = (PyTypeObject *)PyType_FromModuleAndSpec(st->module, &pinned_spec, (PyObject *)st->cown_type);
    return st->pinned_type == NULL ? -1 : PyModule_AddType(st->module, st->pinned_type);
}
