/* Memory for behaviors and cowns: free lists per thread, by size, and shelves of full batches between threads.
 *
 * A producer allocates what workers free, so objects wander. A thread hands out from its own list and puts
 * back there; when that holds BATCH objects more than it needs, a batch goes to the depot of its size, and a
 * thread that runs dry takes from there before it asks malloc. No lock, no allocation per object.
 *
 * Invariants
 *  P1 a depot slot is a stack that is pushed by CAS and emptied as a whole by exchange: there is no pop, so
 *     no ABA;
 *  P2 a thread keeps at most 2 batches that it does not use, and what one exchange gave it;
 *  P3 chunks are never given back: they are as much as was ever in use at once, and a little.
 *
 * Sanitizers and the systematic build see each object: there it comes from malloc.
 */
#include "pool.h"

#include <stdlib.h>

#define STEP BOC__STEP
#define BATCH BOC__BATCH
#define CHUNK 65536u
#define SLOTS 8u

static struct {
    _Alignas(64) _Atomic(boc__free_t *) slot[SLOTS];
} depot[BOC__CLASSES];

static _Atomic int64_t balance;

static void depot_put(boc__pool_t *o, uint32_t k, boc__free_t *first, boc__free_t *last) {
    _Atomic(boc__free_t *) *slot = &depot[k].slot[o->index % SLOTS];
    boc__free_t *head = boc__load_rlx(slot);
    do {
        last->batch = head;
    } while (!boc__cas(slot, &head, first));
}

static boc__free_t *depot_get(boc__pool_t *o, uint32_t k) {
    for (uint32_t i = 0; i < SLOTS; i++) { /* one's own surplus first: it is still in this core's cache */
        _Atomic(boc__free_t *) *slot = &depot[k].slot[(o->index + i) % SLOTS];
        if (boc__load_rlx(slot) != NULL) {
            boc__free_t *b = boc__swap(slot, NULL);
            if (b != NULL) {
                return b;
            }
        }
    }
    return NULL;
}

static boc__free_t *chunk_new(uint32_t k) {
    size_t size = (size_t)(k + 1) * STEP, n = CHUNK / size < BATCH ? CHUNK / size : BATCH;
    char *p = aligned_alloc(64, (n * size + 63) / 64 * 64);
    if (p == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        ((boc__free_t *)(p + i * size))->next = i + 1 < n ? (boc__free_t *)(p + (i + 1) * size) : NULL;
    }
    ((boc__free_t *)p)->batch = NULL;
    return (boc__free_t *)p;
}

static bool refill(boc__pool_t *o, uint32_t k) {
    boc__shelf_t *s = &o->shelf[k];
    if (s->spare == NULL) {
        s->spare = depot_get(o, k);
        s->nspare = 0;
        for (boc__free_t *b = s->spare; b != NULL; b = b->batch) {
            s->nspare++;
        }
    }
    if (s->spare == NULL) {
        s->spare = chunk_new(k);
        s->nspare = s->spare != NULL;
    }
    if (s->spare == NULL) {
        return false;
    }
    s->list = s->spare;
    s->spare = s->spare->batch;
    s->nspare--;
    s->n = BATCH;
    return true;
}

void *boc__alloc_slow(boc__pool_t *o, size_t size) {
    uint32_t k = boc__class_of(size);
    if (BOC__EACH_FROM_MALLOC || k >= BOC__CLASSES) {
        if (BOC__EACH_FROM_MALLOC) {
            boc__add_rlx(&balance, 1);
        }
#ifdef BOC_SYSTEMATIC
        return boc__sys_alloc((size + STEP - 1) / STEP * STEP);
#else
        return malloc(size);
#endif
    }
    boc__shelf_t *s = &o->shelf[k];
    if (boc__unlikely(s->list == NULL) && !refill(o, k)) {
        return NULL;
    }
    boc__free_t *p = s->list;
    s->list = p->next;
    s->n--;
    return p;
}

/* The list has BATCH objects and another comes: it becomes a spare batch; the oldest spares go on. */
static void overflow(boc__pool_t *o, uint32_t k) {
    boc__shelf_t *s = &o->shelf[k];
    if (s->nspare >= 2) {
        boc__free_t *last = s->spare;
        while (last->batch != NULL) {
            last = last->batch;
        }
        depot_put(o, k, s->spare, last);
        s->spare = NULL;
        s->nspare = 0;
    }
    s->list->batch = s->spare;
    s->spare = s->list;
    s->nspare++;
    s->list = NULL;
    s->n = 0;
}

void boc__free_slow(boc__pool_t *o, void *p, size_t size) {
    uint32_t k = boc__class_of(size);
    if (BOC__EACH_FROM_MALLOC || k >= BOC__CLASSES) {
        if (BOC__EACH_FROM_MALLOC) {
            boc__add_rlx(&balance, -1);
        }
#ifdef BOC_SYSTEMATIC
        boc__sys_freed(p, size); /* fills it and keeps it */
#else
        free(p);
#endif
        return;
    }
    boc__shelf_t *s = &o->shelf[k];
    if (boc__unlikely(s->n >= BATCH)) {
        overflow(o, k);
    }
    boc__free_t *f = p;
    f->next = s->list;
    s->list = f;
    s->n++;
}

void boc__pool_return(boc__pool_t *o) {
    for (uint32_t k = 0; k < BOC__CLASSES; k++) {
        boc__shelf_t *s = &o->shelf[k];
        if (s->list != NULL) {
            overflow(o, k);
        }
        if (s->spare != NULL) {
            boc__free_t *last = s->spare;
            while (last->batch != NULL) {
                last = last->batch;
            }
            depot_put(o, k, s->spare, last);
            s->spare = NULL;
            s->nspare = 0;
        }
    }
}

int64_t boc__alloc_balance(void) {
    return boc__load_rlx(&balance);
}
