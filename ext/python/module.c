/* boc._core: the module, once in the main interpreter and once in each worker; what each of them knows of Python. */
#include "binding.h"
#include "cycles.h"
#include "environ.h"
#include "stepping.h"
#include "hold.h"
#include "unseen.h"
#include "move.h"
#include "replay.h"
#include "touched.h"
#include "notebook.h"
#include "plain.h"
#include "when.h"

#include <stdlib.h>
#include <string.h>

boc_state_t *boc__main_state;
_Thread_local boc_ctx_t *boc__ctx BOC_TLS;
static _Atomic(boc_state_t *) workers[BOC_MAX_WORKERS];

int boc__runtime_init(void);
int boc__service_init(boc_state_t *st);
int boc__movable_init(boc_state_t *st);
void boc__installed_clear(boc_state_t *st);
void boc__notice_forget_view(boc_state_t *st);
void boc__store_after_fork(void);
void boc__service_after_fork(void);
void boc__notice_after_fork(void);
void boc__message_after_fork(void);
void boc__handle_after_fork(void);
void boc__naming_after_fork(void);
void boc__share_after_fork(void);
void boc__main_drop_after_fork(void);
void boc__movable_after_fork(void);
void boc__path_after_fork(void);
void boc__frames_after_fork(void);

boc_state_t *boc__worker_state(uint32_t worker) {
    return worker < BOC_MAX_WORKERS ? atomic_load_explicit(&workers[worker], memory_order_acquire) : NULL;
}

boc_state_t *boc__st(void) {
    if (boc__ctx != NULL)
        return boc__ctx->st;
    int i = boc__interp_index();
    boc_state_t *st = i == BOC__MAIN ? boc__main_state : i >= 0 ? boc__worker_state((uint32_t)i) : NULL;
    if (st == NULL)
        PyErr_SetString(PyExc_RuntimeError, "boc runs in the main interpreter and in its own workers only, not in this interpreter");
    return st;
}

/* ---- functions of Python modules --------------------------------------------------------- */
static const struct { const char *module, *name; } python_names[PY_COUNT] = {
    [PY_ANALYSE] = {"boc._define", "analyse"},
    [PY_LOAD_RECIPE] = {"boc._load", "load_recipe"},
    [PY_LOAD] = {"boc._load", "load"},
    [PY_DEFINE] = {"boc._define", "define"},
    [PY_CLASSIFY] = {"boc._define", "classify"},
    [PY_REDUCE] = {"boc._define", "reduce_for_pickle"},
    [PY_NAMESPACE] = {"boc._names", "namespace_now"},
    [PY_CHANGES] = {"boc._define", "changes"},
    [PY_PACK] = {"boc._raise", "pack"},
    [PY_UNPACK] = {"boc._raise", "unpack"},
    [PY_RAISED_FOR] = {"boc._raise", "raised_for"},
    [PY_RECEIVE] = {"boc._messages", "receive"},
    [PY_REFUSAL] = {"boc._transfer", "explain_refusal"},
    [PY_BODY_END] = {"boc._worker", "body_end"},
    [PY_PUT_BACK] = {"boc._touched", "put_back"},
    [PY_WORKER_SETUP] = {"boc._worker", "setup"},
    [PY_SERVICE_START] = {"boc._service", "start"},
    [PY_SERVICE_DRAIN] = {"boc._service", "drain"},
    [PY_SERVICE_STOP] = {"boc._service", "stop"},
    [PY_PLACE] = {"boc._places", "place"},
    [PY_ARGUMENTS] = {"boc._places", "arguments"},
    [PY_HINT] = {"boc._places", "hint"},
    [PY_IMPORTING] = {"boc._worker", "importing"},
    [PY_EDITED] = {"boc._define", "edited"},
    [PY_SHAPE] = {"boc._define", "shape"},
    [PY_NAMES_SET] = {"boc._load", "names_set"},
    [PY_ARRIVAL] = {"boc._transfer", "explain_arrival"},
    [PY_REBINDS] = {"boc._stable", "rebinds"},
    [PY_UNREADABLE] = {"boc._transfer", "explain_unreadable"},
    [PY_VIEW] = {"boc._buffers", "view"},
};

