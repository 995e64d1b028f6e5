/* storage.c: blocks of numbers, Matrix objects around them, and the free
 * lists that make small ones cheap.
 *
 * Blocks wander: one worker makes a matrix, the body of another lets it go.
 * malloc would give each back to the arena that it came from, behind a lock
 * that the maker needs at the same time. So a thread keeps what it frees, and
 * hands on what it does not need in batches, through a depot of the process. */
#include "matrix.h"
#include "trylock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Doubles of the block classes that are kept for reuse, and how many of each: at most some 9 MB a thread, of which only
 * what was touched is memory. What is larger is in large.c. */
static const size_t class_size[BOC_BLOCK_CLASSES] = {
    16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072, 262144,
};
static const int class_keep[BOC_BLOCK_CLASSES] = {256, 256, 256, 64, 8, 4, 4, 3, 2, 2, 2};

/* A thread keeps as many blocks of the small classes as a burst of behaviors needs: what goes through the depot comes
 * back cold. A quarter of them goes there at once; it holds at most so many batches of a class. */
enum { WANDERING_CLASSES = 4, DEPOT_BATCHES = 16 };

static int class_of(size_t doubles)
{
    for (int c = 0; c < BOC_BLOCK_CLASSES; c++)
        if (doubles <= class_size[c])
            return c;
    return -1;
}

double *boc__scratch(size_t doubles)
{
    return aligned_alloc(64, (doubles * sizeof(double) + 127) & ~(size_t)63);
}

