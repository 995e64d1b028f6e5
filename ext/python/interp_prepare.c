/* Preparing an interpreter in Python terms: imports in main, the path, then boc._interpreter in workers. */
#include "interp_prepare.h"

#include <marshal.h>
#include <pthread.h>

/* Extension modules with static types, filled in by whichever interpreter imports them first and freed by
   another one: main has to be the first. 3.12 refuses such modules in workers (see boc._interpreter), 3.14 has
   none left. */
#if PY_VERSION_HEX >= 0x030d0000 && PY_VERSION_HEX < 0x030e0000
static const char *const preloaded[] = {"_datetime", NULL};
#else
static const char *const preloaded[] = {NULL};
#endif

/* sys.path of main, marshalled, so that it can wait between two interpreters. */
static pthread_mutex_t path_lock = PTHREAD_MUTEX_INITIALIZER;
void boc__path_after_fork(void) { pthread_mutex_init(&path_lock, NULL); }
static char *path_bytes;
static Py_ssize_t path_size;

/* Entries that are no strings stay behind: import passes over them. */
static PyObject *
strings_of(PyObject *path)
{
    PyObject *strings = PyList_New(0);
    for (Py_ssize_t i = 0; strings != NULL && i < PyList_GET_SIZE(path); i++) {
        PyObject *entry = PyList_GET_ITEM(path, i);
        if (PyUnicode_CheckExact(entry) && PyList_Append(strings, entry) < 0) {
            Py_CLEAR(strings);
        }
    }
    return strings;
}

static void
keep_path(PyObject *path)
{
    PyObject *strings = path != NULL && PyList_Check(path) ? strings_of(path) : NULL;
    PyObject *bytes = strings == NULL ? NULL : PyMarshal_WriteObjectToString(strings, Py_MARSHAL_VERSION);
    Py_XDECREF(strings);
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
    keep_path(PySys_GetObject("path"));
    PyErr_Clear();
}

/* sys.path[:] = the kept one; it has to be there before boc is looked for. */
static int
set_path(void)
{
    PyObject *path = kept_path();
    int rc = path == NULL ? -1 : path == Py_None ? 0 : PySys_SetObject("path", path);
    Py_XDECREF(path);
    return rc;
}

/* The finder of an editable install builds what changed before it answers; main did so already, and a worker must
   not start compilers. The tree of files that it would read afterwards is all that it gets here. */
static const char no_rebuild[] =
    "import json, os, sys\n"
    "for finder in sys.meta_path:\n"
    "    if type(finder).__name__ == 'MesonpyMetaFinder':\n"
    "        plan = os.path.join(finder._build_path, 'meson-info', 'intro-install_plan.json')\n"
    "        with open(plan, encoding='utf-8') as file:\n"
    "            tree = sys.modules[type(finder).__module__].collect(json.load(file))\n"
    "        finder._rebuild = lambda tree=tree: tree\n";

static int
keep_editable_from_building(void)
{
    PyObject *finders = PySys_GetObject("meta_path");
    bool editable = false;
    for (Py_ssize_t i = 0; finders != NULL && PyList_Check(finders) && i < PyList_GET_SIZE(finders); i++) {
        editable |= strstr(Py_TYPE(PyList_GET_ITEM(finders, i))->tp_name, "MesonpyMetaFinder") != NULL;
    }
    if (!editable) {
        return 0;
    }
    PyObject *names = PyDict_New();
    PyObject *done = names == NULL || PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) < 0
                         ? NULL
                         : PyRun_String(no_rebuild, Py_file_input, names, names);
    Py_XDECREF(names);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

PyObject *
boc__prepare_worker(double switch_interval_s)
{
    PyObject *module = set_path() < 0 || keep_editable_from_building() < 0 ? NULL : PyImport_ImportModule("boc._interpreter");
    PyObject *done = module == NULL ? NULL : PyObject_CallMethod(module, "prepare", "d", switch_interval_s);
    if (done == NULL) {
        Py_CLEAR(module);
    }
    Py_XDECREF(done);
    return module;
}

/* Calls a function of boc._interpreter; what it raises is told as Python tells of destructors. */
static bool
call(PyObject *module, const char *name)
{
    PyObject *done = PyObject_CallMethod(module, name, NULL);
    if (done == NULL) {
        PyErr_WriteUnraisable(module);
    }
    bool yes = done == Py_True;
    Py_XDECREF(done);
    return yes;
}

void
boc__prepare_join_threads(PyObject *module)
{
    (void)call(module, "join_threads");
}

bool
boc__prepare_reset(PyObject *module)
{
    return call(module, "reset");
}
