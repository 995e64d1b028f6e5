"""Two runs on one time scale, then a dumbbell of wait for each name; the title answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from boc.trace import Trace
from boc.trace.columns import RAISED
from boc.trace.compare import NameChange
from boc.trace.times import dur

from . import palette
from .figure import Chart
from .lod import coverage, stacked
from .measure import SCALE, fit, width
from .palette import LIGHT, Theme, ink_on
from .scene import TOP_NAMES, Scene
from .sheet import MARGIN, Sheet, snap
from .terminal import idle_name
from .workers import folded

_LANE, _ROW, _NAMES = 18.0, 20.0, 40


def compare(
    a: Trace, b: Trace, theme: Theme = LIGHT, labels: tuple[str, str] = ("before", "after"), wide: int = 1000
) -> Chart:
    """Draw run a above run b, and the change of wait by name."""
    told = a.compare(b)
    scenes = [Scene(a, theme, wide), Scene(b, theme, wide)]
    _same_colours(scenes)
    labels = (f"A  {labels[0]}", f"B  {labels[1]}")
    idle = [folded(s) for s in scenes]
    lanes = [
        [w for w in s.threads if (w in s.bars_of or w >= 0) and w not in rest]
        for s, rest in zip(scenes, idle, strict=True)
    ]
    high = [_LANE * (len(rows) + bool(rest)) for rows, rest in zip(lanes, idle, strict=True)]
    y_a = snap(MARGIN + 96)
    y_b = snap(y_a + high[0] + 26)
    y_t = snap(y_b + high[1] + 44)
    names = told.names[:_NAMES]
    s = Sheet(wide, y_t + _ROW * len(names) + 36, theme, 0, max(a.span, b.span))
    s.title(told.title, told.finding)
    s.axis(y_a - 38, y_t - 30, rule=False)
    for scene, y, label, rows, rest, tall in zip(scenes, (y_a, y_b), labels, lanes, idle, high, strict=True):
        s.text(MARGIN, y - 12, label, 10.5, bold=True)
        _lanes(s, scene, rows, y)
        if rest:
            _idle(s, rest, snap(y + _LANE * len(rows)))
        x = s.at(scene.trace.span)
        s.vertical([x], y - 2, y + tall - 2, theme.ink, 1.3, z=7)
        s.text(x + 5, y + tall / 2 - 2, dur(scene.trace.span), 10.5)
    _dumbbells(s, scenes, names, y_t, labels)
    s.chart.describe = told.__str__
    return s.finish()


def _same_colours(scenes: list[Scene]) -> None:
    """One colour a name in both: the slots of the first run, then the new names of the second."""
    texts = [t.trace.text(n) for t in scenes for n in t.trace.slots]
    slots = palette.assign(texts, scenes[0].trace.colours)
    for scene in scenes:
        t, c = scene.trace, scene.colours
        for n in t.slots:
            c.slot[n] = slots[t.text(n)]
        known = ~t.behaviors.native & (t.behaviors.name > 0)
        c.of = np.where(known, c.slot[np.minimum(t.behaviors.name, len(c.slot) - 1)], palette.GREY)


def _lanes(s: Sheet, scene: Scene, lanes: list[int], y0: float) -> None:
    t, th = scene.trace, scene.theme
    b, h = t.behaviors, _LANE - 4
    for k, w in enumerate(lanes):
        y = snap(y0 + _LANE * k)
        s.rects(s.x0, s.x1, y, y + h, th.row, z=0.5)
        s.text(MARGIN, y + h / 2, "main" if w == -1 else f"thread {-1 - w}" if w < 0 else f"worker {w}", 10.5)
        rows = scene.ran[b.thread[scene.ran] == w]
        if scene.dense:
            _share(s, scene, rows, y, h)
            continue
        x0, x1 = s.x(b.start[rows] - t.t0), s.x(t.end[rows] - t.t0)
        x1 = np.maximum(x1, x0 + 0.35)
        face = scene.colours.face(rows)
        s.rects(x0, np.maximum(x1 - 0.6, x0 + 0.35), y, y + h, face, z=2)
        for row, xa, xb in zip(rows.tolist(), x0.tolist(), x1.tolist(), strict=True):
            if b.state[row] == RAISED:
                s.raised(xb, y, h, room=xb - xa)
            label = fit(t.name(row), xb - xa - 7 - (7 if b.state[row] == RAISED else 0), 9.5)
            if label:
                s.text(xa + 4, y + h / 2, label, 9.5, ink_on(scene.colours.fill(row)))


def _idle(s: Sheet, workers: list[int], y: float) -> None:
    """The one row of those that never ran."""
    s.rects(s.x0, s.x1, y, y + _LANE - 4, s.theme.row, z=0.5)
    s.text(MARGIN, y + (_LANE - 4) / 2, idle_name(workers), 10.5, s.theme.faint)


def _share(s: Sheet, scene: Scene, rows: Any, y: float, h: float) -> None:
    t = scene.trace
    zero = np.zeros(len(rows), np.int64)
    at = coverage(
        1,
        scene.columns,
        t.t0,
        t.t0 + s.t1,
        zero,
        t.behaviors.start[rows],
        t.end[rows],
        scene.groups[rows],
        TOP_NAMES + 1,
    )
    s.image(s.x0, s.x1, y, y + h, stacked(at[0], scene.group_colours, round(h * SCALE)))


def _dumbbells(s: Sheet, scenes: list[Scene], names: tuple[NameChange, ...], y: float, labels: tuple[str, str]) -> None:
    th = s.theme
    s.heading(y - 12, "Wait before start", "change")
    x0 = s.x0 + 60
    most = max([n.before for n in names] + [n.after for n in names], default=0) or 1
    scale = (s.x1 - x0 - 10) / max(most, 1)
    fills = {sc.trace.text(n): sc.colours.of_name(n) for sc in reversed(scenes) for n in sc.trace.slots}
    for k, n in enumerate(names):
        at = y + _ROW * k + 8
        s.rects(MARGIN, MARGIN + 9, at - 4.5, at + 4.5, fills.get(n.name, th.neutral), z=3)
        s.text(MARGIN + 14, at, fit(n.name, x0 - MARGIN - 24, 11), 11)
        if n.note:
            s.text(x0, at, n.note, 10, th.muted)
            s.lines([[(x0 + width(n.note, 10) + 6, at), (s.x1, at)]], th.grid, 1, z=0)
            continue
        s.lines([[(x0, at), (s.x1, at)]], th.grid, 1, z=0)
        a, b = x0 + n.before * scale, x0 + n.after * scale
        s.lines([[(a, at), (b, at)]], th.neutral, 2.5, z=2)
        s.dot(a, at, 7, th.background, th.muted)
        s.dot(b, at, 8, th.ink)
        change = n.after - n.before
        same = abs(change) < max(0.005 * most, 1000)
        text = "same" if same else f"{'−' if change < 0 else '+'}{dur(abs(change), 2)}"
        s.text(s.width - MARGIN, at, text, 11, th.muted if same else th.ink, align="right")
    at = y + _ROW * len(names) + 16
    s.dot(x0 + 4, at, 7, th.background, th.muted)
    s.text(x0 + 12, at, labels[0], 10.5, th.muted)
    x = x0 + 12 + width(labels[0], 10.5) + 18
    s.dot(x, at, 8, th.ink)
    s.text(x + 8, at, labels[1], 10.5, th.muted)
    s.text(s.x1, at, f"0 to {dur(most, 2)}, linear", 10.5, th.muted, align="right")
