/* product.c: @ and transposes. */
#include "operand.h"

#include <stdlib.h>
#include <string.h>

enum {
    STACK_SCRATCH = 2048,
    ROUNDED_UP_TO = 32 * 32 * 32, /* steps of a product up to which each rounds as in Python */
};

static void multiply(const boc__product_t *kernel, double *out, const boc__operand_t *a, const boc__operand_t *b,
                     double *scratch)
{
    const size_t m = (size_t)a->rows, k = (size_t)a->columns, n = (size_t)b->columns;

    /* one column: dot products along rows that lie in memory as they are */
    if (n == 1)
        boc__kernels->fold->rows[BOC_OP_dot](out, a->data, b->data, 0, m, k);
    else
        kernel->product(out, a->data, b->data, m, k, n, scratch);
}

PyObject *boc__product_of(boc__state_t *state, const boc__operand_t *a, const boc__operand_t *b)
{
    double on_stack[STACK_SCRATCH] __attribute__((aligned(64)));
    double *scratch = on_stack;
    boc__matrix_t *result;
    const boc__product_t *kernel;
    double steps;
    size_t need;

    if (a->columns != b->rows) {
        PyErr_Format(PyExc_ValueError, "@: shapes %zdx%zd and %zdx%zd do not fit, %zd columns against %zd rows", a->rows,
                     a->columns, b->rows, b->columns, a->columns, b->rows);
        return NULL;
    }
    if (boc__check_shape(state, a->rows, b->columns) < 0)
        return NULL;
    result = boc__new(state, a->rows, b->columns);
    if (result == NULL)
        return NULL;
    steps = (double)a->rows * (double)a->columns * (double)b->columns;
    kernel = steps <= ROUNDED_UP_TO ? boc__kernels->rounded : boc__kernels->fused;
    need = kernel->product_scratch((size_t)a->rows, (size_t)a->columns, (size_t)b->columns);
    if (need > STACK_SCRATCH && (scratch = boc__scratch(need)) == NULL) {
        Py_DECREF(result);
        return PyErr_NoMemory();
    }
    {
        boc__matrix_t *const x = a->source, *const y = b->source;
        BOC_WITHOUT_GIL(steps / 8, x, y, multiply(kernel, result->data, a, b, scratch));
    }
    if (scratch != on_stack)
        free(scratch);
    return (PyObject *)result;
}

PyObject *boc__nb_matmul(PyObject *a, PyObject *b)
{
    boc__state_t *state = boc__state_of(boc__is_matrix(a) || boc__is_view(a) ? a : b);
    boc__operand_t left = {0}, right = {0};
    PyObject *result = NULL;
    const int kind = boc__operands(state, a, b, false, &left, &right);

    if (kind == 0 || (kind == 1 && (left.scalar || right.scalar)))
        result = Py_NewRef(Py_NotImplemented);
    else if (kind == 1)
        result = boc__product_of(state, &left, &right);
    boc__operand_clear(&left);
    boc__operand_clear(&right);
    return result;
}

BOC_FUNCTION(transpose)
{
    static const boc__signature_t signature = {"transpose", 0, 1, 0, {"in_place"}};
    boc__matrix_t *m = boc__as_matrix(self), *result;
    PyObject *got[1];
    bool in_place;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__flag(got[0], &in_place) < 0 || boc__live(m) < 0)
        return NULL;
    if (in_place && m->exports > 0) {
        PyErr_Format(PyExc_BufferError, "a %zdx%zd Matrix cannot change its shape while %zd buffer%s look%s at it",
                     m->rows, m->columns, m->exports, m->exports == 1 ? "" : "s", m->exports == 1 ? "s" : "");
        return NULL;
    }
    result = boc__new(boc__state_of(self), m->columns, m->rows);
    if (result == NULL)
        return NULL;
    boc__kernels->map->transpose(result->data, m->data, (size_t)m->rows, (size_t)m->columns);
    if (!in_place)
        return (PyObject *)result;
    /* back into the same memory, so that whoever holds its address stays right */
    boc__copy(m->data, result->data, boc__size(m));
    m->rows = result->rows;
    m->columns = result->columns;
    Py_DECREF(result);
    return Py_NewRef(self);
}
