/* A run that follows a recorded schedule.
 *
 * The gate is closed, and a thread of its own, the conductor, lets through what the schedule starts next. Whoever comes to
 * a place where the schedule decided something rests there until all that came before it has happened: at a schedule, until
 * those before it have joined the same cowns; at a view of the noticeboard, until the writes that it showed are applied; the
 * next write, until all views of what was before are taken.
 *
 * Invariants
 *  P1 at most one body moves: has begun, has not ended, and does not rest. A body begins, and goes on from a rest, only
 *     while none moves. Threads of the program move freely between their rests;
 *  P2 the conductor lets through one behavior at a time, in the order of starts, and the next one only once that one has
 *     begun. A rest that can end goes first: it may be what the worker is needed for;
 *  P3 of all that has not happened again, what happened first when recorded can always happen now. So if nothing can, the
 *     run differs. The first difference is kept, the gate opens, every rest ends, and the run goes on freely;
 *  P4 the lock is the innermost: nothing is called with it held, the GIL is never waited for. Only the conductor and those
 *     who end a replay call the core's gate. It may be taken under the gate's lock and under the board's.
 *
 * A cown is known by who joined it before (its kind: cowns with the same past are of one kind), so a request for another
 * cown is found as soon as the two have different pasts. */
#include "replay_state.h"

#include "stepping.h"
#include "until.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define STILL_NS 100000000    /* without anything that could happen: the run stands still */
#define GRACE_NS 30000000000  /* the same while another thread of the program sleeps elsewhere */
#define LONG_NS 300000000000  /* and while it runs */
#define AWAKE_PART 10         /* it sleeps if it is awake for less than this part of the time */
#define PUMP_NS 1000000000    /* the most that a pump waits for what comes */

boc__replay_t boc__r;
pthread_mutex_t boc__r_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t boc__r_changed = PTHREAD_COND_INITIALIZER;
#define r boc__r

void boc__r_moved(void) {
    r.events++;
    pthread_cond_broadcast(&boc__r_changed);
}

/* ---- tables, under the lock -------------------------------------------------------------------- */
static boc__pair_t *find(boc__table_t *t, uint64_t key) {
    uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) & t->mask;
    while (t->at[i].key != 0 && t->at[i].key != key)
        i = (i + 1) & t->mask;
    return &t->at[i];
}

static void put(boc__table_t *t, uint64_t key, uint32_t value) {
    boc__pair_t *p = find(t, key);
    if (p->key == 0 && 2 * (t->used + 1) > t->mask) {
        boc__table_t more = {.at = calloc(2 * ((size_t)t->mask + 1), sizeof *t->at), .mask = 2 * t->mask + 1, .used = t->used};
        if (more.at == NULL)
            return; /* what is not known is not followed */
        for (uint32_t i = 0; i <= t->mask; i++)
            if (t->at[i].key != 0)
                *find(&more, t->at[i].key) = t->at[i];
        free(t->at);
        *t = more;
        p = find(t, key);
    }
    t->used += p->key == 0;
    *p = (boc__pair_t){key, value};
}

static uint32_t place_of(uint64_t id) {
    boc__pair_t *p = r.on && id != 0 ? find(&r.ids, id) : NULL;
    return p != NULL && p->key != 0 ? p->value : NOWHERE;
}

/* ---- differences, under the lock ---------------------------------------------------------------- */
typedef struct { char text[220]; } label_t;

static label_t label(uint32_t place) {
    label_t l;
    const boc__node_t *k = &r.node[place];
    if (place == r.n)
        snprintf(l.text, sizeof l.text, "main");
    else if (place > r.n)
        snprintf(l.text, sizeof l.text, "another thread");
    else if (k->parent < 0)
        snprintf(l.text, sizeof l.text, "'%.80s' (number %u of %s)", boc_name_text(k->name), k->nth, k->parent == -1 ? "main" : "other threads");
    else
        snprintf(l.text, sizeof l.text, "'%.80s' (number %u of '%.80s')", boc_name_text(k->name), k->nth, boc_name_text(r.node[k->parent].name));
    return l;
}

