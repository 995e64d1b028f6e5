/* Objects to bytes and back: what plain.c does not take goes through CPython's C pickler, protocol 5, with four things of ours.
 *
 *  - cown handles become indices into a table beside the bytes, which keeps the cowns alive;
 *  - functions and classes of namespaces that no worker can import go by definition (boc._define);
 *  - bytes are written behind the header of a boc_blob_t, so that no copy is made afterwards;
 *  - large buffers and C types that move stay out of the bytes (parts.h): where the pickler is about to write the
 *    contents of a large bytes or bytearray the writer puts NEXT_BUFFER in place of the opcode before them.
 *
 * One pickler per interpreter is kept; an encode inside an encode (a __reduce__ that schedules)
 * gets one of its own. */
#include "binding.h"
#include "cycles.h"
#include "movable.h"
#include "parts.h"
#include "plain.h"
#include "registry.h"

#include <stdlib.h>
#include <string.h>

typedef struct boc_writer {
    PyObject_HEAD
    boc_blob_t *blob;   /* grows; data begins behind the header */
    size_t len, cap;
    boc_cown_t **cowns; /* each with a reference */
    uint32_t ncowns, cowns_cap;
    boc_parts_t parts;
    bool inband;        /* no parts: the bytes are to be all of it */
    uint64_t met; /* see note_definition() */
} writer_t;

/* Of the encode and the decode in progress on this thread; a __reduce__ may hand the GIL to a thread that encodes too. */
static _Thread_local writer_t *writing BOC_TLS;
static _Thread_local const boc_blob_t *decoding BOC_TLS;
static _Thread_local bool taking BOC_TLS; /* the blob in progress is the decoder's alone */
static _Thread_local bool placing BOC_TLS; /* only to see where parts stand that cannot be copied */

/* A kept pickler's memo table never shrinks: past this many bytes it is thrown away. */
#define KEEP_LIMIT (1u << 16)

