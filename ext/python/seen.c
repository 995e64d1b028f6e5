/* What an interpreter decoded of the noticeboard is kept, and each behavior gets an object of its own cheaply: what cannot
 * change is given as it is, plain containers are copied, and a list is lent: if it comes back as it was, and nobody else has
 * it, the next behavior gets the same one. All else is decoded anew. */
#include "seen.h"

#include <string.h>

#define DEEP 4

static bool is_atom(boc_state_t *st, PyObject *o) {
    PyTypeObject *t = Py_TYPE(o);
    return o == Py_None || t == &PyLong_Type || t == &PyUnicode_Type || t == &PyFloat_Type || t == &PyBool_Type ||
           t == &PyBytes_Type || t == st->cown_type || t == st->pinned_type; /* handles compare by cown, whichever object they are */
}

/* Can nothing of o ever change? */
static bool unchanging(boc_state_t *st, PyObject *o, int depth) {
    if (is_atom(st, o))
        return true;
    if (!PyTuple_CheckExact(o) || depth == 0)
        return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(o); i++)
        if (!unchanging(st, PyTuple_GET_ITEM(o, i), depth - 1))
            return false;
    return true;
}

/* Lists and dicts of what cannot change, or of more of them, each referred to once: fresh from the decoder that means that no
   two places share one. */
static bool plain(boc_state_t *st, PyObject *o, int depth) {
    if (unchanging(st, o, depth))
        return true;
    if (depth == 0 || Py_REFCNT(o) != 1)
        return false;
    if (PyList_CheckExact(o)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(o); i++)
            if (!plain(st, PyList_GET_ITEM(o, i), depth - 1))
                return false;
        return true;
    }
    if (!PyDict_CheckExact(o))
        return false;
    Py_ssize_t at = 0;
    PyObject *k, *v;
    while (PyDict_Next(o, &at, &k, &v))
        if (!unchanging(st, k, DEEP) || !plain(st, v, depth - 1))
            return false;
    return true;
}

static PyObject *copied(PyObject *o) {
    if (PyList_CheckExact(o)) {
        PyObject *list = PyList_GetSlice(o, 0, PyList_GET_SIZE(o));
        for (Py_ssize_t i = 0; list != NULL && i < PyList_GET_SIZE(list); i++) {
            PyObject *item = PyList_GET_ITEM(list, i);
            if (!PyList_CheckExact(item) && !PyDict_CheckExact(item))
                continue;
            PyObject *own = copied(item);
            if (own == NULL)
                Py_CLEAR(list);
            else
                PyList_SetItem(list, i, own);
        }
        return list;
    }
    if (!PyDict_CheckExact(o))
        return Py_NewRef(o);
    PyObject *dict = PyDict_Copy(o), *k, *v;
    Py_ssize_t at = 0;
    while (dict != NULL && PyDict_Next(o, &at, &k, &v)) {
        if (!PyList_CheckExact(v) && !PyDict_CheckExact(v))
            continue;
        PyObject *own = copied(v);
        if (own == NULL || PyDict_SetItem(dict, k, own) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(own);
    }
    return dict;
}

/* object: a tuple of what the list holds; list: the one to lend. */
static PyObject *lent(boc_seen_t *s) {
    PyObject *list = s->list;
#ifndef Py_GIL_DISABLED
    Py_ssize_t n = PyTuple_GET_SIZE(s->object);
    if (list != NULL && Py_REFCNT(list) == 1 && PyList_GET_SIZE(list) == n && n > 0 &&
        memcmp(((PyListObject *)list)->ob_item, ((PyTupleObject *)s->object)->ob_item,
               (size_t)n * sizeof(PyObject *)) == 0)
        return Py_NewRef(list);
#endif
    list = PySequence_List(s->object);
    Py_XSETREF(s->list, Py_XNewRef(list));
    return list;
}

static void forget(boc_seen_t *s) {
    Py_CLEAR(s->object);
    Py_CLEAR(s->list);
    if (s->blob != NULL)
        boc__blob_drop(s->blob);
    s->blob = NULL;
}

/* Remembers o, fresh from the decoder, as what blob says; not what has to be decoded each time. */
static void keep(boc_state_t *st, boc_seen_t *s, boc_blob_t *blob, PyObject *o) {
    uint8_t how;
    PyObject *object;
    if (unchanging(st, o, DEEP)) {
        how = NOTE_SAME;
    } else if (!plain(st, o, DEEP)) {
        return;
    } else {
        how = NOTE_COPY;
        if (PyList_CheckExact(o)) {
            how = NOTE_LIST;
            for (Py_ssize_t i = 0; how == NOTE_LIST && i < PyList_GET_SIZE(o); i++)
                how = unchanging(st, PyList_GET_ITEM(o, i), DEEP) ? NOTE_LIST : NOTE_COPY;
        }
    }
    object = how == NOTE_LIST ? PyList_AsTuple(o) : how == NOTE_COPY ? copied(o) : Py_NewRef(o);
    if (object == NULL) {
        boc__forgive();
        return;
    }
    forget(s);
    s->blob = boc__blob_keep(blob);
    s->how = how;
    s->object = object;
    s->list = how == NOTE_LIST ? Py_NewRef(o) : NULL;
}

PyObject *boc__seen_object(boc_state_t *st, uint32_t name, boc_blob_t *blob) {
    boc_seen_t *s = &st->seen[name % SEEN_NOTES];
#ifdef Py_GIL_DISABLED
    if (st->worker < 0)
        return boc__unpickle(st, blob); /* several threads of main may come at once */
#endif
    if (s->blob == blob)
        return s->how == NOTE_LIST ? lent(s) : copied(s->object);
    PyObject *o = boc__unpickle(st, blob);
    if (o != NULL)
        keep(st, s, blob, o);
    return o;
}

void boc__seen_forget(boc_state_t *st) {
    for (int i = 0; i < SEEN_NOTES; i++)
        forget(&st->seen[i]);
}
