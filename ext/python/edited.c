/* Was a function edited since it was looked at: its code, defaults, keyword-only defaults or attributes set?
 *
 * A definition is known by the identity of its function, which such an edit keeps. So a template remembers what was
 * in each function that its body reaches, and looks again at each schedule: a few loads for one without attributes. */
#include "edited.h"

static PyObject *flat(PyObject *dict) {
    if (dict == NULL || PyDict_GET_SIZE(dict) == 0)
        return NULL;
    PyObject *items = PyTuple_New(2 * PyDict_GET_SIZE(dict)), *key, *value;
    Py_ssize_t at = 0, n = 0;
    while (items != NULL && PyDict_Next(dict, &at, &key, &value)) {
        PyTuple_SET_ITEM(items, n++, Py_NewRef(key));
        PyTuple_SET_ITEM(items, n++, Py_NewRef(value));
    }
    return items;
}

static bool same_items(PyObject *items, PyObject *dict) {
    Py_ssize_t had = items ? PyTuple_GET_SIZE(items) : 0, at = 0, n = 0;
    if (2 * (dict ? PyDict_GET_SIZE(dict) : 0) != had)
        return false;
    PyObject *key, *value;
    while (had != 0 && PyDict_Next(dict, &at, &key, &value)) {
        if (PyTuple_GET_ITEM(items, n) != key || PyTuple_GET_ITEM(items, n + 1) != value)
            return false;
        n += 2;
    }
    return true;
}

int boc__look_at(reached_t *r, PyObject *func) {
    PyFunctionObject *fn = (PyFunctionObject *)func;
    boc__remember(&r->func, func);
    boc__remember(&r->code, fn->func_code);
    r->defaults = Py_XNewRef(fn->func_defaults);
    r->keywords = flat(fn->func_kwdefaults);
    r->attributes = flat(fn->func_dict);
    return PyErr_Occurred() ? -1 : 0;
}

bool boc__is_edited(const reached_t *r) {
    const PyFunctionObject *fn = (const PyFunctionObject *)boc__recall(&r->func);
    if (fn == NULL)
        return false;
    return !boc__knows(&r->code, fn->func_code) || fn->func_defaults != r->defaults || !same_items(r->keywords, fn->func_kwdefaults) ||
           !same_items(r->attributes, fn->func_dict);
}

void boc__look_away(reached_t *r) {
    boc__forget(&r->func);
    boc__forget(&r->code);
    Py_CLEAR(r->defaults);
    Py_CLEAR(r->keywords);
    Py_CLEAR(r->attributes);
}
