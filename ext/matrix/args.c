/* args.c: what Python hands in, as C values, with errors that say what was wrong. */
#include "operand.h"

#include <string.h>

static Py_ssize_t name_at(const boc__signature_t *signature, PyObject *name)
{
    for (Py_ssize_t i = signature->positional_only; signature->names[i] != NULL; i++)
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) == 0)
            return i;
    return -1;
}

int boc__parse(const boc__signature_t *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
               PyObject **out)
{
    const Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);

    if (nargs > signature->positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional argument%s (%zd given)", signature->function,
                     signature->positional, signature->positional == 1 ? "" : "s", nargs);
        return -1;
    }
    for (Py_ssize_t i = 0; signature->names[i] != NULL; i++)
        out[i] = i < nargs ? args[i] : NULL;
    for (Py_ssize_t k = 0; k < keywords; k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        const Py_ssize_t i = name_at(signature, name);

        if (i < 0) {
            PyErr_Format(PyExc_TypeError, "%s() has no keyword argument '%U'", signature->function, name);
            return -1;
        }
        if (out[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got two values for argument '%U'", signature->function, name);
            return -1;
        }
        out[i] = args[nargs + k];
    }
    for (int i = 0; i < signature->required; i++) {
        if (out[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() misses argument %d ('%s')", signature->function, i + 1,
                         signature->names[i]);
            return -1;
        }
    }
    return 0;
}

int boc__number(PyObject *o, double *value)
{
    PyNumberMethods *as_number;

    if (PyFloat_CheckExact(o)) {
        *value = PyFloat_AS_DOUBLE(o);
        return 1;
    }
    if (PyLong_Check(o)) {
        *value = PyLong_AsDouble(o);
        return *value == -1.0 && PyErr_Occurred() ? -1 : 1;
    }
    as_number = Py_TYPE(o)->tp_as_number;
    /* numpy arrays have __float__ too, but are sequences; its complex numbers would lose their imaginary part */
    if (as_number == NULL || PyComplex_Check(o) || (as_number->nb_float == NULL && as_number->nb_index == NULL) || PySequence_Check(o))
        return 0;
    *value = PyFloat_AsDouble(o);
    return *value == -1.0 && PyErr_Occurred() ? -1 : 1;
}

int boc__need_number(PyObject *o, const char *what, double *value)
{
    const int kind = boc__number(o, value);

    if (kind == 0)
        PyErr_Format(PyExc_TypeError, "%s must be a real number, not %.80s", what, Py_TYPE(o)->tp_name);
    return kind == 1 ? 0 : -1;
}

int boc__flag(PyObject *o, bool *value)
{
    const int truth = o == NULL ? 0 : PyObject_IsTrue(o);

    *value = truth > 0;
    return truth < 0 ? -1 : 0;
}

static int dimension(PyObject *o, Py_ssize_t *value)
{
    PyObject *index = PyNumber_Index(o);

    if (index == NULL)
        return -1;
    *value = PyLong_AsSsize_t(index);
    Py_DECREF(index);
    return *value == -1 && PyErr_Occurred() ? -1 : 0;
}

int boc__shape_arg(boc__state_t *state, PyObject *o, Py_ssize_t *rows, Py_ssize_t *columns)
{
    if ((!PyTuple_Check(o) && !PyList_Check(o)) || PySequence_Fast_GET_SIZE(o) != 2) {
        PyErr_Format(PyExc_TypeError, "size must be a pair (rows, columns), not %R", o);
        return -1;
    }
    if (dimension(PySequence_Fast_GET_ITEM(o, 0), rows) < 0 || dimension(PySequence_Fast_GET_ITEM(o, 1), columns) < 0)
        return -1;
    return boc__check_shape(state, *rows, *columns);
}

int boc__axis(PyObject *o, int *axis)
{
    long value;
    int overflow;

    *axis = BOC_AXIS_ALL;
    if (o == NULL || o == Py_None)
        return 0;
    if (PyBool_Check(o) || !PyLong_Check(o)) {
        PyErr_Format(PyExc_TypeError, "axis must be an int or None, not %.80s", Py_TYPE(o)->tp_name);
        return -1;
    }
    value = PyLong_AsLongAndOverflow(o, &overflow);
    if (overflow != 0 || value > INT32_MAX || value < INT32_MIN) {
        PyErr_SetString(PyExc_OverflowError, "axis is out of int range");
        return -1;
    }
    if (value < -2 || value > 1) {
        PyErr_Format(PyExc_ValueError, "axis must be -2, -1, 0, or 1 (or None), not %ld", value);
        return -1;
    }
    *axis = value == 0 || value == -2 ? BOC_AXIS_COLUMNS : BOC_AXIS_ROWS;
    return 0;
}

