/* Exceptions that nobody has looked at. */
#ifndef BOC_PYTHON_UNSEEN_H
#define BOC_PYTHON_UNSEEN_H

#include "binding.h"

/* An exception escaped into c; exc is kept. Whoever holds c calls it. */
void boc__unseen_add(boc_cown_t *c, boc_blob_t *exc, uint32_t origin);
void boc__unseen_forget(boc_cown_t *c);  /* somebody looked, or assigned */
void boc__unseen_died(boc_cown_t *c);    /* c's last reference went: reports it */
void boc__unseen_after_fork(void);
extern PyMethodDef boc__unseen_methods[];

#endif
