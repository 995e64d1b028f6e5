/* What was in a function when a body that reaches it was scheduled last. */
#ifndef BOC_EDITED_H
#define BOC_EDITED_H

#include "binding.h"

typedef struct reached {
    PyFunctionObject *func;
    PyObject *code, *defaults;
    PyObject *keywords, *attributes; /* tuples of keys and values by turns, NULL: none */
} reached_t;

int boc__look_at(reached_t *r, PyObject *func); /* -1 with an exception */
bool boc__is_edited(const reached_t *r);
void boc__look_away(reached_t *r);

#endif
