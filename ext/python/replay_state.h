/* What a replay knows; replay.c moves it, replay_plan.c makes and drops it. */
#ifndef BOC_REPLAY_STATE_H
#define BOC_REPLAY_STATE_H

#include "replay.h"

#include <pthread.h>

#define NOWHERE UINT32_MAX

enum { UNSEEN, COMING, JOINED, HELD, STARTING, MOVES, RESTS, ENDED, CANCELLED }; /* in this order */

/* A behavior of the schedule, or one of the two roots behind them: the main thread, and all other threads. */
typedef struct {
    uint64_t id;                /* in this run, from its schedule on */
    uint32_t name;
    int32_t parent;             /* its place; -1 and -2: the roots */
    uint32_t nth;               /* which of its parent's */
    uint32_t first, count;      /* its children stand together */
    uint32_t seen;              /* of them, so far */
    uint32_t nbefore, *before;  /* who joins before it */
    uint32_t nended, *ended;    /* who has ended before it joins: pinned ones, on the thread that schedules it */
    uint32_t ncowns, *cowns;    /* of each kind of cown that it takes: the kind before, the kind after, how many */
    int64_t view;               /* writes that its view of the noticeboard showed; -1: it took none */
    int64_t behind;             /* of another thread: the main thread's children before the last calm that came before it; -1: none */
    uint32_t calm;              /* which one of those behind that child */
    int64_t after;              /* pinned: the main thread's children before its start; -1: it is none */
    uint8_t state;
    bool starts, viewed;
} boc__node_t;

typedef struct boc__rest {
    bool (*come)(const void *arg);
    const void *arg;
    bool body;                  /* else a thread of the program, which needs nobody to stand still */
    unsigned long thread;       /* of the main interpreter, as `threading` knows it; else 0 */
    struct boc__rest *next;
} boc__rest_t;

typedef struct {
    uint64_t key;               /* 0: free */
    uint32_t value;
} boc__pair_t;

typedef struct {
    boc__pair_t *at;
    uint32_t mask, used;
} boc__table_t;

typedef struct {
    pthread_t conductor;
    bool on, over, partial;     /* over: all is followed, or a difference was found */
    bool ending;                /* some thread is about to drop it */
    bool opens;                 /* at its end the gate opens */
    uint32_t generation;        /* of replays: who still rests in an older one goes on */
    uint32_t n, nstarts, at;    /* at: starts so far */
    boc__node_t *node;          /* n, then the roots */
    uint32_t *starts;
    uint32_t moving;            /* bodies that run and do not rest */
    uint32_t starting;          /* let through the gate, its body has not begun; or NOWHERE */
    uint32_t timed;             /* bodies that wait for something that ends by itself */
    int64_t calm_behind;        /* the main thread has found nothing pending behind so many children: calms times */
    uint32_t calms;
    uint32_t pinned_rests;
    boc__rest_t *resting;
    uint32_t nwrites, applied;
    struct { int32_t writer; uint32_t key; } *write;
    uint32_t *views, low;       /* views not taken yet of so many writes; the least of those */
    boc__table_t ids, kinds;    /* behaviors; cowns */
    uint64_t events;            /* grows with whatever happens */
    int64_t looked;             /* when it was looked last whether the run stands still */
    int64_t still_ns;           /* for so long nothing could happen */
    int64_t asked_ns;           /* of that, until it was asked last what threads of the program do elsewhere */
    int64_t asleep_ns;          /* of the time without anything that could happen, while they slept */
    uint64_t still_events;
    char text[600];             /* the first difference */
} boc__replay_t;

extern boc__replay_t boc__r;
extern pthread_mutex_t boc__r_mutex;  /* guards it */
extern pthread_cond_t boc__r_changed;

static inline void boc__r_lock(void) { pthread_mutex_lock(&boc__r_mutex); }
static inline void boc__r_unlock(void) { pthread_mutex_unlock(&boc__r_mutex); }
void boc__r_moved(void);            /* under the lock: something happened */
void *boc__replay_conduct(void *unused);

#endif
