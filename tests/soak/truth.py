"""The truth rules of a trace, on what a real program left: each holds or raises AssertionError.

A grant has the time at which its giver last looked at the clock; a thread that then loses its core gives it later than
it says. So two owners may seem to overlap by as long as that lasts.
"""

from __future__ import annotations

import numpy as np
from boc.trace import Trace

LOST_CORE_NS = 50_000_000


def overlaps(begin: np.ndarray, end: np.ndarray, by: int = 0) -> bool:
    order = np.lexsort((end, begin))
    return bool((begin[order][1:] + by < end[order][:-1]).any())


def around(trace: Trace, mine: np.ndarray) -> list[tuple[str, int, int, int, int]]:
    """The first two that overlap: name, start and end in ns from the first start, state, whether it ended."""
    b, rows = trace.behaviors, np.flatnonzero(mine)
    rows = rows[np.lexsort((trace.end[rows], b.start[rows]))]
    at = int(np.argmax(b.start[rows][1:] < trace.end[rows][:-1]))
    first = int(b.start[rows[at]])
    return [(trace.name(i), int(b.start[i]) - first, int(trace.end[i]) - first, int(b.state[i]), int(b.end[i] >= 0))
            for i in rows[at : at + 2].tolist()]


def check_trace(trace: Trace) -> bool:
    """Whether it could be checked: a ring that was overtaken leaves halves."""
    if trace.gaps:
        return False
    b, r = trace.behaviors, trace.requests
    started, ended = b.start >= 0, b.end >= 0
    assert not (ended & ~started & (b.cancel < 0)).any(), "an end without a start"
    assert int(started.sum()) == int((started & ended).sum()) + trace.counts()["running"], "starts = ends + running"
    early = np.flatnonzero(started & (b.start < b.sched))
    assert not len(early), f"{[(trace.name(i), int(b.sched[i] - b.start[i]), int(b.thread[i])) for i in early]} started before they were scheduled"
    for w in np.unique(b.thread[trace.ran]):
        mine = trace.ran & (b.thread == w)
        assert not overlaps(b.start[mine], trace.end[mine]), f"two bodies at once on worker {w}: {around(trace, mine)}"
    for c in range(len(trace.cowns)):
        held = (r.cown == c) & (r.grant >= 0)
        write = held & ~r.read
        assert not overlaps(r.grant[write], trace.held_until[write], LOST_CORE_NS), f"two owners of cown {c}"
        for k in np.flatnonzero(held & r.read):
            until, since = trace.held_until[k] - LOST_CORE_NS, r.grant[k] + LOST_CORE_NS
            both = (r.grant[write] < until) & (trace.held_until[write] > since)
            assert not both.any(), f"a reader beside a writer on cown {c}"
    return True
