/* A behavior runs: its names are installed, its values opened, its body called; then what it leaves is settled.
 *
 * The cowns are released in C by the core after this returns, whatever the body did. */
#include "binding.h"
#include "environ.h"
#include "hold.h"
#include "lend.h"
#include "live.h"
#include "notebook.h"
#include "replay.h"
#include "stepping.h"
#include "together.h"
#include "touched.h"
#include "when.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL 12
#define MOST_RECIPES 512 /* built and kept by a worker; boc._load keeps as many */

/* ---- the body ---------------------------------------------------------------------- */
static int grow_recipes(boc_state_t *st, uint32_t index) {
    uint32_t n = index + 64;
    void *t = realloc(st->recipes, n * sizeof *st->recipes);
    if (t == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    st->recipes = t;
    memset(st->recipes + st->nrecipes, 0, (n - st->nrecipes) * sizeof *st->recipes);
    st->nrecipes = n;
    return 0;
}

void boc__recipes_clear(boc_state_t *st) {
    for (uint32_t i = 0; i < st->nrecipes; i++) {
        Py_CLEAR(st->recipes[i].code);
        Py_CLEAR(st->recipes[i].globals);
        Py_CLEAR(st->recipes[i].func);
    }
    st->kept_recipes = 0;
}

static PyObject *closure_of(boc_state_t *st, boc_job_t *job) {
    PyObject *cells = PyTuple_New(job->nclosure);
    for (uint32_t i = 0; cells != NULL && i < job->nclosure; i++) {
        PyObject *v = NULL;
        bool is_cell = job->dyn[i].tag == V_TOGETHER;
        if (job->dyn[i].tag != V_ABSENT && (v = boc__decode_taking(st, &job->dyn[i])) == NULL) {
            Py_CLEAR(cells);
            break;
        }
        PyObject *cell = is_cell ? v : PyCell_New(v);
        if (!is_cell)
            Py_XDECREF(v);
        if (cell == NULL)
            Py_CLEAR(cells);
        else
            PyTuple_SET_ITEM(cells, i, cell);
    }
    return cells;
}

static PyObject *body_of(boc_state_t *st, boc_job_t *job) {
    if (job->recipe == NULL)
        return boc__decode_taking(st, &job->dyn[0]);
    uint32_t i = job->recipe->index;
    if (i >= st->nrecipes && grow_recipes(st, i) < 0)
        return NULL;
    if (st->recipes[i].code == NULL) {
        if (st->kept_recipes++ >= MOST_RECIPES)
            boc__recipes_clear(st);
        PyObject *f = boc__py(st, PY_LOAD_RECIPE);
        PyObject *r = f ? PyObject_CallFunction(f, "y#", (const char *)job->recipe->id, (Py_ssize_t)32) : NULL;
        PyObject *code, *globals;
        if (r == NULL || !PyArg_ParseTuple(r, "OO", &code, &globals)) {
            Py_XDECREF(r);
            return NULL;
        }
        st->recipes[i].code = Py_NewRef(code);
        st->recipes[i].globals = Py_NewRef(globals);
        Py_DECREF(r);
    }
    if (st->recipes[i].func != NULL)
        return Py_NewRef(st->recipes[i].func);
    PyObject *func = PyFunction_New(st->recipes[i].code, st->recipes[i].globals);
    if (func == NULL)
        return NULL;
    if (job->nclosure == 0) {
        st->recipes[i].func = Py_NewRef(func);
        return func;
    }
    PyObject *cells = closure_of(st, job);
    if (cells == NULL || PyFunction_SetClosure(func, cells) < 0)
        Py_CLEAR(func);
    Py_XDECREF(cells);
    return func;
}

/* ---- arguments ----------------------------------------------------------------------- */
static PyObject *handle(boc_state_t *st, boc_cown_t *c) {
    boc_cown_retain(c);
    return boc__cown_wrap(st, c);
}

static int cown_arguments(boc_state_t *st, boc_behavior_t *b, boc_job_t *job, PyObject **args) {
    if (job->shape == NULL) {
        for (uint32_t i = 0; i < b->nreq; i++) {
            uint16_t p = b->req[i].param;
            if (p < job->nparams && (args[p] = handle(st, b->req[i].cown)) == NULL)
                return -1;
        }
        return 0;
    }
    for (uint32_t i = 0; i < job->shape->nitems; i++) {
        uint32_t p = job->shape->item[i].param;
        boc_cown_t *c = job->shape->item[i].cown;
        if (job->shape->item[i].in_list && args[p] == NULL && (args[p] = PyList_New(0)) == NULL)
            return -1;
        PyObject *h = c ? handle(st, c) : NULL;
        if (c != NULL && h == NULL)
            return -1;
        if (!job->shape->item[i].in_list) {
            args[p] = h;
        } else if (h != NULL) {
            int rc = PyList_Append(args[p], h);
            Py_DECREF(h);
            if (rc < 0)
                return -1;
        }
    }
    return 0;
}

static PyObject *keyword_names(boc_state_t *st, boc_job_t *job) {
    PyCodeObject *code = (PyCodeObject *)st->recipes[job->recipe->index].code;
    PyObject *names = PyCode_GetVarnames(code);
    PyObject *kw = names ? PyTuple_GetSlice(names, code->co_argcount, code->co_argcount + job->nkw) : NULL;
    Py_XDECREF(names);
    return kw;
}

int boc__read_view(PyObject *self, PyObject *value) {
    if (boc__ctx->reads == NULL && (boc__ctx->reads = PyList_New(0)) == NULL)
        return -1;
    if (PyList_Append(boc__ctx->reads, self) < 0)
        return -1;
    ((boc_cown_object_t *)self)->view = Py_NewRef(value);
    return 0;
}

static void end_reads(boc_ctx_t *ctx) {
    PyObject *reads = ctx->reads;
    ctx->reads = NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(reads); i++) {
        boc_cown_object_t *handle = (boc_cown_object_t *)PyList_GET_ITEM(reads, i);
        if (handle->core->value.tag == V_LENT)
            boc__lend_back(ctx->st, handle->core, handle->view);
        Py_CLEAR(handle->view);
    }
    Py_DECREF(reads);
}

