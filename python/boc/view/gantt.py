"""The Gantt chart: workers, cowns, noticeboard; one behavior has one colour in all of them."""

from __future__ import annotations

from functools import partial

import numpy as np

from boc.trace import Trace, tally
from boc.trace.times import count, dur, percent, plural

from .cowns import Cowns
from .figure import Chart
from .legend import Key, Legend
from .measure import fit, width
from .noticeboard import Noticeboard
from .palette import LIGHT, Theme
from .scene import Scene
from .sheet import MARGIN, Sheet, snap
from .terminal import text_chart
from .workers import Workers

EMPTY = "No behavior has run yet. Schedule one, and its bar appears here"


def gantt(trace: Trace, theme: Theme = LIGHT, wide: int = 1000, first: str = "worker") -> Chart:
    """Draw a trace. `first`: which panel stands above, "worker" or "cown"."""
    scene = Scene(trace, theme, wide)
    axis = snap(MARGIN + 44 + 12)
    y = snap(axis + 11)
    heads: list[tuple[float, str, str]] = []
    if first == "cown" and len(scene.ranked):
        cowns = Cowns(scene, y)
        heads.append((axis, "Cowns", "held · queue"))
        heads.append((snap(cowns.bottom + 14), "Workers", "busy"))
        workers = Workers(scene, snap(cowns.bottom + 26))
        y = workers.bottom
    else:
        workers = Workers(scene, y)
        heads.append((axis, "Workers", "busy"))
        y = workers.bottom
        cowns = Cowns(scene, snap(y + 26))
        if cowns.rows:
            heads.append((snap(y + 14), "Cowns", "held · max queue"))
            y = cowns.bottom
    board = Noticeboard(scene, snap(y + 26))
    if board.keys:
        heads.append((snap(y + 14), "Noticeboard", "version"))
        y = board.bottom
    marks = _marks_of(trace)
    bottom = snap(y + (15 if marks else 0))
    legend = Legend(scene)
    key_y = bottom + 16 + legend.height
    s = Sheet(wide, key_y + 34, theme, trace.t0, trace.t1)
    title, found = headline(trace, scene), finding(trace, scene)
    s.title(title, found)
    s.axis(axis, bottom, now=trace.pending)
    for at, left, right in heads:
        beside = at == axis and trace.pending
        s.heading(at, left, right if not beside or len(right) < 8 else "")
    workers.draw(s)
    cowns.draw(s)
    board.draw(s)
    _marks(s, trace, marks, axis, bottom)
    if trace.pending:
        s.now(axis, bottom)
    if not len(scene.names):
        s.text(
            (s.x0 + s.x1) / 2,
            (workers.top + workers.bottom) / 2 - 2,
            empty(trace),
            11.5,
            theme.muted,
            align="center",
        )
    legend.draw(s, bottom + 16)
    _key(s, key_y, scene, cowns)
    s.chart.describe = partial(text_chart, trace, title, found)
    return s.finish()


def _key(s: Sheet, y: float, scene: Scene, cowns: Cowns) -> None:
    if not len(scene.names):
        return
    key = Key(s, y)
    some_bars = not scene.dense or len(cowns.dense) < len(cowns.rows)
    waits = [row for row in cowns.rows if row.longest]
    strands = [r for r in waits if r.longest <= cowns.threads and r.cown not in cowns.dense and not cowns.small]
    if some_bars:
        key.bars(scene, bool(strands))
    if scene.dense or cowns.dense:
        key.shares(scene, bool(cowns.dense))
    if len(strands) < len(waits):
        key.depth()


def _marks_of(trace: Trace) -> list[int]:
    """Rows of the user's marks, unless they are too many to be told apart."""
    rows = np.flatnonzero(~trace.notes.span)
    rows = rows[np.argsort(trace.notes.begin[rows], kind="stable")]
    return rows.tolist() if len(rows) <= 60 else []


def _marks(s: Sheet, trace: Trace, marks: list[int], axis: float, bottom: float) -> None:
    """User marks: a line through all rows, its text below them where there is room."""
    free = 0.0
    for k in marks:
        x = s.at(trace.notes.begin[k])
        s.vertical([x], axis + 8, bottom, s.theme.faint, 1, z=8)
        label = fit(trace.text(int(trace.notes.text[k])), s.width - MARGIN - x - 4, 9.5)
        if label and x + 3 >= free:
            s.text(x + 3, bottom - 5, label, 9.5, s.theme.muted)
            free = x + 3 + width(label, 9.5) + 6


def headline(trace: Trace, scene: Scene) -> str:
    """The counts: `13 behaviors  ·  2 workers  ·  149 ms  ·  1 raised`."""
    states = trace.counts()
    total = sum(states.values())
    bits = [plural(total, "behavior"), plural(trace.workers, "worker")]
    if trace.t1 > trace.t0:
        bits.append(dur(tally.length(trace)))
    if total >= 1000:
        started = len(scene.ran) + (states["lost"] if trace.counted is not None else 0)
        bits.append(f"{count(started * 1e9 / tally.length(trace))}/s")
    for word in ("running", "ready", "waiting", "raised", "cancelled", "lost"):
        if states[word]:
            bits.append(f"{count(states[word])} {word}")
    lost = sum(trace.lost.values())
    if lost:
        bits.append(f"{count(lost)} records lost")
    return "  ·  ".join(bits)


def finding(trace: Trace, scene: Scene) -> str:
    """What matters most, in a sentence."""
    text = _most_waited(trace, scene)
    if trace.damage:
        text += f". The file is not whole: {trace.damage}"
    if trace.off and len(scene.names):
        text += f". {tally.OFF}"
    return text + tally.beyond(trace)


def empty(trace: Trace) -> str:
    """What stands in rows without a bar."""
    return tally.OFF if trace.off else EMPTY


def nothing(trace: Trace) -> str:
    """What is said of a run without behaviors."""
    return tally.OFF if trace.off else "Nothing was scheduled"


def _most_waited(trace: Trace, scene: Scene) -> str:
    if not len(scene.names):
        return nothing(trace)
    ranked = scene.ranked
    if not len(ranked) or not scene.caused[ranked[0]]:
        return "No behavior waited for a cown"
    top = int(ranked[0])
    held, alike = tally.held(trace, top) or (scene.held(top), 1)
    longest = int(scene.queue(top)[1].max(initial=0))
    name = scene.cown_names[0]
    mean = f" (mean of {count(alike)})" if alike > 1 else ""
    return f"Most waited for: {name}, held {percent(held)} of the time{mean}, up to {count(longest)} in its queue"