int boc__pick_axis(boc__state_t *state, PyObject *o, int *axis)
{
    Py_ssize_t value = 0;

    if (o != NULL) {
        value = PyNumber_AsSsize_t(o, PyExc_OverflowError);
        if (value == -1 && PyErr_Occurred())
            return -1;
    }
    if (value < -2 || value > 1) {
        PyErr_Format(state->axis_error, "axis must be 0 (rows) or 1 (columns), not %zd", value);
        return -1;
    }
    *axis = value == 0 || value == -2 ? 0 : 1;
    return 0;
}

int boc__index_error(const char *what, Py_ssize_t index, Py_ssize_t size)
{
    PyErr_Format(PyExc_IndexError, "%s index %zd out of range for dimension of size %zd", what, index, size);
    return -1;
}

int boc__index(PyObject *o, const char *what, Py_ssize_t size, Py_ssize_t *index)
{
    Py_ssize_t i;

    if (PyLong_CheckExact(o) && PyUnstable_Long_IsCompact((PyLongObject *)o)) {
        i = PyUnstable_Long_CompactValue((PyLongObject *)o);
        if (i < -size || i >= size)
            return boc__index_error(what, i, size);
        *index = i < 0 ? i + size : i;
        return 0;
    }
    if (!PyIndex_Check(o)) {
        PyErr_Format(PyExc_TypeError, "%s indices must be int, not %.80s", what, Py_TYPE(o)->tp_name);
        return -1;
    }
    i = PyNumber_AsSsize_t(o, PyExc_OverflowError);
    if (i == -1 && PyErr_Occurred())
        return -1;
    if (i < -size || i >= size)
        return boc__index_error(what, i, size);
    *index = i < 0 ? i + size : i;
    return 0;
}

void boc__indices_clear(boc__indices_t *indices)
{
    if (indices->at != indices->few)
        PyMem_Free(indices->at);
    indices->at = indices->few;
}

int boc__index_list(PyObject *o, const char *what, Py_ssize_t size, boc__indices_t *indices)
{
    PyObject *fast;
    int result = -1;

    indices->at = indices->few;
    if (boc__is_matrix(o) || PyUnicode_Check(o) || PyBytes_Check(o)) {
        PyErr_Format(PyExc_TypeError, "%s indices must be a list or tuple of int, not %.80s", what,
                     Py_TYPE(o)->tp_name);
        return -1;
    }
    fast = PySequence_Fast(o, "indices must be a list or tuple of int");
    if (fast == NULL)
        return -1;
    indices->count = PySequence_Fast_GET_SIZE(fast);
    if (indices->count == 0) {
        PyErr_Format(PyExc_IndexError, "the list of %s indices is empty", what);
        goto out;
    }
    if (indices->count > BOC_FEW_INDICES)
        indices->at = PyMem_New(Py_ssize_t, (size_t)indices->count);
    if (indices->at == NULL) {
        PyErr_NoMemory();
        goto out;
    }
    for (Py_ssize_t i = 0; i < indices->count; i++) {
        /* an __index__ of the user may have changed the list */
        if (i >= PySequence_Fast_GET_SIZE(fast)) {
            PyErr_SetString(PyExc_RuntimeError, "the list of indices changed while it was read");
            goto out;
        }
        if (boc__index(PySequence_Fast_GET_ITEM(fast, i), what, size, &indices->at[i]) < 0)
            goto out;
    }
    result = 0;
out:
    if (result < 0)
        boc__indices_clear(indices);
    Py_DECREF(fast);
    return result;
}

int boc__fill_from_fast(PyObject *fast, double *to)
{
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast);

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item;
        int kind;

        if (PySequence_Fast_GET_SIZE(fast) != count) {
            PyErr_SetString(PyExc_RuntimeError, "the sequence changed while it was read");
            return -1;
        }
        item = PySequence_Fast_GET_ITEM(fast, i);
        if (PyFloat_CheckExact(item)) {
            to[i] = PyFloat_AS_DOUBLE(item);
            continue;
        }
        Py_INCREF(item); /* its __float__ may take it out of the list */
        kind = boc__number(item, &to[i]);
        if (kind == 0)
            PyErr_Format(PyExc_TypeError, "element %zd of a sequence of numbers is %.80s", i, Py_TYPE(item)->tp_name);
        Py_DECREF(item);
        if (kind != 1)
            return -1;
    }
    return 0;
}
