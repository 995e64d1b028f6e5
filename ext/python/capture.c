/* What a body takes along: the content store, captured values shared by behaviors, and their installation in a worker.
 *
 * The store maps SHA-256 of bytes to the bytes, for the whole process, append-only. A captured name becomes a
 * boc_capture_t, which many behaviors share as long as the name keeps its value; a capset is all names of one
 * schedule. In a worker the names live in the dicts of its namespaces; before a body runs each name that
 * does not yet have the captured value gets it. One body runs at a time in an interpreter, so that is enough. */
#include "binding.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- the store ------------------------------------------------------------------ */
typedef struct entry {
    unsigned char id[32];
    size_t len;
    boc_recipe_t recipe;
    struct entry *chain;
    unsigned char data[];
} entry_t;

static pthread_mutex_t store_lock = PTHREAD_MUTEX_INITIALIZER; /* held for a few instructions, never across a call out */
static entry_t *buckets[4096];
static uint32_t store_count;
static size_t store_bytes;

static unsigned bucket_of(const unsigned char *id) { return (unsigned)(id[0] | id[1] << 8) & 4095; }

static entry_t *find(const unsigned char *id) {
    entry_t *e = buckets[bucket_of(id)];
    while (e != NULL && memcmp(e->id, id, 32) != 0)
        e = e->chain;
    return e;
}

void boc__store_after_fork(void) { pthread_mutex_init(&store_lock, NULL); }

PyObject *boc__store_put(PyObject *module, PyObject *data) {
    (void)module;
    boc_state_t *st = boc__st();
    if (st == NULL || !PyBytes_Check(data)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "store_put(bytes)");
        return NULL;
    }
    PyObject *mod = PyImport_ImportModule("_sha2");
    if (mod == NULL) {
        boc__forgive();
        mod = PyImport_ImportModule("hashlib");
    }
    PyObject *h = mod ? PyObject_CallMethod(mod, "sha256", "O", data) : NULL;
    PyObject *id = h ? PyObject_CallMethod(h, "digest", NULL) : NULL;
    Py_XDECREF(h);
    Py_XDECREF(mod);
    if (id == NULL)
        return NULL;
    size_t n = (size_t)PyBytes_GET_SIZE(data);
    entry_t *e = malloc(sizeof *e + n);
    if (e == NULL) {
        Py_DECREF(id);
        return PyErr_NoMemory();
    }
    memcpy(e->id, PyBytes_AS_STRING(id), 32);
    memcpy(e->recipe.id, e->id, 32);
    memcpy(e->data, PyBytes_AS_STRING(data), n);
    e->len = n;
    pthread_mutex_lock(&store_lock);
    if (find(e->id) == NULL) {
        e->recipe.index = store_count++;
        store_bytes += n;
        e->chain = buckets[bucket_of(e->id)];
        buckets[bucket_of(e->id)] = e;
        e = NULL;
    }
    pthread_mutex_unlock(&store_lock);
    if (e == NULL)
        boc_trace(BOC_T_ship, *(uint64_t *)(void *)PyBytes_AS_STRING(id), n, 0, 0);
    free(e);
    return id;
}

static entry_t *lookup(const unsigned char *id) {
    pthread_mutex_lock(&store_lock);
    entry_t *e = find(id);
    pthread_mutex_unlock(&store_lock);
    return e;
}

PyObject *boc__store_get(PyObject *module, PyObject *id) {
    (void)module;
    if (!PyBytes_Check(id) || PyBytes_GET_SIZE(id) != 32) {
        PyErr_SetString(PyExc_TypeError, "store_get(id): 32 bytes");
        return NULL;
    }
    entry_t *e = lookup((unsigned char *)PyBytes_AS_STRING(id));
    if (e == NULL)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((char *)e->data, (Py_ssize_t)e->len);
}

/* _stored() -> (records of the store, their bytes) */
PyObject *boc__stored(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    pthread_mutex_lock(&store_lock);
    unsigned long records = store_count;
    size_t bytes = store_bytes;
    pthread_mutex_unlock(&store_lock);
    return Py_BuildValue("kn", records, (Py_ssize_t)bytes);
}

boc_recipe_t *boc__recipe(const unsigned char id[32]) {
    entry_t *e = lookup(id);
    return e ? &e->recipe : NULL;
}

#define LARGE (1u << 20)
#define MOST_KNOWN 100000u /* bytes of a captured value that cannot change and that a body's template keeps */

/* ---- captures --------------------------------------------------------------------- */
void boc__capture_drop(boc_capture_t *c) {
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    boc__value_drop(&c->v);
    free(c);
}

