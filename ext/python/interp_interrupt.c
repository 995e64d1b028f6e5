/* Interrupting a body from outside its interpreter.
 *
 * PyThreadState_SetAsyncExc finds only threads of the current interpreter, so a pending call does it there. The call may be
 * run by any thread of that interpreter and at any later time, therefore it compares ids: wanted against running. The latter
 * is written on the worker's thread under the GIL that the call holds as well, so it cannot change under it. */
#include "interp_slot.h"

#include "interp_runtime.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* An import is one step of a body as far as interrupts go: one that hits the import system itself can leave a module's lock
   held for ever, and a module half made breaks others that refer to it. An import that takes longer than this
   is interrupted in the module's own code, where any exception may arise. */
#define IMPORT_PATIENCE_NS 500000000
#define NUDGE_NS 1000000

/* ---- where the body is --------------------------------------------------------- */

/* The import system in Python: what takes a module's lock without unbroken (below) around it. */
static bool
is_import(PyObject *file)
{
    return PyUnicode_CompareWithASCIIString(file, "<frozen importlib._bootstrap>") == 0 ||
           PyUnicode_CompareWithASCIIString(file, "<frozen importlib._bootstrap_external>") == 0;
}

/* The Python under the body, such as its streams: files of boc's folder, not of the folders in it. */
static bool
is_ours(const boc__slot_t *slot, PyObject *file)
{
    return slot->folder != NULL && PyUnicode_Tailmatch(file, slot->folder, 0, PY_SSIZE_T_MAX, -1) == 1 &&
           PyUnicode_FindChar(file, '/', PyUnicode_GET_LENGTH(slot->folder), PY_SSIZE_T_MAX, 1) == -1;
}

/* What waits with locks in Python: between a wait of theirs and the lock's new hold an exception makes another one, of a lock
   that is not held. */
static bool
is_threading(PyObject *file)
{
    static const char name[] = "/threading.py";
    Py_ssize_t n;
    const char *text = PyUnicode_AsUTF8AndSize(file, &n);
    if (text == NULL) {
        PyErr_Clear();
        return false;
    }
    return n >= (Py_ssize_t)sizeof name && strcmp(text + n - (sizeof name - 1), name) == 0;
}

/* Whether an exception of ours would do harm where the body is now. impatient: only where it surely would. *soon: it goes on
   from there at once, and is to be looked at again without a wait. */
static bool
would_harm(const boc__slot_t *slot, bool impatient, bool *soon)
{
    if (!impatient && atomic_load_explicit(&slot->imports, memory_order_relaxed) > 0) {
        return true;
    }
#ifdef Py_GIL_DISABLED
    if (PyThreadState_Get() != slot->thread) {
        return !impatient; /* its frames change while they are looked at */
    }
#endif
    PyFrameObject *frame = PyThreadState_GetFrame(slot->thread);
    if (frame == NULL) {
        PyErr_Clear();
        return false;
    }
    PyCodeObject *code = PyFrame_GetCode(frame);
    bool waits = is_threading(code->co_filename);
    *soon = waits && PyThreadState_Get() == slot->thread; /* on another thread it would be run over and over meanwhile */
    bool harm = waits || is_import(code->co_filename) || (!impatient && is_ours(slot, code->co_filename));
    Py_DECREF(code);
    Py_DECREF(frame);
    return harm;
}

/* ---- the interrupt --------------------------------------------------------------- */

static bool nudge(boc__slot_t *slot, uint64_t behavior);
static bool post(boc__slot_t *slot);

/* Runs inside the worker's interpreter, its GIL held, on whichever of its threads came first. */
static int
raise_in_body(void *arg)
{
    boc__slot_t *slot = arg;
    /* Before the ids are read: who asks after this posts anew. */
    atomic_store_explicit(&slot->posted, false, memory_order_seq_cst);
    uint64_t wanted = atomic_load_explicit(&slot->wanted, memory_order_seq_cst);
    if (wanted == 0 || wanted != atomic_load_explicit(&slot->running, memory_order_relaxed) || slot->interrupted == NULL) {
        return 0;
    }
    bool impatient = boc__interp_exiting() || boc_now() - atomic_load_explicit(&slot->asked_at, memory_order_relaxed) > IMPORT_PATIENCE_NS;
    bool soon = false;
    if (would_harm(slot, impatient, &soon) && (soon ? post(slot) : nudge(slot, wanted))) {
        return 0;
    }
    atomic_compare_exchange_strong(&slot->wanted, &wanted, 0);
    slot->raised = true;
    PyThreadState_SetAsyncExc(slot->ident, slot->interrupted);
    return 0;
}

