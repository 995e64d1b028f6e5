/* Memory for behaviors and cowns: free lists per thread, by size, and shelves of batches between threads.
 *
 * A producer allocates what workers free, so objects wander; but they go home. Each chunk from malloc has a home, that
 * of the thread that asked for it. What a thread frees of its own it puts on its list; what is at home elsewhere it
 * collects, and sends a batch at a time to the depot there. So the objects in a cache line have one user in the long
 * run: two workers whose objects lie between each other's take that line from each other at each write (false
 * sharing; objects are smaller than two lines). No lock, no allocation per object.
 *
 * Invariants
 *  P1 a depot slot is a stack that is pushed by CAS and emptied as a whole by exchange: there is no pop, so
 *     no ABA;
 *  P2 a thread keeps at most 2 batches that it does not use, one of foreign objects, and what one exchange gave it;
 *  P3 chunks are never given back: they are as much as was ever in use at once, and a little;
 *  P4 where an object is at home says who gets it back, not who may use it: a thread that has none of its own takes
 *     those of others before it asks malloc.
 *
 * Sanitizers and the systematic build see each object: there it comes from malloc.
 */
#include "pool.h"

#include "core.h"

#include <stdlib.h>

#define STEP BOC__STEP
#define BATCH BOC__BATCH
#define HEAD 64u /* of a chunk: its home, alone in its line */
#define ROOM 16u /* chunks asked for at a time: each block that malloc aligns costs it a page */

static struct {
    _Alignas(64) _Atomic(boc__free_t *) slot[BOC__HOMES];
} depot[BOC__CLASSES];

static _Atomic int64_t balance;

/* Workers have the first half of the homes, other threads the second. */
uint32_t boc__home_of(uint32_t thread) {
    return thread % (BOC__HOMES / 2) + (thread < BOC_MAX_WORKERS ? 0 : BOC__HOMES / 2);
}

static void depot_put(uint32_t home, uint32_t k, boc__free_t *first, boc__free_t *last) {
    _Atomic(boc__free_t *) *slot = &depot[k].slot[home];
    boc__free_t *head = boc__load_rlx(slot);
    do {
        last->batch = head;
    } while (!boc__cas(slot, &head, first));
}

static boc__free_t *depot_get(uint32_t home, uint32_t k) {
    _Atomic(boc__free_t *) *slot = &depot[k].slot[home];
    return boc__load_rlx(slot) != NULL ? boc__swap(slot, NULL) : NULL;
}

/* What lies at the others' homes. */
static boc__free_t *borrow(uint32_t k) {
    boc__free_t *b = NULL;
    for (uint32_t i = 0; i < BOC__HOMES && b == NULL; i++) {
        b = depot_get(i, k);
    }
    return b;
}

static char *chunk(boc__pool_t *o) {
    if (o->nroom == 0) {
        o->room = aligned_alloc(BOC__CHUNK, (size_t)ROOM * BOC__CHUNK);
        if (o->room == NULL) {
            return NULL;
        }
        o->nroom = ROOM;
    }
    char *p = o->room;
    o->room += BOC__CHUNK;
    o->nroom--;
    ((boc__chunk_t *)p)->home = o->home;
    return p;
}

/* A batch nobody had yet. */
static boc__free_t *fresh(boc__pool_t *o, uint32_t k, bool ask) {
    boc__shelf_t *s = &o->shelf[k];
    size_t size = (size_t)(k + 1) * STEP;
    size_t left = s->fresh == NULL ? 0 : (BOC__CHUNK - (uintptr_t)s->fresh % BOC__CHUNK) % BOC__CHUNK;
    if (left < size) {
        char *p = ask ? chunk(o) : NULL;
        if (p == NULL) {
            return NULL;
        }
        s->fresh = p + HEAD;
        left = BOC__CHUNK - HEAD;
    }
    size_t n = left / size < BATCH ? left / size : BATCH;
    char *p = s->fresh;
    for (size_t i = 0; i < n; i++) {
        ((boc__free_t *)(p + i * size))->next = i + 1 < n ? (boc__free_t *)(p + (i + 1) * size) : NULL;
    }
    ((boc__free_t *)p)->batch = NULL;
    s->fresh = p + n * size;
    return (boc__free_t *)p;
}

static bool refill(boc__pool_t *o, uint32_t k) {
    boc__shelf_t *s = &o->shelf[k];
    if (s->spare == NULL) {
        boc__free_t *b = depot_get(o->home, k);
        b = b != NULL ? b : fresh(o, k, false);
        b = b != NULL ? b : borrow(k);
        s->spare = b != NULL ? b : fresh(o, k, true);
        s->nspare = 0;
        for (b = s->spare; b != NULL; b = b->batch) {
            s->nspare++;
        }
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

/* Batches, in a row. */
static void give(uint32_t home, uint32_t k, boc__free_t *first) {
    boc__free_t *last = first;
    while (last->batch != NULL) {
        last = last->batch;
    }
    depot_put(home, k, first, last);
}

/* The list has BATCH objects and another comes: it becomes a spare batch; the oldest spares go on. */
static void overflow(boc__pool_t *o, uint32_t k) {
    boc__shelf_t *s = &o->shelf[k];
    if (s->nspare >= 2) {
        give(o->home, k, s->spare);
        s->spare = NULL;
        s->nspare = 0;
    }
    s->list->batch = s->spare;
    s->spare = s->list;
    s->nspare++;
    s->list = NULL;
    s->n = 0;
}

/* A batch for each home of the foreign ones. */
static void send_home(boc__shelf_t *s, uint32_t k) {
    boc__free_t *left = s->foreign;
    s->foreign = NULL;
    s->nforeign = 0;
    while (left != NULL) {
        uint32_t home = boc__home_at(left);
        boc__free_t *batch = NULL, *others = NULL;
        for (boc__free_t *f = left, *next; f != NULL; f = next) {
            next = f->next;
            boc__free_t **to = boc__home_at(f) == home ? &batch : &others;
            f->next = *to;
            *to = f;
        }
        depot_put(home, k, batch, batch);
        left = others;
    }
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
    boc__free_t *f = p;
    if (boc__home_at(p) != o->home) {
        f->next = s->foreign;
        s->foreign = f;
        if (++s->nforeign >= BATCH) {
            send_home(s, k);
        }
        return;
    }
    if (s->n >= BATCH) {
        overflow(o, k);
    }
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
            give(o->home, k, s->spare);
            s->spare = NULL;
            s->nspare = 0;
        }
        send_home(s, k);
    }
}

int64_t boc__alloc_balance(void) {
    return boc__load_rlx(&balance);
}
