/* kernels_fold.c: reductions in an order that no register width changes.
 *
 * All elements of a run, and each row: fewer than PARTS elements are folded
 * from first to last. A longer run is cut into blocks of BLOCK elements;
 * within a block element i joins partial result i mod PARTS, and the partial
 * results are folded in pairs, k with k + PARTS/2, then halves of that; the
 * results of the blocks are folded from first to last.
 * Columns: from the first row to the last; in matrices with fewer than NARROW
 * columns row i joins partial result i mod DEAL of its column, folded in
 * pairs in the same way.
 * min and max give the same number in any order (of zeros of both signs,
 * either), and skip NaN unless it is the first element. */
#include "kernels.h"
#include "lanes.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define NAME(x) BOC_PASTE(x##_, BOC_ISA)
enum { PARTS = BOC_FOLD_PARTS, BLOCK = BOC_FOLD_BLOCK, NARROW = 16, DEAL = 8 };

#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#define UNROLLED _Pragma("GCC unroll 32")
#endif

enum { REGISTERS = PARTS / BOC_LANES };

static inline __attribute__((always_inline)) lanes every(double v)
{
    return v - (lanes){0.0};
}

/* The first n lanes. */
static inline __attribute__((always_inline)) bits first(long long n)
{
#if BOC_LANES == 8
    const bits number = {0, 1, 2, 3, 4, 5, 6, 7};
#elif BOC_LANES == 4
    const bits number = {0, 1, 2, 3};
#else
    const bits number = {0, 1};
#endif
    return number < n;
}

/* t < p ? t : p, which is what the instruction of x86 does, NaN and zeros included. */
#if defined(__x86_64__) && BOC_LANES == 8
#define least(t, p) ((lanes)_mm512_min_pd((__m512d)(t), (__m512d)(p)))
#define greatest(t, p) ((lanes)_mm512_max_pd((__m512d)(t), (__m512d)(p)))
#elif defined(__x86_64__) && BOC_LANES == 4
#define least(t, p) ((lanes)_mm256_min_pd((__m256d)(t), (__m256d)(p)))
#define greatest(t, p) ((lanes)_mm256_max_pd((__m256d)(t), (__m256d)(p)))
#elif defined(__x86_64__)
#define least(t, p) ((lanes)_mm_min_pd((__m128d)(t), (__m128d)(p)))
#define greatest(t, p) ((lanes)_mm_max_pd((__m128d)(t), (__m128d)(p)))
#else
#define least(t, p) pick((t) < (p), (t), (p))
#define greatest(t, p) pick((t) > (p), (t), (p))
#endif

/* Asks for the next PARTS elements but AHEAD: what is further out than the second cache comes late by itself. */
enum { AHEAD = 512, FAR = 1 << 18 };
static inline __attribute__((always_inline)) void expect(const double *a)
{
    UNROLLED
    for (size_t i = 0; i < PARTS; i += 64 / sizeof(double))
        __builtin_prefetch(a + i);
}

/* How a register of terms joins one of partial results. */
#define JOIN_sum(p, t) ((p) + (t))
#define JOIN_squares(p, t) ((p) + (t))
#define JOIN_dot(p, t) ((p) + (t))
#define JOIN_min(p, t) least((t), (p))
#define JOIN_max(p, t) greatest((t), (p))
#define START_sum(x) 0.0
#define START_squares(x) 0.0
#define START_dot(x) 0.0
#define START_min(first) (first)
#define START_max(first) (first)
#define TERM_sum(i) load(a + (i))
#define TERM_squares(i) (load(a + (i)) * load(a + (i)))
#define TERM_dot(i) (load(a + (i)) * load(b + (i)))
#define TERM_min(i) load(a + (i))
#define TERM_max(i) load(a + (i))

