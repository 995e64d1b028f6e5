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

/* main's. Its threads come at any time, without a GIL at once: what is compared changes under the lock, which is never held across
   a call out; so a thread may find a change while another is still taking one over. */
static struct {
    int watcher;
    _Atomic bool dirty, watching;
    uint32_t under_way;    /* threads that take a change over */
    uint64_t begun, taken; /* those looks are numbered: what an earlier one saw never takes the place of a later one's */
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
        atomic_store(&m.dirty, true);
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
    seen_list_t now = {.items = list != NULL && PyList_Check(list) ? PyList_AsTuple(list) : NULL};
    if (now.items != NULL)
        now.list = list;
    else
        Py_XDECREF(list);
    boc__brief_lock(&boc__briefs.environ);
    seen_list_t before = *s;
    *s = now;
    boc__brief_unlock(&boc__briefs.environ);
    Py_XDECREF(before.list);
    Py_XDECREF(before.items);
}

static inline bool list_differs(const seen_list_t *s) {
    Py_ssize_t n = PyTuple_GET_SIZE(s->items);
    if (PyList_GET_SIZE(s->list) != n)
        return true;
    for (Py_ssize_t i = 0; i < n; i++)
        if (PyList_GET_ITEM(s->list, i) != PyTuple_GET_ITEM(s->items, i))
            return true;
    return false;
}

static inline bool differs(const seen_list_t *s) {
    bool yes = false;
    if (s->list == NULL)
        return false;
#ifdef Py_GIL_DISABLED
    Py_BEGIN_CRITICAL_SECTION(s->list); /* who makes it longer moves its items */
    yes = list_differs(s);
    Py_END_CRITICAL_SECTION();
#else
    yes = list_differs(s);
#endif
    return yes;
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

static int take(PyObject *bytes, uint64_t look) {
    char *copy = malloc((size_t)PyBytes_GET_SIZE(bytes));
    if (copy == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(copy, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    pthread_mutex_lock(&snap.lock);
    char *old = copy;
    if (look > m.taken) {
        m.taken = look;
        old = snap.bytes;
        snap.bytes = copy;
        snap.size = (size_t)PyBytes_GET_SIZE(bytes);
        atomic_fetch_add_explicit(&snap.version, 1, memory_order_release);
    }
    pthread_mutex_unlock(&snap.lock);
    free(old);
    return 0;
}

/* The number of a look that has to be taken now, 0: nothing changed. *others: other threads are at one. */
static uint64_t begin(bool *others) {
    uint64_t look = 0;
    int limit = Py_GetRecursionLimit();
    boc__brief_lock(&boc__briefs.environ);
    if (atomic_load_explicit(&m.dirty, memory_order_acquire) || m.limit != limit || differs(&m.path) || differs(&m.filters)) {
        atomic_store(&m.dirty, false);
        m.limit = limit;
        *others = m.under_way++ > 0;
        look = ++m.begun;
    }
    boc__brief_unlock(&boc__briefs.environ);
    return look;
}

/* failed: the next schedule looks again. */
static void end(bool failed) {
    boc__brief_lock(&boc__briefs.environ);
    m.under_way--;
    boc__brief_unlock(&boc__briefs.environ);
    if (failed)
        atomic_store(&m.dirty, true);
}

void boc__environ_check(void) {
    bool others = false;
    uint64_t look = begin(&others);
    if (look == 0)
        return;
    if (!atomic_exchange(&m.watching, true) && watch() < 0) {
        PyErr_Clear(); /* without a watcher only lists and the limit are followed */
        atomic_store(&m.watching, m.watcher >= 0);
    }
    see(&m.path, Py_XNewRef(PySys_GetObject("path")));
    PyObject *filters = m.warnings ? PyDict_GetItemWithError(m.warnings, m.filters_name) : NULL;
    see(&m.filters, Py_XNewRef(filters));
    PyObject *module = PyImport_ImportModule("boc._environment");
    PyObject *bytes = module ? PyObject_CallMethod(module, "changed", "O", others ? Py_True : Py_False) : NULL;
    if (bytes != NULL && PyBytes_Check(bytes))
        (void)take(bytes, look);
    end(PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_MemoryError));
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

void boc__environ_after_fork(void) {
    pthread_mutex_init(&snap.lock, NULL);
    m.under_way = 0;
}

/* environment_dirty(): something changed that cannot be watched from here (logging levels) */
static PyObject *environment_dirty(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    atomic_store(&m.dirty, true);
    Py_RETURN_NONE;
}

PyMethodDef boc__environ_methods[] = {
    {"environment_dirty", environment_dirty, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
