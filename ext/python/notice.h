/* Writes of the noticeboard (notice.c), and what it remembers of its past and tells (notice_history.c). */
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

void boc__board_lock(void);
void boc__board_unlock(void);

/* With the board's lock held: the write that made this version, v NULL for a deletion; what it displaces goes into *oldest. */
void boc__past_add(const op_t *op, const boc_value_t *v, uint64_t version, boc_value_t *oldest);
void boc__past_known(void); /* with the lock: what only charts know is no value of the program any more */
PyObject *boc__board_history(PyObject *module, PyObject *unused);

void boc__notice_warn_full(const op_t *op);
void boc__notice_warn_update(const op_t *op); /* of the exception that is set, which it takes */

#endif
