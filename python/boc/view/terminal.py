"""The Gantt chart as text: the counts, the finding, and a line for each worker."""

from __future__ import annotations

import numpy as np

from boc.trace import Trace, tally
from boc.trace.times import dur, percent

from . import lod

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ROWS = 16
FOLD = 4
"""So many workers that never ran, or more, share one row."""


def idle_name(workers: list[int]) -> str:
    """The label of the row that they share."""
    if workers[-1] - workers[0] == len(workers) - 1:
        return f"{workers[0]} to {workers[-1]}: idle"
    return f"{len(workers)} others: idle"


def text_chart(trace: Trace, title: str, finding: str, width: int = 64) -> str:
    """Lines of text: title, finding, then busy shares of the workers over time as blocks."""
    out = [title.replace("  ·  ", " · "), finding]
    rows = np.flatnonzero(trace.ran)
    if not len(rows):
        return "\n".join(out)
    thread = trace.behaviors.thread[rows]
    ran = set(np.unique(thread).tolist())
    there = sorted((w for w in ran if w < 0), reverse=True)
    there += list(range(max(trace.workers, max(ran) + 1)))
    idle = [w for w in there if w not in ran]
    if len(idle) >= FOLD:
        there = [w for w in there if w in ran]
    shown = there[:_ROWS]
    low = min(ran)
    place = {w: k for k, w in enumerate(there)}
    table = np.array([place.get(w, 0) for w in range(low, max(ran) + 1)])
    shares = lod.coverage(
        len(there), width, trace.t0, trace.t1,
        table[thread - low], trace.behaviors.start[rows], trace.end[rows], 0, 1,
    )[:, 0]  # fmt: skip
    names = ["main" if w == -1 else f"thread {-1 - w}" if w < 0 else f"worker {w}" for w in shown]
    wide = max(len(n) for n in names)
    busy = None if trace.counted is None else tally.busy(trace, trace.counted)
    for w, name in zip(shown, names, strict=True):
        row = np.clip(shares[place[w]], 0, 1)
        level = np.where(row > 0, np.maximum(1, np.rint(row * 8)), 0).astype(int)
        share = busy.get(w, 0.0) if busy is not None else float(row.mean())
        out.append(f"{name:<{wide}} ▕{''.join(_BLOCKS[v] for v in level)}▏ {percent(share):>4}")
    if len(there) > len(shown):
        out.append(f"{len(there) - len(shown)} more workers")
    if len(idle) >= FOLD:
        out.append(idle_name(idle))
    end = dur(trace.t1 - trace.t0)
    out.append(" " * (wide + 2) + "0" + end.rjust(width - 1))
    return "\n".join(out)
