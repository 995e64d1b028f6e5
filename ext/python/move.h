/* Values that move as a pointer. */
#ifndef BOC_MOVE_H
#define BOC_MOVE_H

#include "binding.h"

static inline bool boc__is_moved(uint8_t tag) { return tag == V_BYTESOBJ || tag == V_BYTEARRAY || tag == V_MOVED; }
bool boc__pointers_move(void);                 /* blocks of malloc may change interpreters in this build */
void boc__move_init(void);
bool boc__moves(boc_state_t *st, PyObject *o); /* as a pointer: so cheap that it never rests live anywhere */
/* Move o's contents out: 1 done (a large bytes object itself is taken over, with its one reference), 0 not of that kind,
   -1 with an exception (say, a buffer of it is exported). */
int boc__take(boc_state_t *st, PyObject *o, boc_value_t *out);
int boc__take_buffer(PyObject *o, boc_value_t *out);                /* the same of bytes and bytearray alone; never -1 */
int boc__take_copy(boc_state_t *st, PyObject *o, boc_value_t *out); /* registered C types only */
PyObject *boc__give(boc_state_t *st, boc_value_t *v);               /* consumes v on success */
const char *boc__moved_bytes(const boc_value_t *v);                  /* of V_BYTESOBJ and V_BYTEARRAY */
void boc__moved_drop(boc_value_t *v);
bool boc__moved_copy(boc_value_t *to, const boc_value_t *from);
PyObject *boc__no_copy(boc_state_t *st, uint32_t index); /* the TransferError of V_REFUSED */
PyObject *boc__moved_decode(boc_state_t *st, const boc_value_t *v);

#endif
