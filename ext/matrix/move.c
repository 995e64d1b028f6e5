/* move.c: Matrix as a movable type, through nothing but <boc/boc.h>.
 *
 * The payload is the block. Its memory belongs to no interpreter, so moving
 * costs two pointers whatever the size. */
#include <boc/boc.h>

#include "matrix.h"


static int take(PyObject *obj, void **payload)
{
    boc__matrix_t *m = boc__as_matrix(obj);

    if (boc__live(m) < 0)
        return -1;
    if (m->exports > 0) {
        PyErr_Format(PyExc_BufferError,
                     "this %zdx%zd Matrix cannot move: %zd buffer%s (memoryview, numpy array) still look%s at its "
                     "numbers; release or delete them first",
                     m->rows, m->columns, m->exports, m->exports == 1 ? "" : "s", m->exports == 1 ? "s" : "");
        return -1;
    }
    *payload = boc__unwrap(m);
    return 0;
}

static PyObject *give(PyTypeObject *type, void *payload)
{
    return (PyObject *)boc__wrap(PyType_GetModuleState(type), payload);
}

static void drop(void *payload)
{
    boc__block_put(payload);
}

static void *copy_payload(const void *payload)
{
    return boc__block_copy(payload);
}

static int copy(PyObject *obj, void **payload)
{
    boc__matrix_t *m = boc__as_matrix(obj);

    if (boc__live(m) < 0)
        return -1;
    m->block->rows = m->rows;
    m->block->columns = m->columns;
    *payload = boc__block_copy(m->block);
    if (*payload == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static const boc_movable_t movable = {
    .abi = BOC_ABI_VERSION,
    .size = sizeof(boc_movable_t),
    .name = "boc._matrix.Matrix",
    .take = take,
    .give = give,
    .drop = drop,
    .copy = copy,
    .copy_payload = copy_payload,
};

/* Without boc._core there is nobody to move to, and Matrix is useful alone. */
int boc__move_register(PyTypeObject *type)
{
    if (boc_register_movable(type, &movable) == 0)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_ImportError))
        return -1;
    PyErr_Clear();
    return 0;
}

/* _test_move(m) -> a new Matrix with the contents of m, which is left empty;
 * _test_move(m, "copy") and "copy_payload" go through a copy, "drop" drops. */
PyObject *boc__test_move(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    const char *how = nargs > 1 ? PyUnicode_AsUTF8(args[1]) : "take";
    PyTypeObject *type = ((boc__state_t *)PyModule_GetState(module))->matrix;
    void *payload = NULL;
    PyObject *given;

    if (how == NULL)
        return NULL;
    if (nargs < 1 || !Py_IS_TYPE(args[0], type)) {
        PyErr_SetString(PyExc_TypeError, "_test_move(matrix, how='take')");
        return NULL;
    }
    if ((strcmp(how, "copy") == 0 ? movable.copy : movable.take)(args[0], &payload) < 0)
        return NULL;
    if (strcmp(how, "copy_payload") == 0) {
        void *second = movable.copy_payload(payload);
        movable.drop(payload);
        payload = second;
    }
    if (strcmp(how, "drop") == 0) {
        movable.drop(payload);
        Py_RETURN_NONE;
    }
    given = payload != NULL ? movable.give(type, payload) : PyErr_NoMemory();
    if (given == NULL && payload != NULL)
        movable.drop(payload);
    return given;
}
