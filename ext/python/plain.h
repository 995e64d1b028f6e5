/* Values of built-in types only as bytes of our own, see plain.c. */
#ifndef BOC_PLAIN_H
#define BOC_PLAIN_H

#include "binding.h"

#define BOC_PLAIN_MARK 0x01 /* their first byte; that of a pickle is 0x80 */

/* A new blob, or NULL: with an exception, or without one, where o is not plain. */
boc_blob_t *boc__plain_dump(PyObject *o);
PyObject *boc__plain_load(const unsigned char *data, size_t n);
static inline bool boc__is_plain(const unsigned char *data, size_t n) { return n != 0 && data[0] == BOC_PLAIN_MARK; }

#endif
