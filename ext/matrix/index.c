/* index.c: m[...] to get and to set. */
#include "operand.h"

#include <string.h>

int boc__span(PyObject *key, const char *what, Py_ssize_t size, boc__span_t *span)
{
    Py_ssize_t stop;

    span->single = !PySlice_Check(key);
    if (span->single) {
        if (!PyIndex_Check(key)) {
            PyErr_Format(PyExc_TypeError, "%s index must be an int or a slice, not %.80s", what, Py_TYPE(key)->tp_name);
            return -1;
        }
        span->step = span->count = 1;
        return boc__index(key, what, size, &span->start);
    }
    if (PySlice_Unpack(key, &span->start, &stop, &span->step) < 0)
        return -1;
    span->count = PySlice_AdjustIndices(size, &span->start, &stop, span->step);
    if (span->count == 0) {
        PyErr_Format(PyExc_IndexError, "the slice of %ss is empty (size %zd): a Matrix has at least one element", what,
                     size);
        return -1;
    }
    return 0;
}

static bool is_whole(PyObject *key)
{
    const PySliceObject *slice = (const PySliceObject *)key;

    return PySlice_Check(key) && slice->start == Py_None && slice->stop == Py_None && slice->step == Py_None;
}

static bool is_list(PyObject *key)
{
    return PyList_Check(key);
}

/* What a key selects. */
typedef struct {
    boc__span_t rows, columns;
    boc__indices_t list; /* along list_axis, in place of that span */
    int list_axis;       /* -1: no list */
    bool element; /* a single number, by two ints or a row of one column */
} selection_t;

static int select_list(const boc__matrix_t *m, PyObject *list, int axis, selection_t *to)
{
    to->rows = (boc__span_t){0, 1, m->rows, false};
    to->columns = (boc__span_t){0, 1, m->columns, false};
    if (boc__index_list(list, axis == 0 ? "row" : "column", axis == 0 ? m->rows : m->columns, &to->list) < 0)
        return -1;
    to->list_axis = axis;
    return 0;
}

static int select_pair(const boc__matrix_t *m, PyObject *rows, PyObject *columns, selection_t *to)
{
    if (is_list(rows) || is_list(columns)) {
        if (is_list(rows) && is_whole(columns))
            return select_list(m, rows, 0, to);
        if (is_list(columns) && is_whole(rows))
            return select_list(m, columns, 1, to);
        PyErr_SetString(PyExc_IndexError,
                        "a list of indices goes with `:` only: m[[rows]], m[[rows], :] or m[:, [columns]]; take() and "
                        "put() do the rest");
        return -1;
    }
    if (boc__span(rows, "row", m->rows, &to->rows) < 0 || boc__span(columns, "column", m->columns, &to->columns) < 0)
        return -1;
    to->element = to->rows.single && to->columns.single;
    return 0;
}

static int select_key(const boc__matrix_t *m, PyObject *key, selection_t *to)
{
    to->list_axis = -1;
    to->element = false;
    if (PyTuple_Check(key)) {
        if (PyTuple_GET_SIZE(key) != 2) {
            PyErr_Format(boc__state_of((PyObject *)m)->axis_error,
                         "a Matrix has rows and columns: one or two indices, not %zd", PyTuple_GET_SIZE(key));
            return -1;
        }
        return select_pair(m, PyTuple_GET_ITEM(key, 0), PyTuple_GET_ITEM(key, 1), to);
    }
    if (is_list(key))
        return select_list(m, key, 0, to);
    to->columns = (boc__span_t){0, 1, m->columns, false};
    if (boc__span(key, "row", m->rows, &to->rows) < 0)
        return -1;
    to->element = to->rows.single && m->columns == 1;
    return 0;
}

static Py_ssize_t selected_rows(const selection_t *s)
{
    return s->list_axis == 0 ? s->list.count : s->rows.count;
}

