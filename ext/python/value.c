/* What a cown's slot holds, and what becomes of it when a body ends.
 *
 * Invariants
 *  - a V_LIVE value is touched only with the GIL of the interpreter it lives in; cown.home names it, or is 0
 *    while a body holds the cown (or for ever, for a pinned cown: main);
 *  - a value stays live at the end of a body only if nothing else refers to its inside (live.c);
 *  - every other tag can be read, shared and dropped by any thread without an interpreter;
 *  - a slot that could not be encoded holds the TransferError in its place: nothing is lost silently. */
#include "binding.h"
#include "hold.h"
#include "live.h"
#include "movable.h"
#include "move.h"
#include "parts.h"
#include "registry.h"
#include "together.h"
#include "unseen.h"

#include <string.h>

#define MOST_TYPES 256 /* remembered as seen to encode */

#define NOT_LISTED UINT32_MAX /* aux of a live value that is in no live table */

int boc__atom(boc_value_t *out, PyObject *o) {
    out->flags = 0;
    out->aux = 0;
    out->len = 0;
    if (o == Py_None) {
        out->tag = V_NONE;
    } else if (PyBool_Check(o)) {
        out->tag = V_BOOL;
        out->u.i = o == Py_True;
    } else if (PyLong_CheckExact(o)) {
        int over;
        out->u.i = PyLong_AsLongLongAndOverflow(o, &over);
        if (over)
            return 0;
        out->tag = V_INT;
    } else if (PyFloat_CheckExact(o)) {
        out->tag = V_FLOAT;
        out->u.d = PyFloat_AS_DOUBLE(o);
    } else if (PyUnicode_CheckExact(o)) {
        if (PyUnicode_GET_LENGTH(o) > V_INLINE_MAX)
            return 0;
        Py_ssize_t n;
        const char *text = PyUnicode_AsUTF8AndSize(o, &n);
        if (text == NULL) { /* lone surrogates: pickle keeps them */
            PyErr_Clear();
            return 0;
        }
        if (n > V_INLINE_MAX)
            return 0;
        out->tag = V_STR;
        out->len = (uint8_t)n;
        memcpy(out->u.text, text, (size_t)n);
    } else if (PyBytes_CheckExact(o)) {
        Py_ssize_t n = PyBytes_GET_SIZE(o);
        if (n > V_INLINE_MAX)
            return 0;
        out->tag = V_BYTES;
        out->len = (uint8_t)n;
        memcpy(out->u.text, PyBytes_AS_STRING(o), (size_t)n);
    } else {
        boc_state_t *st = boc__st();
        if (st == NULL || !boc__cown_check(st, o)) {
            PyErr_Clear();
            return 0;
        }
        out->tag = V_COWN;
        out->u.p = ((boc_cown_object_t *)o)->core;
        boc_cown_retain(out->u.p);
    }
    return 1;
}

static PyObject *decode_exception(boc_state_t *st, const boc_blob_t *b) {
    PyObject *packed = boc__unpickle(st, b);
    if (packed == NULL) /* the reason stands in for it */
        packed = PyErr_GetRaisedException();
    PyObject *f = boc__py(st, PY_UNPACK);
    PyObject *exc = f ? PyObject_CallOneArg(f, packed) : NULL;
    Py_DECREF(packed);
    return exc;
}

