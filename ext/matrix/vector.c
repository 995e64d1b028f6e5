/* vector.c: matrices as vectors of two or three components, and batches of them. */
#include "operand.h"

#include <math.h>
#include <string.h>

/* A batch: `count` vectors `stride` apart, their components `step` apart. */
typedef struct {
    Py_ssize_t count, stride, step;
    bool in_rows; /* each row is a vector */
} batch_t;

static batch_t batch_of(Py_ssize_t rows, Py_ssize_t columns, bool in_rows)
{
    return in_rows ? (batch_t){rows, columns, 1, true} : (batch_t){columns, 1, columns, false};
}

/* axis against a shape whose rows, columns or both hold vectors of the wanted length. */
static int orient(bool rows_fit, bool columns_fit, int axis, bool *in_rows)
{
    if ((axis == BOC_AXIS_ROWS && !rows_fit) || (axis == BOC_AXIS_COLUMNS && !columns_fit) ||
        (!rows_fit && !columns_fit))
        return -1;
    *in_rows = axis == BOC_AXIS_COLUMNS ? false : rows_fit;
    return 0;
}

/* The one number of a single vector, or a column (of rows) or row (of columns) of numbers. */
static PyObject *numbers(boc__matrix_t *result)
{
    PyObject *number;

    if (result == NULL || boc__size(result) > 1)
        return (PyObject *)result;
    number = PyFloat_FromDouble(result->data[0]);
    Py_DECREF(result);
    return number;
}

/* 2-vectors: angle and perpendicular ------------------------------------------- */

static int batch_of_2(const boc__matrix_t *m, const char *what, int axis, batch_t *batch)
{
    bool in_rows;

    if (orient(m->columns == 2, m->rows == 2, axis, &in_rows) < 0) {
        PyErr_Format(PyExc_ValueError, "%s requires a 2D vector or Nx2 or 2xN matrix%s, not %zdx%zd", what,
                     axis == BOC_AXIS_ALL ? "" : " along that axis", m->rows, m->columns);
        return -1;
    }
    *batch = batch_of(m->rows, m->columns, in_rows);
    return 0;
}

/* x and y side by side: taken apart some at a time. */
static void angles_of_rows(double *out, const double *from, size_t count)
{
    enum { SOME = 256 };
    double x[SOME], y[SOME];

    for (size_t i = 0; i < count; i += SOME) {
        const size_t n = count - i < SOME ? count - i : SOME;

        for (size_t j = 0; j < n; j++) {
            x[j] = from[2 * (i + j)];
            y[j] = from[2 * (i + j) + 1];
        }
        boc__kernels->map->atan2(out + i, y, x, n);
    }
}

BOC_FUNCTION(angle)
{
    static const boc__signature_t signature = {"angle", 0, 1, 0, {"axis"}};
    boc__matrix_t *m = boc__as_matrix(self), *result;
    PyObject *got[1];
    batch_t batch;
    int axis;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[0], &axis) < 0 || boc__live(m) < 0 ||
        batch_of_2(m, "angle", axis, &batch) < 0)
        return NULL;
    result = batch.in_rows ? boc__new(boc__state_of(self), batch.count, 1) : boc__new(boc__state_of(self), 1, batch.count);
    if (result != NULL && batch.in_rows)
        angles_of_rows(result->data, m->data, (size_t)batch.count);
    else if (result != NULL)
        boc__kernels->map->atan2(result->data, m->data + batch.step, m->data, (size_t)batch.count);
    return numbers(result);
}

BOC_FUNCTION(perpendicular)
{
    static const boc__signature_t signature = {"perpendicular", 0, 2, 0, {"axis", "in_place"}};
    boc__matrix_t *m = boc__as_matrix(self), *result;
    PyObject *got[2];
    batch_t batch;
    bool in_place;
    int axis;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[0], &axis) < 0 ||
        boc__flag(got[1], &in_place) < 0 || boc__live(m) < 0 || batch_of_2(m, "perpendicular", axis, &batch) < 0)
        return NULL;
    result = boc__result(boc__state_of(self), NULL, in_place ? m : NULL, m->rows, m->columns);
    if (result != NULL && batch.in_rows)
        boc__kernels->map->turn(result->data, m->data, (size_t)batch.count);
    else if (result != NULL)
        for (Py_ssize_t i = 0; i < batch.count; i++) {
            const double x = m->data[i], y = m->data[i + batch.step];

            result->data[i] = -y;
            result->data[i + batch.step] = x;
        }
    return (PyObject *)result;
}