static Py_ssize_t selected_columns(const selection_t *s)
{
    return s->list_axis == 1 ? s->list.count : s->columns.count;
}

/* Where row i of the selection lies. */
static Py_ssize_t row_at(const selection_t *s, Py_ssize_t i)
{
    return s->list_axis == 0 ? s->list.at[i] : s->rows.start + i * s->rows.step;
}

static void gather(double *to, const boc__matrix_t *m, const selection_t *s)
{
    const Py_ssize_t rows = selected_rows(s), columns = selected_columns(s), step = s->columns.step;

    for (Py_ssize_t i = 0; i < rows; i++, to += columns) {
        const double *from = m->data + row_at(s, i) * m->columns;

        if (s->list_axis == 1) {
            for (Py_ssize_t j = 0; j < columns; j++)
                to[j] = from[s->list.at[j]];
        } else if (step == 1) {
            boc__copy_row(to, from + s->columns.start, columns);
        } else {
            from += s->columns.start;
            for (Py_ssize_t j = 0; j < columns; j++)
                to[j] = from[j * step];
        }
    }
}

/* value has the selection's shape but for dimensions of 1, which repeat. */
static void scatter(boc__matrix_t *m, const selection_t *s, const boc__operand_t *value)
{
    const Py_ssize_t rows = selected_rows(s), columns = selected_columns(s), step = s->columns.step;
    const Py_ssize_t row_step = value->rows == 1 ? 0 : value->columns, column_step = value->columns == 1 ? 0 : 1;

    for (Py_ssize_t i = 0; i < rows; i++) {
        const double *from = value->data + i * row_step;
        double *to = m->data + row_at(s, i) * m->columns;

        if (s->list_axis == 1) {
            for (Py_ssize_t j = 0; j < columns; j++)
                to[s->list.at[j]] = from[j * column_step];
        } else if (step == 1 && column_step == 1) {
            boc__copy_row(to + s->columns.start, from, columns);
        } else if (step == 1) {
            boc__kernels->map->fill(to + s->columns.start, *from, (size_t)columns);
        } else {
            to += s->columns.start;
            for (Py_ssize_t j = 0; j < columns; j++)
                to[j * step] = from[j * column_step];
        }
    }
}

static PyObject *row_of(boc__matrix_t *m, Py_ssize_t i)
{
    boc__matrix_t *row;

    if (m->columns == 1)
        return PyFloat_FromDouble(m->data[i]);
    row = boc__new(boc__state_of((PyObject *)m), 1, m->columns);
    if (row != NULL)
        memcpy(row->data, m->data + i * m->columns, (size_t)m->columns * sizeof(double));
    return (PyObject *)row;
}

PyObject *boc__item(PyObject *self, Py_ssize_t i)
{
    boc__matrix_t *m = boc__as_matrix(self);

    if (boc__live(m) < 0)
        return NULL;
    if (i < 0 || i >= m->rows) {
        boc__index_error("row", i, m->rows);
        return NULL;
    }
    return row_of(m, i);
}

/* m[i, j] with two small ints: the address, or NULL for anything else. */
static double *element(const boc__matrix_t *m, PyObject *key)
{
    PyObject *a, *b;
    Py_ssize_t i, j;

    if (!PyTuple_CheckExact(key) || PyTuple_GET_SIZE(key) != 2)
        return NULL;
    a = PyTuple_GET_ITEM(key, 0);
    b = PyTuple_GET_ITEM(key, 1);
    if (!PyLong_CheckExact(a) || !PyLong_CheckExact(b) || !PyUnstable_Long_IsCompact((PyLongObject *)a) ||
        !PyUnstable_Long_IsCompact((PyLongObject *)b))
        return NULL;
    i = PyUnstable_Long_CompactValue((PyLongObject *)a);
    j = PyUnstable_Long_CompactValue((PyLongObject *)b);
    i += i < 0 ? m->rows : 0;
    j += j < 0 ? m->columns : 0;
    if (i < 0 || i >= m->rows || j < 0 || j >= m->columns)
        return NULL;
    return m->data + i * m->columns + j;
}

