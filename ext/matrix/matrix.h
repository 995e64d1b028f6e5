/* matrix.h: the map of the Matrix extension; what its files use of each other.
 *
 * The numbers of a matrix lie in a block: memory of no interpreter, which
 * moves between interpreters as the payload of <boc/boc.h>. A Matrix object
 * is one interpreter's handle of one block. When the block has moved out, the
 * object is empty and every use of it raises RuntimeError.
 *
 * Inside the extension a result of -1 or NULL means that a Python exception
 * is set.
 */
#ifndef BOC_MATRIX_MATRIX_H
#define BOC_MATRIX_MATRIX_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

/* storage.c ------------------------------------------------------------- */

struct boc__matrix;

/* Where main finds the object again from which it moved a block: `object` lives as long as `turn` is what the block has. */
typedef struct boc__origin {
    struct boc__matrix *object;
    uint64_t turn;
    struct boc__origin *next; /* of those that wait for an object */
} boc__origin_t;

typedef struct boc__block {
    Py_ssize_t rows, columns; /* of a payload; an object keeps its own */
    size_t capacity;          /* doubles */
    struct boc__block *next;  /* in a free list */
    void *memory;             /* what to free; unused in large.c */
    boc__origin_t *origin;    /* of main's interpreter, which alone follows it; NULL: it was not taken there */
    uint64_t turn;
    double data[] __attribute__((aligned(64)));
} boc__block_t;

typedef struct boc__matrix {
    PyObject_HEAD
    boc__block_t *block; /* NULL: moved out */
    boc__origin_t *origin; /* NULL: it never moved */
    double *data;        /* block->data */
    Py_ssize_t rows, columns;
    Py_ssize_t exports; /* buffers that others look through, operations that read it, loops without the GIL */
} boc__matrix_t;

enum { BOC_BLOCK_CLASSES = 11, BOC_SPARE_OBJECTS = 64 };

typedef struct {
    PyTypeObject *matrix, *view, *indexer, *cursor;
    PyObject *shape_error, *axis_error; /* see module.c */
    PyObject *restore;                  /* what pickles call */
    boc__matrix_t *spare_objects[BOC_SPARE_OBJECTS];
    int spare_object_count;
    bool is_main;
    boc__origin_t *spare_origins;
} boc__state_t;

/* The state of the interpreter that `self`, an instance of one of our types, is of. */
static inline boc__state_t *boc__state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* Contents undefined. rows, columns > 0. OverflowError if they are too large together. */
boc__matrix_t *boc__new(boc__state_t *state, Py_ssize_t rows, Py_ssize_t columns);
boc__matrix_t *boc__new_zeros(boc__state_t *state, Py_ssize_t rows, Py_ssize_t columns);
boc__matrix_t *boc__new_copy(boc__state_t *state, const boc__matrix_t *from);
PyObject *boc__new_empty(boc__state_t *state); /* as if its contents had moved */
void boc__copy(double *to, const double *from, size_t doubles);
int boc__check_shape(boc__state_t *state, Py_ssize_t rows, Py_ssize_t columns);
/* Scratch memory of no interpreter, 64-byte aligned; free with free(). */
double *boc__scratch(size_t doubles);
/* An object around a block, which it owns on success; the block of an object, which is then empty. */
boc__matrix_t *boc__wrap(boc__state_t *state, boc__block_t *block);
boc__block_t *boc__unwrap(boc__matrix_t *m);
/* move.c: the object from which main moved this block, with its contents again; NULL: there is none. */
boc__matrix_t *boc__refill(boc__state_t *state, boc__block_t *block);
void boc__origin_leave(boc__state_t *state, boc__matrix_t *m); /* it dies */
boc__block_t *boc__block_copy(const boc__block_t *from); /* NULL: out of memory; no interpreter needed */
void boc__block_put(boc__block_t *block);                /* frees it; no interpreter needed */
void boc__matrix_dealloc(PyObject *self);
void boc__spares_free(boc__state_t *state);
int boc__set_moved_error(void);

static inline bool boc__is_matrix(PyObject *o)
{
    return Py_TYPE(o)->tp_dealloc == boc__matrix_dealloc;
}

/* A call costs more than a short row. */
static inline void boc__copy_row(double *to, const double *from, Py_ssize_t columns)
{
    if (columns > 8)
        memcpy(to, from, (size_t)columns * sizeof(double));
    else
        for (Py_ssize_t j = 0; j < columns; j++)
            to[j] = from[j];
}

static inline size_t boc__size(const boc__matrix_t *m)
{
    return (size_t)m->rows * (size_t)m->columns;
}

/* 0 if m has its contents. */
static inline int boc__live(const boc__matrix_t *m)
{
    return m->block != NULL ? 0 : boc__set_moved_error();
}

static inline void boc__count_export(boc__matrix_t *m, Py_ssize_t by)
{
#ifdef Py_GIL_DISABLED
    __atomic_fetch_add(&m->exports, by, __ATOMIC_RELAXED); /* threads may read one matrix at a time */
#else
    m->exports += by;
#endif
}

/* Whoever runs code of the user before it is done with m pins it: a pinned matrix can neither move nor turn. */
static inline int boc__pin(boc__matrix_t *m)
{
    if (boc__live(m) < 0)
        return -1;
    boc__count_export(m, 1);
    return 0;
}

static inline void boc__unpin(boc__matrix_t *m)
{
    boc__count_export(m, -1);
}

