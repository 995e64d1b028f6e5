/* Cowns that hold one another through their values: see cycles.c. */
#ifndef BOC_CYCLES_H
#define BOC_CYCLES_H

#include "binding.h"

void boc__cycles_list(boc_blob_t *b);   /* it has handles of cowns in it */
void boc__cycles_unlist(boc_blob_t *b); /* before it lets go of them */
void boc__cycles_after_fork(void);
/* _collect_cycles() -> how many cowns were freed. On main, while no worker runs. */
PyObject *boc__cycles_collect(PyObject *module, PyObject *unused);

#endif
