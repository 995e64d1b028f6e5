/* The noticeboard: up to 64 keys, one order of writes, one consistent view for each behavior.
 *
 * Invariants
 *  - every write takes a ticket under the board's lock; writes are applied in the order of tickets. One that finds
 *    the queue empty is applied at once by the caller, the others by main's service thread (updates run
 *    Python, on main). So each producer's writes are applied in its order, by one mutator at a time;
 *  - a view that more than one may look at is immutable; the board's version says whether a worker's last view still holds.
 *    A body has its view to itself until it ends, who else asks holds a reference while it looks;
 *  - values are encoded: no object of any interpreter is ever on the board. */
#include "notice.h"
#include "replay.h"
#include "seen.h"
#include "stepping.h"
#include "until.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 64
#define KEY_BYTES 63

typedef struct note {
    uint32_t name; /* of the key, in the name table */
    Py_hash_t hash;
    boc_value_t v;
} note_t;

typedef struct boc_view {
    _Atomic uint32_t refs;
    uint32_t n;
    uint64_t version;
    note_t note[];
} boc_view_t;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t applied_more;
    note_t note[KEYS];
    uint32_t n;
    _Atomic uint64_t version;
    boc_view_t *view; /* of this version, or NULL */
    op_t *head, **tail;
    bool applying;
    uint64_t tickets, applied, cleared; /* the last one given, applied, and not to be applied any more */
    uint64_t now;                       /* of what is being applied out of the queue */
} board = {.lock = PTHREAD_MUTEX_INITIALIZER, .applied_more = PTHREAD_COND_INITIALIZER, .tail = &board.head};

static _Thread_local uint64_t my_ticket BOC_TLS; /* of this thread's last write that was queued */
static _Thread_local bool in_update BOC_TLS;

void boc__board_lock(void) { pthread_mutex_lock(&board.lock); }

void boc__board_unlock(void) { pthread_mutex_unlock(&board.lock); }

void boc__notice_after_fork(void) {
    pthread_mutex_init(&board.lock, NULL);
    pthread_cond_init(&board.applied_more, NULL);
    board.n = 0;
    board.view = NULL;
    board.head = NULL;
    board.tail = &board.head;
    board.applying = false;
    board.applied = board.tickets;
    atomic_fetch_add(&board.version, 1);
}

static void view_drop(boc_view_t *v) {
    if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < v->n; i++)
        boc__value_drop(&v->note[i].v);
    free(v);
}

/* ---- applying, under the lock -------------------------------------------------------- */
static note_t *find(uint32_t key) {
    for (uint32_t i = 0; i < board.n; i++)
        if (board.note[i].name == key)
            return &board.note[i];
    return NULL;
}

/* What a write displaces is given back in *old: dropping it may run destructors of cowns, never under the lock. */
static bool store(const op_t *op, boc_value_t *v, boc_value_t *old) {
    note_t *n = find(op->key);
    old->tag = V_EMPTY;
    if (n == NULL) {
        if (board.n == KEYS)
            return false;
        n = &board.note[board.n++];
        n->name = op->key;
        n->hash = op->hash;
    } else {
        *old = n->v;
    }
    n->v = *v;
    return true;
}

static void forget(uint32_t key, boc_value_t *old) {
    note_t *n = find(key);
    old->tag = V_EMPTY;
    if (n == NULL)
        return;
    *old = n->v;
    *n = board.note[--board.n];
}

/* The version goes up, the view is stale, the past remembers. */
static boc_view_t *bump(const op_t *op, const boc_value_t *v, uint8_t event, boc_value_t *oldest) {
    uint64_t version = atomic_fetch_add_explicit(&board.version, 1, memory_order_release) + 1;
    boc_trace(event, op->writer, op->key, (uint32_t)version, 0);
    if (boc__hooked(HOOK_KEYS))
        boc__gate_key(op->key);
    boc__past_add(op, v, version, oldest);
    boc_view_t *stale = board.view;
    board.view = NULL;
    if (boc__hooked(HOOK_REPLAY))
        boc__replay_applied(op->writer, op->key);
    return stale;
}

