/* What goes from workers to the main interpreter: printed text, log records, warnings, exceptions that nobody saw.
 *
 * A queue under a mutex that is never held across a call; main's service thread takes all of it at once. Also here:
 * the origin (which cell scheduled), the trace as Python reads it, and objects of pinned cowns that died elsewhere. */
#include "binding.h"
#include "notebook.h"
#include "replay.h"
#include "until.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct item {
    struct item *next;
    int kind;
    uint32_t name, origin;
    uint64_t behavior;
    int worker;
    boc_blob_t *blob;
    bool lost;     /* of an exception: it took a cown's value */
    boc_cown_t *cown;
    size_t na, nb;
    char data[];
} item_t;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    item_t *head, **tail;
    _Atomic uint32_t depth;
    bool closed;
    bool notice;           /* instead of an item: a write must not go unheard because there is no memory for one */
    _Atomic uint32_t lost; /* items that there was no memory for, and nobody was told yet */
} q = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .tail = &q.head};

static _Atomic uint32_t cell_origin;             /* of main's cell that runs */
static _Thread_local uint32_t thread_origin BOC_TLS;     /* of one thread, if it set its own */

uint32_t boc__origin(void) {
    if (boc__in_body() && !(boc__ctx->current->flags & BOC_B_NATIVE))
        return boc__job(boc__ctx->current)->origin;
    return thread_origin ? thread_origin : atomic_load_explicit(&cell_origin, memory_order_relaxed);
}

void boc__emit_notice(void) {
    pthread_mutex_lock(&q.lock);
    if (!q.notice) {
        q.notice = true;
        atomic_fetch_add_explicit(&q.depth, 1, memory_order_relaxed);
        pthread_cond_signal(&q.more);
    }
    pthread_mutex_unlock(&q.lock);
}

static void push(item_t *it) {
    it->next = NULL;
    it->worker = boc_on_worker() ? (int)boc_self() : -1;
    pthread_mutex_lock(&q.lock);
    bool first = q.head == NULL; /* else whoever takes has been woken, or will look before it sleeps */
    *q.tail = it;
    q.tail = &it->next;
    atomic_fetch_add_explicit(&q.depth, 1, memory_order_relaxed);
    if (first)
        pthread_cond_signal(&q.more);
    pthread_mutex_unlock(&q.lock);
}

/* There is no memory to say it with: main says that there was something. */
static void lose(void) {
    atomic_fetch_add(&q.lost, 1);
    atomic_fetch_add_explicit(&q.depth, 1, memory_order_relaxed);
}

void boc__emit(int kind, const char *a, size_t na, const char *b, size_t nb, uint64_t behavior, uint32_t name, uint32_t origin) {
    item_t *it = malloc(sizeof *it + na + nb);
    if (it == NULL) { /* text is the first thing to go */
        lose();
        return;
    }
    memset(it, 0, sizeof *it);
    it->kind = kind;
    it->na = na;
    it->nb = nb;
    memcpy(it->data, a, na);
    if (nb)
        memcpy(it->data + na, b, nb);
    it->behavior = behavior;
    it->name = name;
    it->origin = origin;
    push(it);
}

void *boc__emission(int kind, const void *a, size_t na) {
    item_t *it = calloc(1, sizeof *it + na);
    if (it != NULL) {
        it->kind = kind;
        it->na = na;
        memcpy(it->data, a, na);
    }
    return it;
}

void boc__emit_made(void *emission) { push(emission); }

void boc__emit_unseen(uint64_t cown, uint32_t name, boc_blob_t *exc, uint32_t origin, bool lost) {
    item_t *it = calloc(1, sizeof *it);
    if (it == NULL) {
        boc__blob_drop(exc);
        lose();
        return;
    }
    it->kind = K_UNSEEN;
    it->blob = exc;
    it->lost = lost;
    it->behavior = cown;
    it->name = name;
    it->origin = origin;
    push(it);
}

