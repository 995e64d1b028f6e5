/* Writes of the noticeboard and what it remembers of its past: kept by notice.c, told by notice_history.c. */
#ifndef BOC_NOTICE_H
#define BOC_NOTICE_H

#include "binding.h"

enum { OP_WRITE, OP_UPDATE, OP_DELETE, OP_CLEAR };
typedef struct op {
    struct op *next;
    uint64_t ticket;
    int what;
    uint32_t key;
    Py_hash_t hash;
    boc_value_t value, fn;
    uint64_t writer;
    uint32_t writer_name, origin;
} op_t;

typedef struct past {
    uint64_t version, writer;
    int64_t time;
    uint32_t key, writer_name;
    boc_value_t v; /* V_ABSENT: deleted */
} past_t;

PyObject *boc__notice_past(boc_state_t *st, past_t *past, uint64_t n); /* drops their values */

void boc__notice_warn_full(const op_t *op);
void boc__notice_warn_update(const op_t *op); /* of the exception that is set, which it takes */

#endif
