/* Captures of one behavior that share what can change: see together.c. */
#ifndef BOC_TOGETHER_H
#define BOC_TOGETHER_H

#include "when.h"

/* Of a behavior whose values and names are taken: might two of them share something? A quick look. */
bool boc__may_share(const template_t *t, const boc_job_t *job, uint32_t ndyn);
/* Where they do, makes them items of one value. values: what job->dyn was taken from, for a closure its cells; None: goes by
   itself. -1 with an exception. */
int boc__together(boc_state_t *st, template_t *t, boc_job_t *job, PyObject *values);
PyObject *boc__together_item(boc_state_t *st, const boc_value_t *v); /* a new reference; of a closure the cell */
static inline void boc__together_end(boc_state_t *st) { /* the body has ended */
    if (st->together_of != NULL) {
        st->together_of = NULL;
        Py_CLEAR(st->together);
    }
}

#endif
