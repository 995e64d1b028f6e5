/* send and receive: FIFO queues by tag, between bodies and threads of every interpreter.
 *
 * Contents are encoded values, so that no object crosses. A receiver looks, spins a little without the GIL, then sleeps on its
 * wait cell; a sender wakes one that waits for its tag.
 *
 * Invariants
 *  - A queue is a list that begins with a message that was taken already (its first: part of the tag), so who puts and who
 *    takes touch different ends, each end under a lock of its own: one producer and one consumer never wait for each other.
 *    The link to a message is its release; who follows it sees the message whole.
 *  - Tags are never freed while the process lives: they are found without a lock, and added under mail.lock.
 *  - Locks are taken in the order take, put, mail; nothing is encoded, decoded or dropped under any of them.
 *  - Nobody oversleeps: a sender links, bumps mail.sent, then looks at mail.sleepers; a receiver counts itself there, then looks
 *    whether mail.sent is still what it was before it last looked into the queues. All four are sequentially consistent. */
#include "binding.h"
#include "replay.h"
#include "stepping.h"
#include "until.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct message {
    _Atomic(struct message *) next;
    boc_value_t v;
} message_t;

typedef struct tag {
    struct tag *chain;
    uint32_t name;
    pthread_mutex_t put;
    message_t *last;  /* under put */
    char apart[64];   /* the ends are on cache lines of their own */
    pthread_mutex_t take;
    message_t *taken; /* under take: the one before the next to take */
    message_t first;  /* the only one that is not freed */
} tag_t;

typedef struct waiting {
    struct waiting *next;
    pthread_cond_t wake;
    const uint32_t *tags;
    Py_ssize_t n;
    bool woken;
} waiting_t;

#define BUCKETS 256
#define SPINS 2000

static struct {
    pthread_mutex_t lock;
    _Atomic(tag_t *) bucket[BUCKETS];
    waiting_t *waiters;
    _Alignas(64) _Atomic uint64_t sent; /* bumped by each send: what a spinning receiver watches */
    _Alignas(64) _Atomic uint32_t sleepers; /* the waiters, counted */
} mail = {.lock = PTHREAD_MUTEX_INITIALIZER};

void boc__message_after_fork(void) {
    pthread_mutex_init(&mail.lock, NULL);
    mail.waiters = NULL;
    atomic_store(&mail.sleepers, 0);
    for (int b = 0; b < BUCKETS; b++) /* the tags stay behind, some of them locked for ever */
        atomic_store(&mail.bucket[b], NULL);
}

static tag_t *known_tag(uint32_t name) {
    tag_t *t = atomic_load_explicit(&mail.bucket[(name * 2654435761u) >> 24], memory_order_acquire);
    while (t != NULL && t->name != name)
        t = t->chain;
    return t;
}

/* NULL: out of memory. */
static tag_t *tag_for(uint32_t name) {
    tag_t *t = known_tag(name);
    if (t != NULL)
        return t;
    pthread_mutex_lock(&mail.lock);
    t = known_tag(name);
    if (t == NULL && (t = calloc(1, sizeof *t)) != NULL) {
        t->name = name;
        t->last = t->taken = &t->first;
        pthread_mutex_init(&t->put, NULL);
        pthread_mutex_init(&t->take, NULL);
        _Atomic(tag_t *) *at = &mail.bucket[(name * 2654435761u) >> 24];
        t->chain = atomic_load_explicit(at, memory_order_relaxed);
        atomic_store_explicit(at, t, memory_order_release);
    }
    pthread_mutex_unlock(&mail.lock);
    return t;
}

static int tag_id(boc_state_t *st, PyObject *o, uint32_t *out) {
#ifndef Py_GIL_DISABLED
    size_t slot = ((uintptr_t)o >> 4) % BOC_TAGS;
    if (st->tags[slot].text == o) {
        *out = st->tags[slot].name;
        return 0;
    }
#else
    (void)st; /* threads would share its notes */
#endif
    if (!PyUnicode_Check(o)) {
        PyErr_Format(PyExc_TypeError, "a tag is a string, not %.100s", Py_TYPE(o)->tp_name);
        return -1;
    }
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(o, &n);
    if (s == NULL) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            PyErr_Format(PyExc_ValueError, "a tag must be valid UTF-8: %.200R", o);
        return -1;
    }
    if (boc__name_take(s, (size_t)n, out) < 0)
        return -1;
