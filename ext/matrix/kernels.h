/* kernels.h: the loops over numbers, as tables that dispatch.c picks from.
 *
 * Each kernels_*.c is compiled once for every instruction set that the build
 * machine's compiler knows (BOC_ISA names it) and exports one table. All
 * variants of a table give the same bits: element-wise loops round each
 * operation once, folds deal elements to a fixed number of partial results
 * whatever the width of a register (see kernels_fold.c), and products go along
 * k in order (kernels_product.c, which says where fusing differs).
 */
#ifndef BOC_MATRIX_KERNELS_H
#define BOC_MATRIX_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* name, result for elements x and y */
#define BOC_BINARY_OPS(X)                                                                                     \
    X(add, x + y)                                                                                              \
    X(subtract, x - y)                                                                                         \
    X(multiply, x *y)                                                                                          \
    X(divide, x / y)                                                                                           \
    X(less, (double)(x < y))                                                                                   \
    X(less_equal, (double)(x <= y))                                                                            \
    X(greater, (double)(x > y))                                                                                \
    X(greater_equal, (double)(x >= y))                                                                         \
    X(equal, (double)(x == y))                                                                                 \
    X(not_equal, (double)(x != y))

/* name, result for an element x */
#define BOC_UNARY_OPS(X)                                                                                      \
    X(ceil, __builtin_ceil(x))                                                                                 \
    X(floor, __builtin_floor(x))                                                                               \
    X(round, __builtin_rint(x))                                                                                \
    X(negate, -x)                                                                                              \
    X(abs, __builtin_fabs(x))                                                                                  \
    X(sqrt, __builtin_sqrt(x))                                                                                 \
    X(reciprocal, 1.0 / x)                                                                                     \
    X(sign, (double)(x > 0.0) - (double)(x < 0.0))

/* Unary operations with a loop of their own (kernels_circle.c). */
#define BOC_CIRCLE_OPS(X) X(cos, ) X(sin, )

/* name, result for elements x, y, z */
#define BOC_TERNARY_OPS(X)                                                                                    \
    X(fma, __builtin_fma(x, y, z))                                                                             \
    X(scaled_add, x + y * z)

/* name, term for elements x and y, how a term joins the partial result p */
#define BOC_FOLDS(X)                                                                                          \
    X(sum, x, p + t)                                                                                           \
    X(squares, x *x, p + t)                                                                                    \
    X(dot, x *y, p + t)                                                                                        \
    X(min, x, t < p ? t : p)                                                                                   \
    X(max, x, t > p ? t : p)

#define BOC_ENUM_2(name, a) BOC_OP_##name,
#define BOC_ENUM_3(name, a, b) BOC_OP_##name,
enum { BOC_BINARY_OPS(BOC_ENUM_2) BOC_BINARY_COUNT };
enum { BOC_UNARY_OPS(BOC_ENUM_2) BOC_CIRCLE_OPS(BOC_ENUM_2) BOC_UNARY_COUNT };
enum { BOC_TERNARY_OPS(BOC_ENUM_2) BOC_TERNARY_COUNT };
enum { BOC_FOLDS(BOC_ENUM_3) BOC_FOLD_COUNT };

/* Which operands of a loop advance; the others stay at one element. */
enum { BOC_VV, BOC_VS, BOC_SV, BOC_FORM_COUNT };
enum { BOC_VVV, BOC_VVS, BOC_VSV, BOC_VSS, BOC_TERNARY_FORM_COUNT };

typedef void (*boc__binary_fn)(double *out, const double *a, const double *b, size_t n);
typedef void (*boc__unary_fn)(double *out, const double *a, size_t n);
typedef void (*boc__ternary_fn)(double *out, const double *a, const double *b, const double *c, size_t n);

typedef void (*boc__cross_fn)(double *out, const double *u, size_t u_stride, size_t u_step, const double *v,
                              size_t v_stride, size_t v_step, size_t count);

/* Outputs from so many elements on go past the caches where the processor can do that. */
enum { BOC_STREAM_FROM = 1 << 20 };

