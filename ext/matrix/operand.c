/* operand.c: numbers, matrices, views and sequences as operands; broadcasting; outputs. */
#include "operand.h"

#include <string.h>

static int from_matrix(boc__matrix_t *m, boc__operand_t *operand)
{
    if (boc__pin(m) < 0)
        return -1;
    operand->data = m->data;
    operand->rows = m->rows;
    operand->columns = m->columns;
    operand->source = m;
    return 1;
}

static int from_temporary(boc__matrix_t *m, boc__operand_t *operand)
{
    if (m == NULL)
        return -1;
    operand->owned = (PyObject *)m;
    return from_matrix(m, operand);
}

static int from_view(boc__state_t *state, boc__view_t *view, boc__operand_t *operand)
{
    if (boc__live(view->base) < 0)
        return -1;
    if (view->step != 1 && view->count > 1)
        return from_temporary(boc__view_copy(state, view), operand);
    operand->owned = Py_NewRef((PyObject *)view->base);
    (void)from_matrix(view->base, operand);
    operand->data += view->offset;
    operand->rows = view->is_row ? 1 : view->count;
    operand->columns = view->is_row ? view->count : 1;
    return 1;
}

static int from_sequence(boc__state_t *state, PyObject *o, boc__operand_t *operand)
{
    PyObject *fast = PySequence_Fast(o, "expected a sequence of numbers");
    boc__matrix_t *m;

    if (fast == NULL)
        return -1;
    if (PySequence_Fast_GET_SIZE(fast) == 0) {
        PyErr_SetString(PyExc_ValueError, "an empty sequence is no operand: a Matrix has at least one element");
        Py_DECREF(fast);
        return -1;
    }
    m = boc__new(state, 1, PySequence_Fast_GET_SIZE(fast));
    if (m != NULL && boc__fill_from_fast(fast, m->data) < 0)
        Py_CLEAR(m);
    Py_DECREF(fast);
    return from_temporary(m, operand);
}

int boc__operand(boc__state_t *state, PyObject *o, bool sequences, boc__operand_t *operand)
{
    int kind;

    operand->owned = NULL;
    operand->source = NULL;
    operand->scalar = false;
    if (boc__is_matrix(o))
        return from_matrix(boc__as_matrix(o), operand);
    kind = boc__number(o, &operand->value);
    if (kind != 0) {
        operand->data = &operand->value;
        operand->rows = operand->columns = 1;
        operand->scalar = true;
        return kind;
    }
    if (boc__is_view(o))
        return from_view(state, (boc__view_t *)o, operand);
    if (PyList_Check(o) || PyTuple_Check(o) || PyRange_Check(o))
        return from_sequence(state, o, operand);
    if (!sequences || PyComplex_Check(o) || PyUnicode_Check(o) || PyBytes_Check(o) || PyByteArray_Check(o))
        return 0;
    if (PyObject_CheckBuffer(o)) {
        PyObject *from = (PyObject *)state->matrix, *m;
        m = boc__mx_from_buffer(from, &o, 1, NULL);
        return from_temporary((boc__matrix_t *)m, operand);
    }
    if (PySequence_Check(o) || PyIter_Check(o))
        return from_sequence(state, o, operand);
    return 0;
}

int boc__need_operand(boc__state_t *state, PyObject *o, const char *what, boc__operand_t *operand)
{
    const int kind = boc__operand(state, o, true, operand);

    if (kind == 0)
        PyErr_Format(PyExc_TypeError, "%s must be a Matrix, a number or a sequence of numbers, not %.80s", what,
                     Py_TYPE(o)->tp_name);
    return kind == 1 ? 0 : -1;
}

void boc__operand_clear(boc__operand_t *operand)
{
    if (operand->source != NULL)
        boc__unpin(operand->source);
    operand->source = NULL;
    Py_CLEAR(operand->owned);
}

int boc__operand_copy(boc__state_t *state, boc__operand_t *operand)
{
    boc__matrix_t *copy = boc__new(state, operand->rows, operand->columns);

    if (copy == NULL)
        return -1;
    boc__copy(copy->data, operand->data, boc__size(copy));
    boc__operand_clear(operand);
    return from_temporary(copy, operand) == 1 ? 0 : -1;
}

