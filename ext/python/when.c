/* From `@when(...) def f(...)` to a scheduled behavior.
 *
 * A body's code object carries a template: what analysis found out about it once (its recipe in the store, the
 * names it uses) and the captures of its last schedule. Scheduling a known body compares each watched name by
 * identity with last time's; where nothing changed, nothing is hashed or encoded. */
#include "replay.h"
#include "stepping.h"
#include "together.h"
#include "when.h"

#include <stdlib.h>
#include <string.h>

#define MOST_KEPT 100000 /* bytes */

#ifdef Py_GIL_DISABLED
#define CELL_VALUE(cell) PyCell_Get(cell) /* another thread of main may set it */
#else
#define CELL_VALUE(cell) Py_XNewRef(PyCell_GET(cell))
#endif

/* Value i of those that belong to the schedule itself: closure cells, captures after the cowns, keyword-only ones.
   NULL without an exception: an empty cell. */
static PyObject *dyn_value(template_t *t, PyFunctionObject *fn, spec_t *s, uint32_t ndefaults, uint32_t i, uint32_t *slot) {
    *slot = i;
    if (i < t->nfree)
        return CELL_VALUE(PyTuple_GET_ITEM(fn->func_closure, i));
    uint32_t k = i - t->nfree;
    if (k < ndefaults) {
        uint32_t param = (uint32_t)s->nargs + k;
        *slot = t->nfree + param;
        if (k < (uint32_t)s->ncaptures)
            return Py_NewRef(s->captures[k]);
        return Py_NewRef(PyTuple_GET_ITEM(fn->func_defaults, PyTuple_GET_SIZE(fn->func_defaults) - (Py_ssize_t)(t->argcount - param)));
    }
    k -= ndefaults;
    *slot = t->nfree + t->argcount + k;
    PyObject *names = PyCode_GetVarnames((PyCodeObject *)fn->func_code);
    if (names == NULL)
        return NULL;
    PyObject *key = PyTuple_GET_ITEM(names, t->argcount + k);
    PyObject *v = s->kwcaptures ? PyDict_GetItemWithError(s->kwcaptures, key) : NULL;
    if (v == NULL && fn->func_kwdefaults)
        v = PyDict_GetItemWithError(fn->func_kwdefaults, key);
    if (v == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "keyword-only parameter '%U' of a behavior needs a default: it is a capture", key);
    Py_DECREF(names);
    return Py_XNewRef(v);
}

/* For messages only: what a value of the schedule is called. */
static void slot_text(template_t *t, PyFunctionObject *fn, uint32_t slot, char *buf, size_t n) {
    PyObject *names = slot < t->nfree ? PyCode_GetFreevars((PyCodeObject *)fn->func_code)
                                      : PyCode_GetVarnames((PyCodeObject *)fn->func_code);
    Py_ssize_t i = slot < t->nfree ? (Py_ssize_t)slot : (Py_ssize_t)(slot - t->nfree);
    const char *name = names && i < PyTuple_GET_SIZE(names) ? PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, i)) : NULL;
    snprintf(buf, n, "the captured name '%.80s'", name ? name : "?");
    PyErr_Clear();
    Py_XDECREF(names);
}

/* Is a capture good for the next schedule too, if the value is the same object? A large one is not kept for that. */
static bool lasts(const boc_capture_t *c) {
    return c->is_def || (!c->mutable && (c->v.tag == V_BLOB || c->v.tag == V_RAWBYTES) && ((boc_blob_t *)c->v.u.p)->len <= MOST_KEPT);
}

static void give_capture(boc_capture_t *c, boc_value_t *out) {
    if (!c->is_def) {
        boc__value_copy(out, &c->v);
        return;
    }
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    out->tag = V_DEF;
    out->u.p = c;
}

