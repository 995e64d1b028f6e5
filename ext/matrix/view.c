/* view.c: MatrixView, a row or column of a Matrix that shares its numbers;
 * and m.view[...], which makes one.
 *
 * A view holds its Matrix object, not the memory: when the contents have
 * moved into a cown, using the view raises as using the Matrix does. */
#include "operand.h"

#include <string.h>

/* Making and copying ---------------------------------------------------------- */

static boc__view_t *new_view(boc__state_t *state, boc__matrix_t *base, boc__view_t like)
{
    boc__view_t *view = PyObject_New(boc__view_t, state->view);

    if (view != NULL) {
        view->base = (boc__matrix_t *)Py_NewRef((PyObject *)base);
        view->offset = like.offset;
        view->step = like.step;
        view->count = like.count;
        view->is_row = like.is_row;
        view->read_only = like.read_only;
    }
    return view;
}

/* Line `line` of m (a row, or a column), of that the elements of span. */
static boc__view_t *line_view(boc__matrix_t *m, bool is_row, Py_ssize_t line, const boc__span_t *span, bool read_only)
{
    const Py_ssize_t unit = is_row ? 1 : m->columns;

    return new_view(boc__state_of((PyObject *)m), m,
                    (boc__view_t){.offset = (is_row ? line * m->columns : line) + span->start * unit,
                                  .step = span->step * unit,
                                  .count = span->count,
                                  .is_row = is_row,
                                  .read_only = read_only});
}

static boc__view_t *as_view(PyObject *o)
{
    return (boc__view_t *)o;
}

static double *at(const boc__view_t *view, Py_ssize_t i)
{
    return view->base->data + view->offset + i * view->step;
}

boc__matrix_t *boc__view_copy(boc__state_t *state, const boc__view_t *view)
{
    boc__matrix_t *m;

    if (boc__live(view->base) < 0)
        return NULL;
    m = view->is_row ? boc__new(state, 1, view->count) : boc__new(state, view->count, 1);
    for (Py_ssize_t i = 0; m != NULL && i < view->count; i++)
        m->data[i] = *at(view, i);
    return m;
}

void boc__view_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_DECREF(as_view(self)->base);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* row_view(row, columns=None, *, read_only=False) and column_view ----------------- */

static PyObject *one_line(PyObject *self, const boc__signature_t *signature, bool is_row, PyObject *const *args,
                          Py_ssize_t nargs, PyObject *kwnames)
{
    boc__matrix_t *m = boc__as_matrix(self);
    PyObject *got[3];
    Py_ssize_t line;
    bool read_only;
    int failed;

    if (boc__parse(signature, args, nargs, kwnames, got) < 0 || boc__flag(got[2], &read_only) < 0 || boc__pin(m) < 0)
        return NULL;
    boc__span_t span = {0, 1, is_row ? m->columns : m->rows, false};
    failed = boc__index(got[0], is_row ? "row" : "column", is_row ? m->rows : m->columns, &line) < 0 ||
             (got[1] != NULL && got[1] != Py_None &&
              boc__span(got[1], is_row ? "column" : "row", span.count, &span) < 0);
    boc__unpin(m);
    return failed ? NULL : (PyObject *)line_view(m, is_row, line, &span, read_only);
}

BOC_FUNCTION(row_view)
{
    static const boc__signature_t signature = {"row_view", 0, 2, 1, {"row", "columns", "read_only"}};
    return one_line(self, &signature, true, args, nargs, kwnames);
}

BOC_FUNCTION(column_view)
{
    static const boc__signature_t signature = {"column_view", 0, 2, 1, {"column", "rows", "read_only"}};
    return one_line(self, &signature, false, args, nargs, kwnames);
}

static PyObject *all_lines(PyObject *self, const boc__signature_t *signature, int kind, PyObject *const *args,
                           Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *got[1];
    bool read_only;

    if (boc__parse(signature, args, nargs, kwnames, got) < 0 || boc__flag(got[0], &read_only) < 0 ||
        boc__live(boc__as_matrix(self)) < 0)
        return NULL;
    return boc__cursor(boc__state_of(self), self, kind, read_only);
}

BOC_FUNCTION(row_views)
{
    static const boc__signature_t signature = {"row_views", 0, 0, 0, {"read_only"}};
    return all_lines(self, &signature, BOC_EACH_ROW_VIEW, args, nargs, kwnames);
}

BOC_FUNCTION(column_views)
{
    static const boc__signature_t signature = {"column_views", 0, 0, 0, {"read_only"}};
    return all_lines(self, &signature, BOC_EACH_COLUMN_VIEW, args, nargs, kwnames);
}

