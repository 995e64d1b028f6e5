/* The table of names: each text once, for ever, by a small number. 0 is "".
 *
 * Texts stand in blocks that never move, so a number's text is read without a lock; the hash index is looked
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

const char *boc_name_text(uint32_t name) {
    if (name == 0 || name / BLOCK >= BLOCKS) {
        return "";
    }
    const char **b = boc__load_acq(&block[name / BLOCK]);
    const char *text = b != NULL ? b[name % BLOCK] : NULL;
    return text != NULL ? text : "";
}

static uint32_t *place(uint32_t *table, uint32_t size, const char *utf8, size_t n) {
    uint32_t i = hash(utf8, n) & (size - 1);
    while (table[i] != 0) {
        const char *text = boc_name_text(table[i]);
        if (strncmp(text, utf8, n) == 0 && text[n] == 0) {
            break;
        }
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
        const char *text = boc_name_text(i);
        *place(table, size, text, strlen(text)) = i;
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
    char *text = malloc(n + 1);
    if (text == NULL) {
        return 0;
    }
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