/* A write or delete; consumes op->value. */
static void apply_plain(op_t *op) {
    boc_value_t old = {0}, oldest = {0};
    boc_view_t *stale = NULL;
    bool ok = true;
    if (op->what == OP_WRITE) {
        ok = store(op, &op->value, &old);
        if (ok) {
            stale = bump(op, &op->value, BOC_T_notice_write, &oldest);
            op->value.tag = V_EMPTY;
        }
    } else if (op->what == OP_DELETE) {
        forget(op->key, &old);
        if (old.tag != V_EMPTY)
            stale = bump(op, NULL, BOC_T_notice_delete, &oldest);
    }
    pthread_mutex_unlock(&board.lock);
    boc__value_drop(&old);
    boc__value_drop(&oldest);
    boc__value_drop(&op->value);
    boc__value_drop(&op->fn);
    view_drop(stale);
    if (!ok)
        boc__notice_warn_full(op);
    pthread_mutex_lock(&board.lock);
}

/* ---- submitting ----------------------------------------------------------------------- */
/* Under the lock; all: and those before it. A replay applies writes of several writers in another order. */
static bool is_applied(uint64_t ticket, bool all) {
    bool done = board.applied >= ticket;
    if (!done && !all && boc__hooked(HOOK_REPLAY)) {
        done = board.now != ticket;
        for (const op_t *op = board.head; op != NULL && done; op = op->next)
            done = op->ticket != ticket;
    }
    return done;
}

static bool mine_applied(const void *all) {
    pthread_mutex_lock(&board.lock);
    bool done = is_applied(my_ticket, *(const bool *)all);
    pthread_mutex_unlock(&board.lock);
    return done;
}

static int wait_applied(bool all, int64_t deadline) {
    struct timespec t = boc__until(BOC_SLICE_NS);
    pthread_mutex_lock(&board.lock);
    if (!is_applied(my_ticket, all))
        pthread_cond_timedwait(&board.applied_more, &board.lock, &t);
    pthread_mutex_unlock(&board.lock);
    return mine_applied(&all) ? 0 : boc_now() >= deadline ? BOC_ETIME : BOC_EINTR;
}

static int await_ticket(bool all, int64_t deadline) {
    while (my_ticket != 0) {
        int rc;
        bool replay = boc__hooked(HOOK_REPLAY), left = replay && boc__replay_leaves(deadline != INT64_MAX);
        Py_BEGIN_ALLOW_THREADS
        rc = wait_applied(all, deadline);
        Py_END_ALLOW_THREADS
        if (boc__replay_returns(left, deadline != INT64_MAX) < 0)
            return -1;
        if (replay && rc != 0)
            boc__emit_notice(); /* the mutator looks again whose turn it is */
        if (rc == BOC_ETIME || (rc != 0 && ((replay && boc__replay_look(mine_applied, &all) < 0) || PyErr_CheckSignals() < 0 || boc__interp_check() < 0)))
            return rc == BOC_ETIME ? BOC_ETIME : -1;
        if (rc == 0)
            my_ticket = 0;
    }
    return 0;
}

static int await_mine(int64_t deadline) { return await_ticket(false, deadline); }

/* What anybody wrote before, so also bodies that this thread has seen to end. */
static int await_all(int64_t deadline) {
    uint64_t mine = my_ticket;
    pthread_mutex_lock(&board.lock);
    my_ticket = board.tickets;
    pthread_mutex_unlock(&board.lock);
    int rc = await_ticket(true, deadline);
    my_ticket = rc != 0 ? mine : 0;
    return rc;
}

static int submit(op_t *op) {
    boc_ctx_t *ctx = boc__in_body() ? boc__ctx : NULL;
    op->writer = ctx ? ctx->current->id : 0;
    op->writer_name = ctx ? ctx->current->name : 0;
    op->origin = boc__origin();
    bool direct;
    op_t *queued = NULL;
    pthread_mutex_lock(&board.lock);
    op->ticket = ++board.tickets;
    direct = op->what != OP_UPDATE && board.head == NULL && !board.applying && !boc__hooked(HOOK_REPLAY);
    if (direct) {
        board.applying = true; /* a drop below may free the lock for a moment */
        apply_plain(op);
        board.applying = false;
        board.applied = op->ticket;
        if (board.head != NULL)
            direct = false; /* others queued meanwhile: the service takes them */
        pthread_mutex_unlock(&board.lock);
        if (!direct)
            boc__emit_notice();
        return 0;
    }
    queued = malloc(sizeof *queued);
    if (queued == NULL) {
        board.tickets--; /* nobody has looked since: a sync would wait for it */
        pthread_mutex_unlock(&board.lock);
        boc__value_drop(&op->value);
        boc__value_drop(&op->fn);
        PyErr_NoMemory();
        return -1;
    }
    *queued = *op;
    queued->next = NULL;
    *board.tail = queued;
    board.tail = &queued->next;
    my_ticket = op->ticket;
    pthread_mutex_unlock(&board.lock);
    boc__emit_notice();
    if (ctx == NULL && op->what != OP_UPDATE && boc__interp_is_main()) {
        boc_counts_t c;
        boc_counts(&c);
        if (c.scheduled == c.finished && await_mine(INT64_MAX) < 0)
            return -1;
    }
    return 0;
}