PyObject *boc__subscript(PyObject *self, PyObject *key)
{
    boc__matrix_t *m = boc__as_matrix(self), *result;
    const double *at;
    selection_t selected;
    int failed;

    if (boc__live(m) < 0)
        return NULL;
    if ((at = element(m, key)) != NULL)
        return PyFloat_FromDouble(*at);
    (void)boc__pin(m);
    failed = select_key(m, key, &selected);
    boc__unpin(m);
    if (failed)
        return NULL;
    if (selected.element)
        return PyFloat_FromDouble(m->data[selected.rows.start * m->columns + selected.columns.start]);
    result = boc__new(boc__state_of(self), selected_rows(&selected), selected_columns(&selected));
    if (result != NULL)
        gather(result->data, m, &selected);
    if (selected.list_axis >= 0)
        boc__indices_clear(&selected.list);
    return (PyObject *)result;
}

/* Make a value fit a selection: its shape, dimensions of 1, or a vector of as many elements turned. */
static int fit(boc__operand_t *value, const selection_t *s, PyObject *o)
{
    const Py_ssize_t rows = selected_rows(s), columns = selected_columns(s);

    if (value->rows * value->columns == rows * columns && (rows == 1 || columns == 1) &&
        (value->rows == 1 || value->columns == 1)) {
        value->rows = rows;
        value->columns = columns;
        return 0;
    }
    if (s->list_axis >= 0 ? (value->rows == rows && value->columns == columns) || (value->rows * value->columns == 1)
                        : (value->rows == rows || value->rows == 1) &&
                              (value->columns == columns || value->columns == 1))
        return 0;
    PyErr_Format(PyExc_ValueError, "cannot assign %zdx%zd %s to a selection of shape %zdx%zd", value->rows,
                 value->columns, boc__is_matrix(o) ? "matrix" : "values", rows, columns);
    return -1;
}

/* The value of an assignment, which must not change while it is read. */
static int assigned(boc__matrix_t *m, PyObject *o, const selection_t *s, boc__operand_t *value)
{
    boc__state_t *state = boc__state_of((PyObject *)m);
    const int kind = boc__operand(state, o, s->list_axis < 0, value);

    if (kind == 0 || (kind == 1 && s->list_axis >= 0 && !value->scalar && !boc__is_matrix(o))) {
        PyErr_Format(PyExc_TypeError, s->list_axis >= 0 ? "value must be a Matrix or a real number, not %.80s"
                                                      : "a Matrix cannot be assigned from %.80s",
                     Py_TYPE(o)->tp_name);
        return -1;
    }
    if (kind < 0 || (value->source == m && boc__operand_copy(state, value) < 0))
        return -1;
    return fit(value, s, o);
}

int boc__ass_subscript(PyObject *self, PyObject *key, PyObject *o)
{
    boc__matrix_t *m = boc__as_matrix(self);
    boc__operand_t value = {0};
    selection_t selected;
    double *at;
    int result = -1;

    if (o == NULL) {
        PyErr_SetString(PyExc_TypeError, "elements of a Matrix cannot be deleted");
        return -1;
    }
    if (boc__live(m) < 0)
        return -1;
    if (PyFloat_CheckExact(o) && (at = element(m, key)) != NULL) {
        *at = PyFloat_AS_DOUBLE(o);
        return 0;
    }
    (void)boc__pin(m);
    if (select_key(m, key, &selected) < 0) {
        boc__unpin(m);
        return -1;
    }
    if (assigned(m, o, &selected, &value) == 0) {
        scatter(m, &selected, &value);
        result = 0;
    }
    boc__unpin(m);
    boc__operand_clear(&value);
    if (selected.list_axis >= 0)
        boc__indices_clear(&selected.list);
    return result;
}
