/* Names of cowns, beside the rings of the trace: a picture of now names cowns whose naming was overtaken
 * long ago, or came before tracing was on. The latest are kept; a row that is being written while somebody
 * reads is seen with its old id or its new one, never with half of one. */
#include "binding.h"

#define KEPT 65536u

static _Atomic uint64_t ids[KEPT];
static _Atomic uint32_t names[KEPT];
static _Atomic uint64_t count;

void boc__cown_named(const boc_cown_t *c) {
    uint64_t at = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) % KEPT;
    atomic_store_explicit(&ids[at], 0, memory_order_relaxed);
    atomic_store_explicit(&names[at], c->name, memory_order_release); /* after the id went */
    atomic_store_explicit(&ids[at], c->id, memory_order_release);     /* after the name came */
    boc_trace(BOC_T_cown, c->id, 0, c->name,
              (uint8_t)(((c->flags & BOC_COWN_PINNED) ? 1 : 0) | ((c->flags & BOC_COWN_RESULT) ? 2 : 0)));
}

PyObject *boc__cown_names(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    uint64_t all = atomic_load_explicit(&count, memory_order_relaxed);
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
