/* module.c: boc._matrix, one copy for each interpreter that imports it. */
#include "matrix.h"

/* ValueError for a shape that cannot be, also an AssertionError, as programs written for the peer catch it; and for a
 * bad axis or number of indices, also an IndexError and KeyError. */
static PyObject *error_type(PyObject *module, const char *name, const char *doc, PyObject *bases)
{
    PyObject *dict = PyDict_New(), *type = NULL, *as_text;

    if (bases == NULL || dict == NULL)
        goto done;
    /* KeyError would show the repr of the message */
    as_text = PyObject_GetAttrString(PyExc_BaseException, "__str__");
    if (as_text == NULL || PyDict_SetItemString(dict, "__str__", as_text) < 0) {
        Py_XDECREF(as_text);
        goto done;
    }
    Py_DECREF(as_text);
    type = PyErr_NewExceptionWithDoc(name, doc, bases, dict);
    if (type != NULL && PyModule_AddObjectRef(module, strrchr(name, '.') + 1, type) < 0)
        Py_CLEAR(type);
done:
    Py_XDECREF(dict);
    Py_XDECREF(bases);
    return type;
}

static PyTypeObject *new_type(PyObject *module, PyType_Spec *spec)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
}

static int exec(PyObject *module)
{
    boc__state_t *state = PyModule_GetState(module);

    boc__kernels_choose();
    state->is_main = PyInterpreterState_Get() == PyInterpreterState_Main();
    state->shape_error = error_type(module, "boc._matrix.ShapeError", "A shape, or bounds, that cannot be.",
                                    PyTuple_Pack(2, PyExc_ValueError, PyExc_AssertionError));
    state->axis_error = error_type(module, "boc._matrix.AxisError", "No such axis, or too many indices.",
                                   PyTuple_Pack(3, PyExc_ValueError, PyExc_IndexError, PyExc_KeyError));
    state->restore = PyObject_GetAttrString(module, "_restore");
    state->matrix = new_type(module, &boc__matrix_spec);
    state->view = new_type(module, &boc__view_spec);
    state->indexer = new_type(module, &boc__indexer_spec);
    state->cursor = new_type(module, &boc__cursor_spec);
    if (state->shape_error == NULL || state->axis_error == NULL || state->restore == NULL || state->matrix == NULL ||
        state->view == NULL || state->indexer == NULL || state->cursor == NULL)
        return -1;
    state->matrix->tp_vectorcall = boc__matrix_vectorcall;
    if (PyModule_AddType(module, state->matrix) < 0 || PyModule_AddType(module, state->view) < 0 ||
        PyModule_AddStringConstant(module, "_kernels", boc__kernels->isa) < 0)
        return -1;
    return boc__move_register(state->matrix);
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    boc__state_t *state = PyModule_GetState(module);

    Py_VISIT(state->matrix);
    Py_VISIT(state->view);
    Py_VISIT(state->indexer);
    Py_VISIT(state->cursor);
    Py_VISIT(state->shape_error);
    Py_VISIT(state->axis_error);
    Py_VISIT(state->restore);
    return 0;
}

static int clear(PyObject *module)
{
    boc__state_t *state = PyModule_GetState(module);

    /* state->matrix stays until free: a Matrix that lives on needs it to die */
    Py_CLEAR(state->shape_error);
    Py_CLEAR(state->axis_error);
    Py_CLEAR(state->restore);
    return 0;
}

static void free_module(void *module)
{
    boc__state_t *state = PyModule_GetState(module);

    (void)clear(module);
    boc__spares_free(state);
    Py_CLEAR(state->matrix);
    Py_CLEAR(state->view);
    Py_CLEAR(state->indexer);
    Py_CLEAR(state->cursor);
}

/* _test_use_kernels(name) -> whether this machine runs them; for tests and benchmarks. */
static PyObject *test_use_kernels(PyObject *module, PyObject *name)
{
    const char *isa = PyUnicode_AsUTF8(name);
    const boc__kernels_t *kernels;

    (void)module;
    if (isa == NULL)
        return NULL;
    kernels = boc__kernels_named(isa);
    if (kernels != NULL)
        __atomic_store_n(&boc__kernels, kernels, __ATOMIC_RELAXED);
    return PyBool_FromLong(kernels != NULL);
}

static PyMethodDef functions[] = {
    {"_restore", (PyCFunction)(void (*)(void))boc__restore, METH_FASTCALL, "Make a pickled Matrix again."},
    {"_test_move", (PyCFunction)(void (*)(void))boc__test_move, METH_FASTCALL, "Move a Matrix as a cown would."},
    {"_test_use_kernels", test_use_kernels, METH_O, "Compute with the named kernels from now on."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "boc._matrix",
    .m_doc = "Matrix: dense float64 matrices that move between interpreters.",
    .m_size = sizeof(boc__state_t),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__matrix(void)
{
    return PyModuleDef_Init(&definition);
}
