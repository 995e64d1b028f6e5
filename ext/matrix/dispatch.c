/* dispatch.c: picks the widest kernels that the processor can run. */
#include "kernels.h"

#include <string.h>

#define TABLE(name, test) {#name, &boc__map_##name, &boc__fold_##name, &boc__product_rounded_##name, &boc__product_fused_##name},
static const boc__kernels_t tables[] = {BOC_ISAS(TABLE)};

#define COUNT (sizeof tables / sizeof tables[0])

const boc__kernels_t *boc__kernels = &tables[0];

static int runs(size_t i)
{
    size_t at = 0;
#define TEST(name, test)                                                                                      \
    if (at++ == i)                                                                                             \
        return (test) ? 1 : 0;
    BOC_ISAS(TEST)
    return 0;
}

/* Every thread computes the same answer, so the plain store cannot tear into
 * anything but one of two good pointers. */
void boc__kernels_choose(void)
{
    for (size_t i = COUNT; i-- > 0;) {
        if (runs(i)) {
            __atomic_store_n(&boc__kernels, &tables[i], __ATOMIC_RELAXED);
            return;
        }
    }
}

const boc__kernels_t *boc__kernels_named(const char *isa)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(tables[i].isa, isa) == 0)
            return runs(i) ? &tables[i] : NULL;
    return NULL;
}