/* m.view[...] -------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    boc__matrix_t *base;
} indexer_t;

PyObject *boc__view_indexer(PyObject *self)
{
    indexer_t *indexer = PyObject_New(indexer_t, boc__state_of(self)->indexer);

    if (indexer != NULL)
        indexer->base = (boc__matrix_t *)Py_NewRef(self);
    return (PyObject *)indexer;
}

static void indexer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_DECREF(((indexer_t *)self)->base);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *no_line(void)
{
    PyErr_SetString(PyExc_TypeError, "a view is part of one row or column: m.view[i], m.view[i, columns] or "
                                     "m.view[rows, j]; m[...] copies any other selection");
    return NULL;
}

static PyObject *indexer_subscript(PyObject *self, PyObject *key)
{
    boc__matrix_t *m = ((indexer_t *)self)->base;
    PyObject *rows = key, *columns = NULL;
    boc__span_t down, across = {0, 1, m->columns, false};
    int failed;

    if (boc__live(m) < 0)
        return NULL;
    if (PyTuple_Check(key)) {
        if (PyTuple_GET_SIZE(key) != 2)
            return no_line();
        rows = PyTuple_GET_ITEM(key, 0);
        columns = PyTuple_GET_ITEM(key, 1);
    }
    if ((!PyIndex_Check(rows) && !PySlice_Check(rows)) ||
        (columns != NULL && !PyIndex_Check(columns) && !PySlice_Check(columns)) ||
        (PySlice_Check(rows) && (columns == NULL || PySlice_Check(columns))))
        return no_line();
    (void)boc__pin(m);
    failed = boc__span(rows, "row", m->rows, &down) < 0 ||
             (columns != NULL && boc__span(columns, "column", m->columns, &across) < 0);
    boc__unpin(m);
    if (failed)
        return NULL;
    if (down.single)
        return (PyObject *)line_view(m, true, down.start, &across, false);
    return (PyObject *)line_view(m, false, across.start, &down, false);
}

static PyType_Slot indexer_slots[] = {
    {Py_tp_dealloc, indexer_dealloc},
    {Py_mp_subscript, indexer_subscript},
    {Py_tp_doc, "What m.view is: m.view[i], m.view[i, columns] and m.view[rows, j] make a MatrixView."},
    {0, NULL},
};
PyType_Spec boc__indexer_spec = {
    .name = "boc._matrix.MatrixViewIndexer",
    .basicsize = sizeof(indexer_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = indexer_slots,
};

/* Reading and writing elements ------------------------------------------------------ */

static int view_index(const boc__view_t *view, PyObject *key, boc__span_t *span)
{
    if (!PyIndex_Check(key) && !PySlice_Check(key)) {
        PyErr_Format(PyExc_TypeError, "a MatrixView has one dimension: its index is an int or a slice, not %.80s",
                     Py_TYPE(key)->tp_name);
        return -1;
    }
    return boc__span(key, "view", view->count, span);
}

static PyObject *view_subscript(PyObject *self, PyObject *key)
{
    boc__view_t *view = as_view(self);
    boc__span_t span;

    if (boc__live(view->base) < 0 || view_index(view, key, &span) < 0 || boc__live(view->base) < 0)
        return NULL;
    if (span.single)
        return PyFloat_FromDouble(*at(view, span.start));
    return (PyObject *)new_view(boc__state_of(self), view->base,
                                (boc__view_t){.offset = view->offset + span.start * view->step,
                                              .step = view->step * span.step,
                                              .count = span.count,
                                              .is_row = view->is_row,
                                              .read_only = view->read_only});
}

static PyObject *view_item(PyObject *self, Py_ssize_t i)
{
    boc__view_t *view = as_view(self);

    if (boc__live(view->base) < 0)
        return NULL;
    if (i < 0 || i >= view->count) {
        boc__index_error("view", i, view->count);
        return NULL;
    }
    return PyFloat_FromDouble(*at(view, i));
}

static int assign_span(boc__view_t *view, const boc__span_t *span, PyObject *o)
{
    boc__state_t *state = boc__state_of((PyObject *)view);
    boc__operand_t value = {0};
    int result = -1;

    if (boc__need_operand(state, o, "the value", &value) < 0)
        goto done;
    if (!value.scalar && value.rows * value.columns != span->count) {
        PyErr_Format(PyExc_ValueError, "cannot assign %zd values to a view of length %zd", value.rows * value.columns,
                     span->count);
        goto done;
    }
    if (value.source == view->base && boc__operand_copy(state, &value) < 0) /* it may overlap what is written */
        goto done;
    if (boc__live(view->base) < 0)
        goto done;
    for (Py_ssize_t i = 0; i < span->count; i++)
        *at(view, span->start + i * span->step) = value.data[value.scalar ? 0 : i];
    result = 0;
done:
    boc__operand_clear(&value);
    return result;
}