/* ---- updates: on the service thread ----------------------------------------------------- */
static int run_update(boc_state_t *st, op_t *op, boc_value_t *now, boc_value_t *out) {
    PyObject *fn = boc__decode(st, &op->fn);
    PyObject *cur = fn ? boc__decode(st, now) : NULL;
    in_update = true;
    PyObject *r = cur ? PyObject_CallOneArg(fn, cur) : NULL;
    in_update = false;
    Py_XDECREF(cur);
    Py_XDECREF(fn);
    if (r == NULL)
        return -1;
    PyObject *errors = PyImport_ImportModule("boc._board");
    PyObject *removed = errors ? PyObject_GetAttrString(errors, "REMOVED") : NULL;
    Py_XDECREF(errors);
    int rc = 0;
    if (removed != NULL && r == removed)
        out->tag = V_ABSENT;
    else
        rc = boc__encode(st, r, out, "what the update function of the noticeboard returned");
    Py_XDECREF(removed);
    Py_DECREF(r);
    return rc;
}

static void apply_update(boc_state_t *st, op_t *op) {
    boc_value_t now = {0}, out = {0}, old = {0}, oldest = {0};
    note_t *n = find(op->key);
    boc__value_copy(&now, n ? &n->v : &op->value);
    pthread_mutex_unlock(&board.lock);
    bool ok = run_update(st, op, &now, &out) == 0, full = false;
    if (!ok)
        boc__notice_warn_update(op);
    boc_view_t *stale = NULL;
    pthread_mutex_lock(&board.lock);
    ok = ok && op->ticket > board.cleared;
    if (ok && out.tag == V_ABSENT) {
        forget(op->key, &old);
        if (old.tag != V_EMPTY)
            stale = bump(op, NULL, BOC_T_notice_delete, &oldest);
        out.tag = V_EMPTY;
    } else if (ok) {
        full = !store(op, &out, &old);
        if (!full) {
            stale = bump(op, &out, BOC_T_notice_update, &oldest);
            out.tag = V_EMPTY;
        }
    }
    pthread_mutex_unlock(&board.lock);
    boc__value_drop(&now);
    boc__value_drop(&old);
    boc__value_drop(&oldest);
    boc__value_drop(&out);
    boc__value_drop(&op->value);
    boc__value_drop(&op->fn);
    view_drop(stale);
    if (full)
        boc__notice_warn_full(op);
    pthread_mutex_lock(&board.lock);
}

static int turn_of(const op_t *op) {
    if (op->ticket <= board.cleared)
        return REPLAY_SKIP;
    return boc__hooked(HOOK_REPLAY) ? boc__replay_write(op->writer, op->key, op->what == OP_DELETE, find(op->key) != NULL) : REPLAY_APPLY;
}

/* Takes out what is to be applied now, under the lock: the oldest; in a replay, whose turn it is. NULL: nothing. */
static op_t *next_op(void) {
    for (op_t **at = &board.head, *op; (op = *at) != NULL; at = &op->next) {
        int now = turn_of(op);
        if (now == REPLAY_HOLD)
            continue;
        *at = op->next;
        if (op->next == NULL)
            board.tail = at;
        if (now == REPLAY_SKIP)
            op->what = OP_CLEAR;
        return op;
    }
    return NULL;
}

uint64_t boc__notice_ticket(uint64_t ticket) {
    uint64_t was = my_ticket;
    my_ticket = ticket;
    return was;
}