int boc__broadcast(const char *what, const boc__operand_t *a, const boc__operand_t *b, Py_ssize_t *rows,
                   Py_ssize_t *columns)
{
    if ((a->rows != b->rows && a->rows != 1 && b->rows != 1) ||
        (a->columns != b->columns && a->columns != 1 && b->columns != 1)) {
        PyErr_Format(PyExc_ValueError, "%s: shapes %zdx%zd and %zdx%zd do not broadcast together", what, a->rows,
                     a->columns, b->rows, b->columns);
        return -1;
    }
    *rows = a->rows > b->rows ? a->rows : b->rows;
    *columns = a->columns > b->columns ? a->columns : b->columns;
    return 0;
}

int boc__is_out(PyObject *out)
{
    if (out == NULL || out == Py_None)
        return 0;
    if (!boc__is_matrix(out)) {
        PyErr_Format(PyExc_TypeError, "out must be a Matrix, not %.80s", Py_TYPE(out)->tp_name);
        return -1;
    }
    return 1;
}

boc__matrix_t *boc__result(boc__state_t *state, PyObject *out, boc__matrix_t *in_place, Py_ssize_t rows,
                           Py_ssize_t columns)
{
    const int given = boc__is_out(out);
    boc__matrix_t *m;

    if (given < 0)
        return NULL;
    if (!given && in_place == NULL)
        return boc__new(state, rows, columns);
    m = given ? boc__as_matrix(out) : in_place;
    if (boc__live(m) < 0)
        return NULL;
    if (m->rows != rows || m->columns != columns) {
        if (given)
            PyErr_Format(PyExc_ValueError, "out shape %zdx%zd does not match result %zdx%zd", m->rows, m->columns,
                         rows, columns);
        else
            PyErr_Format(PyExc_ValueError,
                         "in-place %s broadcast would change the shape of the operand from %zdx%zd to %zdx%zd",
                         m->rows == 1 && m->columns == 1 ? "scalar" : "outer", m->rows, m->columns, rows, columns);
        return NULL;
    }
    return (boc__matrix_t *)Py_NewRef((PyObject *)m);
}

int boc__separate(boc__state_t *state, boc__operand_t *operand, const boc__matrix_t *result)
{
    const double *from = operand->data, *end = from + operand->rows * operand->columns;
    const double *low = result->data, *high = low + result->rows * result->columns;

    if (operand->scalar || from >= high || end <= low)
        return 0;
    if (from == low && operand->rows == result->rows && operand->columns == result->columns)
        return 0;
    return boc__operand_copy(state, operand);
}

/* Narrow results: spread both operands over a few rows at a time, so that the loop inside is long. */
enum { SPREAD = 512, SPREAD_BELOW = 24 };

/* Each of the first `rows` numbers `columns` times. */
static inline __attribute__((always_inline)) void repeat(double *to, const double *data, Py_ssize_t rows,
                                                         Py_ssize_t columns)
{
    for (Py_ssize_t i = 0; i < rows; i++)
        for (Py_ssize_t j = 0; j < columns; j++)
            to[i * columns + j] = data[i];
}

static void repeat_column(double *to, const double *data, Py_ssize_t rows, Py_ssize_t columns)
{
    switch (columns) { /* the lengths of vectors: loops of a constant length */
    case 2:
        repeat(to, data, rows, 2);
        return;
    case 3:
        repeat(to, data, rows, 3);
        return;
    case 4:
        repeat(to, data, rows, 4);
        return;
    default:
        repeat(to, data, rows, columns);
    }
}

/* What is no single number: whole, a column or a row. */
static void spread(double *to, const boc__operand_t *from, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t columns)
{
    const double *data = from->data + (from->rows == 1 ? 0 : row * from->columns);

    if (from->columns == columns && from->rows != 1) {
        memcpy(to, data, (size_t)(rows * columns) * sizeof(double));
        return;
    }
    if (from->columns == 1) {
        repeat_column(to, data, rows, columns);
        return;
    }
    for (Py_ssize_t i = 0; i < rows; i++)
        for (Py_ssize_t j = 0; j < columns; j++)
            *to++ = data[j];
}

