"""The last run: from the last time that nothing was pending before now, to the end of what it did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import tally
from .columns import LOST, RUNNING

if TYPE_CHECKING:
    from .model import Trace

_PAUSE_NS = 100_000_000
"""Nothing pending for less than this is workers that keep up with who schedules, not the end of a run,
unless a wait saw it."""


def last_of(trace: Trace, since: int | None = None) -> Trace:
    """The last run, which began at the latest at `since` (ns).

    Looks of the main program at what has long ended (`result()`, `with c`) do not draw it out.
    """
    begin, end = _begin(trace, since), _end(trace)
    out = trace if begin <= trace.t0 and end >= trace.t1 else trace.window(begin, max(begin, end))
    return replace(out, base=_base(trace, begin, since))


def _end(trace: Trace) -> int:
    """When the program's own behaviors and notes ended; now, if something is pending."""
    b = trace.behaviors
    own = ~b.native
    if trace.pending or not own.any():
        return trace.t1
    every = bool(own.all())
    times = [x if every else x[own] for x in (b.end, b.cancel, b.start, b.sched)]
    return min(trace.t1, max(int(x.max()) for x in (*times, trace.notices.time) if len(x)))


def _begin(trace: Trace, since: int | None = None) -> int:
    """When the last run began; `trace.t0` where it is all one run."""
    b = trace.behaviors
    known = (b.sched >= 0) & (b.state != LOST) & ~b.native
    if not known.any():
        return trace.t0
    sched = np.sort(b.sched[known])
    waits = np.searchsorted(trace.quiet, sched[[0, -1]], side="right")
    if waits[0] == waits[1] and not (np.diff(sched) >= _PAUSE_NS).any():
        return trace.t0  # no wait ended in between, and there was no pause: it is all one run
    done = b.state[known] > RUNNING
    end = np.sort(np.maximum(b.end, b.cancel)[known][done])
    # Nothing is pending before a schedule when as many have ended as were scheduled.
    most = min(len(end) + 1, len(sched))
    over = np.append(end[:most], np.iinfo(np.int64).max)
    idle = 1 + np.flatnonzero((over[: most - 1] <= sched[1:most]) & (over[1:most] > sched[1:most]))
    last = end[idle - 1]
    # Such a moment counts where somebody saw it: a wait that ended, workers that went, or a pause.
    seen = np.searchsorted(trace.quiet, sched[idle], side="right") > np.searchsorted(trace.quiet, last)
    kept = seen | (sched[idle] - last >= _PAUSE_NS)
    begin, before = trace.t0, trace.t0
    if kept.any():
        begin, before = int(sched[idle][kept][-1]), int(last[kept][-1])
    if since is not None and max(trace.t0, since) < begin:
        return max(trace.t0, since)
    # What main wrote on the noticeboard between the runs belongs to the later one.
    noted = trace.notices.time[trace.notices.time > before]
    return min(begin, int(noted.min())) if begin > trace.t0 and len(noted) else begin


def _base(trace: Trace, begin: int, since: int | None = None) -> int | None:
    """Which mark of the counters is that run's beginning; None where what came before it was counted with it."""
    if not trace.marks:
        return None
    if begin <= trace.t0:  # its beginning was forgotten: it began at the last mark before what is left
        return tally.before(trace.marks, begin if since is None else min(begin, since))
    base = tally.before(trace.marks, begin)
    end = trace.behaviors.end
    return None if ((end > trace.marks[base].time) & (end < begin)).any() else base
