"""A part of a trace: what was there at some moment between two times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .columns import LOST, NONE

if TYPE_CHECKING:
    from .model import Trace


def cut(trace: Trace, t0: int, t1: int) -> Trace:
    """The part between two times, ns: behaviors that were there at some moment of it, rows renumbered."""
    base = trace.base if t0 <= trace.t0 and t1 >= trace.t1 else None  # the counters know the whole of it only
    b = trace.behaviors
    begin = np.where(b.sched >= 0, b.sched, b.start)
    over = np.where(b.end >= 0, b.end, np.where(b.cancel >= 0, b.cancel, trace.t1))
    keep = (over >= t0) & (begin <= t1) & ~((b.state == LOST) & (np.maximum(b.start, b.sched) < t0))
    n = trace.notices
    inside = (n.time >= t0) & (n.time <= t1)
    if keep.all() and inside.all():
        return replace(trace, t0=t0, t1=t1, base=base)
    row = np.cumsum(keep, dtype=np.int32) - 1
    row[~keep] = NONE
    r = trace.requests
    held = keep[r.behavior]
    kept = r.take(held)
    kept.behavior = row[kept.behavior]
    kept.pred = np.where(kept.pred >= 0, row[kept.pred], NONE).astype(np.int32)
    changes = n.take(inside)
    changes.writer = np.where(changes.writer >= 0, row[changes.writer], NONE).astype(np.int32)
    notes = trace.notes.take((trace.notes.begin >= t0) & (trace.notes.begin <= t1))
    notes.behavior = np.where(notes.behavior >= 0, row[notes.behavior], NONE).astype(np.int32)
    return replace(
        trace,
        behaviors=b.take(keep),
        requests=kept,
        notices=changes,
        notes=notes,
        moves=trace.moves.take((trace.moves.time >= t0) & (trace.moves.time <= t1)),
        gaps=[g for g in trace.gaps if g.end >= t0 and g.begin <= t1],
        exceptions={int(row[i]): text for i, text in trace.exceptions.items() if i >= 0 and keep[i]},
        gate={int(row[i]): when for i, when in trace.gate.items() if keep[i]},
        base=base,
        t0=t0,
        t1=t1,
    )
