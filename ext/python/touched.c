/* Which classes and functions that came from elsewhere did bodies of this worker change?
 *
 * CPython tells watchers when an attribute of a class is set, and when the dict of a function's attributes changes. It is
 * noted, and boc._touched puts it back when the body ends. A body that changes nothing of the kind costs one test. */
#include "binding.h"
#include "touched.h"

/* Its address, once for a row of changes: this comes in the midst of anything, also when the collector clears the object. */
static void note(void *changed) {
    PyObject *set = PyErr_GetRaisedException();
    boc_state_t *st = boc__st();
    Py_ssize_t n = st != NULL && st->touched != NULL ? PyList_GET_SIZE(st->touched) : 0;
    bool known = n > 0 && PyLong_AsVoidPtr(PyList_GET_ITEM(st->touched, n - 1)) == changed;
    PyObject *id = !known && st != NULL && st->worker >= 0 ? PyLong_FromVoidPtr(changed) : NULL;
    if (id != NULL && (st->touched != NULL || (st->touched = PyList_New(0)) != NULL))
        (void)PyList_Append(st->touched, id);
    Py_XDECREF(id);
    PyErr_Clear();
    if (set != NULL)
        PyErr_SetRaisedException(set);
}

static int on_class(PyTypeObject *type) {
    note(type);
    return 0;
}

static int on_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value) {
    (void)key;
    (void)value;
    if (event != PyDict_EVENT_DEALLOCATED)
        note(dict);
    return 0;
}

static PyObject *watch_changes(PyObject *module, PyObject *o) {
    boc_state_t *st = PyModule_GetState(module);
    bool is_class = PyType_Check(o);
    int *watcher = is_class ? &st->class_watcher : &st->dict_watcher;
    if (!is_class && !PyDict_Check(o))
        return PyErr_Format(PyExc_TypeError, "watch_changes() takes a class or a dict, not %s", Py_TYPE(o)->tp_name);
    if (*watcher == 0) {
        int id = is_class ? PyType_AddWatcher(on_class) : PyDict_AddWatcher(on_dict);
        if (id < 0)
            return NULL;
        *watcher = id + 1;
    }
    if ((is_class ? PyType_Watch(*watcher - 1, o) : PyDict_Watch(*watcher - 1, o)) < 0)
        return NULL;
    /* CPython gives a class some thousand versions and is silent from then on: such a one is looked at after each body. */
    if (is_class && ((PyTypeObject *)o)->tp_version_tag == 0)
        note(o);
    Py_RETURN_NONE;
}

void boc__put_back(boc_state_t *st) {
    PyObject *touched = st->touched;
    st->touched = NULL;
    PyObject *f = boc__py(st, PY_PUT_BACK);
    PyObject *done = f ? PyObject_CallOneArg(f, touched) : NULL;
    if (done == NULL)
        boc__forgive();
    Py_XDECREF(done);
    Py_DECREF(touched);
}

PyMethodDef boc__touched_methods[] = {
    {"watch_changes", watch_changes, METH_O,
     "watch_changes(o): when a body of this worker changed this class, or this dict of a function, call boc._touched.put_back"},
    {NULL, NULL, 0, NULL},
};