void boc__emit_cown(int kind, boc_cown_t *c, uint32_t origin) {
    item_t *it = calloc(1, sizeof *it);
    if (it == NULL) {
        lose();
        return;
    }
    boc_cown_retain(c);
    it->kind = kind;
    it->cown = c;
    it->behavior = c->id;
    it->name = c->name;
    it->origin = origin;
    push(it);
}

void boc__service_after_fork(void) {
    pthread_mutex_init(&q.lock, NULL);
    pthread_cond_init(&q.more, NULL);
    q.head = NULL; /* the parent says it */
    q.tail = &q.head;
    q.notice = false;
    atomic_store(&q.depth, 0);
    atomic_store(&q.lost, 0);
}

/* ---- Python's side ----------------------------------------------------------------------- */
static PyObject *text(const char *p, size_t n) { return PyUnicode_DecodeUTF8(p, (Py_ssize_t)n, "surrogatepass"); }

static PyObject *as_tuple(boc_state_t *st, item_t *it) {
    PyObject *a, *b;
    if (it->blob != NULL) {
        PyObject *packed = boc__unpickle(st, it->blob);
        if (packed == NULL)
            packed = PyErr_GetRaisedException();
        PyObject *f = boc__py(st, PY_UNPACK);
        a = f ? PyObject_CallOneArg(f, packed) : NULL;
        Py_XDECREF(packed);
        if (a == NULL) {
            boc__forgive();
            a = PyUnicode_FromString("an exception that could not be brought to main");
        }
        b = PyUnicode_FromString(it->lost ? "lost" : "");
    } else if (it->cown != NULL) {
        boc_cown_retain(it->cown);
        a = boc__cown_wrap(st, it->cown);
        b = PyUnicode_FromString("");
    } else if (it->kind == K_LOG || it->kind == K_WARN || it->kind == K_DISPLAY || it->kind == K_DONE) {
        a = PyBytes_FromStringAndSize(it->data, (Py_ssize_t)it->na);
        b = PyBytes_FromStringAndSize(it->data + it->na, (Py_ssize_t)it->nb);
    } else {
        a = text(it->data, it->na);
        b = text(it->data + it->na, it->nb);
    }
    if (a == NULL || b == NULL) {
        Py_XDECREF(a);
        Py_XDECREF(b);
        return NULL;
    }
    return Py_BuildValue("iNNKNIi", it->kind, a, b, (unsigned long long)it->behavior, boc__name_str(it->name), it->origin, it->worker);
}

/* What main had no memory for stays the first to come. */
static void put_back(item_t *list) {
    item_t *last = list;
    while (last->next != NULL)
        last = last->next;
    pthread_mutex_lock(&q.lock);
    last->next = q.head;
    if (q.head == NULL)
        q.tail = &last->next;
    q.head = list;
    pthread_mutex_unlock(&q.lock);
}

static int add(PyObject *out, PyObject *tuple) {
    int rc = tuple ? PyList_Append(out, tuple) : -1;
    Py_XDECREF(tuple);
    return rc;
}

/* What is no item: the noticeboard's call, and the word that something was lost. -1 with an exception: both are still to be told. */
static int add_others(PyObject *out, bool notice) {
    uint32_t lost = atomic_load(&q.lost);
    if (lost != 0) {
        PyObject *text = PyUnicode_FromFormat("boc: out of memory: %u texts, records or reports of behaviors were lost\n", lost);
        if (text == NULL || add(out, Py_BuildValue("iNsisii", K_ERR, text, "", 0, "", 0, -1)) < 0)
            return -1;
        atomic_fetch_sub(&q.lost, lost);
    }
    return notice ? add(out, Py_BuildValue("issisii", K_NOTICE, "", "", 0, "", 0, -1)) : 0;
}

