/* make.c: new matrices from numbers, sequences, buffers, views and other matrices. */
#include "operand.h"

#include <string.h>

static boc__state_t *state_of_type(PyObject *type)
{
    return PyType_GetModuleState((PyTypeObject *)type);
}

static void fill(boc__matrix_t *m, double value)
{
    boc__kernels->map->fill(m->data, value, boc__size(m));
}

/* values of the constructor ---------------------------------------------------- */

/* A sequence that is no text: list, tuple, range, a view; as a fast sequence, else NULL (maybe without exception). */
static PyObject *as_fast(PyObject *o)
{
    if (PyUnicode_Check(o) || PyBytes_Check(o) || PyByteArray_Check(o) || !PySequence_Check(o))
        return NULL;
    return PySequence_Fast(o, "expected a sequence");
}

static int wrong_count(Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t count, const char *of)
{
    PyErr_Format(PyExc_TypeError, "a %zdx%zd Matrix takes a number or %zd values, row by row, not %zd%s", rows, columns,
                 rows * columns, count, of);
    return -1;
}

static int fill_rows(boc__matrix_t *m, PyObject *fast)
{
    for (Py_ssize_t i = 0; i < m->rows; i++) {
        PyObject *item = i < PySequence_Fast_GET_SIZE(fast) ? PySequence_Fast_GET_ITEM(fast, i) : Py_None;
        PyObject *row = as_fast(item);
        int failed;

        if (row == NULL) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_TypeError, "row %zd of the values is %.80s, not a sequence of numbers", i,
                             Py_TYPE(item)->tp_name);
            return -1;
        }
        if (PySequence_Fast_GET_SIZE(row) != m->columns) {
            PyErr_Format(PyExc_TypeError, "row %zd of the values has %zd numbers, not %zd as a %zdx%zd Matrix needs", i,
                         PySequence_Fast_GET_SIZE(row), m->columns, m->rows, m->columns);
            Py_DECREF(row);
            return -1;
        }
        failed = boc__fill_from_fast(row, m->data + i * m->columns);
        Py_DECREF(row);
        if (failed)
            return -1;
    }
    return 0;
}

static int fill_values(boc__matrix_t *m, PyObject *values)
{
    double value;
    int kind = boc__number(values, &value), failed;
    PyObject *fast;

    if (kind != 0) {
        if (kind == 1)
            fill(m, value);
        return kind == 1 ? 0 : -1;
    }
    fast = boc__is_matrix(values) ? NULL : as_fast(values);
    if (fast == NULL) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "values must be a number or a sequence of %zd numbers, not %.80s",
                         m->rows * m->columns, Py_TYPE(values)->tp_name);
        return -1;
    }
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast);
    if (count == m->rows && count > 0 && (boc__number(PySequence_Fast_GET_ITEM(fast, 0), &value) == 0))
        failed = fill_rows(m, fast);
    else if (PyErr_Occurred())
        failed = -1;
    else if (count != m->rows * m->columns)
        failed = wrong_count(m->rows, m->columns, count, "");
    else
        failed = boc__fill_from_fast(fast, m->data);
    Py_DECREF(fast);
    return failed;
}

static PyObject *construct(PyTypeObject *type, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const boc__signature_t signature = {"Matrix", 0, 3, 2, {"rows", "columns", "values"}};
    boc__state_t *state = PyType_GetModuleState(type);
    Py_ssize_t rows, columns;
    PyObject *got[3];
    boc__matrix_t *m;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0)
        return NULL;
    for (int i = 0; i < 2; i++) {
        PyObject *index = PyNumber_Index(got[i]);
        const Py_ssize_t value = index == NULL ? -1 : PyLong_AsSsize_t(index);
        Py_XDECREF(index);
        if (value == -1 && PyErr_Occurred())
            return NULL;
        *(i == 0 ? &rows : &columns) = value;
    }
    if (boc__check_shape(state, rows, columns) < 0)
        return NULL;
    if (got[2] == NULL || got[2] == Py_None)
        return (PyObject *)boc__new_zeros(state, rows, columns);
    m = boc__new(state, rows, columns);
    if (m != NULL && fill_values(m, got[2]) < 0)
        Py_CLEAR(m);
    return (PyObject *)m;
}

PyObject *boc__matrix_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return construct((PyTypeObject *)type, args, PyVectorcall_NARGS(nargsf), kwnames);
}

