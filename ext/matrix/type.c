/* type.c: the Matrix type: attributes, protocols, pickling. */
#include "operand.h"

#include <math.h>
#include <string.h>

PyObject *boc__matrix_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
PyObject *boc__repr(PyObject *self);
PyObject *boc__str(PyObject *self);

/* Attributes ---------------------------------------------------------------- */

#define DIMENSION(name, value)                                                                                \
    static PyObject *get_##name(PyObject *self, void *unused)                                                 \
    {                                                                                                          \
        const boc__matrix_t *m = boc__as_matrix(self);                                                         \
        (void)unused;                                                                                          \
        return boc__live(m) < 0 ? NULL : PyLong_FromSsize_t(value);                                            \
    }
DIMENSION(rows, m->rows)
DIMENSION(columns, m->columns)
DIMENSION(size, m->rows *m->columns)

static PyObject *get_shape(PyObject *self, void *unused)
{
    const boc__matrix_t *m = boc__as_matrix(self);

    (void)unused;
    return boc__live(m) < 0 ? NULL : Py_BuildValue("(nn)", m->rows, m->columns);
}

static PyObject *get_T(PyObject *self, void *unused)
{
    (void)unused;
    return boc__mx_transpose(self, NULL, 0, NULL);
}

static PyObject *get_length(PyObject *self, void *unused)
{
    const boc__matrix_t *m = boc__as_matrix(self);
    double squares = 0.0;

    (void)unused;
    if (m->block == NULL || boc__size(m) > 4)
        return boc__mx_magnitude(self, NULL, 0, NULL);
    for (size_t i = 0; i < boc__size(m); i++) /* a vector of the plane or of space, without a call */
        squares += m->data[i] * m->data[i];
    return PyFloat_FromDouble(sqrt(squares));
}

static PyObject *get_acquired(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(boc__as_matrix(self)->block != NULL);
}

static PyObject *get_view(PyObject *self, void *unused)
{
    (void)unused;
    return boc__live(boc__as_matrix(self)) < 0 ? NULL : boc__view_indexer(self);
}

static PyObject *get_priority(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    return PyFloat_FromDouble(-1.0);
}

/* x, y, z, w: elements 0 to 3, row by row. */
static double *component(boc__matrix_t *m, Py_ssize_t i)
{
    if (boc__live(m) < 0)
        return NULL;
    if (i >= m->rows * m->columns) {
        PyErr_Format(PyExc_IndexError, "a %zdx%zd Matrix has no component %c", m->rows, m->columns, "xyzw"[i]);
        return NULL;
    }
    return m->data + i;
}

static PyObject *get_component(PyObject *self, void *which)
{
    const double *at = component(boc__as_matrix(self), (Py_ssize_t)(intptr_t)which);

    return at == NULL ? NULL : PyFloat_FromDouble(*at);
}

static int set_component(PyObject *self, PyObject *o, void *which)
{
    double value, *at;

    if (o == NULL) {
        PyErr_SetString(PyExc_TypeError, "elements of a Matrix cannot be deleted");
        return -1;
    }
    if (boc__need_number(o, "a component", &value) < 0)
        return -1;
    at = component(boc__as_matrix(self), (Py_ssize_t)(intptr_t)which);
    if (at == NULL)
        return -1;
    *at = value;
    return 0;
}

