/* The end of the process while workers live: an atexit callback.
 *
 * By then the program's non-daemon threads have ended; they may have waited for behaviors until the end. Nothing of the
 * interpreter is torn down yet. Work that is left is cancelled at once, said on stderr, and the program keeps its own status. */
#include "interp_slot.h"

#include "interp_runtime.h"
#include "replay.h"

#define EXIT_GRACE_NS 200000000
#define LAST_STEPS_NS 1000000000
#define LOOK_NS 10000000

static void
say(PyObject *line)
{
    PyObject *err = line == NULL ? NULL : PySys_GetObject("stderr");
    if (err != NULL && err != Py_None && PyFile_WriteObject(line, err, Py_PRINT_RAW) == 0) {
        Py_XDECREF(PyObject_CallMethod(err, "flush", NULL));
    }
    PyErr_Clear();
    Py_XDECREF(line);
}

/* Lines about the bodies that run now, taken before they are asked to end. */
static PyObject *
running_bodies(uint32_t *count)
{
    PyObject *lines = PyUnicode_FromString("");
    boc_running_t now;
    *count = 0;
    for (uint32_t w = 0; w < boc_worker_count() && lines != NULL; w++) {
        if (boc_worker_running(w, &now) == 0 && now.id != 0) {
            char since[32];
            snprintf(since, sizeof since, "%.1f", (double)(boc_now() - now.since) / 1e9);
            PyObject *line = PyUnicode_FromFormat("  ran: %s, for %s s, on worker %u\n", boc_name_text(now.name), since, w);
            PyUnicode_Append(&lines, line);
            Py_XDECREF(line);
            ++*count;
        }
    }
    return lines;
}

/* Awake, and not in a body: between a body's end and the next look for work. */
static bool
some_worker_is_between_bodies(void)
{
    bool some = false;
    for (uint32_t w = 0; w < boc_worker_count(); w++) {
        boc_running_t now;
        boc_stats_t n;
        if (boc_worker_running(w, &now) == 0 && now.id != 0) {
            return false;
        }
        some |= boc_worker_stats(w, &n) == 0 && n.started != 0 && n.parked <= n.unparked;
    }
    return some;
}

/* A behavior whose result is there may not have ended in the core yet: that is no pending work. However long the
   machine keeps its worker from the last steps. */
static void
let_last_steps_end(void)
{
    Py_BEGIN_ALLOW_THREADS
    int64_t begin = boc_now(), now = begin;
    while (boc_wait_quiescent(now + LOOK_NS, false) != 0) {
        now = boc_now();
        if (now - begin > (some_worker_is_between_bodies() ? LAST_STEPS_NS : LOOK_NS)) {
            break;
        }
    }
    Py_END_ALLOW_THREADS
}

/* The program's text was left by a KeyboardInterrupt, and it is not a prompt that goes on after one. */
static bool
left_by_keyboard_interrupt(void)
{
    PyObject *exc = PySys_GetObject("last_exc");
    if (exc == NULL || Py_TYPE(exc) != (PyTypeObject *)PyExc_KeyboardInterrupt || PySys_GetObject("ps1") != NULL) {
        return false;
    }
    PyTracebackObject *trace = (PyTracebackObject *)PyException_GetTraceback(exc);
    PyObject *main = PyImport_AddModule("__main__");
    bool left = false;
    if (trace != NULL && main != NULL) {
        PyCodeObject *code = PyFrame_GetCode(trace->tb_frame);
        PyObject *globals = PyFrame_GetGlobals(trace->tb_frame);
        left = globals == PyModule_GetDict(main) && PyUnicode_CompareWithASCIIString(code->co_name, "<module>") == 0;
        Py_DECREF(globals);
        Py_DECREF(code);
    }
    PyErr_Clear();
    Py_XDECREF(trace);
    return left;
}

static PyObject *
exit_hook(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
    atomic_store_explicit(&boc__slots.exiting, true, memory_order_relaxed);
    boc__replay_at_exit();
    if (boc_running()) {
        uint32_t running = 0;
        PyObject *lines = running_bodies(&running);
        if (running == 0) {
            let_last_steps_end();
            Py_XSETREF(lines, running_bodies(&running));
        }
        PyErr_Clear();
        boc__ending_t end;
        if (boc__interp_stop(true, true, EXIT_GRACE_NS, &end) < 0) {
            PyErr_Clear();
        } else if (end.pending > 0) {
            uint64_t queued = end.pending > running ? end.pending - running : 0;
            say(PyUnicode_FromFormat("boc: the program ended with work pending: %llu cancelled, %u interrupted, %u left stuck\n",
                                     (unsigned long long)queued, running, end.abandoned));
            if (running > 0) {
                say(Py_XNewRef(lines));
            }
        }
        Py_XDECREF(lines);
    }
    boc__slots_end_idle();
    if (atomic_load_explicit(&boc__slots.any, memory_order_relaxed)) {
        boc__runtime_before_exit();
    }
    boc__binding_at_exit();
    if (left_by_keyboard_interrupt()) {
        boc__runtime_ends_by_sigint(); /* the bodies may have evaluated text since */
    }
    Py_RETURN_NONE;
}

static PyMethodDef exit_method = {"_boc_exit", exit_hook, METH_NOARGS, "Ends boc's workers with the process."};

bool
boc__interp_exiting(void)
{
    return atomic_load_explicit(&boc__slots.exiting, memory_order_relaxed);
}

/* tracemalloc.is_tracing(), of the built-in module under it, which costs no import. */
static int
tracing_memory(void)
{
    PyObject *module = PyImport_ImportModule("_tracemalloc");
    if (module == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyObject *yes = PyObject_CallMethod(module, "is_tracing", NULL);
    int rc = yes == NULL ? -1 : PyObject_IsTrue(yes);
    Py_XDECREF(yes);
    Py_DECREF(module);
    return rc;
}

int
boc__interp_may_start(void)
{
    if (boc__interp_exiting()) {
        PyErr_SetString(PyExc_RuntimeError, "the program ends: the runtime cannot be started");
        return -1;
    }
    int tracing = tracing_memory();
    if (tracing > 0) {
        PyErr_SetString(PyExc_RuntimeError, "boc cannot make workers while tracemalloc traces memory, because CPython does not "
                                            "survive it: call tracemalloc.stop() first");
    }
    return tracing == 0 ? 0 : -1;
}

int
boc__interp_init_exit(void)
{
    PyObject *hook = PyCFunction_New(&exit_method, NULL);
    PyObject *atexit = hook == NULL ? NULL : PyImport_ImportModule("atexit");
    PyObject *done = atexit == NULL ? NULL : PyObject_CallMethod(atexit, "register", "O", hook);
    Py_XDECREF(atexit);
    Py_XDECREF(hook);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}
