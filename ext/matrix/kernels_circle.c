/* kernels_circle.c: sin, cos and atan2, several elements at a time.
 *
 * An element is brought to r in [-pi/4, pi/4] by taking off the nearest
 * multiple k of pi/2, whose value is kept in three parts so that k times the
 * first two is exact (Cody and Waite); what r cannot hold goes on in a second
 * number. Polynomials in r * r, fitted at Chebyshev nodes, give the sine and
 * the cosine of r, and k says which one and its sign. The error is below one
 * unit in the last place. Elements beyond LIMIT, infinities and NaN go to
 * libm's functions one by one.
 *
 * atan2 divides the lesser of |x| and |y| by the greater, or, if the quotient
 * would be above tan(pi/8), their difference by their sum, which turns by
 * pi/4; then a polynomial. Its error is below two units. Zeros, infinities,
 * NaN and the very large and small go to libm. */
#include "kernels.h"
#include "lanes.h"

#include <math.h>
#include <string.h>

#define NAME(x) BOC_PASTE(x##_, BOC_ISA)

enum { LANES = BOC_LANES };

#define LIMIT 1e6
/* Adding it to a number below 2^51 rounds to a whole one, whose low bits are then in the low bits. */
#define TO_WHOLE 0x1.8p52

static inline __attribute__((always_inline)) int within_limit(lanes x)
{
    const bits fine = (x <= LIMIT) & (x >= -LIMIT);
    long long all = -1;

    for (int l = 0; l < LANES; l++)
        all &= fine[l];
    return all != 0;
}

/* turn: 0 for the sine, 1 for the cosine, a quarter of a circle further. */
static inline __attribute__((always_inline)) lanes circle(lanes x, long long turn)
{
    const lanes shifted = x * 0x1.45f306dc9c883p-1 + TO_WHOLE;
    const lanes k = shifted - TO_WHOLE;
    const bits quarter = (bits)shifted + turn;

    const lanes near = x - k * 0x1.921fb544p+0;
    const lanes second = k * 0x1.0b4611a6p-34;
    const lanes high = near - second;
    const lanes low = ((near - high) - second) - k * 0x1.3198a2e037073p-69;
    const lanes r = high + low, rest = (high - r) + low;

    const lanes z = r * r, r3 = r * z;
    const lanes s = -0x1.5555555555555p-3 +
                    z * (0x1.1111111110b23p-7 +
                         z * (-0x1.a01a019e623afp-13 +
                              z * (0x1.71de376b9c575p-19 + z * (-0x1.ae5fdeb852566p-26 + z * 0x1.5dfb4dfaf15abp-33))));
    const lanes c = 0x1.5555555555555p-5 +
                    z * (-0x1.6c16c16c1691fp-10 +
                         z * (0x1.a01a019f3df42p-16 +
                              z * (-0x1.27e4fa025e03dp-22 + z * (0x1.1eeb52bea9072p-29 + z * -0x1.906dd38cb66a1p-37))));
    const lanes half = 0.5 * z, one = 1.0 - half;
    const lanes sine = r + (r3 * s + rest * one);
    const lanes cosine = one + (((1.0 - one) - half) + (z * z * c - r * rest));

    const lanes chosen = pick((quarter & 1) != 0, cosine, sine);
    return (lanes)((bits)chosen ^ ((quarter & 2) << 62));
}

/* sin(-0.0) is -0.0, which the sum above would lose. */
static inline __attribute__((always_inline)) lanes sines(lanes x)
{
    return pick(x == 0.0, x, circle(x, 0));
}

static inline __attribute__((always_inline)) lanes cosines(lanes x)
{
    return circle(x, 1);
}

