/* Parts of encoded data that are not in its bytes.
 *
 * While a pickle is written, a part is a reference to the object. Once the value it was in is gone (a cown's slot was
 * emptied), or at once where the original stays, the parts are sealed: an object that nothing else refers to is taken
 * as it is, by its pointer; of any other a copy is made. Sealed parts can be dropped by any thread. */
#include "parts.h"
#include "move.h"
#include "registry.h"

#include <stdlib.h>
#include <string.h>

_Atomic int64_t boc__passed_bytes, boc__copied_bytes;

int boc__part_add(boc_parts_t *to, PyObject *o, bool in_order) {
    if (o == NULL)
        return -1;
    if (to->n == to->cap) {
        uint32_t cap = to->cap ? to->cap * 2 : 4;
        boc_part_t *t = realloc(to->list, cap * sizeof *t);
        if (t == NULL) {
            Py_DECREF(o);
            PyErr_NoMemory();
            return -1;
        }
        to->list = t;
        to->cap = cap;
    }
    to->list[to->n++] = (boc_part_t){.object = o, .in_order = in_order};
    return 0;
}

static size_t size_of(const boc_value_t *v) {
    switch (v->tag) {
    case V_BYTESOBJ: case V_BYTEARRAY: case V_ARRAY: return v->u.buf.n;
    case V_RAWBYTES: case V_RAWARRAY: return ((boc_blob_t *)v->u.p)->len;
    default: return 0;
    }
}

static void count(_Atomic int64_t *counter, size_t n) { atomic_fetch_add_explicit(counter, (int64_t)n, memory_order_relaxed); }

static boc_blob_t *raw(const char *data, Py_ssize_t n) {
    boc_blob_t *b = boc__blob_new((size_t)n);
    if (b == NULL)
        PyErr_NoMemory();
    else
        memcpy(b->data, data, (size_t)n);
    return b;
}

/* bytes and bytearray; alone: nothing else refers to o. -1 with an exception, and o untouched. */
static int seal_buffer(PyObject *o, bool alone, boc_value_t *v) {
    bool array = PyByteArray_Check(o);
    const char *data = array ? PyByteArray_AS_STRING(o) : PyBytes_AS_STRING(o);
    Py_ssize_t n = array ? PyByteArray_GET_SIZE(o) : PyBytes_GET_SIZE(o);
    if (alone && boc__take_buffer(o, v) > 0) {
        count(&boc__passed_bytes, (size_t)n);
        return 0;
    }
    count(&boc__copied_bytes, (size_t)n);
    if (boc__pointers_move()) {
        PyObject *copy = array ? PyByteArray_FromStringAndSize(data, n) : PyBytes_FromStringAndSize(data, n);
        if (copy == NULL)
            return -1;
        int taken = boc__take_buffer(copy, v);
        if (taken <= 0 || array)
            Py_DECREF(copy); /* its shell, or all of it */
        if (taken > 0)
            return 0;
    }
    boc_blob_t *b = raw(data, n);
    if (b == NULL)
        return -1;
    memset(v, 0, sizeof *v);
    v->tag = array ? V_RAWARRAY : V_RAWBYTES;
    v->u.p = b;
    return 0;
}

static int seal(boc_state_t *st, boc_part_t *p) {
    PyObject *o = p->object;
    bool alone = Py_REFCNT(o) == 1;
    int rc;
    if (PyBytes_CheckExact(o) || PyByteArray_CheckExact(o)) {
        if (seal_buffer(o, alone, &p->v) < 0)
            return -1;
        rc = p->v.tag == V_BYTESOBJ && p->v.u.p == o ? 2 : 1;
    } else if (boc__is_array(o)) {
        rc = boc__array_take(st, o, &p->v);
    } else if (PyCapsule_CheckExact(o)) {
        rc = boc__registry_seal(st, o, &p->v);
    } else {
        rc = alone ? boc__take(st, o, &p->v) : boc__take_copy(st, o, &p->v);
    }
    if (rc < 0)
        return -1;
    p->object = NULL;
    if (rc != 2) /* else the part owns the one reference */
        Py_DECREF(o);
    return 0;
}

int boc__parts_seal(boc_state_t *st, boc_blob_t *b) {
    size_t held = b->len;
    int rc = 0;
    for (uint32_t i = 0; i < b->nparts; i++) {
        if (rc == 0 && b->parts[i].object != NULL)
            rc = seal(st, &b->parts[i]);
        held += size_of(&b->parts[i].v);
    }
    boc__living_add(0, (int64_t)(held - b->held));
    b->held = held;
    return rc;
}

void boc__parts_drop(boc_part_t *list, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].object != NULL)
            Py_DECREF(list[i].object);
        boc__value_drop(&list[i].v);
    }
    free(list);
}

const char *boc__part_bytes(const boc_part_t *p, size_t *n) {
    *n = size_of(&p->v);
    switch (p->v.tag) {
    case V_BYTESOBJ: case V_BYTEARRAY: return boc__moved_bytes(&p->v);
    case V_ARRAY: return p->v.u.buf.p;
    case V_RAWBYTES: case V_RAWARRAY: return (const char *)((boc_blob_t *)p->v.u.p)->data;
    default: return NULL;
    }
}

/* A new object of the part. keep: the part's memory itself; the part must be the caller's alone. */
PyObject *boc__part_object(boc_state_t *st, boc_part_t *p, bool keep) {
    if (p->object != NULL) /* given already: data that names a part twice means one object */
        return Py_NewRef(p->object);
    if (p->v.tag == V_ARRAY && !keep)
        return boc__array_give(st, &p->v, false);
    if (!keep || p->v.tag == V_REGISTERED || p->v.tag == V_RAWBYTES || p->v.tag == V_RAWARRAY) {
        if (p->v.tag != V_REGISTERED)
            count(&boc__copied_bytes, size_of(&p->v));
        return boc__decode(st, &p->v);
    }
    PyObject *o = p->v.tag == V_ARRAY ? boc__array_give(st, &p->v, true) : boc__give(st, &p->v);
    if (o != NULL)
        p->object = Py_NewRef(o); /* until it is known that the whole could be loaded */
    return o;
}

/* What was given away belongs to the loaded value; or, if that came to nothing, to the data again. */
void boc__parts_settle(boc_state_t *st, boc_blob_t *b, bool loaded) {
    if (!loaded) {
        PyObject *exc = PyErr_GetRaisedException();
        if (boc__parts_seal(st, b) < 0)
            boc__forgive(); /* reading the value will say that this part is missing */
        PyErr_SetRaisedException(exc);
    }
    for (uint32_t i = 0; i < b->nparts; i++)
        Py_CLEAR(b->parts[i].object);
}
