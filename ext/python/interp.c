/* Worker interpreters: made on their worker's own thread, parked, visited by a porter, ended there.
 *
 * See interp.h for who calls what. The rest of the life cycle: interp_interrupt.c, interp_exit.c,
 * interp_fork.c; the private parts of CPython: interp_runtime.c. */
#include "interp_slot.h"

#include "interp_prepare.h"
#include "interp_runtime.h"
#include "until.h"

#include <string.h>

/* How soon a running body lets a porter in. Only a thread that waits for the GIL makes it matter. */
#define WORKER_SWITCH_INTERVAL_S 0.0003

boc__slot_table_t boc__slots = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static _Thread_local boc__slot_t *mine;
static _Thread_local PyThreadState *visit; /* of a porter inside somebody's interpreter */

boc__slot_t *
boc__slot_mine(void)
{
    return mine;
}

PyThreadState *
boc__slots_lock(void)
{
    PyThreadState *thread = boc__runtime_current() != NULL ? PyEval_SaveThread() : NULL;
    pthread_mutex_lock(&boc__slots.lock);
    return thread;
}

void
boc__slots_unlock(PyThreadState *thread)
{
    pthread_mutex_unlock(&boc__slots.lock);
    if (thread != NULL) {
        PyEval_RestoreThread(thread);
    }
}

void
boc__slots_await_endings(void)
{
    struct timespec until = boc__until(1000000000);
    pthread_mutex_lock(&boc__slots.lock);
    int rc = 0;
    while (boc__slots.ending > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&boc__slots.ended, &boc__slots.lock, &until);
    }
    pthread_mutex_unlock(&boc__slots.lock);
}

void
boc__slots_reset(void)
{
    pthread_mutex_init(&boc__slots.lock, NULL);
    pthread_cond_init(&boc__slots.ended, NULL);
    boc__slots.ending = 0;
    memset(boc__slots.at, 0, sizeof boc__slots.at);
    boc__slots.idle = NULL;
    boc__slots.watched = false;
    atomic_store_explicit(&boc__slots.any, false, memory_order_relaxed);
    mine = NULL;
    visit = NULL;
}

int
boc__interp_init(PyObject *Py_UNUSED(module))
{
    if (boc__slots.main != NULL) {
        return 0;
    }
    if (!boc__runtime_matches()) {
        PyErr_Format(PyExc_ImportError,
                     "boc was built for another release of CPython than %s; reinstall it for this one", Py_GetVersion());
        return -1;
    }
    if (boc__interp_init_fork() < 0 || boc__interp_init_exit() < 0) {
        return -1;
    }
    boc__slots.main = PyInterpreterState_Main();
    return 0;
}

/* ---- where am I ------------------------------------------------------------- */

bool
boc__interp_is_main(void)
{
    return PyInterpreterState_Get() == PyInterpreterState_Main();
}

int
boc__interp_index(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    if (interp == boc__slots.main) {
        return BOC__MAIN;
    }
    if (mine != NULL && mine->interp == interp) {
        return (int)mine->worker;
    }
    /* A thread that a body started, a porter, or no interpreter of ours. */
    int found = BOC__FOREIGN;
    pthread_mutex_lock(&boc__slots.lock);
    for (int i = 0; i < BOC_MAX_WORKERS && found < 0; i++) {
        if (boc__slots.at[i] != NULL && boc__slots.at[i]->interp == interp) {
            found = i;
        }
    }
    pthread_mutex_unlock(&boc__slots.lock);
    return found;
}

/* ---- enter and leave --------------------------------------------------------- */

static void
set_error(const char *what, const char *text)
{
    pthread_mutex_lock(&boc__slots.lock);
    snprintf(boc__slots.error, sizeof boc__slots.error, "%s: %s", what, text);
    pthread_mutex_unlock(&boc__slots.lock);
}

void
boc__interp_error(char *buf, size_t size)
{
    pthread_mutex_lock(&boc__slots.lock);
    snprintf(buf, size, "%s", boc__slots.error);
    pthread_mutex_unlock(&boc__slots.lock);
}

/* Keeps "Type: text" of the exception that is set, and clears it. */
static void
set_error_from_exception(const char *what)
{
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *text = exc == NULL ? NULL : PyUnicode_FromFormat("%s: %S", Py_TYPE(exc)->tp_name, exc);
    const char *utf8 = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    set_error(what, utf8 == NULL ? "unknown error" : utf8);
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(exc);
}

static void
table_put(uint32_t worker, boc__slot_t *slot)
{
    pthread_mutex_lock(&boc__slots.lock);
    boc__slots.at[worker] = slot;
    boc__world_watch();
    pthread_mutex_unlock(&boc__slots.lock);
}

