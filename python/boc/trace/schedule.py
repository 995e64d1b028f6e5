"""What decided a run: the order of starts, the order of joins at each cown, what each view of the noticeboard showed.

A behavior is known by who scheduled it and as which of that one's: `(parent, n)`. So a schedule says the same of every
run of one program that made the same decisions, whatever the ids were.
"""

from __future__ import annotations

import heapq
import json
import os
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .events import KIND, flag
from .model import Trace

FORMAT = 1
MAIN = -1
"""The parent of what the main program scheduled, and the writer of what it wrote."""

_NATIVE, _READY = flag("schedule", "NATIVE"), flag("schedule", "READY")
_READ, _GRANTED, _LAST = flag("request", "READ"), flag("request", "GRANTED"), flag("grant", "READY")
_WRITES = tuple(KIND[k] for k in ("notice_write", "notice_update", "notice_delete"))
_LATE = 1 << 62


class ScheduleError(ValueError):
    """The file is no schedule, or of a format that this version does not read."""


class Entry(NamedTuple):
    """A behavior: its name, who scheduled it (its place in `behaviors`, -1: main), as which of that one's (from 1)."""

    name: str
    parent: int
    nth: int


@dataclass(frozen=True)
class Schedule:
    """The decisions of a run. Equal if the decisions are.

    behaviors: all that were scheduled. starts: places in `behaviors` in the order of their starts. joins: for each cown
    its name and who joined its queue, in order. writes: who changed which key of the noticeboard, in order. views:
    who read the noticeboard, and how many of the writes it saw. pending: how many had not ended. missing: why
    it is not complete, "" if it is.
    """

    behaviors: tuple[Entry, ...]
    starts: tuple[int, ...]
    joins: tuple[tuple[str, tuple[int, ...]], ...]
    writes: tuple[tuple[int, str], ...]
    views: tuple[tuple[int, int], ...]
    workers: int = field(default=2, compare=False)
    pending: int = field(default=0, compare=False)
    missing: str = field(default="", compare=False)

    def __repr__(self) -> str:
        parts = [f"{len(self.behaviors)} behaviors", f"{len(self.starts)} starts"]
        parts += [f"{self.pending} pending"] if self.pending else []
        parts += [f"incomplete: {self.missing}"] if self.missing else []
        return f"<schedule: {', '.join(parts)}>"

    def name(self, place: int) -> str:
        """How people call a behavior: its name, and whose child it is."""
        if place == MAIN:
            return "main"
        b = self.behaviors[place]
        whose = "main" if b.parent == MAIN else f"'{self.behaviors[b.parent].name}'"
        return f"'{b.name}' (number {b.nth} of {whose})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON."""
        told = {
            "format": "boc schedule",
            "version": FORMAT,
            "workers": self.workers,
            "pending": self.pending,
            "missing": self.missing,
            "behaviors": self.behaviors,
            "starts": self.starts,
            "joins": self.joins,
            "writes": self.writes,
            "views": self.views,
        }
        Path(path).write_text(json.dumps(told, ensure_ascii=False, indent=None), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schedule:
        """Read what `save` wrote, or the schedule of a recorded trace (.boctrace).

        ScheduleError where it is neither, OSError where it cannot be opened.
        """
        data = Path(path).read_bytes()
        if data.startswith(b"BOCTRACE"):
            return of_trace(Trace.load(path))
        try:
            told = json.loads(data)
            if told["format"] != "boc schedule":
                raise KeyError("format")
            if told["version"] > FORMAT:
                raise ScheduleError(f"{os.fspath(path)!r} has format {told['version']}; this version reads {FORMAT}")
            out = cls(
                tuple(Entry(str(n), int(p), int(k)) for n, p, k in told["behaviors"]),
                tuple(map(int, told["starts"])),
                tuple((str(n), tuple(map(int, order))) for n, order in told["joins"]),
                tuple((int(w), str(k)) for w, k in told["writes"]),
                tuple((int(b), int(n)) for b, n in told["views"]),
                int(told["workers"]),
                int(told["pending"]),
                str(told["missing"]),
            )
            out._check()
        except ScheduleError:
            raise
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as e:
            raise ScheduleError(f"{os.fspath(path)!r} is no schedule ({type(e).__name__}: {e})") from None
        return out

    def _check(self) -> None:
        n = len(self.behaviors)
        used = [*self.starts, *(i for _, order in self.joins for i in order), *(b for b, _ in self.views)]
        if any(not 0 <= i < n for i in used) or any(not MAIN <= w < n for w, _ in self.writes):
            raise ValueError("a behavior that is not in it")
        if len(set(self.starts)) != len(self.starts):
            raise ValueError("a behavior starts twice")
        count: dict[int, int] = defaultdict(int)
        last = MAIN
        for place, b in enumerate(self.behaviors):
            count[b.parent] += 1
            if not last <= b.parent < place or b.nth != count[b.parent]:
                raise ValueError("its behaviors are out of order")
            last = b.parent


# ---- from records ----------------------------------------------------------


@dataclass
class _Life:
    """One behavior of the run while it is put together."""

    id: int
    name: str
    parent: int
    time: int
    ready: int = -1
    start: int = -1
    ended: bool = False
    cancelled: bool = False


@dataclass
class _Join:
    who: int
    read: bool
    time: int
    seq: int = _LATE


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
    lives, joins, writes, views = _gather(r[np.argsort(r["time"], kind="stable")], trace)
    places = _places(lives)
    missing = f"{lost} records were overtaken before they were read" if lost else ""
    if not missing and any(x.parent and x.parent not in lives for x in lives.values()):
        missing = "records of its beginning are not there"
    if missing:
        lives = {i: x for i, x in lives.items() if i in places}
    orders = {c: sorted(js, key=lambda j: (j.seq, j.time)) for c, js in joins.items()}
    named = _cown_names(trace, lives)
    versions = [v for v, _, _ in writes]
    told = []
    for cown, order in orders.items():
        who = tuple(places[j.who] for j in order if j.who in places)
        if who:
            told.append((named.get(cown, ""), who))
    return Schedule(
        tuple(_entries(lives, places)),
        tuple(places[i] for i in _starts(lives, orders) if i in places),
        tuple(sorted(told, key=lambda t: (t[1], t[0]))),
        tuple((places.get(w, MAIN), key) for _, w, key in writes),
        tuple(sorted((places[b], bisect_right(versions, v)) for b, v in views if b in places)),
        max(1, trace.workers),
        sum(not x.ended and not x.cancelled for x in lives.values()),
        missing,
    )


def _gather(records: Any, trace: Trace) -> tuple[Any, Any, Any, Any]:
    """Walk the records once, in order of time: behaviors by id, joins by cown, writes and views."""
    lives: dict[int, _Life] = {}
    joins: dict[int, list[_Join]] = defaultdict(list)
    asked: dict[tuple[int, int], _Join] = {}
    writes: list[tuple[int, int, str]] = []
    views: list[tuple[int, int]] = []
    later: list[tuple[str, int, int]] = []
    kinds = {number: kind for kind, number in KIND.items()}
    for row in records.tolist():
        time, subject, other, seq, number, flags, _ = row
        kind = kinds.get(number, "")
        if kind == "schedule" and not flags & _NATIVE:
            lives[subject] = _Life(subject, trace.text(seq), other, time)
            if flags & _READY:
                lives[subject].ready = time
        elif kind == "request":
            join = asked.setdefault((subject, other), _Join(subject, bool(flags & _READ), time))
            join.time = time  # in a batch the grant is recorded before the request
            if flags & _GRANTED:
                join.seq = seq
            joins[other].append(join)
        elif kind in ("grant", "ready", "start", "end", "cancel", "gate_pass"):
            later.append((kind, subject, time))
            if kind == "grant":
                asked.setdefault((subject, other), _Join(subject, bool(flags & _READ), time)).seq = seq
        elif number in _WRITES:
            writes.append((seq, subject, trace.text(other)))
        elif kind == "snapshot":
            views.append((subject, seq))
    for kind, subject, time in later:
        life = lives.get(subject)
        if life is None:
            continue
        if kind == "start":
            life.start = time
        elif kind == "end":
            life.ended = True
        elif kind == "cancel":
            life.cancelled = life.start < 0
        else:
            life.ready = max(life.ready, time)
    for cown in list(joins):
        joins[cown] = [j for j in joins[cown] if j.who in lives]
    return lives, {c: js for c, js in joins.items() if js}, sorted(writes), views


def _places(lives: dict[int, _Life]) -> dict[int, int]:
    """The place of each behavior: main's first in the order of their schedules, then the children of each in turn."""
    children: dict[int, list[_Life]] = defaultdict(list)
    for x in sorted(lives.values(), key=lambda x: (x.time, x.id)):
        children[x.parent].append(x)
    order: list[int] = []
    todo = [0]
    for parent in todo:
        for x in children.get(parent, ()):
            order.append(x.id)
            todo.append(x.id)
    return {i: place for place, i in enumerate(order)}


def _entries(lives: dict[int, _Life], places: dict[int, int]) -> list[Entry]:
    count: dict[int, int] = defaultdict(int)
    out = []
    for i in places:
        x = lives[i]
        count[x.parent] += 1
        out.append(Entry(x.name, places.get(x.parent, MAIN), count[x.parent]))
    return out


def _starts(lives: dict[int, _Life], orders: dict[int, list[_Join]]) -> list[int]:
    """Ids in the order of their starts: by time, and never before a parent or before who had a cown first.

    A worker that goes on at once gives a start the time of the end before it, which may be earlier than what made this
    one ready on another worker; so the later of start and ready counts.
    """
    started = {i: max(x.start, x.ready) for i, x in lives.items() if x.start >= 0}
    after: dict[int, list[int]] = defaultdict(list)
    before: dict[int, int] = dict.fromkeys(started, 0)

    def follow(first: int, second: int) -> None:
        if first in started and second in started and first != second:
            after[first].append(second)
            before[second] += 1

    for i in started:
        follow(lives[i].parent, i)
    for cown, order in orders.items():
        writers, readers = [cown], list[int]()  # a result's maker has the id of its result, and holds it first
        for j in order:
            for first in writers if j.read else writers + readers:
                follow(first, j.who)
            if j.read:
                readers.append(j.who)
            elif j.who in started:
                writers, readers = [j.who], []
    heap = [(t, i) for i, t in started.items() if not before[i]]
    heapq.heapify(heap)
    out = []
    while heap:
        _, i = heapq.heappop(heap)
        out.append(i)
        for k in after[i]:
            before[k] -= 1
            if not before[k]:
                heapq.heappush(heap, (started[k], k))
    return out


def _cown_names(trace: Trace, lives: dict[int, _Life]) -> dict[int, str]:
    named = {i: x.name for i, x in lives.items()}
    for part in (trace.naming, trace.records):
        if part is not None:
            rows = part[part["kind"] == KIND["cown"]]
            pairs = zip(rows["subject"].tolist(), rows["seq"].tolist(), strict=True)
            named.update((c, trace.text(n)) for c, n in pairs)
    return named
