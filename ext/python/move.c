/* Values that move as a pointer: registered C types, large bytes, large bytearrays.
 *
 * Memory of large objects comes from malloc whatever interpreter asked for it, so on builds with a GIL a bytes object with
 * one reference, or a bytearray's buffer, can change interpreters as it is. Not with debug allocators, whose blocks carry
 * their domain; not on free-threaded builds, whose heaps are per interpreter: there they are encoded. */
#include "movable.h"
#include "move.h"
#include "parts.h"

#include <stdlib.h>
#include <string.h>

#define LARGE BOC_LARGE

static bool pointers_move;

void boc__move_init(void) {
#if !defined(Py_GIL_DISABLED) && !defined(Py_DEBUG)
    const char *allocator = getenv("PYTHONMALLOC");
    PyObject *flags = PySys_GetObject("flags");
    PyObject *dev = flags ? PyObject_GetAttrString(flags, "dev_mode") : NULL;
    pointers_move = (allocator == NULL || *allocator == 0) && dev != NULL && PyObject_IsTrue(dev) == 0;
    Py_XDECREF(dev);
    PyErr_Clear();
#endif
}

bool boc__pointers_move(void) { return pointers_move; }

typedef struct raw_array { /* a bytearray's memory on its way */
    char *memory;
    char *start;
    Py_ssize_t size, alloc;
} raw_array_t;

static int take_bytes(PyObject *o, boc_value_t *out) {
    if (!pointers_move || Py_REFCNT(o) != 1 || PyBytes_GET_SIZE(o) < LARGE)
        return 0;
    memset(out, 0, sizeof *out);
    out->tag = V_BYTESOBJ;
    out->u.buf.p = o; /* takes over the one reference */
    out->u.buf.n = (uint64_t)PyBytes_GET_SIZE(o);
    return 1;
}

/* From 3.15 on the memory of a bytearray is that of a bytes object, and an empty one has the one empty bytes object. */
static int take_bytearray(PyObject *o, boc_value_t *out) {
    PyByteArrayObject *a = (PyByteArrayObject *)o;
    if (!pointers_move || a->ob_alloc < LARGE || a->ob_exports != 0)
        return 0;
    raw_array_t *r = malloc(sizeof *r);
    if (r == NULL)
        return 0;
#if PY_VERSION_HEX >= 0x030f0000
    PyObject *empty = Py_REFCNT(a->ob_bytes_object) == 1 ? PyByteArray_FromStringAndSize(NULL, 0) : NULL;
    if (empty == NULL) {
        PyErr_Clear();
        free(r);
        return 0;
    }
    PyByteArrayObject *e = (PyByteArrayObject *)empty;
    *r = (raw_array_t){(char *)a->ob_bytes_object, a->ob_start, Py_SIZE(a), a->ob_alloc};
    a->ob_bytes_object = Py_NewRef(e->ob_bytes_object);
    a->ob_bytes = e->ob_bytes;
    a->ob_start = e->ob_start;
    a->ob_alloc = e->ob_alloc;
    Py_DECREF(empty);
#else
    *r = (raw_array_t){a->ob_bytes, a->ob_start, Py_SIZE(a), a->ob_alloc};
    a->ob_bytes = a->ob_start = NULL;
    a->ob_alloc = 0;
#endif
    Py_SET_SIZE(a, 0);
    memset(out, 0, sizeof *out);
    out->tag = V_BYTEARRAY;
    out->u.buf.p = r;
    out->u.buf.n = (uint64_t)r->size;
    return 1;
}

static void moved(boc_value_t *out, uint32_t index, void *payload) {
    memset(out, 0, sizeof *out);
    out->tag = V_MOVED;
    out->u.p = payload;
    out->aux = index;
    out->flags = boc__movable(index)->copy_payload == NULL ? BOC_VALUE_ALONE : 0;
}

int boc__take_buffer(PyObject *o, boc_value_t *out) { return PyBytes_CheckExact(o) ? take_bytes(o, out) : take_bytearray(o, out); }

int boc__take(boc_state_t *st, PyObject *o, boc_value_t *out) {
    if (PyBytes_CheckExact(o) || PyByteArray_CheckExact(o))
        return boc__take_buffer(o, out);
    int32_t i = boc__movable_index(st, o);
    if (i < 0)
        return PyErr_Occurred() ? -1 : 0;
    void *payload = NULL;
    if (boc__movable((uint32_t)i)->take(o, &payload) < 0)
        return -1;
    moved(out, (uint32_t)i, payload);
    return 1;
}

bool boc__moves(boc_state_t *st, PyObject *o) {
    if (PyBytes_CheckExact(o))
        return pointers_move && PyBytes_GET_SIZE(o) >= LARGE;
    if (PyByteArray_CheckExact(o))
        return pointers_move && PyByteArray_GET_SIZE(o) >= LARGE;
    return boc__movable_index(st, o) >= 0;
}