/* Takes the slot out of the table, after which nothing reaches its interpreter from outside.
   true: it was abandoned before and must not be ended. */
static bool
table_take(boc__slot_t *slot)
{
    pthread_mutex_lock(&boc__slots.lock);
    if (boc__slots.at[slot->worker] == slot) {
        boc__slots.at[slot->worker] = NULL;
    }
    bool abandoned = slot->abandoned;
    if (!abandoned) {
        boc__slots.ending++;
    }
    pthread_mutex_unlock(&boc__slots.lock);
    return abandoned;
}

static void
table_ended(void)
{
    pthread_mutex_lock(&boc__slots.lock);
    boc__slots.ending--;
    pthread_cond_broadcast(&boc__slots.ended);
    pthread_mutex_unlock(&boc__slots.lock);
}

static PyThreadState *
new_interpreter(void)
{
    const PyInterpreterConfig config = {
        .use_main_obmalloc = 0,
        .allow_fork = 0,
        .allow_exec = 0,
        .allow_threads = 1,
        /* Py_EndInterpreter cannot end an interpreter that has one. */
        .allow_daemon_threads = 0,
        .check_multi_interp_extensions = 1,
        .gil = PyInterpreterConfig_OWN_GIL,
    };
    PyThreadState *thread = NULL;
    PyStatus status = Py_NewInterpreterFromConfig(&thread, &config);
    if (PyStatus_Exception(status) || thread == NULL) {
        set_error("cannot make a worker interpreter", status.err_msg != NULL ? status.err_msg : "out of memory");
        return NULL;
    }
    return thread;
}

/* A slot with a new interpreter, current. NULL: see the error text. */
static boc__slot_t *
make_slot(void)
{
    boc__slot_t *slot = calloc(1, sizeof *slot);
    if (slot == NULL) {
        set_error("cannot make a worker interpreter", "out of memory");
        return NULL;
    }
    atomic_store_explicit(&boc__slots.any, true, memory_order_relaxed);
    slot->thread = new_interpreter();
    if (slot->thread == NULL) {
        free(slot);
        return NULL;
    }
    slot->interp = PyInterpreterState_Get();
    return slot;
}

static void
keep_idle(boc__slot_t *slot)
{
    pthread_mutex_lock(&boc__slots.lock);
    slot->next = boc__slots.idle;
    boc__slots.idle = slot;
    pthread_mutex_unlock(&boc__slots.lock);
}

/* A slot whose interpreter served before, made current for this thread. NULL: none is idle, or no memory for a thread state. */
static boc__slot_t *
reuse_slot(void)
{
    pthread_mutex_lock(&boc__slots.lock);
    boc__slot_t *slot = boc__slots.idle;
    if (slot != NULL) {
        boc__slots.idle = slot->next;
    }
    pthread_mutex_unlock(&boc__slots.lock);
    if (slot == NULL) {
        return NULL;
    }
    slot->thread = PyThreadState_New(slot->interp);
    if (slot->thread == NULL) {
        keep_idle(slot);
        return NULL;
    }
    PyEval_RestoreThread(slot->thread);
    if (slot->anchor != NULL) {
        PyThreadState_Clear(slot->anchor);
        PyThreadState_Delete(slot->anchor);
        slot->anchor = NULL;
    }
    return slot;
}

int
boc__interp_enter(uint32_t worker)
{
    boc__slot_t *slot = reuse_slot();
    if (slot == NULL && (slot = make_slot()) == NULL) {
        return -1;
    }
    slot->worker = worker;
    slot->ident = PyThread_get_thread_ident();
    mine = slot;
    table_put(worker, slot);
    slot->python = boc__prepare_worker(WORKER_SWITCH_INTERVAL_S);
    slot->folder = slot->python == NULL ? NULL : PyObject_GetAttrString(slot->python, "FOLDER");
    if (slot->folder == NULL || boc__worker_setup(worker) < 0) {
        set_error_from_exception("cannot set up a worker interpreter");
        boc__interp_leave(worker);
        return -1;
    }
    return 0;
}

/* Threads that bodies started and left behind keep an interpreter from ending. */
static bool
others_inside(const boc__slot_t *slot)
{
    for (PyThreadState *t = PyInterpreterState_ThreadHead(slot->interp); t != NULL; t = PyThreadState_Next(t)) {
        if (t != slot->thread) {
            return true;
        }
    }
    return false;
}

/* An interpreter that was ended does not give its memory back on 3.12 and 3.13 (2.5 MB each), and a new one
   costs 10 ms: so one that can be made as good as new is kept for the next worker. */
