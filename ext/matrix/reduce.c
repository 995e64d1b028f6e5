/* reduce.c: sums, means, extremes, magnitudes and where they are, over all, rows or columns. */
#include "operand.h"

#include <math.h>
#include <string.h>

/* where= : None, or a Matrix of the shape of m. 1: a mask; 0: none. */
static int mask_arg(PyObject *o, const boc__matrix_t *m)
{
    const boc__matrix_t *mask;

    if (o == NULL || o == Py_None)
        return 0;
    if (!boc__is_matrix(o)) {
        PyErr_Format(PyExc_TypeError, "where must be a Matrix mask, not %.80s", Py_TYPE(o)->tp_name);
        return -1;
    }
    mask = boc__as_matrix(o);
    if (boc__live(mask) < 0)
        return -1;
    if (mask->rows != m->rows || mask->columns != m->columns) {
        PyErr_Format(PyExc_ValueError, "where mask shape %zdx%zd does not match matrix shape %zdx%zd", mask->rows,
                     mask->columns, m->rows, m->columns);
        return -1;
    }
    return 1;
}

/* A reduction axis as groups: `groups` runs of `length` elements, `step` apart, starting `start` apart. */
typedef struct {
    size_t groups, length, step, start;
} grouping_t;

static grouping_t grouping(const boc__matrix_t *m, int axis)
{
    const size_t rows = (size_t)m->rows, columns = (size_t)m->columns;

    if (axis == BOC_AXIS_ALL)
        return (grouping_t){1, rows * columns, 1, rows * columns};
    if (axis == BOC_AXIS_ROWS)
        return (grouping_t){rows, columns, 1, columns};
    return (grouping_t){columns, rows, columns, 1};
}

static bool included(const boc__matrix_t *mask, size_t at)
{
    return mask == NULL || mask->data[at] != 0.0; /* NaN is not 0: included */
}

/* The first included index of group g, or `length`. */
static size_t first_included(const grouping_t *by, const boc__matrix_t *mask, size_t g)
{
    size_t i = 0;

    while (i < by->length && !included(mask, g * by->start + i * by->step))
        i++;
    return i;
}

/* What a fold of everything gives when the excluded elements cannot matter:
 * for sums they are 0, for extremes the first included element of their group. */
static boc__matrix_t *masked(boc__state_t *state, const boc__matrix_t *m, const boc__matrix_t *mask, int op, int axis)
{
    boc__matrix_t *result = boc__new(state, m->rows, m->columns);
    const double zero = 0.0;

    if (result == NULL)
        return NULL;
    if (op != BOC_OP_min && op != BOC_OP_max) {
        boc__kernels->map->select(result->data, mask->data, m->data, 1, &zero, 0, boc__size(m));
        return result;
    }
    const grouping_t by = grouping(m, axis);
    for (size_t g = 0; g < by.groups; g++) {
        const size_t first = first_included(&by, mask, g), base = g * by.start;
        const double fill = first < by.length ? m->data[base + first * by.step] : NAN;

        for (size_t i = 0, at = base; i < by.length; i++, at += by.step)
            result->data[at] = included(mask, at) ? m->data[at] : fill;
    }
    return result;
}

static inline void fold(double *out, int op, const double *x, const double *y, size_t y_step, size_t rows,
                        size_t columns, int axis)
{
    const boc__fold_t *kernels = boc__kernels->fold;

    if (axis == BOC_AXIS_ALL)
        *out = kernels->all[op](x, y, rows * columns);
    else if (axis == BOC_AXIS_ROWS)
        kernels->rows[op](out, x, y, y_step, rows, columns);
    else
        kernels->columns[op](out, x, y, y_step, rows, columns);
}

static void fold_one(double *out, int op, const boc__matrix_t *m, int axis)
{
    fold(out, op, m->data, m->data, (size_t)m->columns, (size_t)m->rows, (size_t)m->columns, axis);
}

void boc__fold_sum(double *out, const boc__matrix_t *m, int axis)
{
    fold_one(out, BOC_OP_sum, m, axis);
}

void boc__fold_squares(double *out, const boc__matrix_t *m, int axis)
{
    fold_one(out, BOC_OP_squares, m, axis);
}

void boc__fold_dot(double *out, const boc__operand_t *a, const double *y, size_t y_step, int axis)
{
    fold(out, BOC_OP_dot, a->data, y, y_step, (size_t)a->rows, (size_t)a->columns, axis);
}