int boc__take_copy(boc_state_t *st, PyObject *o, boc_value_t *out) {
    int32_t i = boc__movable_index(st, o);
    if (i < 0)
        return PyErr_Occurred() ? -1 : 0;
    const boc_movable_t *ops = boc__movable((uint32_t)i);
    void *payload = NULL;
    if (ops->copy == NULL) {
        PyErr_Format(PyExc_TypeError, "%s cannot be copied, it can only move", ops->name);
        return -1;
    }
    if (ops->copy(o, &payload) < 0)
        return -1;
    moved(out, (uint32_t)i, payload);
    return 1;
}

PyObject *boc__give(boc_state_t *st, boc_value_t *v) {
    PyObject *o = NULL;
    if (v->tag == V_BYTESOBJ) {
        o = v->u.buf.p;
    } else if (v->tag == V_BYTEARRAY) {
        raw_array_t *r = v->u.buf.p;
        o = PyByteArray_FromStringAndSize(NULL, 0);
        if (o != NULL) {
            PyByteArrayObject *a = (PyByteArrayObject *)o;
#if PY_VERSION_HEX >= 0x030f0000
            Py_SETREF(a->ob_bytes_object, (PyObject *)r->memory);
            a->ob_bytes = PyBytes_AS_STRING(a->ob_bytes_object);
#else
            a->ob_bytes = r->memory;
#endif
            a->ob_start = r->start;
            a->ob_alloc = r->alloc;
            Py_SET_SIZE(a, r->size);
            free(r);
        }
    } else {
        o = boc__movable_give(st, v->aux, v->u.p);
    }
    if (o != NULL)
        v->tag = V_EMPTY;
    return o;
}

void boc__moved_drop(boc_value_t *v) {
    if (v->tag == V_BYTESOBJ) {
        free(v->u.buf.p); /* large: the object is one block of malloc */
    } else if (v->tag == V_BYTEARRAY) {
        raw_array_t *r = v->u.buf.p;
        free(r->memory);
        free(r);
    } else {
        boc__movable(v->aux)->drop(v->u.p);
    }
}

const char *boc__moved_bytes(const boc_value_t *v) {
    return v->tag == V_BYTESOBJ ? PyBytes_AS_STRING(v->u.buf.p) : ((raw_array_t *)v->u.buf.p)->start;
}

/* A copy that needs no interpreter: large bytes become raw ones. False: out of memory, or the type cannot be copied. */
bool boc__moved_copy(boc_value_t *to, const boc_value_t *from) {
    *to = *from;
    if (from->tag == V_MOVED) {
        const boc_movable_t *ops = boc__movable(from->aux);
        to->u.p = ops->copy_payload != NULL ? ops->copy_payload(from->u.p) : NULL;
        return to->u.p != NULL;
    }
    const char *data = boc__moved_bytes(from);
    boc_blob_t *b = boc__blob_new(from->u.buf.n);
    if (b == NULL)
        return false;
    memcpy(b->data, data, b->len);
    memset(to, 0, sizeof *to);
    to->tag = from->tag == V_BYTESOBJ ? V_RAWBYTES : V_RAWARRAY;
    to->flags = from->flags;
    to->u.p = b;
    return true;
}

PyObject *boc__no_copy(boc_state_t *st, uint32_t index) {
    PyObject *type = boc__error_type(st, "TransferError");
    PyObject *text = index == UINT32_MAX
                         ? PyUnicode_FromString("no memory for a copy of the value")
                         : PyUnicode_FromFormat("a value of type %s cannot be copied, it can only move: hold its cown instead, or take the "
                                                "value out with unwrap()",
                                                boc__movable(index)->name);
    PyObject *error = type && text ? PyObject_CallOneArg(type, text) : NULL;
    PyObject *name = error && index != UINT32_MAX ? PyUnicode_FromString(boc__movable(index)->name) : NULL;
    if (error != NULL && (name == NULL || PyObject_SetAttrString(error, "type_name", name) < 0))
        boc__forgive(); /* the text says it too */
    Py_XDECREF(name);
    Py_XDECREF(text);
    return error;
}

/* For a reader of a value that can be given once only: from a copy. */
PyObject *boc__moved_decode(boc_state_t *st, const boc_value_t *v) {
    boc_value_t copy;
    if (v->tag == V_BYTESOBJ)
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(v->u.buf.p), (Py_ssize_t)v->u.buf.n);
    if (v->tag == V_BYTEARRAY)
        return PyByteArray_FromStringAndSize(((raw_array_t *)v->u.buf.p)->start, (Py_ssize_t)v->u.buf.n);
    if (!boc__moved_copy(&copy, v)) {
        PyObject *error = boc__no_copy(st, v->aux);
        if (error != NULL)
            PyErr_SetRaisedException(error);
        return NULL;
    }
    PyObject *o = boc__give(st, &copy);
    if (o == NULL)
        boc__value_drop(&copy);
    return o;
}