PyObject *boc__py(boc_state_t *st, int which) {
    if (st->py[which] == NULL) {
        PyObject *m = PyImport_ImportModule(python_names[which].module);
        if (m == NULL)
            return NULL;
        st->py[which] = PyObject_GetAttrString(m, python_names[which].name);
        Py_DECREF(m);
    }
    return st->py[which];
}

PyObject *boc__error_type(boc_state_t *st, const char *name) {
    if (st->errors == NULL && (st->errors = PyImport_ImportModule("boc._errors")) == NULL)
        return NULL;
    PyObject *t = PyObject_GetAttrString(st->errors, name);
    Py_XDECREF(t); /* the module keeps it */
    return t;
}

/* ---- life ------------------------------------------------------------------------------------ */

int boc__worker_setup(uint32_t worker) {
    PyObject *m = PyImport_ImportModule("boc._core");
    if (m == NULL)
        return -1;
    boc_state_t *st = PyModule_GetState(m);
    Py_DECREF(m);
    atomic_store_explicit(&workers[worker], st, memory_order_release);
    st->worker = (int)worker;
    st->ident = PyThread_get_thread_ident();
    boc__frames_open(worker);
    st->ctx.st = st;
    st->environ_version = 0;
    PyObject *import = PyImport_ImportModule("_frozen_importlib");
    st->module_locks = import ? PyObject_GetAttrString(import, "_module_locks") : NULL;
    Py_XDECREF(import);
    if (st->module_locks == NULL || !PyDict_Check(st->module_locks)) {
        PyErr_Clear();
        Py_CLEAR(st->module_locks);
    }
    boc__ctx = &st->ctx;
    PyObject *f = boc__py(st, PY_WORKER_SETUP);
    PyObject *r = f ? PyObject_CallFunction(f, "I", worker) : NULL;
    Py_XDECREF(r);
    PyObject *cls = r ? boc__error_type(st, "Interrupted") : NULL;
    if (cls == NULL)
        return -1;
    boc__interp_set_interrupted(worker, cls);
    /* what a first behavior needs anyway */
    return boc__py(st, PY_LOAD_RECIPE) && boc__py(st, PY_NAMESPACE) ? 0 : -1;
}

void boc__worker_teardown(uint32_t worker) {
    boc_state_t *st = boc__worker_state(worker);
    if (st == NULL)
        return;
    boc__frames_close(worker);
    boc__live_flush(st);
    boc__templates_forget(st);
    boc__installed_clear(st);
    boc__notice_forget_view(st);
    boc__message_forget(st);
    boc__recipes_clear(st);
    free(st->recipes);
    st->recipes = NULL;
    st->nrecipes = 0;
    /* The interpreter may serve another worker: this module stays in it, the Python ones are imported anew. */
    for (int i = 0; i < PY_COUNT; i++)
        Py_CLEAR(st->py[i]);
    Py_CLEAR(st->errors);
    Py_CLEAR(st->type_ok);
    Py_CLEAR(st->touched);
    Py_CLEAR(st->module_locks);
    boc__ctx = NULL;
    atomic_store_explicit(&workers[worker], NULL, memory_order_release);
}

struct boc__briefs boc__briefs;

void boc__binding_after_fork(void) {
    memset(&boc__briefs, 0, sizeof boc__briefs);
    boc__store_after_fork();
    boc__service_after_fork();
    boc__main_drop_after_fork();
    boc__movable_after_fork();
    boc__path_after_fork();
    boc__notice_after_fork();
    boc__cycles_after_fork();
    boc__message_after_fork();
    boc__handle_after_fork();
    boc__naming_after_fork();
    boc__share_after_fork();
    boc__frames_after_fork();
    boc__environ_after_fork();
    boc__unseen_after_fork();
    boc__gate_after_fork();
    boc__replay_after_fork();
    for (uint32_t i = 0; i < BOC_MAX_WORKERS; i++)
        atomic_store_explicit(&workers[i], NULL, memory_order_relaxed);
}

