/* Exceptions that a behavior let escape and that nobody has looked at yet.
 *
 * One table for the process: from the cown that holds the exception to a reference to its encoded form. Looking takes the
 * entry out; so does a report, which happens once: when the cown dies, at a wait, at exit. A notebook keeps its own account
 * of what its cells scheduled. The table is touched on the way of exceptions only. */
#include "notebook.h"
#include "unseen.h"

#include <pthread.h>
#include <stdlib.h>

#define FIRST 64u

typedef struct entry {
    struct entry *chain;         /* of the bucket */
    struct entry *older, *newer; /* all of them, in the order of raising */
    boc_cown_t *cown;            /* borrowed: a dying cown takes its entry out */
    boc_blob_t *exc;
    uint64_t id;
    uint32_t name, origin;
    bool lost;                   /* not a result: the cown's own value went */
} entry_t;

static struct {
    pthread_mutex_t lock;
    entry_t **bucket;
    uint32_t nbuckets, n;
    entry_t *oldest, *newest;
    _Atomic uint32_t any;        /* n, for those who only ask whether there is something */
} t = {.lock = PTHREAD_MUTEX_INITIALIZER};

static entry_t **bucket_of(const boc_cown_t *c) {
    return &t.bucket[((uintptr_t)c >> 4) * 2654435761u % t.nbuckets];
}

static int grow(void) {
    uint32_t n = t.nbuckets ? t.nbuckets * 2 : FIRST;
    entry_t **bucket = calloc(n, sizeof(entry_t *));
    if (bucket == NULL)
        return -1;
    free(t.bucket);
    t.bucket = bucket;
    t.nbuckets = n;
    for (entry_t *e = t.oldest; e != NULL; e = e->newer) {
        entry_t **at = bucket_of(e->cown);
        e->chain = *at;
        *at = e;
    }
    return 0;
}

static void unlink_entry(entry_t *e) {
    entry_t **at = bucket_of(e->cown);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    *(e->older ? &e->older->newer : &t.oldest) = e->newer;
    *(e->newer ? &e->newer->older : &t.newest) = e->older;
    t.n--;
    atomic_store_explicit(&t.any, t.n, memory_order_relaxed);
}

static entry_t *find(const boc_cown_t *c) {
    entry_t *e = t.nbuckets ? *bucket_of(c) : NULL;
    while (e != NULL && e->cown != c)
        e = e->chain;
    return e;
}

static entry_t *take(const boc_cown_t *c) {
    if (atomic_load_explicit(&t.any, memory_order_relaxed) == 0)
        return NULL;
    pthread_mutex_lock(&t.lock);
    entry_t *e = find(c);
    if (e != NULL)
        unlink_entry(e);
    pthread_mutex_unlock(&t.lock);
    return e;
}

static void report(entry_t *e) { /* frees e */
    boc__emit_unseen(e->id, e->name, e->exc, e->origin, e->lost);
    free(e);
}

void boc__unseen_add(boc_cown_t *c, boc_blob_t *exc, uint32_t origin) {
    bool notebook = origin != 0 && boc__notebook();
    if (notebook && (c->flags & BOC_COWN_RESULT)) { /* it shows this one under its cell; a body tells of its own at its end */
        const boc_behavior_t *b = boc__ctx ? boc__ctx->current : NULL;
        if (b == NULL || boc__result_of(b) != c)
            boc__tell_raised(c, origin);
        return;
    }
    entry_t *e = malloc(sizeof *e);
    if (e == NULL)
        return;
    *e = (entry_t){.cown = c, .exc = boc__blob_keep(exc), .id = c->id, .name = c->name, .origin = origin,
                   .lost = !(c->flags & BOC_COWN_RESULT)};
    if (notebook) { /* a cown's own value is lost: its cells may never wait for it */
        report(e);
        return;
    }
    pthread_mutex_lock(&t.lock);
    if (t.n >= t.nbuckets && grow() < 0) {
        pthread_mutex_unlock(&t.lock);
        report(e);
        return;
    }
    entry_t **at = bucket_of(c);
    e->chain = *at;
    *at = e;
    e->older = t.newest;
    *(t.newest ? &t.newest->newer : &t.oldest) = e;
    t.newest = e;
    t.n++;
    atomic_store_explicit(&t.any, t.n, memory_order_relaxed);
    pthread_mutex_unlock(&t.lock);
}

void boc__unseen_forget(boc_cown_t *c) {
    entry_t *e = take(c);
    if (e != NULL) {
        boc__blob_drop(e->exc);
        free(e);
    }
}

void boc__unseen_died(boc_cown_t *c) {
    entry_t *e = take(c);
    if (e != NULL)
        report(e);
}

void boc__unseen_after_fork(void) {
    pthread_mutex_init(&t.lock, NULL); /* the parent reports what was there */
    t.bucket = NULL;
    t.oldest = t.newest = NULL;
    t.nbuckets = t.n = 0;
    atomic_store(&t.any, 0);
}

/* report_unseen(): all of them go to the service, once */
static PyObject *report_unseen(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    entry_t *list = NULL, **end = &list;
    pthread_mutex_lock(&t.lock);
    while (t.oldest != NULL) {
        entry_t *e = t.oldest;
        unlink_entry(e);
        *end = e;
        end = &e->chain;
        *end = NULL;
    }
    pthread_mutex_unlock(&t.lock);
    while (list != NULL) {
        entry_t *e = list;
        list = e->chain;
        report(e);
    }
    Py_RETURN_NONE;
}

PyMethodDef boc__unseen_methods[] = {
    {"report_unseen", report_unseen, METH_NOARGS, "report_unseen(): exceptions nobody looked at go to the service"},
    {NULL, NULL, 0, NULL},
};
