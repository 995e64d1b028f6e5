/* Readers of a C type that cannot be copied without its object: one after another, each with the value itself.
 *
 * The core lets one reader of such a value run at a time (BOC_VALUE_ALONE, core/turn.c). It makes an object of the
 * payload; where the type can copy an object the reader gets a copy of that, else the object itself, and the payload
 * goes back when its body ends. Meanwhile the slot is V_LENT. */
#include "lend.h"
#include "movable.h"
#include "move.h"
#include "unseen.h"

#include <string.h>

/* A payload of its own by way of an object: *from is as before. False: the type cannot, or an exception is set. */
bool boc__moved_copy_here(boc_state_t *st, boc_value_t *to, boc_value_t *from) {
    const boc_movable_t *ops = from->tag == V_MOVED ? boc__movable(from->aux) : NULL;
    if (ops == NULL || ops->copy == NULL)
        return false;
    PyObject *o = ops->copy_payload == NULL ? boc__movable_give(st, from->aux, from->u.p) : NULL;
    if (o == NULL)
        return false;
    void *copy = NULL, *back = NULL;
    bool copied = ops->copy(o, &copy) == 0;
    PyObject *exc = PyErr_GetRaisedException();
    if (ops->take(o, &back) < 0) { /* nobody else has seen o, so it has no reason to */
        from->tag = V_EMPTY;
        boc__forgive();
    }
    from->u.p = back;
    Py_DECREF(o);
    PyErr_SetRaisedException(exc);
    if (copied) {
        *to = *from;
        to->u.p = copy;
    }
    return copied;
}

static PyObject *lent_already(boc_cown_t *c) {
    PyObject *reads = boc__ctx->reads;
    for (Py_ssize_t i = 0; reads != NULL && i < PyList_GET_SIZE(reads); i++) {
        boc_cown_object_t *handle = (boc_cown_object_t *)PyList_GET_ITEM(reads, i);
        if (handle->core == c && handle->view != NULL)
            return Py_NewRef(handle->view);
    }
    PyErr_SetString(PyExc_RuntimeError, "this value was lent to another reader");
    return NULL;
}

PyObject *boc__lend(boc_state_t *st, boc_cown_t *c) {
    boc_value_t *v = &c->value, copy;
    if (v->tag == V_LENT)
        return lent_already(c);
    if (v->tag != V_MOVED)
        return boc__decode(st, v);
    if (boc__movable(v->aux)->copy != NULL) {
        if (!boc__moved_copy_here(st, &copy, v))
            return NULL;
        PyObject *o = boc__give(st, &copy);
        if (o == NULL)
            boc__value_drop(&copy);
        return o;
    }
    PyObject *o = boc__movable_give(st, v->aux, v->u.p);
    if (o != NULL)
        v->tag = V_LENT;
    return o;
}

/* The flags keep saying that readers take turns: a reader that joins now must not look at a half-written slot. */
static void lost(boc_state_t *st, boc_cown_t *c) {
    boc_value_t v;
    boc__pack_exception(st, &v);
    c->value.u = v.u;
    c->value.aux = v.aux;
    c->value.tag = v.tag;
    atomic_fetch_or_explicit((_Atomic uint16_t *)&c->value.flags, VF_EXC | VF_LOST, memory_order_release);
    if (v.tag == V_EXC)
        boc__unseen_add(c, v.u.p, v.aux);
}

void boc__lend_back(boc_state_t *st, boc_cown_t *c, PyObject *view) {
    void *payload = NULL;
    char label[80];
    if (boc__movable(c->value.aux)->take(view, &payload) == 0) {
        c->value.u.p = payload;
        c->value.tag = V_MOVED;
        return;
    }
    boc__refuse(st, view, boc__cown_label(c, label, sizeof label));
    lost(st, c);
}
