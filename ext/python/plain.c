/* Values of built-in types only to bytes and back, with no call into Python: None, bool, int of 64 bits, float, str, bytes, and
 * tuples, lists, dicts, sets and frozensets of these, down to a certain depth. All else is pickled, by codec.c.
 *
 * The bytes: BOC_PLAIN_MARK, then one item. An item is an opcode and what belongs to it: a number, in the machine's order; or a
 * size (one byte, or BIG_SIZE and four) and so many characters or items, two to an entry of a dict. An item that comes again has
 * the bit AGAIN in its opcode, and each later place of it is a REF to where that opcode stands.
 *
 * Invariants
 *  - Sharing is kept as pickle keeps it: containers, str and bytes that are one object arrive as one, also in cycles; equal
 *    values of the same shape give the same bytes, whatever else refers to them (share.c compares).
 *  - The walk runs no Python code, frees nothing and takes no references, so nothing that it sees can change. What has one
 *    reference is met once: that one brought the walk there (or it is a name that dicts of attributes share: met as two equal
 *    ones, which nobody can tell). Only the rest is looked up, by its address.
 *  - A walk that comes to what is not plain ends, and nothing of it is kept: a value is one pickle or none. Types are compared
 *    exactly, and these are the ones for which a pickler asks neither copyreg nor reducer_override.
 *  - The loader believes nothing: sizes are compared with what is left, places with what was met, characters with what Unicode
 *    has. Nothing is looked into that is not yet whole: a tuple that contains itself holds None until it is filled, lists and
 *    dicts have no hash, and a set that is not whole is not to be had.
 *  - What is loaded runs no Python code either: hashes and comparisons are those of the types above.
 *
 * Without a GIL others may change a value under the walk, so there all is pickled. */
#include "plain.h"
#include "parts.h"

#include <stdlib.h>
#include <string.h>

enum { P_NONE, P_FALSE, P_TRUE, P_INT1, P_INT4, P_INT8, P_FLOAT, P_REF, P_ONE, P_TWO, P_FOUR, P_BYTES, P_TUPLE, P_LIST, P_DICT,
       P_SET, P_FROZENSET }; /* ONE, TWO, FOUR: a str by the width of its characters */
#define AGAIN 0x80
#define BIG_SIZE 255
#define MOST_DEEP 100
#define FEW 16   /* objects to find by looking at each */
#define ROOM 16    /* for an opcode and its number */
#define FIRST 1000 /* bytes before memory is asked for */

/* ---- to bytes ------------------------------------------------------------------- */
typedef struct met { PyObject *object; uint32_t at; } met_t;

typedef struct walk {
    unsigned char *data; /* first, later that of blob */
    size_t len, cap;
    boc_blob_t *blob;
    bool no_memory;
    uint32_t nmet, met_cap; /* the latter 0: they are in few, in order, else in a table of open addresses */
    met_t *met;
    met_t few[FEW];
    unsigned char first[FIRST];
} walk_t;

static bool out_of_memory(walk_t *w) {
    w->no_memory = true;
    return false;
}

static bool grow(walk_t *w, size_t more) {
    size_t cap = (w->len + more) * 3 / 2;
    boc_blob_t *b = realloc(w->blob, sizeof *b + cap);
    if (b == NULL)
        return out_of_memory(w);
    if (w->blob == NULL)
        memcpy(b->data, w->first, w->len);
    w->blob = b;
    w->data = b->data;
    w->cap = cap;
    return true;
}

static inline bool reserve(walk_t *w, size_t more) { return w->len + more <= w->cap || grow(w, more); }

/* An opcode and n bytes; there is ROOM. */
static inline bool number(walk_t *w, int op, const void *from, size_t n) {
    w->data[w->len] = (unsigned char)op;
    memcpy(w->data + w->len + 1, from, n);
    w->len += 1 + n;
    return true;
}

static inline bool sized(walk_t *w, int op, size_t n) {
    w->data[w->len] = (unsigned char)op;
    w->data[w->len + 1] = n < BIG_SIZE ? (unsigned char)n : BIG_SIZE;
    w->len += 2;
    if (n >= BIG_SIZE) {
        uint32_t size = (uint32_t)n;
        memcpy(w->data + w->len, &size, sizeof size);
        w->len += sizeof size;
    }
    return n <= UINT32_MAX;
}