BOC_FUNCTION(normalize)
{
    static const boc__signature_t signature = {"normalize", 0, 2, 0, {"axis", "in_place"}};
    boc__matrix_t *m = boc__as_matrix(self), *result, *magnitudes;
    boc__state_t *state = boc__state_of(self);
    boc__operand_t left = {0}, right = {0};
    PyObject *got[2];
    bool in_place;
    int axis;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[0], &axis) < 0 ||
        boc__flag(got[1], &in_place) < 0 || boc__live(m) < 0)
        return NULL;
    magnitudes = boc__new(state, axis == BOC_AXIS_ROWS ? m->rows : 1, axis == BOC_AXIS_COLUMNS ? m->columns : 1);
    if (magnitudes == NULL)
        return NULL;
    boc__fold_squares(magnitudes->data, m, axis);
    boc__kernels->map->unary[BOC_OP_sqrt](magnitudes->data, magnitudes->data, boc__size(magnitudes));
    /* nothing to divide by: everything over infinity is 0 */
    for (size_t i = 0; i < boc__size(magnitudes); i++)
        magnitudes->data[i] = magnitudes->data[i] == 0.0 ? INFINITY : magnitudes->data[i];
    result = boc__result(state, NULL, in_place ? m : NULL, m->rows, m->columns);
    if (result != NULL && boc__operand(state, self, false, &left) == 1 &&
        boc__operand(state, (PyObject *)magnitudes, false, &right) == 1)
        boc__apply_binary(boc__kernels->map->binary[BOC_OP_divide], result->data, &left, &right, m->rows, m->columns);
    boc__operand_clear(&left);
    boc__operand_clear(&right);
    Py_DECREF(magnitudes);
    return (PyObject *)result;
}

/* vecdot -------------------------------------------------------------------------- */

static int is_vector(const boc__operand_t *o)
{
    return o->rows == 1 || o->columns == 1;
}

/* Dot products where one operand is broadcast: multiply, then sum; the same bits as in one go. */
static int dot_broadcast(boc__state_t *state, double *out, const boc__operand_t *a, const boc__operand_t *b,
                         Py_ssize_t rows, Py_ssize_t columns, int axis)
{
    boc__matrix_t *products = boc__new(state, rows, columns);

    if (products == NULL)
        return -1;
    boc__apply_binary(boc__kernels->map->binary[BOC_OP_multiply], products->data, a, b, rows, columns);
    boc__fold_sum(out, products, axis);
    Py_DECREF(products);
    return 0;
}

static PyObject *dot(boc__state_t *state, const boc__operand_t *a, const boc__operand_t *b, int axis)
{
    const bool same = a->rows == b->rows && a->columns == b->columns;
    const bool folded = !same && is_vector(a) && is_vector(b) && a->rows * a->columns == b->rows * b->columns;
    const Py_ssize_t rows = folded || a->rows > b->rows ? a->rows : b->rows;
    const Py_ssize_t columns = folded || a->columns > b->columns ? a->columns : b->columns;
    boc__matrix_t *result;
    int done = 0;

    if (!same && !folded) {
        const bool row = (a->rows == 1 || b->rows == 1) && a->columns == b->columns;
        const bool column = (a->columns == 1 || b->columns == 1) && a->rows == b->rows;
        if (!row && !column) {
            PyErr_Format(PyExc_ValueError, "vecdot: lhs %zdx%zd incompatible with rhs %zdx%zd", a->rows, a->columns,
                         b->rows, b->columns);
            return NULL;
        }
    }
    result = boc__new(state, axis == BOC_AXIS_ROWS ? rows : 1, axis == BOC_AXIS_COLUMNS ? columns : 1);
    if (result == NULL)
        return NULL;
    const boc__operand_t *const whole = a->rows == rows && a->columns == columns ? a : b, *const line = whole == a ? b : a;
    if (same || folded)
        boc__fold_dot(result->data, a, b->data, (size_t)a->columns, axis);
    else if (line->rows == 1 && line->columns == columns && axis != BOC_AXIS_ALL)
        boc__fold_dot(result->data, whole, line->data, 0, axis);
    else
        done = dot_broadcast(state, result->data, a, b, rows, columns, axis);
    if (done < 0)
        Py_CLEAR(result);
    if (result != NULL && axis == BOC_AXIS_ALL) {
        PyObject *number = PyFloat_FromDouble(result->data[0]);
        Py_DECREF(result);
        return number;
    }
    return (PyObject *)result;
}

