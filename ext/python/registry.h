/* Types that CPython's own registry says how to send between interpreters. */
#ifndef BOC_REGISTRY_H
#define BOC_REGISTRY_H

#include "binding.h"

bool boc__registry_knows(PyObject *o);                       /* its type is registered */
PyObject *boc__registry_pack(PyObject *o);                   /* a capsule of what the registry gives for it, or NULL */
int boc__registry_seal(boc_state_t *st, PyObject *capsule, boc_value_t *out); /* always a copy of the reference: 1, or -1 */
PyObject *boc__registry_give(const boc_value_t *v);          /* a new object in the current interpreter */
void boc__registry_drop(boc_value_t *v);                     /* any thread: the data is released where it is from */

#endif
