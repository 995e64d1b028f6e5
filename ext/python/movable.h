/* C types that move as a pointer: what the binding knows of them. */
#ifndef BOC_MOVABLE_H
#define BOC_MOVABLE_H

#include "binding.h"

#include <boc/boc.h>

const boc_movable_t *boc__movable(uint32_t index);
int32_t boc__movable_index(boc_state_t *st, PyObject *o);   /* -1: its type is not registered here */
PyObject *boc__movable_give(boc_state_t *st, uint32_t index, void *payload);

#endif
