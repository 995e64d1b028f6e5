/* Values that rest live in a worker's interpreter between bodies.
 *
 * Each interpreter lists the cowns whose values rest in it (state.live); value.aux is the place in that list.
 * List and objects are touched only with that interpreter's GIL, so no other lock is needed. A cown that dies
 * elsewhere is kept until its home has dropped the object there (boc_mail).
 *
 * The walk (separate): an object graph is closed if each object in it that could change has as many references
 * as the walk met. Where all graphs of a body but one are closed, none shares with another, and whatever
 * outlives the body refers to none of them. */
#include "live.h"
#include "unseen.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WALK_LIMIT 100000

void boc__live_add(boc_state_t *st, boc_cown_t *c) {
    if (st->nlive == st->live_cap) {
        uint32_t cap = st->live_cap ? st->live_cap * 2 : 64;
        void *t = realloc(st->live, cap * sizeof *st->live);
        if (t == NULL) { /* no room to list it: it cannot stay */
            boc__encode_live(st, c, 0);
            return;
        }
        st->live = t;
        st->live_cap = cap;
    }
    st->live[st->nlive].cown = c;
    st->live[st->nlive].since = 0; /* both are the caller's to say */
    st->live[st->nlive].last = 0;
    c->value.aux = st->nlive++;
    c->value.u.buf.n = boc__type_word(st, c->value.u.p);
    atomic_store_explicit(&c->home, (uint16_t)(st->worker + 1), memory_order_release);
}

void boc__live_remove(boc_state_t *st, boc_cown_t *c) {
    uint32_t i = c->value.aux;
    st->live[i] = st->live[--st->nlive];
    if (i < st->nlive)
        st->live[i].cown->value.aux = i;
    c->value.aux = UINT32_MAX;
}

/* ---- values that lie idle -------------------------------------------------------
 * A body may keep its interpreter's lock for seconds in C, and nobody can take a live value out of there meanwhile. So before a
 * body starts, what no body touched for a while is encoded: only what was just used can be held back. */
#define IDLE_NS 5000000
#define IDLE_NS_PER_ENTRY 700 /* about ten times what encoding one costs */

static Py_ssize_t rough_size(PyObject *o);

/* A sweep owns no reference, so the cown may die under it. Whoever comes second settles it: boc_cown.lock of a live cown is
   SWEPT while it is encoded, DIED if the last reference went meanwhile, DEAD once it died without a sweep. */
enum { SWEPT = 2, DIED = 3, DEAD = 4 };

static bool lock_from(boc_cown_t *c, uint8_t from, uint8_t to) {
    return atomic_compare_exchange_strong_explicit(&c->lock, &from, to, memory_order_acq_rel, memory_order_acquire);
}

/* Some milliseconds are near enough here, and this clock costs a tenth of the exact one. */
int64_t boc__rough_now(void) {
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
#else
    return boc_now();
#endif
}

void boc__live_sweep(boc_state_t *st) {
    int64_t now = boc__rough_now();
    if (now < st->sweep_at)
        return;
    st->sweep_at = now + IDLE_NS;
    for (uint32_t i = st->nlive; i-- > 0;) {
        if (i >= st->nlive)
            continue; /* encoding ran code that took others off the list */
        boc_cown_t *c = st->live[i].cown;
        if (now - st->live[i].since < IDLE_NS + IDLE_NS_PER_ENTRY * rough_size(c->value.u.p) ||
            atomic_load_explicit(&c->holder, memory_order_relaxed) != 0 || (c->value.flags & VF_ENCODING) || !lock_from(c, 0, SWEPT))
            continue;
        boc__encode_live(st, c, 0);
        if (!lock_from(c, SWEPT, 0)) {
            boc__value_drop(&c->value);
            boc_cown_free(c);
        }
    }
}

void boc__live_flush(boc_state_t *st) {
    while (st->nlive)
        boc__encode_live(st, st->live[st->nlive - 1].cown, 0);
}

/* The objects stay where they are, in an interpreter that is never entered again. */
void boc__live_lost(boc_behavior_t *stuck) {
    static const char why[] = "the value rested with a worker that was abandoned: its body did not end";
    boc_state_t *st = NULL;
    for (uint32_t w = 0; w < boc_worker_count() && st == NULL; w++) {
        boc_state_t *one = boc__worker_state(w);
        if (one != NULL && one->ctx.current == stuck)
            st = one;
    }
    for (uint32_t i = 0; st != NULL && i < st->nlive; i++) {
        boc_cown_t *c = st->live[i].cown;
        if (!lock_from(c, 0, DEAD))
            continue; /* dead already, or half encoded by the stuck body's sweep */
        c->value.tag = V_DIED;
        c->value.flags = (uint16_t)(VF_EXC | VF_SEEN | ((c->flags & BOC_COWN_RESULT) ? 0 : VF_LOST));
        c->value.aux = boc_name(why, sizeof why - 1);
        atomic_store_explicit(&c->home, 0, memory_order_release);
        lock_from(c, DEAD, 0);
    }
    if (st != NULL)
        st->nlive = 0;
}

