/* Cowns held or asked for from outside behaviors: with c:, result(), unwrap(). */
#ifndef BOC_HOLD_H
#define BOC_HOLD_H

#include "binding.h"

typedef struct { uint64_t scheduled, started, finished; int slices; } boc__stuck_t;
int boc__stuck_on_own(boc__stuck_t *s);     /* -1 with RuntimeError: only this thread's own release could end its wait */
int boc__hold(boc_cown_t *c);               /* -1 with an exception */
int boc__let_go(boc_cown_t *c);
bool boc__held_in_another(const boc_cown_t *c, PyObject *o); /* main holds a cown that has this very object, too */
void boc__let_go_of_the_dead(boc_state_t *st); /* what threads that ended still hold; by stop() */
PyObject *boc__result(boc_cown_t *c, PyObject *timeout);
PyObject *boc__unwrap(boc_cown_t *c);
PyObject *boc__watch(PyObject *module, PyObject *args);   /* _watch(cown, token): tells the service when it is reached */
PyObject *boc__bring(PyObject *module, PyObject *args);   /* _bring(cowns, first): asks for live values that gather() comes to soon */
PyObject *boc__stuck(PyObject *module, PyObject *first);   /* _stuck(first): RuntimeError where boc__stuck_on_own says so */
PyObject *boc__stuck_task(PyObject *module, PyObject *args); /* _stuck_task(seen): the same of a task that awaits */
PyObject *boc__cown_reduce(PyObject *self, PyObject *unused);
PyObject *boc__cown_from_handle(PyObject *module, PyObject *args);
int boc__read_view(PyObject *handle, PyObject *value);    /* the body's reading handle keeps its copy until the body ends */
void boc__native_drop(boc_behavior_t *b);

#endif