PyObject *boc__decode(boc_state_t *st, const boc_value_t *v) {
    switch (v->tag) {
    case V_EMPTY:
    case V_NONE:
        Py_RETURN_NONE;
    case V_BOOL:
        return PyBool_FromLong((long)v->u.i);
    case V_INT:
        return PyLong_FromLongLong(v->u.i);
    case V_FLOAT:
        return PyFloat_FromDouble(v->u.d);
    case V_STR:
        return PyUnicode_FromStringAndSize((const char *)v->u.text, v->len);
    case V_BYTES:
        return PyBytes_FromStringAndSize((const char *)v->u.text, v->len);
    case V_COWN:
        boc_cown_retain(v->u.p);
        return boc__cown_wrap(st, v->u.p);
    case V_BLOB:
        return boc__unpickle(st, v->u.p);
    case V_EXC:
        return decode_exception(st, v->u.p);
    case V_CANCELLED: {
        PyObject *type = boc__error_type(st, "Cancelled");
        return type ? PyObject_CallFunction(type, "s", "the behavior was cancelled before it ended") : NULL;
    }
    case V_DIED: {
        PyObject *type = boc__error_type(st, "WorkerDied");
        return type ? PyObject_CallFunction(type, "s", boc_name_text(v->aux)) : NULL;
    }
    case V_REFUSED:
        return boc__no_copy(st, v->aux);
    case V_DEF:
        return boc__load_def(st, ((boc_capture_t *)v->u.p)->id);
    case V_TOGETHER:
        return boc__together_item(st, v);
    case V_LIVE:
        return Py_NewRef((PyObject *)v->u.p);
    case V_RAWBYTES:
        return PyBytes_FromStringAndSize((char *)((boc_blob_t *)v->u.p)->data, (Py_ssize_t)((boc_blob_t *)v->u.p)->len);
    case V_RAWARRAY:
        return PyByteArray_FromStringAndSize((char *)((boc_blob_t *)v->u.p)->data, (Py_ssize_t)((boc_blob_t *)v->u.p)->len);
    case V_BYTESOBJ:
    case V_BYTEARRAY:
    case V_MOVED:
        return boc__moved_decode(st, v);
    case V_REGISTERED:
        return boc__registry_give(v);
    default:
        PyErr_Format(PyExc_SystemError, "boc: a value of kind %d cannot be read here", v->tag);
        return NULL;
    }
}

PyObject *boc__decode_taking(boc_state_t *st, boc_value_t *v) {
    if (v->tag == V_BLOB)
        return boc__unpickle_taking(st, v->u.p);
    return boc__is_moved(v->tag) ? boc__give(st, v) : boc__decode(st, v);
}

void boc__value_drop(boc_value_t *v) {
    switch (v->tag) {
    case V_COWN:
        boc_cown_release(v->u.p);
        break;
    case V_BLOB:
    case V_EXC:
    case V_RAWBYTES:
    case V_RAWARRAY:
        boc__blob_drop(v->u.p);
        break;
    case V_BYTESOBJ:
    case V_BYTEARRAY:
    case V_MOVED:
        boc__moved_drop(v);
        break;
    case V_DEF:
    case V_TOGETHER:
        boc__capture_drop(v->u.p);
        break;
    case V_ARRAY:
        boc__array_drop(v);
        break;
    case V_REGISTERED:
        boc__registry_drop(v);
        break;
    default:
        break;
    }
    v->tag = V_EMPTY;
    v->flags = 0;
}

void boc__value_copy(boc_value_t *to, const boc_value_t *from) {
    if (boc__is_moved(from->tag)) {
        if (!boc__moved_copy(to, from)) {
            memset(to, 0, sizeof *to);
            to->tag = V_REFUSED;
            to->flags = VF_EXC | VF_LOST;
            to->aux = from->tag == V_MOVED && boc__movable(from->aux)->copy_payload == NULL ? from->aux : UINT32_MAX;
        }
        return;
    }
    *to = *from;
    if (from->tag == V_COWN)
        boc_cown_retain(from->u.p);
    else if (from->tag == V_BLOB || from->tag == V_EXC || from->tag == V_RAWBYTES || from->tag == V_RAWARRAY)
        boc__blob_keep(from->u.p);
    else if (from->tag == V_DEF)
        atomic_fetch_add_explicit(&((boc_capture_t *)from->u.p)->refs, 1, memory_order_relaxed);
}

/* The exception of a failed encode becomes a TransferError that names the member and the way out. */
void boc__refuse(boc_state_t *st, PyObject *o, const char *what) {
    PyObject *exc = PyErr_GetRaisedException();
    if (PyErr_GivenExceptionMatches(exc, PyExc_MemoryError) || !PyErr_GivenExceptionMatches(exc, PyExc_Exception)) {
        PyErr_SetRaisedException(exc);
        return;
    }
    PyObject *f = boc__py(st, PY_REFUSAL);
    PyObject *err = f ? PyObject_CallFunction(f, "OOss", o, exc, what ? what : "", boc_name_text(st->blame)) : NULL;
    if (err == NULL) {
        boc__forgive();
        PyErr_SetRaisedException(exc);
        return;
    }
    Py_DECREF(exc);
    PyErr_SetRaisedException(err);
}

