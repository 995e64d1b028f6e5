"""Waits by behavior: a thin line in the colour of whoever held the cown, then the bar. One row a behavior."""

from __future__ import annotations

from functools import partial

import numpy as np

from boc.trace import Trace
from boc.trace.columns import CANCELLED, LOST, RAISED, RUNNING
from boc.trace.explain import Part, parts, wait_end
from boc.trace.times import dur, plural

from .figure import Chart
from .gantt import empty, nothing
from .measure import fit, width
from .palette import LIGHT, Theme, edge, ink_on
from .scene import Scene
from .sheet import MARGIN, Sheet
from .terminal import text_chart

ROWS = 60
"""More behaviors than this: those that waited longest."""
_HEIGHT = 22.0


def waits(trace: Trace, theme: Theme = LIGHT, wide: int = 1000) -> Chart:
    """Draw what each behavior waited for, in order of schedule."""
    scene = Scene(trace, theme, wide)
    b = trace.behaviors
    known = np.flatnonzero(trace.mine & (b.sched >= 0) & (b.state != LOST))
    rows = known[np.argsort(b.sched[known], kind="stable")]
    until = np.where(b.start >= 0, b.start, np.where(b.cancel >= 0, b.cancel, trace.t1))
    waited = np.maximum(until - b.sched, 0)
    if len(rows) > ROWS:
        rows = rows[np.sort(np.argsort(-waited[rows], kind="stable")[:ROWS])]
    top = MARGIN + 70.0
    bottom = top + _HEIGHT * max(1, len(rows))
    s = Sheet(wide, bottom + 46, theme, trace.t0, trace.t1)
    s.x0 += 30
    title, finding = _words(trace, rows.tolist(), waited, len(known), known)
    s.title(title, finding)
    s.axis(top - 18, bottom, rule=False, now=trace.pending)
    s.heading(top - 18, "Behaviors", "" if trace.pending else "wait")
    if trace.pending:
        s.now(top - 18, bottom)
    if not len(rows):
        s.text((s.x0 + s.x1) / 2, top + 10, empty(trace), 11.5, theme.muted, align="center")
    worst = _worst(trace, rows.tolist(), waited) if len(rows) else -1
    for k, row in enumerate(rows.tolist()):
        _row(s, scene, row, top + _HEIGHT * k, row == worst)
    order = "as scheduled" if len(rows) == len(known) else f"as scheduled; the {len(rows)} that waited longest"
    s.text(
        MARGIN,
        bottom + 20,
        "Line: waiting, in the colour of the behavior that held the cown; grey: for a worker."
        f"   Bar: running.   Order: {order}.",
        10.5,
        theme.muted,
    )
    s.chart.describe = partial(text_chart, trace, title, finding)
    return s.finish()


def _worst(trace: Trace, rows: list[int], waited: np.ndarray) -> int:
    """Who waited longest; one that was dropped from the queue counts only where there is no other."""
    b = trace.behaviors
    return max(rows, key=lambda i: (b.state[i] != CANCELLED or b.start[i] >= 0, waited[i]))


def _words(trace: Trace, rows: list[int], waited: np.ndarray, total: int, known: np.ndarray) -> tuple[str, str]:
    if not rows:
        return nothing(trace), "No behavior waited"
    worst = _worst(trace, rows, waited)
    ran = known[trace.ran[known]]
    spent = int((trace.end[ran] - trace.behaviors.start[ran]).sum())
    longest = waited[worst] >= waited[rows].max()  # else one that was cancelled waited longer
    title = f"{trace.name(worst)} waited longest{'' if longest else ' of those that ran'}: {dur(int(waited[worst]))}"
    if waited[worst] < 1000:
        title = "No behavior waited"
    gone = sum(trace.counts().values()) - total  # they ran or wait, but when they were scheduled is forgotten
    all_ = f"{'The latest' if gone else 'All'} {plural(total, 'behavior')} together" if total > 1 else "It"
    said = f"{all_} waited {dur(int(waited[known].sum()))} and ran {dur(spent)}"
    return title, said + (f". {plural(gone, 'behavior')} of before not drawn" if gone else "")


def _row(s: Sheet, scene: Scene, row: int, y: float, worst: bool) -> None:
    t, th, colours = scene.trace, scene.theme, scene.colours
    b, mid = t.behaviors, y + 9
    fill, base = colours.fill(row), colours.base(row)
    s.rects(MARGIN, MARGIN + 9, mid - 4.5, mid + 4.5, fill, line=edge(base, th), lw=0.6, z=3)
    s.text(MARGIN + 14, mid, fit(t.name(row), s.x0 - MARGIN - 24, 11), 11)
    for part in parts(t, row):
        _stretch(s, scene, part, mid)
    end = wait_end(t, row)
    if b.state[row] == CANCELLED and b.start[row] < 0:
        s.cross(s.at(end), mid + 5.5, 3)
        s.text(s.at(end) + 7, mid, "cancelled", 9.5, th.muted)
    elif b.start[row] >= 0:
        a, e = s.at(b.start[row]), s.at(t.end[row])
        e = max(e, a + 0.35)
        s.rects(a, e, y + 1, y + 18, fill, line=edge(base, th) if e - a > 5 else fill, lw=0.55, z=3)
        if b.state[row] == RUNNING:
            s.rects(e - 3, e, y + 1, y + 18, th.accent, z=4)
        if b.state[row] == RAISED:
            s.raised(e, y + 1, 17, room=e - a)
        if b.state[row] == CANCELLED:
            s.cut(e, mid + 0.5, ink_on(fill), room=e - a)
        w = int(b.thread[row])
        place = "main" if w == -1 else f"thread {-1 - w}" if w < 0 else f"worker {w}"
        space = e - a - 8 - (7 if b.state[row] in (RAISED, CANCELLED) else 0)
        if width(place, 10) <= space:
            s.text(a + 4, mid + 0.5, place, 10, ink_on(fill))
    waited = end - int(b.sched[row])
    label = dur(waited) if waited >= 1000 else "·"
    s.text(s.width - MARGIN, mid, label, 11, th.ink if worst else th.muted, align="right", bold=worst)


def _stretch(s: Sheet, scene: Scene, part: Part, mid: float) -> None:
    a, e = s.at(part.begin), s.at(part.end)
    colour = scene.colours.fill(part.holder) if part.holder >= 0 else scene.theme.neutral
    s.rects(a, max(e - 0.8, a + 0.3), mid + 3, mid + 8, colour, z=2)
    full = f"{part.label} · {part.held_by}" if part.held_by else part.label
    for text in (full, part.label):
        if width(text, 9) <= e - a - 4:
            s.text(a + 1.5, mid - 3, text, 9, scene.theme.muted)
            return
