/* arithmetic.c: + - * /, their in-place and method forms, fma and scaled_add. */
#include "operand.h"

/* The state, from whichever operand is ours. */
static boc__state_t *state_of_either(PyObject *a, PyObject *b)
{
    return boc__state_of(boc__is_matrix(a) || boc__is_view(a) ? a : b);
}

/* Equal shapes, new result: the common case, without any of the ceremony. */
static inline PyObject *binary_slot(PyObject *a, PyObject *b, int op, const char *what)
{
    if (boc__is_matrix(a) && boc__is_matrix(b)) {
        const boc__matrix_t *x = boc__as_matrix(a), *y = boc__as_matrix(b);

        if (x->rows == y->rows && x->columns == y->columns && x->block != NULL && y->block != NULL) {
            boc__matrix_t *result = boc__new(boc__state_of(a), x->rows, x->columns);
            if (result != NULL)
                boc__kernels->map->binary[op][BOC_VV](result->data, x->data, y->data, boc__size(x));
            return (PyObject *)result;
        }
    }
    return boc__binary(state_of_either(a, b), op, what, a, b, NULL, false);
}

static PyObject *inplace_slot(PyObject *a, PyObject *b, int op, const char *what)
{
    boc__state_t *state = boc__state_of(a);
    boc__operand_t right = {0}, left = {0};
    Py_ssize_t rows, columns;
    PyObject *result = NULL;
    boc__matrix_t *m = NULL;
    const int kind = boc__operand(state, b, false, &right);

    if (kind == 0)
        return Py_NewRef(Py_NotImplemented);
    if (kind < 0 || boc__operand(state, a, false, &left) < 0 ||
        boc__broadcast(what, &left, &right, &rows, &columns) < 0)
        goto done;
    m = boc__result(state, NULL, boc__as_matrix(a), rows, columns);
    if (m == NULL || boc__separate(state, &right, m) < 0)
        goto done;
    boc__apply_binary(boc__kernels->map->binary[op], m->data, &left, &right, rows, columns);
    result = Py_NewRef(a);
done:
    Py_XDECREF(m);
    boc__operand_clear(&left);
    boc__operand_clear(&right);
    return result;
}

