/* A value that rests in a slot: what kinds there are, how an object becomes one (value.c), and as bytes (codec.c).
 * Where it is kept alive and by whom: see value.c, live.c and parts.h. */
#ifndef BOC_VALUE_H
#define BOC_VALUE_H

#include "binding.h"

/* ---- values: the tags of boc_value_t -------------------------------------- */
enum {
    V_EMPTY = 0,   /* a result that is not there yet */
    V_NONE,
    V_BOOL,        /* u.i */
    V_INT,         /* u.i, exact int of 64 bits */
    V_FLOAT,       /* u.d */
    V_STR,         /* u.text, len bytes of UTF-8, at most 16 */
    V_BYTES,       /* u.text, len bytes, at most 16 */
    V_COWN,        /* u.p: boc_cown_t, owns a reference */
    V_BLOB,        /* u.p: boc_blob_t, owns a reference: pickle */
    V_EXC,         /* u.p: boc_blob_t: a packed exception */
    V_CANCELLED,
    V_DIED,        /* aux: name of a text: why */
    V_DEF,         /* u.p: boc_capture_t of a definition, owns a reference */
    V_ABSENT,      /* captures only: the name did not exist */
    V_BYTESOBJ,    /* u.p: a bytes object with one reference, over 64 KB, between interpreters */
    V_BYTEARRAY,   /* u.p: raw memory of a bytearray; u.buf.n its length */
    V_MOVED,       /* u.p: payload of a C type; aux: index of its registration */
    V_RAWBYTES,    /* u.p: boc_blob_t of the contents of a bytes object */
    V_RAWARRAY,    /* the same of a bytearray */
    V_LIVE,        /* u.buf.p: PyObject of the interpreter that holds it, or of the home; n: its type's name, or 0; aux: place in its
                      live table */
    V_LENT,        /* aux: index of the registration of a C type whose payload a reader has (lend.c) */
    V_ARRAY,       /* u.p: the items of an array.array, malloc; u.buf.n their bytes; aux: the type code */
    V_REGISTERED,      /* parts only, u.p: what CPython's own registry gave (registry.c) */
    V_TOGETHER,    /* captures only: item aux of a tuple, u.p: boc_capture_t of the tuple, owns a reference (together.c) */
    V_REFUSED,     /* of a copy: there is none; aux: index of the registration, or UINT32_MAX: out of memory */
};
enum {               /* boc_value_t.flags */
    VF_EXC = 1,      /* an exception that a behavior let escape */
    VF_SEEN = 2,     /* somebody looked at it */
    VF_LOST = 4,     /* the cown's own value was lost: reading raises */
    VF_ENCODING = 8, /* a thread in the home encodes it: pickling may hand the GIL to another that wants to */
    VF_ANEW = 16,    /* of a captured value: it can change, so that each schedule takes it anew */
};
#define V_INLINE_MAX 16

typedef struct boc_blob {  /* encoded bytes; immutable, shared, freed anywhere */
    _Atomic uint32_t refs;
    uint32_t ncowns;
    size_t len, held;      /* bytes here; these and those of its parts */
    boc_cown_t **cowns;    /* kept alive by it, referred to by index */
    uint64_t listed;       /* its hash, if it is in the table of captures; else 0 */
    struct boc_part *parts; /* what goes beside the bytes: parts.h */
    uint32_t nparts;
    bool known;            /* what is known of a body, no value of the program: not counted */
    uint64_t met;          /* a hash over the functions and classes that encoding it came by; 0: none */
    uint32_t list_epoch;   /* not 0: in the list of those with cowns, see cycles.c */
    struct boc_blob *list_next, **list_back;
    unsigned char data[];
} boc_blob_t;