/* A method with one other operand, a matrix or a sequence, and an axis. */
static PyObject *with_other(PyObject *self, const char *name, const char *what, PyObject *const *args,
                            Py_ssize_t nargs, PyObject *kwnames,
                            PyObject *(*run)(boc__state_t *, const boc__operand_t *, const boc__operand_t *, int))
{
    const boc__signature_t signature = {name, 0, 2, 1, {"other", "axis"}};
    boc__state_t *state = boc__state_of(self);
    boc__operand_t a = {0}, b = {0};
    PyObject *got[2], *result = NULL;
    int axis;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[1], &axis) < 0)
        return NULL;
    if (boc__need_operand(state, got[0], what, &b) == 0 &&
        boc__operand(state, self, false, &a) == 1) {
        if (b.scalar)
            PyErr_Format(PyExc_TypeError, "%s must be a Matrix or a sequence of numbers, not a number", what);
        else
            result = run(state, &a, &b, axis);
    }
    boc__operand_clear(&a);
    boc__operand_clear(&b);
    return result;
}

BOC_FUNCTION(vecdot)
{
    return with_other(self, "vecdot", "vecdot: other", args, nargs, kwnames, dot);
}

/* cross --------------------------------------------------------------------------- */

typedef struct {
    batch_t batch;
    int components;
    const char *kind; /* for messages */
} cross_t;

/* How a matrix of this shape holds 2- or 3-vectors. 2x3 and 3x2 are three 2-vectors. */
static int cross_shape(const boc__operand_t *a, int axis, cross_t *how)
{
    const Py_ssize_t rows = a->rows, columns = a->columns;
    const bool either = (rows == 2 && columns == 3) || (rows == 3 && columns == 2);
    const bool two_rows = columns == 2, two_columns = rows == 2;
    const bool three_rows = columns == 3, three_columns = rows == 3;
    bool in_rows = false;

    how->components = two_rows || two_columns ? 2 : 3;
    if (either)
        in_rows = two_rows;
    else if ((how->components == 2 ? orient(two_rows, two_columns, axis, &in_rows)
                                   : orient(three_rows, three_columns, axis, &in_rows)) < 0) {
        PyErr_Format(PyExc_ValueError,
                     "cross requires a 2D or 3D vector or Nx2 or 2xN or Nx3 or 3xN matrix%s, not %zdx%zd",
                     axis == BOC_AXIS_ALL ? "" : " along that axis", rows, columns);
        return -1;
    }
    how->batch = batch_of(rows, columns, in_rows);
    if (how->batch.count == 1)
        how->kind = how->components == 2 ? "2D vector" : "3D vector";
    else if (how->components == 2)
        how->kind = in_rows ? "Nx2 batch" : "2xN batch";
    else
        how->kind = in_rows ? "Nx3 batch" : "3xN batch";
    return 0;
}

/* The other side: of the same shape, or one vector for all. */
static int cross_other(const boc__operand_t *a, const boc__operand_t *b, const cross_t *how, batch_t *other)
{
    if (is_vector(b) && b->rows * b->columns == how->components) {
        *other = (batch_t){1, 0, 1, true};
        return 0;
    }
    if (how->batch.count > 1 && a->rows == b->rows && a->columns == b->columns) {
        *other = how->batch;
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "cross: %s lhs %zdx%zd incompatible with rhs %zdx%zd", how->kind, a->rows, a->columns,
                 b->rows, b->columns);
    return -1;
}

static void run_cross(boc__cross_fn fn, double *out, const double *u, const batch_t *a, const double *v,
                      const batch_t *b)
{
    fn(out, u, (size_t)a->stride, (size_t)a->step, v, (size_t)b->stride, (size_t)b->step, (size_t)a->count);
}

static PyObject *cross(boc__state_t *state, const boc__operand_t *a, const boc__operand_t *b, int axis)
{
    boc__matrix_t *result;
    batch_t other;
    cross_t how;

    if (cross_shape(a, axis, &how) < 0 || cross_other(a, b, &how, &other) < 0)
        return NULL;
    if (how.components == 3) {
        result = boc__new(state, a->rows, a->columns);
        if (result != NULL)
            run_cross(boc__kernels->map->cross_3, result->data, a->data, &how.batch, b->data, &other);
        return (PyObject *)result;
    }
    result = how.batch.in_rows ? boc__new(state, how.batch.count, 1) : boc__new(state, 1, how.batch.count);
    if (result != NULL)
        run_cross(boc__kernels->map->cross_2, result->data, a->data, &how.batch, b->data, &other);
    return numbers(result);
}

BOC_FUNCTION(cross)
{
    return with_other(self, "cross", "cross: other", args, nargs, kwnames, cross);
}
