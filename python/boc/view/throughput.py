"""Throughput: what was finished per second, by name; then how many waited, were ready and ran."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from boc.trace import Trace
from boc.trace.ownership import steps
from boc.trace.times import count, dur, percent, plural, rate

from . import lod
from .figure import Chart
from .gantt import empty, nothing
from .measure import fit
from .palette import GREY, LIGHT, Theme
from .scene import Scene
from .sheet import MARGIN, Sheet
from .terminal import text_chart

_AREA, _STRIPS = 130.0, ((56.0, "waiting"), (22.0, "ready"), (22.0, "running"))
_NAMES = 8


def throughput(trace: Trace, theme: Theme = LIGHT, width: int = 1000) -> Chart:
    """Draw finished behaviors per second and the number in each state, each strip with its own maximum."""
    scene = Scene(trace, theme, width)
    top = MARGIN + 92.0
    below = top + _AREA + 44
    s = Sheet(width, below + 118 + 44, theme, trace.t0, trace.t1)
    s.x1 = width - 150.0
    done = int((trace.ran & (trace.behaviors.end >= 0)).sum())
    columns = int(min(s.plot // 4, max(12, done // 3)))
    edges = np.linspace(trace.t0, trace.t1, columns + 1)
    seconds = max(1e-9, (edges[1] - edges[0]) / 1e9)
    title, finding = _words(trace, scene)
    s.title(title, finding)
    s.axis(top - 16, top - 8, rule=False)
    s.text(MARGIN, top - 38, "Finished per second, by name", 10.5, theme.muted, bold=True)
    if not len(scene.names):
        s.text((s.x0 + s.x1) / 2, top + _AREA / 2, empty(trace), 11.5, theme.muted, align="center")
    else:
        _finished(s, scene, edges, seconds, top)
    s.text(MARGIN, below - 14, "Behaviors by state", 10.5, theme.muted, bold=True)
    y = below
    for (height, name), colour, levels in zip(
        _STRIPS, (theme.neutral, theme.accent, theme.muted), _states(trace), strict=True
    ):
        _strip(s, y, height, name, colour, levels, columns)
        y += height + 9
    column = f"One column = {dur(edges[1] - edges[0])}. " if not s.empty else ""
    note = f"{column}Each strip has its own scale, from 0 to the number at its right."
    s.text(MARGIN, below + 142, note, 10.5, theme.muted)
    s.chart.describe = partial(text_chart, trace, title, finding)
    return s.finish()


def _words(trace: Trace, scene: Scene) -> tuple[str, str]:
    b = trace.behaviors
    done = int((trace.ran & (b.end >= 0)).sum())
    if not len(scene.names):
        return "0 behaviors", nothing(trace)
    title = f"{rate(done * 1e9 / trace.span)} behaviors/s over {dur(trace.t1 - trace.t0)}"
    on = scene.ran[b.thread[scene.ran] >= 0]
    spent = np.maximum(0, np.minimum(trace.end[on], trace.t1) - np.maximum(b.start[on], trace.t0)).sum()
    busy = float(spent) / (trace.span * max(1, trace.workers))
    most = int(_states(trace)[0][1].max(initial=0))
    lost = trace.counts()["lost"]
    waited = f"up to {plural(most, 'behavior')} waited" if most else "no behavior waited"
    found = f"Workers busy {percent(busy)}; {waited} for cowns"
    return title, found + (f". {plural(lost, 'earlier behavior')} not counted" if lost else "")


def _states(trace: Trace) -> list[tuple[Any, Any]]:
    """Step functions: waiting for cowns, ready, running."""
    b = trace.behaviors
    m = trace.mine & (b.sched >= 0) & (b.state != 6)
    over = np.where(b.start >= 0, b.start, np.where(b.cancel >= 0, b.cancel, np.where(b.end >= 0, b.end, trace.t1)))
    ready = np.where(b.ready >= 0, np.minimum(b.ready, over), over)
    ran = trace.ran
    return [
        steps(b.sched[m], ready[m]),
        steps(ready[m], over[m]),
        steps(b.start[ran], trace.end[ran]),
    ]


def _strip(s: Sheet, y: float, height: float, name: str, colour: str, levels: tuple[Any, Any], columns: int) -> None:
    times, depth = levels
    most = int(depth.max(initial=0))
    edges, mean = lod.mean_depth(times, depth, s.t0, s.t1, columns)
    x = np.repeat(s.x(edges.astype(np.int64)), 2)[1:-1]
    s.lines([[(s.x0, y + height), (s.x1, y + height)]], s.theme.rule, 1, z=1)
    if most:
        s.area(x, y + height - np.repeat(mean, 2) * height / most, y + height, colour)
    s.text(MARGIN, y + height - 7, name, 11)
    s.text(s.x1 + 10, y + 7, f"≤ {count(most)}" if most else "·", 10.5, s.theme.muted)


def _finished(s: Sheet, scene: Scene, edges: Any, seconds: float, top: float) -> None:
    t, th = scene.trace, scene.theme
    b = t.behaviors
    done = np.flatnonzero(t.ran & (b.end >= 0))
    named = [n for n in scene.names if scene.colours.slot[n] != GREY][:_NAMES]
    rank = np.full(len(scene.colours.slot), len(named), np.int64)
    rank[named] = np.arange(len(named))
    column = np.clip(np.searchsorted(edges, b.end[done], side="right") - 1, 0, len(edges) - 2)
    wide = len(edges) - 1
    group = np.where(b.name[done] > 0, rank[np.minimum(b.name[done], len(rank) - 1)], len(named))
    rates = np.bincount(group * wide + column, minlength=(len(named) + 1) * wide).reshape(-1, wide) / seconds
    total = rates.sum(0)
    step = _nice(float(np.percentile(total, 99.5)) * 1.08 if len(done) else 1.0)
    scale = _AREA / (step * 3)
    base_y = top + _AREA
    for k in range(4):
        y = base_y - k * step * scale
        s.lines([[(s.x0, y), (s.x1, y)]], th.grid, 1, z=0)
        s.text(s.x0 - 8, y, count(k * step) if step >= 1 else f"{k * step:.2g}", 10, th.muted, align="right")
    x = np.repeat(s.x(edges.astype(np.int64)), 2)[1:-1]
    base = np.zeros(wide)
    labels: list[tuple[float, str, str]] = []
    for k, row in enumerate(rates):
        if not row.any():
            continue
        colour = scene.colours.of_name(named[k]) if k < len(named) else th.neutral
        text = t.text(named[k]) if k < len(named) else f"{len(scene.names) - len(named)} others"
        high = np.minimum(base + row, step * 3)
        s.area(
            x,
            base_y - np.repeat(high, 2) * scale,
            base_y - np.repeat(np.minimum(base, step * 3), 2) * scale,
            colour,
        )
        labels.append((base_y - float((base[-25:] + row[-25:] / 2).mean()) * scale, text, colour))
        base = base + row
    _labels(s, labels, base_y)


def _labels(s: Sheet, labels: list[tuple[float, str, str]], bottom: float) -> None:
    """Names at the right, beside their areas, moved apart."""
    labels = sorted(labels)
    places: list[float] = []
    for y, _, _ in labels:
        places.append(max(y, places[-1] + 14) if places else y)
    over = max(0.0, places[-1] - (bottom - 4)) if places else 0.0
    for (_, text, colour), y in zip(labels, places, strict=True):
        s.rects(s.x1 + 10, s.x1 + 18, y - over - 4, y - over + 4, colour, z=3)
        s.text(s.x1 + 23, y - over, fit(text, 112, 10.5), 10.5)


def _nice(top: float) -> float:
    """The step of an axis of three steps that reaches `top`."""
    return next(m * 10.0**e for e in range(-3, 12) for m in (1, 2, 2.5, 5) if m * 10.0**e * 3 >= top)