static met_t *place(met_t *table, uint32_t cap, const PyObject *o) {
    uint32_t h = (uint32_t)(((uintptr_t)o >> 4) * 0x9E3779B97F4A7C15ull >> 32) & (cap - 1);
    while (table[h].object != NULL && table[h].object != o)
        h = (h + 1) & (cap - 1);
    return &table[h];
}

static bool more_met(walk_t *w) {
    uint32_t cap = w->met_cap != 0 ? w->met_cap * 2 : FEW * 4, old = w->met_cap != 0 ? w->met_cap : FEW;
    const met_t *from = w->met_cap != 0 ? w->met : w->few;
    met_t *table = cap != 0 ? calloc(cap, sizeof *table) : NULL;
    if (table == NULL)
        return out_of_memory(w);
    for (uint32_t i = 0; i < old; i++)
        if (from[i].object != NULL)
            *place(table, cap, from[i].object) = from[i];
    if (w->met_cap != 0)
        free(w->met);
    w->met = table;
    w->met_cap = cap;
    return true;
}

/* Where o stands, or is to stand: then it is not there. NULL: no memory. */
static met_t *slot_of(walk_t *w, PyObject *o) {
    if (w->met_cap == 0) {
        uint32_t i = 0;
        while (i < w->nmet && w->few[i].object != o)
            i++;
        if (i < FEW) {
            if (i == w->nmet)
                w->few[i].object = NULL;
            return &w->few[i];
        }
    }
    return w->nmet * 2 >= w->met_cap && !more_met(w) ? NULL : place(w->met, w->met_cap, o);
}

enum { FRESH, WRITTEN, STUCK };

/* WRITTEN: o was met before, and this place refers to that one. FRESH: its opcode is to come here. */
static int meet(walk_t *w, PyObject *o) {
    met_t *m = slot_of(w, o);
    if (m == NULL || w->len > UINT32_MAX)
        return STUCK;
    if (m->object == o) {
        w->data[m->at] |= AGAIN;
        number(w, P_REF, &m->at, sizeof m->at);
        return WRITTEN;
    }
    *m = (met_t){o, (uint32_t)w->len};
    w->nmet++;
    return FRESH;
}

static bool put_characters(walk_t *w, int op, size_t n, const void *from, size_t bytes) {
    if (!sized(w, op, n) || !reserve(w, bytes))
        return false;
    memcpy(w->data + w->len, from, bytes);
    w->len += bytes;
    return true;
}

static bool put_str(walk_t *w, PyObject *o) {
    size_t n = (size_t)PyUnicode_GET_LENGTH(o), kind = (size_t)PyUnicode_KIND(o);
    return put_characters(w, kind == 1 ? P_ONE : kind == 2 ? P_TWO : P_FOUR, n, PyUnicode_DATA(o), n * kind);
}

static bool put(walk_t *w, PyObject *o, int depth);

static bool put_items(walk_t *w, int op, PyObject *const *items, Py_ssize_t n, int depth) {
    bool ok = sized(w, op, (size_t)n);
    for (Py_ssize_t i = 0; ok && i < n; i++)
        ok = put(w, items[i], depth);
    return ok;
}

static bool put_dict(walk_t *w, PyObject *o, int depth) {
    bool ok = sized(w, P_DICT, (size_t)PyDict_GET_SIZE(o));
    Py_ssize_t at = 0;
    PyObject *k, *v;
    while (ok && PyDict_Next(o, &at, &k, &v))
        ok = put(w, k, depth) && put(w, v, depth);
    return ok;
}

static bool put_set(walk_t *w, int op, PyObject *o, int depth) {
    PyObject *each = PyObject_GetIter(o), *item;
    if (each == NULL)
        return out_of_memory(w);
    bool ok = sized(w, op, (size_t)PySet_GET_SIZE(o));
    while (ok && (item = PyIter_Next(each)) != NULL) {
        Py_DECREF(item); /* the set's own reference is enough, and it is to be counted as the only one */
        ok = put(w, item, depth);
    }
    Py_DECREF(each);
    return ok;
}

