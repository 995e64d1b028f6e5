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
static boc_brief_t list_lock;

void boc__template_list(boc_state_t *st, template_t *t) {
    boc__brief_lock(&list_lock);
    if (t->at == NULL) {
        t->next = st->templates;
        t->at = &st->templates;
        if (t->next != NULL)
            t->next->at = &t->next;
        st->templates = t;
    }
    boc__brief_unlock(&list_lock);
}

static void list_take(template_t *t) {
    boc__brief_lock(&list_lock);
    if (t->at != NULL) {
        *t->at = t->next;
        if (t->next != NULL)
            t->next->at = t->at;
        t->at = NULL;
    }
    boc__brief_unlock(&list_lock);
}

void boc__templates_forget(boc_state_t *st) {
    for (template_t *t; (t = st->templates) != NULL;) {
        list_take(t);
        if (!boc__template_take(t))
            continue; /* it comes back into the list at its next schedule */
        struct slot *fresh = PyMem_Calloc(t->nslots ? t->nslots : 1, sizeof *fresh);
        if (fresh == NULL) {
            boc__template_leave(t);
            continue;
        }
        /* Whatever lets go of the last reference to the code frees t: so t is left alone first. */
        template_t old = {.watch = t->watch, .nwatch = t->nwatch, .reached = t->reached, .nreached = t->nreached};
        struct slot *slots = t->slots;
        uint32_t nslots = t->nslots;
        boc_capset_t *set = t->set;
        PyObject *globals = t->globals;
        t->globals = NULL; /* the functions in it lead back to the code too; who schedules again makes a new template */
        t->watch = NULL;
        t->reached = NULL;
        t->nwatch = t->nreached = 0;
        t->slots = fresh;
        t->set = NULL;
        t->recipe = NULL;
        boc__template_leave(t);
        boc__forget_watched(&old);
        slots_free(slots, nslots);
        boc__capset_drop(set);
        Py_XDECREF(globals);
    }
}

void boc__template_free(void *p) {
    template_t *t = p;
    if (t == NULL)
        return;
    list_take(t);
    boc__forget_watched(t);
    slots_free(t->slots, t->nslots);
    Py_XDECREF(t->globals);
    Py_XDECREF(t->texts);
    boc__capset_drop(t->set);
    PyMem_Free(t);
}