static int writable(const boc__view_t *view, PyObject *value)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "elements of a MatrixView cannot be deleted");
        return -1;
    }
    if (view->read_only) {
        PyErr_SetString(PyExc_TypeError, "cannot write to a read-only MatrixView");
        return -1;
    }
    return boc__live(view->base);
}

static int view_ass_subscript(PyObject *self, PyObject *key, PyObject *o)
{
    boc__view_t *view = as_view(self);
    boc__span_t span;
    double value;

    if (writable(view, o) < 0 || view_index(view, key, &span) < 0)
        return -1;
    if (!span.single)
        return assign_span(view, &span, o);
    if (boc__need_number(o, "an element", &value) < 0 || boc__live(view->base) < 0)
        return -1;
    *at(view, span.start) = value;
    return 0;
}

static Py_ssize_t view_length(PyObject *self)
{
    return boc__live(as_view(self)->base) < 0 ? -1 : as_view(self)->count;
}

/* Attributes --------------------------------------------------------------------------- */

static PyObject *get_component(PyObject *self, void *which)
{
    const boc__view_t *view = as_view(self);
    const Py_ssize_t i = (Py_ssize_t)(intptr_t)which;

    if (boc__live(view->base) < 0)
        return NULL;
    if (i >= view->count) {
        PyErr_Format(PyExc_IndexError, "a view of %zd elements has no component %c", view->count, "xyzw"[i]);
        return NULL;
    }
    return PyFloat_FromDouble(*at(view, i));
}

static int set_component(PyObject *self, PyObject *o, void *which)
{
    const boc__view_t *view = as_view(self);
    const Py_ssize_t i = (Py_ssize_t)(intptr_t)which;
    double value;

    if (writable(view, o) < 0)
        return -1;
    if (i >= view->count) {
        PyErr_Format(PyExc_IndexError, "a view of %zd elements has no component %c", view->count, "xyzw"[i]);
        return -1;
    }
    if (boc__need_number(o, "a component", &value) < 0 || boc__live(view->base) < 0)
        return -1;
    *at(view, i) = value;
    return 0;
}

static PyObject *get_rows(PyObject *self, void *unused)
{
    const boc__view_t *view = as_view(self);

    (void)unused;
    return boc__live(view->base) < 0 ? NULL : PyLong_FromSsize_t(view->is_row ? 1 : view->count);
}

static PyObject *get_columns(PyObject *self, void *unused)
{
    const boc__view_t *view = as_view(self);

    (void)unused;
    return boc__live(view->base) < 0 ? NULL : PyLong_FromSsize_t(view->is_row ? view->count : 1);
}

static PyObject *get_size(PyObject *self, void *unused)
{
    (void)unused;
    return boc__live(as_view(self)->base) < 0 ? NULL : PyLong_FromSsize_t(as_view(self)->count);
}

static PyObject *get_shape(PyObject *self, void *unused)
{
    const boc__view_t *view = as_view(self);

    (void)unused;
    if (boc__live(view->base) < 0)
        return NULL;
    return Py_BuildValue("(nn)", view->is_row ? (Py_ssize_t)1 : view->count, view->is_row ? view->count : (Py_ssize_t)1);
}

static PyObject *get_is_row(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(as_view(self)->is_row);
}

static PyObject *get_read_only(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(as_view(self)->read_only);
}

static PyObject *get_T(PyObject *self, void *unused)
{
    boc__view_t turned = *as_view(self);

    (void)unused;
    if (boc__live(turned.base) < 0)
        return NULL;
    turned.is_row = !turned.is_row;
    return (PyObject *)new_view(boc__state_of(self), turned.base, turned);
}

static PyGetSetDef view_getset[] = {
    {"rows", get_rows, NULL, "Rows: 1 of a row view, else the number of elements.", NULL},
    {"columns", get_columns, NULL, "Columns: 1 of a column view, else the number of elements.", NULL},
    {"size", get_size, NULL, "Number of elements.", NULL},
    {"shape", get_shape, NULL, "(rows, columns).", NULL},
    {"is_row", get_is_row, NULL, "Whether this is part of a row.", NULL},
    {"read_only", get_read_only, NULL, "Whether writing raises TypeError; views made from this one inherit it.", NULL},
    {"T", get_T, NULL, "The same elements as a view of the other orientation, without a copy.", NULL},
    {"x", get_component, set_component, "First element; can be assigned.", (void *)0},
    {"y", get_component, set_component, "Second element; can be assigned.", (void *)1},
    {"z", get_component, set_component, "Third element; can be assigned.", (void *)2},
    {"w", get_component, set_component, "Fourth element; can be assigned.", (void *)3},
    {NULL, NULL, NULL, NULL, NULL},
};

