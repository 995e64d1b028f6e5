/* What the noticeboard tells: its past, and warnings of writes that were not applied. */
#include "notice.h"

/* list of (key, version, writer id, time ns, repr or None: deleted, writer's name) */
PyObject *boc__notice_past(boc_state_t *st, past_t *past, uint64_t n) {
    PyObject *list = PyList_New(0);
    for (uint64_t i = 0; i < n; i++) {
        PyObject *r = NULL;
        if (past[i].v.tag == V_ABSENT) {
            r = Py_NewRef(Py_None);
        } else if (past[i].v.tag != V_EMPTY) {
            PyObject *o = boc__decode(st, &past[i].v);
            r = o ? PyObject_Repr(o) : NULL;
            Py_XDECREF(o);
        }
        if (r == NULL) {
            boc__forgive();
            r = PyUnicode_FromString("...");
        }
        if (r != NULL && PyUnicode_Check(r) && PyUnicode_GET_LENGTH(r) > 80)
            Py_SETREF(r, PyUnicode_FromFormat("%.77U...", r));
        PyObject *t = list && r ? Py_BuildValue("sKKLON", boc_name_text(past[i].key), (unsigned long long)past[i].version,
                                                (unsigned long long)past[i].writer, (long long)past[i].time, r,
                                                boc__name_str(past[i].writer ? past[i].writer_name : boc_name("main", 4)))
                                : NULL;
        if (t == NULL || PyList_Append(list, t) < 0)
            Py_CLEAR(list);
        Py_XDECREF(t);
        Py_XDECREF(r);
        boc__value_drop(&past[i].v);
    }
    return list;
}

void boc__notice_warn_full(const op_t *op) {
    char text[300];
    const char *who = op->writer ? boc_name_text(op->writer_name) : "main";
    int n = snprintf(text, sizeof text,
                     "the noticeboard is full (64 keys): '%.80s' written by %.80s was not applied; delete a key first, or keep the data "
                     "in a Cown",
                     boc_name_text(op->key), who);
    boc__emit(K_HINT, text, (size_t)n, "", 0, op->writer, op->writer_name, op->origin);
}

void boc__notice_warn_update(const op_t *op) {
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *text = PyUnicode_FromFormat("the update of '%s' on the noticeboard by %s failed, the old value stays: %s: %S",
                                          boc_name_text(op->key), op->writer ? boc_name_text(op->writer_name) : "main",
                                          Py_TYPE(exc)->tp_name, exc);
    Py_ssize_t n = 0;
    const char *s = text ? PyUnicode_AsUTF8AndSize(text, &n) : NULL;
    if (s != NULL)
        boc__emit(K_HINT, s, (size_t)n, "", 0, op->writer, op->writer_name, op->origin);
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(exc);
}
