/* What workers must see of main: its environment variables, sys.path, recursion limit, logging levels, warning filters.
 *
 * Main asks at each schedule whether something changed. That must cost next to nothing, so variables are watched
 * (a dict watcher), lists are compared by the addresses of what is in them, and Python is called only after a change.
 * The snapshot is bytes; each worker takes it over before its next body. */
#include "environ.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct seen_list { /* a list as it was; the tuple keeps its items, so no address is used again */
    PyObject *list, *items;
} seen_list_t;

/* main's, under its GIL */
static struct {
    int watcher;
    bool dirty;
    PyObject *environ, *sys, *warnings; /* dicts, watched */
    PyObject *path_name, *filters_name;
    seen_list_t path, filters;
    int limit;
} m = {.watcher = -1, .dirty = true};

/* the snapshot, any thread */
static struct {
    pthread_mutex_t lock;
    _Atomic uint64_t version;
    char *bytes;
    size_t size;
} snap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int on_change(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value) {
    (void)event, (void)value;
    if (dict == m.environ || key == NULL || (PyUnicode_Check(key) && (PyUnicode_Compare(key, m.path_name) == 0 ||
                                                                     PyUnicode_Compare(key, m.filters_name) == 0)))
        m.dirty = true;
    return 0;
}

static PyObject *watched_dict(const char *module, const char *member, const char *inner) {
    PyObject *o = PyImport_ImportModule(module);
    for (int i = 0; o != NULL && i < 2; i++) {
        const char *name = i == 0 ? member : inner;
        if (name == NULL)
            break;
        PyObject *next = PyObject_GetAttrString(o, name);
        Py_DECREF(o);
        o = next;
    }
    if (o == NULL || !PyDict_Check(o) || PyDict_Watch(m.watcher, o) < 0)
        Py_CLEAR(o);
    return o;
}

static void see(seen_list_t *s, PyObject *list) { /* steals a reference; NULL: there is none */
    Py_XDECREF(s->list);
    Py_XDECREF(s->items);
    s->items = list != NULL && PyList_Check(list) ? PyList_AsTuple(list) : NULL;
    s->list = s->items ? list : NULL;
    if (s->list == NULL)
        Py_XDECREF(list);
}

static inline bool differs(const seen_list_t *s) {
    if (s->list == NULL)
        return false;
    Py_ssize_t n = PyTuple_GET_SIZE(s->items);
    if (PyList_GET_SIZE(s->list) != n)
        return true;
    for (Py_ssize_t i = 0; i < n; i++)
        if (PyList_GET_ITEM(s->list, i) != PyTuple_GET_ITEM(s->items, i))
            return true;
    return false;
}

static int watch(void) {
    if ((m.path_name = PyUnicode_InternFromString("path")) == NULL ||
        (m.filters_name = PyUnicode_InternFromString("filters")) == NULL || (m.watcher = PyDict_AddWatcher(on_change)) < 0)
        return -1;
    m.environ = watched_dict("os", "environ", "_data");
    m.sys = watched_dict("sys", "__dict__", NULL);
    m.warnings = watched_dict("warnings", "__dict__", NULL);
    return m.environ && m.sys && m.warnings ? 0 : -1;
}

static int take(PyObject *bytes) {
    char *copy = malloc((size_t)PyBytes_GET_SIZE(bytes));
    if (copy == NULL)
        return -1;
    memcpy(copy, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    pthread_mutex_lock(&snap.lock);
    char *old = snap.bytes;
    snap.bytes = copy;
    snap.size = (size_t)PyBytes_GET_SIZE(bytes);
    atomic_fetch_add_explicit(&snap.version, 1, memory_order_release);
    pthread_mutex_unlock(&snap.lock);
    free(old);
    return 0;
}

void boc__environ_check(void) {
    if (!m.dirty && m.limit == Py_GetRecursionLimit() && !differs(&m.path) && !differs(&m.filters))
        return;
    if (m.watcher < 0 && watch() < 0)
        PyErr_Clear(); /* without a watcher only lists and the limit are followed */
    m.dirty = false;
    m.limit = Py_GetRecursionLimit();
    see(&m.path, Py_XNewRef(PySys_GetObject("path")));
    PyObject *filters = m.warnings ? PyDict_GetItemWithError(m.warnings, m.filters_name) : NULL;
    see(&m.filters, Py_XNewRef(filters));
    PyObject *module = PyImport_ImportModule("boc._environment");
    PyObject *bytes = module ? PyObject_CallMethod(module, "changed", NULL) : NULL;
    if (bytes != NULL && PyBytes_Check(bytes))
        take(bytes);
    if (PyErr_Occurred()) /* what cannot be taken must not stop a schedule */
        PyErr_WriteUnraisable(module);
    Py_XDECREF(bytes);
    Py_XDECREF(module);
}

int boc__environ_apply_new(boc_state_t *st) {
    pthread_mutex_lock(&snap.lock);
    uint64_t version = atomic_load_explicit(&snap.version, memory_order_relaxed);
    char *copy = snap.bytes ? malloc(snap.size) : NULL;
    size_t size = snap.size;
    if (copy != NULL)
        memcpy(copy, snap.bytes, size);
    pthread_mutex_unlock(&snap.lock);
    if (copy == NULL)
        return 0;
    st->environ_version = version;
    PyObject *module = PyImport_ImportModule("boc._worker");
    PyObject *r = module ? PyObject_CallMethod(module, "apply_environment", "y#", copy, (Py_ssize_t)size) : NULL;
    free(copy);
    Py_XDECREF(module);
    Py_XDECREF(r);
    return r ? 0 : -1;
}

uint64_t boc__environ_version(void) { return atomic_load_explicit(&snap.version, memory_order_acquire); }

void boc__environ_after_fork(void) { pthread_mutex_init(&snap.lock, NULL); }

/* environment_dirty(): something changed that cannot be watched from here (logging levels) */
static PyObject *environment_dirty(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    m.dirty = true;
    Py_RETURN_NONE;
}

PyMethodDef boc__environ_methods[] = {
    {"environment_dirty", environment_dirty, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
