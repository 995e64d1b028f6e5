/* sys._current_frames() beside workers: the frames of the caller's own interpreter, no other's.
 *
 * CPython's walks the threads of all interpreters and makes a frame object for each in the memory of the one that
 * asks. Threads of other interpreters run meanwhile, and free that object, at their function's end, in memory of
 * their own: the heap breaks. debugpy, pytest-timeout and matplotlib call it. Who imported the function by name
 * keeps it, so its definition, which all interpreters share, gets another body. */
#include "interp.h"

#ifndef Py_GIL_DISABLED

/* The GIL keeps threads of this interpreter from ending or running meanwhile. */
static PyObject *
own_frames(PyObject *Py_UNUSED(sys), PyObject *Py_UNUSED(ignored))
{
    PyObject *frames = PyDict_New();
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; frames != NULL && thread != NULL; thread = PyThreadState_Next(thread)) {
        PyObject *frame = (PyObject *)PyThreadState_GetFrame(thread);
        PyObject *ident = frame != NULL ? PyLong_FromUnsignedLong(thread->thread_id) : NULL;
        if (frame != NULL && (ident == NULL || PyDict_SetItem(frames, ident, frame) < 0)) {
            Py_CLEAR(frames);
        }
        Py_XDECREF(ident);
        Py_XDECREF(frame);
    }
    return frames;
}

void
boc__interp_own_frames_only(void)
{
    PyObject *function = PySys_GetObject("_current_frames"); /* borrowed */
    if (function != NULL && PyCFunction_Check(function) && PyCFunction_GET_FLAGS(function) == METH_NOARGS) {
        ((PyCFunctionObject *)function)->m_ml->ml_meth = own_frames;
    }
}

#else

void
boc__interp_own_frames_only(void)
{
    /* Such builds stop all threads for it, and have one heap. */
}

#endif