bool boc__notice_busy(void) {
    pthread_mutex_lock(&board.lock);
    bool busy = board.applying;
    for (op_t *op = board.head; op != NULL && !busy; op = op->next)
        busy = turn_of(op) != REPLAY_HOLD;
    pthread_mutex_unlock(&board.lock);
    return busy;
}

/* notice_apply(): all that is queued, in order; one thread at a time. */
static PyObject *notice_apply(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    pthread_mutex_lock(&board.lock);
    if (board.applying) {
        pthread_mutex_unlock(&board.lock);
        Py_RETURN_NONE;
    }
    board.applying = true;
    op_t *op;
    while ((op = next_op()) != NULL) {
        board.now = op->ticket;
        if (op->what == OP_UPDATE)
            apply_update(st, op);
        else
            apply_plain(op);
        free(op);
        board.now = 0;
        board.applied = board.head != NULL ? board.head->ticket - 1 : board.tickets;
        pthread_cond_broadcast(&board.applied_more);
    }
    board.applying = false;
    pthread_mutex_unlock(&board.lock);
    boc__replay_serves();
    Py_RETURN_NONE;
}

int boc__not_in_update(void) {
    if (!in_update)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "an update function of the noticeboard cannot call boc: it must only compute the new value");
    return -1;
}

/* ---- Python's writes ---------------------------------------------------------------------- */
static int key_of(PyObject *key, op_t *op) {
    if (boc__not_in_update() < 0)
        return -1;
    if (!PyUnicode_Check(key)) {
        PyErr_Format(PyExc_TypeError, "a noticeboard key must be a str, not %.100s", Py_TYPE(key)->tp_name);
        return -1;
    }
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(key, &n);
    if (s == NULL) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "a noticeboard key must be valid UTF-8: %A", key);
        return -1;
    }
    if (n > KEY_BYTES || strlen(s) != (size_t)n) {
        if (n > KEY_BYTES)
            PyErr_Format(PyExc_ValueError, "a noticeboard key has at most %d bytes of UTF-8, this one has %zd: %.80R", KEY_BYTES, n, key);
        else
            PyErr_Format(PyExc_ValueError, "a noticeboard key has no NUL: %R", key);
        return -1;
    }
    if (boc__name_take(s, (size_t)n, &op->key) < 0)
        return -1;
    op->hash = PyObject_Hash(key);
    return 0;
}

bool boc__in_update(void) { return in_update; }

