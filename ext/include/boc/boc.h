/* boc.h: what boc offers to extension modules.
 *
 * A module that includes this file can make a type of its own movable: an
 * object of it that is put in a cown travels between interpreters as a
 * pointer, with no copy and no pickling. Nothing is linked: the functions are
 * found at run time through the capsule "boc._core._C_API".
 *
 * A movable type keeps its contents in memory that belongs to no interpreter
 * (malloc, not PyMem or PyObject memory) and hands them over as one opaque
 * pointer, the payload. At any time exactly one of these owns a payload: an
 * object of the type, boc, or nobody (it was dropped).
 *
 * Clean as C11 and as C++11.
 */
#ifndef BOC_BOC_H
#define BOC_BOC_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by one whenever something in this file changes its meaning or its
 * place. Members are only ever added at the end of a structure, which is why
 * each structure begins with the version and the size that its writer knew. */
#define BOC_ABI_VERSION 1u

/* How a type moves. Static storage: boc keeps the pointer. */
typedef struct boc_movable {
    uint32_t abi;  /* BOC_ABI_VERSION */
    uint32_t size; /* sizeof(boc_movable_t) */

    /* "package.module.Type". An interpreter that receives a payload and has
     * not seen the type yet imports the part before the last dot, whose
     * module exec calls boc_register_movable. */
    const char *name;

    /* Move the contents of obj out into *payload and leave obj empty: any
     * later use of obj raises RuntimeError. Called in the interpreter of obj.
     * 0, or -1 with an exception set (say, a buffer is exported) and obj as
     * it was. */
    int (*take)(PyObject *obj, void **payload);

    /* A new object of this interpreter's `type` around payload. On success
     * the object owns payload; on NULL (exception set) the caller still
     * does. */
    PyObject *(*give)(PyTypeObject *type, void *payload);

    /* Free a payload that nobody will receive. Called on any thread, with or
     * without an interpreter: it must not touch Python. */
    void (*drop)(void *payload);

    /* Optional: a payload that is a copy of the contents of obj, for readers,
     * captures, results, messages and the noticeboard. 0, or -1 with an
     * exception set. Without it those raise TransferError and readers run one
     * after another. */
    int (*copy)(PyObject *obj, void **payload);

    /* Optional: the same from a payload. Called on any thread, with or
     * without an interpreter, possibly by several threads at once on one
     * payload, which it only reads. NULL: out of memory. */
    void *(*copy_payload)(const void *payload);
} boc_movable_t;

/* What the capsule "boc._core._C_API" points to. */
typedef struct boc_api {
    uint32_t abi;  /* BOC_ABI_VERSION of the running boc */
    uint32_t size; /* sizeof(boc_api_t) of the running boc */

    /* Make `type` movable in the current interpreter. 0, or -1 with an
     * exception set. Again with the same ops: no effect. */
    int (*register_movable)(PyTypeObject *type, const boc_movable_t *ops);
} boc_api_t;

#define BOC_API_MODULE "boc._core"
#define BOC_API_NAME "_C_API"
#define BOC_API_CAPSULE BOC_API_MODULE "." BOC_API_NAME

/* The functions of the running boc, imported on first use in an interpreter.
 * NULL with an exception set: ImportError without boc or with one of another
 * ABI. The result stays good as long as the process. */
static inline const boc_api_t *boc_api(void)
{
    const boc_api_t *api = NULL;
    PyObject *core, *capsule;

    core = PyImport_ImportModule(BOC_API_MODULE);
    if (core == NULL)
        return NULL;
    capsule = PyObject_GetAttrString(core, BOC_API_NAME);
    Py_DECREF(core);
    if (capsule == NULL)
        return NULL;
    api = (const boc_api_t *)PyCapsule_GetPointer(capsule, BOC_API_CAPSULE);
    Py_DECREF(capsule);
    if (api != NULL && api->abi != BOC_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "built for version %u of the C interface of boc; the boc that runs has version %u",
                     BOC_ABI_VERSION, api->abi);
        return NULL;
    }
    return api;
}

/* Make `type` movable in the current interpreter: call it from the exec
 * function of a module that allows sub-interpreters with their own GIL, once
 * for each interpreter that imports the module. 0, or -1 with an exception
 * set; with ImportError a module that is useful without boc may go on. */
static inline int boc_register_movable(PyTypeObject *type, const boc_movable_t *ops)
{
    const boc_api_t *api = boc_api();

    return api == NULL ? -1 : api->register_movable(type, ops);
}

#ifdef __cplusplus
}
#endif

#endif /* BOC_BOC_H */
