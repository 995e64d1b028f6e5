/* Equal encodings of captures are kept once while any behavior holds them: a loop that schedules a thousand bodies
 * over one table would keep a thousand copies of it.
 *
 * The table refers to the bytes without keeping them; the last one to drop them takes them off it first. */
#include "parts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 1024 /* bytes: smaller ones cost less than looking for their like */
#define BUCKETS 1024

typedef struct kept {
    struct kept *chain;
    boc_blob_t *blob;
    uint8_t tag;
} kept_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kept_t *bucket[BUCKETS];

void boc__share_after_fork(void) { pthread_mutex_init(&lock, NULL); }

static uint64_t hash_of(const boc_blob_t *b) {
    uint64_t h = b->len, word;
    size_t i = 0;
    for (; i + 8 <= b->len; i += 8) {
        memcpy(&word, b->data + i, 8);
        h = (h ^ word) * 0x9E3779B97F4A7C15ull;
        h ^= h >> 29;
    }
    for (; i < b->len; i++)
        h = (h ^ b->data[i]) * 0x9E3779B97F4A7C15ull;
    for (uint32_t k = 0; k < b->nparts; k++) {
        size_t n;
        boc__part_bytes(&b->parts[k], &n);
        h = (h ^ n) * 0x9E3779B97F4A7C15ull;
    }
    return h | 1; /* 0 says: not in the table */
}

/* Parts that are memory only can be compared. */
static bool same_parts(const boc_blob_t *a, const boc_blob_t *b) {
    for (uint32_t k = 0; k < a->nparts; k++) {
        size_t n, m;
        const char *x = boc__part_bytes(&a->parts[k], &n), *y = boc__part_bytes(&b->parts[k], &m);
        if (x == NULL || y == NULL || n != m || a->parts[k].v.tag != b->parts[k].v.tag || a->parts[k].v.aux != b->parts[k].v.aux ||
            memcmp(x, y, n) != 0)
            return false;
    }
    return true;
}

static bool alike(const boc_blob_t *a, const boc_blob_t *b) {
    return a->len == b->len && a->ncowns == b->ncowns && a->nparts == b->nparts && same_parts(a, b) && memcmp(a->data, b->data, a->len) == 0 &&
           (a->ncowns == 0 || memcmp((const void *)a->cowns, (const void *)b->cowns, a->ncowns * sizeof(void *)) == 0);
}

/* A reference, unless the last one goes just now. */
static bool keep(boc_blob_t *b) {
    uint32_t refs = atomic_load_explicit(&b->refs, memory_order_relaxed);
    while (refs > 0 && !atomic_compare_exchange_weak_explicit(&b->refs, &refs, refs + 1, memory_order_acquire, memory_order_relaxed))
        ;
    return refs > 0;
}

void boc__share(boc_value_t *v) {
    if (v->tag != V_BLOB && v->tag != V_RAWARRAY)
        return;
    boc_blob_t *b = v->u.p;
    if (b->held < LEAST)
        return;
    kept_t *fresh = malloc(sizeof *fresh);
    if (fresh == NULL)
        return; /* it is kept twice then */
    uint64_t h = hash_of(b);
    pthread_mutex_lock(&lock);
    kept_t *k = bucket[h % BUCKETS];
    while (k != NULL && !(k->tag == v->tag && k->blob->listed == h && alike(k->blob, b) && keep(k->blob)))
        k = k->chain;
    if (k != NULL) {
        v->u.p = k->blob;
    } else {
        b->listed = h;
        *fresh = (kept_t){bucket[h % BUCKETS], b, v->tag};
        bucket[h % BUCKETS] = fresh;
        fresh = NULL;
    }
    pthread_mutex_unlock(&lock);
    free(fresh);
    if (v->u.p != b)
        boc__blob_drop(b);
}

void boc__share_end(const boc_blob_t *b) {
    pthread_mutex_lock(&lock);
    kept_t **at = &bucket[b->listed % BUCKETS], *gone;
    while (*at != NULL && (*at)->blob != b)
        at = &(*at)->chain;
    gone = *at;
    if (gone != NULL)
        *at = gone->chain;
    pthread_mutex_unlock(&lock);
    free(gone);
}
