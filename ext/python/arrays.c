/* array.array and memoryview as parts of a value.
 *
 * The items of a large array are one block of malloc, as those of a bytearray are, so the block can change interpreters. No header
 * of CPython says where an array keeps it: each interpreter looks at an array that it knows before it believes the
 * structure below, and copies the items where something differs. */
#include "move.h"
#include "parts.h"

#include <stdlib.h>
#include <string.h>

typedef struct array_layout {
    PyObject_VAR_HEAD
    char *items;
    Py_ssize_t allocated;
    const void *kind;
    PyObject *weakrefs;
    Py_ssize_t exports;
} array_t;

bool boc__is_array(PyObject *o) { return strcmp(Py_TYPE(o)->tp_name, "array.array") == 0; }

static PyObject *new_array(boc_state_t *st, const char *kind) {
    if (st->array_type == NULL) {
        PyObject *m = PyImport_ImportModule("array");
        st->array_type = m ? PyObject_GetAttrString(m, "array") : NULL;
        Py_XDECREF(m);
    }
    return st->array_type ? PyObject_CallFunction(st->array_type, "s", kind) : NULL;
}

static bool find_layout(boc_state_t *st) {
    PyObject *o = new_array(st, "H"), *item = o ? PyLong_FromLong(515) : NULL;
    bool known = false;
    if (item != NULL && Py_TYPE(o)->tp_basicsize == (Py_ssize_t)sizeof(array_t)) {
        array_t *a = (array_t *)o;
        PyObject *done = PyObject_CallMethod(o, "append", "O", item);
        Py_buffer view;
        if (done != NULL && PyObject_GetBuffer(o, &view, PyBUF_SIMPLE) == 0) {
            known = a->items == view.buf && Py_SIZE(o) == 1 && a->allocated >= 1 && a->allocated < 64 && a->exports == 1 && a->weakrefs == NULL;
            PyBuffer_Release(&view);
            known = known && a->exports == 0;
        }
        Py_XDECREF(done);
    }
    PyErr_Clear();
    Py_XDECREF(item);
    Py_XDECREF(o);
    return known;
}

static bool layout_known(boc_state_t *st) {
    if (st->array_layout == 0)
        st->array_layout = boc__pointers_move() && find_layout(st) ? 1 : -1;
    return st->array_layout > 0;
}

static char kind_of(PyObject *o) {
    PyObject *kind = PyObject_GetAttrString(o, "typecode");
    const char *text = kind ? PyUnicode_AsUTF8(kind) : NULL;
    char c = text ? *text : 0;
    Py_XDECREF(kind);
    return c;
}

int boc__array_take(boc_state_t *st, PyObject *o, boc_value_t *out) {
    char kind = kind_of(o);
    Py_buffer view;
    if (kind == 0 || PyObject_GetBuffer(o, &view, PyBUF_ND) < 0)
        return -1;
    memset(out, 0, sizeof *out);
    out->tag = V_ARRAY;
    out->aux = (unsigned char)kind;
    out->u.buf.n = (uint64_t)view.len;
    bool large = view.len >= BOC_LARGE;
    if (!large || Py_REFCNT(o) != 1 + 1 /* the view's */ || !layout_known(st)) {
        atomic_fetch_add_explicit(&boc__copied_bytes, (int64_t)view.len, memory_order_relaxed);
        out->u.buf.p = malloc((size_t)view.len + 1);
        if (out->u.buf.p != NULL)
            memcpy(out->u.buf.p, view.buf, (size_t)view.len);
        PyBuffer_Release(&view);
        if (out->u.buf.p == NULL) {
            out->tag = V_EMPTY;
            PyErr_NoMemory();
            return -1;
        }
        return 1;
    }
    PyBuffer_Release(&view);
    array_t *a = (array_t *)o;
    out->u.buf.p = a->items;
    a->items = NULL;
    a->allocated = 0;
    Py_SET_SIZE(o, 0);
    atomic_fetch_add_explicit(&boc__passed_bytes, (int64_t)out->u.buf.n, memory_order_relaxed);
    return 1;
}

