/* Arguments of the functions that are called too often for PyArg_ParseTupleAndKeywords. */
#include "binding.h"

/* Sorts the arguments of a METH_FASTCALL | METH_KEYWORDS call into out[] (NULL where one was left out) by `names`, which
   ends with NULL; the first `needed` must be there. -1 with a TypeError that shows the call as `call`. */
int boc__arguments(PyObject *const *args, Py_ssize_t n, PyObject *kwnames, const char *const *names, int needed, const char *call,
                   PyObject **out) {
    Py_ssize_t most = 0;
    while (names[most] != NULL)
        out[most++] = NULL;
    if (n > most)
        goto wrong;
    for (Py_ssize_t i = 0; i < n; i++)
        out[i] = args[i];
    Py_ssize_t nk = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t k = 0; k < nk; k++) {
        Py_ssize_t i = 0;
        while (i < most && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, k), names[i]) != 0)
            i++;
        if (i == most || out[i] != NULL)
            goto wrong;
        out[i] = args[n + k];
    }
    for (int i = 0; i < needed; i++)
        if (out[i] == NULL)
            goto wrong;
    return 0;
wrong:
    PyErr_Format(PyExc_TypeError, "the call is %s", call);
    return -1;
}