/* Aligned here and not by malloc, whose aligned chunks do not fit where one of the same size was freed. */
static boc__block_t *block_alloc(size_t capacity)
{
    enum { ALIGN = _Alignof(boc__block_t), LEAST = _Alignof(max_align_t) };
    void *const memory =
        malloc(sizeof(boc__block_t) + capacity * sizeof(double) + BOC_READ_PAST + ALIGN - LEAST);
    boc__block_t *block;

    if (memory == NULL)
        return NULL;
    block = (boc__block_t *)(((uintptr_t)memory + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
    block->capacity = capacity;
    block->next = NULL;
    block->memory = memory;
    block->origin = NULL;
    return block;
}

/* What a thread keeps. */
typedef struct {
    boc__block_t *list[BOC_BLOCK_CLASSES];
    int count[BOC_BLOCK_CLASSES];
} store_t;

#if defined(__GNUC__) && defined(__linux__)
__attribute__((tls_model("initial-exec")))
#endif
static _Thread_local store_t *mine;
static pthread_key_t at_exit;
static bool have_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Batches of a quarter of class_keep. */
static struct {
    _Alignas(64) _Atomic bool taken;
    boc__block_t *batch[DEPOT_BATCHES];
    int count;
} depot[WANDERING_CLASSES];

static void list_free(boc__block_t *block)
{
    while (block != NULL) {
        boc__block_t *next = block->next;
        free(block->memory);
        block = next;
    }
}

static void store_free(void *arg)
{
    store_t *store = arg;

    mine = NULL;
    for (int c = 0; c < BOC_BLOCK_CLASSES; c++)
        list_free(store->list[c]);
    free(store);
}

static void make_key(void)
{
    have_key = pthread_key_create(&at_exit, store_free) == 0;
}

static store_t *store_new(void)
{
    store_t *store = NULL;

    (void)pthread_once(&once, make_key);
    if (have_key)
        store = calloc(1, sizeof *store);
    if (store != NULL && pthread_setspecific(at_exit, store) != 0) {
        free(store);
        store = NULL;
    }
    mine = store;
    return store;
}

static bool depot_take(store_t *store, int class)
{
    bool found = false;

    if (class >= WANDERING_CLASSES || !boc__try_lock(&depot[class].taken))
        return false;
    if (depot[class].count > 0) {
        store->list[class] = depot[class].batch[--depot[class].count];
        store->count[class] = class_keep[class] / 4;
        found = true;
    }
    boc__unlock(&depot[class].taken);
    return found;
}

/* The store is full: a quarter of it goes on. */
static void depot_put(store_t *store, int class)
{
    boc__block_t *batch = store->list[class], *last = batch;
    bool there = false;

    for (int i = 1; i < class_keep[class] / 4; i++)
        last = last->next;
    store->list[class] = last->next;
    store->count[class] -= class_keep[class] / 4;
    last->next = NULL;
    if (boc__try_lock(&depot[class].taken)) {
        there = depot[class].count < DEPOT_BATCHES;
        if (there)
            depot[class].batch[depot[class].count++] = batch;
        boc__unlock(&depot[class].taken);
    }
    if (!there)
        list_free(batch);
}

static boc__block_t *block_get(size_t doubles)
{
    const int class = class_of(doubles);
    store_t *store = mine != NULL ? mine : store_new();
    boc__block_t *block;

    if (class < 0)
        return boc__large_get(doubles);
    if (store == NULL || (store->list[class] == NULL && !depot_take(store, class)))
        return block_alloc(class_size[class]);
    block = store->list[class];
    store->list[class] = block->next;
    store->count[class]--;
    return block;
}

void boc__block_put(boc__block_t *block)
{
    const int class = class_of(block->capacity);
    store_t *store = mine != NULL ? mine : store_new();

    block->origin = NULL;
    if (class < 0) {
        boc__large_put(block);
        return;
    }
    if (store == NULL || (store->count[class] >= class_keep[class] && class >= WANDERING_CLASSES)) {
        free(block->memory);
        return;
    }
    if (store->count[class] >= class_keep[class])
        depot_put(store, class);
    block->next = store->list[class];
    store->list[class] = block;
    store->count[class]++;
}

static boc__matrix_t *object_get(boc__state_t *state)
{
    boc__matrix_t *m;

#ifndef Py_GIL_DISABLED
    if (state->spare_object_count > 0) {
        m = state->spare_objects[--state->spare_object_count];
        Py_INCREF(state->matrix);
        (void)PyObject_Init((PyObject *)m, state->matrix);
        Py_DECREF(state->matrix);
    } else
#endif
        m = PyObject_New(boc__matrix_t, state->matrix);
    if (m != NULL) {
        m->block = NULL;
        m->origin = NULL;
        m->exports = 0;
    }
    return m;
}

boc__matrix_t *boc__wrap(boc__state_t *state, boc__block_t *block)
{
    boc__matrix_t *m = object_get(state);

    if (m != NULL) {
        m->block = block;
        m->data = block->data;
        m->rows = block->rows;
        m->columns = block->columns;
    }
    return m;
}

boc__matrix_t *boc__new(boc__state_t *state, Py_ssize_t rows, Py_ssize_t columns)
{
    boc__block_t *block;
    boc__matrix_t *m;
    Py_ssize_t size;

    /* a column and a row that broadcast, say: each may be of any length */
    if (__builtin_mul_overflow(rows, columns, &size) || size > PY_SSIZE_T_MAX / 16) {
        PyErr_Format(PyExc_OverflowError, "a Matrix of %zdx%zd is too large", rows, columns);
        return NULL;
    }
    block = block_get((size_t)size);
    if (block == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    block->rows = rows;
    block->columns = columns;
    m = boc__wrap(state, block);
    if (m == NULL)
        boc__block_put(block);
    return m;
}

PyObject *boc__new_empty(boc__state_t *state)
{
    boc__matrix_t *m = object_get(state);

    if (m != NULL) {
        m->data = NULL;
        m->rows = m->columns = 0;
    }
    return (PyObject *)m;
}

void boc__copy(double *to, const double *from, size_t doubles)
{
    if (doubles < BOC_STREAM_FROM)
        memcpy(to, from, doubles * sizeof(double));
    else
        boc__kernels->map->copy(to, from, doubles);
}

boc__matrix_t *boc__new_zeros(boc__state_t *state, Py_ssize_t rows, Py_ssize_t columns)
{
    boc__matrix_t *m = boc__new(state, rows, columns);

    if (m != NULL)
        boc__kernels->map->fill(m->data, 0.0, boc__size(m));
    return m;
}

boc__matrix_t *boc__new_copy(boc__state_t *state, const boc__matrix_t *from)
{
    boc__matrix_t *m = boc__new(state, from->rows, from->columns);

    if (m != NULL)
        boc__copy(m->data, from->data, boc__size(m));
    return m;
}

int boc__check_shape(boc__state_t *state, Py_ssize_t rows, Py_ssize_t columns)
{
    if (rows < 1 || columns < 1) {
        PyErr_Format(state->shape_error, "a Matrix has at least one row and one column, not %zdx%zd", rows, columns);
        return -1;
    }
    if (rows > PY_SSIZE_T_MAX / 16 / columns) {
        PyErr_Format(PyExc_OverflowError, "a Matrix of %zdx%zd is too large", rows, columns);
        return -1;
    }
    return 0;
}

int boc__set_moved_error(void)
{
    PyErr_SetString(PyExc_RuntimeError,
                    "this Matrix is empty: its contents moved into a cown. Hold the cown (a behavior that "
                    "names it, or `with cown:`) and use its .value, or keep a copy() before");
    return -1;
}

/* Give the block of m to the caller and leave m empty. */
boc__block_t *boc__unwrap(boc__matrix_t *m)
{
    boc__block_t *block = m->block;

    block->rows = m->rows;
    block->columns = m->columns;
    m->block = NULL;
    m->data = NULL;
    return block;
}

boc__block_t *boc__block_copy(const boc__block_t *from)
{
    const size_t doubles = (size_t)from->rows * (size_t)from->columns;
    boc__block_t *block = block_get(doubles);

    if (block != NULL) {
        block->rows = from->rows;
        block->columns = from->columns;
        boc__copy(block->data, from->data, doubles);
    }
    return block;
}

void boc__matrix_dealloc(PyObject *self)
{
    boc__matrix_t *m = boc__as_matrix(self);
    PyTypeObject *type = Py_TYPE(self);

    if (m->block != NULL)
        boc__block_put(m->block);
#ifndef Py_GIL_DISABLED
    boc__state_t *state = PyType_GetModuleState(type);
    if (m->origin != NULL)
        boc__origin_leave(state, m);
    if (state->spare_object_count < BOC_SPARE_OBJECTS) {
        state->spare_objects[state->spare_object_count++] = m;
        Py_DECREF(type);
        return;
    }
#endif
    PyObject_Free(m);
    Py_DECREF(type);
}

void boc__spares_free(boc__state_t *state)
{
    while (state->spare_object_count > 0)
        PyObject_Free(state->spare_objects[--state->spare_object_count]);
    while (state->spare_origins != NULL) {
        boc__origin_t *origin = state->spare_origins;
        state->spare_origins = origin->next;
        free(origin);
    }
    state->spare_object_count = BOC_SPARE_OBJECTS; /* what is freed from now on is not kept */
}