/* A captured value that is no atom. What cannot change is remembered by identity, the rest is encoded at each schedule. */
static int take_slot(boc_state_t *st, template_t *t, PyFunctionObject *fn, uint32_t slot, PyObject *v, boc_value_t *out,
                     bool *again, uint64_t *met) {
    memset(out, 0, sizeof *out);
    if (v == NULL) {
        out->tag = V_ABSENT;
        return 0;
    }
    bool keep = slot < t->nslots;
    boc_capture_t *c;
    if (keep && boc__knows(&t->slots[slot].last, v)) {
        *met += t->slots[slot].capture->met;
        give_capture(t->slots[slot].capture, out);
        return 0;
    }
    if (boc__reaches(v) && !(keep && boc__same_shape(&t->slots[slot].shape, v))) {
        *again = true;
        if (keep)
            boc__remember(&t->slots[slot].shape, boc__shape_of(v));
    }
    char what[120];
    slot_text(t, fn, slot, what, sizeof what);
    c = boc__capture_new(st, v, what);
    if (c == NULL)
        return -1;
    *met += c->met;
    if (!c->is_def && !(keep && lasts(c))) {
        *out = c->v;
        out->flags |= c->mutable ? VF_ANEW : 0;
        c->v.tag = V_EMPTY;
        boc__capture_drop(c);
        return 0;
    }
    give_capture(c, out);
    if (keep) {
        boc__remember(&t->slots[slot].last, v);
        if (t->slots[slot].capture != NULL)
            boc__capture_drop(t->slots[slot].capture);
        t->slots[slot].capture = c;
    } else {
        boc__capture_drop(c);
    }
    return 0;
}

/* ---- filling the behavior ----------------------------------------------------------- */
PyObject *boc__body_name(boc_state_t *st, PyObject *func, uint32_t *id) {
    PyObject *name = PyFunction_Check(func) ? Py_NewRef(((PyFunctionObject *)func)->func_name) : NULL;
    if (name == NULL) {
        name = PyObject_GetAttrString(func, "__name__");
        if (name == NULL || !PyUnicode_Check(name)) {
            boc__forgive();
            Py_XDECREF(name);
            name = PyUnicode_FromString(Py_TYPE(func)->tp_name);
        }
    }
    if (name != NULL && PyFunction_Check(func) &&
        (PyUnicode_CompareWithASCIIString(name, "_") == 0 || PyUnicode_CompareWithASCIIString(name, "<lambda>") == 0)) {
        PyObject *f = boc__py(st, PY_PLACE);
        PyObject *place = f ? PyObject_CallOneArg(f, PyFunction_GET_CODE(func)) : NULL;
        if (place != NULL && PyUnicode_Check(place))
            Py_SETREF(name, Py_NewRef(place));
        else
            boc__forgive();
        Py_XDECREF(place);
    }
    if (name == NULL)
        return NULL;
    *id = boc__name_id(name);
    return name;
}

static int wrong_count(PyObject *func, template_t *t, Py_ssize_t n, uint32_t ndefaults) {
    PyObject *name = PyFunction_Check(func) ? ((PyFunctionObject *)func)->func_name : Py_None;
    uint32_t need = t->argcount - ndefaults;
    if ((Py_ssize_t)need > n)
        PyErr_Format(PyExc_TypeError,
                     "behavior '%S' has %u parameter(s) without a default, but @when names %zd cown(s); name one more cown for each, "
                     "or give the others a default: then they are captured",
                     name, need, n);
    else
        PyErr_Format(PyExc_TypeError, "behavior '%S' has %u parameter(s), but @when names %zd cown(s); add a parameter for each", name,
                     t->argcount, n);
    return -1;
}

/* What a cown of argument `param` is called, at this place of a list (-1: no list): the text of the argument in the @when line,
   else the parameter. 0: nothing is known. */
static uint32_t argument_name(boc_state_t *st, template_t *t, PyObject *func, Py_ssize_t nargs, uint32_t param, int place) {
    if (t->texts == NULL) {
        PyObject *f = boc__py(st, PY_ARGUMENTS);
        t->texts = f ? PyObject_CallFunction(f, "On", PyFunction_GET_CODE(func), nargs) : NULL;
        if (t->texts == NULL || !PyTuple_Check(t->texts)) {
            boc__forgive();
            Py_XSETREF(t->texts, PyTuple_New(0));
        }
    }
    PyObject *vars = PyCode_GetVarnames((PyCodeObject *)PyFunction_GET_CODE(func)), *from = NULL;
    Py_ssize_t at = (Py_ssize_t)param, rest = (Py_ssize_t)t->argcount + t->kwonly;
    int number = -1; /* among *args */
    if (t->texts != NULL && at < PyTuple_GET_SIZE(t->texts) && PyUnicode_Check(PyTuple_GET_ITEM(t->texts, at)))
        from = PyTuple_GET_ITEM(t->texts, at);
    else if (vars != NULL && param < t->argcount && at < PyTuple_GET_SIZE(vars))
        from = PyTuple_GET_ITEM(vars, at);
    else if (vars != NULL && t->varargs && rest < PyTuple_GET_SIZE(vars))
        from = PyTuple_GET_ITEM(vars, rest), number = (int)(param - t->argcount);
    const char *text = from ? PyUnicode_AsUTF8(from) : NULL;
    char full[160], index[2][16] = {"", ""};
    if (number >= 0)
        snprintf(index[0], sizeof index[0], "[%d]", number);
    if (place >= 0)
        snprintf(index[1], sizeof index[1], "[%d]", place);
    if (text != NULL)
        snprintf(full, sizeof full, "%.120s%s%s", text, index[0], index[1]);
    boc__forgive(); /* a name for people */
    Py_XDECREF(vars);
    return text ? boc_name(full, strlen(full)) : 0;
}

