/* send and receive: FIFO queues by tag, between bodies and threads of every interpreter.
 *
 * One mutex for all queues, held for a few instructions; contents are encoded values, so that no object crosses. A receiver
 * looks, spins a little without the GIL, then sleeps on its wait cell; a sender wakes those that wait for its tag. */
#include "binding.h"
#include "replay.h"
#include "stepping.h"
#include "until.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct message {
    struct message *next;
    boc_value_t v;
} message_t;

typedef struct tag {
    struct tag *chain;
    uint32_t name;
    message_t *head, **tail;
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
    tag_t *bucket[BUCKETS];
    waiting_t *waiters;
    _Atomic uint64_t sent; /* bumped by each send: what a spinning receiver watches */
} mail = {.lock = PTHREAD_MUTEX_INITIALIZER};

void boc__message_after_fork(void) {
    pthread_mutex_init(&mail.lock, NULL);
    mail.waiters = NULL;
    memset(mail.bucket, 0, sizeof mail.bucket);
}

static tag_t *find_tag(uint32_t name, bool make) {
    tag_t **at = &mail.bucket[(name * 2654435761u) >> 24];
    for (tag_t *t = *at; t != NULL; t = t->chain)
        if (t->name == name)
            return t;
    tag_t *t = make ? calloc(1, sizeof *t) : NULL;
    if (t != NULL) {
        t->name = name;
        t->tail = &t->head;
        t->chain = *at;
        *at = t;
    }
    return t;
}

static int tag_id(PyObject *o, uint32_t *out) {
    if (!PyUnicode_Check(o)) {
        PyErr_Format(PyExc_TypeError, "a tag is a string, not %.100s", Py_TYPE(o)->tp_name);
        return -1;
    }
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(o, &n);
    if (s == NULL)
        return -1;
    *out = boc_name(s, (size_t)n);
    return 0;
}

