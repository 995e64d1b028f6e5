/* Exact counters by name: holdings of cowns, which one thread may begin and another end. Sums: tally_read.c.
 *
 * Invariants
 *  Y1 one thread writes a tally. Who has none (no ring was left for it) begins no holding; ends go to one that
 *     such threads share, under a lock;
 *  Y2 ticks and open of a cown change together: version is odd meanwhile, and a reader takes both in one version.
 */
#include "tally.h"

#include "lock.h"
#include "platform.h"

#include <stdlib.h>

_Atomic uint32_t boc__tally_marks = 1;
boc__tally_t boc__tally_shared;
static boc__lock_t lock; /* of the shared one */

boc__tally_t *boc__tally_new(void) {
    return calloc(1, sizeof(boc__tally_t)); /* large: its pages come when they are touched */
}

static void holding(boc__tally_t *y, uint32_t name, uint64_t ticks, uint64_t open) {
    boc__tally_row_t *r = &y->cown[boc__tally_at(name)];
    uint64_t version = boc__load_rlx(&y->version);
    boc__store_rlx(&y->version, version + 1);
    boc__fence_rel(); /* odd before the words */
    boc__tally_add(&r->ticks, ticks);
    boc__tally_add(&r->open, open);
    boc__store_rel(&y->version, version + 2);
}

void boc__tally_held(boc__tally_t *y, uint32_t name, int64_t now) {
    holding(y, name, (uint64_t)-now, 1);
}

void boc__tally_freed(boc__tally_t *y, uint32_t name, int64_t now) {
    now = now != 0 ? now : boc__ticks(); /* recording has ended since it was timed */
    if (boc__likely(y != NULL)) {
        holding(y, name, (uint64_t)now, (uint64_t)-1);
        return;
    }
    boc__lock(&lock);
    holding(&boc__tally_shared, name, (uint64_t)now, (uint64_t)-1);
    boc__unlock(&lock);
}

void boc__tally_unlock(void) {
    boc__store_rlx(&lock.word, 0);
}