/* Names of cowns that have none yet. */
static void name_cowns(boc_state_t *st, template_t *t, PyObject *func, spec_t *s) {
    uint32_t place = 0, last = UINT32_MAX;
    for (uint32_t i = 0; i < s->nitems; i++) {
        uint32_t param = s->items[i].param, *known = NULL;
        place = param == last ? place + 1 : 0;
        last = param;
        boc_cown_t *c = s->items[i].core;
        if (c == NULL || c->name != 0)
            continue;
        if (!s->items[i].in_list && param < KNOWN_NAMES)
            known = &t->argument_names[param];
        uint32_t name = known ? *known : 0;
        if (name == 0)
            name = argument_name(st, t, func, s->nargs, param, s->items[i].in_list ? (int)place : -1);
        if (name == 0)
            continue;
        if (known != NULL)
            *known = name;
        boc__cown_name(c, name, st->worker < 0);
    }
}

static uint32_t count_cowns(const spec_t *s) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nitems; i++)
        n += s->items[i].core != NULL;
    return n;
}

/* Requests and, where parameters are not one distinct cown each, the shape. */
static int fill_requests(boc_behavior_t *b, spec_t *s, boc_cown_t *result) {
    boc_job_t *job = boc__job(b);
    bool plain = true;
    uint32_t n = 0;
    boc_request_move(b, count_cowns(s), result, UINT16_MAX, BOC_WRITE);
    for (uint32_t i = 0; i < s->nitems; i++) {
        item_t *it = &s->items[i];
        plain = plain && !it->in_list;
        if (it->core == NULL)
            continue; /* an empty list */
        for (uint32_t k = 0; plain && s->nitems <= 64 && k < i; k++)
            plain = s->items[k].core != it->core;
        boc_request_set(b, n++, it->core, (uint16_t)i, it->mode);
        if (it->core->flags & BOC_COWN_PINNED)
            b->flags |= BOC_B_PINNED;
    }
    if (plain && s->nitems <= 64 && s->nitems == (uint32_t)s->nargs)
        return 0;
    boc_shape_t *shape = calloc(1, sizeof *shape + s->nitems * sizeof shape->item[0]);
    if (shape == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    shape->nitems = s->nitems;
    for (uint32_t i = 0; i < s->nitems; i++) {
        shape->item[i].cown = s->items[i].core;
        shape->item[i].param = s->items[i].param;
        shape->item[i].in_list = s->items[i].in_list;
    }
    job->shape = shape;
    return 0;
}

PyObject *boc__submit(boc_state_t *st, boc_behavior_t *b, boc_cown_t *result) {
    boc_cown_retain(result); /* the handle's */
    PyObject *handle = boc__cown_wrap(st, result);
    if (handle == NULL)
        return NULL;
    result->value.u.p = b;
    uint64_t parent = boc__in_body() ? boc__ctx->current->id : 0;
    if (boc__batching()) {
        if (boc__batch_add(b) < 0) {
            Py_DECREF(handle);
            return NULL;
        }
        return handle;
    }
    if (boc__hooked(HOOK_NUMBERED))
        boc__gate_scheduling(&b, 1);
    boc__turn_t turn;
    bool replay = boc__hooked(HOOK_REPLAY);
    if (replay && boc__replay_turn(&b, 1, &turn) < 0) {
        Py_DECREF(handle);
        return NULL;
    }
    int rc = boc_schedule(b, parent);
    if (replay)
        boc__replay_joined(&turn);
    if (rc < 0) {
        Py_DECREF(handle);
        return boc__raise_code(rc, "@when");
    }
    return handle;
}

/* In a worker: the call comes from the top level of a module that is being imported. Main scheduled it when it imported
   the module, so nothing happens here. Without an import under way this is one load. */
bool boc__importing(boc_state_t *st) {
    if (st->module_locks == NULL || PyDict_GET_SIZE(st->module_locks) == 0)
        return false;
    PyObject *f = boc__py(st, PY_IMPORTING);
    PyObject *r = f ? PyObject_CallNoArgs(f) : NULL;
    bool yes = r == Py_True;
    if (r == NULL)
        boc__forgive();
    Py_XDECREF(r);
    return yes;
}

/* A behavior with its result and requests, and room for ndyn values. */
boc_behavior_t *boc__allocate(spec_t *s, uint32_t ndyn, boc_cown_t **result) {
    *result = boc_cown_new(BOC_COWN_RESULT);
    boc_behavior_t *b = *result ? boc_behavior_new(count_cowns(s) + 1, sizeof(boc_job_t) + ndyn * sizeof(boc_value_t)) : NULL;
    if (b == NULL) {
        if (*result != NULL)
            boc_cown_release(*result);
        PyErr_NoMemory();
        return NULL;
    }
    boc_job_t *job = boc__job(b);
    job->nparams = (uint16_t)s->nargs;
    job->origin = boc__origin() & 0xffffff;
    b->kinds = BOC_KIND_INTERPRETER;
    b->flags |= (uint8_t)(BOC_B_RESULT | (s->on_main ? BOC_B_PINNED : 0));
    if (fill_requests(b, s, *result) == 0)
        return b;
    boc__drop_behavior(b);
    boc_behavior_free(b);
    return NULL;
}

/* Closure cells and captures into job->dyn. */
static int take_values(boc_state_t *st, template_t *t, PyFunctionObject *fn, spec_t *s, boc_job_t *job, bool *again) {
    uint32_t n = (uint32_t)job->nclosure + job->ndefaults + job->nkw;
    uint64_t met = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot;
        PyObject *v = dyn_value(t, fn, s, job->ndefaults, i, &slot);
        if (v == NULL && PyErr_Occurred())
            return -1;
        int rc = 0;
        if (v == NULL || !boc__atom(&job->dyn[i], v))
            rc = take_slot(st, t, fn, slot, v, &job->dyn[i], again, &met);
        Py_XDECREF(v);
        if (rc < 0)
            return -1;
    }
    *again |= met != t->met;
    t->met = met;
    return 0;
}

