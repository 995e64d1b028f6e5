/* kernels_map.c: element-wise loops, one for each operation and form.
 *
 * The compiler vectorises them. Each operation rounds by itself: the build
 * turns contraction off, so `x + y * z` is two roundings and `fma` is one. */
#include "kernels.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define NAME(x) BOC_PASTE(x##_, BOC_ISA)

/* The output of an iteration is never the input of a later one. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Loops go in strips of a constant length, which the compiler lays out straight. Some strips ahead, as long as they
 * are of this output, the lines to be written are asked for: a processor does that late by itself, and a store then
 * waits for its line where that lies further out than the first cache. An output too large for the caches is streamed
 * past them, if it is `fresh` (no operand): its lines need not be read before they are written. */
enum { STRIP = 64, AHEAD = 128, LINE = 64 / sizeof(double) };

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void expect(const double *out)
{
    for (size_t i = 0; i < STRIP; i += LINE)
        __builtin_prefetch(out + i, 1);
}

#if defined(__x86_64__)
#if BOC_LANES == 8
#define STREAM(to, from) _mm512_stream_pd(to, _mm512_loadu_pd(from))
#elif BOC_LANES == 4
#define STREAM(to, from) _mm256_stream_pd(to, _mm256_loadu_pd(from))
#else
#define STREAM(to, from) _mm_stream_pd(to, _mm_loadu_pd(from))
#endif

ALWAYS int streams(const double *out, size_t n)
{
    return n >= BOC_STREAM_FROM && (uintptr_t)out % 64 == 0;
}

ALWAYS void stream(double *out, const double *strip)
{
    for (size_t i = 0; i < STRIP; i += BOC_LANES)
        STREAM(out + i, strip + i);
}

/* Streamed lines are in memory before what this thread writes next, which may be that they are ready. */
ALWAYS void stream_end(void)
{
    _mm_sfence();
}
#else
ALWAYS int streams(const double *out, size_t n)
{
    (void)out, (void)n;
    return 0;
}
ALWAYS void stream(double *out, const double *strip)
{
    (void)out, (void)strip;
}
ALWAYS void stream_end(void)
{
}
#endif

#define EACH(fresh, result, ...)                                                                              \
    double strip[STRIP];                                                                                      \
    const int streaming = streams(out, n) && (fresh);                                                         \
    size_t at = 0;                                                                                            \
    for (; n - at >= STRIP; at += STRIP) {                                                                    \
        double *const to = streaming ? strip : out + at;                                                      \
        if (n - at >= AHEAD + STRIP && !streaming)                                                            \
            expect(out + at + AHEAD);                                                                         \
        INDEPENDENT                                                                                           \
        for (size_t k = 0; k < STRIP; k++) {                                                                  \
            const size_t i = at + k;                                                                          \
            __VA_ARGS__                                                                                       \
            to[k] = result;                                                                                   \
        }                                                                                                     \
        if (streaming)                                                                                        \
            stream(out + at, strip);                                                                          \
    }                                                                                                         \
    if (streaming)                                                                                            \
        stream_end();                                                                                         \
    INDEPENDENT                                                                                               \
    for (size_t i = at; i < n; i++) {                                                                         \
        __VA_ARGS__                                                                                           \
        out[i] = result;                                                                                      \
    }

#define BINARY(name, expression)                                                                              \
    static void name##_vv(double *out, const double *a, const double *b, size_t n)                            \
    {                                                                                                         \
        EACH(out != a && out != b, expression, const double x = a[i], y = b[i];)                              \
    }                                                                                                         \
    static void name##_vs(double *out, const double *a, const double *b, size_t n)                            \
    {                                                                                                         \
        const double y = *b;                                                                                  \
        EACH(out != a, expression, const double x = a[i];)                                                    \
    }                                                                                                         \
    static void name##_sv(double *out, const double *a, const double *b, size_t n)                            \
    {                                                                                                         \
        const double x = *a;                                                                                  \
        EACH(out != b, expression, const double y = b[i];)                                                    \
    }
BOC_BINARY_OPS(BINARY)

#define UNARY(name, expression)                                                                               \
    static void name##_v(double *out, const double *a, size_t n)                                              \
    {                                                                                                         \
        EACH(out != a, expression, const double x = a[i];)                                                    \
    }
BOC_UNARY_OPS(UNARY)

#define TERNARY_FORM(name, form, expression, from_b, from_c)                                                  \
    static void name##form(double *out, const double *a, const double *b, const double *c, size_t n)          \
    {                                                                                                         \
        EACH(out != a && out != b && out != c, expression, const double x = a[i], y = from_b, z = from_c;)    \
    }
#define TERNARY(name, expression)                                                                             \
    TERNARY_FORM(name, _vvv, expression, b[i], c[i])                                                          \
    TERNARY_FORM(name, _vvs, expression, b[i], *c)                                                            \
    TERNARY_FORM(name, _vsv, expression, *b, c[i])                                                            \
    TERNARY_FORM(name, _vss, expression, *b, *c)