/* For what is stored in a cown: a handle becomes data, which is listed, so that cycles through it are found (cycles.c). */
static int atom_for_slot(boc_value_t *out, PyObject *o) {
    int is = boc__atom(out, o);
    if (is && out->tag == V_COWN) {
        boc__value_drop(out);
        return 0;
    }
    return is;
}

/* Those of some types are kept: the table of names has one lock for all. */
uint32_t boc__type_word(boc_state_t *st, PyObject *o) {
    PyTypeObject *t = Py_TYPE(o);
#ifdef Py_GIL_DISABLED
    uint32_t version = 0;
#else
    uint32_t version = t->tp_version_tag;
#endif
    uint32_t slot = version % BOC_TYPE_WORDS;
    if (version != 0 && version == st->type_words[slot].version)
        return st->type_words[slot].name;
    uint32_t name = boc_name(t->tp_name, strlen(t->tp_name));
    if (version != 0) {
        st->type_words[slot].version = version;
        st->type_words[slot].name = name;
    }
    return name;
}

/* open: for a slot; the parts of the data are still references to parts of o, to be sealed when o is gone. */
static int encode(boc_state_t *st, PyObject *o, boc_value_t *out, const char *what, bool open) {
    if (open ? atom_for_slot(out, o) : boc__atom(out, o))
        return 0;
    int moved = boc__take_copy(st, o, out);
    if (moved > 0)
        return 0;
    boc_blob_t *b = moved < 0 ? NULL : open ? boc__pickle_open(st, o) : boc__pickle(st, o);
    if (b == NULL) {
        boc__refuse(st, o, what);
        return -1;
    }
    memset(out, 0, sizeof *out);
    out->tag = V_BLOB;
    out->u.p = b;
    out->aux = boc__type_word(st, o); /* for repr */
    return 0;
}

int boc__encode(boc_state_t *st, PyObject *o, boc_value_t *out, const char *what) { return encode(st, o, out, what, false); }

int boc__encode_taking(boc_state_t *st, PyObject *o, boc_value_t *out, const char *what) {
    int moved = PyBytes_CheckExact(o) || PyByteArray_CheckExact(o) ? 0 : boc__take(st, o, out);
    if (moved < 0) {
        boc__refuse(st, o, what);
        return -1;
    }
    return moved > 0 ? 0 : boc__encode(st, o, out, what);
}

/* ---- the slot, for whoever holds the cown ----------------------------------- */
int boc__slot_open(boc_state_t *st, boc_cown_t *c) {
    if (boc__is_moved(c->value.tag)) {
        PyObject *given = boc__give(st, &c->value);
        if (given == NULL) {
            boc__forgive();
            return 0;
        }
        c->value.tag = V_LIVE;
        c->value.u.p = given;
        c->value.u.buf.n = 0;
        c->value.aux = NOT_LISTED;
        return 0;
    }
    if (c->value.tag != V_BLOB)
        return 0;
    boc_blob_t *b = c->value.u.p;
    int64_t t0 = atomic_load_explicit(&boc_trace_on, memory_order_relaxed) ? boc_now() : 0;
    PyObject *o = boc__unpickle_taking(st, b);
    if (o == NULL) {
        boc__forgive(); /* it stays encoded: reading it says why */
        return 0;
    }
    if (t0)
        boc_trace(BOC_T_decode, c->id, b->len, (uint32_t)(boc_now() - t0), 0);
    boc__blob_drop(b);
    c->value.tag = V_LIVE;
    c->value.u.p = o;
    c->value.u.buf.n = c->value.aux;
    c->value.aux = NOT_LISTED;
    return 1;
}

void boc__not_loaded(boc_state_t *st, const char *what) {
    PyObject *exc = PyErr_GetRaisedException();
    bool plain = PyErr_GivenExceptionMatches(exc, PyExc_Exception) && !PyErr_GivenExceptionMatches(exc, PyExc_MemoryError);
    PyObject *f = plain ? boc__py(st, PY_ARRIVAL) : NULL;
    PyObject *error = f ? PyObject_CallFunction(f, "Os", exc, what) : NULL;
    if (error == NULL) {
        boc__forgive();
        PyErr_SetRaisedException(exc);
        return;
    }
    Py_DECREF(exc);
    PyErr_SetRaisedException(error);
}