static bool put_int(walk_t *w, PyObject *o) {
    int over = 0;
    int64_t i = PyUnstable_Long_IsCompact((PyLongObject *)o) ? (int64_t)PyUnstable_Long_CompactValue((PyLongObject *)o)
                                                             : PyLong_AsLongLongAndOverflow(o, &over);
    if (i == (int8_t)i)
        return !over && number(w, P_INT1, &(int8_t){(int8_t)i}, 1);
    if (i == (int32_t)i)
        return number(w, P_INT4, &(int32_t){(int32_t)i}, 4);
    return number(w, P_INT8, &i, 8);
}

static bool put_bytes(walk_t *w, PyObject *o) {
    size_t n = (size_t)PyBytes_GET_SIZE(o);
    return n < BOC_LARGE && put_characters(w, P_BYTES, n, PyBytes_AS_STRING(o), n); /* larger ones are parts of a pickle */
}

static bool is_container(const PyTypeObject *t) {
    return t == &PyDict_Type || t == &PyList_Type || t == &PyTuple_Type || t == &PySet_Type || t == &PyFrozenSet_Type;
}

static bool put_number(walk_t *w, PyObject *o) {
    if (PyLong_CheckExact(o))
        return put_int(w, o);
    if (PyFloat_CheckExact(o)) {
        double d = PyFloat_AS_DOUBLE(o);
        return number(w, P_FLOAT, &d, sizeof d);
    }
    if (o != Py_None && !PyBool_Check(o))
        return false;
    return number(w, o == Py_None ? P_NONE : o == Py_True ? P_TRUE : P_FALSE, "", 0);
}

/* False: it is not plain, or there is no memory. */
static bool put(walk_t *w, PyObject *o, int depth) {
    PyTypeObject *t = Py_TYPE(o);
    bool text = t == &PyUnicode_Type, bytes = t == &PyBytes_Type;
    if (!reserve(w, ROOM))
        return false;
    if (!text && !bytes && !is_container(t))
        return put_number(w, o);
    if (Py_REFCNT(o) != 1) {
        int met = meet(w, o);
        if (met != FRESH)
            return met == WRITTEN;
    }
    if (text)
        return put_str(w, o);
    if (bytes)
        return put_bytes(w, o);
    if (++depth > MOST_DEEP)
        return false;
    if (t == &PyDict_Type)
        return put_dict(w, o, depth);
    if (t == &PyList_Type)
        return put_items(w, P_LIST, ((PyListObject *)o)->ob_item, PyList_GET_SIZE(o), depth);
    if (t == &PyTuple_Type)
        return put_items(w, P_TUPLE, ((PyTupleObject *)o)->ob_item, PyTuple_GET_SIZE(o), depth);
    return put_set(w, t == &PySet_Type ? P_SET : P_FROZENSET, o, depth);
}

static boc_blob_t *finished(walk_t *w) {
    boc_blob_t *b = realloc(w->blob, sizeof *b + w->len);
    if (b == NULL)
        b = w->blob;
    else if (w->blob == NULL)
        memcpy(b->data, w->first, w->len);
    w->blob = NULL;
    return b != NULL ? boc__blob_born(b, w->len) : (boc_blob_t *)PyErr_NoMemory();
}

boc_blob_t *boc__plain_dump(PyObject *o) {
#ifdef Py_GIL_DISABLED
    return NULL;
#endif
    PyTypeObject *t = Py_TYPE(o);
    if (!is_container(t) && t != &PyUnicode_Type && t != &PyBytes_Type)
        return NULL; /* what else is plain needs no bytes */
    walk_t w;
    w.data = w.first;
    w.data[0] = BOC_PLAIN_MARK;
    w.len = 1;
    w.cap = sizeof w.first;
    w.blob = NULL;
    w.no_memory = false;
    w.nmet = w.met_cap = 0;
    boc_blob_t *b = put(&w, o, 0) ? finished(&w) : w.no_memory ? (boc_blob_t *)PyErr_NoMemory() : NULL;
    free(w.blob);
    if (w.met_cap != 0)
        free(w.met);
    return b;
}

