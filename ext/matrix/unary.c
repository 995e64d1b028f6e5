/* unary.c: element-wise operations on one matrix: rounding, signs, roots, clip, bins. */
#include "operand.h"

#include <math.h>

PyObject *boc__nb_negative(PyObject *a)
{
    return boc__mx_negate(a, NULL, 0, NULL);
}

PyObject *boc__nb_absolute(PyObject *a)
{
    return boc__mx_abs(a, NULL, 0, NULL);
}

/* in_place and out -> the matrix to write to. */
static boc__matrix_t *target(boc__matrix_t *self, PyObject *in_place, PyObject *out)
{
    bool here;

    if (boc__flag(in_place, &here) < 0 || boc__live(self) < 0)
        return NULL;
    if (here && out != NULL && out != Py_None) {
        PyErr_SetString(PyExc_ValueError, "out and in_place are mutually exclusive");
        return NULL;
    }
    return boc__result(boc__state_of((PyObject *)self), out, here ? self : NULL, self->rows, self->columns);
}

static PyObject *unary(PyObject *self, int op, const boc__signature_t *signature, PyObject *const *args,
                       Py_ssize_t nargs, PyObject *kwnames)
{
    boc__matrix_t *m = boc__as_matrix(self), *result;
    PyObject *got[2] = {NULL, NULL};

    if ((nargs > 0 || kwnames != NULL) && boc__parse(signature, args, nargs, kwnames, got) < 0)
        return NULL;
    result = target(m, got[0], got[1]);
    if (result != NULL)
        boc__kernels->map->unary[op](result->data, m->data, boc__size(m));
    return (PyObject *)result;
}

#define METHOD(name, ignored)                                                                                 \
    BOC_FUNCTION(name)                                                                                         \
    {                                                                                                          \
        static const boc__signature_t signature = {#name, 0, 0, 0, {"in_place", "out"}};                       \
        return unary(self, BOC_OP_##name, &signature, args, nargs, kwnames);                                   \
    }
BOC_UNARY_OPS(METHOD)
BOC_CIRCLE_OPS(METHOD)

BOC_FUNCTION(clip)
{
    static const boc__signature_t signature = {"clip", 0, 2, 0, {"min", "max", "in_place", "out"}};
    boc__matrix_t *m = boc__as_matrix(self), *result;
    boc__state_t *state = boc__state_of(self);
    double low = -INFINITY, high = INFINITY;
    PyObject *got[4];

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0)
        return NULL;
    const bool has_low = got[0] != NULL && got[0] != Py_None, has_high = got[1] != NULL && got[1] != Py_None;
    if (!has_low && !has_high) {
        PyErr_SetString(PyExc_ValueError, "clip: give min, max or both");
        return NULL;
    }
    if ((has_low && boc__need_number(got[0], "clip: min", &low) < 0) ||
        (has_high && boc__need_number(got[1], "clip: max", &high) < 0))
        return NULL;
    if (high < low) {
        PyErr_Format(state->shape_error, "clip: max (%R) is below min (%R)", got[1], got[0]);
        return NULL;
    }
    result = target(m, got[2], got[3]);
    if (result != NULL)
        boc__kernels->map->clip(result->data, m->data, low, high, boc__size(m));
    return (PyObject *)result;
}

/* bounds=(low, high): two finite numbers in order. */
static int parse_bounds(PyObject *o, double *low, double *high)
{
    if (!PyTuple_Check(o) && !PyList_Check(o)) {
        PyErr_Format(PyExc_TypeError, "bounds must be a pair (min, max), not %.80s", Py_TYPE(o)->tp_name);
        return -1;
    }
    if (PySequence_Fast_GET_SIZE(o) != 2) {
        PyErr_Format(PyExc_ValueError, "bounds must be a pair (min, max) of length 2, not %zd", PySequence_Fast_GET_SIZE(o));
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        PyObject *const bound = PySequence_Fast_GET_ITEM(o, i);
        const int kind = boc__number(bound, i == 0 ? low : high);

        if (kind == 0)
            PyErr_Format(PyExc_TypeError, "bounds values must be real numbers, not %.80s", Py_TYPE(bound)->tp_name);
        if (kind != 1)
            return -1;
    }
    if (!isfinite(*low) || !isfinite(*high)) {
        PyErr_Format(PyExc_ValueError, "bounds values must be finite, not %R", o);
        return -1;
    }
    if (*high < *low) {
        PyErr_Format(PyExc_ValueError, "bounds max must be >= min in %R", o);
        return -1;
    }
    return 0;
}

/* The range of the numbers themselves, NaN aside. */
static void own_bounds(const boc__matrix_t *m, double *low, double *high)
{
    const size_t n = boc__size(m);
    size_t first = 0;

    while (first < n && isnan(m->data[first]))
        first++;
    *low = *high = 0.0;
    if (first < n) {
        const double *from = m->data + first;
        *low = boc__kernels->fold->all[BOC_OP_min](from, from, n - first);
        *high = boc__kernels->fold->all[BOC_OP_max](from, from, n - first);
    }
}

BOC_FUNCTION(bin)
{
    static const boc__signature_t signature = {"bin", 0, 1, 1, {"bins", "bounds", "right", "in_place", "out"}};
    boc__matrix_t *m = boc__as_matrix(self), *result;
    double low, high;
    Py_ssize_t bins;
    PyObject *got[5];
    bool right;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__flag(got[2], &right) < 0)
        return NULL;
    bins = PyNumber_AsSsize_t(got[0], PyExc_OverflowError);
    if (bins == -1 && PyErr_Occurred())
        return NULL;
    if (bins < 1) {
        PyErr_Format(PyExc_ValueError, "bins must be >= 1, not %zd", bins);
        return NULL;
    }
    const bool given = got[1] != NULL && got[1] != Py_None;
    if (given && parse_bounds(got[1], &low, &high) < 0)
        return NULL;
    result = target(m, got[3], got[4]);
    if (result == NULL)
        return NULL;
    if (!given)
        own_bounds(m, &low, &high);
    boc__kernels->map->bin(result->data, m->data, boc__size(m), low, high, (double)bins, right);
    return (PyObject *)result;
}