__attribute__((format(printf, 1, 2))) static void differs(const char *format, ...) {
    if (!r.on || r.over)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(r.text, sizeof r.text, format, args);
    va_end(args);
    r.over = true;
    boc__r_moved();
}

/* What was to happen, and what stands in its place. */
static void missing(void) {
    for (uint32_t i = 0; i < r.n; i++) {
        for (uint32_t k = 0; r.node[i].state == COMING && k < r.node[i].nbefore; k++) {
            uint32_t b = r.node[i].before[k];
            if (r.node[b].state == UNSEEN) {
                differs("%s was to be scheduled before %s, but nobody schedules it", label(b).text, label(i).text);
                return;
            }
        }
    }
    if (r.at == r.nstarts) {
        differs("the run stands still after its last start");
        return;
    }
    uint32_t next = r.starts[r.at];
    char where[260] = "", instead[260] = "";
    if (r.at > 0)
        snprintf(where, sizeof where, ", after %s", label(r.starts[r.at - 1]).text);
    for (uint32_t i = 0; i < r.n && instead[0] == 0; i++)
        if (i != next && r.node[i].state == HELD)
            snprintf(instead, sizeof instead, "; %s could", label(i).text);
    const char *why = r.node[next].state == UNSEEN   ? "it was not scheduled"
                      : r.node[next].state == COMING ? "it rests where it is scheduled"
                      : r.node[next].state == JOINED ? "it waits for cowns that are not given back"
                                                     : "main is not where it was";
    differs("%s was to start as number %u of %u%s, but cannot: %s%s", label(next).text, r.at + 1, r.nstarts, where, why, instead);
}

/* waited: for a thread of the program that might have gone on, ns; 0: there is none. */
static void stands_still(int64_t waited) {
    if (!r.on || r.over)
        return;
    missing();
    size_t end = strlen(r.text);
    if (waited != 0)
        snprintf(r.text + end, sizeof r.text - end, "; waited %lld s for threads of the program", (long long)(waited / 1000000000));
}

/* ---- resting ----------------------------------------------------------------------------------------- */
static bool always(const void *unused) {
    (void)unused;
    return true;
}

static bool somebody_goes_on(bool bodies) {
    for (boc__rest_t *k = r.resting; k != NULL; k = k->next)
        if ((k->body || !bodies) && k->come(k->arg))
            return true;
    return false;
}

static void unlink_rest(boc__rest_t *me) {
    boc__rest_t **at = &r.resting;
    while (*at != NULL && *at != me)
        at = &(*at)->next;
    if (*at != NULL)
        *at = me->next;
}

/* At most a slice, with the lock held. */
static void nap(void) {
    struct timespec t = boc__until(BOC_SLICE_NS);
    pthread_cond_timedwait(&boc__r_changed, &boc__r_mutex, &t);
}

static int look(bool (*over)(const void *), const void *arg);

