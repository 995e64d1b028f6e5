"""The critical path: its bars keep their colour over an ink line, the rest fades; then what if."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from boc.trace import Trace
from boc.trace.critical import CriticalPath
from boc.trace.times import count, dur, plural
from boc.trace.whatif import Prediction

from .figure import Chart
from .measure import fit, width
from .palette import LIGHT, Theme
from .scene import Scene
from .sheet import MARGIN, Sheet, snap
from .workers import Workers

_LINE = 20.0


def critical(
    trace: Trace, predictions: Sequence[Prediction] | None = None, theme: Theme = LIGHT, wide: int = 1000
) -> Chart:
    """Draw the chain that decided the end, and what would have changed it (predicted)."""
    path = trace.critical_path()
    told = list(predictions) if predictions is not None else _usual(trace) if path.steps else []
    scene = Scene(trace, theme, wide, bright={step.row for step in path.steps})
    axis = snap(MARGIN + 56)
    workers = Workers(scene, snap(axis + 11))
    head = workers.bottom + 20
    s = Sheet(wide, head + _LINE * (len(told) + 1) + 34, theme, trace.t0, trace.t1)
    n = len(path.steps)
    title = f"Critical path: {dur(path.length)} of {dur(trace.t1 - trace.t0)} in {plural(n, 'behavior')}"
    title = title if n else "No behavior has run yet"
    chain = _chain(path, wide - 2 * MARGIN)
    s.title(title, chain)
    s.axis(axis, workers.bottom)
    s.heading(axis, "Workers", "busy")
    workers.draw(s)
    if not scene.dense:
        _line(s, workers, path, trace)
    if told:
        _predictions(s, told, trace, head)
    s.chart.describe = partial("\n".join, [title, chain, *(str(p) for p in told[1:])])
    return s.finish()


def _usual(trace: Trace) -> list[Prediction]:
    """As recorded, fewer and more workers, and the most waited for cown split."""
    n = max(1, trace.workers)
    out = [trace.what_if()]
    out += [trace.what_if(workers=k) for k in sorted({max(1, n // 2), n + 1, 2 * n} - {n})]
    scene_top = trace.summary(1).cowns
    if scene_top and scene_top[0].caused:
        out.append(trace.what_if(split=scene_top[0].name))
        out.append(trace.what_if(workers=n + 1, split=scene_top[0].name))
    return out


def _chain(path: CriticalPath, space: float) -> str:
    """The chain in words; a long one keeps its head and its tail."""
    names = [step.name for step in path.steps]
    arrow = "  ›  "
    for keep in range(min(len(names), int(space / width(arrow, 11.5))), 1, -1):
        head, tail = names[: (keep + 1) // 2], names[len(names) - keep // 2 :]
        text = arrow.join([*head, *([f"{count(len(names) - keep)} more"] if keep < len(names) else []), *tail])
        if width(text, 11.5) <= space:
            return text
    return fit(arrow.join(names[:2]), space, 11.5)


def _line(s: Sheet, workers: Workers, path: CriticalPath, trace: Trace) -> None:
    parts = []
    before: tuple[float, float] | None = None
    for step in path.steps:
        y = workers.y[int(trace.behaviors.thread[step.row])] + workers.height + 1.6
        a, e = s.at(step.begin), s.at(step.end)
        if before is not None:
            parts += [[(before[0], before[1]), (a, before[1])], [(a, before[1]), (a, y)]]
        parts.append([(a, y), (e, y)])
        before = (e, y)
    s.lines(parts, s.theme.ink, 2.2, z=8, cap="round")


def _predictions(s: Sheet, told: list[Prediction], trace: Trace, y: float) -> None:
    th = s.theme
    s.heading(y, "What if", "total")
    s.text(s.width - MARGIN - 70, y, "change", 10.5, th.muted, align="right")
    x0, x1 = MARGIN + 190.0, s.width - MARGIN - 150.0
    most = max((p.total for p in told), default=1)
    for k, p in enumerate(told):
        at = y + _LINE * (k + 1)
        recorded = p.label.startswith("as recorded")
        s.text(MARGIN, at, fit(p.label, 182, 11), 11, bold=recorded)
        s.rects(x0, x0 + (x1 - x0) * p.total / most, at - 5, at + 5, th.ink if recorded else th.neutral, z=3)
        s.text(s.width - MARGIN, at, dur(p.total), 11, align="right")
        if not recorded:
            small = abs(p.change) < 0.005
            change = "none" if small else f"{'−' if p.change < 0 else '+'}{abs(p.change):.0%}"
            s.text(s.width - MARGIN - 70, at, change, 11, th.muted if small else th.ink, align="right")
    x = x0 + (x1 - x0) * trace.span / most
    s.vertical([x], y + 10, y + 10 + _LINE * len(told), th.rule, 1, z=2)
    note = "Predicted by running the recorded dependency graph again; bodies keep their measured time."
    s.text(MARGIN, y + 14 + _LINE * (len(told) + 1), note, 10.5, th.muted)
