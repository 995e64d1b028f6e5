/* What an interpreter decoded of the noticeboard. */
#ifndef BOC_SEEN_H
#define BOC_SEEN_H

#include "binding.h"

/* An object for the asker alone, of the entry whose key has this name. */
PyObject *boc__seen_object(boc_state_t *st, uint32_t name, boc_blob_t *blob);
void boc__seen_forget(boc_state_t *st);

#endif