/* How many elements of each group the mask includes. */
static int counts(boc__state_t *state, double *out, const boc__matrix_t *mask, int axis)
{
    boc__matrix_t *ones = boc__new(state, mask->rows, mask->columns);
    const double zero = 0.0;

    if (ones == NULL)
        return -1;
    boc__kernels->map->binary[BOC_OP_not_equal][BOC_VS](ones->data, mask->data, &zero, boc__size(mask));
    boc__fold_sum(out, ones, axis);
    Py_DECREF(ones);
    return 0;
}

typedef enum { PLAIN, MEAN, ROOT } finish_t;

/* From folded to what is asked for: divide by the count, or take the root. */
static int finish(boc__state_t *state, double *out, size_t groups, finish_t how, const boc__matrix_t *m,
                  const boc__matrix_t *mask, int axis)
{
    const double length = (double)grouping(m, axis).length;
    boc__matrix_t *n;

    if (how == ROOT)
        boc__kernels->map->unary[BOC_OP_sqrt](out, out, groups);
    if (how != MEAN)
        return 0;
    if (mask == NULL) {
        boc__kernels->map->binary[BOC_OP_divide][BOC_VS](out, out, &length, groups);
        return 0;
    }
    n = boc__new(state, 1, (Py_ssize_t)groups);
    if (n == NULL || counts(state, n->data, mask, axis) < 0) {
        Py_XDECREF(n);
        return -1;
    }
    boc__kernels->map->binary[BOC_OP_divide][BOC_VV](out, out, n->data, groups); /* 0 / 0 is NaN */
    Py_DECREF(n);
    return 0;
}

static PyObject *reduce_masked(boc__state_t *state, boc__matrix_t *m, boc__matrix_t *mask, int op, finish_t how,
                               int axis);

static PyObject *reduce(boc__state_t *state, boc__matrix_t *m, boc__matrix_t *mask, int op, finish_t how, int axis)
{
    const size_t groups = grouping(m, axis).groups;
    boc__matrix_t *result;
    double total;

    if (mask != NULL)
        return reduce_masked(state, m, mask, op, how, axis);
    if (axis == BOC_AXIS_ALL) {
        BOC_WITHOUT_GIL(boc__size(m), m, NULL, fold_one(&total, op, m, axis));
        return finish(state, &total, 1, how, m, NULL, axis) < 0 ? NULL : PyFloat_FromDouble(total);
    }
    result = axis == BOC_AXIS_ROWS ? boc__new(state, m->rows, 1) : boc__new(state, 1, m->columns);
    if (result == NULL)
        return NULL;
    BOC_WITHOUT_GIL(boc__size(m), m, NULL, fold_one(result->data, op, m, axis));
    if (finish(state, result->data, groups, how, m, NULL, axis) < 0)
        Py_CLEAR(result);
    return (PyObject *)result;
}

/* All elements that the mask includes, or with no x how many they are; in the order of a fold of as many elements, but a
 * block at a time instead of a second matrix. */
static double fold_masked(int op, const double *x, const double *mask, size_t size)
{
    double block[BOC_FOLD_BLOCK + BOC_READ_PAST / sizeof(double)], total = 0.0;
    const double zero = 0.0;

    memset(block + BOC_FOLD_BLOCK, 0, BOC_READ_PAST);
    for (size_t i = 0; i < size; i += BOC_FOLD_BLOCK) {
        size_t n = size - i < BOC_FOLD_BLOCK ? size - i : BOC_FOLD_BLOCK;

        if (x != NULL)
            boc__kernels->map->select(block, mask + i, x + i, 1, &zero, 0, n);
        else
            boc__kernels->map->binary[BOC_OP_not_equal][BOC_VS](block, mask + i, &zero, n);
        if (i > 0 && n < BOC_FOLD_PARTS) { /* the rest is a block too: not one element after the other */
            memset(block + n, 0, (BOC_FOLD_PARTS - n) * sizeof(double));
            n = BOC_FOLD_PARTS;
        }
        const double part = boc__kernels->fold->all[op](block, block, n);
        total = i == 0 ? part : total + part;
    }
    return total;
}

static PyObject *reduce_all_masked(boc__matrix_t *m, boc__matrix_t *mask, int op, finish_t how)
{
    double total, count = 1.0;

    BOC_WITHOUT_GIL(boc__size(m), m, mask, {
        total = fold_masked(op, m->data, mask->data, boc__size(m));
        if (how == MEAN)
            count = fold_masked(BOC_OP_sum, NULL, mask->data, boc__size(m));
    });
    return PyFloat_FromDouble(how == MEAN ? total / count : how == ROOT ? sqrt(total) : total); /* 0 / 0 is NaN */
}