static PyObject *notice_key(PyObject *module, PyObject *key) {
    (void)module;
    op_t op = {0};
    return key_of(key, &op) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *notice_write(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"key", "value", NULL};
    PyObject *got[2];
    boc_state_t *st = boc__st();
    op_t op = {.what = OP_WRITE};
    if (st == NULL || boc__arguments(args, n, kwnames, names, 2, "notice_write(key, value)", got) < 0 || key_of(got[0], &op) < 0 ||
        boc__ensure_started() < 0 || boc__encode(st, got[1], &op.value, "the value for the noticeboard") < 0)
        return NULL;
    return submit(&op) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *notice_delete(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"key", NULL};
    PyObject *key;
    op_t op = {.what = OP_DELETE};
    if (boc__st() == NULL || boc__arguments(args, n, kwnames, names, 1, "notice_delete(key)", &key) < 0 || key_of(key, &op) < 0 || boc__ensure_started() < 0 || submit(&op) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* _notice_update(key, fn, default): the rest of boc._board.notice_update */
static PyObject *notice_update(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *key, *fn, *dflt;
    boc_state_t *st = boc__st();
    op_t op = {.what = OP_UPDATE};
    if (st == NULL || !PyArg_ParseTuple(args, "OOO:notice_update", &key, &fn, &dflt) || key_of(key, &op) < 0)
        return NULL;
    if (boc__ensure_started() < 0 || boc__encode(st, dflt, &op.value, "the default of the update") < 0)
        return NULL;
    boc_capture_t *c = boc__capture_function(st, fn, "the update function");
    if (c == NULL) {
        boc__value_drop(&op.value);
        return NULL;
    }
    op.fn.tag = V_DEF;
    op.fn.u.p = c;
    if (!c->is_def) {
        op.fn = c->v;
        c->v.tag = V_EMPTY;
        boc__capture_drop(c);
    }
    return submit(&op) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *notice_sync(PyObject *module, PyObject *args, PyObject *kw) {
    (void)module;
    static char *keys[] = {"timeout", NULL};
    PyObject *timeout = NULL, *thirty = NULL;
    int64_t deadline;
    if (boc__not_in_update() < 0 || !PyArg_ParseTupleAndKeywords(args, kw, "|O:notice_sync", keys, &timeout))
        return NULL;
    if (timeout == NULL)
        timeout = thirty = PyFloat_FromDouble(30.0);
    int rc = boc__deadline(timeout, &deadline);
    Py_XDECREF(thirty);
    if (rc < 0)
        return NULL;
    if (!boc_running()) {
        PyErr_SetString(PyExc_RuntimeError, "notice_sync(): the boc runtime is not started");
        return NULL;
    }
    rc = boc__hooked(HOOK_REPLAY) ? await_mine(deadline) : await_all(deadline);
    if (rc == BOC_ETIME) {
        PyErr_SetString(PyExc_TimeoutError, "notice_sync(): this thread's writes were not applied in time");
        return NULL;
    }
    if (rc < 0 || boc__st() != boc__main_state)
        return rc < 0 ? NULL : Py_NewRef(Py_None);
    /* On main also what the mutator said of them is out. */
    PyObject *service = PyImport_ImportModule("boc._service");
    PyObject *said = service ? PyObject_CallMethod(service, "say", NULL) : NULL;
    Py_XDECREF(service);
    return said;
}

/* _board_settled(timeout) -> bool: what anybody wrote before this call is applied. Not to be waited for by reads. */
static PyObject *board_settled(PyObject *module, PyObject *timeout) {
    (void)module;
    int64_t deadline;
    if (boc__deadline(timeout, &deadline) < 0)
        return NULL;
    int rc = await_all(deadline);
    return rc == 0 || rc == BOC_ETIME ? PyBool_FromLong(rc == 0) : NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */
static boc_view_t *view_made(void) {
    boc_view_t *v = malloc(sizeof *v + KEYS * sizeof v->note[0]);
    if (v != NULL) {
        atomic_init(&v->refs, 1);
        v->n = 0;
    }
    return v;
}

/* Brings a view of nobody else's up to date, under the lock: what did not change stays as it is. What it displaces goes into
   old (dropping it may run destructors of cowns); returns how many those are. */
static uint32_t view_refresh(boc_view_t *v, boc_value_t *old) {
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < board.n || i < v->n; i++) {
        if (i < v->n && i < board.n && v->note[i].name == board.note[i].name && board.note[i].v.tag == V_BLOB &&
            v->note[i].v.tag == V_BLOB && v->note[i].v.u.p == board.note[i].v.u.p)
            continue; /* the very bytes: the view's reference keeps them from being others */
        if (i < v->n)
            old[dropped++] = v->note[i].v;
        if (i < board.n) {
            v->note[i] = board.note[i];
            boc__value_copy(&v->note[i].v, &board.note[i].v);
        }
    }
    v->n = board.n;
    v->version = atomic_load_explicit(&board.version, memory_order_relaxed);
    return dropped;
}

/* The interpreter's view belongs to who takes it, until it is given back: threads of main without a GIL come at once. */
static boc_view_t *view_take(boc_state_t *st) {
    return atomic_exchange_explicit(&st->view, NULL, memory_order_acq_rel); /* sees what its last owner wrote */
}

/* Takes over the reference. */
static void view_give(boc_state_t *st, boc_view_t *v) {
    view_drop(atomic_exchange_explicit(&st->view, v, memory_order_acq_rel)); /* of a destructor, or another thread */
}

/* Brings the caller's view, if it has one, to now: *own, borrowed. It is shared where another interpreter made one of the same
   version. */
static boc_view_t *current_view(boc_view_t **own) {
    uint64_t version = atomic_load_explicit(&board.version, memory_order_acquire);
    if (*own != NULL && (*own)->version == version)
        return *own;
    boc_value_t old[KEYS];
    uint32_t dropped = 0;
    boc_view_t *mine = *own;
    *own = NULL;
    if (mine != NULL && atomic_load_explicit(&mine->refs, memory_order_acquire) != 1) {
        view_drop(mine); /* a body still looks at it */
        mine = NULL;
    }
    pthread_mutex_lock(&board.lock);
    if (board.view == NULL) {
        board.view = mine != NULL ? mine : view_made();
        mine = NULL;
        if (board.view != NULL)
            dropped = view_refresh(board.view, old);
    }
    boc_view_t *v = board.view;
    if (v != NULL)
        atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&board.lock);
    for (uint32_t i = 0; i < dropped; i++)
        boc__value_drop(&old[i]);
    view_drop(mine);
    if (v == NULL)
        PyErr_NoMemory();
    return *own = v;
}

/* The view of whoever asks; a body keeps its first one. To be given back with view_done(). */
static boc_view_t *view_for(boc_state_t *st) {
    if (!boc__in_body()) {
        if (await_mine(INT64_MAX) < 0)
            return NULL;
        boc_view_t *own = view_take(st), *v = current_view(&own);
        if (v != NULL)
            atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
        view_give(st, own);
        return v;
    }
    boc_ctx_t *ctx = boc__ctx;
    if (ctx->view == NULL) {
        uint64_t id = ctx->current->id;
        bool replay = boc__hooked(HOOK_REPLAY);
        if (replay && boc__replay_viewing(id) < 0)
            return NULL;
        boc_view_t *own = view_take(st), *v = current_view(&own);
        if (v == NULL)
            return NULL;
        ctx->view = v; /* with the interpreter's reference: all workers would write the count */
        boc_trace(BOC_T_snapshot, id, 0, (uint32_t)v->version, 0);
        if (replay)
            boc__replay_viewed(id);
    }
    return ctx->view;
}

static void view_done(boc_view_t *v) {
    if (!boc__in_body())
        view_drop(v);
}

void boc__notice_body_end(boc_ctx_t *ctx) {
    boc_view_t *v = ctx->view, *later = view_take(ctx->st);
    ctx->view = NULL;
    if (later != NULL)
        view_drop(v);
    view_give(ctx->st, later != NULL ? later : v);
    Py_CLEAR(ctx->board);
}

void boc__notice_forget_view(boc_state_t *st) {
    boc__seen_forget(st);
    view_give(st, NULL);
}

/* What this body has read before: borrowed, or NULL. A body reads the same object again. */
static PyObject *read_before(PyObject *key) {
    PyObject *o = NULL;
    if (boc__in_body() && boc__ctx->board != NULL && (o = PyDict_GetItemWithError(boc__ctx->board, key)) == NULL)
        PyErr_Clear();
    return o;
}

static PyObject *read_note(boc_state_t *st, note_t *n, PyObject *key) {
    boc_ctx_t *ctx = boc__in_body() ? boc__ctx : NULL;
    if (n->v.tag != V_BLOB && n->v.tag != V_MOVED && n->v.tag != V_DEF)
        return boc__decode(st, &n->v);
    PyObject *o = n->v.tag == V_BLOB ? boc__seen_object(st, n->name, n->v.u.p) : boc__decode(st, &n->v);
    if (o == NULL && n->v.tag == V_BLOB) {
        char text[120];
        snprintf(text, sizeof text, "the value of '%s' on the noticeboard", boc_name_text(n->name));
        boc__not_loaded(st, text);
    }
    if (o != NULL && ctx != NULL) {
        if (ctx->board == NULL)
            ctx->board = PyDict_New();
        if (ctx->board == NULL || PyDict_SetItem(ctx->board, key, o) < 0)
            Py_CLEAR(o);
    }
    return o;
}

static PyObject *notice_read(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
    (void)module;
    static const char *const names[] = {"key", "default", NULL};
    PyObject *got[2];
    boc_state_t *st = boc__st();
    op_t op = {0};
    if (st == NULL || boc__arguments(args, n, kwnames, names, 1, "notice_read(key, default=None)", got) < 0)
        return NULL;
    PyObject *key = got[0], *dflt = got[1] ? got[1] : Py_None;
    if ((!PyUnicode_CheckExact(key) || in_update) && key_of(key, &op) < 0)
        return NULL;
    PyObject *o = read_before(key);
    if (o != NULL)
        return Py_NewRef(o);
    Py_hash_t h = PyObject_Hash(key);
    boc_view_t *v = view_for(st);
    if (v == NULL)
        return NULL;
    bool found = false;
    for (uint32_t i = 0; i < v->n && !found; i++) {
        if (v->note[i].hash != h)
            continue;
        PyObject *name = boc__name_object(st, v->note[i].name); /* interned: the usual key is this very object */
        found = name == NULL || name == key || PyUnicode_Compare(name, key) == 0;
        if (found && name != NULL)
            o = read_note(st, &v->note[i], key);
    }
    view_done(v);
    if (found)
        return o;
    return key_of(key, &op) < 0 ? NULL : Py_NewRef(dflt); /* a bad key is an error, not an absent one */
}

/* _notices() -> dict of all that the asker's view shows */
static PyObject *notices(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_state_t *st = boc__st();
    if (st == NULL)
        return NULL;
    if (boc__not_in_update() < 0)
        return NULL;
    boc_view_t *v = view_for(st);
    PyObject *d = v ? PyDict_New() : NULL;
    for (uint32_t i = 0; d != NULL && i < v->n; i++) {
        PyObject *key = PyUnicode_FromString(boc_name_text(v->note[i].name));
        PyObject *o = key ? Py_XNewRef(read_before(key)) : NULL;
        if (o == NULL && key != NULL)
            o = read_note(st, &v->note[i], key);
        if (o == NULL || PyDict_SetItem(d, key, o) < 0)
            Py_CLEAR(d);
        Py_XDECREF(o);
        Py_XDECREF(key);
    }
    if (v != NULL)
        view_done(v);
    return d;
}

static PyObject *notice_clear(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    boc_value_t old[KEYS];
    pthread_mutex_lock(&board.lock);
    uint32_t n = board.n;
    for (uint32_t i = 0; i < n; i++)
        old[i] = board.note[i].v;
    board.n = 0;
    board.cleared = board.tickets;
    boc_view_t *stale = board.view;
    board.view = NULL;
    atomic_fetch_add_explicit(&board.version, 1, memory_order_release);
    pthread_mutex_unlock(&board.lock);
    for (uint32_t i = 0; i < n; i++)
        boc__value_drop(&old[i]);
    view_drop(stale);
    boc_state_t *st = boc__st();
    if (st != NULL)
        boc__notice_forget_view(st);
    pthread_mutex_lock(&board.lock); /* what only charts know is no value of the program any more */
    boc__past_known();
    pthread_mutex_unlock(&board.lock);
    Py_RETURN_NONE;
}

static PyObject *board_version(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(atomic_load(&board.version));
}

PyMethodDef boc__notice_methods[] = {
    {"notice_write", (PyCFunction)(void (*)(void))notice_write, METH_FASTCALL | METH_KEYWORDS,
     "notice_write(key, value)\n--\n\nPut value (copied at the call) on the noticeboard under key. Never blocks.\n\n"
     "TypeError: key is no string. ValueError: key over 63 bytes of UTF-8 or with NUL. TransferError: value cannot move."},
    {"_notice_update", notice_update, METH_VARARGS, NULL},
    {"notice_delete", (PyCFunction)(void (*)(void))notice_delete, METH_FASTCALL | METH_KEYWORDS,
     "notice_delete(key)\n--\n\nTake key off the noticeboard; absent is no error."},
    {"notice_read", (PyCFunction)(void (*)(void))notice_read, METH_FASTCALL | METH_KEYWORDS,
     "notice_read(key, default=None)\n--\n\nThe value under key in this behavior's view, taken at its first read."},
    {"notice_sync", (PyCFunction)(void (*)(void))notice_sync, METH_VARARGS | METH_KEYWORDS,
     "notice_sync(timeout=30.0)\n--\n\nWait until this thread's earlier writes, and those of bodies that have ended, are applied."},
    {"_notice_key", notice_key, METH_O, "_notice_key(key): raises what a write would for a bad key"},
    {"_board_settled", board_settled, METH_O, NULL},
    {"_notices", notices, METH_NOARGS, NULL},
    {"_notice_clear", notice_clear, METH_NOARGS, NULL},
    {"notice_apply", notice_apply, METH_VARARGS, NULL},
    {"board_history", boc__board_history, METH_NOARGS, "board_history() -> list of (key, version, writer, time ns, repr, writer's name)"},
    {"_board_version", board_version, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
