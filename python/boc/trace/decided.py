"""A schedule out of the records of a trace: who was scheduled by whom, in which order all of it happened."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .events import KIND, flag
from .model import Trace
from .records import MAIN as MAIN_THREAD
from .schedule import MAIN, THREADS, Entry, Schedule

_NATIVE, _READY, _PINNED = (flag("schedule", f) for f in ("NATIVE", "READY", "PINNED"))
_READ, _GRANTED = flag("request", "READ"), flag("request", "GRANTED")
_WRITES = tuple(KIND[k] for k in ("notice_write", "notice_update", "notice_delete"))
_LATE = 1 << 62
_LOW = (1 << 32) - 1
_OTHERS = -1  # as a parent's id: threads beside the main one, which is 0


@dataclass
class _Life:
    """One behavior of the run while it is put together."""

    id: int
    name: str
    parent: int
    time: int
    ready: int = -1
    start: int = -1
    on_main: bool = False
    ended: bool = False
    cancelled: bool = False

    @property
    def begun(self) -> int:
        """When it started: a worker that goes on at once gives a start the time of the end before it, which may be
        earlier than what made this one ready on another worker; so the later of start and ready."""
        return max(self.start, self.ready)


@dataclass
class _Join:
    who: int
    read: bool
    time: int
    seq: int = _LATE
    behind: int = 0  # low bits of the id of the one before it, where that is known


@dataclass
class _Found:
    lives: dict[int, _Life]
    joins: dict[int, list[_Join]]
    writes: list[tuple[int, int, str]]  # version, writer, key
    views: list[tuple[int, int]]  # behavior, how many of the writes


def of_trace(trace: Trace, since: int | None = None) -> Schedule:
    """The schedule of the last life of the runtime in a trace: since it was started last, or since a time (ns)."""
    if trace.records is None:
        raise ValueError("this trace has no records")
    r = trace.records
    begin = since
    if begin is None:  # workers that ended before the last schedule were of an earlier life
        asked = r["time"][(r["kind"] == KIND["schedule"]) & ((r["flags"] & _NATIVE) == 0)]
        down = r["time"][r["kind"] == KIND["worker_down"]]
        begin = int(down[down < asked.max(initial=-1)].max(initial=-1))
    lost = sum(g.lost for g in trace.gaps if g.end > begin)
    r = r[r["time"] >= begin]
    found = _gather(r[np.argsort(r["time"], kind="stable")], trace)
    lives = found.lives
    starts, scheduled = _orders(found)
    places = _places(lives, scheduled)
    missing = f"{lost} records were overtaken before they were read" if lost else ""
    if not missing and any(x.parent > 0 and x.parent not in lives for x in lives.values()):
        missing = "records of its beginning are not there"
    if missing:
        lives = {i: x for i, x in lives.items() if i in places}
    named = _cown_names(trace, lives)
    told = []
    for cown, order in found.joins.items():
        who = tuple(places[j.who] for j in order if j.who in places)
        if who:
            told.append((named.get(cown, ""), who))
    mains = sorted(x.time for x in lives.values() if not x.parent)
    waits = r["time"][(r["kind"] == KIND["quiet"]) & (r["thread"] == MAIN_THREAD)]
    return Schedule(
        _entries(lives, places),
        tuple(places[i] for i in starts if i in places),
        tuple(sorted(told, key=lambda t: (t[1], t[0]))),
        tuple((places.get(w, MAIN), key) for _, w, key in found.writes),
        tuple(sorted((places[b], n) for b, n in found.views if b in places)),
        max(1, trace.workers),
        sum(not x.ended and not x.cancelled for x in lives.values()),
        missing,
        tuple((places[i], bisect_right(mains, x.start)) for i, x in lives.items() if x.on_main and i in places),
        _calms(lives, places, mains, sorted(waits.tolist())),
    )


def _calms(
    lives: dict[int, _Life], places: dict[int, int], mains: list[int], waits: list[int]
) -> tuple[tuple[int, int, int], ...]:
    """Of what other threads scheduled: behind which of the main thread's waits until nothing was pending."""
    count: dict[int, int] = defaultdict(int)
    behind = []
    for time in waits:
        n = bisect_right(mains, time)
        count[n] += 1
        behind.append((n, count[n]))
    out = []
    for i, x in lives.items():
        before = bisect_right(waits, max(x.time, x.begun))  # it was pending at no such wait
        if x.parent == _OTHERS and before and i in places:
            out.append((places[i], *behind[before - 1]))
    return tuple(out)


