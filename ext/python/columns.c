/* From trace records to columns: the part of the model that looks at every record.
 *
 * Python makes the arrays (any writable buffers, by the names of the model's tables) and says what they mean; here the fields of
 * a record go to the row of its behavior. Ids come from counters, so rows are found in a table. Nothing here knows the runtime. */
#include "binding.h"

#include <string.h>

enum { REQUEST_READ = 1, REQUEST_GRANTED = 2, GRANT_READY = 2 };

/* Columns of the behaviors: those of the table, then what only its making needs. */
#define BEHAVIORS(X)                                                                                                                     \
    X(int32_t, name) X(uint64_t, parent) X(int64_t, sched) X(int64_t, ready) X(int64_t, start) X(int64_t, body) X(int64_t, body_end)     \
    X(int64_t, end) X(int32_t, thread) X(int64_t, cpu) X(int64_t, cpu_end) X(uint8_t, flags) X(uint8_t, end_flags) X(int32_t, first)     \
    X(int32_t, asked)
#define REQUESTS(X)                                                                                                                      \
    X(int32_t, behavior) X(int32_t, cown) X(uint8_t, read) X(int64_t, time) X(int64_t, grant) X(int32_t, pred) X(uint8_t, exact)

#define FIELD(type, name) type *name;
#define ONE(type, name) +1
typedef struct behaviors { BEHAVIORS(FIELD) Py_ssize_t n; } behaviors_t;
typedef struct requests { REQUESTS(FIELD) Py_ssize_t n; } requests_t;

/* What one call looks at: the records with their kinds beside them, and every buffer it took. */
enum { MOST_VIEWS = 8 BEHAVIORS(ONE) REQUESTS(ONE) };
typedef struct look {
    const char *records;
    uint8_t *kind;
    Py_ssize_t n;
    Py_buffer view[MOST_VIEWS];
    int views;
} look_t;

typedef struct table {
    uint64_t low;
    int32_t *row;
    uint64_t n;
} table_t;

static void let_go(look_t *k) {
    while (k->views > 0)
        PyBuffer_Release(&k->view[--k->views]);
}

/* The memory of a buffer of `*n` items, or of any number where *n is negative. NULL with an error. */
static void *take(look_t *k, PyObject *from, size_t width, Py_ssize_t *n, int flags) {
    Py_buffer *v = &k->view[k->views];
    if (PyObject_GetBuffer(from, v, flags) < 0)
        return NULL;
    k->views++;
    if (v->len % (Py_ssize_t)width != 0 || (*n >= 0 && v->len != *n * (Py_ssize_t)width)) {
        PyErr_Format(PyExc_ValueError, "a column has %zd bytes, not %zd items of %zu", v->len, *n, width);
        return NULL;
    }
    *n = v->len / (Py_ssize_t)width;
    return v->len ? v->buf : k; /* of none nothing is read */
}

static void *column(look_t *k, PyObject *table, const char *name, size_t width, Py_ssize_t n) {
    PyObject *from = PyObject_GetAttrString(table, name);
    void *memory = from ? take(k, from, width, &n, PyBUF_WRITABLE) : NULL;
    Py_XDECREF(from); /* the view keeps it */
    return memory;
}

static bool look(look_t *k, PyObject *records, PyObject *kinds) {
    k->views = 0;
    k->n = -1;
    k->records = take(k, records, sizeof(boc_record_t), &k->n, PyBUF_SIMPLE);
    k->kind = k->records ? take(k, kinds, 1, &k->n, PyBUF_WRITABLE) : NULL;
    return k->kind != NULL;
}

static bool take_table(look_t *k, table_t *t, PyObject *rows) {
    Py_ssize_t n = -1;
    t->row = take(k, rows, sizeof *t->row, &n, PyBUF_SIMPLE);
    t->n = (uint64_t)n;
    return t->row != NULL;
}

#define COLUMN(type, name) if ((b->name = column(k, table, #name, sizeof(type), b->n)) == NULL) return false;
static bool take_behaviors(look_t *k, behaviors_t *b, PyObject *table) {
    BEHAVIORS(COLUMN)
    return true;
}
static bool take_requests(look_t *k, requests_t *b, PyObject *table) {
    REQUESTS(COLUMN)
    return true;
}

static boc_record_t record(const look_t *k, Py_ssize_t i) {
    boc_record_t r; /* of a file they may lie anywhere */
    memcpy(&r, k->records + (size_t)i * sizeof r, sizeof r);
    return r;
}