static PyObject *reduce_masked(boc__state_t *state, boc__matrix_t *m, boc__matrix_t *mask, int op, finish_t how,
                               int axis)
{
    if (axis == BOC_AXIS_ALL && op != BOC_OP_min && op != BOC_OP_max)
        return reduce_all_masked(m, mask, op, how);
    boc__matrix_t *chosen = masked(state, m, mask, op, axis), *result;
    const size_t groups = grouping(m, axis).groups;
    PyObject *number = NULL;

    if (chosen == NULL)
        return NULL;
    result = axis == BOC_AXIS_ROWS ? boc__new(state, m->rows, 1)
                                   : boc__new(state, 1, axis == BOC_AXIS_ALL ? 1 : m->columns);
    if (result != NULL) {
        fold_one(result->data, op, chosen, axis);
        if (finish(state, result->data, groups, how, m, mask, axis) < 0)
            Py_CLEAR(result);
    }
    Py_DECREF(chosen);
    if (result == NULL || axis != BOC_AXIS_ALL)
        return (PyObject *)result;
    number = PyFloat_FromDouble(result->data[0]);
    Py_DECREF(result);
    return number;
}

static PyObject *reduction(PyObject *self, const char *name, int op, finish_t how, PyObject *const *args,
                           Py_ssize_t nargs, PyObject *kwnames)
{
    boc__matrix_t *m = boc__as_matrix(self);
    PyObject *got[2] = {NULL, NULL};
    int axis = BOC_AXIS_ALL, has_mask = 0;

    if (nargs == 0 && kwnames == NULL && m->block != NULL && boc__size(m) < BOC_LONG_WORK) {
        /* the common case of everything, short of any ceremony */
        const double total = boc__kernels->fold->all[op](m->data, m->data, boc__size(m));
        return PyFloat_FromDouble(how == MEAN ? total / (double)boc__size(m) : how == ROOT ? sqrt(total) : total);
    }
    if (nargs > 0 || kwnames != NULL) {
        const boc__signature_t signature = {name, 0, 2, 0, {"axis", "where"}};
        if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[0], &axis) < 0)
            return NULL;
    }
    if (boc__live(m) < 0 || (has_mask = mask_arg(got[1], m)) < 0)
        return NULL;
    return reduce(boc__state_of(self), m, has_mask ? boc__as_matrix(got[1]) : NULL, op, how, axis);
}