/* service_next(timeout) -> list of (kind, a, b, behavior id, name, origin, worker); [] when the time is up */
static PyObject *service_next(PyObject *module, PyObject *args) {
    (void)module;
    double timeout = 0;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyArg_ParseTuple(args, "d:service_next", &timeout))
        return NULL;
    struct timespec t = boc__until((int64_t)(timeout * 1e9));
    item_t *list;
    bool notice;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&q.lock);
    while (q.head == NULL && !q.notice && !q.closed && timeout > 0 && pthread_cond_timedwait(&q.more, &q.lock, &t) != ETIMEDOUT)
        ;
    list = q.head;
    q.head = NULL;
    q.tail = &q.head;
    notice = q.notice;
    q.notice = false;
    if (list == NULL && !notice) /* whoever took the last ones has handled them: it asks again only then */
        atomic_store_explicit(&q.depth, 0, memory_order_relaxed);
    pthread_mutex_unlock(&q.lock);
    Py_END_ALLOW_THREADS
    boc__main_drops();
    PyObject *out = PyList_New(0);
    while (list != NULL) {
        item_t *it = list;
        if (out == NULL || add(out, as_tuple(st, it)) < 0) {
            if (out == NULL || PyErr_ExceptionMatches(PyExc_MemoryError)) {
                put_back(list);
                break;
            }
            boc__forgive();
        }
        list = it->next;
        if (it->blob != NULL)
            boc__blob_drop(it->blob);
        if (it->cown != NULL)
            boc_cown_release(it->cown);
        free(it);
    }
    if ((out == NULL || add_others(out, notice) < 0) && notice)
        boc__emit_notice();
    if (out != NULL && PyErr_Occurred() && PyList_GET_SIZE(out) == 0)
        Py_CLEAR(out);
    else if (out != NULL)
        boc__forgive(); /* what is left comes with the next call */
    return out;
}

/* service_wake(): service_next returns at once */
static PyObject *service_wake(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    pthread_mutex_lock(&q.lock);
    q.closed = true;
    pthread_cond_broadcast(&q.more);
    pthread_mutex_unlock(&q.lock);
    Py_RETURN_NONE;
}

/* The service's module and its thread cost milliseconds that start() does not wait for: a thread of its own brings them up.
   Until then what is sent is queued, and waits handle it themselves. */
static void *launch(void *unused) {
    (void)unused;
    PyThreadState *t = PyThreadState_New(PyInterpreterState_Main());
    if (t == NULL)
        return NULL;
    PyEval_RestoreThread(t); /* never returns if the program has ended meanwhile */
    PyObject *f = boc__py(boc__main_state, PY_SERVICE_START);
    PyObject *r = f ? PyObject_CallNoArgs(f) : NULL;
    if (r == NULL)
        boc__forgive();
    Py_XDECREF(r);
    PyThreadState_Clear(t);
    PyThreadState_DeleteCurrent();
    return NULL;
}

static PyObject *launch_service(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    pthread_t thread;
    if (pthread_create(&thread, NULL, launch, NULL) == 0)
        pthread_detach(thread);
    Py_RETURN_NONE;
}

void boc__drain_output(int64_t deadline) {
    if (atomic_load_explicit(&q.depth, memory_order_relaxed) == 0 && !boc__notebook() && !boc__notice_busy())
        return;
    boc_state_t *st = boc__st();
    PyObject *f = st ? boc__py(st, PY_SERVICE_DRAIN) : NULL;
    int64_t left = deadline - boc_now();
    PyObject *r = NULL;
    if (f != NULL)
        r = deadline == INT64_MAX ? PyObject_CallNoArgs(f) : PyObject_CallFunction(f, "d", left > 0 ? (double)left * 1e-9 : 0.0);
    if (r == NULL)
        boc__forgive();
    Py_XDECREF(r);
}

/* emit(kind, a, b=''): from a body to main */
static PyObject *py_emit(PyObject *module, PyObject *args) {
    (void)module;
    int kind;
    const char *a, *b = "";
    Py_ssize_t na, nb = 0;
    if (!PyArg_ParseTuple(args, "is#|s#:emit", &kind, &a, &na, &b, &nb))
        return NULL;
    bool in = boc__in_body();
    boc__emit(kind, a, (size_t)na, b, (size_t)nb, in ? boc__ctx->current->id : 0, in ? boc__ctx->current->name : 0, boc__origin());
    Py_RETURN_NONE;
}

