/* The other side of <boc/boc.h>: C types that move as a pointer. Registrations are per process and by name, since one
 * payload is given in another interpreter's type; each interpreter maps its own type to the registration. */
#include "movable.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MOST 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const boc_movable_t *table[MOST];
static uint32_t count;

const boc_movable_t *boc__movable(uint32_t index) { return index < count ? table[index] : NULL; }

static int32_t index_of(const boc_movable_t *ops) {
    int32_t found = -1;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < count && found < 0; i++)
        if (strcmp(table[i]->name, ops->name) == 0)
            found = (int32_t)i;
    if (found < 0 && count < MOST) {
        table[count] = ops;
        found = (int32_t)count++;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static int register_movable(PyTypeObject *type, const boc_movable_t *ops) {
    boc_state_t *st = boc__st();
    if (st == NULL)
        return -1;
    if (ops == NULL || ops->abi != BOC_ABI_VERSION || ops->name == NULL || ops->take == NULL || ops->give == NULL || ops->drop == NULL) {
        PyErr_SetString(PyExc_ValueError, "boc_register_movable: abi, name, take, give and drop must be set");
        return -1;
    }
    int32_t i = index_of(ops);
    if (i < 0) {
        PyErr_SetString(PyExc_RuntimeError, "boc_register_movable: more than 256 types");
        return -1;
    }
    if (st->movable_types == NULL && (st->movable_types = PyDict_New()) == NULL)
        return -1;
    PyObject *k = PyLong_FromLong(i);
    int rc = k ? PyDict_SetItem(st->movable_types, (PyObject *)type, k) : -1;
    if (rc == 0)
        rc = PyDict_SetItem(st->movable_types, k, (PyObject *)type);
    Py_XDECREF(k);
    return rc;
}

int32_t boc__movable_index(boc_state_t *st, PyObject *o) {
    if (st->movable_types == NULL)
        return -1;
    PyObject *k = PyDict_GetItemWithError(st->movable_types, (PyObject *)Py_TYPE(o));
    return k ? (int32_t)PyLong_AsLong(k) : -1;
}

PyObject *boc__movable_give(boc_state_t *st, uint32_t index, void *payload) {
    const boc_movable_t *ops = boc__movable(index);
    PyObject *k = PyLong_FromUnsignedLong(index);
    PyObject *type = k && st->movable_types ? PyDict_GetItemWithError(st->movable_types, k) : NULL;
    if (type == NULL && k != NULL && !PyErr_Occurred()) { /* this interpreter has not seen it: import its module */
        const char *dot = strrchr(ops->name, '.');
        PyObject *name = PyUnicode_FromStringAndSize(ops->name, dot ? dot - ops->name : 0);
        PyObject *m = name ? PyImport_Import(name) : NULL;
        Py_XDECREF(name);
        Py_XDECREF(m);
        type = m && st->movable_types ? PyDict_GetItemWithError(st->movable_types, k) : NULL;
        if (type == NULL && !PyErr_Occurred())
            PyErr_Format(PyExc_RuntimeError, "importing the module of %s did not register it as movable", ops->name);
    }
    Py_XDECREF(k);
    return type ? ops->give((PyTypeObject *)type, payload) : NULL;
}

static const boc_api_t api = {.abi = BOC_ABI_VERSION, .size = sizeof(boc_api_t), .register_movable = register_movable};

int boc__movable_init(boc_state_t *st) {
    PyObject *c = PyCapsule_New((void *)&api, BOC_API_CAPSULE, NULL);
    if (c == NULL)
        return -1;
    int rc = PyModule_AddObjectRef(st->module, BOC_API_NAME, c);
    Py_DECREF(c);
    return rc;
}
