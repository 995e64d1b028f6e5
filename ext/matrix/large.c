/* large.c: blocks of megabytes: pages of the system, and a shelf of the process where they wait to be used again.
 *
 * malloc serves such blocks badly. An aligned one does not fit where one of the same size was freed, so a loop over
 * temporaries walks through ever new memory; and each page that the system gives anew costs a fault: together more time
 * than the arithmetic. Here each block begins with a huge page, and the shelf outlasts an expression. */
#include "matrix.h"
#include "trylock.h"

#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, WHOLE_PAGES = 64 << 10, PLACES = 8 };
static const size_t shelf_bytes = (size_t)128 << 20;

static struct {
    _Alignas(64) _Atomic bool taken;
    boc__block_t *block[PLACES]; /* oldest first */
    int count;
    size_t bytes;
} shelf;

static size_t mapped_bytes(size_t doubles)
{
    const size_t bytes = sizeof(boc__block_t) + doubles * sizeof(double) + BOC_READ_PAST;

    return (bytes + WHOLE_PAGES - 1) / WHOLE_PAGES * WHOLE_PAGES;
}

static boc__block_t *map(size_t doubles)
{
    const size_t bytes = mapped_bytes(doubles), room = bytes + HUGE_PAGE;
    char *const at = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;
    boc__block_t *block;

    if (at == MAP_FAILED)
        return NULL;
    before = -(uintptr_t)at & (HUGE_PAGE - 1);
    if (before != 0)
        (void)munmap(at, before);
    (void)munmap(at + before + bytes, HUGE_PAGE - before);
    block = (boc__block_t *)(at + before);
#if defined(MADV_HUGEPAGE)
    (void)madvise(block, bytes, MADV_HUGEPAGE); /* fewer faults on first touch; only advice: failure changes nothing */
#endif
    block->capacity = doubles;
    block->next = NULL;
    block->origin = NULL;
    return block;
}

static void unmap_list(boc__block_t *block)
{
    while (block != NULL) {
        boc__block_t *const next = block->next;
        (void)munmap(block, mapped_bytes(block->capacity));
        block = next;
    }
}

/* The lock is held. */
static boc__block_t *take_away(int place)
{
    boc__block_t *const block = shelf.block[place];

    shelf.count--;
    shelf.bytes -= mapped_bytes(block->capacity);
    for (int i = place; i < shelf.count; i++)
        shelf.block[i] = shelf.block[i + 1];
    return block;
}

boc__block_t *boc__large_get(size_t doubles)
{
    boc__block_t *block = NULL;

    if (boc__try_lock(&shelf.taken)) {
        int best = -1;

        for (int i = 0; i < shelf.count; i++) {
            const size_t capacity = shelf.block[i]->capacity;
            if (capacity >= doubles && capacity - doubles <= doubles / 4 &&
                (best < 0 || capacity <= shelf.block[best]->capacity))
                best = i;
        }
        if (best >= 0)
            block = take_away(best);
        boc__unlock(&shelf.taken);
    }
    return block != NULL ? block : map(doubles);
}

void boc__large_put(boc__block_t *block)
{
    const size_t bytes = mapped_bytes(block->capacity);
    boc__block_t *leaving = NULL;

    block->next = NULL;
    if (bytes <= shelf_bytes && boc__try_lock(&shelf.taken)) {
        while (shelf.count == PLACES || shelf.bytes + bytes > shelf_bytes) {
            boc__block_t *const oldest = take_away(0);
            oldest->next = leaving;
            leaving = oldest;
        }
        shelf.block[shelf.count++] = block;
        shelf.bytes += bytes;
        boc__unlock(&shelf.taken);
    } else {
        leaving = block;
    }
    unmap_list(leaving);
}