static PyObject *call(boc_state_t *st, boc_behavior_t *b, boc_job_t *job) {
    uint32_t n = (uint32_t)job->nparams + job->ndefaults, all = n + job->nkw;
    PyObject *small[SMALL] = {0}, **args = small, *kw = NULL, *result = NULL;
    if (all + 1 > SMALL && (args = PyMem_Calloc(all + 1, sizeof *args)) == NULL)
        return PyErr_NoMemory();
    PyObject **argv = args + 1; /* room for PY_VECTORCALL_ARGUMENTS_OFFSET */
    PyObject *func = body_of(st, job);
    if (func == NULL || cown_arguments(st, b, job, argv) < 0)
        goto done;
    for (uint32_t i = 0; i < (uint32_t)job->ndefaults + job->nkw; i++)
        if ((argv[job->nparams + i] = boc__decode_taking(st, &job->dyn[job->nclosure + i])) == NULL)
            goto done;
    if (job->nkw && (kw = keyword_names(st, job)) == NULL)
        goto done;
    if (st->worker < 0 || boc__interp_running((uint32_t)st->worker, b->id) == 0)
        result = PyObject_Vectorcall(func, argv, n | PY_VECTORCALL_ARGUMENTS_OFFSET, kw);
    if (st->worker >= 0 && boc__interp_running((uint32_t)st->worker, 0) < 0)
        Py_CLEAR(result);
done:
    for (uint32_t i = 0; i < all; i++)
        Py_XDECREF(argv[i]);
    Py_XDECREF(kw);
    Py_XDECREF(func);
    if (args != small)
        PyMem_Free(args);
    return result;
}

/* ---- before and after ------------------------------------------------------------------ */
/* Bytes are decoded before the body begins, so that its time is its own. What came as a pointer is opened by whoever looks:
   a body that passes a matrix on does not touch its memory. */
