/* Cowns that nobody but one another holds, by handles in their values: found and freed when the workers have ended.
 *
 * Encoded values with handles in them are listed. What they refer to, and what these hold in turn, are the candidates: one
 * with more references than the candidates' values account for is held from outside, so is all that it leads to, and the
 * rest is a cycle or hangs on one. The GIL of main is held and no worker runs, so only listed values of threads without
 * an interpreter could die meanwhile: the lock keeps them. */
#include "cycles.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static boc_blob_t *first;
static uint32_t epoch = 1; /* of a fork's child: what was listed before is not looked at any more */

void boc__cycles_list(boc_blob_t *b) {
    pthread_mutex_lock(&lock);
    b->list_epoch = epoch;
    b->list_next = first;
    b->list_back = &first;
    if (first != NULL)
        first->list_back = &b->list_next;
    first = b;
    pthread_mutex_unlock(&lock);
}

void boc__cycles_unlist(boc_blob_t *b) {
    pthread_mutex_lock(&lock);
    if (b->list_epoch == epoch) {
        *b->list_back = b->list_next;
        if (b->list_next != NULL)
            b->list_next->list_back = b->list_back;
    }
    pthread_mutex_unlock(&lock);
}

void boc__cycles_after_fork(void) {
    pthread_mutex_init(&lock, NULL);
    first = NULL;
    epoch++;
}

/* ---- the candidates: a table by address --------------------------------------------- */
typedef struct {
    boc_cown_t *cown;
    uint32_t inside; /* references from candidates' values */
    bool held;       /* from outside, or through one that is */
} node_t;

typedef struct {
    node_t *node;
    uint32_t n, cap, *place, mask; /* place: index + 1 of a node, by hash */
} graph_t;

static uint32_t *place_of(const graph_t *g, const boc_cown_t *c) {
    uint32_t i = (uint32_t)(c->id * 0x9E3779B97F4A7C15ull >> 32) & g->mask;
    while (g->place[i] != 0 && g->node[g->place[i] - 1].cown != c)
        i = (i + 1) & g->mask;
    return &g->place[i];
}

static bool grow(graph_t *g) {
    uint32_t cap = g->cap ? g->cap * 2 : 64;
    node_t *node = realloc(g->node, cap * sizeof *node);
    if (node == NULL)
        return false;
    g->node = node;
    uint32_t *place = calloc((size_t)cap * 2, sizeof *place);
    if (place == NULL)
        return false;
    free(g->place);
    g->place = place;
    g->cap = cap;
    g->mask = cap * 2 - 1;
    for (uint32_t i = 0; i < g->n; i++)
        *place_of(g, g->node[i].cown) = i + 1;
    return true;
}

static bool add(graph_t *g, boc_cown_t *c) {
    if (g->n == g->cap && !grow(g))
        return false;
    uint32_t *p = place_of(g, c);
    if (*p == 0) {
        g->node[g->n] = (node_t){.cown = c};
        *p = ++g->n;
    }
    return true;
}

/* The handles in the value of c that only this value holds: their number. one: room for a single one. */
static uint32_t handles(const boc_cown_t *c, boc_cown_t **one, boc_cown_t ***list) {
    if (c->flags & BOC_COWN_PINNED || atomic_load(&c->home) != 0 || atomic_load(&c->holder) != 0 || !boc_cown_idle(c))
        return 0;
    if (c->value.tag == V_COWN) {
        *one = c->value.u.p;
        *list = one;
        return 1;
    }
    const boc_blob_t *b = c->value.tag == V_BLOB ? c->value.u.p : NULL;
    if (b == NULL || atomic_load(&b->refs) != 1)
        return 0;
    *list = b->cowns;
    return b->ncowns;
}

static bool gather(graph_t *g) {
    for (boc_blob_t *b = first; b != NULL; b = b->list_next)
        for (uint32_t i = 0; i < b->ncowns; i++)
            if (!add(g, b->cowns[i]))
                return false;
    for (uint32_t i = 0; i < g->n; i++) { /* it grows meanwhile */
        boc_cown_t *one, **list = NULL;
        uint32_t n = handles(g->node[i].cown, &one, &list);
        for (uint32_t k = 0; k < n; k++)
            if (!add(g, list[k]))
                return false;
    }
    return true;
}

/* Marks what is held from outside; how many are not. order: room for all. */
static uint32_t mark(graph_t *g, uint32_t *order) {
    boc_cown_t *one, **list = NULL;
    uint32_t found = 0;
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t k = handles(g->node[i].cown, &one, &list); k-- > 0;)
            g->node[*place_of(g, list[k]) - 1].inside++;
    for (uint32_t i = 0; i < g->n; i++) {
        boc_cown_t *c = g->node[i].cown;
        g->node[i].held = atomic_load(&c->refs) != g->node[i].inside || c->id < boc_fork_floor;
        if (g->node[i].held)
            order[found++] = i;
    }
    for (uint32_t at = 0; at < found; at++)
        for (uint32_t k = handles(g->node[order[at]].cown, &one, &list); k-- > 0;) {
            uint32_t i = *place_of(g, list[k]) - 1;
            if (!g->node[i].held) {
                g->node[i].held = true;
                order[found++] = i;
            }
        }
    return g->n - found;
}

PyObject *boc__cycles_collect(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    graph_t g = {0};
    uint32_t dead = 0;
    pthread_mutex_lock(&lock);
    bool all = !boc_running() && gather(&g);
    uint32_t *order = all && g.n ? malloc(g.n * sizeof *order) : NULL;
    if (order != NULL && (dead = mark(&g, order)) > 0) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < g.n; i++)
            if (!g.node[i].held) {
                g.node[n++].cown = g.node[i].cown;
                boc_cown_retain(g.node[i].cown);
            }
    }
    pthread_mutex_unlock(&lock);
    for (uint32_t i = 0; i < dead; i++) { /* each lives until all have let go */
        boc_value_t v = g.node[i].cown->value;
        g.node[i].cown->value = (boc_value_t){.tag = V_NONE};
        boc__value_drop(&v);
    }
    for (uint32_t i = 0; i < dead; i++)
        boc_cown_release(g.node[i].cown);
    free(order);
    free(g.place);
    free(g.node);
    return PyLong_FromUnsignedLong(dead);
}