BOC_TERNARY_OPS(TERNARY)

/* NaN elements stay NaN; a NaN bound does not bound. */
static void clip(double *out, const double *a, double low, double high, size_t n)
{
    EACH(out != a, y > high ? high : y, const double x = a[i], y = x < low ? low : x;)
}

static void select_from(double *out, const double *mask, const double *a, int a_step, const double *b, int b_step,
                        size_t n)
{
#define SELECT(from_a, from_b)                                                                                \
    EACH(out != mask && out != a && out != b, mask[i] != 0.0 ? x : y, const double x = from_a, y = from_b;)
    if (a_step && b_step) {
        SELECT(a[i], b[i])
    } else if (a_step) {
        SELECT(a[i], *b)
    } else if (b_step) {
        SELECT(*a, b[i])
    } else {
        SELECT(*a, *b)
    }
}

/* Equal-width intervals: scale, round down (right: up, less one), clamp; NaN is
 * -1. A range that overflows is made smaller first; one of no or infinite width is
 * all interval 0. */
static void bin(double *out, const double *a, size_t n, double low, double high, double count, int right)
{
    const double less = high - low == INFINITY ? 0x1p-10 : 1.0;
    const double width = high * less - low * less, scale = count / width, last = count - 1.0;
    const double shift = right ? 1.0 : 0.0, from = low * less;

    if (!(width > 0.0) || width == INFINITY) {
        for (size_t i = 0; i < n; i++)
            out[i] = a[i] != a[i] ? -1.0 : 0.0;
        return;
    }
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const double x = a[i], at = (x * less - from) * scale;
        double k = right ? __builtin_ceil(at) - shift : __builtin_floor(at);

        k = k < 0.0 ? 0.0 : k;
        k = k > last ? last : k;
        k = x >= high ? last : k;
        k = x <= low ? 0.0 : k;
        out[i] = x != x ? -1.0 : k;
    }
}

/* By halving, without branches on data. */
static double edges_below(double x, const double *edges, size_t n, int right)
{
    const double *base = edges;

    while (n > 0) {
        const size_t half = n - n / 2;
        const double edge = base[half - 1];
        base += (right ? edge < x : edge <= x) ? half : 0;
        n -= half;
    }
    return x != x ? -1.0 : (double)(base - edges);
}

static void digitize(double *out, const double *a, size_t n, const double *edges, size_t count, int right)
{
    enum { FEW = 24, SOME = 256 };
    double below[SOME];

    if (count > FEW) {
        for (size_t i = 0; i < n; i++)
            out[i] = edges_below(a[i], edges, count, right);
        return;
    }
    for (size_t start = 0; start < n; start += SOME) {
        const size_t some = n - start < SOME ? n - start : SOME;
        const double *x = a + start;

        for (size_t i = 0; i < some; i++)
            below[i] = x[i] != x[i] ? -1.0 : 0.0;
        for (size_t e = 0; e < count; e++) {
            const double edge = edges[e];
            if (right)
                for (size_t i = 0; i < some; i++)
                    below[i] += (double)(edge < x[i]);
            else
                for (size_t i = 0; i < some; i++)
                    below[i] += (double)(edge <= x[i]);
        }
        memcpy(out + start, below, some * sizeof(double));
    }
}

