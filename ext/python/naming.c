/* Names of cowns, beside the rings of the trace: a picture of now names cowns whose naming was overtaken
 * long ago, or came before tracing was on. The latest are kept; a row that is being written while somebody
 * reads is seen with its old id or its new one, never with half of one.
 *
 * Namesakes: per name, how many cowns that were given it live now, and how many since it was last free. The second
 * and later ones of a name are listed with their number until they die. Results are not counted: they share a
 * line of memory per behavior then, and nobody gave them that name. Nor are cowns that bodies make by the thousand and that
 * have their name from a parameter alone: workers would wait for each other here at each. */
#include "binding.h"

#include <pthread.h>
#include <stdlib.h>

#define KEPT 65536u

static _Atomic uint64_t ids[KEPT];
static _Atomic uint32_t names[KEPT];
static _Atomic uint64_t total;

#define BLOCK 16u /* rows that a thread takes at a time: threads seldom meet at the count, and each writes lines of its own */
static _Thread_local uint64_t next_row BOC_TLS;

#define PAGE 4096u
#define PAGES 4096u
#define TWINS 262144u

typedef struct same {
    uint32_t alive, given;
} same_t;

typedef struct twin {
    struct twin *chain;
    uint64_t id;
    uint32_t number;
} twin_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static same_t *page[PAGES];
static twin_t *twins[TWINS];

void boc__naming_after_fork(void) { pthread_mutex_init(&lock, NULL); }

/* Under the lock; NULL for a name that is not counted. */
static same_t *same_of(uint32_t name) {
    if (name / PAGE >= PAGES)
        return NULL;
    if (page[name / PAGE] == NULL)
        page[name / PAGE] = calloc(PAGE, sizeof **page);
    return page[name / PAGE] ? &page[name / PAGE][name % PAGE] : NULL;
}

static twin_t **twin_of(uint64_t id) {
    twin_t **at = &twins[id % TWINS];
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->chain;
    return at;
}

static void count(boc_cown_t *c) {
    pthread_mutex_lock(&lock);
    same_t *s = same_of(c->name);
    twin_t *t = s && s->alive ? malloc(sizeof *t) : NULL;
    if (s != NULL) {
        s->given = s->alive ? s->given + 1 : 1;
        s->alive++;
        boc_cown_mark(c, BOC_COWN_COUNTED);
    }
    if (t != NULL) {
        *t = (twin_t){twins[c->id % TWINS], c->id, s->given};
        twins[c->id % TWINS] = t;
    }
    pthread_mutex_unlock(&lock);
}

void boc__name_free(const boc_cown_t *c) {
    pthread_mutex_lock(&lock);
    same_of(c->name)->alive--;
    twin_t **at = twin_of(c->id), *gone = *at;
    if (gone != NULL)
        *at = gone->chain;
    pthread_mutex_unlock(&lock);
    free(gone);
}

uint32_t boc__name_number(const boc_cown_t *c) {
    if (!(c->flags & BOC_COWN_COUNTED))
        return 1;
    pthread_mutex_lock(&lock);
    const twin_t *t = same_of(c->name)->alive > 1 ? *twin_of(c->id) : NULL;
    uint32_t n = t ? t->number : 1;
    pthread_mutex_unlock(&lock);
    return n;
}

void boc__cown_name(boc_cown_t *c, uint32_t name, bool counted) {
    uint32_t none = 0; /* of two schedules at a time the first names it */
    if (!__atomic_compare_exchange_n(&c->name, &none, name, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    if (counted)
        count(c);
    if (next_row % BLOCK == 0)
        next_row = atomic_fetch_add_explicit(&total, BLOCK, memory_order_relaxed);
    uint64_t at = next_row++ % KEPT;
    atomic_store_explicit(&ids[at], 0, memory_order_relaxed);
    atomic_store_explicit(&names[at], c->name, memory_order_release); /* after the id went */
    atomic_store_explicit(&ids[at], c->id, memory_order_release);     /* after the name came */
    boc_trace(BOC_T_cown, c->id, 0, c->name,
              (uint8_t)(((c->flags & BOC_COWN_PINNED) ? 1 : 0) | ((c->flags & BOC_COWN_RESULT) ? 2 : 0)));
}

PyObject *boc__cown_names(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    uint64_t all = atomic_load_explicit(&total, memory_order_relaxed);
    uint64_t n = all < KEPT ? all : KEPT;
    uint64_t *rows = malloc((size_t)(n ? n : 1) * 2 * sizeof *rows);
    if (rows == NULL)
        return PyErr_NoMemory();
    size_t got = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t id = atomic_load_explicit(&ids[i], memory_order_acquire);     /* before its name */
        uint32_t name = atomic_load_explicit(&names[i], memory_order_acquire); /* before the id again */
        if (id == 0 || atomic_load_explicit(&ids[i], memory_order_relaxed) != id)
            continue;
        rows[2 * got] = id;
        rows[2 * got + 1] = name;
        got++;
    }
    PyObject *out = PyBytes_FromStringAndSize((const char *)rows, (Py_ssize_t)(got * 2 * sizeof *rows));
    free(rows);
    return out;
}