boc_capture_t *boc__capture_def(const unsigned char id[32]) {
    boc_capture_t *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    atomic_init(&c->refs, 1);
    if (id != NULL) {
        memcpy(c->id, id, 32);
        c->is_def = 1;
    }
    return c;
}

/* Would a body that got the very object rather than a copy be able to tell? */
static int is_stable(boc_state_t *st, PyObject *v) {
    PyObject *f = boc__py(st, PY_CLASSIFY);
    PyObject *kind = f ? PyObject_CallOneArg(f, v) : NULL;
    if (kind == NULL)
        return -1;
    int stable = PyUnicode_Check(kind) && PyUnicode_CompareWithASCIIString(kind, "stable") == 0;
    Py_DECREF(kind);
    return stable;
}

/* What a name that is bound nowhere holds. One for all, so that a name of builtins, the usual case, stays installed when
   bodies take turns. */
static boc_capture_t absent = {.refs = 1, .v = {.tag = V_ABSENT}};

/* Said once per name: each behavior that uses it takes a copy. */
static void hint_large(const boc_value_t *v, const char *what) {
    if (v->tag != V_BLOB && v->tag != V_RAWARRAY)
        return;
    size_t n = ((boc_blob_t *)v->u.p)->len;
    if (n <= LARGE)
        return;
    char text[300];
    int len = snprintf(text, sizeof text, "%s takes %.1f MB, and each behavior that uses it gets a copy. Put it in a Cown and name that in @when",
                       what, (double)n / 1e6);
    boc__emit(K_HINT, text, (size_t)len, what, strlen(what), 0, 0, 0);
}