void boc__host_encode(uint32_t home, boc_cown_t *c) {
    boc_state_t *st = boc__worker_state(home);
    while (st != NULL && (c->value.flags & VF_ENCODING)) { /* the worker itself is at it, in a sweep */
        Py_BEGIN_ALLOW_THREADS
        sched_yield();
        Py_END_ALLOW_THREADS
    }
    if (st != NULL && c->value.tag == V_LIVE)
        boc__encode_live(st, c, boc_self() == home ? 0 : 1);
}

/* ---- death ------------------------------------------------------------------ */
typedef struct drop_mail {
    boc_mail_t mail;
    boc_cown_t *cown;
    boc_state_t *st;
} drop_mail_t;

static void drop_at_home(boc_mail_t *m) {
    drop_mail_t *d = (drop_mail_t *)m;
    boc_cown_t *c = d->cown;
    PyObject *o = c->value.u.p;
    boc__live_remove(d->st, c);
    boc_cown_free(c);
    free(d);
    Py_DECREF(o);
}

void boc__main_drop_later(PyObject *o);

typedef struct let_go {
    boc_mail_t mail;
    PyObject *object;
} let_go_t;

static void let_go(boc_mail_t *m) {
    PyObject *o = ((let_go_t *)m)->object;
    free(m);
    Py_DECREF(o);
}

void boc__drop_there(int home, PyObject *o) {
    if (home < 0) {
        boc__main_drop_later(o);
        return;
    }
    let_go_t *l = malloc(sizeof *l); /* without memory, or where that interpreter has ended, the object stays */
    if (l == NULL)
        return;
    l->mail.fn = let_go;
    l->object = o;
    if (boc_mail_post((uint32_t)home, &l->mail) < 0)
        free(l);
}

bool boc__drop_value(boc_cown_t *c) {
    if (c->flags & BOC_COWN_WEAK)
        boc__handle_forget(c);
    if (c->flags & BOC_COWN_COUNTED)
        boc__name_free(c);
    uint16_t home = atomic_load_explicit(&c->home, memory_order_acquire);
    if (home == 0 && c->value.tag != V_LIVE) {
        if (c->value.tag == V_EXC && !(c->value.flags & VF_SEEN))
            boc__unseen_died(c);
        boc__value_drop(&c->value);
        return true;
    }
    if (home == 0) { /* a pinned cown's object: main's */
        boc__main_drop_later(c->value.u.p);
        return true;
    }
    while (!lock_from(c, 0, DEAD))
        if (lock_from(c, SWEPT, DIED))
            return false; /* the sweep finds out */
    if (c->value.tag != V_LIVE) { /* a sweep had just ended */
        boc__value_drop(&c->value);
        return true;
    }
    drop_mail_t *d = malloc(sizeof *d);
    if (d == NULL)
        return false; /* leaks one object: better than touching it here */
    d->mail.fn = drop_at_home;
    d->cown = c;
    d->st = boc__worker_state(home - 1u);
    if (d->st == NULL || boc_mail_post(home - 1u, &d->mail) < 0)
        free(d); /* that interpreter is gone, and the object with it */
    return false;
}

/* ---- the walk ---------------------------------------------------------------- */
typedef struct walk {
    PyObject **keys; /* open hash */
    uint32_t *found;
    PyObject **stack;
    uint32_t cap, n, depth, stack_cap;
    bool failed;
} walk_t;

static bool is_leaf(PyObject *o) {
    PyTypeObject *t = Py_TYPE(o);
    if (t == &PyUnicode_Type || t == &PyLong_Type || t == &PyFloat_Type || t == &PyBytes_Type || t == &PyBool_Type ||
        t == &PyComplex_Type || t == &PyFunction_Type || t == &PyCFunction_Type || t == &PyModule_Type ||
        t == &PyCode_Type || o == Py_None)
        return true;
    if (PyType_Check(o))
        return true;
#if PY_VERSION_HEX >= 0x030e0000
    if (PyUnstable_IsImmortal(o))
        return true;
#else
    if (_Py_IsImmortal(o))
        return true;
#endif
    boc_state_t *st = boc__st();
    return st != NULL && (t == st->cown_type || t == st->pinned_type);
}