static void apply_narrow(boc__binary_fn fn, double *out, const boc__operand_t *a, const boc__operand_t *b,
                         Py_ssize_t rows, Py_ssize_t columns)
{
    double left[SPREAD], right[SPREAD];
    const Py_ssize_t step = SPREAD / columns;
    const bool whole_a = a->rows == rows && a->columns == columns, whole_b = b->rows == rows && b->columns == columns;

    for (Py_ssize_t i = 0; i < rows; i += step) {
        const Py_ssize_t count = rows - i < step ? rows - i : step;

        /* an operand of one row spreads the same way every time */
        if (!whole_a && (i == 0 || a->rows != 1))
            spread(left, a, i, i == 0 ? (rows < step ? rows : step) : count, columns);
        if (!whole_b && (i == 0 || b->rows != 1))
            spread(right, b, i, i == 0 ? (rows < step ? rows : step) : count, columns);
        fn(out + i * columns, whole_a ? a->data + i * columns : left, whole_b ? b->data + i * columns : right,
           (size_t)(count * columns));
    }
}

void boc__apply_binary(const boc__binary_fn fn[BOC_FORM_COUNT], double *out, const boc__operand_t *a,
                       const boc__operand_t *b, Py_ssize_t rows, Py_ssize_t columns)
{
    const size_t size = (size_t)rows * (size_t)columns;
    const bool one_a = a->rows == 1 && a->columns == 1, one_b = b->rows == 1 && b->columns == 1;
    const bool whole_a = a->rows == rows && a->columns == columns, whole_b = b->rows == rows && b->columns == columns;
    int form;

    if (whole_a && whole_b) {
        fn[BOC_VV](out, a->data, b->data, size);
        return;
    }
    if (one_a || one_b) {
        fn[one_b ? BOC_VS : BOC_SV](out, a->data, b->data, size);
        return;
    }
    if (columns < SPREAD_BELOW && rows > 1) {
        apply_narrow(fn[BOC_VV], out, a, b, rows, columns);
        return;
    }
    form = a->columns == columns ? (b->columns == columns ? BOC_VV : BOC_VS) : BOC_SV;
    for (Py_ssize_t i = 0; i < rows; i++)
        fn[form](out + i * columns, a->data + (a->rows == 1 ? 0 : i * a->columns),
                 b->data + (b->rows == 1 ? 0 : i * b->columns), (size_t)columns);
}

int boc__operands(boc__state_t *state, PyObject *a, PyObject *b, bool sequences, boc__operand_t *left,
                  boc__operand_t *right)
{
    /* A matrix last: reading the other may run code of the user, which may move the matrix as long as it is not pinned. */
    const bool a_first = boc__is_matrix(b);
    const int kind = boc__operand(state, a_first ? a : b, sequences, a_first ? left : right);

    return kind == 1 ? boc__operand(state, a_first ? b : a, sequences, a_first ? right : left) : kind;
}

PyObject *boc__binary(boc__state_t *state, int op, const char *what, PyObject *a, PyObject *b, PyObject *out,
                      bool sequences)
{
    const boc__binary_fn *fn = boc__kernels->map->binary[op];
    boc__operand_t left = {0}, right = {0};
    boc__matrix_t *result = NULL;
    Py_ssize_t rows, columns;
    int kind;

    kind = boc__operands(state, a, b, sequences, &left, &right);
    if (kind == 0) {
        if (sequences)
            PyErr_Format(PyExc_TypeError, "%s: the operand must be a Matrix, a number or a sequence of numbers, not %.80s",
                         what, Py_TYPE(b)->tp_name);
        else
            result = (boc__matrix_t *)Py_NewRef(Py_NotImplemented);
    }
    if (kind != 1 || boc__broadcast(what, &left, &right, &rows, &columns) < 0)
        goto done;
    result = boc__result(state, out, NULL, rows, columns);
    if (result == NULL)
        goto done;
    if (out != NULL && (boc__separate(state, &left, result) < 0 || boc__separate(state, &right, result) < 0)) {
        Py_CLEAR(result);
        goto done;
    }
    boc__apply_binary(fn, result->data, &left, &right, rows, columns);
done:
    boc__operand_clear(&left);
    boc__operand_clear(&right);
    return (PyObject *)result;
}