/* Matrix.__new__: the same through a tuple and a dict; without any arguments an empty object. */
PyObject *boc__matrix_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *stack[2 * BOC_MAX_ARGS], *names = NULL, *key, *value, *result;
    const Py_ssize_t nargs = PyTuple_GET_SIZE(args), keywords = kwargs == NULL ? 0 : PyDict_GET_SIZE(kwargs);
    Py_ssize_t position = 0, at = 0;

    if (nargs + keywords == 0)
        return boc__new_empty(PyType_GetModuleState(type));
    if (nargs > BOC_MAX_ARGS || keywords > BOC_MAX_ARGS) {
        PyErr_SetString(PyExc_TypeError, "Matrix() takes at most 3 arguments");
        return NULL;
    }
    for (; at < nargs; at++)
        stack[at] = PyTuple_GET_ITEM(args, at);
    if (keywords > 0 && (names = PyTuple_New(keywords)) == NULL)
        return NULL;
    while (keywords > 0 && PyDict_Next(kwargs, &position, &key, &value)) {
        PyTuple_SET_ITEM(names, at - nargs, Py_NewRef(key));
        stack[at++] = value;
    }
    result = construct(type, stack, nargs, names);
    Py_XDECREF(names);
    return result;
}

/* Class methods -------------------------------------------------------------------- */

static PyObject *filled(PyObject *type, PyObject *size, double value)
{
    boc__state_t *state = state_of_type(type);
    Py_ssize_t rows, columns;
    boc__matrix_t *m;

    if (boc__shape_arg(state, size, &rows, &columns) < 0)
        return NULL;
    if (value == 0.0)
        return (PyObject *)boc__new_zeros(state, rows, columns);
    m = boc__new(state, rows, columns);
    if (m != NULL)
        fill(m, value);
    return (PyObject *)m;
}

BOC_FUNCTION(zeros)
{
    static const boc__signature_t signature = {"zeros", 0, 1, 1, {"size"}};
    PyObject *got[1];

    return boc__parse(&signature, args, nargs, kwnames, got) < 0 ? NULL : filled(self, got[0], 0.0);
}

BOC_FUNCTION(ones)
{
    static const boc__signature_t signature = {"ones", 0, 1, 1, {"size"}};
    PyObject *got[1];

    return boc__parse(&signature, args, nargs, kwnames, got) < 0 ? NULL : filled(self, got[0], 1.0);
}

BOC_FUNCTION(full)
{
    static const boc__signature_t signature = {"full", 0, 2, 2, {"size", "value"}};
    boc__state_t *state = state_of_type(self);
    Py_ssize_t rows, columns;
    PyObject *got[2];
    boc__matrix_t *m;
    double value;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__shape_arg(state, got[0], &rows, &columns) < 0 ||
        boc__need_number(got[1], "full: value", &value) < 0)
        return NULL;
    m = boc__new(state, rows, columns);
    if (m != NULL)
        fill(m, value);
    return (PyObject *)m;
}

BOC_FUNCTION(vector)
{
    static const boc__signature_t signature = {"vector", 0, 2, 1, {"values", "as_column"}};
    boc__state_t *state = state_of_type(self);
    PyObject *got[2], *fast;
    boc__matrix_t *m;
    bool as_column;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__flag(got[1], &as_column) < 0)
        return NULL;
    fast = boc__is_matrix(got[0]) ? NULL : PyIter_Check(got[0]) ? PySequence_List(got[0]) : as_fast(got[0]);
    if (fast == NULL) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "vector: values must be a sequence of numbers, not %.80s",
                         Py_TYPE(got[0])->tp_name);
        return NULL;
    }
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(fast);
    if (n == 0) {
        PyErr_SetString(PyExc_ValueError, "vector: values are empty, and a Matrix has at least one element");
        Py_DECREF(fast);
        return NULL;
    }
    m = as_column ? boc__new(state, n, 1) : boc__new(state, 1, n);
    if (m != NULL && boc__fill_from_fast(fast, m->data) < 0)
        Py_CLEAR(m);
    Py_DECREF(fast);
    return (PyObject *)m;
}

BOC_FUNCTION(from_view)
{
    static const boc__signature_t signature = {"from_view", 0, 1, 1, {"view"}};
    PyObject *got[1];

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0)
        return NULL;
    if (!boc__is_view(got[0])) {
        PyErr_Format(PyExc_TypeError, "from_view needs a MatrixView, not %.80s", Py_TYPE(got[0])->tp_name);
        return NULL;
    }
    return (PyObject *)boc__view_copy(state_of_type(self), (boc__view_t *)got[0]);
}

BOC_FUNCTION(copy)
{
    static const boc__signature_t signature = {"copy", 0, 0, 0, {NULL}};

    if (boc__parse(&signature, args, nargs, kwnames, NULL) < 0 || boc__live(boc__as_matrix(self)) < 0)
        return NULL;
    return (PyObject *)boc__new_copy(boc__state_of(self), boc__as_matrix(self));
}

/* from_buffer ------------------------------------------------------------------------ */

/* A native double, in any of its spellings. */
static bool is_double(const char *format)
{
    if (format == NULL)
        return false;
    if (*format == '@' || *format == '=' || *format == (PY_LITTLE_ENDIAN ? '<' : '>'))
        format++;
    return format[0] == 'd' && format[1] == '\0';
}

