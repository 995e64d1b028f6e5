/* The state of the runtime: one record, and one for each worker. What files above the lanes look at together.
 *
 * Data alone: state.c answers the host's questions about it, whatever acts on it stands in the files above.
 */
#ifndef BOC_STATE_H
#define BOC_STATE_H

#include "host.h"
#include "lane.h"
#include "platform.h"
#include "thread.h"

#ifndef BOC__LONG
#define BOC__LONG 4u /* bound behaviors in a ring from which on thieves help */
#endif
#ifndef BOC__BRISK
#define BOC__BRISK 8u /* bodies of at most BOC__SHORT_NS in a row make a worker brisk: what waits for it gets its turn ... */
#endif
#ifndef BOC__SHORT_NS
#define BOC__SHORT_NS 5000 /* ... sooner than another one wakes up */
#endif
#ifndef BOC__FEW
#define BOC__FEW 16u /* unless there are more in its ring */
#endif
#ifndef BOC__NAP_NS
#define BOC__NAP_NS 1000000 /* a brisk worker that slept for longer counts anew: other work may come */
#endif
#ifndef BOC__LOOK_NS
#define BOC__LOOK_NS 200000 /* a body that takes longer does not keep others from live values */
#endif
#ifndef BOC__YOUNG_NS
#define BOC__YOUNG_NS 50000 /* nor, after this, what is bound to its worker from other workers */
#endif

/* ---- kinds ----
 * A behavior says what kinds of workers may run it. Where all of this runtime's may, it stands in a free or a bound
 * lane. Else it is narrow: for each mask of kinds that is less than all, each worker has one more lane, in which stands
 * only what workers of that mask may run. So
 *  K1 what is in a lane of a worker, or in its pending slot, that worker may run; a thief looks only into lanes whose
 *     mask has its kind;
 *  K2 before a worker sleeps it looks into all lanes that it may take from; who puts into a narrow lane wakes, of the
 *     workers of that mask, one that sleeps, whoever else searches.
 * With workers of one kind there are no narrow lanes and nothing is asked. */
#define BOC__NARROW (BOC_KINDS - 1u) /* masks of three kinds, but for none and all */

/* ---- a worker ----
 * Three sorts of words on cache lines of their own: what others ask and nobody changes, what the worker changes at each
 * behavior, and what others write to it. */
enum { BOC__FREE = 0, BOC__BOUND = 1, BOC__LANES = 2 /* the narrow ones come behind */ };
enum { BOC__W_NEW = 0, BOC__W_UP = 1, BOC__W_ENDED = 2 };
enum { BOC__V_NONE = 0, BOC__V_ASKED = 1, BOC__V_GO_ON = 2, BOC__V_ABANDONED = 3 };

struct boc_worker {
    uint32_t index;
    _Atomic uint32_t phase;   /* BOC__W_... */
    const boc_host_t *host;
    boc__thread_t *thread;
    boc__os_thread_t *os;
    /* the loop's own */
    _Alignas(64) boc_behavior_t *pending; /* made ready by the release in progress: runs next */
    uint32_t in_a_row, tick, turn, victim;
    int64_t stamp;            /* ticks at the end of the last behavior; 0: something else came between */
    int64_t admitted, patience;           /* ticks: when the token fired, and for how long it may rest */
    int64_t cpu_at, cpu_every, cpu_long;  /* ticks: sampling of the thread's CPU clock */
    bool searching;
    uint32_t shorts;          /* short bodies in a row, at most BOC__BRISK */
    int64_t short_body;       /* ticks: BOC__SHORT_NS */
    /* what runs, for others to look at */
    _Atomic(boc_behavior_t *) body; /* the host is in it, or about to be; NULL: none */
    _Atomic uint64_t run_id;
    _Atomic uint32_t run_name;
    _Atomic int64_t run_since; /* ticks */
    _Atomic uint32_t verdict;  /* BOC__V_...: stop's question whether the body is stuck */
    /* lanes: behaviors that any worker may take, and those whose live values are here */
    boc__lane_t lane[BOC__LANES];
    boc__lane_t *more;        /* narrow lanes, by place in boc__rt.narrow; NULL: all workers are of one kind */
    _Alignas(64) _Atomic uint32_t wake; /* sleeps while 0 */
    _Atomic(boc_request_t *) fetches;   /* posted by others, newest first */
    _Atomic(boc_mail_t *) mail;
    _Atomic uint32_t serving;           /* somebody serves the fetches */
    _Atomic uint32_t incoming;          /* behaviors that it took from other homes and whose values are under way */
    _Atomic int64_t brisk;              /* 1: its last bodies were short; 0: not so; else when it fell asleep, brisk (ticks) */
    _Atomic uint32_t porter;            /* see home.h */
    _Atomic(boc__os_thread_t *) porter_os;
    _Alignas(64) struct { /* the worker counts, but for unparked and porter_fetches */
        _Atomic uint64_t pushed_local, pending, popped, stolen, attempts, failures, parked, unparked,
            arm, fetches, porter_fetches, busy_ticks, native;
    } n;
    uint64_t started_before, finished_before; /* its thread's own counts never fall: where this start found them */
};