#define FOLD(name, term, join)                                                                                \
    static inline __attribute__((always_inline)) double name##_short(const double *a, const double *b, size_t n, double p)                    \
    {                                                                                                          \
        (void)b;                                                                                               \
        for (size_t i = 0; i < n; i++) {                                                                       \
            const double x = a[i];                                                                             \
            const double y __attribute__((unused)) = b[i];                                                     \
            const double t = term;                                                                             \
            p = join;                                                                                          \
        }                                                                                                      \
        return p;                                                                                              \
    }                                                                                                          \
    static inline __attribute__((always_inline)) void name##_step(lanes part[REGISTERS], const double *a,      \
                                                                  const double *b)                             \
    {                                                                                                          \
        (void)b;                                                                                               \
        UNROLLED                                                                                               \
        for (size_t r = 0; r < REGISTERS; r++)                                                                 \
            part[r] = JOIN_##name(part[r], TERM_##name(r *BOC_LANES));                                         \
    }                                                                                                          \
    /* Fewer than PARTS elements: read whole registers, let what lies past the end join as `start`. */         \
    static inline __attribute__((always_inline)) void name##_rest(lanes part[REGISTERS], const double *a,      \
                                                                  const double *b, long long n, lanes start)   \
    {                                                                                                          \
        (void)b;                                                                                               \
        UNROLLED                                                                                               \
        for (long long r = 0; r < REGISTERS; r++)                                                              \
            if (r * BOC_LANES < n)                                                                             \
                part[r] = JOIN_##name(part[r], pick(first(n - r * BOC_LANES), TERM_##name(r *BOC_LANES), start)); \
    }                                                                                                          \
    static inline __attribute__((always_inline)) double name##_run(const double *a, const double *b, size_t n, \
                                                                   double start, int far)                      \
    {                                                                                                          \
        lanes part[REGISTERS];                                                                                 \
        double flat[BOC_LANES];                                                                                \
        size_t i = 0;                                                                                          \
        UNROLLED                                                                                               \
        for (int r = 0; r < REGISTERS; r++)                                                                    \
            part[r] = every(start);                                                                            \
        for (; i + PARTS <= n; i += PARTS) {                                                                   \
            if (far)                                                                                           \
                expect(a + i + AHEAD);                                                                         \
            name##_step(part, a + i, b + i);                                                                   \
        }                                                                                                      \
        if (i < n)                                                                                             \
            name##_rest(part, a + i, b + i, (long long)(n - i), every(start));                                 \
        UNROLLED                                                                                               \
        for (int half = REGISTERS / 2; half > 0; half /= 2) {                                                  \
            UNROLLED                                                                                           \
            for (int r = 0; r < half; r++)                                                                     \
                part[r] = JOIN_##name(part[r], part[r + half]);                                                \
        }                                                                                                      \
        memcpy(flat, part, sizeof flat);                                                                       \
        for (size_t half = BOC_LANES / 2; half > 0; half /= 2)                                                 \
            for (size_t l = 0; l < half; l++) {                                                                \
                const double t = flat[l + half], p = flat[l];                                                  \
                flat[l] = join;                                                                                \
            }                                                                                                  \
        return flat[0];                                                                                        \
    }                                                                                                          \
    static double name##_block(const double *a, const double *b, size_t n, double start)                       \
    {                                                                                                          \
        return name##_run(a, b, n, start, 0);                                                                  \
    }                                                                                                          \
    static __attribute__((noinline)) double name##_far(const double *a, const double *b, size_t n, double start)\
    {                                                                                                          \
        double p = name##_run(a, b, BLOCK, start, 1);                                                          \
        for (size_t i = BLOCK; i < n; i += BLOCK) {                                                            \
            const double t = name##_run(a + i, b + i, n - i < BLOCK ? n - i : BLOCK, start, 1);                \
            p = join;                                                                                          \
        }                                                                                                      \
        return p;                                                                                              \
    }                                                                                                          \
    static double name##_all(const double *a, const double *b, size_t n)                                       \
    {                                                                                                          \
        const double start = START_##name(a[0]);                                                               \
        double p = start;                                                                                      \
        if (n < PARTS)                                                                                         \
            return name##_short(a, b, n, start);                                                               \
        if (n >= FAR)                                                                                          \
            return name##_far(a, b, n, start);                                                                 \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                \
            const double t = name##_block(a + i, b + i, n - i < BLOCK ? n - i : BLOCK, start);                 \
            p = i == 0 ? t : (join);                                                                           \
        }                                                                                                      \
        return p;                                                                                              \
    }                                                                                                          \
    static inline __attribute__((always_inline)) void name##_few(double *out, const double *x, const double *y, \
                                                                 size_t y_step, size_t rows, size_t columns)   \
    {                                                                                                          \
        if (y_step == 0) {                                                                                     \
            INDEPENDENT                                                                                        \
            for (size_t i = 0; i < rows; i++)                                                                  \
                out[i] = name##_short(x + i * columns, y, columns, START_##name(x[i * columns]));              \
            return;                                                                                            \
        }                                                                                                      \
        INDEPENDENT                                                                                            \
        for (size_t i = 0; i < rows; i++)                                                                      \
            out[i] = name##_short(x + i * columns, y + i * columns, columns, START_##name(x[i * columns]));    \
    }                                                                                                          \
    static void name##_rows(double *out, const double *x, const double *y, size_t y_step, size_t rows,         \
                            size_t columns)                                                                    \
    {                                                                                                          \
        switch (columns) {                                                                                     \
        case 2:                                                                                                \
            name##_few(out, x, y, y_step, rows, 2);                                                            \
            return;                                                                                            \
        case 3:                                                                                                \
            name##_few(out, x, y, y_step, rows, 3);                                                            \
            return;                                                                                            \
        case 4:                                                                                                \
            name##_few(out, x, y, y_step, rows, 4);                                                            \
            return;                                                                                            \
        default:                                                                                               \
            if (columns < PARTS) {                                                                             \
                name##_few(out, x, y, y_step, rows, columns);                                                  \
                return;                                                                                        \
            }                                                                                                  \
        }                                                                                                      \
        for (size_t i = 0; i < rows; i++, x += columns, y += y_step)                                           \
            out[i] = name##_all(x, y, columns);                                                                \
    }                                                                                                          \
    static void name##_narrow(double *out, const double *a, const double *b, size_t b_step, size_t rows,       \
                              size_t columns)                                                                  \
    {                                                                                                          \
        double part[DEAL * NARROW];                                                                            \
        const size_t width = DEAL * columns;                                                                   \
        double repeated[DEAL * NARROW];                                                                        \
        size_t i = 0;                                                                                          \
        for (size_t k = 0; k < width; k++) {                                                                   \
            part[k] = START_##name(a[k % columns]);                                                            \
            repeated[k] = b[k % columns];                                                                      \
        }                                                                                                      \
        for (; i + DEAL <= rows; i += DEAL, a += width) {                                                      \
            const double *from = b_step ? b + i * b_step : repeated;                                           \
            INDEPENDENT                                                                                        \
            for (size_t k = 0; k < width; k++) {                                                               \
                const double x = a[k], y __attribute__((unused)) = from[k], p = part[k];                       \
                const double t = term;                                                                         \
                part[k] = join;                                                                                \
            }                                                                                                  \
        }                                                                                                      \
        for (size_t k = 0; i < rows; i++)                                                                      \
            for (size_t j = 0; j < columns; j++, k++) {                                                        \
                const double x = a[k], y __attribute__((unused)) = b[i * b_step + j], p = part[k];             \
                const double t = term;                                                                         \
                part[k] = join;                                                                                \
            }                                                                                                  \
        for (size_t half = width / 2; half >= columns; half /= 2)                                              \
            for (size_t k = 0; k < half; k++) {                                                                \
                const double t = part[k + half], p = part[k];                                                  \
                part[k] = join;                                                                                \
            }                                                                                                  \
        memcpy(out, part, columns * sizeof(double));                                                           \
    }                                                                                                          \
    static void name##_columns(double *out, const double *a, const double *b, size_t b_step, size_t rows,      \
                               size_t columns)                                                                 \
    {                                                                                                          \
        if (columns < NARROW && rows > DEAL) {                                                                 \
            name##_narrow(out, a, b, b_step, rows, columns);                                                   \
            return;                                                                                            \
        }                                                                                                      \
        for (size_t j = 0; j < columns; j++)                                                                   \
            out[j] = START_##name(a[j]);                                                                       \
        for (size_t i = 0; i < rows; i++, a += columns, b += b_step) {                                         \
            INDEPENDENT                                                                                        \
            for (size_t j = 0; j < columns; j++) {                                                             \
                const double x = a[j], y __attribute__((unused)) = b[j], p = out[j];                           \
                const double t = term;                                                                         \
                out[j] = join;                                                                                 \
            }                                                                                                  \
        }                                                                                                      \
    }