static int32_t row_of(const table_t *t, uint64_t id) {
    uint64_t at = id - t->low; /* below: wraps to a large number */
    return at < t->n ? t->row[at] : -1;
}

static void widen(uint64_t range[2], uint64_t id) {
    range[0] = id < range[0] ? id : range[0];
    range[1] = id > range[1] ? id : range[1];
}

static bool of_behavior(uint8_t kind) {
    return kind == BOC_T_schedule || kind == BOC_T_start || kind == BOC_T_end || kind == BOC_T_request;
}

static bool of_cown(uint8_t kind) { return kind == BOC_T_request || kind == BOC_T_grant; }

/* trace_survey(records, kinds, counts) -> latest time, least and highest id of behaviors, of cowns */
static PyObject *tr_survey(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *records, *kinds, *counts, *out = NULL;
    if (!PyArg_ParseTuple(args, "OOO:trace_survey", &records, &kinds, &counts))
        return NULL;
    look_t k;
    Py_ssize_t all = 256;
    if (!look(&k, records, kinds))
        goto done;
    int64_t *count = take(&k, counts, sizeof *count, &all, PyBUF_WRITABLE), latest = 0;
    if (count == NULL)
        goto done;
    uint64_t behaviors[2] = {UINT64_MAX, 0}, cowns[2] = {UINT64_MAX, 0};
    Py_BEGIN_ALLOW_THREADS
    memset(count, 0, 256 * sizeof *count);
    for (Py_ssize_t i = 0; i < k.n; i++) {
        boc_record_t r = record(&k, i);
        k.kind[i] = r.kind;
        count[r.kind]++;
        latest = r.time > latest ? r.time : latest;
        if (of_behavior(r.kind))
            widen(behaviors, r.subject);
        if (of_cown(r.kind))
            widen(cowns, r.other);
    }
    Py_END_ALLOW_THREADS
    out = Py_BuildValue("LKKKK", (long long)latest, (unsigned long long)behaviors[0], (unsigned long long)behaviors[1],
                        (unsigned long long)cowns[0], (unsigned long long)cowns[1]);
done:
    let_go(&k);
    return out;
}

/* trace_present(records, kinds, low, behaviors, low, cowns): one byte an id, set where a record has it */
static PyObject *tr_present(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *records, *kinds, *behaviors, *cowns, *out = NULL;
    unsigned long long b_low, c_low;
    if (!PyArg_ParseTuple(args, "OOKOKO:trace_present", &records, &kinds, &b_low, &behaviors, &c_low, &cowns))
        return NULL;
    look_t k;
    Py_ssize_t nb = -1, nc = -1;
    uint8_t *b = NULL, *c = NULL;
    if (!look(&k, records, kinds) || (b = take(&k, behaviors, 1, &nb, PyBUF_WRITABLE)) == NULL ||
        (c = take(&k, cowns, 1, &nc, PyBUF_WRITABLE)) == NULL)
        goto done;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < k.n; i++) {
        uint8_t kind = k.kind[i];
        boc_record_t r = record(&k, i);
        if (of_behavior(kind) && r.subject - b_low < (uint64_t)nb)
            b[r.subject - b_low] = 1;
        if (of_cown(kind) && r.other - c_low < (uint64_t)nc)
            c[r.other - c_low] = 1;
    }
    Py_END_ALLOW_THREADS
    out = Py_NewRef(Py_None);
done:
    let_go(&k);
    return out;
}

static int32_t thread_row(uint16_t thread) { return thread < BOC_MAX_WORKERS ? thread : BOC_MAX_WORKERS - 1 - thread; }

static void put(behaviors_t *b, int32_t i, const boc_record_t *r) {
    switch (r->kind) {
    case BOC_T_schedule:
        b->sched[i] = r->time;
        b->parent[i] = r->other;
        b->flags[i] = r->flags;
        if (r->seq)
            b->name[i] = (int32_t)r->seq;
        break;
    case BOC_T_ready:
        b->ready[i] = r->time;
        break;
    case BOC_T_start:
        b->start[i] = r->time;
        b->cpu[i] = (int64_t)r->other;
        b->thread[i] = thread_row(r->thread);
        if (b->name[i] == 0) /* its schedule was overtaken, or comes later: the start names it too */
            b->name[i] = (int32_t)r->seq;
        break;
    case BOC_T_body:
        b->body[i] = r->time;
        break;
    case BOC_T_body_end:
        b->body_end[i] = r->time;
        break;
    case BOC_T_end:
        b->end[i] = r->time;
        b->cpu_end[i] = (int64_t)r->other;
        b->thread[i] = thread_row(r->thread);
        b->end_flags[i] = r->flags;
        break;
    }
}

