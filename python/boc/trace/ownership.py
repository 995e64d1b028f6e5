"""Who held a cown and who waited for it, over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .columns import I32, I64

if TYPE_CHECKING:
    from .model import Trace


def union(begin: I64, end: I64) -> int:
    """Length of the union of intervals, ns."""
    if not len(begin):
        return 0
    if (begin[1:] < begin[:-1]).any():
        order = np.argsort(begin, kind="stable")
        begin, end = begin[order], end[order]
    a, b = begin, np.maximum.accumulate(end)
    return int(b[0] - a[0] + np.maximum(0, b[1:] - np.maximum(a[1:], b[:-1])).sum())


def steps(begin: I64, end: I64) -> tuple[I64, I64]:
    """How many intervals are open over time: times, and the number from each on. Empty ones do not count."""
    real = end > begin
    # In one word, so that one sort does it. At one instant the end comes first: a hand-off is no queue of two.
    both = np.concatenate([2 * begin[real] + 1, 2 * end[real]])
    both.sort()
    return both >> 1, np.cumsum(2 * (both & 1) - 1)


class ByCown:
    """The requests of each cown, found once for all."""

    def __init__(self, trace: Trace) -> None:
        cown = trace.requests.cown
        n = len(trace.cowns)
        key = cown.astype(np.uint16) if n < 65536 else cown
        self._order = np.argsort(key, kind="stable")
        self._at = np.concatenate(([0], np.cumsum(np.bincount(cown, minlength=n))))

    def __getitem__(self, row: int) -> I32:
        rows: I32 = self._order[self._at[row] : self._at[row + 1]]
        return rows


@dataclass(frozen=True)
class CownUse:
    """One cown in numbers: grants, shares of the span, longest queue, the waiting it caused (ns)."""

    row: int
    grants: int
    held: float
    used: float
    longest: int
    caused: int


def caused(trace: Trace) -> I64:
    """ns that behaviors waited for each cown, by row of the cown."""
    r = trace.requests
    wait = np.minimum(trace.waited_until, trace.t1) - np.maximum(r.time, trace.t0)
    known = (r.time >= 0) & (r.exact | (r.grant < 0)) & (wait > 0)
    if not trace.mine.all():
        known &= trace.mine[r.behavior]
    return np.bincount(r.cown, wait * known, len(trace.cowns)).astype(np.int64)


def ranked(trace: Trace, waited: I64 | None = None) -> I32:
    """Rows of cowns that were asked for, most waited for first; then those that more asked for; then the older.

    Not of a result that only the main program looked at: no behavior asked for it.
    """
    r, b = trace.requests, trace.behaviors
    asked = np.bincount(r.cown, minlength=len(trace.cowns))
    if trace.cowns.maker.any():
        maker = b.id[r.behavior] == trace.cowns.maker[r.cown]
        others = np.bincount(r.cown[trace.mine[r.behavior] & ~maker], minlength=len(asked))
        asked[np.unique(r.cown[maker])] *= others[np.unique(r.cown[maker])] > 0
    waited = caused(trace) if waited is None else waited
    order = np.lexsort((np.arange(len(waited)), -asked, -waited))
    return order[asked[order] > 0]


def in_use(trace: Trace, rows: I32) -> tuple[I64, I64]:
    """From when to when the bodies behind requests had the cown in use; empty where they never started."""
    b, r = trace.behaviors, trace.requests
    who = r.behavior[rows]
    until = trace.held_until[rows]
    start = np.where(trace.ran[who], b.start[who], until)
    return np.minimum(start, until), until


def use(trace: Trace, row: int, index: ByCown, waited: int) -> CownUse:
    """The numbers of one cown; `waited` is its entry of `caused`."""
    r = trace.requests
    mine = index[row]
    got = mine[r.grant[mine] >= 0]
    begin, end = np.maximum(r.grant[got], trace.t0), np.maximum(trace.held_until[got], trace.t0)
    start, stop = in_use(trace, got)
    depth = queue(trace, mine)[1]
    return CownUse(
        row,
        int(np.count_nonzero(~trace.behaviors.native[r.behavior[got]])),  # a look from main hands nothing on
        union(begin, end) / trace.span,
        union(np.maximum(start, trace.t0), np.maximum(stop, trace.t0)) / trace.span,
        int(depth.max(initial=0)),
        waited,
    )


def queue(trace: Trace, rows: I32) -> tuple[I64, I64]:
    """How many waited over time, of some requests: times and depths."""
    r = trace.requests
    rows = rows[(r.time[rows] >= 0) & (r.exact[rows] | (r.grant[rows] < 0))]
    return steps(r.time[rows], trace.waited_until[rows])