boc_capture_t *boc__capture_new(boc_state_t *st, PyObject *value, const char *what) {
    if (value == NULL) {
        atomic_fetch_add_explicit(&absent.refs, 1, memory_order_relaxed);
        return &absent;
    }
    boc_capture_t *c = boc__capture_def(NULL);
    if (c == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (boc__atom(&c->v, value))
        return c;
    if (PyFunction_Check(value) || PyType_Check(value)) {
        PyObject *f = boc__py(st, PY_DEFINE);
        PyObject *id = f ? PyObject_CallOneArg(f, value) : NULL;
        if (id == NULL)
            goto refuse;
        if (id != Py_None) {
            memcpy(c->id, PyBytes_AS_STRING(id), 32);
            c->is_def = 1;
            Py_DECREF(id);
            return c;
        }
        Py_DECREF(id);
    }
    int stable = is_stable(st, value);
    if (stable < 0)
        goto refuse;
    c->mutable = !stable;
    if (boc__encode(st, value, &c->v, what) < 0)
        goto fail;
    if (c->v.tag == V_BLOB)
        c->met = ((boc_blob_t *)c->v.u.p)->met;
    if (c->mutable) {
        hint_large(&c->v, what);
        boc__share(&c->v);
    } else if (c->v.tag == V_BLOB && ((boc_blob_t *)c->v.u.p)->len <= MOST_KNOWN && ((boc_blob_t *)c->v.u.p)->nparts == 0) {
        boc__blob_known(c->v.u.p);
    }
    return c;
refuse:
    /* An interrupt or a lack of memory says nothing about the value. */
    if (!PyErr_ExceptionMatches(PyExc_SyntaxError) && !PyErr_ExceptionMatches(PyExc_MemoryError) &&
        PyErr_ExceptionMatches(PyExc_Exception)) {
        PyObject *exc = PyErr_GetRaisedException();
        PyObject *f = boc__py(st, PY_REFUSAL);
        PyObject *err = f ? PyObject_CallFunction(f, "OOs", value, exc, what) : NULL;
        if (err != NULL) {
            Py_SETREF(exc, err);
        } else {
            boc__forgive();
        }
        PyErr_SetRaisedException(exc);
    }
fail:
    boc__capture_drop(c);
    return NULL;
}

/* A function that another thread of main will call: as a value, with the globals it uses as they are now. */
boc_capture_t *boc__capture_function(boc_state_t *st, PyObject *fn, const char *what) {
    boc_capture_t *c = boc__capture_def(NULL);
    if (c == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (boc__encode(st, fn, &c->v, what) == 0)
        return c;
    boc__capture_drop(c);
    return NULL;
}

void boc__capset_drop(boc_capset_t *s) {
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->entry[i].capture != NULL)
            boc__capture_drop(s->entry[i].capture);
    free(s);
}

/* ---- installation ------------------------------------------------------------------- */
struct boc_installed {
    uint64_t key; /* ns << 32 | name, 0: free */
    boc_capture_t *capture;
    PyObject *object; /* NULL: absent */
    PyObject *dict;
    bool waits; /* for this interpreter to import the module whose dict it is */
};

static PyObject *name_object(boc_state_t *st, uint32_t name) {
    if (name >= st->nnames) {
        uint32_t n = name + 64;
        PyObject **t = realloc(st->names, n * sizeof *t);
        if (t == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        memset(t + st->nnames, 0, (n - st->nnames) * sizeof *t);
        st->names = t;
        st->nnames = n;
    }
    if (st->names[name] == NULL)
        st->names[name] = PyUnicode_InternFromString(boc_name_text(name));
    return st->names[name];
}

PyObject *boc__name_object(boc_state_t *st, uint32_t name) {
    boc__brief_lock(&boc__briefs.names);
    PyObject *o = name_object(st, name);
    boc__brief_unlock(&boc__briefs.names);
    return o;
}

static struct boc_installed *probe(struct boc_installed *table, uint32_t cap, uint64_t key) {
    uint32_t h = (uint32_t)((key * 0x9E3779B97F4A7C15ull) >> 32) & (cap - 1);
    while (table[h].key != 0 && table[h].key != key)
        h = (h + 1) & (cap - 1);
    return &table[h];
}

/* Only a new key moves the table: who is at one slot may import a module, which fills others. */
static struct boc_installed *slot_of(boc_state_t *st, uint64_t key) {
    struct boc_installed *s = st->installed_cap ? probe(st->installed, st->installed_cap, key) : NULL;
    if (s != NULL && s->key == key)
        return s;
    if (st->ninstalled * 2 >= st->installed_cap) {
        uint32_t cap = st->installed_cap ? st->installed_cap * 2 : 128;
        struct boc_installed *t = calloc(cap, sizeof *t);
        if (t == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        for (uint32_t i = 0; i < st->installed_cap; i++)
            if (st->installed[i].key != 0)
                *probe(t, cap, st->installed[i].key) = st->installed[i];
        free(st->installed);
        st->installed = t;
        st->installed_cap = cap;
        s = probe(t, cap, key);
    }
    s->key = key;
    st->ninstalled++;
    return s;
}

PyObject *boc__load_def(boc_state_t *st, const unsigned char id[32]) {
    PyObject *f = boc__py(st, PY_LOAD);
    return f ? PyObject_CallFunction(f, "y#", (const char *)id, (Py_ssize_t)32) : NULL;
}

static PyObject *namespace_dict(boc_state_t *st, uint32_t ns) {
    PyObject *f = boc__py(st, PY_NAMESPACE);
    PyObject *name = f ? boc__name_object(st, ns) : NULL;
    return name ? PyObject_CallOneArg(f, name) : NULL;
}

/* A fresh or shared object for a capture: new reference, or NULL; absent is told by *absent. */
static PyObject *materialise(boc_state_t *st, boc_capture_t *c) {
    if (c->is_def)
        return boc__load_def(st, c->id);
    return boc__decode(st, &c->v);
}

static void keep_capture(struct boc_installed *s, boc_capture_t *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    boc_capture_t *old = s->capture;
    s->capture = c;
    if (old != NULL)
        boc__capture_drop(old);
}

/* Finds the dict of a slot. False: there is none yet, because no code imported the module here; or an exception is set. */
static bool find_dict(boc_state_t *st, struct boc_installed *s, uint32_t ns) {
    if (s->dict != NULL || s->waits)
        return s->dict != NULL;
    PyObject *dict = namespace_dict(st, ns);
    s->waits = dict == Py_None;
    if (s->waits)
        Py_DECREF(dict);
    else
        s->dict = dict;
    return s->dict != NULL;
}

static int install_one(boc_state_t *st, struct boc_capset_entry *e) {
    boc_capture_t *c = e->capture;
    struct boc_installed *s = slot_of(st, (uint64_t)e->ns << 32 | e->name);
    if (s == NULL)
        return -1;
    PyObject *name = boc__name_object(st, e->name);
    if (name == NULL)
        return -1;
    if (!c->is_patch && !find_dict(st, s, e->ns)) {
        if (s->waits)
            keep_capture(s, c);
        return s->waits ? 0 : -1;
    }
    if (s->capture == c && !c->mutable) {
        if (c->is_patch)
            return 0;
        PyObject *now = PyDict_GetItemWithError(s->dict, name);
        if (now == s->object)
            return 0; /* still there: no body rebound it */
    }
    PyObject *o = NULL;
    if (c->v.tag != V_ABSENT || c->is_def) {
        o = s->capture == c && !c->mutable && s->object ? Py_NewRef(s->object) : materialise(st, c);
        if (o == NULL)
            return -1;
    }
    int rc = 0;
    if (o == NULL) {
        rc = PyDict_Contains(s->dict, name);
        if (rc > 0)
            rc = PyDict_DelItem(s->dict, name);
    } else if (!c->is_patch) {
        rc = PyDict_SetItem(s->dict, name, o);
    }
    if (rc < 0) {
        Py_XDECREF(o);
        return -1;
    }
    Py_XSETREF(s->object, o);
    keep_capture(s, c);
    return 0;
}

/* The module of namespace `key` was imported here: the cowns of main take the places of those that the import made. */
PyObject *boc__module_arrived(PyObject *module, PyObject *key) {
    boc_state_t *st = PyModule_GetState(module);
    Py_ssize_t n = 0;
    const char *text = PyUnicode_AsUTF8AndSize(key, &n);
    uint32_t ns;
    if (text == NULL || boc__name_take(text, (size_t)n, &ns) < 0)
        return NULL;
    for (uint32_t i = 0; i < st->installed_cap; i++) {
        struct boc_installed *s = &st->installed[i];
        if (s->key >> 32 != ns || !s->waits)
            continue;
        s->waits = false;
        boc_capture_t *c = s->capture;
        if (c == NULL)
            continue; /* the next body that takes it along finds the module */
        struct boc_capset_entry e = {.capture = c, .ns = ns, .name = (uint32_t)s->key};
        s->capture = NULL; /* install_one() takes one of its own */
        int rc = install_one(st, &e);
        boc__capture_drop(c);
        if (rc < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

/* What was bound for this body and what then came with a definition are the same names: the body's are put back. */
static int put_back(boc_state_t *st, boc_capset_t *set) {
    for (uint32_t i = 0; i < set->n; i++) {
        struct boc_installed *s = slot_of(st, (uint64_t)set->entry[i].ns << 32 | set->entry[i].name);
        PyObject *name = boc__name_object(st, set->entry[i].name);
        if (s == NULL || name == NULL)
            return -1;
        if (s->dict == NULL || s->capture != set->entry[i].capture)
            continue;
        PyObject *now = PyDict_GetItemWithError(s->dict, name);
        if (now == s->object)
            continue;
        if ((s->object != NULL ? PyDict_SetItem(s->dict, name, s->object) : PyDict_DelItem(s->dict, name)) < 0)
            return -1;
    }
    return 0;
}

/* boc._load bound names that came with a definition. */
PyObject *boc__names_moved(PyObject *module, PyObject *nothing) {
    (void)nothing;
    boc_state_t *st = PyModule_GetState(module);
    st->names_moved = true;
    if (st->body_set != NULL && put_back(st, st->body_set) < 0)
        return NULL;
    Py_RETURN_NONE;
}

int boc__capset_install(boc_state_t *st, boc_capset_t *set) {
    if (set == st->last_set && !set->any_mutable && !st->names_moved)
        return 0;
    uint32_t patches = set->n; /* they stand last, and go first: a bound method finds its function when it is decoded */
    while (patches > 0 && set->entry[patches - 1].capture->is_patch)
        if (install_one(st, &set->entry[--patches]) < 0)
            return -1;
    st->names_moved = false;
    for (uint32_t i = 0; i < patches; i++)
        if (install_one(st, &set->entry[i]) < 0)
            return -1;
    if (st->names_moved && put_back(st, set) < 0)
        return -1;
    st->names_moved = false;
    boc_capset_t *old = st->last_set;
    st->last_set = NULL;
    if (!set->any_mutable) {
        boc__capset_keep(set);
        st->last_set = set;
    }
    boc__capset_drop(old);
    return 0;
}

/* A body's own copy goes. What came with a definition that a value refers to, if anything, takes its place again: who gets that
   value next finds the definition built and its names bound. */
static void rebind(boc_state_t *st, PyObject *dict, uint32_t ns, PyObject *name) {
    PyObject *space = boc__name_object(st, ns), *came = boc__py(st, PY_NAMES_SET);
    PyObject *key = space && came ? PyTuple_Pack(2, space, name) : NULL;
    PyObject *before = key ? PyDict_GetItemWithError(came, key) : NULL;
    if (before != NULL)
        PyDict_SetItem(dict, name, PyTuple_GET_ITEM(before, 0));
    else if (strncmp(boc_name_text(ns), "mod:", 4) != 0) /* a module's own functions need the name also without this body */
        PyDict_DelItem(dict, name);
    Py_XDECREF(key);
}

/* The body's own copies of mutable captures go when it ends, so that a value it stored them in is theirs alone. */
void boc__capset_uninstall_mutable(boc_state_t *st, boc_capset_t *set) {
    PyObject *exc = PyErr_GetRaisedException();
    for (uint32_t i = 0; i < set->n; i++) {
        if (!set->entry[i].capture->mutable)
            continue;
        struct boc_installed *s = slot_of(st, (uint64_t)set->entry[i].ns << 32 | set->entry[i].name);
        PyObject *name = boc__name_object(st, set->entry[i].name);
        if (s == NULL || name == NULL)
            continue;
        if (s->dict != NULL && s->object != NULL && PyDict_GetItemWithError(s->dict, name) == s->object)
            rebind(st, s->dict, set->entry[i].ns, name);
        Py_CLEAR(s->object);
        if (s->capture == set->entry[i].capture) {
            s->capture = NULL;
            boc__capture_drop(set->entry[i].capture);
        }
    }
    PyErr_Clear();
    if (exc != NULL)
        PyErr_SetRaisedException(exc);
}

/* ---- on main ----------------------------------------------------------------------------------
 * A pinned body runs among the program's own globals: what it captured stands there while it runs, and what stood
 * there before comes back. saved: pairs of dict and value (NULL: the name did not exist). */
static int lend_one(boc_state_t *st, struct boc_capset_entry *e, PyObject **saved) {
    boc_capture_t *c = e->capture;
    if (c->is_patch)
        return 0; /* main's class has it already */
    PyObject *name = boc__name_object(st, e->name);
    PyObject *dict = name ? namespace_dict(st, e->ns) : NULL;
    if (dict == NULL)
        return -1;
    bool nothing = c->v.tag == V_ABSENT && !c->is_def;
    PyObject *o = nothing ? NULL : materialise(st, c);
    PyObject *before = Py_XNewRef(PyDict_GetItemWithError(dict, name));
    if ((o == NULL && !nothing) || (before == NULL && PyErr_Occurred())) {
        Py_DECREF(dict);
        Py_XDECREF(before);
        Py_XDECREF(o);
        return -1;
    }
    saved[0] = dict;
    saved[1] = before;
    int rc = o != NULL ? PyDict_SetItem(dict, name, o) : before != NULL ? PyDict_DelItem(dict, name) : 0;
    Py_XDECREF(o);
    return rc;
}

int boc__capset_lend(boc_state_t *st, boc_capset_t *set, PyObject ***saved) {
    *saved = PyMem_Calloc(2 * (size_t)set->n + 1, sizeof **saved);
    if (*saved == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < set->n; i++)
        if (lend_one(st, &set->entry[i], *saved + 2 * i) < 0)
            return -1;
    return 0;
}

void boc__capset_return(boc_state_t *st, boc_capset_t *set, PyObject **saved) {
    if (saved == NULL)
        return;
    PyObject *exc = PyErr_GetRaisedException();
    for (uint32_t i = set->n; i-- > 0;) {
        PyObject *dict = saved[2 * i], *before = saved[2 * i + 1], *name = boc__name_object(st, set->entry[i].name);
        if (dict == NULL || name == NULL)
            continue;
        int rc = before != NULL ? PyDict_SetItem(dict, name, before) : PyDict_Contains(dict, name);
        if (before == NULL && rc > 0)
            rc = PyDict_DelItem(dict, name);
        if (rc < 0)
            boc__forgive();
        Py_DECREF(dict);
        Py_XDECREF(before);
    }
    PyMem_Free(saved);
    PyErr_SetRaisedException(exc);
}

boc_capture_t *boc__installed_capture(boc_state_t *st, uint32_t ns, uint32_t name, PyObject *value) {
    if (st->worker < 0 || st->installed_cap == 0)
        return NULL;
    struct boc_installed *s = probe(st->installed, st->installed_cap, (uint64_t)ns << 32 | name);
    if (s->key == 0 || s->capture == NULL || s->capture->mutable || s->object != value)
        return NULL;
    return s->capture;
}

void boc__installed_clear(boc_state_t *st) {
    boc__callables_clear(st);
    for (uint32_t i = 0; i < st->installed_cap; i++) {
        Py_CLEAR(st->installed[i].object);
        Py_CLEAR(st->installed[i].dict);
        if (st->installed[i].capture != NULL)
            boc__capture_drop(st->installed[i].capture);
    }
    free(st->installed);
    st->installed = NULL;
    st->installed_cap = st->ninstalled = 0;
    boc__capset_drop(st->last_set);
    st->last_set = NULL;
    for (uint32_t i = 0; i < st->nnames; i++)
        Py_XDECREF(st->names[i]);
    free(st->names);
    st->names = NULL;
    st->nnames = 0;
}
