/* Between the binding and a notebook's extension; see notebook.c. */
#ifndef BOC_NOTEBOOK_H
#define BOC_NOTEBOOK_H

#include "binding.h"

extern PyMethodDef boc__notebook_methods[];
PyObject *boc__pinned_begin(boc_behavior_t *b);              /* a new reference for boc__pinned_end, or NULL: nobody asked */
void boc__pinned_end(PyObject *token);                       /* keeps an exception that is set */
bool boc__notebook(void);                                    /* there is one: it orders its own output too */
void boc__tell_raised(boc_cown_t *c, uint32_t origin);       /* c: the result of a body that raised */

#endif
