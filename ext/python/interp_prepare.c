/* Preparing an interpreter in Python terms: imports in main, path and threads in workers.
 *
 * The pieces of Python are short programs, because what they touch is an attribute of a module of the standard
 * library, different from version to version, and C would only spell the same look-ups at length. */
#include "interp.h"

#include "interp_prepare.h"

#include <marshal.h>
#include <pthread.h>

/* Extension modules with static types, filled in by whichever interpreter imports them first and freed by
   another one: main has to be the first. Cured in 3.14; on 3.13 only _datetime is left. */
#if PY_VERSION_HEX < 0x030d0000
static const char *const preloaded[] = {"datetime", "decimal", "hashlib", "ssl", NULL};
#elif PY_VERSION_HEX < 0x030e0000
static const char *const preloaded[] = {"_datetime", NULL};
#else
static const char *const preloaded[] = {NULL};
#endif

static const char take_path[] = "import sys\n"
                                "path = [p for p in sys.path if type(p) is str]\n";

static const char worker_program[] =
    "import sys, threading, _thread\n"
    "if path is not None:\n"
    "    sys.path[:] = path\n"
    "sys.setswitchinterval(interval)\n"
#if PY_VERSION_HEX < 0x030d0000
    /* _zoneinfo looks for a C datetime that workers do not have, and breaks main's ZoneInfo. */
    "sys.modules['_zoneinfo'] = None\n"
#endif
    /* 3.13+ takes the process's main thread for this interpreter's; in an interpreter that served before it
       is the thread of then. */
    "me = _thread.get_ident()\n"
    "main = threading._main_thread\n"
    "if main._ident != me:\n"
    "    threading._active.pop(main._ident, None)\n"
    "    main._set_ident()\n"
    "    main._set_native_id()\n"
#if PY_VERSION_HEX < 0x030d0000
    "    main._is_stopped = False\n"
    "    main._set_tstate_lock()\n"
#else
    "    main._handle = threading._make_thread_handle(me)\n"
#endif
    "    threading._active[me] = main\n";

/* The idle threads of an executor end when they are told to; a thread that runs has 0.2 s. */
static const char join_program[] = "import sys, threading, time\n"
                                   "until = time.monotonic() + 0.2\n"
                                   "pool = sys.modules.get('concurrent.futures.thread')\n"
                                   "for queue in list(pool._threads_queues.values()) if pool else ():\n"
                                   "    queue.put(None)\n"
                                   "for t in threading.enumerate():\n"
                                   "    if t is not threading.current_thread():\n"
                                   "        t.join(max(0.0, until - time.monotonic()))\n";

/* Modules of the standard library stay, with their state: their extension modules may not be made twice. All others go,
   and so do the callbacks for the end. */
static const char reset_program[] = "import atexit, gc, sys\n"
                                    "from importlib.machinery import ExtensionFileLoader\n"
                                    "atexit._run_exitfuncs()\n"
                                    "good = True\n"
                                    "for name, module in list(sys.modules.items()):\n"
                                    "    top = name.partition('.')[0]\n"
                                    "    if top in sys.stdlib_module_names:\n"
                                    "        continue\n"
                                    "    spec = getattr(module, '__spec__', None)\n"
                                    "    if isinstance(getattr(spec, 'loader', None), ExtensionFileLoader):\n"
                                    "        good = good and top == 'boc'\n"
                                    "    del sys.modules[name]\n"
                                    "sys.modules['__main__'] = type(sys)('__main__')\n"
                                    "sys.path_importer_cache.clear()\n"
                                    "sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__\n"
                                    "del module, spec\n"
                                    "gc.collect()\n";

/* sys.path of main, marshalled, so that it can wait between two interpreters. */
static pthread_mutex_t path_lock = PTHREAD_MUTEX_INITIALIZER;
static char *path_bytes;
static Py_ssize_t path_size;

/* Runs a short program with the names of scope (stolen). Returns scope, or NULL with an exception set. */
static PyObject *
run(const char *program, PyObject *scope)
{
    if (scope == NULL) {
        return NULL;
    }
    PyObject *done = NULL;
    if (PyDict_SetItemString(scope, "__builtins__", PyEval_GetBuiltins()) == 0) {
        done = PyRun_String(program, Py_file_input, scope, scope);
    }
    if (done == NULL) {
        Py_CLEAR(scope);
    }
    Py_XDECREF(done);
    return scope;
}

static void
keep_path(PyObject *path)
{
    PyObject *bytes = path == NULL ? NULL : PyMarshal_WriteObjectToString(path, Py_MARSHAL_VERSION);
    char *copy = bytes == NULL ? NULL : PyMem_RawMalloc((size_t)PyBytes_GET_SIZE(bytes));
    if (copy != NULL) {
        memcpy(copy, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
        pthread_mutex_lock(&path_lock);
        PyMem_RawFree(path_bytes);
        path_bytes = copy;
        path_size = PyBytes_GET_SIZE(bytes);
        pthread_mutex_unlock(&path_lock);
    }
    Py_XDECREF(bytes);
}

/* The list that keep_path kept, or None. */
static PyObject *
kept_path(void)
{
    pthread_mutex_lock(&path_lock);
    PyObject *bytes = path_bytes == NULL ? NULL : PyBytes_FromStringAndSize(path_bytes, path_size);
    bool none = path_bytes == NULL;
    pthread_mutex_unlock(&path_lock);
    if (none) {
        return Py_NewRef(Py_None);
    }
    if (bytes == NULL) {
        return NULL;
    }
    PyObject *path = PyMarshal_ReadObjectFromString(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return path;
}

void
boc__prepare_main(void)
{
    for (const char *const *name = preloaded; *name != NULL; name++) {
        Py_XDECREF(PyImport_ImportModule(*name));
        PyErr_Clear();
    }
    PyObject *scope = run(take_path, PyDict_New());
    if (scope != NULL) {
        keep_path(PyDict_GetItemString(scope, "path"));
    }
    PyErr_Clear();
    Py_XDECREF(scope);
}

int
boc__prepare_worker(double switch_interval_s)
{
    PyObject *path = kept_path();
    PyObject *scope = path == NULL ? NULL : Py_BuildValue("{s:N,s:d}", "path", path, "interval", switch_interval_s);
    scope = run(worker_program, scope);
    Py_XDECREF(scope);
    return scope == NULL ? -1 : 0;
}

void
boc__prepare_join_threads(void)
{
    PyObject *scope = run(join_program, PyDict_New());
    if (scope == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(scope);
}

bool
boc__prepare_reset(void)
{
    bool good = false;
    PyObject *scope = run(reset_program, PyDict_New());
    if (scope == NULL) {
        PyErr_Clear();
    } else {
        good = PyDict_GetItemString(scope, "good") == Py_True;
    }
    Py_XDECREF(scope);
    return good;
}