/* Every record but the grants. `high`: the highest id of a behavior, from which the rest of a predecessor's is known.
   False where the requests of one behavior do not lie together. */
static bool fill(const look_t *k, const table_t *ids, const table_t *cowns, uint64_t high, behaviors_t *b, requests_t *q) {
    Py_ssize_t next = 0;
    bool together = true;
    for (Py_ssize_t j = 0; j < k->n; j++) {
        uint8_t kind = k->kind[j];
        if (kind != BOC_T_request && !(of_behavior(kind) || kind == BOC_T_ready || kind == BOC_T_body || kind == BOC_T_body_end))
            continue;
        boc_record_t r = record(k, j);
        int32_t i = row_of(ids, r.subject);
        if (i < 0 || i >= b->n)
            continue;
        if (kind != BOC_T_request) {
            put(b, i, &r);
            continue;
        }
        if (next == q->n)
            break;
        bool granted = r.flags & REQUEST_GRANTED;
        uint64_t back = (uint32_t)((uint32_t)high - r.seq);
        q->behavior[next] = i;
        q->cown[next] = row_of(cowns, r.other);
        q->read[next] = (r.flags & REQUEST_READ) != 0;
        q->time[next] = r.time;
        q->grant[next] = granted ? r.time : -1;
        q->pred[next] = granted || back > high ? -1 : row_of(ids, high - back);
        q->exact[next] = granted;
        if (b->asked[i]++ == 0)
            b->first[i] = (int32_t)next;
        else if (b->first[i] + b->asked[i] - 1 != next)
            together = false;
        next++;
    }
    return together;
}

/* trace_fill(records, kinds, high, low, rows, low, rows, behaviors, requests) -> whether requests of a behavior lie together */
static PyObject *tr_fill(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *records, *kinds, *b_rows, *c_rows, *behaviors, *requests, *out = NULL;
    table_t ids, cowns;
    behaviors_t b;
    requests_t q;
    unsigned long long high, b_low, c_low;
    if (!PyArg_ParseTuple(args, "OOKKOKOnOnO:trace_fill", &records, &kinds, &high, &b_low, &b_rows, &c_low, &c_rows, &b.n, &behaviors,
                          &q.n, &requests))
        return NULL;
    look_t k;
    ids.low = b_low, cowns.low = c_low;
    if (look(&k, records, kinds) && take_table(&k, &ids, b_rows) && take_table(&k, &cowns, c_rows) && take_behaviors(&k, &b, behaviors) &&
        take_requests(&k, &q, requests)) {
        bool together;
        Py_BEGIN_ALLOW_THREADS
        together = fill(&k, &ids, &cowns, high, &b, &q);
        Py_END_ALLOW_THREADS
        out = PyBool_FromLong(together);
    }
    let_go(&k);
    return out;
}

/* The grants that answer a request; the places of those whose request was overtaken go to `stray`. Returns how many these are. */
static Py_ssize_t answer(const look_t *k, const table_t *ids, const table_t *cowns, behaviors_t *b, requests_t *q, int64_t *stray,
                         Py_ssize_t room) {
    Py_ssize_t strays = 0;
    for (Py_ssize_t j = 0; j < k->n; j++) {
        if (k->kind[j] != BOC_T_grant)
            continue;
        boc_record_t r = record(k, j);
        int32_t i = row_of(ids, r.subject), c = row_of(cowns, r.other);
        if (i < 0 || i >= b->n)
            continue;
        Py_ssize_t at = b->first[i], stop = at + b->asked[i];
        stop = stop < q->n ? stop : q->n;
        while (at >= 0 && at < stop && q->cown[at] != c)
            at++;
        if (at < 0 || at >= stop) {
            if (strays < room)
                stray[strays++] = j;
            continue;
        }
        q->grant[at] = r.time;
        q->exact[at] = 1;
        if (r.flags & GRANT_READY)
            b->ready[i] = r.time;
    }
    return strays;
}

