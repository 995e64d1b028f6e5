/* move.c: Matrix as a movable type, through nothing but <boc/boc.h>.
 *
 * The payload is the block. Its memory belongs to no interpreter, so moving
 * costs two pointers whatever the size. */
#include <boc/boc.h>

#include "matrix.h"

#include <stdlib.h>


#ifdef Py_GIL_DISABLED
/* An object may be dying on another thread: nobody can take it up again. */
static void leave_address(boc__matrix_t *m) { (void)m; }

boc__matrix_t *boc__refill(boc__state_t *state, boc__block_t *block)
{
    (void)state;
    (void)block;
    return NULL;
}
#else
/* Only under main's GIL: workers carry the two words of the block along and look at neither. */
static void leave_address(boc__matrix_t *m)
{
    boc__state_t *state = boc__state_of((PyObject *)m);

    if (!state->is_main)
        return;
    if (m->origin == NULL) {
        boc__origin_t *origin = state->spare_origins;
        if (origin != NULL)
            state->spare_origins = origin->next;
        else if ((origin = calloc(1, sizeof *origin)) == NULL)
            return; /* it stays empty */
        origin->object = m;
        m->origin = origin;
    }
    m->block->origin = m->origin;
    m->block->turn = m->origin->turn;
}

void boc__origin_leave(boc__state_t *state, boc__matrix_t *m)
{
    m->origin->object = NULL;
    m->origin->turn++;
    m->origin->next = state->spare_origins;
    state->spare_origins = m->origin;
    m->origin = NULL;
}

boc__matrix_t *boc__refill(boc__state_t *state, boc__block_t *block)
{
    boc__matrix_t *m;

    if (!state->is_main || block->origin == NULL || block->turn != block->origin->turn)
        return NULL;
    m = block->origin->object;
    if (m == NULL || m->block != NULL)
        return NULL;
    m->block = block;
    m->data = block->data;
    m->rows = block->rows;
    m->columns = block->columns;
    return (boc__matrix_t *)Py_NewRef((PyObject *)m);
}
#endif

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
    leave_address(m);
    *payload = boc__unwrap(m);
    return 0;
}

static PyObject *give(PyTypeObject *type, void *payload)
{
    boc__state_t *state = PyType_GetModuleState(type);
    boc__matrix_t *m = boc__refill(state, payload);

    return (PyObject *)(m != NULL ? m : boc__wrap(state, payload));
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
    if (payload != NULL)
        ((boc__block_t *)payload)->origin = NULL; /* as if it came to another interpreter */
    given = payload != NULL ? movable.give(type, payload) : PyErr_NoMemory();
    if (given == NULL && payload != NULL)
        movable.drop(payload);
    return given;
}