static bool walk_grow(walk_t *w) {
    uint32_t cap = w->cap ? w->cap * 2 : 256;
    PyObject **keys = calloc(cap, sizeof *keys);
    uint32_t *found = calloc(cap, sizeof *found);
    if (keys == NULL || found == NULL) {
        free(keys);
        free(found);
        return false;
    }
    for (uint32_t i = 0; i < w->cap; i++) {
        if (w->keys[i] == NULL)
            continue;
        uint32_t h = (uint32_t)(((uintptr_t)w->keys[i] >> 4) * 2654435761u) & (cap - 1);
        while (keys[h] != NULL)
            h = (h + 1) & (cap - 1);
        keys[h] = w->keys[i];
        found[h] = w->found[i];
    }
    free(w->keys);
    free(w->found);
    w->keys = keys;
    w->found = found;
    w->cap = cap;
    return true;
}

static int visit(PyObject *o, void *arg) {
    walk_t *w = arg;
    if (is_leaf(o))
        return 0;
    if (w->n * 2 >= w->cap && !walk_grow(w))
        return -1;
    uint32_t h = (uint32_t)(((uintptr_t)o >> 4) * 2654435761u) & (w->cap - 1);
    while (w->keys[h] != NULL && w->keys[h] != o)
        h = (h + 1) & (w->cap - 1);
    if (w->keys[h] == o) {
        w->found[h]++;
        return 0;
    }
    if (w->n >= WALK_LIMIT)
        return -1;
    w->keys[h] = o;
    w->found[h] = 1;
    w->n++;
    if (w->depth == w->stack_cap) {
        uint32_t cap = w->stack_cap ? w->stack_cap * 2 : 256;
        PyObject **s = realloc(w->stack, cap * sizeof *s);
        if (s == NULL)
            return -1;
        w->stack = s;
        w->stack_cap = cap;
    }
    w->stack[w->depth++] = o;
    return 0;
}

static bool has_weakrefs(PyObject *o) {
    Py_ssize_t at = Py_TYPE(o)->tp_weaklistoffset;
    return at != 0 && *(PyObject **)((char *)o + at) != NULL;
}

/* Does nothing but the slot refer to root or to what it holds? */
static bool is_closed(PyObject *root) {
    walk_t w = {0};
    bool ok = visit(root, &w) == 0;
    while (ok && w.depth) {
        PyObject *o = w.stack[--w.depth];
        traverseproc t = Py_TYPE(o)->tp_traverse;
        if (has_weakrefs(o) || (t != NULL && t(o, visit, &w) != 0))
            ok = false;
    }
    for (uint32_t i = 0; ok && i < w.cap; i++) {
        if (w.keys[i] != NULL && Py_REFCNT(w.keys[i]) != (Py_ssize_t)w.found[i])
            ok = false; /* the root was met once for its slot */
    }
    free(w.keys);
    free(w.found);
    free(w.stack);
    return ok;
}

bool boc__is_closed(PyObject *root) { return is_closed(root); }

static Py_ssize_t rough_size(PyObject *o) {
    if (PyDict_CheckExact(o))
        return PyDict_GET_SIZE(o);
    if (PyList_CheckExact(o) || PyTuple_CheckExact(o))
        return Py_SIZE(o);
    return 1;
}

void boc__separate(boc_state_t *st, boc_cown_t **c, uint32_t n) {
    uint32_t largest = n, walked = 0;
    Py_ssize_t most = -1;
    for (uint32_t i = 0; i < n; i++) {
        PyObject *o = c[i]->value.u.p;
        if (is_leaf(o) && !PyFunction_Check(o) && !PyType_Check(o))
            continue; /* may be shared: nobody can change it */
        if (Py_REFCNT(o) != 1) {
            boc__encode_live(st, c[i], 0);
            c[i] = NULL;
            continue;
        }
        walked++;
        if (rough_size(o) > most) {
            most = rough_size(o);
            largest = i;
        }
    }
    for (uint32_t i = 0; walked > 1 && i < n; i++) {
        if (i == largest || c[i] == NULL || c[i]->value.tag != V_LIVE || is_leaf(c[i]->value.u.p))
            continue;
        if (!is_closed(c[i]->value.u.p)) {
            boc__encode_live(st, c[i], 0);
            c[i] = NULL;
        }
    }
}