void boc__binding_at_exit(void) {
    boc_state_t *st = boc__main_state;
    if (st != NULL)
        boc__templates_forget(st); /* the state goes before the code objects */
    PyObject *m = st ? PyImport_ImportModule("boc._control") : NULL;
    PyObject *r = m ? PyObject_CallMethod(m, "at_exit", NULL) : NULL;
    if (r == NULL)
        PyErr_Clear();
    Py_XDECREF(r);
    Py_XDECREF(m);
}

/* _dumps(o) -> bytes, or (bytes, cowns) where there are cowns in it; _loads of that: our codec, for parts of exceptions */
static PyObject *core_dumps(PyObject *module, PyObject *o) {
    (void)module;
    boc_state_t *st = boc__st();
    boc_blob_t *b = st ? boc__pickle_inband(st, o) : NULL;
    if (b == NULL)
        return NULL;
    PyObject *r = PyBytes_FromStringAndSize((char *)b->data, (Py_ssize_t)b->len);
    PyObject *cowns = r && b->ncowns ? PyTuple_New(b->ncowns) : NULL;
    for (uint32_t i = 0; cowns != NULL && i < b->ncowns; i++) {
        boc_cown_retain(b->cowns[i]);
        PyObject *handle = boc__cown_wrap(st, b->cowns[i]);
        if (handle == NULL)
            Py_CLEAR(cowns);
        else
            PyTuple_SET_ITEM(cowns, i, handle);
    }
    if (cowns != NULL)
        r = Py_BuildValue("NN", r, cowns);
    else if (b->ncowns)
        Py_CLEAR(r);
    boc__blob_drop(b);
    return r;
}

static PyObject *core_loads(PyObject *module, PyObject *arg) {
    (void)module;
    boc_state_t *st = boc__st();
    const char *data;
    Py_ssize_t size;
    PyObject *cowns;
    if (st == NULL)
        return NULL;
    if (PyBytes_Check(arg)) {
        const unsigned char *bytes = (unsigned char *)PyBytes_AS_STRING(arg);
        size_t n = (size_t)PyBytes_GET_SIZE(arg);
        return boc__is_plain(bytes, n) ? boc__plain_load(bytes, n) : PyObject_CallOneArg(st->loads, arg);
    }
    if (!PyArg_ParseTuple(arg, "y#O!:_loads", &data, &size, &PyTuple_Type, &cowns))
        return NULL;
    Py_ssize_t n = PyTuple_GET_SIZE(cowns);
    boc_blob_t *b = boc__blob_new((size_t)size);
    boc_cown_t **list = calloc((size_t)n + 1, sizeof *list);
    PyObject *r = NULL;
    if (b == NULL || list == NULL) {
        if (b != NULL)
            boc__blob_drop(b);
        free(list);
        return PyErr_NoMemory();
    }
    memcpy(b->data, data, (size_t)size);
    b->cowns = list;
    for (; b->ncowns < (size_t)n && (list[b->ncowns] = boc__cown_core(st, PyTuple_GET_ITEM(cowns, b->ncowns))) != NULL; b->ncowns++)
        boc_cown_retain(list[b->ncowns]);
    if (b->ncowns == (size_t)n)
        r = boc__unpickle(st, b);
    else
        PyErr_SetString(PyExc_TypeError, "_loads() takes what _dumps() gave");
    boc__blob_drop(b);
    return r;
}