#define FUNCTION(name, vector, single)                                                                        \
    void NAME(boc__##name)(double *out, const double *a, size_t n)                                            \
    {                                                                                                          \
        for (size_t i = 0; i < n; i += LANES) {                                                                \
            const size_t count = n - i < LANES ? n - i : LANES;                                                \
            double some[LANES] = {0.0};                                                                        \
            lanes x;                                                                                           \
            if (count < LANES) {                                                                               \
                memcpy(some, a + i, count * sizeof(double));                                                   \
                x = load(some);                                                                                \
            } else {                                                                                           \
                x = load(a + i);                                                                               \
            }                                                                                                  \
            lanes y = vector(x);                                                                               \
            if (!within_limit(x))                                                                              \
                for (int l = 0; l < LANES; l++)                                                                \
                    y[l] = x[l] <= LIMIT && x[l] >= -LIMIT ? y[l] : single(x[l]);                              \
            if (count == LANES)                                                                                \
                memcpy(out + i, &y, sizeof y);                                                                 \
            else                                                                                               \
                memcpy(out + i, &y, count * sizeof(double));                                                   \
        }                                                                                                      \
    }
FUNCTION(sin, sines, sin)
FUNCTION(cos, cosines, cos)

static inline __attribute__((always_inline)) lanes magnitude(lanes x)
{
    return (lanes)((bits)x & 0x7fffffffffffffffll);
}

/* The angle of (x, y), both neither zero nor out of the usual range. */
static inline __attribute__((always_inline)) lanes angles(lanes y, lanes x)
{
    const lanes ax = magnitude(x), ay = magnitude(y), zero = {0.0};
    const bits steep = ay > ax, left = x < zero;
    const lanes more = pick(steep, ay, ax), less = pick(steep, ax, ay);
    const bits wide = less > 0x1.a827999fcef32p-2 * more;
    const lanes u = pick(wide, less - more, less) / pick(wide, less + more, more);

    const lanes z = u * u;
    const lanes p = -0x1.5555555555555p-2 +
                    z * (0x1.9999999999996p-3 +
                         z * (-0x1.2492492492044p-3 +
                              z * (0x1.c71c71c6d7d32p-4 +
                                   z * (-0x1.745d17340508fp-4 +
                                        z * (0x1.3b13ae79dd4b6p-4 +
                                             z * (-0x1.1110cac366114p-4 +
                                                  z * (0x1.e1d871aade730p-5 +
                                                       z * (-0x1.aeb899bbf46b9p-5 +
                                                            z * (0x1.82802568705b8p-5 +
                                                                 z * (-0x1.4fc8b12b0988ap-5 +
                                                                      z * (0x1.f3da80d7128fep-6 +
                                                                           z * -0x1.c3e13a22cdd52p-7)))))))))));
    const lanes v = u + u * (z * p);

    /* eighths of a circle to start from: b, 2 - b, 4 - b or 2 + b, and whether v turns back */
    const bits back = steep ^ left;
    const lanes b = pick(wide, zero + 1.0, zero);
    const lanes whole = pick(left, pick(steep, zero + 2.0, zero + 4.0), pick(steep, zero + 2.0, zero));
    const lanes k = whole + pick(back, -b, b);
    const lanes from = pick(k == 3.0, zero + 0x1.2d97c7f3321d2p+1, k * 0x1.921fb54442d18p-1);
    const lanes rest = pick(k == 3.0, zero + 0x1.a79394c9e8a0ap-54, k * 0x1.1a62633145c07p-55);
    const lanes angle = from + (pick(back, -v, v) + rest);
    return (lanes)((bits)angle | ((bits)y & (-0x7fffffffffffffffll - 1)));
}

static int is_usual(double v)
{
    return fabs(v) >= 1e-150 && fabs(v) <= 1e150;
}

/* Then the quotient and the sum are far from the ends of the range, too. */
static inline __attribute__((always_inline)) int all_usual(lanes y, lanes x)
{
    const lanes ax = magnitude(x), ay = magnitude(y);
    const bits fine = (ax >= 1e-150) & (ax <= 1e150) & (ay >= 1e-150) & (ay <= 1e150);
    long long all = -1;

    for (int l = 0; l < LANES; l++)
        all &= fine[l];
    return all != 0;
}

/* A register's worth; the unusual ones one by one. */
static inline __attribute__((always_inline)) lanes angles_or_libm(const double *y, const double *x)
{
    const lanes p = load(y), q = load(x);
    lanes angle = angles(p, q);

    if (!all_usual(p, q))
        for (int l = 0; l < LANES; l++)
            if (!is_usual(q[l]) || !is_usual(p[l]))
                angle[l] = atan2(p[l], q[l]);
    return angle;
}

void NAME(boc__atan2)(double *out, const double *y, const double *x, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        const lanes angle = angles_or_libm(y + i, x + i);
        memcpy(out + i, &angle, sizeof angle);
    }
    if (i < n) {
        double some_x[LANES], some_y[LANES];
        lanes angle;

        for (size_t l = 0; l < LANES; l++) {
            some_x[l] = i + l < n ? x[i + l] : 1.0;
            some_y[l] = i + l < n ? y[i + l] : 1.0;
        }
        angle = angles_or_libm(some_y, some_x);
        memcpy(out + i, &angle, (n - i) * sizeof(double));
    }
}
