/* text.c: a matrix as text: repr, str and HTML. Big ones show their corners. */
#include "operand.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EDGE = 3, ALL_UP_TO = 1000, HTML_EDGE = 5, HTML_ALL_UP_TO = 400 };

static int append(PyObject *parts, PyObject *text)
{
    int failed;

    if (text == NULL)
        return -1;
    failed = PyList_Append(parts, text);
    Py_DECREF(text);
    return failed;
}

static int append_text(PyObject *parts, const char *text)
{
    return append(parts, PyUnicode_FromString(text));
}

static PyObject *joined(PyObject *parts, int failed)
{
    PyObject *empty = failed || parts == NULL ? NULL : PyUnicode_FromString("");
    PyObject *text = empty == NULL ? NULL : PyUnicode_Join(empty, parts);

    Py_XDECREF(empty);
    Py_XDECREF(parts);
    return text;
}

/* The shortest text that reads back as the same number; whole ones without ".0". */
static PyObject *exact(double value)
{
    if (value == 0.0 && signbit(value)) /* -0 would read back as an int */
        return PyUnicode_FromString("-0.0");
    char *text = PyOS_double_to_string(value, 'r', 0, 0, NULL);
    PyObject *result = text == NULL ? NULL : PyUnicode_FromString(text);

    PyMem_Free(text);
    return result;
}

static PyObject *brief(double value)
{
    char text[32];

    if (isnan(value)) /* which may have a sign */
        return PyUnicode_FromString("nan");
    snprintf(text, sizeof text, "%g", value);
    return PyUnicode_FromString(text);
}

/* Whether element i of n is left out, and if so where to go on. */
static bool skip(Py_ssize_t *i, Py_ssize_t n, Py_ssize_t edge, bool all)
{
    if (all || n <= 2 * edge + 1 || *i != edge)
        return false;
    *i = n - edge - 1;
    return true;
}

PyObject *boc__text(const double *data, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t row_step,
                    Py_ssize_t column_step)
{
    const bool all = rows * columns <= ALL_UP_TO;
    PyObject *parts = PyList_New(0);
    int failed = parts == NULL || append_text(parts, "[") < 0;

    for (Py_ssize_t i = 0; !failed && i < rows; i++) {
        failed = append_text(parts, i == 0 ? "[" : "\n [") < 0;
        if (!failed && skip(&i, rows, EDGE, all)) {
            failed = append_text(parts, "...]") < 0;
            continue;
        }
        for (Py_ssize_t j = 0; !failed && j < columns; j++) {
            if (j > 0)
                failed = append_text(parts, " ") < 0;
            if (!failed && skip(&j, columns, EDGE, all))
                failed = append_text(parts, "...") < 0;
            else if (!failed)
                failed = append(parts, brief(data[i * row_step + j * column_step])) < 0;
        }
        failed = failed || append_text(parts, "]") < 0;
    }
    failed = failed || append_text(parts, "]") < 0;
    return joined(parts, failed);
}

/* Matrix(2, 2, [1, 2, 3, 4]), which reads back as an equal matrix; big ones keep the first and last numbers. */
PyObject *boc__repr(PyObject *self)
{
    const boc__matrix_t *m = boc__as_matrix(self);
    const Py_ssize_t n = m->rows * m->columns;
    const bool all = n <= ALL_UP_TO;
    PyObject *parts;
    int failed;

    if (m->block == NULL)
        return PyUnicode_FromFormat("<Matrix %zdx%zd, moved into a cown>", m->rows, m->columns);
    parts = PyList_New(0);
    failed = parts == NULL || append(parts, PyUnicode_FromFormat("Matrix(%zd, %zd, [", m->rows, m->columns)) < 0;
    for (Py_ssize_t i = 0; !failed && i < n; i++) {
        if (i > 0)
            failed = append_text(parts, ", ") < 0;
        if (!failed && skip(&i, n, 2 * EDGE, all))
            failed = append_text(parts, "...") < 0;
        else if (!failed)
            failed = append(parts, exact(m->data[i])) < 0;
    }
    failed = failed || append_text(parts, "])") < 0;
    return joined(parts, failed);
}

PyObject *boc__str(PyObject *self)
{
    const boc__matrix_t *m = boc__as_matrix(self);

    if (m->block == NULL)
        return boc__repr(self);
    return boc__text(m->data, m->rows, m->columns, m->columns, 1);
}

static int html_row(PyObject *parts, const boc__matrix_t *m, Py_ssize_t i, bool all)
{
    int failed = append_text(parts, "<tr>");

    for (Py_ssize_t j = 0; !failed && j < m->columns; j++) {
        failed = append_text(parts, "<td>") < 0;
        if (!failed && skip(&j, m->columns, HTML_EDGE, all))
            failed = append_text(parts, "&hellip;</td>") < 0;
        else
            failed = failed || append(parts, brief(m->data[i * m->columns + j])) < 0 || append_text(parts, "</td>") < 0;
    }
    return failed || append_text(parts, "</tr>") < 0 ? -1 : 0;
}

BOC_FUNCTION(_repr_html_)
{
    static const boc__signature_t signature = {"_repr_html_", 0, 0, 0, {NULL}};
    const boc__matrix_t *m = boc__as_matrix(self);
    const bool all = m->rows * m->columns <= HTML_ALL_UP_TO;
    PyObject *parts;
    int failed;

    if (boc__parse(&signature, args, nargs, kwnames, NULL) < 0)
        return NULL;
    if (m->block == NULL)
        return PyUnicode_FromFormat("<i>Matrix %zd&times;%zd, moved into a cown</i>", m->rows, m->columns);
    parts = PyList_New(0);
    failed = parts == NULL || append_text(parts, "<table>") < 0;
    for (Py_ssize_t i = 0; !failed && i < m->rows; i++) {
        if (skip(&i, m->rows, HTML_EDGE, all))
            failed = append(parts, PyUnicode_FromFormat("<tr><td>&vellip;</td></tr>")) < 0;
        else
            failed = html_row(parts, m, i, all) < 0;
    }
    failed = failed || append(parts, PyUnicode_FromFormat("</table><small>Matrix %zd&times;%zd</small>", m->rows,
                                                          m->columns)) < 0;
    return joined(parts, failed);
}
