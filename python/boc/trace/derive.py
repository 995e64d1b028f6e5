"""From records to the tables of behaviors and requests, with no Python loop over either."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boc import _core

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
    U8,
    WAITING,
    Behaviors,
    Requests,
)
from .events import flag
from .records import MAIN, Gap, Records
from .split import ByKind, Ids

_S_READY, _S_PINNED = flag("schedule", "READY"), flag("schedule", "PINNED")
_S_NATIVE, _S_RESULT = flag("schedule", "NATIVE"), flag("schedule", "has a result")
_G_READ = flag("grant", "READ")
_RAISED, _CANCELLED = flag("end", "RAISED"), flag("end", "CANCELLED")


def thread_row(thread: NDArray[Any]) -> I32:
    """Thread numbers of records to rows: workers 0.., main -1, other threads -2, -3, .."""
    t = thread.astype(np.int32)
    out: I32 = np.where(t < MAIN, t, MAIN - 1 - t).astype(np.int32)
    return out


def naming_first(records: Records) -> tuple[Records, Records]:
    """The names of cowns that stand before all other records, and those."""
    look = 1024
    while look < len(records) and records["time"][look - 1] < 0:
        look *= 2
    begin = np.flatnonzero(records["time"][:look] >= 0)
    first = int(begin[0]) if len(begin) else len(records)
    return records[:first], records[first:]


@dataclass
class Filled(Behaviors):
    """The behaviors while their table is made: also flags of the schedule and the end, the CPU time of the thread at
    the end, and which requests are theirs."""

    cpu_end: I64
    flags: U8
    end_flags: U8
    first: I32
    asked: I32


def tables(kinds: ByKind, gaps: list[Gap], down: Records) -> tuple[Behaviors, Ids, Requests, Ids]:
    """Behaviors and requests, each with the rows of its ids (those of requests: the ids of cowns)."""
    ids, cowns = kinds.ids()
    b, r, stray = _fill(kinds, ids, cowns)
    _behaviors(b, kinds, ids)
    _lost(b, gaps, down, kinds.records)
    requests = _requests(b, r, stray, kinds, ids, cowns)
    return Behaviors(**{f.name: getattr(b, f.name) for f in fields(Behaviors)}), ids, requests, cowns


def _fill(kinds: ByKind, ids: Ids, cowns: Ids) -> tuple[Filled, Requests, Records]:
    """What the records say themselves, row by row; and the grants whose requests were overtaken."""
    n, k = len(ids), kinds.count("request")
    never: I64 = np.full(n, NONE, np.int64)  # of what no record tells: it is only read

    def unknown(kind: str) -> I64:
        return never.copy() if kinds.count(kind) else never

    def zeros(kind: type) -> NDArray[Any]:
        return np.zeros(n, kind)

    b = Filled(
        ids.id,
        name=zeros(np.int32),
        parent=zeros(np.uint64),
        sched=unknown("schedule"),
        ready=never.copy(),
        start=unknown("start"),
        body=unknown("body"),
        body_end=unknown("body_end"),
        end=unknown("end"),
        cancel=unknown("cancel"),
        thread=np.full(n, NO_THREAD, np.int32),
        stolen=np.full(n, NONE, np.int32),
        state=zeros(np.uint8),
        pinned=zeros(bool),
        native=zeros(bool),
        cpu=zeros(np.int64),
        cpu_end=zeros(np.int64),
        flags=zeros(np.uint8),
        end_flags=zeros(np.uint8),
        first=zeros(np.int32),
        asked=zeros(np.int32),
    )
    r = Requests(
        behavior=np.empty(k, np.int32),
        cown=np.empty(k, np.int32),
        read=np.empty(k, bool),
        time=np.empty(k, np.int64),
        grant=np.empty(k, np.int64),
        release=np.empty(0, np.int64),
        pred=np.empty(k, np.int32),
        exact=np.empty(k, bool),
    )
    records, who, what = kinds.in_rows(ids, cowns)
    places = (who.low, who.rows_of, what.low, what.rows_of)
    high = int(who.id[-1]) if len(who) else 0
    if not _core.trace_fill(records, kinds.kind, high, *places, n, b, k, r):
        _together(b, r)
    stray = np.empty(kinds.count("grant"), np.int64)
    strays = _core.trace_grants(records, kinds.kind, *places, n, b, k, r, stray)
    return b, r, kinds.records[stray[:strays]]


def _together(b: Filled, r: Requests) -> None:
    """Put the requests of each behavior together, so that a grant finds its request in a few steps."""
    order = np.argsort(r.behavior, kind="stable")
    for name in ("behavior", "cown", "read", "time", "grant", "pred", "exact"):
        setattr(r, name, getattr(r, name)[order])
    b.asked = np.bincount(r.behavior, minlength=len(b)).astype(np.int32)
    b.first = np.cumsum(b.asked, dtype=np.int32) - b.asked


def _behaviors(b: Filled, kinds: ByKind, ids: Ids) -> None:
    """What follows from what the records say of each behavior."""
    for name, column, field in (("cancel", b.cancel, "time"), ("steal", b.stolen, "seq")):
        told = kinds[name]
        row = ids.rows(told["subject"])
        column[row[row >= 0]] = told[field][row >= 0]
    b.stolen[b.start < 0] = NONE
    if b.cpu_end.any():
        b.cpu = np.where((b.cpu > 0) & (b.cpu_end > b.cpu), b.cpu_end - b.cpu, 0)
    else:
        b.cpu[:] = 0
    at_once = (b.flags & _S_READY) > 0
    if at_once.any():
        b.ready = np.where((b.ready < 0) & at_once, b.sched, b.ready)
    # A worker starts its next body at the end of the one before, without looking at the clock again: what was
    # scheduled by another thread since then did not start before that.
    since = np.maximum(b.sched, b.ready)
    since = np.where(b.end >= 0, np.minimum(since, b.end), since)
    started = b.start >= 0
    b.start = np.where(started, np.maximum(b.start, since), b.start)
    # A body without decode begins at the start, one without encode stops at the end: no record says so.
    b.body = np.where(b.body < 0, b.start, b.body) if kinds.count("body") else b.start
    b.body_end = np.where((b.body_end < 0) & started, b.end, b.body_end)

    ended = b.end >= 0
    b.state[:] = WAITING
    b.state[b.ready >= 0] = READY
    b.state[started] = RUNNING
    b.state[ended] = DONE
    raised = (b.end_flags & _RAISED) > 0
    marked = ids.rows(kinds["raise"]["subject"])
    raised[marked[marked >= 0]] = True
    b.state[ended & raised] = RAISED
    gone = (b.cancel >= 0) & (ended | ~started)  # one that runs is cancelled by an interrupt, between start and end
    b.state[(ended & ((b.end_flags & _CANCELLED) > 0)) | gone] = CANCELLED
    b.pinned = (b.flags & _S_PINNED) > 0
    b.native = ((b.flags & _S_NATIVE) > 0) | ((b.sched < 0) & ~started & (b.thread < 0))


def _lost(b: Behaviors, gaps: list[Gap], down: Records, records: Records) -> None:
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
        for t in np.unique(b.thread[running]).tolist():
            latest[t] = int(b.start[b.thread == t].max())
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


def _requests(b: Filled, r: Requests, stray: Records, kinds: ByKind, ids: Ids, cowns: Ids) -> Requests:
    """The table of requests, with the holding of result cowns from birth where others asked for them."""
    parts: list[tuple[Any, ...]] = [(r.behavior, r.cown, r.read, r.time, r.grant, r.pred, r.exact)]
    if len(stray):
        k = len(stray)
        parts.append(
            (
                ids.rows(stray["subject"]),
                cowns.rows(stray["other"]),
                (stray["flags"] & _G_READ) > 0,
                np.full(k, NONE, np.int64),
                stray["time"],
                np.full(k, NONE, np.int32),
                np.ones(k, bool),
            )
        )
    own = _results(b, kinds["result"], ids, cowns, r.behavior, r.cown)
    if own is not None:
        parts.append(own)
    who, what, read, time, grant, pred, exact = parts[0]
    if len(parts) > 1:
        who, what, read, time, grant, pred, exact = (np.concatenate(x) for x in zip(*parts, strict=True))
    _settle(b, who, grant)
    late = grant < 0
    if late.any():
        # Granted at the latest when it was ready; the record that said when was overtaken.
        known = np.where(b.ready >= 0, b.ready, b.start)[who]
        grant = np.where(late, known, grant)
    release = b.end[who]
    if late.any():
        release = np.where(grant >= 0, release, NONE)
    return Requests(who, what, read, time, grant, release, pred, exact)


def _results(b: Filled, made: Records, ids: Ids, cowns: Ids, who: I32, what: I32) -> tuple[Any, ...] | None:
    """A behavior holds its result cown from its schedule on; said only for those that others asked for."""
    maker = ids.rows(cowns.id)
    theirs = np.flatnonzero(maker >= 0)
    held = ((b.flags[maker[theirs]] & _S_RESULT) > 0) & (b.sched[maker[theirs]] >= 0)
    theirs = theirs[held]
    row, cown = [maker[theirs]], [theirs]
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