def _gather(records: Any, trace: Trace) -> _Found:
    """Walk the records once, in order of time."""
    lives: dict[int, _Life] = {}
    joins: dict[int, list[_Join]] = defaultdict(list)
    asked: dict[tuple[int, int], _Join] = {}
    writes: list[tuple[int, int, str]] = []
    views: list[tuple[int, int]] = []
    later: list[tuple[str, int, int, int]] = []
    pinned: set[int] = set()
    kinds = {number: kind for kind, number in KIND.items()}
    for row in records.tolist():
        time, subject, other, seq, number, flags, thread = row
        kind = kinds.get(number, "")
        if kind == "schedule" and not flags & _NATIVE:
            parent = other or (0 if thread == MAIN_THREAD else _OTHERS)
            lives[subject] = _Life(subject, trace.text(seq), parent, time)
            if flags & _READY:
                lives[subject].ready = time
            if flags & _PINNED:
                pinned.add(subject)
        elif kind == "request":
            join = asked.setdefault((subject, other), _Join(subject, bool(flags & _READ), time))
            join.time = time  # in a batch the grant is recorded before the request
            if flags & _GRANTED:
                join.seq = seq
            else:
                join.behind = seq
            joins[other].append(join)
        elif kind in ("grant", "ready", "start", "end", "cancel", "gate_pass"):
            later.append((kind, subject, time, thread))
            if kind == "grant":
                asked.setdefault((subject, other), _Join(subject, bool(flags & _READ), time)).seq = seq
        elif number in _WRITES:
            writes.append((seq, subject, trace.text(other)))
        elif kind == "snapshot":
            views.append((subject, seq))
    for kind, subject, time, thread in later:
        life = lives.get(subject)
        if life is None:
            continue
        if kind == "start":
            life.start = time
            life.on_main = subject in pinned and thread == MAIN_THREAD
        elif kind == "end":
            life.ended = True
        elif kind == "cancel":
            life.cancelled = life.start < 0
        else:
            life.ready = max(life.ready, time)
    ordered = {c: _queue([j for j in js if j.who in lives]) for c, js in joins.items()}
    writes.sort()
    versions = [v for v, _, _ in writes]
    seen = [(b, bisect_right(versions, v)) for b, v in views if b in lives]
    return _Found(lives, {c: js for c, js in ordered.items() if js}, writes, seen)


def _queue(joins: list[_Join]) -> list[_Join]:
    """Who joined a cown, in order: by the cown's sequence; readers that share one, by who stood before whom."""
    joins.sort(key=lambda j: (j.seq, j.time))
    out: list[_Join] = []
    at = 0
    while at < len(joins):
        end = at + 1
        while end < len(joins) and joins[end].seq == joins[at].seq:
            end += 1
        out += joins[at:end] if end == at + 1 else _linked(joins[at:end])
        at = end
    return out


def _linked(group: list[_Join]) -> list[_Join]:
    ids = {j.who & _LOW for j in group}
    after: dict[int, list[_Join]] = defaultdict(list)
    for j in group:
        after[j.behind if j.behind in ids else 0].append(j)
    out: list[_Join] = []
    todo = after.pop(0, [])[::-1]
    while todo:
        j = todo.pop()
        out.append(j)
        todo += after.pop(j.who & _LOW, [])[::-1]
    return out if len(out) == len(group) else group


# ---- the order of all ------------------------------------------------------


class _Graph:
    """What cannot have happened before what; taken out by time, and never before what it follows."""

    def __init__(self) -> None:
        self.after: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
        self.before: dict[tuple[str, int], int] = {}
        self.time: dict[tuple[str, int], int] = {}

    def add(self, event: tuple[str, int], time: int = -1) -> None:
        self.before.setdefault(event, 0)
        self.time[event] = time

    def follow(self, first: tuple[str, int], second: tuple[str, int]) -> None:
        if first in self.before and second in self.before and first != second:
            self.after[first].append(second)
            self.before[second] += 1

    def order(self) -> list[tuple[str, int]]:
        heap = [(self.time[e], e[1], e) for e, n in self.before.items() if not n]
        heapq.heapify(heap)
        out = []
        while heap:
            _, _, event = heapq.heappop(heap)
            out.append(event)
            for e in self.after[event]:
                self.before[e] -= 1
                if not self.before[e]:
                    heapq.heappush(heap, (self.time[e], e[1], e))
        return out