PyObject *boc__decode_cown(boc_state_t *st, const boc_cown_t *c, const boc_value_t *v) {
    PyObject *o = boc__decode(st, v);
    if (o == NULL && v->tag == V_BLOB) {
        char label[80], text[120];
        snprintf(text, sizeof text, "the value of %s", boc__cown_label(c, label, sizeof label));
        boc__not_loaded(st, text);
    }
    return o;
}

PyObject *boc__slot_get(boc_state_t *st, boc_cown_t *c) {
    boc_value_t *v = &c->value;
    if (v->flags & VF_EXC)
        boc__mark_seen(c);
    if (boc__is_moved(v->tag) || (v->tag == V_BLOB && ((boc_blob_t *)v->u.p)->nparts))
        boc__slot_open(st, c);
    if (v->tag == V_LIVE && !(v->flags & VF_LOST))
        return Py_NewRef((PyObject *)v->u.p);
    PyObject *o = boc__decode_cown(st, c, v);
    if (o == NULL)
        return NULL;
    if (v->flags & VF_LOST) {
        if (PyExceptionInstance_Check(o)) {
            PyErr_SetRaisedException(o);
            return NULL;
        }
        return o;
    }
    if (v->tag == V_BLOB || v->tag == V_EXC || v->tag == V_CANCELLED || v->tag == V_DIED) {
        uint16_t flags = v->flags;
        boc__value_drop(v);
        v->tag = V_LIVE;
        v->flags = flags;
        v->u.p = Py_NewRef(o);
        v->u.buf.n = 0;
        v->aux = NOT_LISTED;
    }
    return o;
}

static void slot_clear(boc_state_t *st, boc_cown_t *c) {
    if (c->value.tag != V_LIVE) {
        if (c->value.tag == V_EXC)
            boc__unseen_forget(c); /* to assign is to look */
        boc__value_drop(&c->value);
        return;
    }
    if (c->value.aux != NOT_LISTED && !(c->flags & BOC_COWN_PINNED))
        boc__live_remove(st, c);
    PyObject *o = c->value.u.p;
    c->value.tag = V_NONE;
    c->value.flags = 0;
    Py_DECREF(o);
}

void boc__slot_set(boc_state_t *st, boc_cown_t *c, PyObject *o) {
    PyObject *keep = Py_NewRef(o);
    slot_clear(st, c);
    c->value.tag = V_LIVE;
    c->value.flags = 0;
    c->value.u.p = keep;
    c->value.u.buf.n = c->flags & BOC_COWN_PINNED ? boc__type_word(st, keep) : 0;
    c->value.aux = NOT_LISTED;
}

/* ---- the end of a body -------------------------------------------------------- */
/* The exception that is set becomes the slot's content. */
void boc__set_exception(boc_state_t *st, boc_cown_t *c, uint16_t flags) {
    PyObject *exc = PyErr_GetRaisedException();
    slot_clear(st, c);
    PyErr_SetRaisedException(exc);
    boc__pack_exception(st, &c->value);
    if (c->flags & BOC_COWN_RESULT)
        flags &= (uint16_t)~VF_LOST; /* results hand exceptions out as values, these too */
    c->value.flags = flags;
    if (c->value.tag == V_EXC && !(flags & VF_SEEN))
        boc__unseen_add(c, c->value.u.p, c->value.aux);
}

void boc__pack_exception(boc_state_t *st, boc_value_t *out) {
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *f = boc__py(st, PY_PACK);
    PyObject *packed = f ? PyObject_CallOneArg(f, exc) : NULL;
    boc_blob_t *b = packed ? boc__pickle(st, packed) : NULL;
    if (b == NULL) { /* at worst its text */
        boc__forgive();
        Py_XDECREF(packed);
        PyObject *text = PyObject_Str(exc);
        if (text == NULL)
            boc__forgive();
        PyObject *type = boc__error_type(st, "BehaviorError");
        PyObject *e = type ? PyObject_CallFunction(type, "O", text ? text : Py_None) : NULL;
        Py_XDECREF(text);
        packed = e && f ? PyObject_CallOneArg(f, e) : NULL;
        Py_XDECREF(e);
        b = packed ? boc__pickle(st, packed) : NULL;
        boc__forgive();
    }
    Py_XDECREF(packed);
    memset(out, 0, sizeof *out);
    out->aux = boc__origin();
    if (b != NULL) {
        out->tag = V_EXC;
        out->u.p = b;
    } else {
        out->tag = V_DIED;
        out->aux = boc_name("an exception that could not be kept (out of memory)", 51);
    }
    boc_trace(BOC_T_raise, st->ctx.current ? st->ctx.current->id : 0, 0,
              boc_name(Py_TYPE(exc)->tp_name, strlen(Py_TYPE(exc)->tp_name)), 0);
    boc_tally_raised(st->ctx.current ? st->ctx.current->name : 0);
    Py_DECREF(exc);
}

