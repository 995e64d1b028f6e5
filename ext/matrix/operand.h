/* operand.h: what calls and operators are given: parsed arguments, and things that take part in an operation. */
#ifndef BOC_MATRIX_OPERAND_H
#define BOC_MATRIX_OPERAND_H

#include "matrix.h"

/* args.c ------------------------------------------------------------------ */

enum { BOC_MAX_ARGS = 6 };

typedef struct {
    const char *function;
    int positional_only, positional, required;
    const char *names[BOC_MAX_ARGS + 1]; /* NULL after the last */
} boc__signature_t;

/* out[i]: borrowed, NULL if absent. */
int boc__parse(const boc__signature_t *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
               PyObject **out);
/* 1: a number, in *value; 0: none; -1. */
int boc__number(PyObject *o, double *value);
/* The same, with TypeError for what is no number. */
int boc__need_number(PyObject *o, const char *what, double *value);
int boc__flag(PyObject *o, bool *value); /* NULL is false */
/* A size such as (rows, columns). */
int boc__shape_arg(boc__state_t *state, PyObject *o, Py_ssize_t *rows, Py_ssize_t *columns);

enum { BOC_AXIS_ALL = -1, BOC_AXIS_COLUMNS = 0, BOC_AXIS_ROWS = 1 };
/* None, NULL, -2..1 -> one of BOC_AXIS_*. */
int boc__axis(PyObject *o, int *axis);
/* 0, 1, -1, -2 for picking rows or columns; anything else is a KeyError too. */
int boc__pick_axis(boc__state_t *state, PyObject *o, int *axis);
/* An index within [0, size), negative from the end. */
int boc__index(PyObject *o, const char *what, Py_ssize_t size, Py_ssize_t *index);
int boc__index_error(const char *what, Py_ssize_t index, Py_ssize_t size);
/* A sequence of such indices: to be cleared after success only. */
enum { BOC_FEW_INDICES = 128 };
typedef struct {
    Py_ssize_t *at, count;
    Py_ssize_t few[BOC_FEW_INDICES];
} boc__indices_t;
int boc__index_list(PyObject *o, const char *what, Py_ssize_t size, boc__indices_t *indices);
void boc__indices_clear(boc__indices_t *indices);
/* The numbers of a flat sequence of exactly `count` (or any, if count < 0) as a new array or into `to`. */
int boc__fill_from_fast(PyObject *fast, double *to);

/* operand.c --------------------------------------------------------------- */

/* Something that takes part in an operation: contiguous rows x columns. */
typedef struct {
    const double *data;
    Py_ssize_t rows, columns;
    bool scalar;     /* a plain number */
    PyObject *owned;       /* a temporary to release */
    boc__matrix_t *source; /* the matrix whose memory it is, pinned until the operand is cleared; NULL for a number */
    double value;    /* where data points to, for a number */
} boc__operand_t;

/* Release with boc__operand_clear, also after failure. 1; 0: no operand, no
 * exception; -1. `sequences`: also take lists and other sequences (as one
 * row) and buffers; else lists, tuples and ranges only. */
int boc__operand(boc__state_t *state, PyObject *o, bool sequences, boc__operand_t *operand);
int boc__operands(boc__state_t *state, PyObject *a, PyObject *b, bool sequences, boc__operand_t *left,
                  boc__operand_t *right);
/* The same, with a TypeError in place of 0. */
int boc__need_operand(boc__state_t *state, PyObject *o, const char *what, boc__operand_t *operand);
void boc__operand_clear(boc__operand_t *operand);
/* The shape of a and b broadcast together. */
int boc__broadcast(const char *what, const boc__operand_t *a, const boc__operand_t *b, Py_ssize_t *rows,
                   Py_ssize_t *columns);
/* The matrix to write a rows x columns result to: `out` if not NULL or None (checked), `self` if in_place, else new. */
boc__matrix_t *boc__result(boc__state_t *state, PyObject *out, boc__matrix_t *in_place, Py_ssize_t rows,
                           Py_ssize_t columns);
/* If operand looks at memory of `result` other than element by element, copy it first. */
int boc__separate(boc__state_t *state, boc__operand_t *operand, const boc__matrix_t *result);
/* The numbers of the operand as its own. */
int boc__operand_copy(boc__state_t *state, boc__operand_t *operand);
int boc__is_out(PyObject *out);

/* The outer loop of a binary operation over broadcast operands. */
void boc__apply_binary(const boc__binary_fn fn[BOC_FORM_COUNT], double *out, const boc__operand_t *a,
                       const boc__operand_t *b, Py_ssize_t rows, Py_ssize_t columns);
PyObject *boc__binary(boc__state_t *state, int op, const char *what, PyObject *a, PyObject *b, PyObject *out,
                      bool sequences);

/* reduce.c, product.c ------------------------------------------------------ */

/* The products of a with y, laid out as a (y_step: its columns) or one row for all (y_step 0, then not BOC_AXIS_ALL). */
void boc__fold_dot(double *out, const boc__operand_t *a, const double *y, size_t y_step, int axis);
PyObject *boc__product_of(boc__state_t *state, const boc__operand_t *a, const boc__operand_t *b);

#endif
