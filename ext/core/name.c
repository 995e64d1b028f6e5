/* The table of names: each text once, for ever, by a small number. 0 is "".
 *
 * A text may hold NULs: its size, four bytes, stands before it. Texts stand in blocks that never move, so a number's text is read without a lock; the hash index is looked
 * at and grown under one. An entry is written before the number is given out.
 */
#include "atomic.h"
#include "core.h"
#include "fork.h"
#include "lock.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 1024u
#define BLOCKS 4096u

static _Atomic(const char **) block[BLOCKS];
static boc__lock_t lock;
static uint32_t count = 1; /* next number */
static uint32_t *index_of; /* open addressing; 0: free */
static uint32_t capacity;

static uint32_t hash(const char *s, size_t n) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    }
    return h;
}

/* Its text, the size before it; NULL: no such name. */
static const char *text_of(uint32_t name) {
    const char **b = name / BLOCK < BLOCKS ? boc__load_acq(&block[name / BLOCK]) : NULL;
    return name != 0 && b != NULL ? b[name % BLOCK] : NULL;
}

const char *boc_name_text(uint32_t name) {
    const char *text = text_of(name);
    return text != NULL ? text : "";
}

size_t boc_name_size(uint32_t name) {
    const char *text = text_of(name);
    uint32_t n = 0;
    if (text != NULL) {
        memcpy(&n, text - sizeof n, sizeof n);
    }
    return n;
}

static uint32_t *place(uint32_t *table, uint32_t size, const char *utf8, size_t n) {
    uint32_t i = hash(utf8, n) & (size - 1);
    while (table[i] != 0 && (boc_name_size(table[i]) != n || memcmp(boc_name_text(table[i]), utf8, n) != 0)) {
        i = (i + 1) & (size - 1);
    }
    return &table[i];
}

static bool grow(void) {
    uint32_t size = capacity != 0 ? capacity * 2 : 256;
    uint32_t *table = calloc(size, sizeof *table);
    if (table == NULL) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        *place(table, size, boc_name_text(i), boc_name_size(i)) = i;
    }
    free(index_of);
    index_of = table;
    capacity = size;
    return true;
}

static uint32_t add(uint32_t *where, const char *utf8, size_t n) {
    uint32_t id = count;
    if (id / BLOCK >= BLOCKS) {
        return 0;
    }
    const char **b = boc__load_rlx(&block[id / BLOCK]);
    if (b == NULL) {
        b = calloc(BLOCK, sizeof *b);
        if (b == NULL) {
            return 0;
        }
        boc__store_rel(&block[id / BLOCK], b);
    }
    uint32_t size = (uint32_t)n;
    char *text = n < UINT32_MAX ? malloc(sizeof size + n + 1) : NULL;
    if (text == NULL) {
        return 0;
    }
    memcpy(text, &size, sizeof size);
    text += sizeof size;
    memcpy(text, utf8, n);
    text[n] = 0;
    b[id % BLOCK] = text;
    *where = id;
    count++;
    return id;
}

uint32_t boc_name(const char *utf8, size_t n) {
    if (n == 0) {
        return 0;
    }
    boc__lock(&lock);
    uint32_t id = 0;
    if (count * 2 < capacity || grow()) {
        uint32_t *where = place(index_of, capacity, utf8, n);
        id = *where != 0 ? *where : add(where, utf8, n);
    }
    boc__unlock(&lock);
    return id;
}

void boc__names_fork_child(void) {
    boc__store_rlx(&lock.word, 0);
}

uint32_t boc_name_count(void) {
    boc__lock(&lock);
    uint32_t n = count;
    boc__unlock(&lock);
    return n;
}