/* One tag or a list or tuple of them, into a new array. */
static uint32_t *tag_ids(PyObject *tags, Py_ssize_t *n) {
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
        if (tag_id(one ? tags : PySequence_Fast_GET_ITEM(tags, i), &ids[i]) < 0) {
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
        tag_id(got[0], &tag) < 0)
        return NULL;
    message_t *m = malloc(sizeof *m);
    if (m == NULL)
        return PyErr_NoMemory();
    m->next = NULL;
    if (boc__encode(st, got[1], &m->v, "the contents of a message") < 0) {
        free(m);
        return NULL;
    }
    pthread_mutex_lock(&mail.lock);
    tag_t *t = find_tag(tag, true);
    if (t != NULL) {
        *t->tail = m;
        t->tail = &m->next;
        atomic_fetch_add_explicit(&mail.sent, 1, memory_order_release);
        if (mail.waiters != NULL)
            wake_for(tag, false);
    }
    pthread_mutex_unlock(&mail.lock);
    if (t == NULL) {
        boc__value_drop(&m->v);
        free(m);
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

/* Under the lock: the first message of the first tag that has one. */
static message_t *take(const uint32_t *ids, Py_ssize_t n, Py_ssize_t *which) {
    for (Py_ssize_t i = 0; i < n; i++) {
        tag_t *t = find_tag(ids[i], false);
        if (t == NULL || t->head == NULL)
            continue;
        message_t *m = t->head;
        t->head = m->next;
        if (t->head == NULL)
            t->tail = &t->head;
        *which = i;
        return m;
    }
    return NULL;
}

/* Sleeps until something was sent for one of the tags, at most 50 ms. */
static void sleep_for(const uint32_t *ids, Py_ssize_t n, int64_t deadline, uint64_t seen) {
    waiting_t w = {.tags = ids, .n = n};
    int64_t ns = deadline - boc_now();
    if (ns <= 0)
        return;
    struct timespec t = boc__until(ns < BOC_SLICE_NS ? ns : BOC_SLICE_NS);
    pthread_mutex_lock(&mail.lock);
    if (atomic_load_explicit(&mail.sent, memory_order_acquire) == seen) {
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
    pthread_mutex_unlock(&mail.lock);
}

/* _receive(tags, deadline seconds or None, ends=True) -> (tag, contents) or None when the time is up. ends: so will the wait
   that this one is a slice of. */
static PyObject *msg_receive(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *tags, *timeout;
    int64_t deadline;
    int ends = 1;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyArg_ParseTuple(args, "OO|p:_receive", &tags, &timeout, &ends) || boc__not_in_update() < 0 || boc__deadline(timeout, &deadline) < 0)
        return NULL;
    Py_ssize_t n, which = 0;
    uint32_t *ids = tag_ids(tags, &n);
    if (ids == NULL)
        return NULL;
    bool pump = boc__may_pump() && !boc__in_body();
    for (;;) {
        uint64_t seen = atomic_load_explicit(&mail.sent, memory_order_acquire);
        pthread_mutex_lock(&mail.lock);
        message_t *m = take(ids, n, &which);
        pthread_mutex_unlock(&mail.lock);
        if (m != NULL) {
            PyObject *contents = boc__decode_taking(st, &m->v);
            boc__value_drop(&m->v);
            free(m);
            PyObject *tag = contents ? boc__name_str(ids[which]) : NULL;
            PyMem_Free(ids);
            if (tag == NULL) {
                Py_XDECREF(contents);
                return NULL;
            }
            return Py_BuildValue("(NN)", tag, contents);
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
        if (replay && !ends && !boc__in_body())
            boc__replay_look();
        if (boc__replay_returns(left, ends) < 0 || PyErr_CheckSignals() < 0 || boc__wait_slice(st, BOC_EINTR, pump) < 0) {
            PyMem_Free(ids);
            return NULL;
        }
    }
    PyMem_Free(ids);
    Py_RETURN_NONE;
}

static void drop_list(message_t *m) {
    while (m != NULL) {
        message_t *next = m->next;
        boc__value_drop(&m->v);
        free(m);
        m = next;
    }
}

static PyObject *msg_drain(PyObject *module, PyObject *const *args, Py_ssize_t given, PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"tags", NULL};
    PyObject *tags;
    if (boc__arguments(args, given, kwnames, names, 1, "drain(tags)", &tags) < 0)
        return NULL;
    Py_ssize_t n;
    uint32_t *ids = tag_ids(tags, &n);
    if (ids == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        pthread_mutex_lock(&mail.lock);
        tag_t *t = find_tag(ids[i], false);
        message_t *list = t ? t->head : NULL;
        if (t != NULL) {
            t->head = NULL;
            t->tail = &t->head;
        }
        wake_for(ids[i], true);
        pthread_mutex_unlock(&mail.lock);
        drop_list(list);
    }
    PyMem_Free(ids);
    Py_RETURN_NONE;
}

/* _clear_messages(): every queue, and every waiter looks again */
static PyObject *msg_clear(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    for (int b = 0; b < BUCKETS; b++) {
        for (;;) {
            message_t *list = NULL;
            pthread_mutex_lock(&mail.lock);
            for (tag_t *t = mail.bucket[b]; t != NULL && list == NULL; t = t->chain) {
                list = t->head;
                t->head = NULL;
                t->tail = &t->head;
            }
            pthread_mutex_unlock(&mail.lock);
            if (list == NULL)
                break;
            drop_list(list);
        }
    }
    pthread_mutex_lock(&mail.lock);
    for (waiting_t *w = mail.waiters; w != NULL; w = w->next) {
        w->woken = true;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&mail.lock);
    Py_RETURN_NONE;
}

PyMethodDef boc__message_methods[] = {
    {"send", (PyCFunction)(void (*)(void))msg_send, METH_FASTCALL | METH_KEYWORDS,
     "send(tag, contents)\n--\n\nQueue contents (copied at the call) under tag. Never blocks."},
    {"_receive", msg_receive, METH_VARARGS, NULL},
    {"drain", (PyCFunction)(void (*)(void))msg_drain, METH_FASTCALL | METH_KEYWORDS,
     "drain(tags)\n--\n\nDrop what is queued under a tag, or a list of tags."},
    {"_clear_messages", msg_clear, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