/* Between two slices of a rest, with the GIL and without the lock: signals, pinned work, an interrupt of the body. */
static int between(boc_state_t *st, bool body, bool pump) {
    if (st->worker < 0 && look(NULL, NULL) < 0)
        return -1;
    if (boc__wait_slice(st, BOC_EINTR, pump) < 0)
        return -1;
    if (st->worker < 0 || !body)
        return 0;
    PyObject *m = PyImport_ImportModule("boc._rest"); /* bytecode: an interrupt of the body arrives there */
    PyObject *done = m ? PyObject_CallMethod(m, "breathe", NULL) : NULL;
    Py_XDECREF(m);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static bool ends(uint32_t generation, bool body, bool (*come)(const void *), const void *arg) {
    return !r.on || r.over || generation != r.generation || (come(arg) && (!body || r.moving == 0));
}

/* Until come(arg); who: the place of the body that rests, or NOWHERE for a thread of the program. Called and left with the
   lock held, and with the GIL, which it lets go of meanwhile. -1 with an exception; the body goes on then, too. */
static int rest(uint32_t who, bool (*come)(const void *), const void *arg) {
    bool body = who != NOWHERE, moves = body && r.node[who].state == MOVES;
    if (!r.on || r.over || (come(arg) && (!body || moves || r.moving == 0))) {
        if (r.on && body && !moves)
            r.node[who].state = MOVES, r.moving++;
        return 0;
    }
    boc_state_t *st = boc__st();
    bool pump = boc__may_pump() && !body, pinned = body && st->worker < 0;
    uint32_t generation = r.generation;
    boc__rest_t me = {come, arg, body, st->worker < 0 ? PyThread_get_thread_ident() : 0, r.resting};
    r.resting = &me;
    if (moves) {
        r.node[who].state = RESTS;
        r.moving--;
    }
    r.pinned_rests += pinned;
    boc__r_moved();
    int rc = 0;
    while (rc == 0 && !ends(generation, body, come, arg)) {
        boc__r_unlock();
        Py_BEGIN_ALLOW_THREADS
        boc__r_lock();
        if (!ends(generation, body, come, arg) && !(pump && boc_pinned_depth(NULL) != 0))
            nap();
        boc__r_unlock();
        Py_END_ALLOW_THREADS
        rc = boc__interp_exiting() ? 1 : between(st, body, pump);
        boc__r_lock();
    }
    if (r.on && generation == r.generation) {
        unlink_rest(&me);
        r.pinned_rests -= pinned;
        if (body) {
            r.node[who].state = MOVES;
            r.moving++;
        }
        boc__r_moved();
    }
    return rc < 0 ? -1 : 0;
}

/* The body of the calling thread, if the replay knows it and it moves. */
static uint32_t my_body(void) {
    uint32_t who = boc__in_body() ? place_of(boc__ctx->current->id) : NOWHERE;
    return who != NOWHERE && r.node[who].state == MOVES ? who : NOWHERE;
}

bool boc__replay_leaves(bool timed) {
    bool left = false;
    boc__r_lock();
    uint32_t who = r.on && !r.over ? my_body() : NOWHERE;
    if (who != NOWHERE) {
        r.node[who].state = RESTS;
        r.moving--;
        r.timed += timed;
        pthread_cond_broadcast(&boc__r_changed);
        left = true;
    }
    boc__r_unlock();
    return left;
}

int boc__replay_returns(bool left, bool timed) {
    int rc = 0;
    if (!left)
        return 0;
    boc__r_lock();
    uint32_t who = boc__in_body() ? place_of(boc__ctx->current->id) : NOWHERE;
    if (r.on && who != NOWHERE && r.node[who].state == RESTS) {
        r.timed -= timed;
        rc = rest(who, always, NULL);
    }
    boc__r_unlock();
    return rc;
}

/* ---- schedules ------------------------------------------------------------------------------------------ */
static bool in_turn(const boc__turn_t *t, uint32_t place) {
    for (uint32_t i = 0; i < t->n; i++)
        if (t->place[i] == place)
            return true;
    return false;
}

static bool turn_comes(const void *arg) {
    const boc__turn_t *t = arg;
    for (uint32_t i = 0; i < t->n; i++) {
        const boc__node_t *k = &r.node[t->place[i]];
        for (uint32_t j = 0; j < k->nbefore; j++)
            if (r.node[k->before[j]].state < JOINED && !in_turn(t, k->before[j]))
                return false;
        for (uint32_t j = 0; j < k->nended; j++)
            if (r.node[k->ended[j]].state < ENDED)
                return false;
        if (r.node[r.n].seen == k->behind ? r.calm_behind != k->behind || r.calms < k->calm : r.node[r.n].seen < k->behind)
            return false;
    }
    return true;
}

/* Which of the parent's children this is; NOWHERE: none, and that is a difference unless the record ends in the middle. */
static uint32_t child(uint32_t parent, const boc_behavior_t *b) {
    boc__node_t *p = &r.node[parent];
    uint32_t place = p->first + p->seen, end = p->first + p->count;
    if (parent > r.n) /* other threads: told apart by names */
        for (place = p->first; place < end && (r.node[place].state != UNSEEN || r.node[place].name != b->name); place++)
            ;
    if (place >= end) {
        if (!r.partial)
            differs("%s scheduled '%.80s' as its behavior number %u; when recorded it scheduled %u", label(parent).text,
                    boc_name_text(b->name), p->seen + 1, p->count);
        return NOWHERE;
    }
    if (r.node[place].name != b->name) {
        differs("%s scheduled '%.80s' where %s was recorded", label(parent).text, boc_name_text(b->name), label(place).text);
        return NOWHERE;
    }
    p->seen++;
    r.node[place].id = b->id;
    r.node[place].state = COMING;
    put(&r.ids, b->id, place);
    return place;
}

/* Whether b takes cowns of the kinds that it took when recorded; they are of the next kinds then. */
static bool takes_its_cowns(uint32_t place, const boc_behavior_t *b) {
    const boc__node_t *k = &r.node[place];
    uint32_t n = (uint32_t)b->nreq - ((b->flags & BOC_B_RESULT) != 0), taken = 0;
    for (uint32_t i = 0; i < k->ncowns; i++) {
        uint32_t want = k->cowns[3 * i + 2], got = 0;
        for (uint32_t j = 0; j < n; j++) {
            boc__pair_t *p = find(&r.kinds, b->req[j].cown->id);
            bool again = false; /* the same cown twice is one request */
            for (uint32_t m = 0; m < j && !again; m++)
                again = b->req[m].cown == b->req[j].cown;
            got += !again && (p->key != 0 ? p->value : 0) == k->cowns[3 * i];
            taken += !again && i == 0;
        }
        if (got != want)
            return false;
        taken -= want;
    }
    if (k->ncowns == 0 ? n != 0 : taken != 0)
        return false;
    for (uint32_t j = 0; j < n; j++) {
        boc__pair_t *p = find(&r.kinds, b->req[j].cown->id);
        uint32_t kind = p->key != 0 ? p->value : 0;
        bool again = false;
        for (uint32_t m = 0; m < j && !again; m++)
            again = b->req[m].cown == b->req[j].cown;
        for (uint32_t i = 0; i < k->ncowns && !again; i++)
            if (k->cowns[3 * i] == kind) {
                put(&r.kinds, b->req[j].cown->id, k->cowns[3 * i + 1]);
                break;
            }
    }
    return true;
}

/* They will not be scheduled after all. */
static void unsee(boc__turn_t *t, uint32_t parent) {
    for (uint32_t i = 0; i < t->n; i++) {
        boc__node_t *k = &r.node[t->place[i]];
        put(&r.ids, k->id, NOWHERE);
        k->state = UNSEEN;
    }
    r.node[parent].seen -= t->n;
}

int boc__replay_turn(boc_behavior_t **b, uint32_t n, boc__turn_t *turn) {
    turn->n = 0;
    turn->place = n <= 8 ? turn->few : malloc(n * sizeof *turn->place);
    if (turn->place == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    boc__r_lock();
    uint32_t who = NOWHERE, parent = NOWHERE;
    if (r.on && !r.over) {
        who = my_body();
        parent = boc__in_body() ? place_of(boc__ctx->current->id) : boc_self() == BOC_MAX_WORKERS ? r.n : r.n + 1;
    }
    turn->generation = r.generation;
    for (uint32_t i = 0; i < n && parent != NOWHERE; i++) {
        uint32_t place = child(parent, b[i]);
        if (place == NOWHERE)
            break;
        turn->place[turn->n++] = place;
    }
    int rc = turn->n != 0 ? rest(who, turn_comes, turn) : 0;
    bool followed = r.on && !r.over && turn->generation == r.generation;
    if (rc < 0 && r.on && turn->generation == r.generation)
        unsee(turn, parent);
    for (uint32_t i = 0; rc == 0 && followed && i < turn->n; i++)
        if (!takes_its_cowns(turn->place[i], b[i])) {
            differs("%s asked for other cowns than when recorded", label(turn->place[i]).text);
            break;
        }
    boc__r_unlock();
    if (rc < 0 && turn->place != turn->few)
        free(turn->place);
    return rc;
}

void boc__replay_joined(boc__turn_t *turn) {
    boc__r_lock();
    for (uint32_t i = 0; r.on && turn->generation == r.generation && i < turn->n; i++)
        if (r.node[turn->place[i]].state == COMING)
            r.node[turn->place[i]].state = JOINED;
    boc__r_moved();
    boc__r_unlock();
    if (turn->place != turn->few)
        free(turn->place);
}

/* ---- bodies ------------------------------------------------------------------------------------------------- */
void boc__replay_arrived(uint64_t id) {
    boc__r_lock();
    uint32_t place = place_of(id);
    if (place != NOWHERE && r.node[place].state < HELD)
        r.node[place].state = HELD;
    boc__r_moved();
    boc__r_unlock();
}

int boc__replay_begins(uint64_t id) {
    int rc = 0;
    boc__r_lock();
    uint32_t place = place_of(id);
    if (r.on && !r.over && place != NOWHERE && r.node[place].state == STARTING) {
        rc = rest(place, always, NULL);
        if (r.starting == place)
            r.starting = NOWHERE;
        boc__r_moved();
    }
    boc__r_unlock();
    return rc;
}

void boc__replay_ended(uint64_t id) {
    boc__r_lock();
    uint32_t place = place_of(id);
    if (place != NOWHERE && r.node[place].state == MOVES) {
        boc__node_t *k = &r.node[place];
        k->state = ENDED;
        r.moving--;
        if (k->seen < k->count)
            differs("%s scheduled %u behaviors; when recorded it scheduled %u", label(place).text, k->seen, k->count);
        else if (k->view >= 0 && !k->viewed && !r.partial)
            differs("%s did not read the noticeboard; when recorded it did", label(place).text);
    }
    boc__r_moved();
    boc__r_unlock();
}

void boc__replay_cancelled(uint64_t id) {
    boc__r_lock();
    uint32_t place = place_of(id);
    if (place != NOWHERE && r.node[place].state <= STARTING) {
        if (r.node[place].starts)
            differs("%s was cancelled before it started; when recorded it started", label(place).text);
        r.node[place].state = CANCELLED;
        if (r.starting == place)
            r.starting = NOWHERE;
    }
    boc__r_moved();
    boc__r_unlock();
}

static bool has_begun(const void *arg) {
    uint32_t place = *(const uint32_t *)arg;
    return !r.node[place].starts || r.node[place].state >= MOVES;
}

int boc__replay_cancelling(uint64_t id) {
    int rc = 0;
    boc__r_lock();
    uint32_t place = place_of(id);
    if (r.on && !r.over && place != NOWHERE)
        rc = rest(my_body(), has_begun, &place);
    boc__r_unlock();
    return rc;
}

/* ---- the noticeboard -------------------------------------------------------------------------------------------- */
static bool view_comes(const void *arg) { return r.applied >= r.node[*(const uint32_t *)arg].view; }

int boc__replay_viewing(uint64_t id) {
    int rc = 0;
    boc__r_lock();
    uint32_t place = place_of(id);
    if (r.on && !r.over && place != NOWHERE && my_body() == place) {
        if (r.node[place].view < 0 && !r.partial)
            differs("%s read the noticeboard; when recorded it did not", label(place).text);
        rc = rest(place, view_comes, &place);
    }
    boc__r_unlock();
    return rc;
}

void boc__replay_viewed(uint64_t id) {
    boc__r_lock();
    uint32_t place = place_of(id);
    if (place != NOWHERE && r.node[place].view >= 0 && !r.node[place].viewed) {
        r.node[place].viewed = true;
        r.views[r.node[place].view]--;
        while (r.low <= r.nwrites && r.views[r.low] == 0)
            r.low++;
        boc__r_moved();
    }
    boc__r_unlock();
    boc__emit_notice(); /* a write may have waited for it */
}

static int32_t writer_of(uint64_t writer) {
    uint32_t place = place_of(writer);
    return writer == 0 ? -1 : place == NOWHERE ? INT32_MAX : (int32_t)place;
}

int boc__replay_write(uint64_t writer, uint32_t key, bool deletes, bool present) {
    int what = REPLAY_APPLY;
    boc__r_lock();
    int32_t who = writer_of(writer);
    if (r.on && !r.over) {
        uint32_t at = r.applied;
        while (at < r.nwrites && (r.write[at].writer != who || r.write[at].key != key))
            at++;
        if (at < r.nwrites)
            what = at == r.applied && r.low > r.applied ? REPLAY_APPLY : REPLAY_HOLD;
        else if (deletes && present && !r.partial)
            what = REPLAY_SKIP; /* when recorded there was nothing to delete */
    }
    boc__r_unlock();
    return what;
}

void boc__replay_applied(uint64_t writer, uint32_t key) {
    boc__r_lock();
    if (r.on && !r.over) {
        int32_t who = writer_of(writer);
        bool same = r.applied < r.nwrites && r.write[r.applied].writer == who && r.write[r.applied].key == key;
        if (!same && !r.partial)
            differs("%s wrote '%.80s' to the noticeboard as its change number %u; when recorded it was %s%.80s",
                    who < 0 ? "main" : who == INT32_MAX ? "a behavior" : label((uint32_t)who).text, boc_name_text(key), r.applied + 1,
                    r.applied < r.nwrites ? "that of " : "none", r.applied < r.nwrites ? boc_name_text(r.write[r.applied].key) : "");
        r.applied += same;
        boc__r_moved();
    }
    boc__r_unlock();
}

/* ---- the conductor, and a run that stands still -------------------------------------------------------------------- */
/* Under the lock: the start that comes next can happen. */
static bool next_can_start(void) {
    if (r.at == r.nstarts || r.node[r.starts[r.at]].state != HELD)
        return false;
    int64_t after = r.node[r.starts[r.at]].after;
    return after <= 0 || after > r.node[r.n].count || r.node[r.node[r.n].first + after - 1].state >= JOINED;
}

static bool rests_now(uint64_t id) {
    boc__r_lock();
    uint32_t place = place_of(id);
    bool yes = place != NOWHERE && r.node[place].state == RESTS;
    boc__r_unlock();
    return yes;
}

/* Nothing can happen but by a thread of the program; timed: nor by the end of a body's timeout. */
static bool quiet(bool timed, uint64_t *events) {
    boc__r_lock();
    bool yes = r.on && !r.over && r.moving == 0 && r.starting == NOWHERE && (!timed || r.timed == 0) && !somebody_goes_on(r.pinned_rests != 0) && !next_can_start() &&
               (r.pinned_rests != 0 || !boc__pumping());
    *events = r.events;
    boc__r_unlock();
    return yes && !boc__notice_busy() && boc_settled_beside(rests_now);
}

/* For how long looks have found that nothing can happen, ns. A look counts for a slice at most: who looks may have been
   stopped, or have got no processor, and then so have others. */
static int64_t still_for(uint64_t *events) {
    bool yes = quiet(true, events);
    int64_t now = boc_now();
    boc__r_lock();
    if (yes && *events == r.events && *events == r.still_events) {
        r.still_ns += now - r.looked < BOC_SLICE_NS ? now - r.looked : BOC_SLICE_NS;
    } else {
        r.still_ns = r.asked_ns = r.asleep_ns = 0;
        r.still_events = yes ? *events : UINT64_MAX;
    }
    r.looked = now;
    int64_t since = r.still_ns;
    boc__r_unlock();
    return since;
}

/* 1: some other thread of the program does not rest here; awake: for how long such threads have run since the last look, or
   waited for a processor, ns. -1 with an exception, as an interrupt may be. With the GIL. */
static int somebody_elsewhere(int64_t *awake) {
    unsigned long at[64];
    Py_ssize_t n = 0;
    boc__r_lock();
    for (boc__rest_t *k = r.resting; k != NULL && n < 64; k = k->next)
        if (k->thread != 0)
            at[n++] = k->thread;
    boc__r_unlock();
    PyObject *here = PyTuple_New(n);
    for (Py_ssize_t i = 0; here != NULL && i < n; i++) {
        PyObject *thread = PyLong_FromUnsignedLong(at[i]);
        if (thread == NULL)
            Py_CLEAR(here);
        else
            PyTuple_SET_ITEM(here, i, thread);
    }
    PyObject *m = here ? PyImport_ImportModule("boc._gate") : NULL;
    PyObject *told = m ? PyObject_CallMethod(m, "elsewhere", "(O)", here) : NULL;
    *awake = told != NULL && told != Py_None ? PyLong_AsLongLong(told) : 0;
    int some = PyErr_Occurred() ? -1 : told != Py_None;
    Py_XDECREF(told);
    Py_XDECREF(m);
    Py_XDECREF(here);
    return some;
}

/* Threads that rest, and the caller whose wait is not over, do nothing by themselves. One that is elsewhere might: as long as
   it runs it has all the time that it wants, and some when it sleeps. over: NULL, or whether the caller's wait is. */
static int look(bool (*over)(const void *), const void *arg) {
    uint64_t events;
    int64_t awake;
    if (still_for(&events) < STILL_NS || (over != NULL && over(arg)))
        return 0;
    int some = somebody_elsewhere(&awake);
    if (some < 0)
        return -1;
    boc__r_lock();
    if (events == r.events) { /* nothing has happened since it was quiet */
        if (r.asked_ns != 0 && awake < (r.still_ns - r.asked_ns) / AWAKE_PART)
            r.asleep_ns += r.still_ns - r.asked_ns;
        r.asked_ns = r.still_ns;
        if (!some || r.asleep_ns >= GRACE_NS || r.still_ns >= LONG_NS)
            stands_still(some ? r.still_ns : 0);
    }
    boc__r_unlock();
    return 0;
}

int boc__replay_look(bool (*over)(const void *arg), const void *arg) {
    return boc__in_body() ? 0 : look(over, arg);
}

void boc__replay_serves(void) {
    if (boc__hooked(HOOK_REPLAY) && boc__asks() != 0 && look(NULL, NULL) < 0)
        PyErr_WriteUnraisable(NULL);
}

void boc__replay_calm(void) {
    boc__r_lock();
    if (r.on && boc_self() == BOC_MAX_WORKERS) {
        int64_t behind = r.node[r.n].seen;
        r.calms = behind == r.calm_behind ? r.calms + 1 : 1;
        r.calm_behind = behind;
        boc__r_moved();
    }
    boc__r_unlock();
}

int boc__replay_before_pump(int64_t deadline) {
    uint64_t events;
    int64_t most = boc_now() + PUMP_NS;
    if (deadline > most)
        deadline = most;
    while (boc_pinned_depth(NULL) == 0 && boc_now() < deadline && boc__hooked(HOOK_REPLAY)) {
        if (PyErr_CheckSignals() < 0)
            return -1;
        if (quiet(false, &events))
            return 0;
        Py_BEGIN_ALLOW_THREADS
        boc__r_lock();
        if (r.on && !r.over)
            nap();
        bool over = !r.on || r.over;
        boc__r_unlock();
        if (over)
            deadline = 0;
        Py_END_ALLOW_THREADS
    }
    return 0;
}

/* Under the lock: lets the next through, which lets go of the lock meanwhile. */
static bool start_next(void) {
    if (r.moving != 0 || r.starting != NOWHERE || somebody_goes_on(true) || !next_can_start())
        return false;
    uint32_t place = r.starts[r.at++];
    uint64_t id = r.node[place].id;
    r.node[place].state = STARTING;
    r.starting = place;
    boc__r_moved();
    boc__r_unlock();
    boc_gate_step(id); /* what was cancelled meanwhile says so itself */
    boc__r_lock();
    boc__r_moved(); /* pinned work is there: who rests on the main thread looks at once */
    return true;
}

void *boc__replay_conduct(void *unused) {
    (void)unused;
    boc__r_lock();
    while (!r.over) {
        if (start_next())
            continue;
        if (r.partial && r.at == r.nstarts && r.moving == 0 && r.starting == NOWHERE) {
            r.over = true; /* the record ends in the middle of the run, which goes on freely */
            boc__r_moved();
            break;
        }
        nap();
        if (r.over || boc__asks() == 0)
            continue;
        boc__r_unlock();
        boc__emit_notice(); /* somebody awaits, and may not look: the service does */
        boc__r_lock();
    }
    bool opens = r.opens;
    boc__r_unlock();
    boc__emit_notice(); /* writes that waited */
    if (opens)
        boc_gate_open();
    return NULL;
}

void boc__replay_after_fork(void) {
    pthread_mutex_init(&boc__r_mutex, NULL);
    pthread_cond_init(&boc__r_changed, NULL);
    r.on = r.ending = false;
    r.over = true;
    r.resting = NULL;
}