/* ---- and back ------------------------------------------------------------------- */
typedef struct known {
    PyObject *object; /* NULL: a frozenset that is not whole */
    uint32_t at;
    bool whole;
} known_t;

typedef struct load {
    const unsigned char *data, *p, *end;
    uint32_t n, cap;
    uint32_t next;  /* where to look first: behind the one that came again last */
    known_t *known; /* in the order of their places */
    known_t few[FEW];
} load_t;

static PyObject *corrupt(void) {
    PyErr_SetString(PyExc_ValueError, "encoded data makes no sense");
    return NULL;
}

static inline bool take(load_t *l, void *to, size_t n) {
    if ((size_t)(l->end - l->p) < n)
        return false;
    memcpy(to, l->p, n);
    l->p += n;
    return true;
}

/* A size of things that take up so many bytes each, at least. */
static inline bool take_size(load_t *l, size_t each, size_t *n) {
    uint32_t size;
    if (l->p == l->end)
        return false;
    *n = *l->p++;
    if (*n == BIG_SIZE) {
        if (!take(l, &size, sizeof size))
            return false;
        *n = size;
    }
    return *n <= (size_t)(l->end - l->p) / each;
}

/* Keeps a reference: what holds o may be damaged, too, and let it go. */
static bool know(load_t *l, PyObject *o, size_t at, bool whole) {
    if (l->n == l->cap) {
        known_t *more = PyMem_Malloc(l->cap * 2 * sizeof *more);
        if (more == NULL) {
            PyErr_NoMemory();
            return false;
        }
        memcpy(more, l->known, l->n * sizeof *more);
        if (l->known != l->few)
            PyMem_Free(l->known);
        l->known = more;
        l->cap *= 2;
    }
    l->known[l->n++] = (known_t){Py_XNewRef(o), (uint32_t)at, whole};
    return true;
}

/* key: it will be hashed and compared, so all of it must be there. */
static PyObject *get_again(load_t *l, bool key) {
    uint32_t at, low = 0, high = l->n;
    if (!take(l, &at, sizeof at))
        return corrupt();
    if (l->next < l->n && l->known[l->next].at == at)
        low = high = l->next; /* often in the order in which they came at first */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l->known[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    const known_t *k = &l->known[low];
    if (low == l->n || k->at != at || k->object == NULL || (key && !k->whole))
        return corrupt();
    l->next = low + 1;
    return Py_NewRef(k->object);
}

/* Characters wider than a byte: n of them at p, where they may stand at odd places. */
static PyObject *wide(const unsigned char *p, size_t n, size_t width) {
    Py_UCS4 most = 0;
    for (size_t i = 0; i < n; i++) {
        Py_UCS4 c = 0;
        memcpy(&c, p + i * width, width);
        most = c > most ? c : most;
    }
    Py_UCS4 limit = width == 2 ? 0xffff : 0x10ffff;
    if (most > limit || most <= (width == 2 ? 0xffu : 0xffffu))
        return corrupt();
    PyObject *o = PyUnicode_New((Py_ssize_t)n, limit);
    if (o != NULL)
        memcpy(PyUnicode_DATA(o), p, n * width);
    return o;
}

static PyObject *get_characters(load_t *l, int op) {
    size_t n, width = op == P_TWO ? 2 : op == P_FOUR ? 4 : 1;
    if (!take_size(l, width, &n))
        return corrupt();
    const unsigned char *p = l->p;
    l->p += n * width;
    if (op == P_BYTES)
        return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
    return op == P_ONE ? PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, p, (Py_ssize_t)n) : wide(p, n, width);
}

static PyObject *get(load_t *l, int depth, bool key);

static int fill_dict(load_t *l, PyObject *dict, size_t n, int depth, bool key) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        PyObject *k = get(l, depth, true), *v = k ? get(l, depth, key) : NULL;
        rc = v ? PyDict_SetItem(dict, k, v) : -1;
        Py_XDECREF(k);
        Py_XDECREF(v);
    }
    return rc;
}