static void open_values(boc_state_t *st, boc_behavior_t *b, uint32_t me) {
    int opened = 0;
    for (uint32_t i = 0; i < b->nreq; i++) {
        if (b->req[i].mode == BOC_READ)
            continue;
        boc_cown_t *c = b->req[i].cown;
        atomic_store_explicit(&c->holder, me, memory_order_relaxed);
        if (c->value.tag == V_BLOB)
            opened |= boc__slot_open(st, c);
    }
    if (opened)
        boc_trace(BOC_T_body, b->id, 0, 0, 0);
}

static void store_result(boc_state_t *st, boc_cown_t *r, PyObject *value) {
    (void)st;
    if (r == NULL || atomic_load_explicit(&r->refs, memory_order_acquire) == 1) { /* nobody can ever ask for it */
        if (r != NULL)
            r->value.tag = V_NONE;
        Py_DECREF(value);
        return;
    }
    boc_value_t v;
    if (boc__atom(&v, value)) {
        r->value = v;
        Py_DECREF(value);
        return;
    }
    r->value.tag = V_LIVE;
    r->value.flags = 0;
    r->value.aux = UINT32_MAX;
    r->value.u.p = value;
    r->value.u.buf.n = 0;
}

/* The exception that is set becomes the result. On main a BaseException that is no Exception is kept set: -1. */
static int store_exception(boc_state_t *st, boc_behavior_t *b, boc_cown_t *r) {
    PyObject *leave = NULL;
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)) {
        PyObject *exc = PyErr_GetRaisedException();
        PyObject *interrupted = boc__error_type(st, "Interrupted"); /* may import: nothing may be set meanwhile */
        PyErr_Clear();
        PyErr_SetRaisedException(exc);
        if (interrupted != NULL && PyErr_ExceptionMatches(interrupted)) {
            PyErr_Clear();
            if (r != NULL) {
                r->value.tag = V_CANCELLED;
                r->value.flags = VF_EXC | VF_SEEN;
            }
            boc_trace(BOC_T_cancel, b->id, 0, 0, 0);
            return 0;
        }
        if (st->worker < 0) {
            leave = PyErr_GetRaisedException();
            PyErr_SetRaisedException(Py_NewRef(leave));
        }
    }
    if (r != NULL)
        boc__set_exception(st, r, VF_EXC);
    PyErr_Clear();
    if (leave == NULL)
        return 0;
    if (r != NULL)
        boc__mark_seen(r);
    PyErr_SetRaisedException(leave);
    return -1;
}

/* A stop took this body for stuck and gave its worker up; it ended after all. Nothing of it is ours any more. */
static void rest_for_ever(void) {
    PyEval_SaveThread();
    for (;;)
        pause();
}

static PyObject *call_pinned(boc_state_t *st, boc_behavior_t *b, boc_job_t *job) {
    PyObject *interrupted = boc__error_type(st, "Interrupted");
    if (interrupted == NULL)
        return NULL;
    boc__interp_pinned(b->id, interrupted);
    PyObject *value = call(st, b, job);
    boc__interp_pinned(0, NULL);
    return value;
}