#define REDUCTION(name, op, how)                                                                              \
    BOC_FUNCTION(name) { return reduction(self, #name, BOC_OP_##op, how, args, nargs, kwnames); }
REDUCTION(sum, sum, PLAIN)
REDUCTION(mean, sum, MEAN)
REDUCTION(min, min, PLAIN)
REDUCTION(max, max, PLAIN)
REDUCTION(magnitude, squares, ROOT)
REDUCTION(magnitude_squared, squares, PLAIN)

/* Where the extreme is --------------------------------------------------------- */

/* The first index of the extreme among included elements, NaN skipped unless first; -1: none included. */
static double arg_extreme(const double *x, const grouping_t *by, const boc__matrix_t *mask, size_t g, bool want_max)
{
    size_t best = first_included(by, mask, g), base = g * by->start;
    double extreme;

    if (best == by->length)
        return -1.0;
    extreme = x[base + best * by->step];
    for (size_t i = best + 1, at = base + i * by->step; i < by->length; i++, at += by->step) {
        if ((want_max ? x[at] > extreme : x[at] < extreme) && included(mask, at)) {
            extreme = x[at];
            best = i;
        }
    }
    return (double)best;
}

static void arg_all(double *out, double *scratch, const boc__matrix_t *m, const boc__matrix_t *mask, int axis,
                    bool want_max)
{
    const grouping_t by = grouping(m, axis);

    if (mask == NULL && axis == BOC_AXIS_COLUMNS) {
        boc__kernels->fold->arg_columns(out, scratch, m->data, (size_t)m->rows, (size_t)m->columns, want_max);
        return;
    }
    if (mask == NULL) {
        boc__kernels->fold->arg_rows(out, m->data, by.groups, by.length, want_max);
        return;
    }
    for (size_t g = 0; g < by.groups; g++)
        out[g] = arg_extreme(m->data, &by, mask, g, want_max);
}

PyObject *boc__list_of_int(const double *values, Py_ssize_t n)
{
    PyObject *list = PyList_New(n);

    for (Py_ssize_t i = 0; list != NULL && i < n; i++) {
        PyObject *item = PyLong_FromLong((long)values[i]);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

static PyObject *arg_method(PyObject *self, const char *name, bool want_max, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    const boc__signature_t signature = {name, 0, 3, 0, {"axis", "where", "as_matrix"}};
    boc__matrix_t *m = boc__as_matrix(self), *mask, *result, *scratch;
    boc__state_t *state = boc__state_of(self);
    PyObject *got[3], *answer;
    int axis, has_mask;
    bool as_matrix;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[0], &axis) < 0 ||
        boc__flag(got[2], &as_matrix) < 0 || boc__live(m) < 0 || (has_mask = mask_arg(got[1], m)) < 0)
        return NULL;
    mask = has_mask ? boc__as_matrix(got[1]) : NULL;
    if (axis == BOC_AXIS_ALL) {
        double index;
        arg_all(&index, NULL, m, mask, axis, want_max);
        return PyLong_FromSsize_t((Py_ssize_t)index);
    }
    result = axis == BOC_AXIS_ROWS ? boc__new(state, m->rows, 1) : boc__new(state, 1, m->columns);
    scratch = result == NULL ? NULL : boc__new(state, 1, m->columns);
    if (scratch == NULL) {
        Py_XDECREF(result);
        return NULL;
    }
    arg_all(result->data, scratch->data, m, mask, axis, want_max);
    Py_DECREF(scratch);
    if (as_matrix)
        return (PyObject *)result;
    answer = boc__list_of_int(result->data, result->rows * result->columns);
    Py_DECREF(result);
    return answer;
}

BOC_FUNCTION(argmin)
{
    return arg_method(self, "argmin", false, args, nargs, kwnames);
}

BOC_FUNCTION(argmax)
{
    return arg_method(self, "argmax", true, args, nargs, kwnames);
}

/* topk -------------------------------------------------------------------------- */

typedef struct {
    double value;
    size_t index;
} ranked_t;

/* Whether a comes before b: by value, NaN last, then by index. */
static bool before(const ranked_t *a, const ranked_t *b, bool largest)
{
    const bool nan_a = isnan(a->value), nan_b = isnan(b->value);

    if (nan_a != nan_b)
        return nan_b;
    if (!nan_a && a->value != b->value)
        return largest ? a->value > b->value : a->value < b->value;
    return a->index < b->index;
}

/* A heap whose root is the one that comes last. */
static void sift(ranked_t *heap, size_t at, size_t n, bool largest)
{
    const ranked_t moving = heap[at];

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && before(&heap[child], &heap[child + 1], largest))
            child++;
        if (before(&heap[child], &moving, largest))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

enum { FEW_RANKED = 8 };

/* The first k of one group, in order, for a k so small that a heap does not pay; how many there are. */
static size_t rank_few(ranked_t *ranked, size_t k, const boc__matrix_t *m, const boc__matrix_t *mask,
                       const grouping_t *by, size_t g, bool largest)
{
    size_t held = 0;

    for (size_t i = 0, at = g * by->start; i < by->length; i++, at += by->step) {
        const ranked_t here = {m->data[at], i};
        size_t place;

        if (!included(mask, at) || (held == k && !before(&here, &ranked[k - 1], largest)))
            continue;
        place = held < k ? held++ : k - 1;
        for (; place > 0 && before(&here, &ranked[place - 1], largest); place--)
            ranked[place] = ranked[place - 1];
        ranked[place] = here;
    }
    return held;
}

/* The first k of one group, in order; how many there are. */
static size_t rank_group(ranked_t *heap, size_t k, const boc__matrix_t *m, const boc__matrix_t *mask,
                         const grouping_t *by, size_t g, bool largest)
{
    size_t held = 0;

    for (size_t i = 0, at = g * by->start; i < by->length; i++, at += by->step) {
        const ranked_t here = {m->data[at], i};

        if (!included(mask, at))
            continue;
        if (held < k) {
            heap[held++] = here;
            if (held == k)
                for (size_t p = k / 2; p-- > 0;)
                    sift(heap, p, k, largest);
        } else if (before(&here, &heap[0], largest)) {
            heap[0] = here;
            sift(heap, 0, k, largest);
        }
    }
    if (held < k)
        for (size_t p = held / 2; p-- > 0;)
            sift(heap, p, held, largest);
    for (size_t n = held; n > 1; n--) {
        const ranked_t last = heap[0];
        heap[0] = heap[n - 1];
        heap[n - 1] = last;
        sift(heap, 0, n - 1, largest);
    }
    return held;
}

static PyObject *index_lists(const boc__matrix_t *indices, int axis, Py_ssize_t k)
{
    const Py_ssize_t groups = axis == BOC_AXIS_COLUMNS ? indices->columns : indices->rows;
    PyObject *lists;
    double *one;

    if (axis == BOC_AXIS_ALL)
        return boc__list_of_int(indices->data, k);
    lists = PyList_New(groups);
    one = PyMem_New(double, (size_t)k);
    if (one == NULL && lists != NULL) {
        PyErr_NoMemory();
        Py_CLEAR(lists);
    }
    for (Py_ssize_t g = 0; lists != NULL && g < groups; g++) {
        PyObject *list;
        for (Py_ssize_t i = 0; i < k; i++)
            one[i] = axis == BOC_AXIS_ROWS ? indices->data[g * k + i] : indices->data[i * groups + g];
        list = boc__list_of_int(one, k);
        if (list == NULL)
            Py_CLEAR(lists);
        else
            PyList_SET_ITEM(lists, g, list);
    }
    PyMem_Free(one);
    return lists;
}

static int rank_all(boc__matrix_t *values, boc__matrix_t *indices, const boc__matrix_t *m, const boc__matrix_t *mask,
                    int axis, size_t k, bool largest)
{
    const grouping_t by = grouping(m, axis);
    ranked_t *heap = PyMem_New(ranked_t, k);

    if (heap == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t g = 0; g < by.groups; g++) {
        const size_t held = (k <= FEW_RANKED ? rank_few : rank_group)(heap, k, m, mask, &by, g, largest);

        for (size_t i = 0; i < k; i++) {
            const size_t at = axis == BOC_AXIS_COLUMNS ? i * by.groups + g : g * k + i;
            values->data[at] = i < held ? heap[i].value : NAN;
            indices->data[at] = i < held ? (double)heap[i].index : -1.0;
        }
    }
    PyMem_Free(heap);
    return 0;
}

BOC_FUNCTION(topk)
{
    static const boc__signature_t signature = {"topk", 0, 5, 1, {"k", "axis", "largest", "where", "as_matrix"}};
    boc__matrix_t *m = boc__as_matrix(self), *values, *indices;
    boc__state_t *state = boc__state_of(self);
    PyObject *got[5], *answer = NULL;
    bool largest = true, as_matrix;
    int axis, has_mask;
    Py_ssize_t k;

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0 || boc__axis(got[1], &axis) < 0 ||
        (got[2] != NULL && boc__flag(got[2], &largest) < 0) || boc__flag(got[4], &as_matrix) < 0)
        return NULL;
    k = PyNumber_AsSsize_t(got[0], PyExc_OverflowError);
    if ((k == -1 && PyErr_Occurred()) || boc__live(m) < 0 || (has_mask = mask_arg(got[3], m)) < 0)
        return NULL;
    if (k < 1 || (size_t)k > grouping(m, axis).length) {
        if (k < 1)
            PyErr_Format(PyExc_ValueError, "k must be a positive integer, not %zd", k);
        else
            PyErr_Format(PyExc_ValueError, "k (%zd) cannot exceed the length of the reduced axis (%zu)", k,
                         grouping(m, axis).length);
        return NULL;
    }
    values = boc__new(state, axis == BOC_AXIS_COLUMNS ? k : axis == BOC_AXIS_ROWS ? m->rows : 1,
                      axis == BOC_AXIS_COLUMNS ? m->columns : k);
    indices = values == NULL ? NULL : boc__new(state, values->rows, values->columns);
    if (indices != NULL && rank_all(values, indices, m, has_mask ? boc__as_matrix(got[3]) : NULL, axis, (size_t)k,
                                    largest) == 0) {
        PyObject *places = as_matrix ? Py_NewRef((PyObject *)indices) : index_lists(indices, axis, k);
        answer = places == NULL ? NULL : PyTuple_Pack(2, (PyObject *)values, places);
        Py_XDECREF(places);
    }
    Py_XDECREF(values);
    Py_XDECREF(indices);
    return answer;
}
