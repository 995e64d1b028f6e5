/* Memory for behaviors and cowns: the fast way in and out of a thread's own free lists. The rest is in pool.c.
 *
 * Knows sizes, not what they are for. thread.h holds a pool for each thread; who allocates includes that one.
 */
#ifndef BOC_POOL_H
#define BOC_POOL_H

#include "atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOC__STEP 16u    /* an object is at least 16 bytes: boc__free_t */
#define BOC__CLASSES 64u /* sizes 16, 32, .. 1024 bytes; larger ones come from malloc */
#define BOC__BATCH 64u   /* objects that wander between threads together */

#if defined(BOC__ASAN) || defined(BOC__TSAN) || defined(BOC_SYSTEMATIC)
#define BOC__EACH_FROM_MALLOC 1
#else
#define BOC__EACH_FROM_MALLOC 0
#endif

typedef struct boc__free {
    struct boc__free *next;  /* in its batch */
    struct boc__free *batch; /* the next batch, in the first of each */
} boc__free_t;

typedef struct boc__shelf {
    boc__free_t *list;   /* handed out and taken back here */
    boc__free_t *spare;  /* full batches */
    uint32_t n;          /* of list */
    uint32_t nspare;
} boc__shelf_t;

typedef struct boc__pool {
    uint32_t index; /* of its thread: which slots of the depots it prefers */
    boc__shelf_t shelf[BOC__CLASSES];
} boc__pool_t;

void *boc__alloc_slow(boc__pool_t *o, size_t size);
void boc__free_slow(boc__pool_t *o, void *p, size_t size);
void boc__pool_return(boc__pool_t *o); /* the thread ends: give its free lists to the others */
int64_t boc__alloc_balance(void);      /* sanitizer and systematic builds: objects alive; else 0 */

static inline uint32_t boc__class_of(size_t size) {
    return (uint32_t)((size + BOC__STEP - 1) / BOC__STEP) - 1;
}

/* The next boc__alloc of so much takes the fast way. */
static inline bool boc__alloc_ready(const boc__pool_t *o, size_t size) {
    uint32_t k = boc__class_of(size);
    return !BOC__EACH_FROM_MALLOC && boc__likely(k < BOC__CLASSES) && boc__likely(o->shelf[k].list != NULL);
}

/* Not zeroed; NULL: out of memory. */
static inline void *boc__alloc(boc__pool_t *o, size_t size) {
    uint32_t k = boc__class_of(size);
    if (BOC__EACH_FROM_MALLOC || boc__unlikely(k >= BOC__CLASSES) || boc__unlikely(o->shelf[k].list == NULL)) {
        return boc__alloc_slow(o, size);
    }
    boc__shelf_t *s = &o->shelf[k];
    boc__free_t *p = s->list;
    s->list = p->next;
    s->n--;
    return p;
}

static inline void boc__free(boc__pool_t *o, void *p, size_t size) {
    uint32_t k = boc__class_of(size);
    if (BOC__EACH_FROM_MALLOC || boc__unlikely(k >= BOC__CLASSES) || boc__unlikely(o->shelf[k].n >= BOC__BATCH)) {
        boc__free_slow(o, p, size);
        return;
    }
    boc__shelf_t *s = &o->shelf[k];
    boc__free_t *f = p;
    f->next = s->list;
    s->list = f;
    s->n++;
}

/* A size in one byte, for objects that know their own. */
static inline uint8_t boc__units(size_t size) {
    return size > BOC__STEP * BOC__CLASSES ? 255 : (uint8_t)((size + BOC__STEP - 1) / BOC__STEP);
}

static inline void boc__free_units(boc__pool_t *o, void *p, uint8_t units) {
    boc__free(o, p, (size_t)units * BOC__STEP);
}

#endif