#define SLOTS(name, symbol)                                                                                   \
    PyObject *boc__nb_##name(PyObject *a, PyObject *b) { return binary_slot(a, b, BOC_OP_##name, symbol); }   \
    PyObject *boc__nb_inplace_##name(PyObject *a, PyObject *b)                                                \
    {                                                                                                          \
        return inplace_slot(a, b, BOC_OP_##name, symbol "=");                                                  \
    }
SLOTS(add, "+")
SLOTS(subtract, "-")
SLOTS(multiply, "*")
SLOTS(divide, "/")

/* add(other, /, *, out=None) and its siblings, and the comparisons that give masks. */
#define METHOD(name, ignored)                                                                                 \
    BOC_FUNCTION(name)                                                                                         \
    {                                                                                                          \
        static const boc__signature_t signature = {#name, 1, 1, 1, {"other", "out"}};                          \
        PyObject *got[2];                                                                                      \
        if (boc__parse(&signature, args, nargs, kwnames, got) < 0)                                             \
            return NULL;                                                                                       \
        if (boc__is_out(got[1]) < 0)                                                                           \
            return NULL;                                                                                       \
        return boc__binary(boc__state_of(self), BOC_OP_##name, #name, self, got[0], got[1], true);             \
    }
BOC_BINARY_OPS(METHOD)

/* Three operands ------------------------------------------------------------ */

static bool fits(const boc__operand_t *operand, const boc__matrix_t *self)
{
    return (operand->rows == self->rows || operand->rows == 1) &&
           (operand->columns == self->columns || operand->columns == 1);
}

/* b or c of fma, s of scaled_add: a Matrix that fits into self, or a number. */
static int third_operand(boc__state_t *state, PyObject *o, const char *what, const char *role,
                         const boc__matrix_t *self, boc__operand_t *operand)
{
    int kind = 0;

    if (boc__is_matrix(o) || boc__is_view(o) || !(PyList_Check(o) || PyTuple_Check(o)))
        kind = boc__operand(state, o, false, operand);
    if (kind == 0)
        PyErr_Format(PyExc_TypeError, "%s: %s must be a Matrix or a real number, not %.80s", what, role,
                     Py_TYPE(o)->tp_name);
    if (kind != 1)
        return -1;
    if (!fits(operand, self)) {
        PyErr_Format(PyExc_ValueError, "%s: %s shape %zdx%zd incompatible with self %zdx%zd", what, role,
                     operand->rows, operand->columns, self->rows, self->columns);
        return -1;
    }
    return 0;
}

/* One row of an operand: where it starts, and whether it advances along the row. */
static const double *row_of(const boc__operand_t *operand, Py_ssize_t i)
{
    return operand->data + (operand->rows == 1 ? 0 : i * operand->columns);
}

static void apply_ternary(const boc__ternary_fn fn[BOC_TERNARY_FORM_COUNT], boc__matrix_t *out,
                          const boc__matrix_t *a, const boc__operand_t *b, const boc__operand_t *c)
{
    const bool flat_b = b->rows == a->rows && b->columns == a->columns, one_b = b->rows == 1 && b->columns == 1;
    const bool flat_c = c->rows == a->rows && c->columns == a->columns, one_c = c->rows == 1 && c->columns == 1;

    if ((flat_b || one_b) && (flat_c || one_c)) {
        fn[flat_b ? (flat_c ? BOC_VVV : BOC_VVS) : (flat_c ? BOC_VSV : BOC_VSS)](out->data, a->data, b->data, c->data,
                                                                                  boc__size(a));
        return;
    }
    for (Py_ssize_t i = 0; i < a->rows; i++) {
        const bool v_b = b->columns == a->columns, v_c = c->columns == a->columns;
        fn[v_b ? (v_c ? BOC_VVV : BOC_VVS) : (v_c ? BOC_VSV : BOC_VSS)](
            out->data + i * a->columns, a->data + i * a->columns, row_of(b, i), row_of(c, i), (size_t)a->columns);
    }
}

static PyObject *ternary(boc__matrix_t *self, int op, boc__operand_t *b, boc__operand_t *c, bool in_place)
{
    boc__state_t *state = boc__state_of((PyObject *)self);
    boc__matrix_t *result;

    if (boc__live(self) < 0)
        return NULL;
    if (!fits(b, self) || !fits(c, self)) {
        PyErr_SetString(PyExc_RuntimeError, "the Matrix changed its shape while the operands were read");
        return NULL;
    }
    result = boc__result(state, NULL, in_place ? self : NULL, self->rows, self->columns);
    if (result != NULL && in_place && (boc__separate(state, b, result) < 0 || boc__separate(state, c, result) < 0))
        Py_CLEAR(result);
    if (result != NULL)
        apply_ternary(boc__kernels->map->ternary[op], result, self, b, c);
    return (PyObject *)result;
}

BOC_FUNCTION(fma)
{
    static const boc__signature_t signature = {"fma", 2, 3, 2, {"b", "c", "in_place"}};
    boc__matrix_t *m = boc__as_matrix(self);
    boc__state_t *state = boc__state_of(self);
    boc__operand_t b = {0}, c = {0};
    PyObject *got[3], *result = NULL;
    bool in_place;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__flag(got[2], &in_place) < 0 || boc__live(m) < 0)
        return NULL;
    if (third_operand(state, got[0], "fma", "b", m, &b) == 0 && third_operand(state, got[1], "fma", "c", m, &c) == 0)
        result = ternary(m, BOC_OP_fma, &b, &c, in_place);
    boc__operand_clear(&b);
    boc__operand_clear(&c);
    return result;
}

BOC_FUNCTION(scaled_add)
{
    static const boc__signature_t signature = {"scaled_add", 2, 3, 2, {"s", "x", "in_place"}};
    boc__matrix_t *m = boc__as_matrix(self);
    boc__state_t *state = boc__state_of(self);
    boc__operand_t s = {0}, x = {0};
    PyObject *got[3], *result = NULL;
    bool in_place;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__flag(got[2], &in_place) < 0 || boc__live(m) < 0)
        return NULL;
    if (third_operand(state, got[0], "scaled_add", "s", m, &s) < 0)
        goto done;
    if (boc__number(got[1], &x.value) == 1) {
        PyErr_Format(PyExc_TypeError, "scaled_add: x must be a Matrix, not %.80s", Py_TYPE(got[1])->tp_name);
        goto done;
    }
    if (PyErr_Occurred() || boc__need_operand(state, got[1], "scaled_add: x", &x) < 0)
        goto done;
    if (x.rows != m->rows || x.columns != m->columns) {
        PyErr_Format(PyExc_ValueError, "scaled_add: x shape %zdx%zd does not match self %zdx%zd", x.rows, x.columns,
                     m->rows, m->columns);
        goto done;
    }
    result = ternary(m, BOC_OP_scaled_add, &s, &x, in_place);
done:
    boc__operand_clear(&s);
    boc__operand_clear(&x);
    return result;
}
