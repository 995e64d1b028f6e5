/* What a notebook asks of the binding: to which cell a pinned body's output belongs, which exceptions arrived, and a look
 * at a result that does not count as having seen it. */
#include "binding.h"
#include "live.h"
#include "movable.h"
#include "notebook.h"

/* Called around each pinned body, on the thread that pumps: begin(origin) -> token, end(token). Main's GIL guards it. */
static PyObject *body_hook;
static _Atomic bool tells;  /* a notebook wants to know of exceptions as they arrive */

PyObject *boc__pinned_begin(boc_behavior_t *b) {
    if (body_hook == NULL)
        return NULL;
    PyObject *token = PyObject_CallMethod(body_hook, "begin", "I", boc__job(b)->origin);
    if (token == NULL)
        PyErr_WriteUnraisable(body_hook);
    return token;
}

void boc__pinned_end(PyObject *token) {
    if (token == NULL)
        return;
    PyObject *leaving = PyErr_GetRaisedException();
    PyObject *done = body_hook ? PyObject_CallMethod(body_hook, "end", "(O)", token) : Py_NewRef(Py_None);
    if (done == NULL)
        PyErr_WriteUnraisable(body_hook);
    Py_XDECREF(done);
    Py_DECREF(token);
    PyErr_SetRaisedException(leaving);
}

bool boc__notebook(void) { return atomic_load_explicit(&tells, memory_order_relaxed); }

void boc__tell_raised(boc_cown_t *c, uint32_t origin) {
    if (atomic_load_explicit(&tells, memory_order_relaxed) && (c->value.flags & (VF_EXC | VF_SEEN)) == VF_EXC)
        boc__emit_cown(K_RAISED, c, origin);
}

static PyObject *set_notebook(PyObject *module, PyObject *hook) {
    (void)module;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    if (st->worker >= 0) {
        PyErr_SetString(PyExc_RuntimeError, "a notebook belongs to the main interpreter");
        return NULL;
    }
    bool on = hook != Py_None;
    Py_XSETREF(body_hook, on ? Py_NewRef(hook) : NULL);
    atomic_store(&tells, on);
    Py_RETURN_NONE;
}

/* _look(cown, claim=False) -> (flags, exception or None). flags: 1 an exception, 2 seen, 256 it is a result, 512 a behavior
   holds or awaits it. It does not count as seeing; claim: what was unseen becomes seen, for whoever reports it. */
enum { LOOK_RESULT = 256, LOOK_BUSY = 512 };
static PyObject *look(PyObject *module, PyObject *args) {
    (void)module;
    boc_state_t *st = boc__st();
    PyObject *cown;
    int claim = 0;
    if (st == NULL || !PyArg_ParseTuple(args, "O|p:_look", &cown, &claim))
        return NULL;
    boc_cown_t *c = boc__cown_core(st, cown);
    if (c == NULL) {
        PyErr_SetString(PyExc_TypeError, "_look(cown)");
        return NULL;
    }
    boc_behavior_t *b = boc_behavior_new(1, 0);
    if (b == NULL)
        return PyErr_NoMemory();
    b->flags = BOC_B_NATIVE;
    boc_request_set(b, 0, c, 0, BOC_WRITE);
    uint16_t home = 0;
    unsigned flags = (c->flags & BOC_COWN_RESULT) ? LOOK_RESULT : 0;
    if (boc_acquire(b, &home) < 0) {
        boc_behavior_free(b);
        return Py_BuildValue("IO", home == 0 ? flags | LOOK_BUSY : flags, Py_None); /* live on its worker: no exception */
    }
    flags |= c->value.flags & (VF_EXC | VF_SEEN);
    boc_value_t v = {0};
    bool exception = (flags & VF_EXC) && c->value.tag != V_LIVE;
    if (exception) {
        boc__value_copy(&v, &c->value);
        if (claim)
            boc__mark_seen(c);
    }
    boc_acquire_end(b);
    PyObject *o = exception ? boc__decode(st, &v) : Py_NewRef(Py_None);
    boc__value_drop(&v);
    return o == NULL ? NULL : Py_BuildValue("IN", flags, o);
}

/* _can_move(value): whether a cown could carry it to another worker, members included. Encodes it to find out. */
static PyObject *can_move(PyObject *module, PyObject *o) {
    (void)module;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    boc_value_t v;
    if (boc__atom(&v, o)) {
        boc__value_drop(&v);
        Py_RETURN_TRUE;
    }
    if (PyBytes_CheckExact(o) || PyByteArray_CheckExact(o) || boc__movable_index(st, o) >= 0)
        Py_RETURN_TRUE;
    boc_blob_t *b = boc__pickle(st, o);
    if (b != NULL) {
        boc__blob_drop(b);
        Py_RETURN_TRUE;
    }
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyErr_Clear();
    Py_RETURN_FALSE;
}

PyMethodDef boc__notebook_methods[] = {
    {"_set_notebook", set_notebook, METH_O, "_set_notebook(hook or None): told of pinned bodies; exceptions are told as they arrive"},
    {"_look", look, METH_VARARGS, "_look(cown, claim=False) -> (flags, exception or None)"},
    {"_can_move", can_move, METH_O, "_can_move(value) -> bool: a cown could carry it to another worker"},
    {NULL, NULL, 0, NULL},
};