/* dirty_output(): the body left part of a line; boc._worker.body_end is to be called when it ends */
static PyObject *dirty_output(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_state_t *st = boc__ctx == NULL ? boc__st() : NULL; /* a thread that the body started */
    if (boc__ctx != NULL || st != NULL)
        (st == NULL ? boc__ctx : &st->ctx)->dirty_output = true;
    Py_RETURN_NONE;
}

/* service_wait(timeout) -> bool: there is something to take; takes nothing */
static PyObject *service_wait(PyObject *module, PyObject *args) {
    (void)module;
    double timeout;
    if (!PyArg_ParseTuple(args, "d:service_wait", &timeout))
        return NULL;
    struct timespec t = boc__until((int64_t)(timeout * 1e9));
    bool some;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&q.lock);
    while (q.head == NULL && !q.notice && !q.closed && pthread_cond_timedwait(&q.more, &q.lock, &t) != ETIMEDOUT)
        ;
    some = q.head != NULL || q.notice;
    q.closed = false;
    pthread_mutex_unlock(&q.lock);
    Py_END_ALLOW_THREADS
    boc__main_drops();
    return PyBool_FromLong(some);
}

static PyObject *set_origin(PyObject *module, PyObject *args) {
    (void)module;
    unsigned origin;
    int this_thread = 0;
    if (!PyArg_ParseTuple(args, "I|p:set_origin", &origin, &this_thread))
        return NULL;
    if (this_thread)
        thread_origin = origin;
    else
        atomic_store_explicit(&cell_origin, origin, memory_order_relaxed);
    Py_RETURN_NONE;
}

static PyObject *get_origin(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(boc__origin());
}

