/* The only file that touches CPython's cross-interpreter data: objects of types that are registered for it move that way,
 * whatever pickle says of them (channels and queues of interpreters, for one).
 *
 * The interface is private and has another name in each version; it is declared here as those versions export it.
 * What the registry gave stays with a capsule of the interpreter it is from, because it must be released there. */
#include "registry.h"

#include <stdlib.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x030e0000
typedef struct _xidata data_t;
typedef struct { void *basic, *fallback; } getdata_t; /* two function pointers, returned in registers */
PyAPI_FUNC(getdata_t) _PyXIData_Lookup(PyThreadState *, PyObject *);
PyAPI_FUNC(data_t *) _PyXIData_New(void);
PyAPI_FUNC(void) _PyXIData_Free(data_t *);
PyAPI_FUNC(int) _PyObject_GetXIDataNoFallback(PyThreadState *, PyObject *, data_t *);
PyAPI_FUNC(PyObject *) _PyXIData_NewObject(data_t *);
PyAPI_FUNC(int) _PyXIData_Release(data_t *);

bool boc__registry_knows(PyObject *o) {
    getdata_t get = _PyXIData_Lookup(PyThreadState_Get(), o);
    return get.basic != NULL || get.fallback != NULL;
}
static int data_get(PyObject *o, data_t *d) { return _PyObject_GetXIDataNoFallback(PyThreadState_Get(), o, d); }
#define data_new _PyXIData_New
#define data_free _PyXIData_Free
#define data_object _PyXIData_NewObject
#define data_release _PyXIData_Release
#else
#if PY_VERSION_HEX >= 0x030d0000
typedef struct _xid data_t;
PyAPI_FUNC(void *) _PyCrossInterpreterData_Lookup(PyObject *);
PyAPI_FUNC(data_t *) _PyCrossInterpreterData_New(void);
PyAPI_FUNC(void) _PyCrossInterpreterData_Free(data_t *);
PyAPI_FUNC(int) _PyObject_GetCrossInterpreterData(PyObject *, data_t *);
PyAPI_FUNC(PyObject *) _PyCrossInterpreterData_NewObject(data_t *);
PyAPI_FUNC(int) _PyCrossInterpreterData_Release(data_t *);
#define data_new _PyCrossInterpreterData_New
#define data_free _PyCrossInterpreterData_Free
#else
typedef _PyCrossInterpreterData data_t;
static data_t *data_new(void) { return PyMem_RawCalloc(1, sizeof(data_t)); }
#define data_free PyMem_RawFree
#endif
bool boc__registry_knows(PyObject *o) { return _PyCrossInterpreterData_Lookup(o) != NULL; }
#define data_get _PyObject_GetCrossInterpreterData
#define data_object _PyCrossInterpreterData_NewObject
#define data_release _PyCrossInterpreterData_Release
#endif

#define CAPSULE "boc.registered"

/* Runs in the interpreter that the data is from. */
static void release(PyObject *capsule) {
    data_t *d = PyCapsule_GetPointer(capsule, CAPSULE);
    if (d == NULL || data_release(d) < 0)
        boc__forgive();
    if (d != NULL)
        data_free(d);
}

PyObject *boc__registry_pack(PyObject *o) {
    data_t *d = data_new();
    if (d == NULL)
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    PyObject *capsule = data_get(o, d) < 0 ? NULL : PyCapsule_New(d, CAPSULE, release);
    if (capsule == NULL)
        data_free(d);
    return capsule;
}

/* A part of this kind: the capsule of the interpreter it is from, and the data that others may read. */
typedef struct from {
    data_t *data;
    PyObject *capsule;
    int home;
} from_t;

int boc__registry_seal(boc_state_t *st, PyObject *capsule, boc_value_t *out) {
    from_t *f = malloc(sizeof *f);
    data_t *d = f ? PyCapsule_GetPointer(capsule, CAPSULE) : NULL;
    if (d == NULL) {
        free(f);
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return -1;
    }
    *f = (from_t){d, Py_NewRef(capsule), st->worker};
    memset(out, 0, sizeof *out);
    out->tag = V_REGISTERED;
    out->u.p = f;
    return 1;
}

PyObject *boc__registry_give(const boc_value_t *v) { return data_object(((from_t *)v->u.p)->data); }

void boc__registry_drop(boc_value_t *v) {
    from_t *f = v->u.p;
    boc__drop_there(f->home, f->capsule);
    free(f);
}