static PyMethodDef core_methods[] = {
    {"when", (PyCFunction)(void (*)(void))boc__when, METH_FASTCALL | METH_KEYWORDS,
     "when(*cowns, name=None, on=None)\n--\n\nDecorate a function: it becomes a behavior that runs once it can own all the cowns.\n\n"
     "Each argument is a Cown, read(cown), or a list or tuple of them, and becomes one parameter. Trailing parameters with\n"
     "defaults are captures, taken now. The decorated name becomes the result Cown."},
    {"whencall", (PyCFunction)(void (*)(void))boc__whencall, METH_VARARGS | METH_KEYWORDS,
     "whencall(func, cowns, captures=(), *, name=None, on=None)\n--\n\n@when without the decorator. captures: values passed after the "
     "cowns, or a dict by parameter name."},
    {"read", boc__read, METH_O,
     "read(cown)\n--\n\nIn @when(read(c)): shared, read-only. Readers of one cown run together. Takes a list of cowns too."},
    {"_batch_enter", boc__batch_enter, METH_NOARGS, NULL},
    {"_batch_exit", boc__batch_exit, METH_O, NULL},
    {"_collect_cycles", boc__cycles_collect, METH_NOARGS, NULL},
    {"store_put", boc__store_put, METH_O, "store_put(bytes) -> id: 32 bytes"},
    {"store_get", boc__store_get, METH_O, "store_get(id) -> bytes or None"},
    {"_stored", boc__stored, METH_NOARGS, NULL},
    {"module_arrived", boc__module_arrived, METH_O, "module_arrived(key): the module of this namespace was imported in this worker"},
    {"names_moved", boc__names_moved, METH_NOARGS, "names_moved(): names that came with a definition were bound in this worker"},
    {"_dumps", core_dumps, METH_O, NULL},
    {"_loads", core_loads, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static int core_exec(PyObject *module) {
    boc_state_t *st = PyModule_GetState(module);
    memset(st, 0, sizeof *st);
    st->module = module;
    st->worker = boc__main_state == NULL ? -1 : boc__interp_index();
    if (boc__main_state == NULL) {
        if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
            PyErr_SetString(PyExc_ImportError, "boc must be imported in the main interpreter first; its workers are sub-interpreters of its own");
            return -1;
        }
        boc__main_state = st;
        boc__move_init();
        boc__interp_own_frames_only();
        if (boc__interp_init(module) < 0 || boc__runtime_init() < 0)
            return -1;
    } else if (st->worker == BOC__FOREIGN) {
        PyErr_SetString(PyExc_ImportError, "boc runs in the main interpreter and in its own workers only, not in this interpreter");
        return -1;
    } else if (st->worker >= 0) {
        atomic_store_explicit(&workers[st->worker], st, memory_order_release);
    }
    if (boc__codec_init(st) < 0 || boc__cown_init(st) < 0 || boc__when_init(st) < 0 || boc__service_init(st) < 0 ||
        boc__movable_init(st) < 0)
        return -1;
    /* The module stays as long as the interpreter, whatever workers it serves: so does what this holds. */
    PyObject *kept = PyDict_New();
    int added = PyModule_AddObjectRef(module, "kept", kept);
    Py_XDECREF(kept);
    if (added < 0)
        return -1;
    return PyModule_AddIntConstant(module, "TRACE_MARK", BOC_T_mark) < 0 || PyModule_AddFunctions(module, boc__runtime_methods) < 0 ||
           PyModule_AddFunctions(module, boc__notebook_methods) < 0 || PyModule_AddFunctions(module, boc__service_methods) < 0 ||
                   PyModule_AddFunctions(module, boc__notice_methods) < 0 || PyModule_AddFunctions(module, boc__trace_methods) < 0 || PyModule_AddFunctions(module, boc__columns_methods) < 0 ||
                   PyModule_AddFunctions(module, boc__message_methods) < 0 || PyModule_AddFunctions(module, boc__environ_methods) < 0 || PyModule_AddFunctions(module, boc__unseen_methods) < 0 ||
                   PyModule_AddFunctions(module, boc__gate_methods) < 0 || PyModule_AddFunctions(module, boc__touched_methods) < 0 || PyModule_AddFunctions(module, boc__replay_methods) < 0
               ? -1
               : 0;
}

static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, core_exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "boc._core",
    .m_doc = "The runtime of boc in C; see the package for its public face.",
    .m_size = sizeof(boc_state_t),
    .m_methods = core_methods,
    .m_slots = core_slots,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&core_module); }
