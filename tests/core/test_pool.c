/* Memory: what is handed out is as large as was asked for, and no two hold the same; across threads too. And what others
 * freed goes home: two threads that exchange objects do not end up with objects in the same lines. */
#include "fixture.h"

#include "platform.h"
#include "pool.h"

#include <stdio.h>

#define OBJECTS 20000

static unsigned char *object[OBJECTS];
static uint32_t extra_of[OBJECTS];

static void fill(uint32_t i) {
    boc_behavior_t *b = (boc_behavior_t *)object[i];
    memset(boc_behavior_extra(b), (int)(i & 255), extra_of[i]);
}

static void check(uint32_t i) {
    boc_behavior_t *b = (boc_behavior_t *)object[i];
    unsigned char *p = boc_behavior_extra(b);
    for (uint32_t k = 0; k < extra_of[i]; k++) {
        CHECK_EQ(p[k], i & 255);
    }
    CHECK_EQ((uintptr_t)p % 16, 0);
}

static void make(uint32_t i, uint32_t *r) {
    *r = *r * 1664525 + 1013904223;
    extra_of[i] = (*r >> 8) % 200 + ((*r >> 28) == 0 ? 2000 : 0);
    object[i] = (unsigned char *)boc_behavior_new((*r >> 20) % 5, extra_of[i]);
    CHECK(object[i] != NULL);
    for (uint32_t k = 0; k < extra_of[i]; k++) {
        CHECK_EQ(((unsigned char *)boc_behavior_extra((boc_behavior_t *)object[i]))[k], 0);
    }
    fill(i);
}

static void free_odd(void *arg) {
    (void)arg;
    for (uint32_t i = 1; i < OBJECTS; i += 2) {
        check(i);
        boc_behavior_free((boc_behavior_t *)object[i]);
    }
}

/* ---- home ------------------------------------------------------------------------------ */
#define EACH 1024u
#define SIZE 112u /* no whole number of lines */

static void *mine[EACH], *theirs[EACH];

static void *new_one(void) {
    return boc_behavior_new(1, SIZE - sizeof(boc_behavior_t) - sizeof(boc_request_t));
}

static void make_theirs(void *arg) {
    (void)arg;
    for (uint32_t i = 0; i < EACH; i++) {
        theirs[i] = new_one();
    }
}

/* Half of each one's own, in turn. */
static void free_half(uint32_t half) {
    for (uint32_t i = half; i < EACH; i += 2) {
        boc_behavior_free(mine[i]);
        boc_behavior_free(theirs[i]);
    }
}

static void free_their_half(void *arg) {
    (void)arg;
    free_half(1);
}

static void on_thread(void (*fn)(void *)) {
    boc__os_thread_join(boc__os_thread_start(fn, NULL, "other")); /* one after another, so with the same record */
}

static int by_address(const void *a, const void *b) {
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

/* Lines with one of mine and one of theirs. */
static uint32_t shared_lines(void) {
    static uintptr_t at[4 * EACH]; /* the first line and the last, and whose in the lowest bit */
    for (uint32_t i = 0; i < EACH; i++) {
        at[4 * i] = (uintptr_t)mine[i] / 64 * 64;
        at[4 * i + 1] = ((uintptr_t)mine[i] + SIZE - 1) / 64 * 64;
        at[4 * i + 2] = (uintptr_t)theirs[i] / 64 * 64 + 1;
        at[4 * i + 3] = ((uintptr_t)theirs[i] + SIZE - 1) / 64 * 64 + 1;
    }
    qsort(at, 4 * EACH, sizeof at[0], by_address);
    uint32_t n = 0;
    for (uint32_t i = 1; i < 4 * EACH; i++) {
        n += at[i] - at[i - 1] == 1;
    }
    return n;
}

static void home(void) {
    for (uint32_t i = 0; i < EACH; i++) {
        mine[i] = new_one();
    }
    on_thread(make_theirs);
    for (int round = 0; round < 3; round++) {
        on_thread(free_their_half);
        free_half(0);
        on_thread(make_theirs);
        for (uint32_t i = 0; i < EACH; i++) {
            mine[i] = new_one();
        }
    }
    if (!BOC__EACH_FROM_MALLOC) {
        CHECK(shared_lines() < 8); /* what was on its way home meanwhile */
    }
    free_half(0);
    free_half(1);
}

int main(void) {
    home();
    uint32_t r = 3;
    for (int round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < OBJECTS; i++) {
            make(i, &r);
        }
        boc__os_thread_t *t = boc__os_thread_start(free_odd, NULL, "frees");
        boc__os_thread_join(t);
        for (uint32_t i = 1; i < OBJECTS; i += 2) { /* some of them from what the other gave back */
            make(i, &r);
        }
        for (uint32_t i = 0; i < OBJECTS; i++) {
            check(i);
            boc_behavior_free((boc_behavior_t *)object[i]);
        }
    }
    return 0;
}
