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
#define BOC__CHUNK 65536u /* bytes, and their alignment: a whole number of objects of one size for one home */
#define BOC__HOMES 64u   /* threads with the same home are to each other as one */

#if defined(BOC__ASAN) || defined(BOC__TSAN) || defined(BOC_SYSTEMATIC)
#define BOC__EACH_FROM_MALLOC 1
#else
#define BOC__EACH_FROM_MALLOC 0
#endif

typedef struct boc__free {
    struct boc__free *next;  /* in its batch */
    struct boc__free *batch; /* the next batch, in the first of each */
} boc__free_t;

typedef struct boc__chunk {
    uint32_t home; /* of the thread that took it from malloc */
} boc__chunk_t;

typedef struct boc__shelf {
    boc__free_t *list;    /* handed out and taken back here */
    boc__free_t *spare;   /* batches for the time when it is empty */
    boc__free_t *foreign; /* freed here, at home elsewhere */
    char *fresh;          /* nobody had these yet: up to the end of their chunk */
    uint32_t n;           /* of list: no more than these */
    uint32_t nspare, nforeign;
} boc__shelf_t;

typedef struct boc__pool {
    uint32_t home;   /* of its thread */
    uint32_t nroom;  /* chunks left at room */
    char *room;
    boc__shelf_t shelf[BOC__CLASSES];
} boc__pool_t;

uint32_t boc__home_of(uint32_t thread);
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

/* Where p, of a size that has a class, is at home. */
static inline uint32_t boc__home_at(const void *p) {
    return ((const boc__chunk_t *)((uintptr_t)p & ~(uintptr_t)(BOC__CHUNK - 1)))->home;
}

static inline void boc__free(boc__pool_t *o, void *p, size_t size) {
    uint32_t k = boc__class_of(size);
    if (BOC__EACH_FROM_MALLOC || boc__unlikely(k >= BOC__CLASSES) || boc__unlikely(boc__home_at(p) != o->home) ||
        boc__unlikely(o->shelf[k].n >= BOC__BATCH)) {
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