/* Element-wise. `out` may be an operand itself, but not overlap it otherwise. */
typedef struct {
    boc__binary_fn binary[BOC_BINARY_COUNT][BOC_FORM_COUNT];
    boc__unary_fn unary[BOC_UNARY_COUNT];
    boc__ternary_fn ternary[BOC_TERNARY_COUNT][BOC_TERNARY_FORM_COUNT];
    void (*clip)(double *out, const double *a, double low, double high, size_t n);
    /* out = mask != 0 ? a : b; the steps are 0 or 1 */
    void (*select)(double *out, const double *mask, const double *a, int a_step, const double *b, int b_step, size_t n);
    void (*bin)(double *out, const double *a, size_t n, double low, double high, double count, int right);
    /* how many of the rising edges are <= each element (right: < it); NaN: -1 */
    void (*digitize)(double *out, const double *a, size_t n, const double *edges, size_t count, int right);
    int (*close)(const double *a, const double *b, size_t n, double rtol, double atol, int equal_nan);
    void (*transpose)(double *out, const double *a, size_t rows, size_t columns);
    void (*atan2)(double *out, const double *y, const double *x, size_t n);
    void (*copy)(double *out, const double *a, size_t n);
    void (*fill)(double *out, double value, size_t n);
    /* n numbers in [low, high) that begin at a place of the sequence (random.c) */
    void (*uniform)(double *out, size_t n, uint64_t place, double low, double high);
    /* cross products of `count` vectors u, components u_step and vectors u_stride apart, and v likewise (v_stride 0:
     * one for all); those of three components lie as u does, those of two next to each other */
    boc__cross_fn cross_2, cross_3;
    /* (x, y) -> (-y, x) for `count` pairs */
    void (*turn)(double *out, const double *a, size_t count);
} boc__map_t;

/* Reductions. Only dot uses y; the others are given x for it. n, rows, columns
 * > 0. They may read (and ignore) up to BOC_READ_PAST bytes behind the end. */
enum { BOC_READ_PAST = 64 };
/* The order of a fold: runs from PARTS elements on are cut into blocks (kernels_fold.c). */
enum { BOC_FOLD_PARTS = 32, BOC_FOLD_BLOCK = 4096 };
typedef struct {
    double (*all[BOC_FOLD_COUNT])(const double *x, const double *y, size_t n);
    /* one result for each row; y_step: doubles from one row of y to the next */
    void (*rows[BOC_FOLD_COUNT])(double *out, const double *x, const double *y, size_t y_step, size_t rows,
                                 size_t columns);
    /* one result for each column */
    void (*columns[BOC_FOLD_COUNT])(double *out, const double *x, const double *y, size_t y_step, size_t rows,
                                    size_t columns);
    /* the first index where a < b or a > b, n if there is none; b_step 0: b is one number */
    size_t (*unlike)(const double *a, const double *b, int b_step, size_t n);
    /* the index of the first extreme of each row, or of each column, NaN skipped unless first; best is scratch */
    void (*arg_rows)(double *index, const double *x, size_t rows, size_t columns, int want_max);
    void (*arg_columns)(double *index, double *best, const double *x, size_t rows, size_t columns, int want_max);
} boc__fold_t;

/* out (m x n) = a (m x k) @ b (k x n), all row-major, out no operand. `rounded`
 * rounds each product and each sum, `fused` each step once (kernels_product.c).
 * scratch: product_scratch(m, k, n) doubles, 64-byte aligned. */
typedef struct {
    void (*product)(double *out, const double *a, const double *b, size_t m, size_t k, size_t n, double *scratch);
    size_t (*product_scratch)(size_t m, size_t k, size_t n);
} boc__product_t;

typedef struct {
    const char *isa;
    const boc__map_t *map;
    const boc__fold_t *fold;
    const boc__product_t *rounded, *fused;
} boc__kernels_t;

/* Every instruction set that a build may contain: name, test at run time. */
#if defined(__x86_64__)
#define BOC_ISAS(X)                                                                                           \
    X(plain, 1)                                                                                                \
    X(avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))                                   \
    X(avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&                       \
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx2") &&                       \
                  __builtin_cpu_supports("fma"))
#else
#define BOC_ISAS(X) X(plain, 1)
#endif

#define BOC_DECLARE_ISA(name, test)                                                                           \
    void boc__sin_##name(double *out, const double *a, size_t n);                                              \
    void boc__cos_##name(double *out, const double *a, size_t n);                                              \
    void boc__atan2_##name(double *out, const double *y, const double *x, size_t n);                           \
    void boc__uniform_##name(double *out, size_t n, uint64_t place, double low, double high);                  \
    extern const boc__map_t boc__map_##name;                                                                   \
    extern const boc__fold_t boc__fold_##name;                                                                 \
    extern const boc__product_t boc__product_rounded_##name, boc__product_fused_##name;
BOC_ISAS(BOC_DECLARE_ISA)

/* splitmix64: its n-th number from a place is boc__mixed(place + n * BOC_GOLDEN). */
#define BOC_GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t boc__mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#define BOC_PASTE_(a, b) a##b
#define BOC_PASTE(a, b) BOC_PASTE_(a, b)

/* The table in use, set once by boc__kernels_choose (any thread, any number of times). */
extern const boc__kernels_t *boc__kernels;
void boc__kernels_choose(void);
/* By name, for tests and benchmarks: NULL if this machine cannot run it. */
const boc__kernels_t *boc__kernels_named(const char *isa);

#endif
