/* random.c: normal and uniform numbers from one sequence for the process.
 *
 * A call takes the next place of the sequence, one step of splitmix64, and
 * draws its numbers from a xoshiro256++ (Blackman and Vigna) that begins
 * there, many uniform ones from several (kernels_draw.c). So no interpreter
 * waits for another one's drawing, and a seed makes the draws of a program
 * reproducible whose calls have an order. Without a seed there is nothing to
 * reproduce: then each thread has places of its own. */
#include "operand.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>

typedef struct {
    uint64_t s[4];
} generator_t;
static _Atomic uint64_t place; /* of the next call after a seed */
static _Thread_local uint64_t own_place; /* before any seed; 0: not yet */
static _Alignas(64) atomic_bool seeded;  /* not on the line of place, which all threads write */
static pthread_once_t begun = PTHREAD_ONCE_INIT;

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

static inline uint64_t next(generator_t *g)
{
    uint64_t *const s = g->s;
    const uint64_t result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* In [0, 1), 53 bits. */
static inline double unit(generator_t *g)
{
    return (double)(next(g) >> 11) * 0x1p-53;
}

/* The generator that begins at a place of the sequence. */
static generator_t generator_at(uint64_t at)
{
    generator_t g;

    for (int i = 0; i < 4; i++)
        g.s[i] = boc__mixed(at += BOC_GOLDEN);
    return g;
}

/* As many numbers pay for beginning several generators at once. */
enum { SEVERAL_FROM = 64 };

static void draw_uniform(uint64_t at, double *to, size_t n, double low, double high)
{
    /* a range that overflows is mixed from both ends */
    const bool wide = isinf(high - low) && isfinite(low) && isfinite(high);
    const double from = wide ? 0.0 : low, width = wide ? 1.0 : high - low;

    if (n >= SEVERAL_FROM) {
        boc__kernels->map->uniform(to, n, at, from, wide ? 1.0 : high);
    } else {
        generator_t g = generator_at(at); /* stays in registers */
        for (size_t i = 0; i < n; i++)
            to[i] = from + width * unit(&g);
    }
    for (size_t i = 0; wide && i < n; i++)
        to[i] = low * (1.0 - to[i]) + high * to[i];
}

/* The ziggurat of Marsaglia and Tsang in the form of Doornik: LAYERS boxes of
 * equal area under exp(-x*x/2); most draws fall inside a box and are done. */
enum { LAYERS = 256 };
static const double tail_from = 3.6541528853610088, area = 0.00492867323399;
static double edge[LAYERS + 1], inside[LAYERS];

static void build_ziggurat(void)
{
    double density = exp(-0.5 * tail_from * tail_from);

    edge[0] = area / density;
    edge[1] = tail_from;
    for (int i = 2; i < LAYERS; i++) {
        edge[i] = sqrt(-2.0 * log(area / edge[i - 1] + density));
        density = exp(-0.5 * edge[i] * edge[i]);
    }
    edge[LAYERS] = 0.0;
    for (int i = 0; i < LAYERS; i++)
        inside[i] = edge[i + 1] / edge[i];
}

static double beyond_tail(generator_t *g, bool negative)
{
    double x, y;

    do {
        x = log(1.0 - unit(g)) / tail_from; /* of (0, 1]: finite */
        y = log(1.0 - unit(g));
    } while (-2.0 * y < x * x);
    return negative ? x - tail_from : tail_from - x;
}

static inline double standard_normal(generator_t *g)
{
    for (;;) {
        const uint64_t random = next(g);
        const int layer = (int)(random & (LAYERS - 1));
        const double u = (double)((int64_t)random >> 11) * 0x1p-52; /* [-1, 1), of other bits than the layer's */

        if (fabs(u) < inside[layer])
            return u * edge[layer];
        if (layer == 0)
            return beyond_tail(g, u < 0.0);
        const double x = u * edge[layer];
        const double low = exp(-0.5 * (edge[layer] * edge[layer] - x * x));
        const double high = exp(-0.5 * (edge[layer + 1] * edge[layer + 1] - x * x));
        if (high + unit(g) * (low - high) < 1.0)
            return x;
    }
}

static void draw_normal(uint64_t at, double *to, size_t n, double mean, double stddev)
{
    generator_t g = generator_at(at);

    for (size_t i = 0; i < n; i++)
        to[i] = mean + stddev * standard_normal(&g);
}

static void begin(void)
{
    uint64_t chance = (uint64_t)(uintptr_t)&chance;

    if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
        chance ^= (uint64_t)(uintptr_t)getrandom;
    atomic_store_explicit(&place, chance, memory_order_relaxed);
    build_ziggurat();
}

static uint64_t next_place(void)
{
    if (atomic_load_explicit(&seeded, memory_order_acquire))
        return boc__mixed(atomic_fetch_add_explicit(&place, BOC_GOLDEN, memory_order_relaxed) + BOC_GOLDEN);
    if (own_place == 0) {
        (void)pthread_once(&begun, begin);
        own_place = boc__mixed(atomic_fetch_add_explicit(&place, BOC_GOLDEN, memory_order_relaxed) + BOC_GOLDEN);
    }
    return boc__mixed(own_place += BOC_GOLDEN);
}

typedef void (*draw_fn)(uint64_t at, double *to, size_t n, double a, double b);

static PyObject *drawn(PyObject *type, PyObject *const *got, draw_fn fn, double a, double b, const char *what_a,
                       const char *what_b)
{
    boc__state_t *state = PyType_GetModuleState((PyTypeObject *)type);
    Py_ssize_t rows, columns;
    boc__matrix_t *m;

    if ((got[0] != NULL && got[0] != Py_None && boc__need_number(got[0], what_a, &a) < 0) ||
        (got[1] != NULL && got[1] != Py_None && boc__need_number(got[1], what_b, &b) < 0))
        return NULL;
    if (got[2] == NULL || got[2] == Py_None) {
        double value;
        fn(next_place(), &value, 1, a, b);
        return PyFloat_FromDouble(value);
    }
    if (boc__shape_arg(state, got[2], &rows, &columns) < 0 || (m = boc__new(state, rows, columns)) == NULL)
        return NULL;
    const uint64_t at = next_place();
    BOC_WITHOUT_GIL(boc__size(m) * 8, NULL, NULL, fn(at, m->data, boc__size(m), a, b));
    return (PyObject *)m;
}

BOC_FUNCTION(normal)
{
    static const boc__signature_t signature = {"normal", 0, 3, 0, {"mean", "stddev", "size"}};
    PyObject *got[3];

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0)
        return NULL;
    return drawn(self, got, draw_normal, 0.0, 1.0, "normal: mean", "normal: stddev");
}