/* Whether the core says so; the body itself may not have begun yet, or have ended. */
static bool
runs(uint32_t worker, uint64_t behavior)
{
    boc_running_t now;
    return boc_worker_running(worker, &now) == 0 && now.id == behavior;
}

/* boc__slots.lock held, the slot in the table; or on the worker's own thread. */
static bool
post(boc__slot_t *slot)
{
    bool posted = true;
    if (!atomic_exchange_explicit(&slot->posted, true, memory_order_seq_cst)) {
        posted = boc__runtime_add_pending(slot->interp, raise_in_body, slot);
        if (!posted) {
            atomic_store_explicit(&slot->posted, false, memory_order_relaxed);
        }
    }
    return posted;
}

bool
boc__interp_interrupt(uint32_t worker, uint64_t behavior)
{
    bool asked = false;
    if (worker >= BOC_MAX_WORKERS || behavior == 0) {
        return false;
    }
    PyThreadState *thread = boc__slots_lock();
    boc__slot_t *slot = boc__slots.at[worker];
    if (slot != NULL && runs(worker, behavior)) {
        if (atomic_load_explicit(&slot->wanted, memory_order_relaxed) != behavior) {
            atomic_store_explicit(&slot->asked_at, boc_now(), memory_order_relaxed);
            atomic_store_explicit(&slot->wanted, behavior, memory_order_seq_cst);
        }
        bool begun = atomic_load_explicit(&slot->running, memory_order_acquire) == behavior;
        /* Not begun: what it needs is being made ready; it is for as soon as it begins. */
        asked = (begun && post(slot)) || nudge(slot, behavior);
    }
    boc__slots_unlock(thread);
    return asked;
}

void
boc__interp_interrupt_again(void)
{
    boc__slot_t *slot = boc__slot_mine();
    if (slot != NULL && slot->raised) {
        (void)boc__interp_interrupt(slot->worker, atomic_load_explicit(&slot->running, memory_order_relaxed));
    }
}

/* ---- asking again later ------------------------------------------------------------
 * A pending call that posts itself again is run again at once, a hundred times over. So a thread that lives as long as the
 * request does posts it, every millisecond. */

typedef struct {
    uint32_t worker;
    uint64_t behavior;
} nudge_t;

static void *
nudger(void *arg)
{
    nudge_t it = *(nudge_t *)arg;
    free(arg);
    for (bool go = true; go;) {
        nanosleep(&(struct timespec){.tv_nsec = NUDGE_NS}, NULL);
        pthread_mutex_lock(&boc__slots.lock);
        boc__slot_t *slot = boc__slots.at[it.worker];
        go = slot != NULL && atomic_load_explicit(&slot->nudged, memory_order_relaxed) == it.behavior;
        if (go && atomic_load_explicit(&slot->wanted, memory_order_relaxed) == it.behavior && runs(it.worker, it.behavior)) {
            if (atomic_load_explicit(&slot->running, memory_order_relaxed) == it.behavior) {
                (void)post(slot);
            }
        } else if (go) {
            /* Under the lock, under which the same behavior would be asked for again. */
            atomic_store_explicit(&slot->nudged, 0, memory_order_relaxed);
            go = false;
        }
        pthread_mutex_unlock(&boc__slots.lock);
    }
    return NULL;
}

/* false: it cannot be done later, so it has to be done now. */
static bool
nudge(boc__slot_t *slot, uint64_t behavior)
{
    if (atomic_load_explicit(&slot->nudged, memory_order_relaxed) == behavior) {
        return true;
    }
    nudge_t *it = malloc(sizeof *it);
    if (it == NULL) {
        return false;
    }
    *it = (nudge_t){slot->worker, behavior};
    atomic_store_explicit(&slot->nudged, behavior, memory_order_relaxed);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* a signal is for main to see */
    pthread_t thread;
    bool made = pthread_create(&thread, NULL, nudger, it) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (made) {
        pthread_detach(thread);
    } else {
        atomic_store_explicit(&slot->nudged, 0, memory_order_relaxed);
        free(it);
    }
    return made;
}

/* ---- on the worker's own thread ------------------------------------------------------ */