static int all_close(const double *a, const double *b, size_t n, double rtol, double atol, int equal_nan)
{
    /* In blocks, so that a difference ends the work early and the loop inside stays free of branches. */
    for (size_t start = 0; start < n; start += 256) {
        const size_t end = n - start < 256 ? n : start + 256;
        int bad = 0;

        for (size_t i = start; i < end; i++) {
            const double x = a[i], y = b[i];
            const int near = __builtin_fabs(x - y) <= atol + rtol * __builtin_fabs(y);
            const int same = (x == y) | (equal_nan & (x != x) & (y != y));
            /* an infinite y makes every tolerance infinite: only the same infinity is near it */
            const int infinite = __builtin_fabs(y) == INFINITY;
            bad |= !(same | (near & !infinite));
        }
        if (bad)
            return 0;
    }
    return 1;
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TRANSPOSE_4
/* 4x4 elements at a, rows of a `from` doubles, to out, rows of out `to` doubles. */
static inline __attribute__((always_inline)) void transpose_4(double *out, size_t to, const double *a, size_t from)
{
    typedef double four_t __attribute__((vector_size(32)));
    four_t r[4], pairs[4], columns[4];

    for (size_t i = 0; i < 4; i++)
        memcpy(&r[i], a + i * from, sizeof r[i]);
    for (size_t i = 0; i < 4; i += 2) {
        pairs[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 4, 2, 6);
        pairs[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 5, 3, 7);
    }
    for (size_t i = 0; i < 2; i++) {
        columns[i] = __builtin_shufflevector(pairs[i], pairs[i + 2], 0, 1, 4, 5);
        columns[i + 2] = __builtin_shufflevector(pairs[i], pairs[i + 2], 2, 3, 6, 7);
    }
    for (size_t i = 0; i < 4; i++)
        memcpy(out + i * to, &columns[i], sizeof columns[i]);
}
#endif
#endif

/* Rows [i, i_end) and columns [j, j_end) of a. */
static void transpose_tile(double *out, const double *a, size_t rows, size_t columns, size_t i, size_t i_end, size_t j,
                           size_t j_end)
{
#if defined(TRANSPOSE_4)
    const size_t i_even = i + (i_end - i) / 4 * 4, j_even = j + (j_end - j) / 4 * 4;

    for (size_t q = j; q < j_even; q += 4)
        for (size_t p = i; p < i_even; p += 4)
            transpose_4(out + q * rows + p, rows, a + p * columns + q, columns);
#else
    const size_t i_even = i, j_even = j;
#endif
    for (size_t q = j; q < j_even; q++)
        for (size_t p = i_even; p < i_end; p++)
            out[q * rows + p] = a[p * columns + q];
    for (size_t q = j_even; q < j_end; q++)
        for (size_t p = i; p < i_end; p++)
            out[q * rows + p] = a[p * columns + q];
}

static void transpose(double *out, const double *a, size_t rows, size_t columns)
{
    enum { TILE = 16 };

    if (rows == 1 || columns == 1) {
        memcpy(out, a, rows * columns * sizeof(double));
        return;
    }
    for (size_t i = 0; i < rows; i += TILE) {
        const size_t i_end = rows - i < TILE ? rows : i + TILE;

        for (size_t j = 0; j < columns; j += TILE) {
            const size_t j_end = columns - j < TILE ? columns : j + TILE;

            transpose_tile(out, a, rows, columns, i, i_end, j, j_end);
        }
    }
}

static void turn(double *out, const double *a, size_t count)
{
    INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        const double x = a[2 * i], y = a[2 * i + 1];
        out[2 * i] = -y;
        out[2 * i + 1] = x;
    }
}

static void copy(double *out, const double *a, size_t n)
{
    EACH(out != a, a[i], )
}

static void fill(double *out, double value, size_t n)
{
    EACH(1, value, (void)i;)
}

/* The loops, for constant strides where they are known: then the compiler vectorises them. */
ALWAYS void cross_2_loop(double *restrict out, const double *u, size_t u_stride, size_t s, const double *v,
                         size_t v_stride, size_t t, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = u[i * u_stride] * v[i * v_stride + t] - u[i * u_stride + s] * v[i * v_stride];
}

ALWAYS void cross_3_loop(double *restrict out, const double *u, size_t u_stride, size_t s, const double *v,
                         size_t v_stride, size_t t, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const size_t a = i * u_stride, b = i * v_stride;

        out[a] = u[a + s] * v[b + 2 * t] - u[a + 2 * s] * v[b + t];
        out[a + s] = u[a + 2 * s] * v[b] - u[a] * v[b + 2 * t];
        out[a + 2 * s] = u[a] * v[b + t] - u[a + s] * v[b];
    }
}

#define CROSS(n)                                                                                              \
    static void cross_##n(double *out, const double *u, size_t u_stride, size_t s, const double *v,           \
                          size_t v_stride, size_t t, size_t count)                                            \
    {                                                                                                         \
        if (s == 1 && t == 1 && u_stride == n && v_stride == n)                                               \
            cross_##n##_loop(out, u, n, 1, v, n, 1, count);                                                   \
        else if (s == 1 && t == 1 && u_stride == n && v_stride == 0)                                          \
            cross_##n##_loop(out, u, n, 1, v, 0, 1, count);                                                   \
        else if (u_stride == 1 && v_stride == 1)                                                              \
            cross_##n##_loop(out, u, 1, s, v, 1, t, count);                                                   \
        else if (u_stride == 1 && v_stride == 0)                                                              \
            cross_##n##_loop(out, u, 1, s, v, 0, t, count);                                                   \
        else                                                                                                  \
            cross_##n##_loop(out, u, u_stride, s, v, v_stride, t, count);                                     \
    }
CROSS(2)
CROSS(3)

#define BINARY_ROW(name, expression) {name##_vv, name##_vs, name##_sv},
#define UNARY_ROW(name, expression) name##_v,
#define CIRCLE_ROW(name, ignored) NAME(boc__##name),
#define TERNARY_ROW(name, expression) {name##_vvv, name##_vvs, name##_vsv, name##_vss},
const boc__map_t NAME(boc__map) = {
    .binary = {BOC_BINARY_OPS(BINARY_ROW)},
    .unary = {BOC_UNARY_OPS(UNARY_ROW) BOC_CIRCLE_OPS(CIRCLE_ROW)},
    .ternary = {BOC_TERNARY_OPS(TERNARY_ROW)},
    .clip = clip,
    .select = select_from,
    .bin = bin,
    .digitize = digitize,
    .close = all_close,
    .transpose = transpose,
    .atan2 = NAME(boc__atan2),
    .copy = copy,
    .fill = fill,
    .uniform = NAME(boc__uniform),
    .cross_2 = cross_2,
    .cross_3 = cross_3,
    .turn = turn,
};