static Py_ssize_t item_size(PyObject *o) {
    PyObject *size = PyObject_GetAttrString(o, "itemsize");
    Py_ssize_t n = size ? PyLong_AsSsize_t(size) : -1;
    Py_XDECREF(size);
    return n;
}

PyObject *boc__array_give(boc_state_t *st, boc_value_t *v, bool keep) {
    char kind[2] = {(char)v->aux, 0};
    PyObject *o = new_array(st, kind);
    Py_ssize_t size = o ? item_size(o) : -1;
    if (size <= 0) {
        Py_XDECREF(o);
        return NULL;
    }
    if (keep && v->u.buf.n >= BOC_LARGE && layout_known(st)) {
        array_t *a = (array_t *)o;
        a->items = v->u.buf.p;
        a->allocated = (Py_ssize_t)v->u.buf.n / size;
        Py_SET_SIZE(o, a->allocated);
        v->tag = V_EMPTY;
        return o;
    }
    atomic_fetch_add_explicit(&boc__copied_bytes, (int64_t)v->u.buf.n, memory_order_relaxed);
    PyObject *view = PyMemoryView_FromMemory(v->u.buf.p, (Py_ssize_t)v->u.buf.n, PyBUF_READ);
    PyObject *done = view ? PyObject_CallMethod(o, "frombytes", "O", view) : NULL;
    Py_XDECREF(view);
    if (done == NULL) {
        Py_DECREF(o);
        return NULL;
    }
    Py_DECREF(done);
    if (keep)
        boc__value_drop(v);
    return o;
}

void boc__array_drop(boc_value_t *v) { free(v->u.buf.p); }

/* ---- memoryview ---------------------------------------------------------------------------------------------- */
/* (view, (what it is of, offset, bytes, format, shape, read only)): what it is of moves as itself, so that what was shared
   in a value is shared again. A view of something that cannot move so, or one with gaps, goes with a copy of its contents. */
PyObject *boc__view_reduce(boc_state_t *st, PyObject *o) {
    PyObject *nbytes = PyObject_GetAttrString(o, "nbytes"); /* ValueError of a released one */
    if (nbytes == NULL)
        return NULL;
    Py_DECREF(nbytes);
    const Py_buffer *v = PyMemoryView_GET_BUFFER(o);
    PyObject *base = v->obj, *copy = NULL;
    Py_ssize_t offset = 0;
    bool whole = base != NULL && (PyBytes_CheckExact(base) || PyByteArray_CheckExact(base) || boc__is_array(base));
    if (whole && PyBuffer_IsContiguous(v, 'C')) {
        Py_buffer all;
        if (PyObject_GetBuffer(base, &all, PyBUF_ND) < 0)
            return NULL;
        offset = (char *)v->buf - (char *)all.buf;
        PyBuffer_Release(&all);
    } else {
        copy = base = v->readonly ? PyBytes_FromObject(o) : PyByteArray_FromObject(o);
        if (copy == NULL)
            return NULL;
        atomic_fetch_add_explicit(&boc__copied_bytes, (int64_t)v->len, memory_order_relaxed);
    }
    PyObject *f = boc__py(st, PY_VIEW), *shape = PyTuple_New(v->ndim), *r = NULL;
    for (int i = 0; shape != NULL && i < v->ndim; i++) {
        PyObject *n = PyLong_FromSsize_t(v->shape ? v->shape[i] : v->len / v->itemsize);
        if (n == NULL)
            Py_CLEAR(shape);
        else
            PyTuple_SET_ITEM(shape, i, n);
    }
    if (f != NULL && shape != NULL)
        r = Py_BuildValue("O(OnnsOi)", f, base, offset, v->len, v->format ? v->format : "B", shape, v->readonly);
    Py_XDECREF(shape);
    Py_XDECREF(copy);
    return r;
}