/* large.c: blocks beyond the classes of storage.c. Contents undefined; NULL: out of memory. */
boc__block_t *boc__large_get(size_t doubles);
void boc__large_put(boc__block_t *block);

/* move.c: the type as seen by <boc/boc.h> --------------------------------- */

int boc__move_register(PyTypeObject *type);
PyObject *boc__test_move(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* reduce.c ---------------------------------------------------------------- */

PyObject *boc__list_of_int(const double *values, Py_ssize_t n);
/* Fold m along axis into out: one number, one for each row, or one for each column. */
void boc__fold_sum(double *out, const boc__matrix_t *m, int axis);
void boc__fold_squares(double *out, const boc__matrix_t *m, int axis);

/* compare.c, arithmetic.c, index.c, view.c, type.c: slots of the types ----- */

PyObject *boc__richcompare(PyObject *a, PyObject *b, int op);
PyObject *boc__nb_add(PyObject *a, PyObject *b);
PyObject *boc__nb_subtract(PyObject *a, PyObject *b);
PyObject *boc__nb_multiply(PyObject *a, PyObject *b);
PyObject *boc__nb_divide(PyObject *a, PyObject *b);
PyObject *boc__nb_matmul(PyObject *a, PyObject *b);
PyObject *boc__nb_negative(PyObject *a);
PyObject *boc__nb_absolute(PyObject *a);
PyObject *boc__nb_inplace_add(PyObject *a, PyObject *b);
PyObject *boc__nb_inplace_subtract(PyObject *a, PyObject *b);
PyObject *boc__nb_inplace_multiply(PyObject *a, PyObject *b);
PyObject *boc__nb_inplace_divide(PyObject *a, PyObject *b);
PyObject *boc__subscript(PyObject *self, PyObject *key);
int boc__ass_subscript(PyObject *self, PyObject *key, PyObject *value);
PyObject *boc__item(PyObject *self, Py_ssize_t i);
/* An int or slice as a selection of an axis. */
typedef struct {
    Py_ssize_t start, step, count;
    bool single; /* an int */
} boc__span_t;
int boc__span(PyObject *key, const char *what, Py_ssize_t size, boc__span_t *span);
/* Text of rows x columns numbers at the given strides: "[[1 2]\n [3 4]]". */
PyObject *boc__text(const double *data, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t row_step,
                    Py_ssize_t column_step);

/* view.c ------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    boc__matrix_t *base;
    Py_ssize_t offset, step, count;
    bool is_row, read_only;
} boc__view_t;

extern PyType_Spec boc__matrix_spec, boc__view_spec, boc__indexer_spec, boc__cursor_spec;
void boc__view_dealloc(PyObject *self);
static inline bool boc__is_view(PyObject *o)
{
    return Py_TYPE(o)->tp_dealloc == boc__view_dealloc;
}
boc__matrix_t *boc__view_copy(boc__state_t *state, const boc__view_t *view);
PyObject *boc__view_indexer(PyObject *self);
/* Iterate over numbers of a matrix or view, rows, or views of rows or columns. */
enum { BOC_EACH_VALUE, BOC_EACH_ROW, BOC_EACH_ROW_VIEW, BOC_EACH_COLUMN_VIEW };
PyObject *boc__cursor(boc__state_t *state, PyObject *over, int kind, bool read_only);

/* type.c, module.c -------------------------------------------------------- */

PyObject *boc__matrix_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames);
PyObject *boc__restore(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* Every method of Matrix is METH_FASTCALL | METH_KEYWORDS and listed with its
 * documentation in methods.def. */
#define BOC_METHOD(name, signature, doc)                                                                      \
    PyObject *boc__mx_##name(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
#define BOC_CLASS_METHOD(name, signature, doc) BOC_METHOD(name, signature, doc)
#define BOC_VIEW_METHOD(name, signature, doc)                                                                 \
    PyObject *boc__mv_##name(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
#include "methods.def"
#undef BOC_METHOD
#undef BOC_CLASS_METHOD
#undef BOC_VIEW_METHOD

#define BOC_FUNCTION(name)                                                                                    \
    PyObject *boc__mx_##name(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)

static inline boc__matrix_t *boc__as_matrix(PyObject *o)
{
    return (boc__matrix_t *)o;
}

/* Work on `m` and `n` (either may be NULL) without the GIL: they cannot move meanwhile. */
enum { BOC_LONG_WORK = 1 << 21 }; /* kernel steps above which the GIL is worth releasing */
#define BOC_WITHOUT_GIL(work, m, n, statement)                                                                \
    do {                                                                                                       \
        if ((double)(work) < (double)BOC_LONG_WORK) {                                                          \
            statement;                                                                                         \
        } else {                                                                                               \
            boc__matrix_t *const pin_m = (m), *const pin_n = (n);                                              \
            if (pin_m)                                                                                         \
                boc__count_export(pin_m, 1);                                                                   \
            if (pin_n)                                                                                         \
                boc__count_export(pin_n, 1);                                                                   \
            Py_BEGIN_ALLOW_THREADS statement;                                                                  \
            Py_END_ALLOW_THREADS if (pin_m) boc__count_export(pin_m, -1);                                      \
            if (pin_n)                                                                                         \
                boc__count_export(pin_n, -1);                                                                  \
        }                                                                                                      \
    } while (0)

#endif
