"""The critical path: walking back from the last end, what let each behavior start?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .columns import NONE

if TYPE_CHECKING:
    from .model import Trace


@dataclass(frozen=True)
class Step:
    """One behavior of the path. `why` it could start no earlier: a cown's name, "worker", "parent" or ""."""

    row: int
    name: str
    why: str
    begin: int
    end: int


@dataclass(frozen=True)
class CriticalPath:
    """The chain that decided the end, in order; `length`: time that its bars cover, `span`: the run's."""

    steps: tuple[Step, ...]
    length: int
    span: int

    def __str__(self) -> str:
        return " › ".join(s.name for s in self.steps)


def critical_path(trace: Trace) -> CriticalPath:
    """The chain of behaviors that decided when the run ended."""
    b = trace.behaviors
    rows = np.flatnonzero(trace.ran)
    if not len(rows):
        return CriticalPath((), 0, trace.span)
    order = np.argsort(b.start[rows], kind="stable")
    by_thread = {w: rows[order][b.thread[rows[order]] == w] for w in np.unique(b.thread[rows]).tolist()}
    by_behavior = np.argsort(trace.requests.behavior, kind="stable")
    place = np.searchsorted(trace.requests.behavior[by_behavior], np.arange(len(b) + 1))
    releases = _Releases(trace)
    row = int(rows[np.argmax(trace.end[rows])])
    chain: list[tuple[int, str]] = []
    seen: set[int] = set()
    while row not in seen:
        seen.add(row)
        before, why = _cause(trace, row, by_behavior[place[row] : place[row + 1]], by_thread, releases)
        chain.append((row, why))
        if before == NONE:
            break
        row = before
    steps = tuple(Step(i, trace.name(i), why, int(b.start[i]), int(trace.end[i])) for i, why in reversed(chain))
    covered, until = 0, trace.t0
    for step in steps:
        covered += max(0, step.end - max(step.begin, until))
        until = max(until, step.end)
    return CriticalPath(steps, covered, trace.span)


class _Releases:
    """The releases of each cown by those that ran, in their order: found once for the whole path."""

    def __init__(self, trace: Trace) -> None:
        r = trace.requests
        ended = np.flatnonzero((r.release >= 0) & trace.ran[r.behavior])
        ended = ended[np.lexsort((r.release[ended], r.cown[ended]))]
        self._time, self._who = r.release[ended], r.behavior[ended]
        self._at = np.searchsorted(r.cown[ended], np.arange(len(trace.cowns) + 1))

    def before(self, cown: int, time: int, row: int) -> int:
        """The behavior, other than that of `row`, that released the cown last up to a time; NONE for nobody."""
        low, high = self._at[cown : cown + 2]
        at = int(low + np.searchsorted(self._time[low:high], time, side="right")) - 1
        while at >= low and self._who[at] == row:
            at -= 1
        return int(self._who[at]) if at >= low else NONE


def _cause(
    trace: Trace, row: int, asked: np.ndarray, by_thread: dict[int, np.ndarray], releases: _Releases
) -> tuple[int, str]:
    """The behavior whose end (or body) let this one start, and through what."""
    b, r = trace.behaviors, trace.requests
    found: list[tuple[int, int, str]] = []
    waited = asked[(r.grant[asked] > r.time[asked]) & (r.time[asked] >= 0)]
    if len(waited):
        k = int(waited[np.argmax(r.grant[waited])])
        last = releases.before(int(r.cown[k]), int(r.grant[k]), row)
        if last != NONE:
            found.append((int(r.grant[k]), last, trace.cown_name(int(r.cown[k]))))
    mine = by_thread[int(b.thread[row])]
    at = int(np.searchsorted(b.start[mine], b.start[row], side="left"))
    if at > 0 and b.ready[row] >= 0:
        previous = int(mine[at - 1])
        if b.end[previous] >= 0 and b.ready[row] < b.end[previous] <= b.start[row]:
            found.append((int(b.end[previous]), previous, "worker"))
    if found:
        return max(found)[1:]
    if b.parent[row]:
        parent = np.searchsorted(b.id, b.parent[row])
        if parent < len(b) and b.id[parent] == b.parent[row] and trace.ran[parent]:
            return int(parent), "parent"
    return NONE, ""