/* The same values for analyse(): they may lead to further names, containers by what is in them. */
static PyObject *values_of(template_t *t, PyFunctionObject *fn, spec_t *s, uint32_t ndefaults) {
    PyObject *all = PyList_New(0);
    for (uint32_t i = 0; all != NULL && i < t->nfree + ndefaults + t->kwonly; i++) {
        uint32_t slot;
        PyObject *v = dyn_value(t, fn, s, ndefaults, i, &slot);
        if ((v == NULL && PyErr_Occurred()) || (v != NULL && PyList_Append(all, v) < 0))
            Py_CLEAR(all);
        Py_XDECREF(v);
    }
    PyObject *values = all ? PyList_AsTuple(all) : NULL;
    Py_XDECREF(all);
    return values;
}

/* Where what was taken may share something with the rest: item i is a closure's cell or a captured value, None where dyn[i] goes by
   itself whatever the others are. */
static int keep_shared(boc_state_t *st, template_t *t, PyFunctionObject *fn, spec_t *s, boc_job_t *job) {
    uint32_t n = (uint32_t)job->nclosure + job->ndefaults + job->nkw;
    if (!boc__may_share(t, job, n))
        return 0;
    PyObject *values = PyTuple_New(n);
    for (uint32_t i = 0; values != NULL && i < n; i++) {
        const boc_value_t *taken = &job->dyn[i];
        uint32_t slot;
        PyObject *v = NULL;
        if (i < t->nfree && ((taken->flags & VF_ANEW) || taken->tag < V_BLOB))
            v = Py_NewRef(PyTuple_GET_ITEM(fn->func_closure, i));
        else if (i >= t->nfree && (taken->flags & VF_ANEW))
            v = dyn_value(t, fn, s, job->ndefaults, i, &slot);
        PyTuple_SET_ITEM(values, i, v ? v : Py_NewRef(Py_None));
    }
    int rc = values ? boc__together(st, t, job, values) : -1;
    Py_XDECREF(values);
    return rc;
}

static PyObject *captures_of(spec_t *s) {
    PyObject *values = PyTuple_New(s->ncaptures);
    for (Py_ssize_t i = 0; values != NULL && i < s->ncaptures; i++)
        PyTuple_SET_ITEM(values, i, Py_NewRef(s->captures[i]));
    return values;
}