int boc__run_body(boc_state_t *st, boc_ctx_t *ctx, boc_behavior_t *b) {
    boc_job_t *job = boc__job(b);
    boc_cown_t *r = boc__result_of(b);
    int rc = 0;
    bool replay = boc__hooked(HOOK_REPLAY), may = !replay || boc__replay_begins(b->id) == 0;
    PyObject *why = may ? NULL : PyErr_GetRaisedException();
    uint64_t ticket = replay ? boc__notice_ticket(0) : 0; /* a sync waits for this body's writes only */
    ctx->current = b;
    ctx->ended = true; /* what the sweep encodes is not the end of this body */
    open_values(st, b, boc_self() + 1);
    if (st->nlive > 0)
        boc__live_sweep(st);
    ctx->ended = false;
    PyObject *value = NULL;
    if (st->worker >= 0 && boc__environ_apply(st) < 0)
        PyErr_WriteUnraisable(NULL);
    PyObject **saved = NULL;
    boc_capset_t *captures = job->captures;
    int ready = captures == NULL ? 0 : st->worker < 0 ? boc__capset_lend(st, captures, &saved) : boc__capset_install(st, captures);
    boc_batch_t outer = {0};
    if (st->worker < 0)
        boc__batch_aside(&outer);
    st->body_set = st->worker >= 0 ? captures : NULL;
    if (why != NULL)
        PyErr_SetRaisedException(why);
    else if (ready == 0)
        value = st->worker < 0 ? call_pinned(st, b, job) : call(st, b, job);
    st->body_set = NULL;
    boc__together_end(st);
    if (st->worker < 0 || boc__batching())
        boc__batch_back(&outer);
    if (st->worker >= 0 && boc_body_over())
        rest_for_ever();
    if (saved != NULL)
        boc__capset_return(st, captures, saved);
    else if (captures != NULL && captures->any_mutable && st->worker >= 0)
        boc__capset_uninstall_mutable(st, captures);
    if (r != NULL)
        boc__arrived(r);
    if (value != NULL)
        store_result(st, r, value);
    else
        rc = store_exception(st, b, r);
    PyObject *leave = rc < 0 ? PyErr_GetRaisedException() : NULL;
    if (ctx->reads != NULL)
        end_reads(ctx);
    boc__settle(st, b);
    for (uint32_t i = 0; i < b->nreq; i++)
        if (b->req[i].mode != BOC_READ)
            atomic_store_explicit(&b->req[i].cown->holder, 0, memory_order_relaxed);
    if (ctx->view != NULL)
        boc__notice_body_end(ctx);
    if (ctx->dirty_output) {
        ctx->dirty_output = false;
        PyObject *f = boc__py(st, PY_BODY_END);
        PyObject *done = f ? PyObject_CallNoArgs(f) : NULL;
        if (done == NULL)
            boc__forgive();
        Py_XDECREF(done);
    }
    if (st->touched != NULL)
        boc__put_back(st);
    if (r != NULL && (r->value.flags & VF_EXC))
        boc__tell_raised(r, job->origin);
    ctx->current = NULL;
    if (replay) {
        boc__notice_ticket(st->worker < 0 ? ticket : 0);
        boc__replay_ended(b->id);
    }
    if (leave != NULL)
        PyErr_SetRaisedException(leave);
    return rc;
}

int boc__host_run(uint32_t worker, boc_behavior_t *b) {
    (void)worker;
    boc_ctx_t *ctx = boc__ctx;
    boc__run_body(ctx->st, ctx, b);
    return BOC_RAN;
}

/* ---- the core's other callbacks ----------------------------------------------------------- */
void boc__host_cancelled(boc_behavior_t *b) {
    if (boc__hooked(HOOK_REPLAY))
        boc__replay_cancelled(b->id);
    bool stuck = atomic_load_explicit(&b->state, memory_order_acquire) == BOC_ST_RUNNING;
    if (stuck)
        boc__live_lost(b);
    uint32_t why = stuck ? boc_name("the worker that ran it was abandoned: its body did not end", 58) : 0;
    for (uint32_t i = 0; i < b->nreq; i++) {
        boc_cown_t *c = b->req[i].cown;
        bool is_result = c == boc__result_of(b);
        if (!is_result && (!stuck || (b->req[i].mode == BOC_READ && c->value.tag != V_LENT)))
            continue;
        if (is_result)
            boc__arrived(c);
        if (c->value.tag != V_LIVE) /* a live one stays with the stuck interpreter */
            boc__value_drop(&c->value);
        c->value.tag = stuck ? V_DIED : V_CANCELLED;
        c->value.aux = why;
        c->value.flags = (uint16_t)(VF_EXC | VF_SEEN | (is_result ? 0 : VF_LOST));
        atomic_store_explicit(&c->home, 0, memory_order_relaxed);
        atomic_store_explicit(&c->holder, 0, memory_order_release);
    }
}

void boc__drop_behavior(boc_behavior_t *b) {
    if (b->flags & BOC_B_NATIVE) {
        boc__native_drop(b);
        return;
    }
    boc_job_t *job = boc__job(b);
    uint32_t n = (uint32_t)job->nclosure + job->ndefaults + job->nkw;
    for (uint32_t i = 0; i < n; i++)
        boc__value_drop(&job->dyn[i]);
    if (job->captures != NULL)
        boc__capset_drop(job->captures);
    free(job->shape);
}
