"""From records to columns with no Python loop over behaviors: ids come from counters, so they index."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import (
    CANCELLED,
    DONE,
    I32,
    I64,
    LOST,
    NO_THREAD,
    NONE,
    RAISED,
    READY,
    RUNNING,
    WAITING,
    Behaviors,
    Bool,
    Requests,
)
from .events import flag
from .records import MAIN, Gap, Records
from .split import ByKind, Rows

_S_READY, _S_PINNED = flag("schedule", "READY"), flag("schedule", "PINNED")
_S_NATIVE, _S_RESULT = flag("schedule", "NATIVE"), flag("schedule", "has a result")
_R_READ, _R_GRANTED = flag("request", "READ"), flag("request", "GRANTED")
_G_READ, _G_READY = flag("grant", "READ"), flag("grant", "READY")
_RAISED, _CANCELLED = flag("end", "RAISED"), flag("end", "CANCELLED")


def thread_row(thread: NDArray[Any]) -> I32:
    """Thread numbers of records to rows: workers 0.., main -1, other threads -2, -3, .."""
    t = thread.astype(np.int32)
    out: I32 = np.where(t < MAIN, t, MAIN - 1 - t).astype(np.int32)
    return out


class Ids:
    """Rows by id, in order of id: a table where the ids are dense, a search where they are not."""

    def __init__(self, *parts: NDArray[np.uint64]) -> None:
        parts = tuple(p for p in parts if len(p))
        total = sum(len(p) for p in parts)
        self._table: I32 | None = None
        self._low = np.uint64(0)
        if not total:
            self.id: NDArray[np.uint64] = np.empty(0, np.uint64)
            return
        low, high = min(int(p.min()) for p in parts), max(int(p.max()) for p in parts)
        span = high - low + 1
        if span > 8 * total + 65536:
            self.id = np.unique(np.concatenate(parts))
            return
        self._low = np.uint64(low)
        present = np.zeros(span, bool)
        for p in parts:
            present[p - self._low] = True
        self.id = (np.flatnonzero(present).astype(np.uint64)) + self._low
        self._table = np.cumsum(present, dtype=np.int32) - 1
        self._table[~present] = NONE

    def __len__(self) -> int:
        return len(self.id)

    def rows(self, ids: NDArray[np.uint64]) -> I32:
        """Rows of ids, -1 where unknown."""
        if not len(self.id):
            return np.full(len(ids), NONE, np.int32)
        if self._table is not None:
            at = ids - self._low  # below: wraps to a large number
            if len(at) and int(at.max()) < len(self._table):
                direct: I32 = self._table[at]
                return direct
            ok = at < len(self._table)
            out: I32 = np.where(ok, self._table[np.where(ok, at, 0)], NONE).astype(np.int32)
            return out
        place = np.minimum(np.searchsorted(self.id, ids), len(self.id) - 1)
        found: I32 = np.where(self.id[place] == ids, place, NONE).astype(np.int32)
        return found


def behaviors(kinds: ByKind, gaps: list[Gap], down: Records) -> tuple[Behaviors, Ids, Bool]:
    """The table of behaviors, their ids, and which have a result cown."""
    sched, start, end, request = (kinds.rows(k) for k in ("schedule", "start", "end", "request"))
    ids = Ids(sched["subject"], start["subject"], end["subject"], request["subject"])
    n = len(ids)

    def times(source: Rows | Records) -> tuple[I64, I32]:
        column = np.full(n, NONE, np.int64)
        row, time = ids.rows(source["subject"]), source["time"]
        if len(row) and row.min() < 0:
            time, row = time[row >= 0], row[row >= 0]
        column[row] = time
        return column, row

    t_sched, row = times(sched)
    name = np.zeros(n, np.int32)
    parent = np.zeros(n, np.uint64)
    flags = np.zeros(n, np.uint8)
    name[row], parent[row], flags[row] = sched["seq"], sched["other"], sched["flags"]
    t_start, row = times(start)
    thread = np.full(n, NO_THREAD, np.int32)
    stolen = np.full(n, NONE, np.int32)
    thread[row] = thread_row(start["thread"])
    unnamed = name[row] == 0  # its schedule was overtaken: the start names it too
    if unnamed.any():
        name[row[unnamed]] = start["seq"][unnamed]
    taken = kinds["steal"]
    victim = ids.rows(taken["subject"])
    stolen[victim[victim >= 0]] = taken["seq"][victim >= 0]
    stolen[t_start < 0] = NONE
    cpu = np.zeros(n, np.int64)
    cpu[row] = start["other"].astype(np.int64)
    started = start
    t_body, _ = times(kinds.rows("body"))
    t_end, row = times(end)
    end_flags = np.zeros(n, np.uint8)
    end_flags[row] = end["flags"]
    thread[row] = thread_row(end["thread"])
    cpu_end = np.zeros(n, np.int64)
    cpu_end[row] = end["other"].astype(np.int64)
    cpu = np.where((cpu > 0) & (cpu_end > cpu), cpu_end - cpu, 0)
    t_body_end, _ = times(kinds.rows("body_end"))
    t_cancel, _ = times(kinds["cancel"])
    t_ready, _ = times(kinds.rows("ready"))
    at_once = (flags & _S_READY).astype(bool)
    t_ready = np.where((t_ready < 0) & at_once, t_sched, t_ready)
    # A worker starts its next body at the end of the one before, without looking at the clock again: what was
    # scheduled by another thread since then did not start before that.
    since = np.maximum(t_sched, t_ready)
    since = np.where(t_end >= 0, np.minimum(since, t_end), since)
    t_start = np.where(t_start >= 0, np.maximum(t_start, since), t_start)
    # A body without decode begins at the start, one without encode stops at the end: no record says so.
    t_body = np.where(t_body < 0, t_start, t_body)
    t_body_end = np.where((t_body_end < 0) & (t_start >= 0), t_end, t_body_end)

    state = np.full(n, WAITING, np.uint8)
    state[t_ready >= 0] = READY
    state[t_start >= 0] = RUNNING
    ended = t_end >= 0
    state[ended] = DONE
    raised = (end_flags & _RAISED) > 0
    marked = ids.rows(kinds["raise"]["subject"])
    raised[marked[marked >= 0]] = True
    state[ended & raised] = RAISED
    gone = (t_cancel >= 0) & (t_start < 0)
    state[(ended & ((end_flags & _CANCELLED) > 0)) | gone] = CANCELLED
    native = ((flags & _S_NATIVE) > 0) | ((t_sched < 0) & (t_start < 0) & (thread < 0))
    out = Behaviors(
        ids.id,
        name,
        parent,
        t_sched,
        t_ready,
        t_start,
        t_body,
        t_body_end,
        t_end,
        t_cancel,
        thread,
        stolen,
        state,
        (flags & _S_PINNED).astype(bool),
        native,
        cpu,
    )
    _lost(out, started, gaps, down, kinds.records)
    return out, ids, (flags & _S_RESULT).astype(bool)


def _lost(b: Behaviors, started: Rows, gaps: list[Gap], down: Records, records: Records) -> None:
    """Whose end was overtaken is not running; whose start may have been is not waiting."""
    running = np.flatnonzero(b.state == RUNNING)
    horizon: dict[int, int] = {}
    for gap in gaps:
        horizon[gap.thread] = max(horizon.get(gap.thread, NONE), gap.end)
    torn = ((b.sched < 0) & (b.start >= 0)) | ((b.end >= 0) & (b.start < 0) & (b.state != CANCELLED))
    if len(records) and bool((torn & ~b.native).any()):
        # A ring wrapped before anybody looked: nothing is known before its first record.
        thread = records["thread"]
        cut = np.concatenate(([0], np.flatnonzero(thread[1:] != thread[:-1]) + 1))
        for at in cut.tolist():
            t = int(thread[at])
            horizon.setdefault(t, int(records["time"][at]))
    if len(running):
        latest: dict[int, int] = {}
        rows = thread_row(started["thread"])
        for t in np.unique(b.thread[running]).tolist():
            latest[t] = int(started["time"][rows == t].max())
        dead = {int(thread_row(np.array([t]))[0]): h for t, h in horizon.items()}
        for t, when in zip(down["subject"].tolist(), down["time"].tolist(), strict=True):
            dead[t] = max(dead.get(t, NONE), when)
        for i in running.tolist():
            t = int(b.thread[i])
            if b.start[i] < latest[t] or b.start[i] < dead.get(t, NONE):
                b.state[i] = LOST
    workers = [h for t, h in horizon.items() if t <= MAIN]
    if workers:
        limit = max(workers)
        b.state[(b.state <= READY) & (b.sched < limit)] = LOST
    b.state[(b.state <= READY) & (b.sched < 0)] = LOST
    b.state[(b.end >= 0) & (b.start < 0) & (b.state != CANCELLED) & ~b.native] = LOST  # its bar has no begin


def requests(kinds: ByKind, b: Behaviors, ids: Ids, result: Bool) -> tuple[Requests, Ids]:
    """The table of requests, with the holding of result cowns from birth where others asked for them."""
    asked, granted, made = kinds.rows("request"), kinds.rows("grant"), kinds["result"]
    cowns = Ids(asked["other"], granted["other"])
    who, what = ids.rows(asked["subject"]), cowns.rows(asked["other"])
    time = asked["time"]
    got = (asked["flags"] & _R_GRANTED) > 0
    read = (asked["flags"] & _R_READ) > 0
    seq = asked["seq"].astype(np.int64)
    pred = np.full(len(who), NONE, np.int32)
    pred[~got] = _predecessor(seq[~got], ids)
    grant = np.where(got, time, NONE)
    exact = got.copy()

    # Keep the requests of one behavior together, so that a grant finds its request in a few steps.
    if len(who) and np.count_nonzero(who[1:] != who[:-1]) + 1 != np.count_nonzero(np.bincount(who, minlength=1)):
        order = np.argsort(who, kind="stable")
        who, what, time, read = who[order], what[order], time[order], read[order]
        pred, grant, exact = pred[order], grant[order], exact[order]
    first, count = _runs(who, len(b))
    g_who, g_what, g_time = ids.rows(granted["subject"]), cowns.rows(granted["other"]), granted["time"]
    at = _find(g_who, g_what, first, count, what)
    hit = at >= 0
    grant[at[hit]] = g_time[hit]
    exact[at[hit]] = True
    last = hit & ((granted["flags"] & _G_READY) > 0)
    b.ready[g_who[last]] = g_time[last]
    stray = ~hit & (g_who >= 0)

    parts: list[tuple[Any, ...]] = [(who, what, read, time, grant, pred, exact)]
    if stray.any():
        k = int(stray.sum())
        parts.append(
            (
                g_who[stray],
                g_what[stray],
                (granted["flags"][stray] & _G_READ) > 0,
                np.full(k, NONE, np.int64),
                g_time[stray],
                np.full(k, NONE, np.int32),
                np.ones(k, bool),
            )
        )
    own = _results(b, made, ids, cowns, result, who, what)
    if own is not None:
        parts.append(own)
    if len(parts) > 1:
        who, what, read, time, grant, pred, exact = (np.concatenate(x) for x in zip(*parts, strict=True))
    _settle(b, who, grant)
    late = grant < 0
    if late.any():
        # Granted at the latest when it was ready; the record that said when was overtaken.
        known = np.where(b.ready >= 0, b.ready, b.start)[who]
        grant = np.where(late, known, grant)
    release = np.where(grant >= 0, b.end[who], NONE)
    return Requests(who, what, read, time, grant, release, pred, exact), cowns


def _predecessor(low: I64, ids: Ids) -> I32:
    """Rows of behaviors by the low 32 bits of their ids."""
    if not len(ids):
        return np.full(len(low), NONE, np.int32)
    base = int(ids.id[-1])
    back = ((base & 0xFFFFFFFF) - low) & 0xFFFFFFFF
    whole = np.where(back <= base, base - back, 0).astype(np.uint64)
    return ids.rows(whole)


def _runs(who: I32, n: int) -> tuple[I32, I32]:
    first = np.zeros(n, np.int32)
    if not len(who):
        return first, first.copy()
    cut = np.concatenate(([0], np.flatnonzero(who[1:] != who[:-1]) + 1))
    first[who[cut]] = cut
    count = np.bincount(who, minlength=n).astype(np.int32)
    return first, count


def _find(g_who: I32, g_what: I32, first: I32, count: I32, what: I32) -> I32:
    """Rows of the requests that grants answer, -1 where there is none."""
    at = np.full(len(g_who), NONE, np.int32)
    if not len(what):
        return at
    left = np.flatnonzero(g_who >= 0)
    place, stop = first[g_who[left]], first[g_who[left]] + count[g_who[left]]
    while True:
        inside = place < stop
        if not inside.all():
            left, place, stop = left[inside], place[inside], stop[inside]
        if not len(left):
            return at
        same = what[place] == g_what[left]
        at[left[same]] = place[same]
        left, place, stop = left[~same], place[~same] + 1, stop[~same]


def _results(
    b: Behaviors, made: Records, ids: Ids, cowns: Ids, result: Bool, who: I32, what: I32
) -> tuple[Any, ...] | None:
    """A behavior holds its result cown from its schedule on; said only for those that others asked for."""
    mine = np.flatnonzero(result & (b.sched >= 0))
    theirs = cowns.rows(b.id[mine])
    row, cown = [mine[theirs >= 0]], [theirs[theirs >= 0]]
    if len(made):
        r, c = ids.rows(made["subject"]), cowns.rows(made["other"])
        ok = (r >= 0) & (c >= 0)
        row.append(r[ok])
        cown.append(c[ok])
    rows, kept = np.concatenate(row).astype(np.int32), np.concatenate(cown).astype(np.int32)
    if not len(rows):
        return None
    # Not twice, where the core recorded the request itself.
    key = who.astype(np.int64) << 32 | what
    new = ~np.isin(rows.astype(np.int64) << 32 | kept, key[np.isin(what, kept)])
    rows, kept = rows[new], kept[new]
    k = len(rows)
    when = b.sched[rows]
    return rows, kept, np.zeros(k, bool), when, when.copy(), np.full(k, NONE, np.int32), np.ones(k, bool)


def _settle(b: Behaviors, who: I32, grant: I64) -> None:
    """Ready without a record of its own: when the last of its cowns was granted."""
    open_ = (b.ready < 0) & (b.sched >= 0) & (b.state != LOST)
    if not open_.any():
        return
    asked = np.bincount(who, minlength=len(b))
    got = np.bincount(who[grant >= 0], minlength=len(b))
    full = open_ & (asked > 0) & (asked == got)
    if full.any():
        latest = np.full(len(b), NONE, np.int64)
        some = full[who]
        np.maximum.at(latest, who[some], grant[some])
        b.ready[full] = latest[full]
        waiting = full & (b.state == WAITING)
        b.state[waiting] = READY
    unknown = open_ & (b.ready < 0) & (b.start >= 0)
    b.ready[unknown] = b.start[unknown]
