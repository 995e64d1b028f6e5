/* Live values: behaviors go where their values are, fetches bring values to rest, nobody waits for a body
 * that has nothing to do with him. And mail. */
#include "fixture.h"

#include "platform.h"
#include "state.h"
#include "wake.h"

static void nothing(task_t *t) {
    (void)t;
}

static _Atomic uint32_t place;

static void where(task_t *t) {
    (void)t;
    place = boc_self();
}

/* A value that is live somewhere draws its next behavior there. */
static void test_drawn(void) {
    test_live_values = true;
    test_start(2);
    boc_cown_t *c = cown();
    when1(where, NULL, 0, c, BOC_WRITE);
    test_wait();
    uint32_t first = place;
    CHECK_EQ(c->home, first + 1);
    for (int i = 0; i < 200; i++) {
        when1(where, NULL, 0, c, BOC_WRITE);
        test_wait();
        CHECK_EQ(place, first);
    }
    CHECK_EQ(test_encoded, 0);
    when1(nothing, NULL, 0, c, BOC_READ); /* the host checks that it rests */
    test_wait();
    CHECK_EQ(test_encoded, 1);
    CHECK_EQ(c->home, 0);
    boc_cown_release(c);
    test_stop();
}

/* Keeps a worker in a body. */
typedef struct {
    _Atomic bool in, out;
    _Atomic uint32_t at;
} stay_t;

static void stay(task_t *t) {
    stay_t *s = t->arg;
    s->at = boc_self();
    s->in = true;
    while (!s->out) {
        boc__os_yield();
    }
}