BOC_FUNCTION(uniform)
{
    static const boc__signature_t signature = {"uniform", 0, 3, 0, {"min", "max", "size", "minval", "maxval"}};
    PyObject *got[5];

    if (boc__parse(&signature, args, nargs, kwnames, got) < 0)
        return NULL;
    /* minval and maxval are older names of the first two */
    for (int i = 0; i < 2; i++) {
        if (got[i] != NULL && got[3 + i] != NULL) {
            PyErr_Format(PyExc_TypeError, "uniform() got both %s and %s", signature.names[i], signature.names[3 + i]);
            return NULL;
        }
        if (got[i] == NULL)
            got[i] = got[3 + i];
    }
    return drawn(self, got, draw_uniform, 0.0, 1.0, "uniform: min", "uniform: max");
}

BOC_FUNCTION(seed)
{
    static const boc__signature_t signature = {"seed", 0, 1, 1, {"value"}};
    PyObject *got[1];
    uint64_t value;

    (void)self;
    if (boc__parse(&signature, args, nargs, kwnames, got) < 0)
        return NULL;
    if (!PyLong_Check(got[0])) {
        PyErr_Format(PyExc_TypeError, "seed: value must be an int, not %.80s", Py_TYPE(got[0])->tp_name);
        return NULL;
    }
    value = PyLong_AsUnsignedLongLongMask(got[0]);
    if (value == (uint64_t)-1 && PyErr_Occurred())
        return NULL;
    (void)pthread_once(&begun, begin);
    atomic_store_explicit(&place, value, memory_order_relaxed);
    atomic_store_explicit(&seeded, true, memory_order_release);
    Py_RETURN_NONE;
}