static void
put_idle(boc__slot_t *slot)
{
#if PY_VERSION_HEX < 0x030d0000
    /* 3.12 cannot give an interpreter without thread states a new one. */
    slot->anchor = PyThreadState_New(slot->interp);
    if (slot->anchor == NULL) {
        Py_EndInterpreter(slot->thread);
        free(slot);
        return;
    }
#endif
    PyThreadState_Clear(slot->thread);
    PyThreadState_DeleteCurrent();
    slot->thread = NULL;
    keep_idle(slot);
}

void
boc__slots_end_idle(void)
{
    PyThreadState *save = PyThreadState_Get();
    PyEval_SaveThread();
    for (boc__slot_t *slot; (slot = reuse_slot()) != NULL; free(slot)) {
        Py_EndInterpreter(slot->thread);
    }
    PyEval_RestoreThread(save);
}

void
boc__interp_leave(uint32_t worker)
{
    boc__slot_t *slot = mine;
    mine = NULL;
    if (table_take(slot)) {
        /* The slot stays: a queued pending call may still point to it. */
        PyEval_SaveThread();
        return;
    }
    boc__world_back(slot);
    boc__worker_teardown(worker);
    Py_CLEAR(slot->interrupted);
    Py_CLEAR(slot->folder);
    PyObject *python = slot->python;
    slot->python = NULL;
    if (python != NULL && others_inside(slot)) {
        boc__prepare_join_threads(python);
    }
    bool good = python != NULL && !others_inside(slot) && boc__prepare_reset(python);
    Py_XDECREF(python);
    if (others_inside(slot)) {
        boc__runtime_unlink(slot->interp);
        PyEval_SaveThread();
    } else if (good) {
        put_idle(slot);
    } else {
        Py_EndInterpreter(slot->thread);
        free(slot);
    }
    table_ended();
}

void
boc__interp_park(uint32_t Py_UNUSED(worker))
{
    PyEval_SaveThread();
}

void
boc__interp_unpark(uint32_t Py_UNUSED(worker))
{
    PyEval_RestoreThread(mine->thread);
}

/* ---- the porter ---------------------------------------------------------------
 * A fresh thread state per visit costs 0.3 us, nothing beside the wait for the GIL, and a porter's thread
 * state is never left over when the interpreter ends. */

void
boc__interp_porter_enter(uint32_t home)
{
    pthread_mutex_lock(&boc__slots.lock);
    PyInterpreterState *interp = boc__slots.at[home]->interp;
    pthread_mutex_unlock(&boc__slots.lock);
    const struct timespec moment = {.tv_nsec = 10000000};
    while ((visit = PyThreadState_New(interp)) == NULL) {
        nanosleep(&moment, NULL); /* who asked waits, and nobody else: until there is memory again */
    }
    PyEval_RestoreThread(visit);
}

void
boc__interp_porter_leave(uint32_t Py_UNUSED(home))
{
    PyThreadState_Clear(visit);
    PyThreadState_DeleteCurrent();
    visit = NULL;
}

/* ---- before the workers ---------------------------------------------------------- */

#if PY_VERSION_HEX < 0x030d0000

/* 3.12 replaces the raw allocator of the whole process for a moment whenever it makes an interpreter
   (_Py_ClearStandardStreamEncoding; the class of gh-123134). Under -X dev or PYTHONMALLOC=debug, what another thread takes in
   that moment is given back to the wrong one. So all interpreters are made before any of them runs, and main waits. */
static bool
raw_allocator_is_hooked(void)
{
    PyMemAllocatorEx raw;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw);
    return raw.ctx != NULL;
}

static void *
make_idle(void *count)
{
    for (uint32_t i = *(const uint32_t *)count; i > 0; i--) {
        boc__slot_t *slot = make_slot();
        if (slot == NULL) {
            break; /* its worker will try again, and say why */
        }
        put_idle(slot);
    }
    return NULL;
}

/* Main's GIL held, and kept. */
static void
make_all_ahead(void)
{
    uint32_t missing = boc_worker_count();
    pthread_mutex_lock(&boc__slots.lock);
    for (const boc__slot_t *s = boc__slots.idle; s != NULL && missing > 0; s = s->next) {
        missing--;
    }
    pthread_mutex_unlock(&boc__slots.lock);
    pthread_t maker; /* a thread of main would let go of main's GIL to make one */
    if (missing > 0 && raw_allocator_is_hooked() && pthread_create(&maker, NULL, make_idle, &missing) == 0) {
        pthread_join(maker, NULL);
    }
}

#else

static void
make_all_ahead(void)
{
}

#endif

void
boc__interp_preload(void)
{
    PyThreadState *thread = PyThreadState_New(boc__slots.main);
    if (thread == NULL) {
        return;
    }
    PyEval_RestoreThread(thread);
    boc__prepare_main();
    make_all_ahead();
    PyThreadState_Clear(thread);
    PyThreadState_DeleteCurrent();
}
