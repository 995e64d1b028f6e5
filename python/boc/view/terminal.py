"""The Gantt chart as text: the counts, the finding, and a line for each worker."""

from __future__ import annotations

import numpy as np

from boc.trace import Trace, tally
from boc.trace.times import dur, percent

from . import lod

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ROWS = 16


def text_chart(trace: Trace, title: str, finding: str, width: int = 64) -> str:
    """Lines of text: title, finding, then busy shares of the workers over time as blocks."""
    out = [title.replace("  ·  ", " · "), finding]
    rows = np.flatnonzero(trace.ran)
    if not len(rows):
        return "\n".join(out)
    thread = trace.behaviors.thread[rows]
    there = sorted((w for w in np.unique(thread).tolist() if w < 0), reverse=True)
    there += list(range(max(trace.workers, int(thread.max()) + 1)))
    shown = there[:_ROWS]
    place = {w: k for k, w in enumerate(there)}
    at = np.array([place[int(w)] for w in range(int(thread.min()), int(thread.max()) + 1) if w in place])
    index = {w: k for k, w in enumerate(w for w in range(int(thread.min()), int(thread.max()) + 1) if w in place)}
    low = int(thread.min())
    table = np.zeros(int(thread.max()) - low + 1, np.int64)
    for w, k in index.items():
        table[w - low] = at[k]
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
    end = dur(trace.t1 - trace.t0)
    out.append(" " * (wide + 2) + "0" + end.rjust(width - 1))
    return "\n".join(out)
