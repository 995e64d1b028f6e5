/* compare.c: == and <, which give one bool, allclose, and where. */
#include "operand.h"

#include <math.h>

/* Row-major: the sign of the first difference; NaN never decides. */
static int order(const double *a, const double *b, int b_step, size_t n)
{
    const size_t i = boc__kernels->fold->unlike(a, b, b_step, n);

    return i == n ? 0 : a[i] < b[b_step ? i : 0] ? -1 : 1;
}

static PyObject *unordered(int op, const boc__matrix_t *a, const boc__operand_t *b)
{
    if (op == Py_EQ || op == Py_NE)
        return PyBool_FromLong(op == Py_NE);
    PyErr_Format(PyExc_ValueError,
                 "an ordering comparison needs operands of the same shape or a number, not %zdx%zd and %zdx%zd", a->rows,
                 a->columns, b->rows, b->columns);
    return NULL;
}

static PyObject *truth_of(int sign, int op)
{
    const bool truth[] = {[Py_LT] = sign < 0,  [Py_LE] = sign <= 0, [Py_EQ] = sign == 0,
                          [Py_NE] = sign != 0, [Py_GT] = sign > 0,  [Py_GE] = sign >= 0};

    return PyBool_FromLong(truth[op]);
}

PyObject *boc__richcompare(PyObject *a, PyObject *b, int op)
{
    boc__matrix_t *m = boc__as_matrix(a);
    boc__operand_t other = {0};
    PyObject *result = NULL;
    int kind;

    if (boc__is_view(b))
        kind = 0;
    else
        kind = boc__operand(boc__state_of(a), b, false, &other);
    if (kind < 0 && (op == Py_EQ || op == Py_NE) && !boc__is_matrix(b) && !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear(); /* what cannot become numbers is not equal */
        result = PyBool_FromLong(op == Py_NE);
    } else if (kind == 0) {
        result = Py_NewRef(Py_NotImplemented);
    } else if (kind == 1 && boc__live(m) == 0) {
        if (!other.scalar && (other.rows != m->rows || other.columns != m->columns)) {
            result = unordered(op, m, &other);
        } else {
            const int sign = order(m->data, other.data, !other.scalar, boc__size(m));
            result = truth_of(sign, op);
        }
    }
    boc__operand_clear(&other);
    return result;
}

static int need_matrix(PyObject *o, const char *what)
{
    if (!boc__is_matrix(o)) {
        PyErr_Format(PyExc_TypeError, "%s must be a Matrix, not %.80s", what, Py_TYPE(o)->tp_name);
        return -1;
    }
    return boc__live(boc__as_matrix(o));
}

BOC_FUNCTION(allclose)
{
    static const boc__signature_t signature = {"allclose", 0, 5, 2, {"lhs", "rhs", "rtol", "atol", "equal_nan"}};
    double rtol = 1e-5, atol = 1e-8;
    const boc__matrix_t *a, *b;
    PyObject *got[5];
    bool equal_nan;

    (void)self;
    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 ||
        (got[2] != NULL && boc__need_number(got[2], "rtol", &rtol) < 0) ||
        (got[3] != NULL && boc__need_number(got[3], "atol", &atol) < 0) ||
        boc__flag(got[4], &equal_nan) < 0 || need_matrix(got[0], "lhs") < 0 ||
        need_matrix(got[1], "rhs") < 0)
        return NULL;
    a = boc__as_matrix(got[0]);
    b = boc__as_matrix(got[1]);
    if (a->rows != b->rows || a->columns != b->columns)
        Py_RETURN_FALSE;
    return PyBool_FromLong(boc__kernels->map->close(a->data, b->data, boc__size(a), rtol, atol, equal_nan));
}

/* a or b of where: a number, or of the shape of the mask. */
static int choice(boc__state_t *state, PyObject *o, const char *what, const boc__matrix_t *mask, boc__operand_t *operand)
{
    if (boc__need_operand(state, o, what, operand) < 0)
        return -1;
    if (!operand->scalar && (operand->rows != mask->rows || operand->columns != mask->columns)) {
        PyErr_Format(PyExc_ValueError, "%s shape %zdx%zd does not match the mask %zdx%zd", what, operand->rows,
                     operand->columns, mask->rows, mask->columns);
        return -1;
    }
    return 0;
}

BOC_FUNCTION(where)
{
    static const boc__signature_t signature = {"where", 0, 3, 3, {"mask", "a", "b", "out"}};
    boc__state_t *state = PyType_GetModuleState((PyTypeObject *)self);
    boc__operand_t a = {0}, b = {0};
    boc__matrix_t *mask, *result = NULL;
    PyObject *got[4];

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || need_matrix(got[0], "where: mask") < 0)
        return NULL;
    mask = boc__as_matrix(got[0]);
    (void)boc__pin(mask);
    if (choice(state, got[1], "where: a", mask, &a) < 0 || choice(state, got[2], "where: b", mask, &b) < 0)
        goto done;
    result = boc__result(state, got[3], NULL, mask->rows, mask->columns);
    if (result == NULL || boc__separate(state, &a, result) < 0 || boc__separate(state, &b, result) < 0) {
        Py_CLEAR(result);
        goto done;
    }
    boc__kernels->map->select(result->data, mask->data, a.data, !a.scalar, b.data, !b.scalar, boc__size(mask));
done:
    boc__unpin(mask);
    boc__operand_clear(&a);
    boc__operand_clear(&b);
    return (PyObject *)result;
}
