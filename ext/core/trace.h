/* Trace rings: one single-producer ring of slots of 32 bytes per producing thread, overwrite oldest. A slot holds a record,
 * or two that come together. The reader copies, looks again how far the writer is, drops what was overtaken and counts
 * it. Writing: tracing.h. */
#ifndef BOC_TRACE_H
#define BOC_TRACE_H

#include "core.h"

enum {
#define X(name, subject, other, seq, flags, phase) BOC_T_##name,
#include "trace_events.def"
#undef X
    BOC_T_COUNT
};

typedef struct boc_record {
    int64_t time;
    uint64_t subject, other;
    uint32_t seq;
    uint8_t kind, flags;
    uint16_t thread;
} boc_record_t;

typedef struct boc_trace_cursor boc_trace_cursor_t;

/* Record on the calling thread's ring; free when tracing is off. */
void boc_trace(uint8_t kind, uint64_t subject, uint64_t other, uint32_t seq, uint8_t flags);
extern _Atomic uint32_t boc_trace_on;
void boc_trace_enable(bool on);

/* A cursor starts at the oldest record that each ring still holds. Rings made later join. */
boc_trace_cursor_t *boc_trace_open(void);
/* Copies up to max records (times already in CLOCK_MONOTONIC ns; ordered within a thread, not across).
   Adds the slots that were overtaken since the last call to lost[thread] (BOC_MAX_WORKERS + 64 words). Returns the number
   of records. */
size_t boc_trace_read(boc_trace_cursor_t *c, boc_record_t *out, size_t max, uint64_t *lost);
/* How many slots of a thread were overtaken before the cursor's first look, since it began or was cleared. */
uint64_t boc_trace_before(const boc_trace_cursor_t *c, uint32_t thread);
void boc_trace_close(boc_trace_cursor_t *c);
void boc_trace_clear(void);   /* forget all records (boc.reset) */

/* ---- exact counters by name ----
 * What the rings have forgotten is still counted: bodies by thread and name, holdings of cowns by name. */
enum { BOC_TALLY_BODY = 0, BOC_TALLY_COWN = 1 };

typedef struct boc_tally_row {
    uint32_t name;   /* 0: no name, or one of the many beyond the table */
    uint16_t thread; /* bodies: as in a record; cowns: UINT16_MAX */
    uint8_t kind, spare;
    uint64_t n;      /* bodies that ended; grants, but for main's own looks */
    int64_t ns;      /* how long they ran; how long cowns of this name were held, those that are now up to now */
    int64_t more;    /* bodies that raised; cowns that are held now */
    int64_t used;    /* cowns: how long bodies had them; readers at once each count */
} boc_tally_row_t;

typedef struct boc_tally {
    int64_t time;    /* when it was read, ns */
    int64_t first;   /* the first start of a body since the mark before; -1: none ended since */
    uint32_t n;
    boc_tally_row_t *row;
} boc_tally_t;

/* The sums at each mark, oldest first, and now: at most max, returns how many; each is for boc_tally_free. */
uint32_t boc_tally_read(boc_tally_t *out, uint32_t max);
void boc_tally_free(boc_tally_t *y);
void boc_tally_mark(void);    /* nothing is pending: here a run ends */
void boc_tally_raised(uint32_t name); /* a body of this thread raised */
void boc__tally_clear(void);  /* with boc_trace_clear */

#endif
