/* Where a worker's body is now: its Python frames, looked at from outside.
 *
 * A helper thread enters the worker's interpreter (it waits for that GIL, which C code may keep for long), so the caller
 * waits with a bound and goes without frames then. An interpreter is not left before its visitors have gone. */
#include "binding.h"
#include "until.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FRAMES 64
#define PATIENCE_NS 200000000

typedef struct look {
    uint32_t worker;
    unsigned long ident;
    int refs;           /* caller and visitor; under the lock */
    bool done;
    uint32_t n;
    struct { char *file, *func; int line; } at[MOST_FRAMES];
} look_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t visitors[BOC_MAX_WORKERS];
static bool closed[BOC_MAX_WORKERS];

void boc__frames_after_fork(void) {
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
    memset(visitors, 0, sizeof visitors);
}

void boc__frames_open(uint32_t worker) {
    pthread_mutex_lock(&lock);
    closed[worker] = false;
    pthread_mutex_unlock(&lock);
}

/* The worker's own thread, its GIL held: none enters any more, and who is inside leaves. */
void boc__frames_close(uint32_t worker) {
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&lock);
    closed[worker] = true;
    while (visitors[worker] > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    Py_END_ALLOW_THREADS
}

static void let_go(look_t *l) { /* under the lock */
    if (--l->refs > 0)
        return;
    for (uint32_t i = 0; i < l->n; i++) {
        free(l->at[i].file);
        free(l->at[i].func);
    }
    free(l);
}

static char *copy_text(PyObject *s) {
    const char *t = PyUnicode_AsUTF8(s);
    PyErr_Clear();
    return strdup(t ? t : "?");
}

static void note_frames(look_t *l) {
    PyThreadState *t = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    while (t != NULL && t->thread_id != l->ident)
        t = PyThreadState_Next(t);
    PyFrameObject *f = t ? PyThreadState_GetFrame(t) : NULL;
    while (f != NULL && l->n < MOST_FRAMES) {
        PyCodeObject *code = PyFrame_GetCode(f);
        l->at[l->n].file = copy_text(code->co_filename);
        l->at[l->n].func = copy_text(code->co_name);
        l->at[l->n++].line = PyFrame_GetLineNumber(f);
        Py_DECREF(code);
        PyFrameObject *back = PyFrame_GetBack(f);
        Py_DECREF(f);
        f = back;
    }
    Py_XDECREF(f);
}

static void *visit(void *arg) {
    look_t *l = arg;
    boc__interp_porter_enter(l->worker);
    note_frames(l);
    boc__interp_porter_leave(l->worker);
    pthread_mutex_lock(&lock);
    l->done = true;
    visitors[l->worker]--;
    let_go(l);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static look_t *look_at(uint32_t worker) {
    boc_state_t *st = boc__worker_state(worker);
    look_t *l = st ? calloc(1, sizeof *l) : NULL;
    pthread_t thread;
    if (l == NULL)
        return NULL;
    l->worker = worker;
    l->ident = st->ident;
    l->refs = 2;
    pthread_mutex_lock(&lock);
    bool go = !closed[worker] && pthread_create(&thread, NULL, visit, l) == 0;
    if (go) {
        visitors[worker]++;
        pthread_detach(thread);
    }
    pthread_mutex_unlock(&lock);
    if (go)
        return l;
    free(l);
    return NULL;
}

/* worker_frames(worker) -> list of (file, line, function), outermost first; [] if it cannot be seen in 0.2 s */
PyObject *boc__worker_frames(PyObject *module, PyObject *arg) {
    (void)module;
    long worker = PyLong_AsLong(arg);
    if (worker == -1 && PyErr_Occurred())
        return NULL;
    PyObject *list = PyList_New(0);
    look_t *l = list && worker >= 0 && worker < BOC_MAX_WORKERS ? look_at((uint32_t)worker) : NULL;
    if (l == NULL)
        return list;
    struct timespec until = boc__until(PATIENCE_NS);
    bool done;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&lock);
    while (!l->done && pthread_cond_timedwait(&changed, &lock, &until) != ETIMEDOUT)
        ;
    done = l->done;
    pthread_mutex_unlock(&lock);
    Py_END_ALLOW_THREADS
    for (uint32_t i = done ? l->n : 0; list != NULL && i-- > 0;) {
        PyObject *t = Py_BuildValue("sis", l->at[i].file, l->at[i].line, l->at[i].func);
        if (t == NULL || PyList_Append(list, t) < 0)
            Py_CLEAR(list);
        Py_XDECREF(t);
    }
    pthread_mutex_lock(&lock);
    let_go(l);
    pthread_mutex_unlock(&lock);
    return list;
}
