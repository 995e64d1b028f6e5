/* The other side of <boc/boc.h>: C types that move as a pointer. Registrations are per process and by name, since one
 * payload is given in another interpreter's type; each interpreter maps its own type to the registration. */
#include "movable.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MOST 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
void boc__movable_after_fork(void) { pthread_mutex_init(&lock, NULL); }
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

#ifdef Py_GIL_DISABLED
#define FIRST_PLACES(i) MOST /* others look at the places while one more is registered: they stay where they are */
#else
#define FIRST_PLACES(i) ((uint32_t)(i) + 8)
#endif

/* Where the interpreter keeps what it knows, with a place for registration i. -1 with an exception. */
static int make_places(boc_state_t *st, int32_t i) {
    if (st->movable_types == NULL && (st->movable_types = PyDict_New()) == NULL)
        return -1;
    if ((uint32_t)i < st->nmovable)
        return 0;
    uint32_t n = FIRST_PLACES(i);
    PyTypeObject **t = realloc(st->movable, n * sizeof *t);
    if (t == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(t + st->nmovable, 0, (n - st->nmovable) * sizeof *t);
    st->movable = t;
    st->nmovable = n;
    return 0;
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
    boc__brief_lock(&boc__briefs.places);
    int made = make_places(st, i);
    boc__brief_unlock(&boc__briefs.places);
    PyObject *k = made == 0 ? PyLong_FromLong(i) : NULL;
    int rc = k ? PyDict_SetItem(st->movable_types, (PyObject *)type, k) : -1;
    Py_XDECREF(k);
    if (rc == 0) {
        Py_INCREF(type);
        Py_XSETREF(st->movable[i], type);
        st->movable_asked = NULL;
    }
    return rc;
}

int32_t boc__movable_index(boc_state_t *st, PyObject *o) {
    if (st->movable_types == NULL)
        return -1;
    PyTypeObject *t = Py_TYPE(o);
#ifndef Py_GIL_DISABLED /* threads that ask at once would take each other's answers */
    if (st->movable_asked == t)
        return st->movable_answer;
#endif
    PyObject *k = PyDict_GetItemWithError(st->movable_types, (PyObject *)t);
    if (k == NULL && PyErr_Occurred())
        return -1;
    int32_t answer = k ? (int32_t)PyLong_AsLong(k) : -1;
#ifndef Py_GIL_DISABLED
    st->movable_answer = answer;
    st->movable_asked = t;
#endif
    return answer;
}

PyObject *boc__movable_give(boc_state_t *st, uint32_t index, void *payload) {
    const boc_movable_t *ops = boc__movable(index);
    if (index >= st->nmovable || st->movable[index] == NULL) { /* this interpreter has not seen it: import its module */
        const char *dot = strrchr(ops->name, '.');
        PyObject *name = PyUnicode_FromStringAndSize(ops->name, dot ? dot - ops->name : 0);
        PyObject *m = name ? PyImport_Import(name) : NULL;
        Py_XDECREF(name);
        if (m == NULL)
            return NULL;
        Py_DECREF(m);
    }
    if (index >= st->nmovable || st->movable[index] == NULL) {
        PyErr_Format(PyExc_RuntimeError, "importing the module of %s did not register it as movable", ops->name);
        return NULL;
    }
    return ops->give(st->movable[index], payload);
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