static uint32_t last_body(boc_state_t *st, const boc_cown_t *c) {
    if (c->value.aux != NOT_LISTED && !(c->flags & BOC_COWN_PINNED) && c->value.aux < st->nlive)
        return st->live[c->value.aux].last;
    return boc__in_body() && !(boc__ctx->current->flags & BOC_B_NATIVE) ? boc__ctx->current->name : 0;
}

/* What comes now takes its time, and it is no longer the body's. */
static void body_ended(void) {
    boc_ctx_t *ctx = boc__ctx;
    if (ctx != NULL && ctx->current != NULL && !ctx->ended) {
        ctx->ended = true;
        boc_trace(BOC_T_body_end, ctx->current->id, 0, 0, 0);
    }
}

/* Of a C type that moves main's own references are left empty when it lets go, as after Cown(o). 1, or 0: copy it. */
static int take_from_main(boc_state_t *st, const boc_cown_t *c, PyObject *o, boc_value_t *out) {
    if (st->worker >= 0 || boc__in_body() || boc__held_in_another(c, o))
        return 0;
    if (boc__movable_index(st, o) < 0) {
        boc__forgive();
        return 0;
    }
    int moved = boc__take(st, o, out);
    if (moved < 0) { /* a buffer looks at it, say */
        boc__forgive();
        return 0;
    }
    return moved;
}

/* Makes the live object in c's slot rest nowhere: inline or encoded, or the error of trying. */
static void encode_slot(boc_state_t *st, boc_cown_t *c, uint8_t trace_flags) {
    PyObject *o = c->value.u.p;
    uint16_t flags = c->value.flags & (VF_EXC | VF_SEEN);
    boc_value_t v;
    if ((flags & VF_EXC) && PyExceptionInstance_Check(o)) {
        body_ended();
        Py_INCREF(o);
        PyErr_SetRaisedException(o);
        boc__set_exception(st, c, flags);
        return;
    }
    int64_t t0 = 0;
    char label[80];
    st->blame = last_body(st, c);
    int moved = Py_REFCNT(o) == 1 ? boc__take(st, o, &v) : take_from_main(st, c, o, &v); /* still referred to: copied */
    if (moved < 0)
        boc__refuse(st, o, boc__cown_label(c, label, sizeof label));
    if (moved == 0) {
        body_ended();
        t0 = atomic_load_explicit(&boc_trace_on, memory_order_relaxed) ? boc_now() : 0;
    }
    bool refused = moved < 0 || (moved == 0 && encode(st, o, &v, boc__cown_label(c, label, sizeof label), true) < 0);
    st->blame = 0;
    if (refused) {
        boc__set_exception(st, c, VF_EXC | VF_LOST);
        return;
    }
    if (moved > 0 && v.tag == V_BYTESOBJ) { /* the slot's reference went along */
        if (c->value.aux != NOT_LISTED)
            boc__live_remove(st, c);
        v.flags |= flags;
        c->value = v;
        return;
    }
    if (t0 && v.tag == V_BLOB)
        boc_trace(BOC_T_encode, c->id, ((boc_blob_t *)v.u.p)->len, (uint32_t)(boc_now() - t0), trace_flags);
    slot_clear(st, c);
    if (v.tag == V_BLOB && ((boc_blob_t *)v.u.p)->nparts && boc__parts_seal(st, v.u.p) < 0) {
        boc__refuse(st, Py_None, boc__cown_label(c, label, sizeof label));
        boc__set_exception(st, c, VF_EXC | VF_LOST);
        boc__value_drop(&v);
        return;
    }
    v.flags |= flags;
    c->value = v;
}

/* The first instance of a type is encoded once to see that its kind moves at all: a lock is refused at the end of the
   body that stored it. A member deep inside that refuses is found at the next move. */
