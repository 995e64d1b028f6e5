/* _histogram.c: a type that counts numbers in bins, movable through <boc/boc.h>. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <boc/boc.h>
#include <stdlib.h>
#include <string.h>

/* The contents: memory of no interpreter, without Python objects --------------- */

typedef struct {
    double low, high;
    Py_ssize_t bins;
    long long counts[];
} contents_t;

static contents_t *contents_new(Py_ssize_t bins, double low, double high)
{
    contents_t *c = calloc(1, sizeof *c + (size_t)bins * sizeof(long long));

    if (c != NULL) {
        c->low = low;
        c->high = high;
        c->bins = bins;
    }
    return c;
}

static void contents_add(contents_t *c, double value)
{
    if (value >= c->low && value < c->high) {
        const Py_ssize_t bin = (Py_ssize_t)((value - c->low) / (c->high - c->low) * (double)c->bins);
        c->counts[bin < c->bins ? bin : c->bins - 1]++;
    }
}

/* The Python type around it ---------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    contents_t *contents; /* NULL: moved out */
} histogram_t;

/* The contents, or NULL with RuntimeError: every method begins with it. */
static contents_t *contents_of(PyObject *self)
{
    contents_t *c = ((histogram_t *)self)->contents;

    if (c == NULL)
        PyErr_SetString(PyExc_RuntimeError,
                        "this Histogram is empty: its contents moved into a cown; hold the cown and use its .value");
    return c;
}

/* A new object that owns c. */
static PyObject *wrap(PyTypeObject *type, contents_t *c)
{
    histogram_t *self = (histogram_t *)type->tp_alloc(type, 0);

    if (self != NULL)
        self->contents = c;
    return (PyObject *)self;
}

static PyObject *histogram_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"bins", "low", "high", NULL};
    Py_ssize_t bins;
    double low, high;
    contents_t *c;
    PyObject *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ndd:Histogram", names, &bins, &low, &high))
        return NULL;
    if (bins < 1 || bins > 1 << 24 || !(low < high)) {
        PyErr_Format(PyExc_ValueError, "a Histogram needs 1 to %d bins and low < high", 1 << 24);
        return NULL;
    }
    c = contents_new(bins, low, high);
    if (c == NULL)
        return PyErr_NoMemory();
    self = wrap(type, c);
    if (self == NULL)
        free(c);
    return self;
}

static void histogram_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    free(((histogram_t *)self)->contents);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *histogram_add(PyObject *self, PyObject *value)
{
    const double number = PyFloat_AsDouble(value);
    contents_t *c;

    if (number == -1.0 && PyErr_Occurred())
        return NULL;
    /* after the conversion, which may run code that moves self */
    c = contents_of(self);
    if (c == NULL)
        return NULL;
    contents_add(c, number);
    Py_RETURN_NONE;
}

static PyObject *histogram_merge(PyObject *self, PyObject *other)
{
    contents_t *c = contents_of(self), *d;

    if (c == NULL)
        return NULL;
    if (!Py_IS_TYPE(other, Py_TYPE(self)))
        return PyErr_Format(PyExc_TypeError, "merge() needs a Histogram, not %.80s", Py_TYPE(other)->tp_name);
    d = contents_of(other);
    if (d == NULL)
        return NULL;
    if (c->bins != d->bins || c->low != d->low || c->high != d->high) {
        PyErr_SetString(PyExc_ValueError, "merge() needs a Histogram with the same bins");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < c->bins; i++)
        c->counts[i] += d->counts[i];
    Py_RETURN_NONE;
}

static PyObject *histogram_counts(PyObject *self, PyObject *unused)
{
    contents_t *c = contents_of(self);
    PyObject *list = c == NULL ? NULL : PyList_New(c->bins);

    (void)unused;
    for (Py_ssize_t i = 0; list != NULL && i < c->bins; i++) {
        PyObject *count = PyLong_FromLongLong(c->counts[i]);
        if (count == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, count);
    }
    return list;
}

static PyMethodDef methods[] = {
    {"add", histogram_add, METH_O, "Count one number."},
    {"merge", histogram_merge, METH_O, "Add the counts of another with the same bins."},
    {"counts", histogram_counts, METH_NOARGS, "The counts, from the lowest bin to the highest."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Histogram(bins, low, high)\n--\n\nCounts numbers in bins of equal width over [low, high)."},
    {Py_tp_new, histogram_new},
    {Py_tp_dealloc, histogram_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};
static PyType_Spec spec = {
    .name = "histogram._histogram.Histogram",
    .basicsize = sizeof(histogram_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* What makes it movable ---------------------------------------------------------- */

static int take(PyObject *obj, void **payload)
{
    contents_t *c = contents_of(obj);

    if (c == NULL)
        return -1;
    *payload = c;
    ((histogram_t *)obj)->contents = NULL;
    return 0;
}

static PyObject *give(PyTypeObject *type, void *payload)
{
    return wrap(type, payload);
}

static void drop(void *payload)
{
    free(payload);
}

/* The last two are optional: with them, behaviors can read one histogram at the
 * same time, and it can be captured, be a result or be put on the noticeboard. */
static void *copy_payload(const void *payload)
{
    const contents_t *from = payload;
    contents_t *c = contents_new(from->bins, from->low, from->high);

    if (c != NULL)
        memcpy(c->counts, from->counts, (size_t)from->bins * sizeof(long long));
    return c;
}

static int copy(PyObject *obj, void **payload)
{
    contents_t *c = contents_of(obj);

    if (c == NULL)
        return -1;
    *payload = copy_payload(c);
    if (*payload == NULL)
        PyErr_NoMemory();
    return *payload == NULL ? -1 : 0;
}

static const boc_movable_t movable = {
    .abi = BOC_ABI_VERSION,
    .size = sizeof(boc_movable_t),
    .name = "histogram._histogram.Histogram",
    .take = take,
    .give = give,
    .drop = drop,
    .copy = copy,
    .copy_payload = copy_payload,
};

/* The module, one copy for each interpreter --------------------------------------- */

static int exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int failed;

    if (type == NULL)
        return -1;
    failed = PyModule_AddType(module, (PyTypeObject *)type) < 0 ||
             boc_register_movable((PyTypeObject *)type, &movable) < 0;
    Py_DECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* free-threaded builds: one owner at a time is what cowns are for */
#endif
    {0, NULL},
};
static PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "histogram._histogram",
    .m_doc = "Histogram, a type that moves between cowns by pointer.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__histogram(void)
{
    return PyModuleDef_Init(&definition);
}
