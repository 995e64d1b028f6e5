/* The life of what is known of a body: it hangs on the code object, dies with it, and is taken apart when a worker ends. */
#include "when.h"

static void watch_clear(watch_t *w) {
    Py_CLEAR(w->container);
    Py_CLEAR(w->key);
    boc__forget(&w->cls);
    boc__forget(&w->last);
    boc__forget(&w->shape);
    if (w->capture != NULL)
        boc__capture_drop(w->capture);
    w->capture = NULL;
}

void boc__forget_watched(template_t *t) {
    for (uint32_t i = 0; i < t->nwatch; i++)
        watch_clear(&t->watch[i]);
    PyMem_Free(t->watch);
    t->watch = NULL;
    t->nwatch = 0;
    for (uint32_t i = 0; i < t->nreached; i++)
        boc__look_away(&t->reached[i]);
    PyMem_Free(t->reached);
    t->reached = NULL;
    t->nreached = 0;
}

static void slots_free(struct slot *slots, uint32_t n) {
    for (uint32_t i = 0; slots != NULL && i < n; i++) {
        boc__forget(&slots[i].last);
        boc__forget(&slots[i].shape);
        if (slots[i].capture != NULL)
            boc__capture_drop(slots[i].capture);
    }
    PyMem_Free(slots);
}

/* ---- one schedule at a time ---------------------------------------------------------------
 * To bring a template up to date runs Python, which lets other threads of main in, and may schedule the same body again.
 * Whoever comes meanwhile takes a template of its own, for once: nobody waits, so nobody can wait for ever. */
bool boc__template_take(template_t *t) { return !atomic_exchange_explicit(&t->busy, true, memory_order_acquire); }

void boc__template_leave(template_t *t) {
    if (t->once)
        boc__template_free(t);
    else
        atomic_store_explicit(&t->busy, false, memory_order_release);
}

/* ---- the list of an interpreter's templates ---------------------------------------------
 * A body that captures the function around it leads from its code object over its template to that function and back to the
 * code, and the collector does not see it: code objects are none of its. So the end of a worker takes all apart. */
void boc__template_list(boc_state_t *st, template_t *t) {
    boc__brief_lock(&boc__briefs.templates);
    if (t->at == NULL) {
        t->next = st->templates;
        t->at = &st->templates;
        if (t->next != NULL)
            t->next->at = &t->next;
        st->templates = t;
    }
    boc__brief_unlock(&boc__briefs.templates);
}

static void list_take(template_t *t) {
    boc__brief_lock(&boc__briefs.templates);
    if (t->at != NULL) {
        *t->at = t->next;
        if (t->next != NULL)
            t->next->at = t->at;
        t->at = NULL;
    }
    boc__brief_unlock(&boc__briefs.templates);
}

/* Moves what a template that was taken knows into *old; all of it belongs to certain globals. False: no memory. */
static bool move_out(template_t *t, template_t *old) {
    struct slot *fresh = PyMem_Calloc(t->nslots ? t->nslots : 1, sizeof *fresh);
    if (fresh == NULL)
        return false;
    *old = (template_t){.watch = t->watch, .nwatch = t->nwatch, .reached = t->reached, .nreached = t->nreached,
                        .slots = t->slots, .nslots = t->nslots, .set = t->set, .globals = t->globals};
    t->globals = NULL;
    t->watch = NULL;
    t->reached = NULL;
    t->nwatch = t->nreached = 0;
    t->slots = fresh;
    t->set = NULL;
    t->recipe = NULL;
    t->met = 0;
    return true;
}

/* May run Python. */
static void drop(template_t *old) {
    boc__forget_watched(old);
    slots_free(old->slots, old->nslots);
    boc__capset_drop(old->set);
    Py_XDECREF(old->globals);
}

void boc__templates_forget(boc_state_t *st) {
    for (template_t *t; (t = st->templates) != NULL;) {
        list_take(t);
        if (!boc__template_take(t))
            continue; /* it comes back into the list at its next schedule */
        template_t old;
        bool moved = move_out(t, &old);
        boc__template_leave(t);
        if (moved) /* whatever lets go of the last reference to the code frees t: so t was left alone first */
            drop(&old);
    }
}

void boc__template_free(void *p) {
    template_t *t = p;
    if (t == NULL)
        return;
    list_take(t);
    drop(t);
    Py_XDECREF(t->texts);
    PyMem_Free(t);
}

/* ---- on the code object -------------------------------------------------------------------- */
static template_t *template_new(PyCodeObject *code) {
    template_t *t = PyMem_Calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    atomic_init(&t->busy, true);
    t->argcount = (uint32_t)code->co_argcount;
    t->kwonly = (uint32_t)code->co_kwonlyargcount;
    t->varargs = (code->co_flags & CO_VARARGS) != 0;
    t->nfree = (uint32_t)code->co_nfreevars;
    t->nslots = t->nfree + t->argcount + t->kwonly;
    t->slots = PyMem_Calloc(t->nslots ? t->nslots : 1, sizeof *t->slots);
    if (t->slots != NULL)
        return t;
    PyMem_Free(t);
    return NULL;
}

/* What hangs on the code object; else `made`, which hangs there then. NULL: nothing does, or an exception is set.
   CPython looks after it without a lock, and frees what another takes the place of: so of threads that come with a template for one
   code the first one's stays, as long as the code does. */
static template_t *hanging(boc_state_t *st, PyObject *code, template_t *made) {
    void *there = NULL;
    boc__brief_lock(&boc__briefs.extras);
    int rc = PyUnstable_Code_GetExtra(code, st->code_extra, &there);
    if (rc == 0 && there == NULL && made != NULL && (rc = PyUnstable_Code_SetExtra(code, st->code_extra, made)) == 0)
        there = made;
    boc__brief_unlock(&boc__briefs.extras);
    return rc == 0 ? there : NULL;
}

template_t *boc__template_of(boc_state_t *st, PyObject *func) {
    PyObject *code = PyFunction_GET_CODE(func), *globals = PyFunction_GET_GLOBALS(func);
    template_t *t = hanging(st, code, NULL), *made = NULL;
    if (t != NULL && boc__template_take(t)) {
        template_t old;
        if (t->globals == globals)
            return t;
        if (move_out(t, &old)) {
            t->globals = Py_NewRef(globals);
            drop(&old);
            return t;
        }
        boc__template_leave(t);
    } else if (!PyErr_Occurred() && (made = template_new((PyCodeObject *)code)) != NULL) {
        made->globals = Py_NewRef(globals);
        made->once = t != NULL || (t = hanging(st, code, made)) != made;
        if (t != NULL)
            return made;
        boc__template_free(made);
    }
    if (!PyErr_Occurred())
        PyErr_NoMemory();
    return NULL;
}