BOC_FOLDS(FOLD)

/* Which lanes are set, bit by bit. */
static inline __attribute__((always_inline)) unsigned long which(bits set)
{
#if defined(__x86_64__) && BOC_LANES == 8
    return _mm512_movepi64_mask((__m512i)set);
#elif defined(__x86_64__) && BOC_LANES == 4
    return (unsigned long)_mm256_movemask_pd((__m256d)set);
#elif defined(__x86_64__)
    return (unsigned long)_mm_movemask_pd((__m128d)set);
#else
    return (unsigned long)((set[0] & 1) | (set[1] & 2));
#endif
}

/* The first index of a run where `true_of(x, y)`, of element i of `a` and `from_b`, holds; n if there is none. */
#define FIRST(true_of, from_b, one_of_b)                                                                      \
    do {                                                                                                       \
        size_t i = 0;                                                                                          \
        for (; i + PARTS <= n; i += PARTS) {                                                                   \
            unsigned long found = 0;                                                                           \
            UNROLLED                                                                                           \
            for (size_t r = 0; r < REGISTERS; r++) {                                                           \
                const lanes x = load(a + i + r * BOC_LANES), y = from_b;                                       \
                found |= which(true_of(x, y)) << (r * BOC_LANES);                                              \
            }                                                                                                  \
            if (found)                                                                                         \
                return i + (size_t)__builtin_ctzl(found);                                                      \
        }                                                                                                      \
        for (; i < n; i++) {                                                                                   \
            const double x = a[i], y = one_of_b;                                                               \
            if (true_of(x, y))                                                                                 \
                return i;                                                                                      \
        }                                                                                                      \
        return n;                                                                                              \
    } while (0)