/* Home is inside a long body: the value comes by the porter, the behavior runs elsewhere. */
static void test_porter(uint8_t mode) {
    test_live_values = true;
    test_start(2);
    for (int round = 0; round < 5; round++) {
        boc_cown_t *c = cown(), *d = cown();
        stay_t s = {0};
        when1(stay, &s, 0, d, BOC_WRITE);
        while (!s.in) {
            boc__os_yield();
        }
        atomic_store(&c->home, (uint16_t)(s.at + 1)); /* as if a body there had left it */
        when1(where, NULL, 0, c, mode);
        int64_t start = boc_now(), end = start + 10000000000;
        while (c->home == s.at + 1 || !boc_cown_idle(c)) {
            CHECK(boc_now() < end);
            boc__os_yield();
        }
        CHECK(place != s.at);
        s.out = true;
        test_wait();
        boc_cown_release(c);
        boc_cown_release(d);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* Main leaves to a brisk worker what it posts and lets the other one sleep; but this body is long. */
static void test_brisk(void) {
    test_live_values = false;
    test_start(2);
    for (int round = 0; round < 20; round++) {
        stay_t s = {0};
        when(stay, &s, 0, 0, NULL);
        while (!s.in || !boc__idle_is(1 - s.at)) {
            boc__os_yield();
        }
        boc_worker_t *w = boc__worker(s.at);
        atomic_store(&w->brisk, 1);
        place = UINT32_MAX;
        when(where, NULL, 0, 0, NULL);
        while (place == UINT32_MAX) {
            boc__os_yield();
        }
        CHECK_EQ(place, 1 - s.at);
        CHECK_EQ(w->brisk, 0);
        s.out = true;
        test_wait();
    }
    test_stop();
}

/* A native behavior and a pinned one never see a live value. */
static _Atomic uint64_t rested;

static int check_rest(boc_behavior_t *b) {
    CHECK_EQ(b->req[0].cown->home, 0);
    rested++;
    return BOC_RAN;
}

static void test_native(void) {
    test_live_values = true;
    test_start(2);
    rested = 0;
    boc_cown_t *c = cown();
    for (int i = 0; i < 300; i++) {
        when1(nothing, NULL, 0, c, BOC_WRITE);
        boc_behavior_t *b = task_new(1, NULL, NULL, 0);
        b->flags = BOC_B_NATIVE;
        b->run = check_rest;
        boc_request_set(b, 0, c, 0, BOC_WRITE);
        CHECK_EQ(boc_schedule(b, 0), BOC_OK);
    }
    test_wait();
    CHECK_EQ(rested, 300);
    boc_cown_release(c);
    test_stop();
}

/* Random sets over live values, with readers: the host checks homes and holders in every body. */
static void roam(task_t *t) {
    if (t->n > 0) {
        uint32_t r = (uint32_t)t->n * 2654435761u ^ (uint32_t)(uintptr_t)t->b;
        boc_cown_t **c = t->arg;
        boc_behavior_t *b = task_new(2, roam, c, t->n - 1);
        boc_request_set(b, 0, c[r % 7], 0, r >> 8 & 1);
        boc_request_set(b, 1, c[(r >> 16) % 7], 1, r >> 9 & 1);
        CHECK_EQ(boc_schedule(b, t->b->id), BOC_OK);
        if (r >> 31) {
            work_ns((r >> 10) % 200000);
        }
    }
}

static void test_roaming(void) {
    test_live_values = true;
    test_start(3);
    boc_cown_t *c[7];
    for (int i = 0; i < 7; i++) {
        c[i] = cown();
    }
    for (int i = 0; i < 5; i++) {
        when1(roam, c, 800, c[i], BOC_WRITE);
    }
    test_wait();
    CHECK(test_encoded > 0);
    for (int i = 0; i < 7; i++) {
        CHECK(boc_cown_idle(c[i]));
        boc_cown_release(c[i]);
    }
    CHECK_EQ(test_cowns, 0);
    test_stop();
}

/* Many short behaviors bound to one worker, another idle: it takes some over. */
static void hop(task_t *t) {
    work_ns(20000);
    if (t->n > 0) {
        when1(hop, NULL, t->n - 1, t->b->req[0].cown, BOC_WRITE);
    }
}

static void test_spread(void) {
    test_live_values = true;
    test_start(2);
    boc_cown_t *c[12];
    for (int i = 0; i < 12; i++) {
        c[i] = cown();
        atomic_store(&c[i]->home, 1);
        when1(hop, NULL, 200, c[i], BOC_WRITE);
    }
    test_wait();
    boc_stats_t s;
    boc_worker_stats(1, &s);
    CHECK(s.started > 0);
    for (int i = 0; i < 12; i++) {
        boc_cown_release(c[i]);
    }
    test_stop();
}

/* Mail: on the right thread, in order, also while the worker sleeps. */
/* Values are slow to come. Whoever takes what is bound to another home leaves it as many as are under way. */
enum { MANY = 16 };
static boc_cown_t *many[MANY];
static _Atomic bool slow;
static void (*quick_encode)(uint32_t, boc_cown_t *);

static void encode_slowly(uint32_t home, boc_cown_t *c) {
    while (slow) {
        boc__os_yield();
    }
    quick_encode(home, c);
}

static void crowd(task_t *t) {
    for (int i = 0; i < MANY; i++) {
        atomic_store(&many[i]->home, (uint16_t)(boc_self() + 1)); /* as if a body here had left it */
        when1(nothing, NULL, 0, many[i], BOC_WRITE);
    }
    stay(t);
}

static void test_half(void) {
    quick_encode = test_callbacks.encode;
    test_callbacks.encode = encode_slowly;
    test_live_values = true;
    slow = true;
    test_start(2);
    for (int i = 0; i < MANY; i++) {
        many[i] = cown();
    }
    boc_cown_t *c = cown();
    stay_t s = {0};
    when1(crowd, &s, 0, c, BOC_WRITE);
    while (!s.in) {
        boc__os_yield();
    }
    boc_worker_t *home = boc__worker(s.at), *thief = boc__worker(1 - s.at);
    while (boc__load_acq(&thief->incoming) == 0 || !boc__idle_any()) { /* it has begun, and sleeps again */
        boc__os_yield();
    }
    CHECK_EQ(boc__load_acq(&thief->incoming), MANY / 2);
    CHECK_EQ(boc__lane_size(&home->lane[BOC__BOUND]), MANY / 2);
    slow = false;
    int64_t end = boc_now() + 10000000000;
    while (test_ran != MANY) { /* home is still in its body: by the thief, all of them */
        CHECK(boc_now() < end);
        boc__os_yield();
    }
    s.out = true;
    test_wait();
    CHECK_EQ(boc__load_acq(&thief->incoming), 0);
    for (int i = 0; i < MANY; i++) {
        boc_cown_release(many[i]);
    }
    boc_cown_release(c);
    test_stop();
    test_callbacks.encode = quick_encode;
}

static uint32_t letters;

typedef struct {
    boc_mail_t mail;
    uint32_t n, to;
} letter_t;

static void open_letter(boc_mail_t *m) {
    letter_t *l = (letter_t *)m;
    CHECK_EQ(boc_self(), l->to);
    CHECK_EQ(letters, l->n);
    atomic_store((_Atomic uint32_t *)&letters, letters + 1);
    free(l);
}

static void test_mail(void) {
    test_start(2);
    for (uint32_t i = 0; i < 5000; i++) {
        letter_t *l = malloc(sizeof *l);
        *l = (letter_t){.mail.fn = open_letter, .n = i, .to = 1};
        CHECK_EQ(boc_mail_post(1, &l->mail), BOC_OK);
    }
    while (atomic_load((_Atomic uint32_t *)&letters) != 5000) {
        boc__os_yield();
    }
    test_stop();
    letter_t late;
    CHECK_EQ(boc_mail_post(1, &late.mail), BOC_ESTATE);
    CHECK_EQ(boc_mail_post(7, &late.mail), BOC_ESTATE);
}

int main(void) {
    test_drawn();
    test_porter(BOC_WRITE);
    test_porter(BOC_READ);
    test_brisk();
    test_native();
    test_roaming();
    test_spread();
    test_half();
    test_mail();
    return 0;
}