static int writer_reserve(writer_t *w, size_t more) {
    if (w->len + more <= w->cap && w->blob != NULL)
        return 0;
    size_t cap = w->cap ? w->cap : 240;
    while (cap < w->len + more)
        cap += cap / 2 + 64;
    boc_blob_t *b = realloc(w->blob, sizeof(boc_blob_t) + cap);
    if (b == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    w->blob = b;
    w->cap = cap;
    return 0;
}

/* ---- large buffers in the stream ------------------------------------------------- */
enum { OP_BINBYTES = 'B', OP_BINBYTES8 = 0x8e, OP_BYTEARRAY8 = 0x96, OP_NEXT_BUFFER = 0x97, OP_FRAME = 0x95, OP_PROTO = 0x80 };

static uint64_t little(const unsigned char *p, int n) {
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

/* Where a frame of opcodes is written, not the contents of a buffer. */
static bool is_frame(const unsigned char *p, size_t n) {
    if (p[0] == OP_PROTO) {
        p += 2;
        n -= 2;
    }
    uint64_t inside = little(p + 1, 8);
    return p[0] == OP_FRAME && inside <= n - 9 && n - 9 - inside <= 9;
}

/* The length of the opcode that announces n bytes of contents at the end of what was written; 0: there is none. */
static size_t announced(const writer_t *w, size_t n, bool *array) {
    const unsigned char *end = w->blob->data + w->len;
    *array = w->len >= 9 && end[-9] == OP_BYTEARRAY8 && little(end - 8, 8) == n;
    if (*array || (w->len >= 9 && end[-9] == OP_BINBYTES8 && little(end - 8, 8) == n))
        return 9;
    return w->len >= 5 && end[-5] == OP_BINBYTES && little(end - 4, 4) == n ? 5 : 0;
}

/* 1: the contents became a part, 0: they are to be written, -1. */
static int writer_part(writer_t *w, PyObject *data, const Py_buffer *view) {
    bool array;
    size_t opcode = announced(w, (size_t)view->len, &array);
    if (opcode == 0 || is_frame(view->buf, (size_t)view->len))
        return 0;
    PyObject *o;
    if (array ? PyByteArray_CheckExact(data) : PyBytes_CheckExact(data)) {
        o = Py_NewRef(data);
    } else { /* out of a PickleBuffer */
        o = array ? PyByteArray_FromStringAndSize(view->buf, view->len) : PyBytes_FromStringAndSize(view->buf, view->len);
        atomic_fetch_add_explicit(&boc__copied_bytes, (int64_t)view->len, memory_order_relaxed);
    }
    if (boc__part_add(&w->parts, o, true) < 0)
        return -1;
    w->len -= opcode;
    w->blob->data[w->len++] = OP_NEXT_BUFFER;
    return 1;
}

/* What the pickler asks about each PickleBuffer. False: it goes beside the bytes. */
static PyObject *buffer_callback(PyObject *module, PyObject *o) {
    (void)module;
    const Py_buffer *view = PyPickleBuffer_GetBuffer(o);
    if (view == NULL)
        return NULL;
    PyObject *of = view->obj;
    bool whole = of != NULL && ((PyBytes_CheckExact(of) && view->buf == PyBytes_AS_STRING(of) && view->len == PyBytes_GET_SIZE(of)) ||
                                (PyByteArray_CheckExact(of) && view->buf == PyByteArray_AS_STRING(of) && view->len == PyByteArray_GET_SIZE(of)));
    if (writing == NULL || writing->inband || view->len < BOC_LARGE || !whole)
        Py_RETURN_TRUE;
    if (boc__part_add(&writing->parts, Py_NewRef(of), true) < 0)
        return NULL;
    Py_RETURN_FALSE;
}

static PyObject *writer_write(PyObject *self, PyObject *data) {
    writer_t *w = (writer_t *)self;
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int part = view.len >= BOC_LARGE && !w->inband && w->blob != NULL ? writer_part(w, data, &view) : 0;
    if (part != 0) {
        PyBuffer_Release(&view);
        if (part < 0)
            return NULL;
        Py_RETURN_NONE;
    }
    int bad = writer_reserve(w, (size_t)view.len);
    if (!bad) {
        memcpy(w->blob->data + w->len, view.buf, (size_t)view.len);
        w->len += (size_t)view.len;
    }
    PyBuffer_Release(&view);
    if (bad)
        return NULL;
    Py_RETURN_NONE;
}

static void writer_reset(writer_t *w) {
    for (uint32_t i = 0; i < w->ncowns; i++)
        boc_cown_release(w->cowns[i]);
    free(w->cowns);
    free(w->blob);
    boc__parts_drop(w->parts.list, w->parts.n);
    w->parts = (boc_parts_t){0};
    w->cowns = NULL;
    w->blob = NULL;
    w->ncowns = w->cowns_cap = 0;
    w->len = w->cap = 0;
    w->met = 0;
}

static void writer_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    writer_reset((writer_t *)self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef writer_methods[] = {
    {"write", writer_write, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot writer_slots[] = {
    {Py_tp_methods, writer_methods},
    {Py_tp_dealloc, writer_dealloc},
    {0, NULL},
};
static PyType_Spec writer_spec = {"boc._core.Writer", sizeof(writer_t), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, writer_slots};

/* The index of c in the table of the encode in progress. */
static PyObject *note_cown(boc_state_t *st, boc_cown_t *c) {
    writer_t *w = writing;
    if (w->ncowns == w->cowns_cap) {
        uint32_t cap = w->cowns_cap ? w->cowns_cap * 2 : 4;
        boc_cown_t **t = realloc(w->cowns, cap * sizeof *t);
        if (t == NULL)
            return PyErr_NoMemory();
        w->cowns = t;
        w->cowns_cap = cap;
    }
    boc_cown_retain(c);
    w->cowns[w->ncowns] = c;
    return Py_BuildValue("O(I)", st->cown_ctor, (unsigned)w->ncowns++);
}

static PyObject *note_part(boc_state_t *st, PyObject *o) {
    uint32_t i = writing->parts.n;
    return boc__part_add(&writing->parts, o, false) < 0 ? NULL : Py_BuildValue("O(I)", st->part_ctor, (unsigned)i);
}

/* Objects that stay out of the bytes. NotImplemented: not of these. Their module is imported first where they arrive. */
static PyObject *reduce_part(boc_state_t *st, PyObject *o) {
    if (PyMemoryView_Check(o))
        return boc__view_reduce(st, o);
    if (writing == NULL || writing->inband)
        Py_RETURN_NOTIMPLEMENTED;
    if (boc__is_array(o)) {
        Py_buffer view;
        if (PyObject_GetBuffer(o, &view, PyBUF_ND) < 0)
            return NULL;
        Py_ssize_t n = view.len;
        PyBuffer_Release(&view);
        if (n < BOC_LARGE)
            Py_RETURN_NOTIMPLEMENTED;
        return note_part(st, Py_NewRef(o));
    }
    if (boc__movable_index(st, o) >= 0)
        return note_part(st, Py_NewRef(o));
    if (!boc__registry_knows(o))
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *module = PyObject_GetAttrString((PyObject *)Py_TYPE(o), "__module__"), *r = NULL;
    uint32_t i = writing->parts.n;
    if (module != NULL && boc__part_add(&writing->parts, boc__registry_pack(o), false) == 0)
        r = Py_BuildValue("O(IO)", st->part_ctor, (unsigned)i, module);
    Py_XDECREF(module);
    return r;
}

/* Parts of functions and classes that pickle refuses by itself. */
static bool is_part_of_definition(PyTypeObject *t) {
    static PyTypeObject *const parts[] = {&PyCell_Type,        &PyMethod_Type,    &PyProperty_Type,     &PyStaticMethod_Type,
                                          &PyClassMethod_Type, &PyDictProxy_Type, &PyGetSetDescr_Type,  &PyMemberDescr_Type,
                                          &PyCode_Type};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (t == parts[i])
            return true;
    static const char *const named[] = {"functools._lru_cache_wrapper", "typing.TypeVar", "typing.ParamSpec",
                                        "typing.TypeVarTuple", "typing.TypeAliasType", "partialmethod", "Field", "_FIELD_BASE",
                                        "_MISSING_TYPE", "_KW_ONLY_TYPE", "_HAS_DEFAULT_FACTORY_CLASS",
                                        "WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "timezone",
                                        "Figure"};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (t->tp_name[0] == named[i][0] && strcmp(t->tp_name, named[i]) == 0)
            return true;
    return false;
}

/* Which definitions a value holds decides which names a body that captures it uses: when() compares. Two functions of one code
   use the same names, unless what they close over differs. */
static void note_definition(PyObject *o) {
    if (writing == NULL)
        return;
    uint64_t h = (uint64_t)(uintptr_t)o;
    if (PyFunction_Check(o)) {
        const PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(o);
        uint64_t version = code->co_version;
        h = version != 0 ? version : (uint64_t)(uintptr_t)code;
        if (PyFunction_GET_CLOSURE(o) != NULL || PyFunction_GET_DEFAULTS(o) != NULL)
            h ^= (uint64_t)(uintptr_t)o << 16;
    }
    writing->met += (h + 1) * 0x9E3779B97F4A7C15ull;
}

static PyObject *encoder_reducer_override(PyObject *self, PyObject *o) {
    (void)self;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    if (writing != NULL && boc__cown_check(st, o))
        return note_cown(st, ((boc_cown_object_t *)o)->core);
    if (PyFunction_Check(o))
        note_definition(o);
    bool own_exception = PyExceptionInstance_Check(o) && (Py_TYPE(o)->tp_flags & Py_TPFLAGS_HEAPTYPE);
    if (PyFunction_Check(o) || PyModule_Check(o) || own_exception || is_part_of_definition(Py_TYPE(o))) {
        PyObject *f = boc__py(st, PY_REDUCE);
        return f ? PyObject_CallOneArg(f, o) : NULL;
    }
    if (PyType_Check(o)) {
        PyTypeObject *t = (PyTypeObject *)o;
        /* A static type goes by name, but not all built-in ones are found under theirs (function, mappingproxy). */
        if (!(t->tp_flags & Py_TPFLAGS_HEAPTYPE) && strchr(t->tp_name, '.') != NULL)
            Py_RETURN_NOTIMPLEMENTED;
        note_definition(o);
        PyObject *f = boc__py(st, PY_REDUCE);
        return f ? PyObject_CallOneArg(f, o) : NULL;
    }
    return reduce_part(st, o);
}

static PyMethodDef encoder_methods[] = {
    {"reducer_override", encoder_reducer_override, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot encoder_slots[] = {{Py_tp_methods, encoder_methods}, {0, NULL}};
static PyType_Spec encoder_spec = {"boc._core.Encoder", 0, 0, Py_TPFLAGS_DEFAULT, encoder_slots};

static PyObject *new_writer(boc_state_t *st) {
    return st->writer_type->tp_alloc(st->writer_type, 0);
}

static PyObject *new_pickler(boc_state_t *st, PyObject *writer) {
    return PyObject_CallFunction((PyObject *)st->encoder_type, "OiOO", writer, 5, Py_True, st->buffer_callback);
}

/* What lives is counted by each thread on a cache line of its own (or one that few share): a worker that encodes and another
   that decodes would pass one line to and fro. A blob may be counted out elsewhere than in, so only the sums mean anything. */
#define LINES 32
static struct { _Atomic int64_t blobs, bytes; char apart[48]; } living[LINES];
static _Thread_local unsigned line BOC_TLS;

void boc__living_add(int64_t blobs, int64_t bytes) {
    static _Atomic unsigned threads;
    if (line == 0)
        line = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % LINES;
    atomic_fetch_add_explicit(&living[line - 1].blobs, blobs, memory_order_relaxed);
    atomic_fetch_add_explicit(&living[line - 1].bytes, bytes, memory_order_relaxed);
}

void boc__living(int64_t *blobs, int64_t *bytes) {
    *blobs = *bytes = 0;
    for (int i = 0; i < LINES; i++) {
        *blobs += atomic_load(&living[i].blobs);
        *bytes += atomic_load(&living[i].bytes);
    }
}

boc_blob_t *boc__blob_new(size_t len) {
    boc_blob_t *b = malloc(sizeof *b + len);
    return b != NULL ? boc__blob_born(b, len) : NULL;
}

boc_blob_t *boc__blob_born(boc_blob_t *b, size_t len) {
    memset(b, 0, sizeof *b);
    atomic_init(&b->refs, 1);
    b->len = b->held = len;
    boc__living_add(1, (int64_t)len);
    return b;
}

static boc_blob_t *finish_blob(writer_t *w) {
    boc_blob_t *b = w->blob;
    if (w->cap > 2 * w->len + 256) {
        boc_blob_t *small = realloc(b, sizeof(boc_blob_t) + w->len);
        b = small ? small : b;
    }
    atomic_init(&b->refs, 1);
    b->listed = 0;
    b->len = b->held = w->len;
    b->parts = w->parts.list;
    b->nparts = w->parts.n;
    b->met = w->met;
    b->known = false;
    w->met = 0;
    w->parts = (boc_parts_t){0};
    boc__living_add(1, (int64_t)b->len);
    b->cowns = w->cowns;
    b->ncowns = w->ncowns;
    w->blob = NULL;
    w->cowns = NULL;
    w->ncowns = w->cowns_cap = 0;
    w->len = w->cap = 0;
    b->list_epoch = 0;
    if (b->ncowns)
        boc__cycles_list(b);
    return b;
}

/* The pickler that the interpreter keeps is one caller's at a time: whoever finds it taken (further out on its stack; by a
   thread that has the GIL meanwhile, or needs none) makes one of its own. */
static boc_blob_t *pickle(boc_state_t *st, PyObject *o, bool inband) {
    bool kept = !atomic_exchange_explicit(&st->encoding, true, memory_order_acquire);
    PyObject *writer, *pickler;
    if (kept && st->pickler != NULL) {
        writer = Py_NewRef(st->writer);
        pickler = Py_NewRef(st->pickler);
    } else {
        writer = new_writer(st);
        pickler = writer ? new_pickler(st, writer) : NULL;
        if (pickler == NULL) {
            Py_XDECREF(writer);
            if (kept)
                atomic_store_explicit(&st->encoding, false, memory_order_release);
            return NULL;
        }
        if (kept) {
            st->writer = Py_NewRef(writer);
            st->pickler = Py_NewRef(pickler);
        }
    }
    writer_t *outer = writing;
    writing = (writer_t *)writer;
    writing->inband = inband;
    PyObject *r = PyObject_CallMethod(pickler, "dump", "(O)", o);
    writing = outer;
    boc_blob_t *b = NULL;
    PyObject *exc = r ? NULL : PyErr_GetRaisedException();
    size_t len = ((writer_t *)writer)->len;
    if (r != NULL)
        b = finish_blob((writer_t *)writer);
    else
        writer_reset((writer_t *)writer);
    if (kept) {
        PyObject *cleared = len < KEEP_LIMIT && r ? PyObject_CallMethod(pickler, "clear_memo", NULL) : NULL;
        if (cleared == NULL) {
            boc__forgive();
            Py_CLEAR(st->pickler);
            Py_CLEAR(st->writer);
        }
        Py_XDECREF(cleared);
        atomic_store_explicit(&st->encoding, false, memory_order_release);
    }
    Py_XDECREF(r);
    Py_DECREF(pickler);
    Py_DECREF(writer);
    if (exc != NULL)
        PyErr_SetRaisedException(exc);
    return b;
}

static boc_blob_t *encode(boc_state_t *st, PyObject *o, bool inband) {
    boc_blob_t *plain = boc__plain_dump(o);
    return plain != NULL || PyErr_Occurred() ? plain : pickle(st, o, inband);
}

boc_blob_t *boc__pickle_open(boc_state_t *st, PyObject *o) { return encode(st, o, false); }

boc_blob_t *boc__pickle_inband(boc_state_t *st, PyObject *o) { return encode(st, o, true); }

boc_blob_t *boc__pickle(boc_state_t *st, PyObject *o) {
    boc_blob_t *b = encode(st, o, false);
    if (b != NULL && b->nparts && boc__parts_seal(st, b) < 0) {
        PyObject *exc = PyErr_GetRaisedException();
        boc__blob_drop(b);
        PyErr_SetRaisedException(exc);
        return NULL;
    }
    return b;
}

/* With the parts that the pickle asks for in order. */
static PyObject *load_with_buffers(boc_state_t *st, const boc_blob_t *b, PyObject *view) {
    PyObject *list = PyList_New(0), *o = NULL;
    for (uint32_t i = 0; list != NULL && i < b->nparts; i++) {
        if (!b->parts[i].in_order)
            continue;
        PyObject *part = boc__part_object(st, &b->parts[i], taking);
        if (part == NULL || PyList_Append(list, part) < 0)
            Py_CLEAR(list);
        Py_XDECREF(part);
    }
    PyObject *name = list ? PyUnicode_InternFromString("buffers") : NULL, *names = name ? PyTuple_Pack(1, name) : NULL;
    if (names != NULL)
        o = PyObject_Vectorcall(st->loads, (PyObject *[]){view, list}, 1, names);
    Py_XDECREF(names);
    Py_XDECREF(name);
    Py_XDECREF(list);
    return o;
}

static PyObject *decode_all(boc_state_t *st, const boc_blob_t *b, bool alone) {
    if (boc__is_plain(b->data, b->len))
        return boc__plain_load(b->data, b->len);
    PyObject *view = PyMemoryView_FromMemory((char *)b->data, (Py_ssize_t)b->len, PyBUF_READ);
    if (view == NULL)
        return NULL;
    const boc_blob_t *outer = decoding;
    bool outer_takes = taking;
    decoding = b;
    taking = alone;
    PyObject *o = b->nparts ? load_with_buffers(st, b, view) : PyObject_CallOneArg(st->loads, view);
    decoding = outer;
    taking = outer_takes;
    Py_DECREF(view);
    return o;
}

static bool only_moves(const boc_part_t *p) { return p->v.tag == V_MOVED && (p->v.flags & BOC_VALUE_ALONE); }

static bool has_what_only_moves(const boc_blob_t *b) {
    for (uint32_t i = 0; i < b->nparts; i++)
        if (only_moves(&b->parts[i]))
            return true;
    return false;
}

/* The error in force says that a part can only move. With stand-ins in place of such parts it can say where it is. */
static void say_where(boc_state_t *st, const boc_blob_t *b) {
    PyObject *exc = PyErr_GetRaisedException(), *refused = boc__error_type(st, "TransferError"), *o = NULL;
    if (refused != NULL && PyErr_GivenExceptionMatches(exc, refused)) {
        placing = true;
        o = decode_all(st, b, false);
        placing = false;
    }
    PyObject *f = o ? boc__py(st, PY_UNREADABLE) : NULL, *better = f ? PyObject_CallFunctionObjArgs(f, o, exc, NULL) : NULL;
    Py_XDECREF(o);
    if (better != NULL)
        Py_SETREF(exc, better);
    else
        boc__forgive();
    PyErr_SetRaisedException(exc);
}

static PyObject *decode(boc_state_t *st, const boc_blob_t *b, bool alone) {
    PyObject *o = decode_all(st, b, alone);
    if (o == NULL && !placing && has_what_only_moves(b))
        say_where(st, b);
    return o;
}

PyObject *boc__unpickle(boc_state_t *st, const boc_blob_t *b) { return decode(st, b, false); }

PyObject *boc__unpickle_taking(boc_state_t *st, boc_blob_t *b) {
    /* listed bytes may get another owner at any moment */
    bool alone = b->nparts != 0 && b->listed == 0 && atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
    PyObject *o = decode(st, b, alone);
    if (alone)
        boc__parts_settle(st, b, o != NULL);
    return o;
}

static void uncount(const boc_blob_t *b) { boc__living_add(-1, -(int64_t)b->held); }

void boc__blob_known(boc_blob_t *b) {
    b->known = true;
    uncount(b);
}

void boc__value_known(boc_value_t *v) {
    boc_blob_t *b = v->tag == V_BLOB ? v->u.p : NULL;
    if (b != NULL && !b->known && atomic_load_explicit(&b->refs, memory_order_acquire) == 1)
        boc__blob_known(b);
}

bool boc__value_light(const boc_value_t *v, size_t most) {
    const boc_blob_t *b;
    switch (v->tag) {
    case V_COWN: case V_MOVED: case V_REGISTERED:
        return false; /* what the last two hold is not known */
    case V_BYTESOBJ: case V_BYTEARRAY: case V_ARRAY:
        return v->u.buf.n <= most;
    case V_BLOB: case V_RAWBYTES: case V_RAWARRAY:
        b = v->u.p;
        for (uint32_t i = 0; i < b->nparts; i++)
            if (b->parts[i].v.tag == V_MOVED || b->parts[i].v.tag == V_REGISTERED)
                return false;
        return b->held <= most && b->ncowns == 0; /* with its parts */
    default:
        return true;
    }
}

void boc__blob_drop(boc_blob_t *b) {
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (b->listed)
        boc__share_end(b);
    if (b->list_epoch)
        boc__cycles_unlist(b);
    for (uint32_t i = 0; i < b->ncowns; i++)
        boc_cown_release(b->cowns[i]);
    if (!b->known)
        uncount(b);
    if (b->nparts)
        boc__parts_drop(b->parts, b->nparts);
    free(b->cowns);
    free(b);
}

/* _cown(index): what a handle becomes in the bytes. */
static PyObject *decode_cown(PyObject *module, PyObject *arg) {
    (void)module;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    unsigned long i = PyLong_AsUnsignedLong(arg);
    if (i == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    if (decoding == NULL || i >= decoding->ncowns) {
        PyErr_SetString(PyExc_ValueError, "a cown's place in encoded data makes no sense outside of it");
        return NULL;
    }
    boc_cown_t *c = decoding->cowns[i];
    boc_cown_retain(c);
    return boc__cown_wrap(st, c);
}

/* _part(index[, module]): what a part becomes in the bytes. */
static PyObject *decode_part(PyObject *module, PyObject *args) {
    (void)module;
    boc_state_t *st = boc__st();
    unsigned int i;
    PyObject *home = NULL;
    if (st == NULL || !PyArg_ParseTuple(args, "I|U:_part", &i, &home))
        return NULL;
    const boc_blob_t *b = decoding;
    if (b == NULL || i >= b->nparts || b->parts[i].in_order) {
        PyErr_SetString(PyExc_ValueError, "a part of encoded data makes no sense outside of it");
        return NULL;
    }
    bool take = taking;
    if (placing && only_moves(&b->parts[i]))
        return PyCapsule_New(&placing, NULL, NULL); /* nobody can encode it: so it is found */
    PyObject *m = home ? PyImport_Import(home) : Py_NewRef(Py_None);
    if (m == NULL)
        return NULL;
    Py_DECREF(m);
    return boc__part_object(st, &b->parts[i], take);
}

static PyMethodDef decode_part_def = {"_part", decode_part, METH_VARARGS, NULL};
static PyMethodDef buffer_callback_def = {"_buffer", buffer_callback, METH_O, NULL};
static PyMethodDef decode_cown_def = {"_cown", decode_cown, METH_O, NULL};

int boc__codec_init(boc_state_t *st) {
    PyObject *pickle = PyImport_ImportModule("_pickle");
    if (pickle == NULL)
        return -1;
    PyObject *base = PyObject_GetAttrString(pickle, "Pickler");
    st->loads = PyObject_GetAttrString(pickle, "loads");
    Py_DECREF(pickle);
    if (base == NULL || st->loads == NULL) {
        Py_XDECREF(base);
        return -1;
    }
    st->encoder_type = (PyTypeObject *)PyType_FromModuleAndSpec(st->module, &encoder_spec, base);
    Py_DECREF(base);
    st->writer_type = (PyTypeObject *)PyType_FromModuleAndSpec(st->module, &writer_spec, NULL);
    PyObject *name = PyUnicode_FromString("boc._core");
    st->cown_ctor = name ? PyCFunction_NewEx(&decode_cown_def, st->module, name) : NULL;
    st->part_ctor = name ? PyCFunction_NewEx(&decode_part_def, st->module, name) : NULL;
    st->buffer_callback = PyCFunction_NewEx(&buffer_callback_def, st->module, NULL);
    Py_XDECREF(name);
    if (st->encoder_type == NULL || st->writer_type == NULL || st->cown_ctor == NULL || st->part_ctor == NULL || st->buffer_callback == NULL ||
        PyModule_AddObjectRef(st->module, "_part", st->part_ctor) < 0)
        return -1;
    return PyModule_AddObjectRef(st->module, "_cown", st->cown_ctor);
}
