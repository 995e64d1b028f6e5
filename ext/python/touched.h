/* touched.h: classes and functions that a body changed; see touched.c. */
#ifndef BOC_PYTHON_TOUCHED_H
#define BOC_PYTHON_TOUCHED_H

#include "binding.h"

extern PyMethodDef boc__touched_methods[];
void boc__put_back(boc_state_t *st); /* st->touched is not NULL */

#endif
