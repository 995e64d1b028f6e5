/* kernels_draw.c: uniform numbers from several generators side by side.
 *
 * STREAMS generators xoshiro256++ (Blackman and Vigna), each begun at words of
 * its own of the sequence splitmix64, lie in the lanes of registers; number i
 * is of generator i mod STREAMS. STREAMS does not follow the width of a
 * register, so every instruction set gives the same numbers. */
#include "kernels.h"
#include "lanes.h"

#include <string.h>

#define NAME(x) BOC_PASTE(x##_, BOC_ISA)
#define ALWAYS static inline __attribute__((always_inline))

enum { STREAMS = 8, REGISTERS = STREAMS / BOC_LANES, WORDS = 4 };

typedef uint64_t words __attribute__((vector_size(BOC_LANES * 8)));
typedef words stream_t[WORDS][REGISTERS];

static void begin(stream_t s, uint64_t place)
{
    uint64_t start[WORDS][STREAMS];

    for (int w = 0; w < WORDS; w++)
        for (int k = 0; k < STREAMS; k++)
            start[w][k] = boc__mixed(place + (uint64_t)(w * STREAMS + k + 1) * BOC_GOLDEN);
    memcpy(s, start, sizeof start);
}

ALWAYS words rotate(words x, int by)
{
    return (x << by) | (x >> (64 - by));
}

ALWAYS words next(stream_t s, int r)
{
    const words result = rotate(s[0][r] + s[3][r], 23) + s[0][r], t = s[1][r] << 17;

    s[2][r] ^= s[0][r];
    s[3][r] ^= s[1][r];
    s[1][r] ^= s[2][r];
    s[0][r] ^= s[3][r];
    s[2][r] ^= t;
    s[3][r] = rotate(s[3][r], 45);
    return result;
}

/* The upper 53 bits as a number in [0, 1), exactly. */
ALWAYS lanes unit(words x)
{
#if BOC_LANES == 8
    return __builtin_convertvector(x >> 11, lanes) * 0x1p-53;
#else
    /* Without an instruction for it: 32 bits as the fraction of 2^52 and 21 as that of 2^84. */
    const words low = ((x >> 11) & 0xffffffffu) | 0x4330000000000000u, high = (x >> 43) | 0x4530000000000000u;

    return (((lanes)high - 0x1.00000001p84) + (lanes)low) * 0x1p-53;
#endif
}

void NAME(boc__uniform)(double *out, size_t n, uint64_t place, double low, double high)
{
    const double width = high - low;
    stream_t s;

    begin(s, place);
    for (size_t i = 0; i < n; i += STREAMS) {
        lanes got[REGISTERS];

        for (int r = 0; r < REGISTERS; r++)
            got[r] = low + width * unit(next(s, r));
        if (n - i >= STREAMS)
            memcpy(out + i, got, sizeof got);
        else
            memcpy(out + i, got, (n - i) * sizeof(double));
    }
}
