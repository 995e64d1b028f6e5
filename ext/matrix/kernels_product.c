/* kernels_product.c: the matrix product, in tiles that stay in registers.
 *
 * Every element of the result is folded along k from first to last. The build
 * compiles this file twice: in the rounded variant each product and each sum
 * is rounded, as in the same loop in Python; in the fused one each step is one
 * fused multiplication and addition (where the processor has none, as in the
 * plain x86-64 variant, two roundings). Blocking does not change the order: a
 * later block of k goes on from the stored element.
 *
 * Small operands are read where they lie. Larger ones are first packed: b in
 * panels of one tile's width, a in strips of one tile's height, both in the
 * order in which the tile reads them, blocks sized for the caches. */
#include "kernels.h"

#include <string.h>

#define NAME BOC_PASTE(BOC_PASTE(boc__product_, BOC_ROUNDING), BOC_PASTE(_, BOC_ISA))

/* A tile is HEIGHT rows of WIDTH registers: accumulators, a row of b and one
 * element of a fit into the register file. */
#if BOC_LANES == 8
enum { HEIGHT = 8, WIDTH = 3 };
#elif BOC_LANES == 4
enum { HEIGHT = 4, WIDTH = 3 };
#elif defined(__aarch64__)
enum { HEIGHT = 6, WIDTH = 4 };
#else
enum { HEIGHT = 4, WIDTH = 2 };
#endif

enum {
    LANES = BOC_LANES,
    TILE = WIDTH * LANES,       /* columns of a tile */
    DEPTH = 256,                /* k of a block */
    STRIP = HEIGHT * 16,        /* rows of a block */
    PANEL = TILE * 64,          /* columns of a block */
    DIRECT = 128 * 128,         /* elements of b up to which it is read where it lies */
};

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 32")
#endif

typedef double lanes __attribute__((vector_size(BOC_LANES * 8)));

