/* Large buffers and C types inside encoded data: they go beside the bytes, as pointers where that is safe. */
#ifndef BOC_PARTS_H
#define BOC_PARTS_H

#include "binding.h"

#define BOC_LARGE (64 * 1024) /* from here on a buffer goes by itself; allocators give it a block of malloc */

typedef struct boc_part {
    PyObject *object; /* while encoding: what it is of. While decoding to keep: what became of it */
    boc_value_t v;    /* once sealed: V_BYTESOBJ, V_BYTEARRAY, V_RAWBYTES, V_RAWARRAY, V_MOVED, V_ARRAY, V_REGISTERED */
    bool in_order;    /* the pickle asks for it by NEXT_BUFFER, not by its index */
    bool readonly;
} boc_part_t;

typedef struct boc_parts { boc_part_t *list; uint32_t n, cap; } boc_parts_t;

int boc__part_add(boc_parts_t *to, PyObject *o, bool in_order); /* takes over the reference, also on -1 */
/* Parts become independent of the interpreter: what nothing else refers to as it is, the rest by a copy. */
int boc__parts_seal(boc_state_t *st, boc_blob_t *b);
void boc__parts_drop(boc_part_t *list, uint32_t n);             /* unsealed ones need their interpreter */
PyObject *boc__part_object(boc_state_t *st, boc_part_t *p, bool keep);
void boc__parts_settle(boc_state_t *st, boc_blob_t *b, bool loaded); /* after decoding to keep */

const char *boc__part_bytes(const boc_part_t *p, size_t *n);    /* of a sealed one; NULL: it is not plain memory */

extern _Atomic int64_t boc__passed_bytes, boc__copied_bytes;    /* of large buffers, ever */

/* arrays.c */
bool boc__is_array(PyObject *o);
int boc__array_take(boc_state_t *st, PyObject *o, boc_value_t *out); /* 1, or 0 with nothing done, -1 */
PyObject *boc__array_give(boc_state_t *st, boc_value_t *v, bool keep);
void boc__array_drop(boc_value_t *v);
PyObject *boc__view_reduce(boc_state_t *st, PyObject *view);

#endif