static int check_edges(const boc__operand_t *edges)
{
    const Py_ssize_t n = edges->rows * edges->columns;

    if (edges->rows != 1 && edges->columns != 1) {
        PyErr_Format(PyExc_ValueError, "edges must be a vector, not %zdx%zd", edges->rows, edges->columns);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (isnan(edges->data[i]) || (i > 0 && edges->data[i] <= edges->data[i - 1])) {
            PyErr_Format(PyExc_ValueError, "edges must be strictly increasing and hold no NaN; element %zd is not", i);
            return -1;
        }
    }
    return 0;
}

BOC_FUNCTION(digitize)
{
    static const boc__signature_t signature = {"digitize", 0, 1, 1, {"edges", "right", "in_place", "out"}};
    boc__matrix_t *m = boc__as_matrix(self), *result = NULL;
    boc__operand_t edges = {0};
    PyObject *got[4];
    bool right;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__flag(got[1], &right) < 0)
        return NULL;
    if (boc__need_operand(boc__state_of(self), got[0], "edges", &edges) < 0)
        goto done;
    if (edges.scalar) {
        PyErr_SetString(PyExc_TypeError, "edges must be a vector or a sequence of numbers, not a number");
        goto done;
    }
    if (check_edges(&edges) < 0)
        goto done;
    result = target(m, got[2], got[3]);
    /* every edge is read for every element: not even the same matrix may be written */
    if (result != NULL && edges.source == result && boc__operand_copy(boc__state_of(self), &edges) < 0)
        Py_CLEAR(result);
    if (result != NULL) {
        boc__kernels->map->digitize(result->data, m->data, boc__size(m), edges.data,
                                    (size_t)(edges.rows * edges.columns), right);
    }
done:
    boc__operand_clear(&edges);
    return (PyObject *)result;
}