static boc__matrix_t *from_buffer(boc__state_t *state, const Py_buffer *buffer)
{
    boc__matrix_t *m;
    Py_ssize_t rows, columns;

    if (buffer->ndim < 1 || buffer->ndim > 2) {
        PyErr_Format(PyExc_ValueError, "from_buffer needs one or two dimensions, not %d", buffer->ndim);
        return NULL;
    }
    if (!is_double(buffer->format)) {
        PyErr_Format(PyExc_TypeError, "from_buffer needs float64 (format 'd'), not format '%s'",
                     buffer->format == NULL ? "B" : buffer->format);
        return NULL;
    }
    rows = buffer->ndim == 2 ? buffer->shape[0] : 1;
    columns = buffer->shape[buffer->ndim - 1];
    if (boc__check_shape(state, rows, columns) < 0 || (m = boc__new(state, rows, columns)) == NULL)
        return NULL;
    if (PyBuffer_ToContiguous(m->data, buffer, buffer->len, 'C') < 0)
        Py_CLEAR(m);
    return m;
}

BOC_FUNCTION(from_buffer)
{
    static const boc__signature_t signature = {"from_buffer", 0, 1, 1, {"obj"}};
    boc__matrix_t *m;
    Py_buffer buffer;
    PyObject *got[1];

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 ||
        PyObject_GetBuffer(got[0], &buffer, PyBUF_FULL_RO) < 0)
        return NULL;
    m = from_buffer(state_of_type(self), &buffer);
    PyBuffer_Release(&buffer);
    return (PyObject *)m;
}

/* concat ------------------------------------------------------------------------------ */

/* A part of concat: a Matrix, view or sequence; a sequence is a column when columns are stacked side by side. */
static int part(boc__state_t *state, PyObject *o, int axis, boc__operand_t *operand)
{
    const int kind = boc__operand(state, o, false, operand);

    if (kind == 0 || (kind == 1 && operand->scalar)) {
        PyErr_Format(PyExc_TypeError, "concat: each part must be a Matrix or a list or tuple of numbers, not %.80s",
                     Py_TYPE(o)->tp_name);
        return -1;
    }
    if (kind == 1 && axis == 1 && !boc__is_matrix(o) && !boc__is_view(o)) {
        operand->rows = operand->columns;
        operand->columns = 1;
    }
    return kind == 1 ? 0 : -1;
}

static boc__matrix_t *join(boc__state_t *state, const boc__operand_t *parts, Py_ssize_t count, int axis)
{
    Py_ssize_t rows = parts[0].rows, columns = parts[0].columns, at = 0;
    boc__matrix_t *m;

    for (Py_ssize_t i = 1; i < count; i++) {
        if (axis == 0 ? parts[i].columns != columns : parts[i].rows != rows) {
            PyErr_Format(state->shape_error, "concat: part %zd is %zdx%zd and part 0 is %zdx%zd; the number of %s must agree",
                         i, parts[i].rows, parts[i].columns, parts[0].rows, parts[0].columns,
                         axis == 0 ? "columns" : "rows");
            return NULL;
        }
        *(axis == 0 ? &rows : &columns) += axis == 0 ? parts[i].rows : parts[i].columns;
    }
    if (boc__check_shape(state, rows, columns) < 0 || (m = boc__new(state, rows, columns)) == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        const boc__operand_t *p = &parts[i];
        if (axis == 0) {
            boc__copy(m->data + at * columns, p->data, (size_t)(p->rows * columns));
            at += p->rows;
            continue;
        }
        for (Py_ssize_t r = 0; r < rows; r++)
            memcpy(m->data + r * columns + at, p->data + r * p->columns, (size_t)p->columns * sizeof(double));
        at += p->columns;
    }
    return m;
}

BOC_FUNCTION(concat)
{
    static const boc__signature_t signature = {"concat", 0, 2, 1, {"values", "axis"}};
    boc__state_t *state = state_of_type(self);
    PyObject *got[2], *fast;
    boc__matrix_t *m = NULL;
    boc__operand_t *parts;
    Py_ssize_t count, made = 0;
    int axis;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__pick_axis(state, got[1], &axis) < 0)
        return NULL;
    /* a tuple, so that no code of the user can change it meanwhile */
    fast = PySequence_Tuple(got[0]); /* of a Matrix: its rows */
    if (fast == NULL) {
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_SetString(PyExc_TypeError, "concat: the parts must be a list or tuple of Matrix");
        return NULL;
    }
    count = PyTuple_GET_SIZE(fast);
    if (count == 0) {
        Py_DECREF(fast);
        Py_RETURN_NONE; /* there is no empty Matrix */
    }
    parts = PyMem_Calloc((size_t)count, sizeof *parts);
    if (parts == NULL)
        PyErr_NoMemory();
    while (parts != NULL && made < count && part(state, PyTuple_GET_ITEM(fast, made), axis, &parts[made]) == 0)
        made++;
    if (parts != NULL && made == count)
        m = join(state, parts, count, axis);
    for (Py_ssize_t i = 0; parts != NULL && i < (made < count ? made + 1 : count); i++)
        boc__operand_clear(&parts[i]);
    PyMem_Free(parts);
    Py_DECREF(fast);
    return (PyObject *)m;
}