#ifndef Py_GIL_DISABLED
    if (PyUnicode_CheckExact(o)) {
        PyObject *before = st->tags[slot].text;
        st->tags[slot].text = Py_NewRef(o);
        st->tags[slot].name = *out;
        Py_XDECREF(before); /* a text: nothing runs */
    }
#endif
    return 0;
}

void boc__message_forget(boc_state_t *st) {
    for (size_t i = 0; i < BOC_TAGS; i++)
        Py_CLEAR(st->tags[i].text);
}

/* One tag or a list or tuple of them, into a new array. */
static uint32_t *tag_ids(boc_state_t *st, PyObject *tags, Py_ssize_t *n) {
    bool one = PyUnicode_Check(tags);
    if (!one && !PyList_Check(tags) && !PyTuple_Check(tags)) {
        PyErr_Format(PyExc_TypeError, "tags are a string or a list or tuple of strings, not %.100s", Py_TYPE(tags)->tp_name);
        return NULL;
    }
    *n = one ? 1 : PySequence_Fast_GET_SIZE(tags);
    uint32_t *ids = PyMem_Malloc((size_t)(*n ? *n : 1) * sizeof *ids);
    if (ids == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < *n; i++) {
        if (tag_id(st, one ? tags : PySequence_Fast_GET_ITEM(tags, i), &ids[i]) < 0) {
            PyMem_Free(ids);
            return NULL;
        }
    }
    return ids;
}

static void wake_for(uint32_t tag, bool all) {
    for (waiting_t *w = mail.waiters; w != NULL; w = w->next) {
        bool mine = false;
        for (Py_ssize_t i = 0; i < w->n && !mine; i++)
            mine = w->tags[i] == tag;
        if (mine && (all || !w->woken)) {
            w->woken = true;
            pthread_cond_signal(&w->wake);
            if (!all)
                return;
        }
    }
}

static PyObject *msg_send(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"tag", "contents", NULL};
    PyObject *got[2];
    boc_state_t *st = boc__st();
    uint32_t tag;
    if (st == NULL || boc__arguments(args, n, kwnames, names, 2, "send(tag, contents)", got) < 0 || boc__not_in_update() < 0 ||
        tag_id(st, got[0], &tag) < 0)
        return NULL;
    tag_t *t = tag_for(tag);
    message_t *m = t != NULL ? malloc(sizeof *m) : NULL;
    if (m == NULL)
        return PyErr_NoMemory();
    atomic_init(&m->next, NULL);
    if (boc__encode(st, got[1], &m->v, "the contents of a message") < 0) {
        free(m);
        return NULL;
    }
    pthread_mutex_lock(&t->put);
    atomic_store_explicit(&t->last->next, m, memory_order_release);
    t->last = m;
    pthread_mutex_unlock(&t->put);
    atomic_fetch_add(&mail.sent, 1);
    if (atomic_load(&mail.sleepers) != 0) {
        pthread_mutex_lock(&mail.lock);
        wake_for(tag, false);
        pthread_mutex_unlock(&mail.lock);
    }
    Py_RETURN_NONE;
}

/* The next value of a tag into *out; what stood before it is freed. False: there is none. */
static bool take(tag_t *t, boc_value_t *out) {
    if (t == NULL)
        return false;
    pthread_mutex_lock(&t->take);
    message_t *before = t->taken, *m = atomic_load_explicit(&before->next, memory_order_acquire);
    if (m != NULL) {
        t->taken = m;
        *out = m->v;
    }
    pthread_mutex_unlock(&t->take);
    if (m != NULL && before != &t->first)
        free(before);
    return m != NULL;
}

