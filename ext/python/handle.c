/* Handles pickled by hand (pickle.dumps(cown)): good in this runtime only, and they keep nothing alive.
 *
 * Cowns that were ever pickled so are listed by id; one that dies takes itself off the list. */
#include "binding.h"
#include "hold.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define BUCKETS 1024

typedef struct listed {
    struct listed *chain;
    boc_cown_t *cown;
} listed_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static listed_t *bucket[BUCKETS];

static listed_t **place_of(uint64_t id) {
    listed_t **at = &bucket[id % BUCKETS];
    while (*at != NULL && (*at)->cown->id != id)
        at = &(*at)->chain;
    return at;
}

void boc__handle_forget(boc_cown_t *c) {
    pthread_mutex_lock(&lock);
    listed_t **at = place_of(c->id), *gone = *at;
    if (gone != NULL)
        *at = gone->chain;
    pthread_mutex_unlock(&lock);
    free(gone);
}

void boc__handle_after_fork(void) { pthread_mutex_init(&lock, NULL); }

PyObject *boc__cown_reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    boc_state_t *st = boc__st();
    boc_cown_t *c = st ? boc__cown_core(st, self) : NULL;
    if (c == NULL)
        return NULL;
    listed_t *fresh = malloc(sizeof *fresh);
    if (fresh == NULL)
        return PyErr_NoMemory();
    pthread_mutex_lock(&lock);
    listed_t **at = place_of(c->id);
    if (*at == NULL) {
        *fresh = (listed_t){NULL, c};
        *at = fresh;
        fresh = NULL;
        boc_cown_mark(c, BOC_COWN_WEAK);
    }
    pthread_mutex_unlock(&lock);
    free(fresh);
    PyObject *f = PyObject_GetAttrString(st->module, "_handle");
    PyObject *r = f ? Py_BuildValue("O(lK)", f, (long)getpid(), (unsigned long long)c->id) : NULL;
    Py_XDECREF(f);
    return r;
}

PyObject *boc__cown_from_handle(PyObject *module, PyObject *args) {
    (void)module;
    long pid;
    unsigned long long id;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyArg_ParseTuple(args, "lK:_handle", &pid, &id))
        return NULL;
    if (pid != (long)getpid()) {
        PyErr_SetString(PyExc_RuntimeError, "this handle of a cown was pickled in another process: a cown lives in the runtime that made it. "
                                            "Send its value (c.result()) instead");
        return NULL;
    }
    boc_cown_t *c = NULL;
    pthread_mutex_lock(&lock);
    listed_t *e = *place_of(id);
    if (e != NULL) {
        uint32_t refs = atomic_load_explicit(&e->cown->refs, memory_order_relaxed);
        while (refs > 0 && !atomic_compare_exchange_weak_explicit(&e->cown->refs, &refs, refs + 1, memory_order_acquire,
                                                                  memory_order_relaxed))
            ;
        if (refs > 0)
            c = e->cown;
    }
    pthread_mutex_unlock(&lock);
    if (c == NULL) {
        PyErr_Format(PyExc_RuntimeError, "cown %llu has died: a pickled handle does not keep its cown alive", id);
        return NULL;
    }
    return boc__cown_wrap(st, c);
}
