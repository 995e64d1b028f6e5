/* What interp*.c share: one slot per worker interpreter, and the table of them.
 *
 * A slot is made by the worker's thread in enter and belongs to it. Others reach it through the table, under
 * boc__slots.lock only: leave takes it out of the table under the same lock before the interpreter
 * ends, so whoever finds a slot there may add a pending call to a living interpreter.
 * Lock order: no GIL is waited for while boc__slots.lock is held. */
#ifndef BOC_PYTHON_INTERP_SLOT_H
#define BOC_PYTHON_INTERP_SLOT_H

#include "interp.h" /* Python.h has to come first */

#include "host.h"
#include "wait.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct boc__slot {
    struct boc__slot *next;    /* in the pool of idle interpreters */
    uint32_t worker;
    PyInterpreterState *interp;
    PyThreadState *thread;     /* the worker's own thread state */
    PyThreadState *anchor;     /* while idle, on versions that need one; see put_idle */
    unsigned long ident;       /* of its thread, as Python counts */
    PyObject *python;          /* boc._interpreter in it; guarded by the interpreter's GIL */
    PyObject *interrupted;     /* class to raise; guarded by the interpreter's GIL */
    PyObject *folder;          /* of boc's Python files, with its slash; guarded by the interpreter's GIL */
    _Atomic uint64_t running;  /* id of the behavior whose body runs, 0: none */
    _Atomic uint64_t wanted;   /* id of the behavior to be interrupted, 0: none */
    _Atomic int64_t asked_at;  /* when wanted was set, ns; written before it */
    _Atomic uint32_t imports;  /* how many imports the worker's thread is inside */
    _Atomic uint64_t nudged;   /* id of the behavior for which a thread asks again and again, 0: none */
    atomic_bool posted;        /* a pending call is queued and has not run */
    bool raised;               /* the exception was set for the running body; guarded by the GIL */
    bool outside;              /* out of CPython's list for a while, see interp_world.c; guarded by boc__slots.lock */
    bool abandoned;            /* never to be ended; guarded by boc__slots.lock */
} boc__slot_t;

typedef struct boc__slot_table {
    pthread_mutex_t lock;
    boc__slot_t *at[BOC_MAX_WORKERS];
    boc__slot_t *idle;   /* interpreters that served and wait for a worker, no thread inside */
    PyInterpreterState *main;
    pthread_cond_t ended;
    uint32_t ending;     /* interpreters out of the table that are being ended; guarded by lock */
    bool watched;        /* the thread of interp_world.c lives; guarded by lock */
    atomic_bool any;     /* a worker interpreter was ever made in this process */
    atomic_bool exiting; /* the exit hook has begun */
    char error[512];     /* why the last enter failed; guarded by lock */
} boc__slot_table_t;

extern boc__slot_table_t boc__slots;

/* Around every use of the table from outside a worker's own enter and leave. CPython's locks may let go of the GIL while they
   wait for one another; without a GIL they do not, so this lets go of it first: what lock returns, unlock
   takes back. */
PyThreadState *boc__slots_lock(void);
void boc__slots_unlock(PyThreadState *thread);
/* Until every interpreter whose end has begun is gone, a second at most. No GIL held. */
void boc__slots_await_endings(void);
/* Ends the idle interpreters. Main's GIL held. */
void boc__slots_end_idle(void);
/* The calling thread's own slot, NULL if it is no worker. */
boc__slot_t *boc__slot_mine(void);
/* After a fork: the child has no slots and a lock of its own. */
void boc__slots_reset(void);
void boc__interp_pinned_after_fork(void);

/* A worker is in the table: nothing that it does makes the others stand still. boc__slots.lock held. */
void boc__world_watch(void);
/* On the worker's thread, current, its slot out of the table: it is in CPython's list again. */
void boc__world_back(boc__slot_t *slot);

int boc__interp_init_fork(void);                 /* 0, or -1 with an exception set */
int boc__interp_init_exit(void);

#endif