static inline __attribute__((always_inline)) lanes load(const double *x)
{
    lanes v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* Where a tile reads and writes: element (r, p) of a is a[r * a_row + p * a_step]. */
typedef struct {
    double *c;
    size_t c_row;
    const double *a;
    size_t a_row, a_step;
    const double *b;
    size_t b_step;
    size_t k;
    int onwards; /* go on from what c holds */
} place_t;

static inline __attribute__((always_inline)) void tile(const place_t *at, const int height, const int width)
{
    lanes sum[HEIGHT][WIDTH];
    const double *a = at->a, *b = at->b;
    const size_t a_row = at->a_row, a_step = at->a_step, b_step = at->b_step;

    UNROLLED
    for (int r = 0; r < height; r++) {
        UNROLLED
        for (int w = 0; w < width; w++)
            sum[r][w] = at->onwards ? load(at->c + (size_t)r * at->c_row + (size_t)w * LANES) : (lanes){0.0};
    }
    for (size_t p = at->k; p > 0; p--, a += a_step, b += b_step) {
        lanes row[WIDTH];

        UNROLLED
        for (int w = 0; w < width; w++)
            row[w] = load(b + (size_t)w * LANES);
        UNROLLED
        for (int r = 0; r < height; r++) {
            const double x = a[(size_t)r * a_row];

            UNROLLED
            for (int w = 0; w < width; w++)
                sum[r][w] += x * row[w];
        }
    }
    UNROLLED
    for (int r = 0; r < height; r++) {
        UNROLLED
        for (int w = 0; w < width; w++)
            memcpy(at->c + (size_t)r * at->c_row + (size_t)w * LANES, &sum[r][w], sizeof(lanes));
    }
}

typedef void (*tile_fn)(const place_t *at);
#define TILE_FN(height, width)                                                                                \
    static void tile_##height##_##width(const place_t *at) { tile(at, height, width); }
#define TILE_ROW_FNS(height) TILE_FN(height, 1) TILE_FN(height, 2) TILE_WIDE_FNS(height)
#define TILE_ROW(height) {tile_##height##_1, tile_##height##_2 TILE_WIDE(height)},
#if BOC_LANES == 2 && !defined(__aarch64__)
#define TILE_WIDE_FNS(height)
#define TILE_WIDE(height)
#elif BOC_LANES == 2
#define TILE_WIDE_FNS(height) TILE_FN(height, 3) TILE_FN(height, 4)
#define TILE_WIDE(height) , tile_##height##_3, tile_##height##_4
#else
#define TILE_WIDE_FNS(height) TILE_FN(height, 3)
#define TILE_WIDE(height) , tile_##height##_3
#endif
#if BOC_LANES == 8
#define HEIGHTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#elif BOC_LANES == 2 && defined(__aarch64__)
#define HEIGHTS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define HEIGHTS(X) X(1) X(2) X(3) X(4)
#endif
HEIGHTS(TILE_ROW_FNS)
static const tile_fn tiles[HEIGHT][WIDTH] = {HEIGHTS(TILE_ROW)};

/* A tile whose last columns do not fill a register: computed beside and copied. b is padded. */
static void ragged_tile(const place_t *at, int height, size_t columns)
{
    double beside[HEIGHT * LANES];
    place_t there = *at;

    there.c = beside;
    there.c_row = LANES;
    if (at->onwards) {
        memset(beside, 0, sizeof beside);
        for (int r = 0; r < height; r++)
            memcpy(beside + (size_t)r * LANES, at->c + (size_t)r * at->c_row, columns * sizeof(double));
    }
    tiles[height - 1][0](&there);
    for (int r = 0; r < height; r++)
        memcpy(at->c + (size_t)r * at->c_row, beside + (size_t)r * LANES, columns * sizeof(double));
}

/* One panel of at most TILE columns against rows [0, m) of a. */
static void panel(place_t at, size_t m, size_t columns, size_t a_height)
{
    const size_t full = columns / LANES, rest = columns % LANES;
    double *const c = at.c;

    for (size_t i = 0; i < m; i += HEIGHT) {
        const int height = m - i < HEIGHT ? (int)(m - i) : HEIGHT;
        const double *b = at.b;

        at.c = c + i * at.c_row;
        if (full)
            tiles[height - 1][full - 1](&at);
        if (rest) {
            place_t last = at;
            last.c += full * LANES;
            last.b = b + full * LANES;
            ragged_tile(&last, height, rest);
        }
        at.a += a_height;
    }
}

/* Columns of b, `width` of them, in rows of `padded`, zeros behind. */
static void pack_columns(double *to, const double *b, size_t n, size_t k, size_t width, size_t padded)
{
    for (size_t p = 0; p < k; p++, to += padded, b += n) {
        memcpy(to, b, width * sizeof(double));
        for (size_t j = width; j < padded; j++)
            to[j] = 0.0;
    }
}

static void pack_rows(double *to, const double *a, size_t a_row, size_t k, size_t height)
{
    for (size_t p = 0; p < k; p++, to += HEIGHT)
        for (size_t r = 0; r < height; r++)
            to[r] = a[r * a_row + p];
}

static size_t padded_width(size_t width)
{
    return (width + LANES - 1) / LANES * LANES;
}

static void direct(double *out, const double *a, const double *b, size_t m, size_t k, size_t n, double *scratch)
{
    const size_t even = n - n % LANES;
    place_t at = {.c_row = n, .a = a, .a_row = k, .a_step = 1, .k = k};

    for (size_t j = 0; j < even; j += TILE) {
        at.c = out + j;
        at.b = b + j;
        at.b_step = n;
        panel(at, m, even - j < TILE ? even - j : TILE, HEIGHT * k);
    }
    if (even < n) {
        pack_columns(scratch, b + even, n, k, n - even, LANES);
        at.c = out + even;
        at.b = scratch;
        at.b_step = LANES;
        panel(at, m, n - even, HEIGHT * k);
    }
}

static void blocked(double *out, const double *a, const double *b, size_t m, size_t k, size_t n, double *scratch)
{
    double *const packed_a = scratch, *const packed_b = scratch + (size_t)STRIP * DEPTH;

    for (size_t j = 0; j < n; j += PANEL) {
        const size_t columns = n - j < PANEL ? n - j : PANEL;

        for (size_t p = 0; p < k; p += DEPTH) {
            const size_t depth = k - p < DEPTH ? k - p : DEPTH;

            for (size_t q = 0; q < columns; q += TILE) {
                const size_t width = columns - q < TILE ? columns - q : TILE;
                pack_columns(packed_b + q * depth, b + p * n + j + q, n, depth, width, padded_width(width));
            }
            for (size_t i = 0; i < m; i += STRIP) {
                const size_t rows = m - i < STRIP ? m - i : STRIP;

                for (size_t r = 0; r < rows; r += HEIGHT)
                    pack_rows(packed_a + r * depth, a + (i + r) * k + p, k, depth,
                              rows - r < HEIGHT ? rows - r : HEIGHT);
                for (size_t q = 0; q < columns; q += TILE) {
                    const size_t width = columns - q < TILE ? columns - q : TILE;
                    const place_t at = {.c = out + i * n + j + q, .c_row = n,
                                        .a = packed_a, .a_row = 1, .a_step = HEIGHT,
                                        .b = packed_b + q * depth, .b_step = padded_width(width),
                                        .k = depth, .onwards = p > 0};
                    panel(at, rows, width, HEIGHT * depth);
                }
            }
        }
    }
}

static int is_direct(size_t m, size_t k, size_t n)
{
    return k * n <= DIRECT || m < 2 * (size_t)HEIGHT;
}

static size_t product_scratch(size_t m, size_t k, size_t n)
{
    const size_t depth = k < DEPTH ? k : DEPTH, columns = n < PANEL ? n : PANEL;

    if (is_direct(m, k, n))
        return n % LANES ? k * LANES : 0;
    return (size_t)STRIP * DEPTH + depth * (columns + LANES);
}

static void product(double *out, const double *a, const double *b, size_t m, size_t k, size_t n, double *scratch)
{
    if (is_direct(m, k, n))
        direct(out, a, b, m, k, n, scratch);
    else
        blocked(out, a, b, m, k, n, scratch);
}

const boc__product_t NAME = {.product = product, .product_scratch = product_scratch};
