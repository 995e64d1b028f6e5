/* What the noticeboard tells: its past, which it keeps here, and warnings of writes that were not applied. */
#include "notice.h"

#include <stdlib.h>

#define MOST 10000      /* writes, the latest */
#define MOST_BYTES 4096 /* of a value that is remembered */

typedef struct past {
    uint64_t version, writer;
    int64_t time;
    uint32_t key, writer_name;
    boc_value_t v; /* V_ABSENT: deleted */
} past_t;

static past_t *ring; /* under the board's lock */
static uint64_t written;

void boc__past_add(const op_t *op, const boc_value_t *v, uint64_t version, boc_value_t *oldest) {
    oldest->tag = V_EMPTY;
    if (ring == NULL && (ring = calloc(MOST, sizeof *ring)) == NULL)
        return;
    past_t *p = &ring[written++ % MOST];
    *oldest = p->v;
    *p = (past_t){.version = version, .writer = op->writer, .time = boc_now(), .key = op->key, .writer_name = op->writer_name};
    p->v.tag = V_ABSENT;
    if (v != NULL && boc__value_light(v, MOST_BYTES))
        boc__value_copy(&p->v, v);
    else if (v != NULL)
        p->v.tag = V_EMPTY;
}

void boc__past_known(void) {
    for (uint64_t i = 0; ring != NULL && i < written && i < MOST; i++)
        boc__value_known(&ring[i].v);
}

/* list of (key, version, writer id, time ns, repr or None: deleted, writer's name); drops the values */
static PyObject *told(boc_state_t *st, past_t *past, uint64_t n) {
    PyObject *list = PyList_New(0);
    for (uint64_t i = 0; i < n; i++) {
        PyObject *r = NULL;
        if (past[i].v.tag == V_ABSENT) {
            r = Py_NewRef(Py_None);
        } else if (past[i].v.tag != V_EMPTY) {
            PyObject *o = boc__decode(st, &past[i].v);
            r = o ? PyObject_Repr(o) : NULL;
            Py_XDECREF(o);
        }
        if (r == NULL) {
            boc__forgive();
            r = PyUnicode_FromString("...");
        }
        if (r != NULL && PyUnicode_Check(r) && PyUnicode_GET_LENGTH(r) > 80)
            Py_SETREF(r, PyUnicode_FromFormat("%.77U...", r));
        PyObject *t = list && r ? Py_BuildValue("sKKLON", boc_name_text(past[i].key), (unsigned long long)past[i].version,
                                                (unsigned long long)past[i].writer, (long long)past[i].time, r,
                                                boc__name_str(past[i].writer ? past[i].writer_name : boc_name("main", 4)))
                                : NULL;
        if (t == NULL || PyList_Append(list, t) < 0)
            Py_CLEAR(list);
        Py_XDECREF(t);
        Py_XDECREF(r);
        boc__value_drop(&past[i].v);
    }
    return list;
}

/* board_history() -> list of what told() says, of a copy: a repr is Python, and runs without the lock */
PyObject *boc__board_history(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    past_t *copy = malloc(MOST * sizeof *copy);
    uint64_t n = 0;
    boc__board_lock();
    for (uint64_t i = written > MOST ? written - MOST : 0; copy != NULL && ring != NULL && i < written; i++) {
        copy[n] = ring[i % MOST];
        boc__value_copy(&copy[n].v, &ring[i % MOST].v);
        n++;
    }
    boc__board_unlock();
    PyObject *list = told(st, copy, n);
    free(copy);
    return list;
}

void boc__notice_warn_full(const op_t *op) {
    char text[300];
    const char *who = op->writer ? boc_name_text(op->writer_name) : "main";
    int n = snprintf(text, sizeof text,
                     "the noticeboard is full (64 keys): '%.80s' written by %.80s was not applied; delete a key first, or keep the data "
                     "in a Cown",
                     boc_name_text(op->key), who);
    boc__emit(K_HINT, text, (size_t)n, "", 0, op->writer, op->writer_name, op->origin);
}

void boc__notice_warn_update(const op_t *op) {
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *text = PyUnicode_FromFormat("the update of '%s' on the noticeboard by %s failed, the old value stays: %s: %S",
                                          boc_name_text(op->key), op->writer ? boc_name_text(op->writer_name) : "main",
                                          Py_TYPE(exc)->tp_name, exc);
    Py_ssize_t n = 0;
    const char *s = text ? PyUnicode_AsUTF8AndSize(text, &n) : NULL;
    if (s != NULL)
        boc__emit(K_HINT, s, (size_t)n, "", 0, op->writer, op->writer_name, op->origin);
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(exc);
}