/* ---- value.c -------------------------------------------------------------- */
int boc__atom(boc_value_t *out, PyObject *o);         /* 1: stored inline (or as a cown handle), 0: not its kind */
PyObject *boc__decode(boc_state_t *st, const boc_value_t *v); /* a new object; V_LIVE of this interpreter: the object */
void boc__value_drop(boc_value_t *v);                 /* no interpreter needed; not V_LIVE */
void boc__value_copy(boc_value_t *to, const boc_value_t *from); /* shares; not V_LIVE, V_MOVED, V_BYTESOBJ, V_BYTEARRAY */
PyObject *boc__decode_taking(boc_state_t *st, boc_value_t *v); /* v is the caller's alone: buffers are not copied */
/* Encode o for anywhere. -1: a TransferError is set; `what` names the place for people. */
int boc__encode(boc_state_t *st, PyObject *o, boc_value_t *out, const char *what);
/* The same for a cown made of o: a C type that moves is taken, o is left empty. */
int boc__encode_taking(boc_state_t *st, PyObject *o, boc_value_t *out, const char *what);
/* what a behavior leaves in a slot, see value.c */
void boc__settle(boc_state_t *st, boc_behavior_t *b);
void boc__set_exception(boc_state_t *st, boc_cown_t *c, uint16_t flags); /* of the exception that is set now */
void boc__pack_exception(boc_state_t *st, boc_value_t *out);             /* the same into *out, without flags */
void boc__refuse(boc_state_t *st, PyObject *o, const char *what); /* what is set becomes a TransferError that names the member of o */
void boc__host_encode(uint32_t home, boc_cown_t *c);  /* core callback: make a live value rest nowhere */
uint32_t boc__type_word(boc_state_t *st, PyObject *o); /* the name of its type, for the repr of those who cannot touch it */
void boc__live_add(boc_state_t *st, boc_cown_t *c);
void boc__live_remove(boc_state_t *st, boc_cown_t *c);
void boc__live_flush(boc_state_t *st);                /* encode all: the interpreter ends */
void boc__drop_there(int home, PyObject *o);          /* DECREF in the interpreter of a worker, or -1: main's. Any thread */
bool boc__drop_value(boc_cown_t *c);                  /* core callback; false: the cown is freed later */
PyObject *boc__slot_get(boc_state_t *st, boc_cown_t *c); /* for the holder: .value */
/* The exception of a failed decode becomes the cause of a TransferError: `what` "cannot be loaded here". */
void boc__not_loaded(boc_state_t *st, const char *what);
PyObject *boc__decode_cown(boc_state_t *st, const boc_cown_t *c, const boc_value_t *v); /* that names the cown then */
void boc__slot_set(boc_state_t *st, boc_cown_t *c, PyObject *o);
int boc__slot_open(boc_state_t *st, boc_cown_t *c);   /* decode an encoded value in place before a body */

/* ---- codec.c -------------------------------------------------------------- */
int boc__codec_init(boc_state_t *st);
boc_blob_t *boc__pickle(boc_state_t *st, PyObject *o);       /* NULL with the pickler's own exception */
boc_blob_t *boc__pickle_open(boc_state_t *st, PyObject *o);  /* parts not yet sealed: see parts.h */
boc_blob_t *boc__pickle_inband(boc_state_t *st, PyObject *o); /* without parts: its bytes are all of it */
boc_blob_t *boc__blob_new(size_t len);                       /* counted, without cowns or parts; NULL, no exception */
boc_blob_t *boc__blob_born(boc_blob_t *b, size_t len);       /* the same of memory of malloc, whose data is there or will be */
PyObject *boc__unpickle(boc_state_t *st, const boc_blob_t *b);
PyObject *boc__unpickle_taking(boc_state_t *st, boc_blob_t *b); /* the same, b is the caller's alone: its parts are not copied */
void boc__blob_drop(boc_blob_t *b);
void boc__blob_known(boc_blob_t *b);         /* nobody else has it yet: it is not counted as living */
void boc__value_known(boc_value_t *v);       /* the same, if nobody else has it any more */
bool boc__value_light(const boc_value_t *v, size_t most); /* it keeps no cowns alive, and no more than so many bytes */
void boc__share(boc_value_t *v);             /* a capture's bytes: those of an equal one that lives, if there is one */
void boc__share_end(const boc_blob_t *b);    /* listed bytes go */
void boc__living_add(int64_t blobs, int64_t bytes);
void boc__living(int64_t *blobs, int64_t *bytes);             /* for boc.debug.live() */
static inline boc_blob_t *boc__blob_keep(boc_blob_t *b) { atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed); return b; }

#endif