/* What arrived under a tag, as receive() gives it; v is used up. text: the tag's own, or NULL. */
static PyObject *arrived(boc_state_t *st, uint32_t tag, PyObject *text, boc_value_t *v) {
    bool encoded = v->tag == V_BLOB;
    PyObject *contents = boc__decode_taking(st, v), *pair = contents ? PyTuple_New(2) : NULL;
    if (contents == NULL && encoded)
        boc__not_loaded(st, "the contents of a message");
    boc__value_drop(v);
    text = pair == NULL ? NULL : text != NULL ? Py_NewRef(text) : boc__name_str(tag);
    if (text == NULL) {
        Py_XDECREF(pair);
        Py_XDECREF(contents);
        return NULL;
    }
    PyTuple_SET_ITEM(pair, 0, text);
    PyTuple_SET_ITEM(pair, 1, contents);
    return pair;
}

/* The first message of the first tag that has one; NULL without an exception: there is none. */
static PyObject *take_any(boc_state_t *st, const uint32_t *ids, Py_ssize_t n) {
    boc_value_t v;
    for (Py_ssize_t i = 0; i < n; i++)
        if (take(known_tag(ids[i]), &v))
            return arrived(st, ids[i], NULL, &v);
    return NULL;
}

/* Sleeps until something was sent for one of the tags, at most 50 ms. */
static bool sent_since(const void *seen) { return atomic_load(&mail.sent) != *(const uint64_t *)seen; }

static void sleep_for(const uint32_t *ids, Py_ssize_t n, int64_t deadline, uint64_t seen) {
    waiting_t w = {.tags = ids, .n = n};
    int64_t ns = deadline - boc_now();
    if (ns <= 0)
        return;
    struct timespec t = boc__until(ns < BOC_SLICE_NS ? ns : BOC_SLICE_NS);
    pthread_mutex_lock(&mail.lock);
    atomic_fetch_add(&mail.sleepers, 1);
    if (atomic_load(&mail.sent) == seen) {
        pthread_cond_init(&w.wake, NULL);
        waiting_t **at = &mail.waiters; /* at the end: the first to wait is the first to wake */
        while (*at != NULL)
            at = &(*at)->next;
        *at = &w;
        while (!w.woken && pthread_cond_timedwait(&w.wake, &mail.lock, &t) != ETIMEDOUT)
            ;
        for (at = &mail.waiters; *at != &w; at = &(*at)->next)
            ;
        *at = w.next;
        pthread_cond_destroy(&w.wake);
    }
    atomic_fetch_sub(&mail.sleepers, 1);
    pthread_mutex_unlock(&mail.lock);
}

/* _receive(tags, deadline seconds or None, ends=True) -> (tag, contents) or None when the time is up. ends: so will the wait
   that this one is a slice of. */
static PyObject *msg_wait_for(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *tags, *timeout;
    int64_t deadline;
    int ends = 1;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyArg_ParseTuple(args, "OO|p:_receive", &tags, &timeout, &ends) || boc__not_in_update() < 0 || boc__deadline(timeout, &deadline) < 0)
        return NULL;
    Py_ssize_t n;
    uint32_t *ids = tag_ids(st, tags, &n);
    if (ids == NULL)
        return NULL;
    bool pump = boc__may_pump() && !boc__in_body();
    for (;;) {
        uint64_t seen = atomic_load(&mail.sent);
        PyObject *pair = take_any(st, ids, n);
        if (pair != NULL || PyErr_Occurred()) {
            PyMem_Free(ids);
            return pair;
        }
        if (boc_now() >= deadline)
            break;
        bool replay = boc__hooked(HOOK_REPLAY), left = replay && boc__replay_leaves(ends);
        Py_BEGIN_ALLOW_THREADS
        int i = 0;
        while (i < SPINS && atomic_load_explicit(&mail.sent, memory_order_acquire) == seen)
            i++;
        if (i == SPINS)
            sleep_for(ids, n, deadline, seen);
        Py_END_ALLOW_THREADS
        if (boc__replay_returns(left, ends) < 0 || (replay && !ends && boc__replay_look(sent_since, &seen) < 0) || boc__interp_check() < 0 || boc__wait_slice(st, BOC_EINTR, pump) < 0) {
            PyMem_Free(ids);
            return NULL;
        }
    }
    PyMem_Free(ids);
    Py_RETURN_NONE;
}