static PyGetSetDef getset[] = {
    {"rows", get_rows, NULL, "Number of rows.", NULL},
    {"columns", get_columns, NULL, "Number of columns.", NULL},
    {"size", get_size, NULL, "Number of elements, rows * columns.", NULL},
    {"shape", get_shape, NULL, "(rows, columns).", NULL},
    {"T", get_T, NULL, "A new Matrix with rows and columns exchanged.", NULL},
    {"length", get_length, NULL, "The square root of the sum of squares, as magnitude().", NULL},
    {"acquired", get_acquired, NULL,
     "Whether this object has its contents: False once they moved into a cown, and then any use raises RuntimeError.",
     NULL},
    {"view", get_view, NULL, "view[i], view[i, columns] and view[rows, j] make a MatrixView of a row or column.", NULL},
    {"x", get_component, set_component, "First element; can be assigned.", (void *)0},
    {"y", get_component, set_component, "Second element; can be assigned.", (void *)1},
    {"z", get_component, set_component, "Third element; can be assigned.", (void *)2},
    {"w", get_component, set_component, "Fourth element; can be assigned.", (void *)3},
    {"__array_priority__", get_priority, NULL, "Below that of numpy arrays: with one of those, numpy computes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* Protocols ------------------------------------------------------------------- */

static Py_ssize_t length(PyObject *self)
{
    const boc__matrix_t *m = boc__as_matrix(self);

    return boc__live(m) < 0 ? -1 : m->rows;
}

static PyObject *iterate(PyObject *self)
{
    if (boc__live(boc__as_matrix(self)) < 0)
        return NULL;
    return boc__cursor(boc__state_of(self), self, BOC_EACH_ROW, false);
}

/* float(m) of 1x1; without it, float() would read the buffer as text. */
static PyObject *as_float(PyObject *self)
{
    const boc__matrix_t *m = boc__as_matrix(self);

    if (boc__live(m) < 0)
        return NULL;
    if (boc__size(m) != 1) {
        PyErr_Format(PyExc_TypeError, "only a 1x1 Matrix is a number, not %zdx%zd", m->rows, m->columns);
        return NULL;
    }
    return PyFloat_FromDouble(m->data[0]);
}

static PyObject *as_int(PyObject *self)
{
    PyObject *number = as_float(self), *whole = number == NULL ? NULL : PyNumber_Long(number);

    Py_XDECREF(number);
    return whole;
}

/* A row of x, or a float: compared as == does, also with lists. */
static int contains(PyObject *self, PyObject *value)
{
    const boc__matrix_t *m = boc__as_matrix(self);

    if (boc__live(m) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < m->rows; i++) {
        PyObject *row = boc__item(self, i);
        int same;

        if (row == NULL)
            return -1;
        same = PyObject_RichCompareBool(row, value, Py_EQ);
        Py_DECREF(row);
        if (same != 0)
            return same;
    }
    return 0;
}

BOC_FUNCTION(values)
{
    static const boc__signature_t signature = {"values", 0, 0, 0, {NULL}};

    if (boc__parse(&signature, args, nargs, kwnames, NULL) < 0 || boc__live(boc__as_matrix(self)) < 0)
        return NULL;
    return boc__cursor(boc__state_of(self), self, BOC_EACH_VALUE, false);
}

/* Shape and strides of a buffer live as long as it does, whatever becomes of the object. */
typedef struct {
    Py_ssize_t shape[2], strides[2];
} layout_t;

static int get_buffer(PyObject *self, Py_buffer *buffer, int flags)
{
    static char format[] = "d";
    boc__matrix_t *m = boc__as_matrix(self);
    layout_t *layout;

    buffer->obj = NULL;
    if (m->block == NULL) {
        PyErr_SetString(PyExc_BufferError, "this Matrix is empty: its contents moved into a cown");
        return -1;
    }
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && m->rows != 1 && m->columns != 1) {
        PyErr_SetString(PyExc_BufferError, "a Matrix lies row by row, not in Fortran order");
        return -1;
    }
    layout = PyMem_Malloc(sizeof *layout);
    if (layout == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *layout = (layout_t){{m->rows, m->columns}, {m->columns * (Py_ssize_t)sizeof(double), sizeof(double)}};
    buffer->obj = Py_NewRef(self);
    buffer->buf = m->data;
    buffer->len = m->rows * m->columns * (Py_ssize_t)sizeof(double);
    buffer->itemsize = sizeof(double);
    buffer->readonly = 0;
    buffer->format = (flags & PyBUF_FORMAT) ? format : NULL;
    buffer->ndim = (flags & PyBUF_ND) ? 2 : 1;
    buffer->shape = (flags & PyBUF_ND) ? layout->shape : NULL;
    buffer->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? layout->strides : NULL;
    buffer->suboffsets = NULL;
    buffer->internal = layout;
    boc__count_export(m, 1);
    return 0;
}

static void release_buffer(PyObject *self, Py_buffer *buffer)
{
    boc__count_export(boc__as_matrix(self), -1);
    PyMem_Free(buffer->internal);
}

/* Pickling ---------------------------------------------------------------------- */

BOC_FUNCTION(__reduce__)
{
    static const boc__signature_t signature = {"__reduce__", 0, 0, 0, {NULL}};
    const boc__matrix_t *m = boc__as_matrix(self);
    PyObject *bytes, *result;

    if (boc__parse(&signature, args, nargs, kwnames, NULL) < 0)
        return NULL;
    if (m->rows == 0) {
        PyErr_SetString(PyExc_ValueError, "this Matrix was made by __new__ alone and has no shape");
        return NULL;
    }
    if (boc__live(m) < 0)
        return NULL;
    bytes = PyBytes_FromStringAndSize((const char *)m->data, (Py_ssize_t)(boc__size(m) * sizeof(double)));
    if (bytes == NULL)
        return NULL;
    result = Py_BuildValue("O(nnN)", boc__state_of(self)->restore, m->rows, m->columns, bytes);
    return result;
}

/* _restore(rows, columns, bytes): what __reduce__ names. */
PyObject *boc__restore(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    boc__state_t *state = PyModule_GetState(module);
    Py_ssize_t rows, columns;
    boc__matrix_t *m = NULL;
    Py_buffer bytes;

    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "_restore(rows, columns, bytes)");
        return NULL;
    }
    rows = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    columns = rows == -1 && PyErr_Occurred() ? -1 : PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
    if (PyErr_Occurred() || boc__check_shape(state, rows, columns) < 0 ||
        PyObject_GetBuffer(args[2], &bytes, PyBUF_SIMPLE) < 0)
        return NULL;
    if (bytes.len != rows * columns * (Py_ssize_t)sizeof(double))
        PyErr_Format(PyExc_ValueError, "a pickled %zdx%zd Matrix has %zd bytes, not %zd", rows, columns,
                     rows * columns * (Py_ssize_t)sizeof(double), bytes.len);
    else if ((m = boc__new(state, rows, columns)) != NULL)
        memcpy(m->data, bytes.buf, (size_t)bytes.len);
    PyBuffer_Release(&bytes);
    return (PyObject *)m;
}

