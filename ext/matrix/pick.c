/* pick.c: take, put and their kin: whole rows or columns, or one element of each, by lists of indices. */
#include "operand.h"

#include <string.h>

static const char *axis_name(int axis)
{
    return axis == 0 ? "row" : "column";
}

/* out= of a gather, which may not be its source. */
static boc__matrix_t *gather_result(boc__matrix_t *m, PyObject *out, Py_ssize_t rows, Py_ssize_t columns)
{
    boc__matrix_t *result = boc__result(boc__state_of((PyObject *)m), out, NULL, rows, columns);

    if (result == m) {
        PyErr_SetString(PyExc_ValueError, "out must not alias the matrix being taken from");
        Py_CLEAR(result);
    }
    return result;
}

/* indices, axis and shape of `self`, which is pinned, in the order in which bad ones are told. */
static int parse_indices(boc__matrix_t *m, PyObject *list, PyObject *axis_arg, int *axis, boc__indices_t *indices,
                         bool along)
{
    if (boc__pick_axis(boc__state_of((PyObject *)m), axis_arg, axis) < 0)
        return -1;
    /* along an axis, an index names a place in the other dimension's group */
    if (along) {
        const Py_ssize_t want = *axis == 0 ? m->columns : m->rows;
        const Py_ssize_t size = *axis == 0 ? m->rows : m->columns;

        if (boc__index_list(list, axis_name(*axis), size, indices) < 0)
            return -1;
        if (indices->count != want) {
            PyErr_Format(PyExc_ValueError, "axis %d of a %zdx%zd Matrix needs %zd indices (one per %s), got %zd", *axis,
                         m->rows, m->columns, want, *axis == 0 ? "column" : "row", indices->count);
            boc__indices_clear(indices);
            return -1;
        }
        return 0;
    }
    return boc__index_list(list, axis_name(*axis), *axis == 0 ? m->rows : m->columns, indices);
}

/* What take (whole rows or columns) and take_along_axis (one element of each) begin with: who is asked for, and the
 * matrix to write to. NULL: an exception is set; else clear the indices. */
static boc__matrix_t *gather(boc__matrix_t *m, const char *name, bool along, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames, int *axis, boc__indices_t *indices)
{
    const boc__signature_t signature = {name, 0, 2, 1, {"indices", "axis", "out"}};
    boc__matrix_t *result;
    PyObject *got[3];
    int failed;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__pin(m) < 0)
        return NULL;
    failed = parse_indices(m, got[0], got[1], axis, indices, along);
    boc__unpin(m);
    if (failed)
        return NULL;
    const Py_ssize_t others = along ? 1 : *axis == 0 ? m->columns : m->rows;
    result = gather_result(m, got[2], (*axis == 0) != along ? indices->count : others,
                           (*axis == 0) != along ? others : indices->count);
    if (result == NULL)
        boc__indices_clear(indices);
    return result;
}

BOC_FUNCTION(take)
{
    boc__indices_t indices;
    int axis;
    const boc__matrix_t *m = boc__as_matrix(self);
    boc__matrix_t *result = gather(boc__as_matrix(self), "take", false, args, nargs, kwnames, &axis, &indices);

    if (result == NULL)
        return NULL;
    if (axis == 0) {
        for (Py_ssize_t i = 0; i < indices.count; i++)
            boc__copy_row(result->data + i * m->columns, m->data + indices.at[i] * m->columns, m->columns);
    } else {
        for (Py_ssize_t i = 0; i < m->rows; i++)
            for (Py_ssize_t j = 0; j < indices.count; j++)
                result->data[i * indices.count + j] = m->data[i * m->columns + indices.at[j]];
    }
    boc__indices_clear(&indices);
    return (PyObject *)result;
}

BOC_FUNCTION(take_along_axis)
{
    boc__indices_t indices;
    int axis;
    const boc__matrix_t *m = boc__as_matrix(self);
    boc__matrix_t *result =
        gather(boc__as_matrix(self), "take_along_axis", true, args, nargs, kwnames, &axis, &indices);

    if (result == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < indices.count; i++)
        result->data[i] = m->data[axis == 0 ? indices.at[i] * m->columns + i : i * m->columns + indices.at[i]];
    boc__indices_clear(&indices);
    return (PyObject *)result;
}

/* The value of put: a number or 1x1, or exactly rows x columns; a copy if it is self. */
static int put_value(boc__matrix_t *m, PyObject *o, Py_ssize_t rows, Py_ssize_t columns, boc__operand_t *value)
{
    const int number = boc__is_matrix(o) ? 0 : boc__number(o, &value->value);

    if (number < 0)
        return -1;
    if (number == 0 && !boc__is_matrix(o)) {
        PyErr_Format(PyExc_TypeError, "value must be a Matrix or a real number, not %.80s", Py_TYPE(o)->tp_name);
        return -1;
    }
    if (boc__operand(boc__state_of((PyObject *)m), o, false, value) < 0)
        return -1;
    if (value->rows * value->columns != 1 && (value->rows != rows || value->columns != columns)) {
        PyErr_Format(PyExc_ValueError, "cannot assign %zdx%zd matrix to a selection of shape %zdx%zd", value->rows,
                     value->columns, rows, columns);
        return -1;
    }
    return value->source == m ? boc__operand_copy(boc__state_of((PyObject *)m), value) : 0;
}

