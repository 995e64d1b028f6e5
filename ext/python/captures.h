/* What a body takes along: its code in the store, and the names that it uses as they were at schedule (capture.c). */
#ifndef BOC_CAPTURES_H
#define BOC_CAPTURES_H

#include "binding.h"
#include "value.h"

typedef struct boc_capture { /* one captured value that many behaviors may share */
    _Atomic uint32_t refs;
    uint8_t mutable;         /* decoded anew for each behavior */
    uint8_t is_def;          /* id: a definition of the store */
    uint8_t is_patch;        /* loading it changes a class, it is no value */
    unsigned char id[32];
    uint64_t met;            /* of the value's blob; of a patch, the class's shape */
    boc_value_t v;
} boc_capture_t;

typedef struct boc_capset {  /* the names that a body and what it reaches use, as they were at schedule */
    _Atomic uint32_t refs;
    uint32_t n;
    bool any_mutable;
    struct boc_capset_entry {
        uint32_t ns, name;   /* of the name table */
        boc_capture_t *capture;
    } entry[];
} boc_capset_t;

typedef struct boc_recipe {  /* a body's code, once per content; never freed */
    unsigned char id[32];
    uint32_t index;          /* counts up: key of the workers' caches */
    struct boc_recipe *chain;
} boc_recipe_t;

/* ---- capture.c ------------------------------------------------------------ */
boc_capture_t *boc__capture_new(boc_state_t *st, PyObject *value, const char *what); /* NULL with an exception */
boc_capture_t *boc__capture_def(const unsigned char id[32]);
boc_capture_t *boc__capture_function(boc_state_t *st, PyObject *fn, const char *what); /* with the names it uses, for use elsewhere at once */
void boc__capture_drop(boc_capture_t *c);
void boc__capset_drop(boc_capset_t *s);
static inline void boc__capset_keep(boc_capset_t *s) { if (s != NULL) atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed); }
void boc__callables_forget(boc_state_t *st); /* as if none had been scheduled before */
void boc__callables_clear(boc_state_t *st);  /* at the end of the interpreter */
void boc__templates_forget(boc_state_t *st); /* as if none of its bodies had been scheduled before */
int boc__capset_install(boc_state_t *st, boc_capset_t *s);
void boc__capset_uninstall_mutable(boc_state_t *st, boc_capset_t *s);
int boc__capset_lend(boc_state_t *st, boc_capset_t *s, PyObject ***saved); /* on main, for one body; also after -1: */
void boc__capset_return(boc_state_t *st, boc_capset_t *s, PyObject **saved); /* what stood there before */
boc_capture_t *boc__installed_capture(boc_state_t *st, uint32_t ns, uint32_t name, PyObject *value); /* borrowed, or NULL */
PyObject *boc__name_object(boc_state_t *st, uint32_t name);  /* borrowed interned str */
PyObject *boc__load_def(boc_state_t *st, const unsigned char id[32]); /* new reference */
void boc__recipes_clear(boc_state_t *st);
boc_recipe_t *boc__recipe(const unsigned char id[32]);
PyObject *boc__store_put(PyObject *module, PyObject *data);
PyObject *boc__stored(PyObject *module, PyObject *unused);
PyObject *boc__store_get(PyObject *module, PyObject *id);
bool boc__importing(boc_state_t *st);        /* in a worker: the top level of a module that is being imported called */
PyObject *boc__names_moved(PyObject *module, PyObject *nothing);
PyObject *boc__module_arrived(PyObject *module, PyObject *key);

#endif