int
boc__interp_running(uint32_t Py_UNUSED(worker), uint64_t behavior)
{
    boc__slot_t *slot = boc__slot_mine();
    uint64_t ended = atomic_load_explicit(&slot->running, memory_order_relaxed);
    uint64_t wanted = atomic_load_explicit(&slot->wanted, memory_order_relaxed);
    /* We put the interrupt off, and the body was over before the next try. */
    if (wanted != 0 && wanted == ended && !PyErr_Occurred() && atomic_load_explicit(&slot->nudged, memory_order_relaxed) == ended) {
        (void)boc__interp_check();
    }
    atomic_store_explicit(&slot->running, behavior, memory_order_release);
    if (slot->raised) {
        /* It was set and the body ended first, or it was raised and this clears nothing. */
        slot->raised = false;
        PyThreadState_SetAsyncExc(slot->ident, NULL);
        PyObject *exc = PyErr_GetRaisedException();
        PyObject *done = PyObject_CallMethod(slot->python, "forget_half_imported", NULL);
        if (done == NULL) {
            PyErr_WriteUnraisable(slot->python);
        }
        Py_XDECREF(done);
        PyErr_SetRaisedException(exc);
    }
    /* Asked for while its values were made ready: a short body would be over before a pending call. */
    if (behavior != 0 && atomic_load_explicit(&slot->wanted, memory_order_relaxed) == behavior) {
        return boc__interp_check();
    }
    return behavior == 0 && wanted != 0 && PyErr_Occurred() ? -1 : 0;
}

void
boc__interp_set_interrupted(uint32_t Py_UNUSED(worker), PyObject *cls)
{
    Py_XSETREF(boc__slot_mine()->interrupted, Py_XNewRef(cls));
}

int
boc__interp_check(void)
{
    boc__slot_t *slot = boc__slot_mine();
    if (slot == NULL) {
        return 0;
    }
    uint64_t wanted = atomic_load_explicit(&slot->wanted, memory_order_relaxed);
    if (wanted == 0 || wanted != atomic_load_explicit(&slot->running, memory_order_relaxed) || slot->interrupted == NULL) {
        return 0;
    }
    atomic_compare_exchange_strong(&slot->wanted, &wanted, 0);
    PyErr_SetNone(slot->interrupted);
    return -1;
}

/* ---- a pinned body, on a thread of main ---------------------------------------------- */

static struct {
    pthread_mutex_t lock; /* between who asks and the end of the body: an interrupt never meets what runs next */
    uint64_t behavior;
    unsigned long thread;
    PyObject *interrupted; /* borrowed from main's state */
    bool raised;
} pinned = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
boc__interp_pinned_after_fork(void)
{
    pthread_mutex_init(&pinned.lock, NULL);
}

void
boc__interp_pinned(uint64_t behavior, PyObject *interrupted)
{
    pthread_mutex_lock(&pinned.lock);
    if (pinned.raised) {
        PyThreadState_SetAsyncExc(pinned.thread, NULL); /* the body was over first, or this clears nothing */
    }
    pinned.behavior = interrupted == NULL ? 0 : behavior;
    pinned.thread = PyThread_get_thread_ident();
    pinned.interrupted = interrupted;
    pinned.raised = false;
    pthread_mutex_unlock(&pinned.lock);
}

static bool
raise_in_pinned(uint64_t behavior)
{
    pthread_mutex_lock(&pinned.lock);
    bool runs_now = pinned.behavior != 0 && (behavior == 0 || pinned.behavior == behavior);
    if (runs_now) {
        pinned.raised = true;
        PyThreadState_SetAsyncExc(pinned.thread, pinned.interrupted);
    }
    pthread_mutex_unlock(&pinned.lock);
    return runs_now;
}

static int
raise_in_pinned_later(void *behavior)
{
    raise_in_pinned((uintptr_t)behavior);
    return 0;
}

bool
boc__interp_interrupt_pinned(uint64_t behavior)
{
    if (boc__interp_is_main()) {
        return raise_in_pinned(behavior);
    }
    return boc__runtime_add_pending(PyInterpreterState_Main(), raise_in_pinned_later, (void *)(uintptr_t)behavior);
}

/* ---- imports are not broken ---------------------------------------------------------- */

static PyObject *
unbroken(PyObject *function, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    boc__slot_t *slot = boc__slot_mine();
    if (slot != NULL) {
        atomic_fetch_add_explicit(&slot->imports, 1, memory_order_relaxed);
    }
    PyObject *result = PyObject_Vectorcall(function, args, (size_t)n, names);
    if (slot != NULL && atomic_fetch_sub_explicit(&slot->imports, 1, memory_order_relaxed) == 1 && result != NULL &&
        boc__interp_check() < 0) {
        Py_CLEAR(result);
    }
    return result;
}

static PyMethodDef unbroken_method = {"unbroken", (PyCFunction)(void (*)(void))unbroken, METH_FASTCALL | METH_KEYWORDS,
                                      "Calls the function that it stands for; interrupts wait until that returns."};

PyObject *
boc__interp_unbroken(PyObject *Py_UNUSED(module), PyObject *function)
{
    return PyCFunction_New(&unbroken_method, function);
}