BOC_FUNCTION(__copy__)
{
    (void)args, (void)nargs, (void)kwnames;
    return boc__mx_copy(self, NULL, 0, NULL);
}

BOC_FUNCTION(__deepcopy__)
{
    (void)args, (void)nargs, (void)kwnames;
    return boc__mx_copy(self, NULL, 0, NULL);
}

/* The type ------------------------------------------------------------------------ */

#define ENTRY(name, signature, doc, flags)                                                                    \
    {#name, (PyCFunction)(void (*)(void))boc__mx_##name, METH_FASTCALL | METH_KEYWORDS | (flags),             \
     #name signature "\n--\n\n" doc},
static PyMethodDef methods[] = {
#define BOC_METHOD(name, signature, doc) ENTRY(name, signature, doc, 0)
#define BOC_CLASS_METHOD(name, signature, doc) ENTRY(name, signature, doc, METH_CLASS)
#define BOC_VIEW_METHOD(name, signature, doc)
#include "methods.def"
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Matrix(rows, columns, values=None)\n--\n\n"
                "A dense matrix of float64, row by row, at least 1x1.\n\n"
                "values: None for zeros, a number for all, rows * columns numbers in one sequence, or a sequence of\n"
                "rows. It moves into and between cowns by pointer, whatever its size, and works in every worker;\n"
                "an object whose contents moved into a cown raises RuntimeError until the cown gives them back."},
    {Py_tp_new, boc__matrix_new},
    {Py_tp_dealloc, boc__matrix_dealloc},
    {Py_tp_repr, boc__repr},
    {Py_tp_str, boc__str},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_richcompare, boc__richcompare},
    {Py_tp_iter, iterate},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_mp_length, length},
    {Py_mp_subscript, boc__subscript},
    {Py_mp_ass_subscript, boc__ass_subscript},
    {Py_sq_length, length},
    {Py_sq_item, boc__item},
    {Py_sq_contains, contains},
    {Py_nb_add, boc__nb_add},
    {Py_nb_subtract, boc__nb_subtract},
    {Py_nb_multiply, boc__nb_multiply},
    {Py_nb_true_divide, boc__nb_divide},
    {Py_nb_matrix_multiply, boc__nb_matmul},
    {Py_nb_negative, boc__nb_negative},
    {Py_nb_absolute, boc__nb_absolute},
    {Py_nb_inplace_add, boc__nb_inplace_add},
    {Py_nb_inplace_subtract, boc__nb_inplace_subtract},
    {Py_nb_inplace_multiply, boc__nb_inplace_multiply},
    {Py_nb_inplace_true_divide, boc__nb_inplace_divide},
    {Py_nb_float, as_float},
    {Py_nb_int, as_int},
    {Py_bf_getbuffer, get_buffer},
    {Py_bf_releasebuffer, release_buffer},
    {0, NULL},
};
PyType_Spec boc__matrix_spec = {
    .name = "boc._matrix.Matrix",
    .basicsize = sizeof(boc__matrix_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