#define SAME(x, y) ((x) == (y))
#define UNLIKE(x, y) (((x) < (y)) | ((x) > (y)))

static inline size_t find(const double *a, size_t n, double v)
{
    const lanes all = every(v);
    FIRST(SAME, all, v);
}

static size_t unlike(const double *a, const double *b, int b_step, size_t n)
{
    if (b_step)
        FIRST(UNLIKE, load(b + i + r * BOC_LANES), b[i]);
    const double v = *b;
    const lanes all = every(v);
    FIRST(UNLIKE, all, v);
}

static inline __attribute__((always_inline)) size_t arg_short(const double *x, size_t n, int want_max)
{
    size_t best = 0;
    double extreme = x[0];

    for (size_t i = 1; i < n; i++) {
        const int better = want_max ? x[i] > extreme : x[i] < extreme;
        best = better ? i : best;
        extreme = better ? x[i] : extreme;
    }
    return best;
}

static inline __attribute__((always_inline)) void arg_few(double *index, const double *x, size_t rows,
                                                          size_t columns, int want_max)
{
    for (size_t i = 0; i < rows; i++, x += columns)
        index[i] = (double)(want_max ? arg_short(x, columns, 1) : arg_short(x, columns, 0));
}

static void arg_rows(double *index, const double *x, size_t rows, size_t columns, int want_max)
{
    switch (columns) {
    case 2:
        arg_few(index, x, rows, 2, want_max);
        return;
    case 3:
        arg_few(index, x, rows, 3, want_max);
        return;
    case 4:
        arg_few(index, x, rows, 4, want_max);
        return;
    default:
        if (columns < PARTS) {
            arg_few(index, x, rows, columns, want_max);
            return;
        }
    }
    for (size_t i = 0; i < rows; i++, x += columns) {
        const double extreme = want_max ? max_all(x, x, columns) : min_all(x, x, columns);
        index[i] = extreme == extreme ? (double)find(x, columns, extreme) : 0.0;
    }
}

static void arg_columns(double *index, double *best, const double *x, size_t rows, size_t columns, int want_max)
{
    memcpy(best, x, columns * sizeof(double));
    for (size_t j = 0; j < columns; j++)
        index[j] = 0.0;
    for (size_t i = 1; i < rows; i++) {
        const double here = (double)i;

        x += columns;
        if (want_max) {
            INDEPENDENT
            for (size_t j = 0; j < columns; j++) {
                const int better = x[j] > best[j];
                index[j] = better ? here : index[j];
                best[j] = better ? x[j] : best[j];
            }
        } else {
            INDEPENDENT
            for (size_t j = 0; j < columns; j++) {
                const int better = x[j] < best[j];
                index[j] = better ? here : index[j];
                best[j] = better ? x[j] : best[j];
            }
        }
    }
}

#define ALL(name, term, join) name##_all,
#define ROWS(name, term, join) name##_rows,
#define COLUMNS(name, term, join) name##_columns,
const boc__fold_t NAME(boc__fold) = {
    .all = {BOC_FOLDS(ALL)},
    .rows = {BOC_FOLDS(ROWS)},
    .columns = {BOC_FOLDS(COLUMNS)},
    .unlike = unlike,
    .arg_rows = arg_rows,
    .arg_columns = arg_columns,
};
