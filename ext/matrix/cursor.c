/* cursor.c: the iterator over the numbers of a matrix or view, over rows, and over views of lines. */
#include "matrix.h"

typedef struct {
    PyObject_HEAD
    PyObject *over; /* NULL: at the end */
    Py_ssize_t next;
    int kind;
    bool read_only, of_view;
} cursor_t;

PyObject *boc__cursor(boc__state_t *state, PyObject *over, int kind, bool read_only)
{
    cursor_t *cursor = PyObject_New(cursor_t, state->cursor);

    if (cursor != NULL) {
        cursor->over = Py_NewRef(over);
        cursor->next = 0;
        cursor->kind = kind;
        cursor->read_only = read_only;
        cursor->of_view = boc__is_view(over);
    }
    return (PyObject *)cursor;
}

static void cursor_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(((cursor_t *)self)->over);
    PyObject_Free(self);
    Py_DECREF(type);
}

static Py_ssize_t length(const cursor_t *cursor)
{
    const boc__matrix_t *m = boc__as_matrix(cursor->over);

    if (boc__is_view(cursor->over))
        return ((boc__view_t *)cursor->over)->count;
    if (cursor->kind == BOC_EACH_VALUE)
        return m->rows * m->columns;
    return cursor->kind == BOC_EACH_COLUMN_VIEW ? m->columns : m->rows;
}

static PyObject *line(cursor_t *cursor, Py_ssize_t i)
{
    PyObject *index = PyLong_FromSsize_t(i), *result;
    PyObject *args[2] = {index, cursor->read_only ? Py_True : Py_False};
    PyObject *names = index == NULL ? NULL : Py_BuildValue("(s)", "read_only");

    if (names == NULL) {
        Py_XDECREF(index);
        return NULL;
    }
    result = (cursor->kind == BOC_EACH_ROW_VIEW ? boc__mx_row_view : boc__mx_column_view)(cursor->over, args, 1, names);
    Py_DECREF(names);
    Py_DECREF(index);
    return result;
}

static PyObject *cursor_next(PyObject *self)
{
    cursor_t *cursor = (cursor_t *)self;
    const boc__view_t *view;
    Py_ssize_t i;

    if (cursor->over == NULL)
        return NULL;
    if (cursor->kind == BOC_EACH_VALUE && !cursor->of_view) {
        /* what most loops are: kept short */
        const boc__matrix_t *m = boc__as_matrix(cursor->over);
        if (m->block != NULL && cursor->next < m->rows * m->columns)
            return PyFloat_FromDouble(m->data[cursor->next++]);
    }
    view = boc__is_view(cursor->over) ? (const boc__view_t *)cursor->over : NULL;
    if (boc__live(view != NULL ? view->base : boc__as_matrix(cursor->over)) < 0)
        return NULL;
    if (cursor->next >= length(cursor)) {
        Py_CLEAR(cursor->over);
        return NULL;
    }
    i = cursor->next++;
    if (cursor->kind == BOC_EACH_ROW)
        return boc__item(cursor->over, i);
    if (cursor->kind != BOC_EACH_VALUE)
        return line(cursor, i);
    if (view != NULL)
        return PyFloat_FromDouble(view->base->data[view->offset + i * view->step]);
    return PyFloat_FromDouble(boc__as_matrix(cursor->over)->data[i]);
}

static PyObject *length_hint(PyObject *self, PyObject *unused)
{
    const cursor_t *cursor = (const cursor_t *)self;
    const Py_ssize_t left = cursor->over == NULL ? 0 : length(cursor) - cursor->next;

    (void)unused;
    return PyLong_FromSsize_t(left < 0 ? 0 : left);
}

static PyMethodDef cursor_methods[] = {
    {"__length_hint__", length_hint, METH_NOARGS, "How many elements are left."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cursor_slots[] = {
    {Py_tp_dealloc, cursor_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, cursor_next},
    {Py_tp_methods, cursor_methods},
    {Py_tp_doc, "Iterates over the numbers, rows or line views of a Matrix, or the numbers of a MatrixView."},
    {0, NULL},
};
PyType_Spec boc__cursor_spec = {
    .name = "boc._matrix.MatrixIterator",
    .basicsize = sizeof(cursor_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cursor_slots,
};