static int fill_set(load_t *l, PyObject *set, size_t n, int depth) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        PyObject *item = get(l, depth, true);
        rc = item ? PySet_Add(set, item) : -1;
        Py_XDECREF(item);
    }
    return rc;
}

static int fill(load_t *l, PyObject **items, size_t n, int depth, bool key) {
    for (size_t i = 0; i < n; i++)
        if ((items[i] = get(l, depth, key)) == NULL)
            return -1;
    return 0;
}

static PyObject *get_container(load_t *l, int op, bool again, size_t at, int depth, bool key) {
    size_t n;
    if (depth == MOST_DEEP || !take_size(l, op == P_DICT ? 2 : 1, &n))
        return corrupt();
    PyObject *o = op == P_DICT    ? PyDict_New()
                  : op == P_LIST  ? PyList_New((Py_ssize_t)n)
                  : op == P_TUPLE ? PyTuple_New((Py_ssize_t)n)
                  : op == P_SET   ? PySet_New(NULL)
                                  : PyFrozenSet_New(NULL);
    if (o == NULL)
        return NULL;
    uint32_t mine = l->n;
    int rc = again && !know(l, op == P_FROZENSET ? NULL : o, at, false) ? -1 : 0;
    if (rc == 0)
        rc = op == P_DICT    ? fill_dict(l, o, n, depth + 1, key)
             : op == P_LIST  ? fill(l, ((PyListObject *)o)->ob_item, n, depth + 1, key)
             : op == P_TUPLE ? fill(l, ((PyTupleObject *)o)->ob_item, n, depth + 1, key)
                             : fill_set(l, o, n, depth + 1);
    if (rc < 0) {
        Py_DECREF(o);
        return NULL;
    }
    if (again) {
        l->known[mine].whole = true;
        if (op == P_FROZENSET)
            l->known[mine].object = Py_NewRef(o);
    }
    return o;
}

static PyObject *get_number(load_t *l, int op) {
    int8_t i1;
    int32_t i4;
    int64_t i8;
    double d;
    switch (op) {
    case P_NONE:
        Py_RETURN_NONE;
    case P_FALSE:
        Py_RETURN_FALSE;
    case P_TRUE:
        Py_RETURN_TRUE;
    case P_INT1:
        return take(l, &i1, sizeof i1) ? PyLong_FromLong(i1) : corrupt();
    case P_INT4:
        return take(l, &i4, sizeof i4) ? PyLong_FromLong(i4) : corrupt();
    case P_INT8:
        return take(l, &i8, sizeof i8) ? PyLong_FromLongLong(i8) : corrupt();
    case P_FLOAT:
        return take(l, &d, sizeof d) ? PyFloat_FromDouble(d) : corrupt();
    default:
        return corrupt();
    }
}

static PyObject *get(load_t *l, int depth, bool key) {
    if (l->p == l->end)
        return corrupt();
    size_t at = (size_t)(l->p - l->data);
    int op = *l->p++;
    if (op < P_REF)
        return get_number(l, op);
    if (op == P_REF)
        return get_again(l, key);
    bool again = (op & AGAIN) != 0;
    op &= ~AGAIN;
    if (op < P_ONE || op > P_FROZENSET)
        return corrupt();
    if (op >= P_TUPLE)
        return get_container(l, op, again, at, depth, key);
    PyObject *o = get_characters(l, op);
    if (o != NULL && again && !know(l, o, at, true))
        Py_CLEAR(o);
    return o;
}

PyObject *boc__plain_load(const unsigned char *data, size_t n) {
    load_t l;
    l.data = data;
    l.p = data + 1;
    l.end = data + n;
    l.n = l.next = 0;
    l.cap = FEW;
    l.known = l.few;
    PyObject *o = get(&l, 0, false);
    if (o != NULL && l.p != l.end) {
        Py_DECREF(o);
        o = corrupt();
    }
    for (uint32_t i = 0; i < l.n; i++)
        Py_XDECREF(l.known[i].object);
    if (l.known != l.few)
        PyMem_Free(l.known);
    return o;
}
