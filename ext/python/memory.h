/* To know an object again without keeping alive what may lead back to us.
 *
 * What is known of a body hangs on its code object, which the garbage collector does not look through: a function or class
 * that leads to that code and is kept from there would live for ever. So these are remembered weakly; what cannot
 * be is kept. */
#ifndef BOC_MEMORY_H
#define BOC_MEMORY_H

#include <Python.h>
#include <stdbool.h>

typedef struct boc_memory {
    PyObject *object; /* NULL: nothing; without ref: kept */
    PyObject *ref;    /* a weak reference to it, or NULL */
} boc_memory_t;

/* The object, borrowed; NULL if there was none or it is gone. */
static inline PyObject *boc__recall(const boc_memory_t *m) {
    return m->ref == NULL || ((PyWeakReference *)m->ref)->wr_object == m->object ? m->object : NULL;
}

static inline bool boc__knows(const boc_memory_t *m, PyObject *o) { return m->object == o && boc__recall(m) == o; }

static inline void boc__forget(boc_memory_t *m) {
    PyObject *kept = m->ref != NULL ? m->ref : m->object;
    m->object = m->ref = NULL;
    Py_XDECREF(kept);
}

static inline void boc__remember(boc_memory_t *m, PyObject *o) {
    PyObject *ref = NULL;
    if (o != NULL && (PyFunction_Check(o) || PyCode_Check(o) || PyType_Check(o) || PyType_HasFeature(Py_TYPE(o), Py_TPFLAGS_HEAPTYPE)) &&
        (ref = PyWeakref_NewRef(o, NULL)) == NULL)
        PyErr_Clear();
    if (ref == NULL)
        Py_XINCREF(o);
    boc__forget(m);
    m->object = o;
    m->ref = ref;
}

#endif