/* Methods and operators ------------------------------------------------------------------ */

PyObject *boc__mv_copy(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const boc__signature_t signature = {"copy", 0, 0, 0, {NULL}};

    if (boc__parse(&signature, args, nargs, kwnames, NULL) < 0)
        return NULL;
    return (PyObject *)boc__view_copy(boc__state_of(self), as_view(self));
}

PyObject *boc__mv_values(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const boc__signature_t signature = {"values", 0, 0, 0, {NULL}};

    if (boc__parse(&signature, args, nargs, kwnames, NULL) < 0 || boc__live(as_view(self)->base) < 0)
        return NULL;
    return boc__cursor(boc__state_of(self), self, BOC_EACH_VALUE, false);
}

PyObject *boc__mv___reduce__(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    (void)self, (void)args, (void)nargs, (void)kwnames;
    PyErr_SetString(PyExc_TypeError, "a MatrixView shares the numbers of its Matrix and can be neither pickled nor put "
                                     "in a cown; .copy() makes a Matrix of it");
    return NULL;
}

static PyObject *view_iter(PyObject *self)
{
    return boc__mv_values(self, NULL, 0, NULL);
}

static PyObject *view_repr(PyObject *self)
{
    const boc__view_t *view = as_view(self);
    PyObject *text, *whole;

    if (view->base->block == NULL)
        return PyUnicode_FromFormat("<MatrixView of %zd elements of a Matrix that moved>", view->count);
    text = boc__text(at(view, 0), view->is_row ? 1 : view->count, view->is_row ? view->count : 1,
                     view->is_row ? 0 : view->step, view->is_row ? view->step : 0);
    whole = text == NULL ? NULL : PyUnicode_FromFormat("MatrixView(%U)", text);
    Py_XDECREF(text);
    return whole;
}

static PyObject *view_unary(PyObject *self, PyObject *(*operation)(PyObject *))
{
    PyObject *copy = (PyObject *)boc__view_copy(boc__state_of(self), as_view(self)), *result;

    if (copy == NULL)
        return NULL;
    result = operation(copy);
    Py_DECREF(copy);
    return result;
}

static PyObject *view_negative(PyObject *self)
{
    return view_unary(self, boc__nb_negative);
}

static PyObject *view_absolute(PyObject *self)
{
    return view_unary(self, boc__nb_absolute);
}

static PyMethodDef view_methods[] = {
#define BOC_METHOD(name, signature, doc)
#define BOC_CLASS_METHOD(name, signature, doc)
#define BOC_VIEW_METHOD(name, signature, doc)                                                                 \
    {#name, (PyCFunction)(void (*)(void))boc__mv_##name, METH_FASTCALL | METH_KEYWORDS,                       \
     #name signature "\n--\n\n" doc},
#include "methods.def"
    {NULL, NULL, 0, NULL},
};

static PyType_Slot view_slots[] = {
    {Py_tp_dealloc, boc__view_dealloc},
    {Py_tp_doc, "A row or column of a Matrix, or part of one, that shares its numbers: writing to the view writes to\n"
                "the Matrix. Made by Matrix.row_view, column_view, row_views, column_views and view[...].\n\n"
                "Arithmetic gives a new Matrix. A view cannot be pickled or put in a cown; copy() makes a Matrix."},
    {Py_tp_methods, view_methods},
    {Py_tp_getset, view_getset},
    {Py_tp_iter, view_iter},
    {Py_tp_repr, view_repr},
    {Py_mp_length, view_length},
    {Py_mp_subscript, view_subscript},
    {Py_mp_ass_subscript, view_ass_subscript},
    {Py_sq_length, view_length},
    {Py_sq_item, view_item},
    {Py_nb_add, boc__nb_add},
    {Py_nb_subtract, boc__nb_subtract},
    {Py_nb_multiply, boc__nb_multiply},
    {Py_nb_true_divide, boc__nb_divide},
    {Py_nb_matrix_multiply, boc__nb_matmul},
    {Py_nb_negative, view_negative},
    {Py_nb_absolute, view_absolute},
    {0, NULL},
};
PyType_Spec boc__view_spec = {
    .name = "boc._matrix.MatrixView",
    .basicsize = sizeof(boc__view_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = view_slots,
};