def _orders(found: _Found) -> tuple[list[int], list[int]]:
    """Ids in the order of their starts, and in that of their schedules.

    Times of records are taken a moment before what they tell, so time alone may turn two around. What one needs of
    another, through cowns, parents and the noticeboard, is never turned around.
    """
    g = _Graph()
    lives = found.lives
    for i, x in lives.items():
        g.add(("join", i), x.time)
        if x.start >= 0:
            g.add(("start", i), x.begun)
            g.add(("end", i))
    for k in range(len(found.writes)):
        g.add(("write", k))
    for b, _ in found.views:
        g.add(("view", b))
    last: dict[int, int] = {}
    for i, x in sorted(lives.items(), key=lambda p: (p[1].time, p[0])):
        g.follow(("join", i), ("start", i))
        g.follow(("start", i), ("end", i))
        if x.parent > 0:
            g.follow(("start", x.parent), ("join", i))
            g.follow(("join", i), ("end", x.parent))
        if x.parent >= 0 and x.parent in last:
            g.follow(("join", last[x.parent]), ("join", i))
        last[x.parent] = i
    _follow_main(g, lives)
    for cown, order in found.joins.items():
        _follow_queue(g, cown, order)
    for k, (_, writer, _) in enumerate(found.writes):
        g.follow(("start", writer), ("write", k))
        g.follow(("write", k - 1), ("write", k))
    for b, n in found.views:
        g.follow(("start", b), ("view", b))
        g.follow(("view", b), ("end", b))
        g.follow(("write", n - 1), ("view", b))
        g.follow(("view", b), ("write", n))
    events = g.order()
    starts = [i for kind, i in events if kind == "start"]
    if len(starts) != sum(x.start >= 0 for x in lives.values()):  # times that contradict each other
        starts = sorted((i for i, x in lives.items() if x.start >= 0), key=lambda i: (lives[i].begun, i))
    scheduled = [i for kind, i in events if kind == "join"]
    if len(scheduled) != len(lives):
        scheduled = sorted(lives, key=lambda i: (lives[i].time, i))
    return starts, scheduled


def _follow_main(g: _Graph, lives: dict[int, _Life]) -> None:
    """What the main thread scheduled and the bodies that it ran are in the order of its own times."""
    joins = [(x.time, 0, i) for i, x in lives.items() if not x.parent]
    runs = [(x.start, 1, i) for i, x in lives.items() if x.on_main]
    last = ("", 0)
    for _, runs_now, i in sorted(joins + runs):
        g.follow(last, ("start" if runs_now else "join", i))
        last = ("end" if runs_now else "join", i)


def _follow_queue(g: _Graph, cown: int, order: list[_Join]) -> None:
    for one, two in pairwise(order):
        g.follow(("join", one.who), ("join", two.who))
    writers, readers = [cown], list[int]()  # a result's maker has the id of its result, and holds it first
    for j in order:
        for first in writers if j.read else writers + readers:
            g.follow(("end", first), ("start", j.who))
        if j.read:
            readers.append(j.who)
        elif ("start", j.who) in g.before:
            writers, readers = [j.who], []


# ---- their names -----------------------------------------------------------


def _places(lives: dict[int, _Life], scheduled: list[int]) -> dict[int, int]:
    """The place of each: what other threads scheduled by name, the main thread's, then the children of each in turn."""
    children: dict[int, list[int]] = defaultdict(list)
    for i in scheduled:
        children[lives[i].parent].append(i)
    children[_OTHERS].sort(key=lambda i: lives[i].name)
    order: list[int] = []
    todo = [_OTHERS, 0]
    for parent in todo:
        order += children[parent]
        todo += children[parent]
    return {i: place for place, i in enumerate(order)}


def _entries(lives: dict[int, _Life], places: dict[int, int]) -> tuple[Entry, ...]:
    count: dict[tuple[int, str], int] = defaultdict(int)
    out = []
    for i in places:
        x = lives[i]
        parent = {0: MAIN, _OTHERS: THREADS}.get(x.parent, places.get(x.parent, MAIN))
        key = (parent, x.name if parent == THREADS else "")
        count[key] += 1
        out.append(Entry(x.name, parent, count[key]))
    return tuple(out)


def _cown_names(trace: Trace, lives: dict[int, _Life]) -> dict[int, str]:
    named = {i: x.name for i, x in lives.items()}
    for part in (trace.naming, trace.records):
        if part is not None:
            rows = part[part["kind"] == KIND["cown"]]
            pairs = zip(rows["subject"].tolist(), rows["seq"].tolist(), strict=True)
            named.update((c, trace.text(n)) for c, n in pairs)
    return named
