"""What if: run the recorded dependency graph again with other workers, or with a cown split in two.

A prediction: bodies keep their measured time, ready behaviors start in order of readiness on any free worker. Workers
that came up while there was work for them come up as late again, and further ones at the same pace behind them.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .columns import MAIN_ROW

if TYPE_CHECKING:
    from .model import Trace


_LATE_NS = 1_000_000
"""A worker whose first body was ready for longer was not there yet: others wake within some 0.1 ms."""


@dataclass(frozen=True)
class Prediction:
    """How long the run would take (ns), beside how long it took; `change` is the share of it."""

    label: str
    total: int
    recorded: int

    @property
    def change(self) -> float:
        return self.total / self.recorded - 1

    def __str__(self) -> str:
        from .times import dur

        sign = "−" if self.change < 0 else "+"
        return f"{self.label}: {dur(self.total)} predicted, {sign}{abs(self.change):.0%} of {dur(self.recorded)}"


def what_if(
    trace: Trace, workers: int | None = None, split: str | list[str] | tuple[str, ...] | None = None
) -> Prediction:
    """Predict the run with another number of workers, or with cowns (by name) each split in two.

    The behaviors that asked for a split cown take its halves in turn, by name of the behavior.
    Raises KeyError for a cown that is not in the trace, ValueError for a number of workers below 1.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is at least 1, not {workers}")
    names = [split] if isinstance(split, str) else list(split or ())
    known = dict(zip(trace.cown_names(), range(len(trace.cowns)), strict=True))
    for name in names:
        if name not in known:
            raise KeyError(f"no cown {name!r} in this trace")
    n = workers or max(1, trace.workers)
    bits = [f"{n} worker{'s' * (n > 1)}"] if workers is not None else []
    if names:
        bits.insert(0, f"split {' and '.join(names)}")
    if n == max(1, trace.workers) and not names:
        bits = [f"as recorded, {n} worker{'s' * (n > 1)}"]
    label = ", ".join(bits)
    recorded = trace.span
    if n == max(1, trace.workers) and not names:
        return Prediction(label, recorded, recorded)
    again = _Replay(trace, max(1, trace.workers), set()).run()
    total = _Replay(trace, n, {known[s] for s in names}).run()
    return Prediction(label, round(total * recorded / again), recorded)  # what is missed of this run is missed there


def _come_up(trace: Trace, workers: int) -> list[int]:
    """When each worker is there, ns after the begin of the run; 0 for one that was there before it was needed."""
    b = trace.behaviors
    found = []
    for w in range(max(1, trace.workers)):
        own = np.flatnonzero((b.thread == w) & (b.start >= 0))
        first = own[np.argmin(b.start[own])] if len(own) else -1
        awaited = first >= 0 and b.start[first] - max(b.ready[first], trace.t0) > _LATE_NS
        found.append(int(b.start[first] - trace.t0) if awaited else 0)
    found.sort()
    pace = found[-1] // sum(1 for t in found if t) if found[-1] else 0
    while len(found) < workers:
        found.append(found[-1] + pace)
    return found[:workers]


class _Replay:
    """A discrete-event simulation: FIFO cowns, readers together, any free worker, one main thread."""

    def __init__(self, trace: Trace, workers: int, split: set[int]) -> None:
        b, r = trace.behaviors, trace.requests
        rows = np.flatnonzero(trace.ran & (b.sched >= 0))
        rows = rows[np.argsort(b.sched[rows], kind="stable")]
        local = np.full(len(b), -1, np.int64)
        local[rows] = np.arange(len(rows))
        self.cost = (trace.end[rows] - b.start[rows]).tolist()
        self.main = (b.thread[rows] <= MAIN_ROW).tolist()
        sched = b.sched[rows]
        parent = np.searchsorted(b.id, b.parent[rows])
        parent = np.where((b.parent[rows] > 0) & (parent < len(b)), parent, -1)
        spawned = np.where((parent >= 0) & trace.ran[parent], local[parent], -1)
        offset = np.where(spawned >= 0, sched - b.start[np.maximum(parent, 0)], sched - trace.t0)
        self.offset = offset.tolist()
        self.children: dict[int, list[int]] = {}
        for i, p in enumerate(spawned.tolist()):
            self.children.setdefault(p, []).append(i)
        self.asks: list[list[tuple[int, bool]]] = [[] for _ in rows]
        half: dict[tuple[int, int], int] = {}
        turn: dict[int, int] = {}
        own = np.flatnonzero((local[r.behavior] >= 0) & (r.time >= 0) & (r.cown >= 0))
        own = own[np.argsort(r.time[own], kind="stable")]
        for who, cown, read in zip(r.behavior[own].tolist(), r.cown[own].tolist(), r.read[own].tolist(), strict=True):
            if cown in split:
                key = (cown, int(b.name[who]))
                if key not in half:
                    half[key] = turn[cown] = 1 - turn.get(cown, 1)
                cown = cown * 2 + half[key] + (1 << 40)
            self.asks[int(local[who])].append((cown, read))
        self.left = [0] * len(rows)
        self.queue: dict[int, deque[list[int]]] = {}
        self.events: list[tuple[int, int, int]] = []
        self.free = 0
        for late in _come_up(trace, workers):
            if late:
                self.events.append((late, 2, 0))
            else:
                self.free += 1
        heapq.heapify(self.events)
        self.main_free = True
        self.ready: deque[int] = deque()
        self.main_ready: deque[int] = deque()

    def run(self) -> int:
        """Total time, ns."""
        for i in self.children.get(-1, ()):
            heapq.heappush(self.events, (self.offset[i], 0, i))
        last = 0
        while self.events:
            now, kind, i = heapq.heappop(self.events)
            if kind == 2:
                self.free += 1
                self._start(now)
                continue
            last = max(last, now)
            if kind == 0:
                self._schedule(i)
            else:
                self._end(i)
            self._start(now)
        return max(1, last)

    def _schedule(self, i: int) -> None:
        for cown, read in self.asks[i]:
            q = self.queue.setdefault(cown, deque())
            free = not q or (read and all(e[1] and e[2] for e in q))
            q.append([i, int(read), int(free)])
            self.left[i] += not free
        if not self.left[i]:
            self._make_ready(i)

    def _make_ready(self, i: int) -> None:
        (self.main_ready if self.main[i] else self.ready).append(i)

    def _start(self, now: int) -> None:
        while self.free and self.ready:
            self.free -= 1
            self._begin(now, self.ready.popleft())
        if self.main_free and self.main_ready:
            self.main_free = False
            self._begin(now, self.main_ready.popleft())

    def _begin(self, now: int, i: int) -> None:
        for child in self.children.get(i, ()):
            heapq.heappush(self.events, (now + self.offset[child], 0, child))
        heapq.heappush(self.events, (now + self.cost[i], 1, i))

    def _end(self, i: int) -> None:
        if self.main[i]:
            self.main_free = True
        else:
            self.free += 1
        for cown, _ in self.asks[i]:
            q = self.queue[cown]
            for at, entry in enumerate(q):
                if entry[0] == i:
                    del q[at]
                    break
            all_read = True
            for at, entry in enumerate(q):
                if at and not (entry[1] and all_read):
                    break
                if not entry[2]:
                    entry[2] = 1
                    self.left[entry[0]] -= 1
                    if not self.left[entry[0]]:
                        self._make_ready(entry[0])
                all_read = bool(entry[1])
                if not all_read:
                    break