static inline void set(double *at, double value, bool accumulate)
{
    *at = accumulate ? *at + value : value;
}

static inline void put_row(double *to, const double *from, Py_ssize_t columns, Py_ssize_t step)
{
    if (step) {
        boc__copy_row(to, from, columns);
        return;
    }
    if (columns > 8)
        boc__kernels->map->fill(to, *from, (size_t)columns);
    else
        for (Py_ssize_t j = 0; j < columns; j++)
            to[j] = *from;
}

/* Shared by put (whole rows or columns) and put_along_axis (one element of each). */
static PyObject *put(PyObject *self, const boc__signature_t *signature, bool along, PyObject *const *args,
                     Py_ssize_t nargs, PyObject *kwnames)
{
    boc__matrix_t *m = boc__as_matrix(self);
    boc__indices_t indices;
    Py_ssize_t count, step;
    boc__operand_t value = {0};
    PyObject *got[4], *result = NULL;
    bool accumulate;
    int axis;

    if (boc__parse(signature, args, nargs, kwnames, got) < 0 || boc__flag(got[3], &accumulate) < 0 || boc__pin(m) < 0)
        return NULL;
    if (parse_indices(m, got[0], got[2], &axis, &indices, along) < 0) {
        boc__unpin(m);
        return NULL;
    }
    count = indices.count;
    const Py_ssize_t rows = along ? (axis == 0 ? 1 : count) : (axis == 0 ? count : m->rows);
    const Py_ssize_t columns = along ? (axis == 0 ? count : 1) : (axis == 0 ? m->columns : count);
    if (put_value(m, got[1], rows, columns, &value) < 0)
        goto done;
    step = value.rows * value.columns == 1 ? 0 : 1;
    if (!along && axis == 0 && !accumulate) {
        for (Py_ssize_t i = 0; i < count; i++)
            put_row(m->data + indices.at[i] * m->columns, value.data + i * columns * step, columns, step);
    } else if (along) {
        for (Py_ssize_t i = 0; i < count; i++)
            set(m->data + (axis == 0 ? indices.at[i] * m->columns + i : i * m->columns + indices.at[i]), value.data[i * step],
                accumulate);
    } else {
        for (Py_ssize_t i = 0; i < rows; i++)
            for (Py_ssize_t j = 0; j < columns; j++)
                set(m->data + (axis == 0 ? indices.at[i] * m->columns + j : i * m->columns + indices.at[j]),
                    value.data[(i * columns + j) * step], accumulate);
    }
    result = Py_NewRef(self);
done:
    boc__unpin(m);
    boc__operand_clear(&value);
    boc__indices_clear(&indices);
    return result;
}

BOC_FUNCTION(put)
{
    static const boc__signature_t signature = {"put", 0, 4, 2, {"indices", "value", "axis", "accumulate"}};
    return put(self, &signature, false, args, nargs, kwnames);
}

BOC_FUNCTION(put_along_axis)
{
    static const boc__signature_t signature = {"put_along_axis", 0, 4, 2, {"indices", "value", "axis", "accumulate"}};
    return put(self, &signature, true, args, nargs, kwnames);
}

static void repeat_each(double *to, const double *from, size_t n, size_t times)
{
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < times; r++)
            *to++ = from[i];
}

BOC_FUNCTION(repeat_interleave)
{
    static const boc__signature_t signature = {"repeat_interleave", 0, 2, 1, {"repeats", "axis"}};
    boc__matrix_t *m = boc__as_matrix(self), *result;
    Py_ssize_t repeats;
    PyObject *got[2];
    int axis;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[1], &axis) < 0)
        return NULL;
    repeats = PyNumber_AsSsize_t(got[0], PyExc_OverflowError);
    if ((repeats == -1 && PyErr_Occurred()) || boc__live(m) < 0)
        return NULL;
    if (repeats < 1) {
        PyErr_Format(PyExc_ValueError, "repeats must be a positive integer, not %zd", repeats);
        return NULL;
    }
    if ((size_t)repeats > PY_SSIZE_T_MAX / 16 / boc__size(m)) {
        PyErr_Format(PyExc_OverflowError, "repeating a %zdx%zd Matrix %zd times is too large", m->rows, m->columns,
                     repeats);
        return NULL;
    }
    if (axis == BOC_AXIS_COLUMNS)
        result = boc__new(boc__state_of(self), m->rows * repeats, m->columns);
    else
        result = boc__new(boc__state_of(self), axis == BOC_AXIS_ALL ? 1 : m->rows,
                          (axis == BOC_AXIS_ALL ? (Py_ssize_t)boc__size(m) : m->columns) * repeats);
    if (result == NULL)
        return NULL;
    if (axis != BOC_AXIS_COLUMNS) {
        repeat_each(result->data, m->data, boc__size(m), (size_t)repeats);
        return (PyObject *)result;
    }
    for (Py_ssize_t i = 0, at = 0; i < m->rows; i++)
        for (Py_ssize_t r = 0; r < repeats; r++, at += m->columns)
            memcpy(result->data + at, m->data + i * m->columns, (size_t)m->columns * sizeof(double));
    return (PyObject *)result;
}