/* The template's recipe and set of names, brought up to date. A definition that encoding reaches may rebind names, hence rounds. */
int boc__take_names(boc_state_t *st, template_t *t, PyObject *func, spec_t *s, uint32_t ndefaults, bool again) {
    for (int round = 0; round < 8; round++) {
        if (again) {
            PyObject *values = PyFunction_Check(func) ? values_of(t, (PyFunctionObject *)func, s, ndefaults)
                                                      : captures_of(s);
            int rc = values ? boc__analyse(st, t, func, values) : -1;
            Py_XDECREF(values);
            if (rc < 0)
                return -1;
        }
        int rc = t->nwatch ? boc__refresh(st, t) : 0;
        if (rc != 2)
            return rc < 0 ? -1 : 0;
        again = true;
    }
    PyErr_SetString(PyExc_RuntimeError, "the names that this behavior uses change while it is scheduled");
    return -1;
}

/* The behavior's name, its result's, and those of cowns that have none yet. */
static int give_names(boc_state_t *st, template_t *t, PyObject *func, spec_t *s, boc_behavior_t *b) {
    PyObject *own = ((PyFunctionObject *)func)->func_name;
    b->name = s->name;
    if (b->name == 0) {
        if (t->name == 0 || t->named_for != own) {
            PyObject *name = boc__body_name(st, func, &t->name);
            if (name == NULL)
                return -1;
            Py_DECREF(name);
            t->named_for = own;
        }
        b->name = t->name;
    }
    for (uint32_t i = 0; i < s->nitems; i++) {
        if (s->items[i].core != NULL && s->items[i].core->name == 0) {
            name_cowns(st, t, func, s);
            break;
        }
    }
    return 0;
}

static PyObject *schedule_by(boc_state_t *st, template_t *t, PyObject *func, spec_t *s) {
    PyFunctionObject *fn = (PyFunctionObject *)func;
    uint32_t ndef = fn->func_defaults ? (uint32_t)PyTuple_GET_SIZE(fn->func_defaults) : 0;
    Py_ssize_t given = s->nargs + s->ncaptures;
    if (given + (Py_ssize_t)ndef < (Py_ssize_t)t->argcount || (given > (Py_ssize_t)t->argcount && !t->varargs)) {
        wrong_count(func, t, given, ndef);
        return NULL;
    }
    uint32_t trailing = given < (Py_ssize_t)t->argcount ? t->argcount - (uint32_t)given : 0;
    uint32_t ndefaults = (uint32_t)s->ncaptures + trailing, ndyn = t->nfree + ndefaults + t->kwonly;
    if (t->nfree > 255 || ndefaults > 255 || t->kwonly > 255 || s->nitems > 60000) {
        PyErr_SetString(PyExc_ValueError, "a behavior can have at most 255 captures of a kind and 60,000 cowns");
        return NULL;
    }
    if (t->at == NULL && !t->once)
        boc__template_list(st, t);
    int edited = t->nreached ? boc__look_again(st, t) : 0;
    boc_cown_t *result;
    boc_behavior_t *b = edited < 0 ? NULL : boc__allocate(s, ndyn, &result);
    if (b == NULL)
        return NULL;
    boc_job_t *job = boc__job(b);
    job->nclosure = (uint8_t)t->nfree;
    job->ndefaults = (uint8_t)ndefaults;
    job->nkw = (uint8_t)t->kwonly;
    bool again = t->recipe == NULL || edited;
    PyObject *handle = NULL;
    if (take_values(st, t, fn, s, job, &again) == 0 && boc__take_names(st, t, func, s, ndefaults, again) == 0) {
        job->recipe = t->recipe;
        int rc = keep_shared(st, t, fn, s, job);
        job->captures = boc__set_of(t);
        if (rc < 0)
            goto done;
        if (give_names(st, t, func, s, b) == 0) {
            result->name = b->name;
            handle = boc__submit(st, b, result);
        }
    }
done:
    if (handle == NULL) {
        boc__drop_behavior(b);
        boc_behavior_free(b);
    }
    return handle;
}

PyObject *boc__schedule(boc_state_t *st, PyObject *func, spec_t *s) {
    if (boc__importing(st))
        return PyObject_CallNoArgs((PyObject *)st->cown_type);
    if (!PyCallable_Check(func)) {
        PyErr_Format(PyExc_TypeError, "@when(...) decorates a function, not %.100s", Py_TYPE(func)->tp_name);
        return NULL;
    }
    if (boc__not_in_update() < 0 || boc__ensure_started() < 0)
        return NULL;
    if (!PyFunction_Check(func))
        return boc__schedule_callable(st, func, s);
    template_t *t = boc__template_of(st, func);
    if (t == NULL)
        return NULL;
    PyObject *handle = schedule_by(st, t, func, s);
    boc__template_leave(t);
    return handle;
}
