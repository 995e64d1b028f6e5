/* kernels_circle.c: sin and cos, several elements at a time.
 *
 * An element is brought to r in [-pi/4, pi/4] by taking off the nearest
 * multiple k of pi/2, whose value is kept in three parts so that k times the
 * first two is exact (Cody and Waite); what r cannot hold goes on in a second
 * number. Polynomials in r * r, fitted at Chebyshev nodes, give the sine and
 * the cosine of r, and k says which one and its sign. The error is below one
 * unit in the last place. Elements beyond LIMIT, infinities and NaN go to
 * libm's functions one by one. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#define NAME(x) BOC_PASTE(x##_, BOC_ISA)

enum { LANES = BOC_LANES };
typedef double lanes __attribute__((vector_size(BOC_LANES * 8)));
typedef long long bits __attribute__((vector_size(BOC_LANES * 8)));

#define LIMIT 1e6
/* Adding it to a number below 2^51 rounds to a whole one, whose low bits are then in the low bits. */
#define TO_WHOLE 0x1.8p52

static inline __attribute__((always_inline)) lanes load(const double *x)
{
    lanes v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline __attribute__((always_inline)) lanes pick(bits when, lanes a, lanes b)
{
    return (lanes)(((bits)a & when) | ((bits)b & ~when));
}

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
