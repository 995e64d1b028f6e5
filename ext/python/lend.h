/* Values that one reader at a time can have. */
#ifndef BOC_LEND_H
#define BOC_LEND_H

#include "binding.h"

PyObject *boc__lend(boc_state_t *st, boc_cown_t *c);                    /* to the body that has the turn */
void boc__lend_back(boc_state_t *st, boc_cown_t *c, PyObject *view);    /* of a slot that is V_LENT */
bool boc__moved_copy_here(boc_state_t *st, boc_value_t *to, boc_value_t *from);

#endif
