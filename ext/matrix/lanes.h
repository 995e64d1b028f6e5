/* lanes.h: one register of doubles of the instruction set that a kernels_*.c is compiled for. */
#ifndef BOC_MATRIX_LANES_H
#define BOC_MATRIX_LANES_H

#include <string.h>

typedef double lanes __attribute__((vector_size(BOC_LANES * 8)));
typedef long long bits __attribute__((vector_size(BOC_LANES * 8)));

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

#endif
