/* registered.c: a type that pickle knows nothing of and that is registered with CPython's cross-interpreter data. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct {
    PyObject_HEAD
    long number;
} token_t;

#if PY_VERSION_HEX >= 0x030e0000
typedef struct _xidata data_t;
typedef int (*getter_t)(PyThreadState *, PyObject *, data_t *);
typedef struct { getter_t basic; void *fallback; } getters_t;
PyAPI_FUNC(int) _PyXIData_InitWithSize(data_t *, PyInterpreterState *, const size_t, PyObject *, PyObject *(*)(data_t *));
PyAPI_FUNC(int) _PyXIData_RegisterClass(PyThreadState *, PyTypeObject *, getters_t);
#define INIT _PyXIData_InitWithSize
typedef struct { void *data; } head_t;
#elif PY_VERSION_HEX >= 0x030d0000
typedef struct _xid data_t;
PyAPI_FUNC(int) _PyCrossInterpreterData_InitWithSize(data_t *, PyInterpreterState *, const size_t, PyObject *, PyObject *(*)(data_t *));
PyAPI_FUNC(int) _PyCrossInterpreterData_RegisterClass(PyTypeObject *, int (*)(PyThreadState *, PyObject *, data_t *));
#define INIT _PyCrossInterpreterData_InitWithSize
typedef struct { void *data; } head_t;
#else
typedef _PyCrossInterpreterData data_t;
#define INIT _PyCrossInterpreterData_InitWithSize
typedef struct { void *data; } head_t;
#endif

/* Every version has the pointer to the shared data first. */
static void **shared(data_t *d) { return &((head_t *)(void *)d)->data; }

static PyObject *make(PyObject *module, PyTypeObject *type, long number) {
    token_t *t = (token_t *)type->tp_alloc(type, 0);
    (void)module;
    if (t != NULL)
        t->number = number;
    return (PyObject *)t;
}

static PyObject *arrive(data_t *d) {
    PyObject *m = PyImport_ImportModule("registered");
    PyObject *type = m ? PyObject_GetAttrString(m, "Token") : NULL;
    PyObject *o = type ? make(m, (PyTypeObject *)type, *(long *)*shared(d)) : NULL;
    Py_XDECREF(type);
    Py_XDECREF(m);
    return o;
}

static int leave(PyThreadState *t, PyObject *o, data_t *d) {
    (void)t;
    if (INIT(d, PyInterpreterState_Get(), sizeof(long), NULL, arrive) < 0)
        return -1;
    *(long *)*shared(d) = ((token_t *)o)->number + 1; /* each crossing is counted */
    return 0;
}

static PyObject *token_new(PyTypeObject *type, PyObject *args, PyObject *kw) {
    long number;
    (void)kw;
    return PyArg_ParseTuple(args, "l", &number) ? make(NULL, type, number) : NULL;
}

static PyObject *token_number(PyObject *o, void *unused) {
    (void)unused;
    return PyLong_FromLong(((token_t *)o)->number);
}

static PyObject *token_reduce(PyObject *o, PyObject *unused) {
    (void)o, (void)unused;
    PyErr_SetString(PyExc_TypeError, "a Token is not pickled");
    return NULL;
}

static PyGetSetDef getset[] = {{"number", token_number, NULL, NULL, NULL}, {0}};
static PyMethodDef methods[] = {{"__reduce__", token_reduce, METH_NOARGS, NULL}, {0}};
static PyType_Slot slots[] = {{Py_tp_new, token_new}, {Py_tp_getset, getset}, {Py_tp_methods, methods}, {0, NULL}};
static PyType_Spec spec = {.name = "registered.Token", .basicsize = sizeof(token_t), .flags = Py_TPFLAGS_DEFAULT, .slots = slots};

static int exec(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    if (type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0)
        return -1;
#if PY_VERSION_HEX >= 0x030e0000
    return _PyXIData_RegisterClass(PyThreadState_Get(), (PyTypeObject *)type, (getters_t){leave, NULL});
#else
    return _PyCrossInterpreterData_RegisterClass((PyTypeObject *)type, leave);
#endif
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec}, {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "registered", .m_slots = module_slots};

PyMODINIT_FUNC PyInit_registered(void) { return PyModuleDef_Init(&definition); }