static bool is_number(PyObject *o) {
    return PyLong_CheckExact(o) || (PyFloat_CheckExact(o) && PyFloat_AS_DOUBLE(o) == PyFloat_AS_DOUBLE(o));
}

/* receive(tags, timeout=-1, after=None): takes what is there; all else, and what is wrong, is for boc._messages. */
static PyObject *msg_receive(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    (void)module;
    boc_state_t *st = boc__st();
    uint32_t tag;
    boc_value_t v;
    if (st == NULL)
        return NULL;
    if (kwnames == NULL && (n == 1 || (n == 2 && is_number(args[1]))) && PyUnicode_CheckExact(args[0])) {
        if (boc__not_in_update() < 0 || tag_id(st, args[0], &tag) < 0)
            return NULL;
        if (take(known_tag(tag), &v))
            return arrived(st, tag, args[0], &v);
    }
    PyObject *f = boc__py(st, PY_RECEIVE);
    return f ? PyObject_Vectorcall(f, args, (size_t)n, kwnames) : NULL;
}

/* Drops what is queued. */
static void empty(tag_t *t) {
    if (t == NULL)
        return;
    pthread_mutex_lock(&t->take);
    pthread_mutex_lock(&t->put);
    message_t *m = atomic_exchange(&t->taken->next, NULL);
    t->last = t->taken;
    pthread_mutex_unlock(&t->put);
    pthread_mutex_unlock(&t->take);
    while (m != NULL) {
        message_t *next = atomic_load_explicit(&m->next, memory_order_relaxed);
        boc__value_drop(&m->v);
        free(m);
        m = next;
    }
}

static PyObject *msg_drain(PyObject *module, PyObject *const *args, Py_ssize_t given, PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"tags", NULL};
    PyObject *tags;
    boc_state_t *st = boc__st();
    if (st == NULL || boc__not_in_update() < 0 || boc__arguments(args, given, kwnames, names, 1, "drain(tags)", &tags) < 0)
        return NULL;
    Py_ssize_t n;
    uint32_t *ids = tag_ids(st, tags, &n);
    if (ids == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        empty(known_tag(ids[i]));
        pthread_mutex_lock(&mail.lock);
        wake_for(ids[i], true);
        pthread_mutex_unlock(&mail.lock);
    }
    PyMem_Free(ids);
    Py_RETURN_NONE;
}

void boc__message_look_again(void) {
    pthread_mutex_lock(&mail.lock);
    for (waiting_t *w = mail.waiters; w != NULL; w = w->next) {
        w->woken = true;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&mail.lock);
}

/* _clear_messages(): every queue, and every waiter looks again */
static PyObject *msg_clear(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    if (boc__not_in_update() < 0)
        return NULL;
    for (int b = 0; b < BUCKETS; b++)
        for (tag_t *t = atomic_load_explicit(&mail.bucket[b], memory_order_acquire); t != NULL; t = t->chain)
            empty(t);
    boc__message_look_again();
    Py_RETURN_NONE;
}

PyMethodDef boc__message_methods[] = {
    {"send", (PyCFunction)(void (*)(void))msg_send, METH_FASTCALL | METH_KEYWORDS,
     "send(tag, contents)\n--\n\nQueue contents (copied at the call) under tag. Never blocks."},
    {"receive", (PyCFunction)(void (*)(void))msg_receive, METH_FASTCALL | METH_KEYWORDS,
     "receive(tags, timeout=-1, after=None)\n--\n\nWait for a message under one of the tags; returns (tag, contents).\n\n"
     "timeout: seconds; negative or None waits for ever, 0 looks once. When they are up: what `after()` returns, else\n"
     "(TIMEOUT, None). A body that waits here keeps its worker. TypeError for tags that are no strings, ValueError for\n"
     "none at all."},
    {"_receive", msg_wait_for, METH_VARARGS, NULL},
    {"drain", (PyCFunction)(void (*)(void))msg_drain, METH_FASTCALL | METH_KEYWORDS,
     "drain(tags)\n--\n\nDrop what is queued under a tag, or a list of tags."},
    {"_clear_messages", msg_clear, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