PyMethodDef boc__service_methods[] = {
    {"service_next", service_next, METH_VARARGS, "service_next(timeout) -> list of (kind, a, b, behavior, name, origin, worker)"},
    {"service_wait", service_wait, METH_VARARGS, "service_wait(timeout) -> bool: something is queued"},
    {"dirty_output", dirty_output, METH_NOARGS, NULL},
    {"_launch_service", launch_service, METH_NOARGS, NULL},
    {"service_wake", service_wake, METH_NOARGS, NULL},
    {"emit", py_emit, METH_VARARGS, "emit(kind, a, b='') queues text or bytes for the main interpreter"},
    {"set_origin", set_origin, METH_VARARGS, "set_origin(n, this_thread=False): what behaviors scheduled from now on carry"},
    {"get_origin", get_origin, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- objects of pinned cowns that died on another thread ----------------------------------- */
static struct {
    pthread_mutex_t lock;
    PyObject **list;
    size_t n, cap;
} drops = {.lock = PTHREAD_MUTEX_INITIALIZER};

void boc__main_drop_after_fork(void) { pthread_mutex_init(&drops.lock, NULL); }

void boc__main_drop_later(PyObject *o) {
    pthread_mutex_lock(&drops.lock);
    if (drops.n == drops.cap) {
        size_t cap = drops.cap ? drops.cap * 2 : 16;
        PyObject **t = realloc(drops.list, cap * sizeof *t);
        if (t != NULL) {
            drops.list = t;
            drops.cap = cap;
        }
    }
    if (drops.n < drops.cap)
        drops.list[drops.n++] = o;
    pthread_mutex_unlock(&drops.lock);
    pthread_mutex_lock(&q.lock);
    q.closed = true; /* nothing to take, but to drop */
    pthread_cond_signal(&q.more);
    pthread_mutex_unlock(&q.lock);
}

void boc__main_drops(void) {
    for (;;) {
        PyObject *o = NULL;
        pthread_mutex_lock(&drops.lock);
        if (drops.n)
            o = drops.list[--drops.n];
        pthread_mutex_unlock(&drops.lock);
        if (o == NULL)
            return;
        Py_DECREF(o);
    }
}

/* ---- the trace ------------------------------------------------------------------------------- */
typedef struct cursor {
    PyObject_HEAD
    boc_trace_cursor_t *c;
} cursor_t;

#define LOST_WORDS (BOC_MAX_WORKERS + 64)

/* Adds thread: number to the dict. */
static void told(PyObject *d, uint32_t thread, uint64_t number) {
    PyObject *k = PyLong_FromUnsignedLong(thread), *v = PyLong_FromUnsignedLongLong(number);
    if (k == NULL || v == NULL || PyDict_SetItem(d, k, v) < 0)
        PyErr_Clear();
    Py_XDECREF(k);
    Py_XDECREF(v);
}

static PyObject *cursor_read(PyObject *self, PyObject *args) {
    Py_ssize_t max = 1 << 20;
    cursor_t *cur = (cursor_t *)self;
    if (!PyArg_ParseTuple(args, "|n:read", &max))
        return NULL;
    if (cur->c == NULL) {
        PyErr_SetString(PyExc_ValueError, "the cursor is closed");
        return NULL;
    }
    uint64_t *lost = calloc(LOST_WORDS, sizeof *lost);
    size_t cap = 1 << 14, n = 0;
    PyObject *out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(cap * sizeof(boc_record_t)));
    PyObject *d = PyDict_New();
    while (out && lost && d && n < (size_t)max) {
        size_t room = cap - n < (size_t)max - n ? cap - n : (size_t)max - n;
        size_t got = boc_trace_read(cur->c, (boc_record_t *)(void *)PyBytes_AS_STRING(out) + n, room, lost);
        n += got;
        if (got < room)
            break;
        if (n == cap) {
            cap *= 2;
            _PyBytes_Resize(&out, (Py_ssize_t)(cap * sizeof(boc_record_t))); /* out is NULL if it fails */
        }
    }
    if (out)
        _PyBytes_Resize(&out, (Py_ssize_t)(n * sizeof(boc_record_t)));
    PyObject *r = NULL;
    if (out && lost && d) {
        for (uint32_t i = 0; i < LOST_WORDS; i++) {
            if (lost[i] != 0)
                told(d, i, lost[i]);
        }
        r = PyTuple_Pack(2, out, d);
    } else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    Py_XDECREF(out);
    free(lost);
    Py_XDECREF(d);
    return r;
}

static PyObject *cursor_before(PyObject *self, PyObject *unused) {
    (void)unused;
    cursor_t *cur = (cursor_t *)self;
    PyObject *d = PyDict_New();
    for (uint32_t i = 0; d != NULL && cur->c != NULL && i < LOST_WORDS; i++) {
        uint64_t n = boc_trace_before(cur->c, i);
        if (n != 0)
            told(d, i, n);
    }
    return d;
}

static PyObject *cursor_close(PyObject *self, PyObject *unused) {
    (void)unused;
    cursor_t *cur = (cursor_t *)self;
    if (cur->c != NULL)
        boc_trace_close(cur->c);
    cur->c = NULL;
    Py_RETURN_NONE;
}

static void cursor_dealloc(PyObject *self) {
    PyTypeObject *t = Py_TYPE(self);
    Py_XDECREF(cursor_close(self, NULL));
    t->tp_free(self);
    Py_DECREF(t);
}

static PyMethodDef cursor_methods[] = {
    {"read", cursor_read, METH_VARARGS, "read(max_records=1<<20) -> (records of 32 bytes, {thread: newly lost})"},
    {"before", cursor_before, METH_NOARGS, "before() -> {thread: records overtaken before the first read}"},
    {"close", cursor_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot cursor_slots[] = {{Py_tp_dealloc, cursor_dealloc}, {Py_tp_methods, cursor_methods}, {0, NULL}};
static PyType_Spec cursor_spec = {"boc._core.TraceCursor", sizeof(cursor_t), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, cursor_slots};

int boc__service_init(boc_state_t *st) {
    st->cursor_type = (PyTypeObject *)PyType_FromModuleAndSpec(st->module, &cursor_spec, NULL);
    return st->cursor_type == NULL ? -1 : 0;
}

static PyObject *tr_open(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_state_t *st = boc__st();
    cursor_t *c = st ? (cursor_t *)st->cursor_type->tp_alloc(st->cursor_type, 0) : NULL;
    if (c == NULL)
        return NULL;
    c->c = boc_trace_open();
    if (c->c == NULL) {
        Py_DECREF(c);
        return PyErr_NoMemory();
    }
    return (PyObject *)c;
}

static PyObject *tr_names(PyObject *module, PyObject *args) {
    (void)module;
    unsigned first = 0;
    if (!PyArg_ParseTuple(args, "|I:trace_names", &first))
        return NULL;
    PyObject *list = PyList_New(0);
    uint32_t count = boc_name_count();
    for (uint32_t i = first; list != NULL && i < count; i++) {
        PyObject *o = boc__name_str(i);
        if (o == NULL || PyList_Append(list, o) < 0)
            Py_CLEAR(list);
        Py_XDECREF(o);
    }
    return list;
}

static PyObject *tr_now(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromLongLong(boc_now());
}

/* trace_tally() -> [(time, first, rows), ..]: the counters by name at each mark, and now */
static PyObject *tr_tally(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    enum { MOST = 64 };
    boc_tally_t *y = calloc(MOST, sizeof *y);
    PyObject *list = y != NULL ? PyList_New(0) : PyErr_NoMemory();
    uint32_t n = 0;
    if (list != NULL) {
        Py_BEGIN_ALLOW_THREADS
        n = boc_tally_read(y, MOST);
        Py_END_ALLOW_THREADS
    }
    for (uint32_t i = 0; i < n; i++) {
        PyObject *row = list == NULL ? NULL
                                     : Py_BuildValue("LLy#", (long long)y[i].time, (long long)y[i].first, y[i].row != NULL ? (const char *)y[i].row : "",
                                                     (Py_ssize_t)(y[i].n * sizeof *y[i].row));
        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
        boc_tally_free(&y[i]);
    }
    free(y);
    return list;
}

static PyObject *tr_clear(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_trace_clear();
    Py_RETURN_NONE;
}

static PyObject *tr_enable(PyObject *module, PyObject *on) {
    (void)module;
    boc_trace_enable(PyObject_IsTrue(on) > 0);
    Py_RETURN_NONE;
}

/* trace_text(kind, text): a mark or the begin/end of a span, of the body that runs */
static PyObject *tr_text(PyObject *module, PyObject *args) {
    (void)module;
    int kind;
    const char *s;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "is#:trace_text", &kind, &s, &n))
        return NULL;
    boc_trace((uint8_t)kind, boc__in_body() ? boc__ctx->current->id : 0, 0, boc_name(s, (size_t)n), 0);
    Py_RETURN_NONE;
}

PyMethodDef boc__trace_methods[] = {
    {"trace_open", tr_open, METH_NOARGS, "trace_open() -> cursor at the oldest record"},
    {"trace_names", tr_names, METH_VARARGS, "trace_names(first=0) -> list of str"},
    {"cown_names", boc__cown_names, METH_NOARGS, "cown_names() -> bytes: rows of two uint64, id and name number"},
    {"now_ns", tr_now, METH_NOARGS, "now_ns() -> CLOCK_MONOTONIC in ns"},
    {"now", tr_now, METH_NOARGS, "now() -> CLOCK_MONOTONIC in ns"},
    {"trace_tally", tr_tally, METH_NOARGS, "trace_tally() -> [(time, first, rows of 40 bytes)]: counters at each mark and now"},
    {"trace_clear", tr_clear, METH_NOARGS, NULL},
    {"trace_enable", tr_enable, METH_O, NULL},
    {"trace_text", tr_text, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