/* ---- the runtime ---- */
enum { BOC__STOPPED = 0, BOC__RUNNING = 1, BOC__STOPPING = 2 };

typedef struct boc__runtime {
    _Atomic uint32_t state;
    _Atomic uint32_t epoch;     /* of boc_cancel_all */
    _Atomic uint32_t nworkers;
    _Atomic uint32_t nup;       /* workers whose enter succeeded */
    _Atomic uint32_t nfailed;
    _Atomic int start_error;
    uint32_t cores;             /* that the process may use */
    uint32_t searchers;         /* how many may search at once */
    uint32_t spin;              /* rounds of looking before a worker sleeps; 0 on one core */
    _Atomic uint32_t nended;    /* workers whose thread is through */
    uint8_t kinds;              /* of all workers */
    uint8_t nnarrow;            /* masks in narrow[]: 0 with one kind */
    uint8_t narrow[BOC__NARROW];
    uint8_t narrow_of[BOC_KINDS + 1]; /* the place of a mask there */
    const boc_callbacks_t *call;
    void (*before_workers)(void);
    void (*porter)(void *worker); /* what a home's porter does (fetch.c) */
    _Atomic(boc_worker_t *) worker[BOC_MAX_WORKERS];
    _Alignas(64) _Atomic uint32_t searching; /* workers that look for work: no need to wake another. Often written: on a
                                                line of its own, for every schedule reads what stands above */
} boc__runtime_t;
extern boc__runtime_t boc__rt;

static inline boc_worker_t *boc__worker(uint32_t i) {
    return boc__load_rlx(&boc__rt.worker[i]);
}

static inline uint32_t boc__lanes(void) {
    return BOC__LANES + boc__rt.nnarrow;
}

static inline boc__lane_t *boc__lane(boc_worker_t *w, uint32_t i) {
    return i < BOC__LANES ? &w->lane[i] : &w->more[i - BOC__LANES];
}

/* The lane for b at w, which may run it. */
static inline boc__lane_t *boc__lane_for(boc_worker_t *w, const boc_behavior_t *b) {
    return boc__unlikely(b->flags & BOC_B_NARROW) ? &w->more[b->narrow] : &w->lane[b->bound ? BOC__BOUND : BOC__FREE];
}

static inline bool boc__may_take(const boc_worker_t *w, uint32_t lane) {
    return lane < BOC__LANES || (boc__rt.narrow[lane - BOC__LANES] & w->host->kind);
}

/* By w itself. */
static inline void boc__not_brisk(boc_worker_t *w) {
    w->shorts = 0;
    boc__store_rlx(&w->brisk, 0);
}

/* Cancelled, alone or with all. */
static inline bool boc__stale(const boc_behavior_t *b) {
    boc_behavior_t *x = (boc_behavior_t *)b;
    return boc__load_rlx(&x->state) == BOC_ST_CANCELLED || x->epoch != (uint16_t)boc__load_rlx(&boc__rt.epoch);
}

#endif
