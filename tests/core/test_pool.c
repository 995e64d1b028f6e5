/* Memory: what is handed out is as large as was asked for, and no two hold the same; across threads too. */
#include "fixture.h"

#include "platform.h"

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

int main(void) {
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