static bool type_moves(boc_state_t *st, boc_cown_t *c, PyObject *o) {
    PyTypeObject *t = Py_TYPE(o);
    if (PyList_CheckExact(o) || PyDict_CheckExact(o) || PyTuple_CheckExact(o) || PySet_Check(o) || PyUnicode_Check(o) ||
        PyLong_Check(o) || PyBytes_Check(o) || PyByteArray_Check(o) || boc__movable_index(st, o) >= 0)
        return true;
    if (st->type_ok == NULL && (st->type_ok = PySet_New(NULL)) == NULL)
        goto fail;
    int known = PySet_Contains(st->type_ok, (PyObject *)t);
    if (known != 0) {
        if (known < 0)
            goto fail;
        return true;
    }
    boc_value_t v;
    char label[80];
    st->blame = last_body(st, c);
    bool moves = encode(st, o, &v, boc__cown_label(c, label, sizeof label), true) == 0;
    st->blame = 0;
    if (moves) {
        boc__value_drop(&v);
        if (PySet_GET_SIZE(st->type_ok) >= MOST_TYPES)
            PySet_Clear(st->type_ok); /* else it would keep each version of a class that was ever sent */
        if (PySet_Add(st->type_ok, (PyObject *)t) < 0)
            goto fail;
        return true;
    }
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *path = PyObject_GetAttrString(exc, "path");
    bool deep = path != NULL && PyUnicode_Check(path) && PyUnicode_GET_LENGTH(path) > 0;
    if (path == NULL)
        boc__forgive();
    Py_XDECREF(path);
    if (deep) {
        Py_DECREF(exc);
        return true;
    }
    PyErr_SetRaisedException(exc);
    boc__set_exception(st, c, VF_EXC | VF_LOST);
    return false;
fail:
    boc__forgive();
    return false;
}

void boc__settle(boc_state_t *st, boc_behavior_t *b) {
    boc_cown_t *few[8], **live = few;
    uint32_t n = 0;
    if (b->nreq > 8 && (live = PyMem_RawMalloc(b->nreq * sizeof *live)) == NULL) {
        live = few; /* out of memory: encode what does not fit */
    }
    uint32_t room = live == few ? 8 : b->nreq;
    for (uint32_t i = 0; i < b->nreq; i++) {
        boc_cown_t *c = b->req[i].cown;
        if (b->req[i].mode == BOC_READ || c->value.tag != V_LIVE || (c->flags & BOC_COWN_PINNED))
            continue;
        boc_value_t v;
        if (!(c->value.flags & VF_EXC) && atom_for_slot(&v, c->value.u.p)) {
            slot_clear(st, c);
            c->value = v;
        } else if (st->worker < 0 || boc__check || (c->value.flags & VF_EXC) || n == room || boc__moves(st, c->value.u.p)) {
            encode_slot(st, c, 0);
            atomic_store_explicit(&c->home, 0, memory_order_relaxed);
        } else {
            live[n++] = c;
        }
    }
    if (n)
        boc__separate(st, live, n);
    for (uint32_t i = 0; i < n; i++) {
        boc_cown_t *c = live[i];
        if (c == NULL || c->value.tag != V_LIVE)
            continue;
        if (c->value.aux == NOT_LISTED) {
            if (!type_moves(st, c, c->value.u.p)) {
                atomic_store_explicit(&c->home, 0, memory_order_relaxed);
                continue;
            }
            boc__live_add(st, c);
        }
        if (c->value.tag == V_LIVE) {
            st->live[c->value.aux].since = boc__rough_now();
            st->live[c->value.aux].last = b->name;
        }
    }
    for (uint32_t i = 0; i < b->nreq; i++) {
        boc_cown_t *c = b->req[i].cown;
        if (b->req[i].mode == BOC_WRITE && c->value.tag != V_LIVE)
            atomic_store_explicit(&c->home, 0, memory_order_relaxed);
    }
    if (live != few)
        PyMem_RawFree(live);
}

void boc__encode_live(boc_state_t *st, boc_cown_t *c, uint8_t trace_flags) {
    c->value.flags |= VF_ENCODING;
    encode_slot(st, c, trace_flags);
    c->value.flags &= (uint16_t)~VF_ENCODING;
    atomic_store_explicit(&c->home, 0, memory_order_release);
}

void boc__mark_seen(boc_cown_t *c) {
    if (!(atomic_fetch_or_explicit((_Atomic uint16_t *)&c->value.flags, VF_SEEN, memory_order_relaxed) & VF_SEEN))
        boc__unseen_forget(c);
}