/* trace_grants(records, kinds, low, rows, low, rows, behaviors, requests, stray) -> how many answer nothing that is known */
static PyObject *tr_grants(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *records, *kinds, *b_rows, *c_rows, *behaviors, *requests, *rest, *out = NULL;
    table_t ids, cowns;
    behaviors_t b;
    requests_t q;
    unsigned long long b_low, c_low;
    if (!PyArg_ParseTuple(args, "OOKOKOnOnOO:trace_grants", &records, &kinds, &b_low, &b_rows, &c_low, &c_rows, &b.n, &behaviors, &q.n,
                          &requests, &rest))
        return NULL;
    look_t k;
    Py_ssize_t room = -1;
    int64_t *stray;
    ids.low = b_low, cowns.low = c_low;
    if (look(&k, records, kinds) && take_table(&k, &ids, b_rows) && take_table(&k, &cowns, c_rows) && take_behaviors(&k, &b, behaviors) &&
        take_requests(&k, &q, requests) && (stray = take(&k, rest, sizeof *stray, &room, PyBUF_WRITABLE)) != NULL) {
        Py_ssize_t strays;
        Py_BEGIN_ALLOW_THREADS
        strays = answer(&k, &ids, &cowns, &b, &q, stray, room);
        Py_END_ALLOW_THREADS
        out = PyLong_FromSsize_t(strays);
    }
    let_go(&k);
    return out;
}

static double within(double x, double most) { return x < 0 ? 0 : x > most ? most : x; }

/* Adds what each interval covers of each column of its lane, in columns; `whole` gets +1 and -1 where whole columns begin and end. */
static void cover(const int64_t *begin, const int64_t *end, const int64_t *lane, Py_ssize_t n, int64_t t0, double scale, int64_t columns,
                  double *part, double *whole, Py_ssize_t size) {
    double most = (double)columns;
    for (Py_ssize_t i = 0; i < n; i++) {
        double a = within((double)(begin[i] - t0) * scale, most), b = within((double)(end[i] - t0) * scale, most);
        int64_t first = (int64_t)a, last = (int64_t)b, at = lane[i] * (columns + 1);
        first = first < columns ? first : columns - 1;
        last = last < columns ? last : columns - 1;
        if (at < 0 || at + columns >= size)
            continue;
        if (first == last) {
            part[at + first] += b - a;
            continue;
        }
        part[at + first] += (double)(first + 1) - a;
        part[at + last] += b - (double)last;
        whole[at + first + 1] += 1;
        whole[at + last] -= 1;
    }
}

/* trace_cover(begin, end, lane, t0, scale, columns, part, whole): times and lanes int64, part and whole doubles of lanes x (columns + 1) */
static PyObject *tr_cover(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *begin, *end, *lane, *part, *whole, *out = NULL;
    long long t0, columns;
    double scale;
    if (!PyArg_ParseTuple(args, "OOOLdLOO:trace_cover", &begin, &end, &lane, &t0, &scale, &columns, &part, &whole))
        return NULL;
    look_t k = {.views = 0};
    Py_ssize_t n = -1, size = -1;
    int64_t *b = take(&k, begin, sizeof *b, &n, PyBUF_SIMPLE), *e = b ? take(&k, end, sizeof *e, &n, PyBUF_SIMPLE) : NULL;
    int64_t *l = e ? take(&k, lane, sizeof *l, &n, PyBUF_SIMPLE) : NULL;
    double *p = l ? take(&k, part, sizeof *p, &size, PyBUF_WRITABLE) : NULL, *w = p ? take(&k, whole, sizeof *w, &size, PyBUF_WRITABLE) : NULL;
    if (w != NULL && columns > 0) {
        Py_BEGIN_ALLOW_THREADS
        cover(b, e, l, n, t0, scale, columns, p, w, size);
        Py_END_ALLOW_THREADS
        out = Py_NewRef(Py_None);
    } else if (w != NULL) {
        PyErr_SetString(PyExc_ValueError, "there is at least one column");
    }
    let_go(&k);
    return out;
}

PyMethodDef boc__columns_methods[] = {
    {"trace_cover", tr_cover, METH_VARARGS, NULL},
    {"trace_survey", tr_survey, METH_VARARGS, NULL},
    {"trace_present", tr_present, METH_VARARGS, NULL},
    {"trace_fill", tr_fill, METH_VARARGS, NULL},
    {"trace_grants", tr_grants, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
