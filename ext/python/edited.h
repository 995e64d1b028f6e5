/* What was in a function when a body that reaches it was scheduled last. */
#ifndef BOC_EDITED_H
#define BOC_EDITED_H

#include "binding.h"
#include "memory.h"

typedef struct reached {
    boc_memory_t func, code;
    PyObject *defaults;
    PyObject *keywords, *attributes; /* tuples of keys and values by turns, NULL: none */
} reached_t;

int boc__look_at(reached_t *r, PyObject *func); /* -1 with an exception */
bool boc__is_edited(const reached_t *r);         /* false if it is gone */
void boc__look_away(reached_t *r);

#endif
