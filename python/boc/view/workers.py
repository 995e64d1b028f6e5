"""The panel of workers: a bar for each behavior, thin where values move, or busy shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from boc.trace import tally
from boc.trace.columns import CANCELLED, RAISED, RUNNING
from boc.trace.records import BEFORE, MAIN
from boc.trace.times import count, percent

from . import lod
from .measure import SCALE, fit, width
from .palette import ink_on, mix
from .scene import TOP_NAMES, Scene
from .sheet import MARGIN, Sheet, rgba
from .terminal import FOLD, idle_name

_LEAST = 0.35
"""A bar is at least this wide (px), a third of a hairline: seen, but nothing is widened to be legible."""


class Workers:
    """The rows of threads: their places, and how to draw them."""

    def __init__(self, scene: Scene, y: float) -> None:
        self.scene = scene
        t = scene.trace
        many = t.workers > 8
        self.height, self.gap = (12.0, 3.0) if many else (20.0, 5.0)
        self.folded = folded(scene)
        self.threads = [w for w in scene.threads if w not in self.folded]
        self.top = y
        self.y: dict[int, float] = {}
        for w in self.threads:
            self.y[w] = y
            y += self.height + self.gap
        self.fold_y = y
        if self.folded:
            y += self.height + self.gap
        self.empty = not self.y and not self.folded
        self.bottom = y + self.height + self.gap if self.empty else y

    def draw(self, s: Sheet) -> None:
        """Draw all rows."""
        scene, t, th = self.scene, self.scene.trace, self.scene.theme
        b = t.behaviors
        busy, torn = self._busy(), {_row(gap.thread) for gap in t.gaps if gap.begin != BEFORE}
        px = 11 if self.height > 12 else 10
        if self.empty:
            s.rects(s.x0, s.x1, self.top, self.top + self.height, th.row, z=0.5)
        for w in self.threads:
            y = self.y[w]
            mid = y + self.height / 2
            s.rects(s.x0, s.x1, y, y + self.height, th.row, z=0.5)
            name = "main" if w == -1 else f"thread {-1 - w}" if w < 0 else f"worker {w}"
            s.text(MARGIN, mid, name, px)
            if w < 0:
                s.text(MARGIN + width(name, px) + 9, mid, "pinned", 10, th.faint)
            share = ("≥ " if w in torn and t.counted is None else "") + percent(busy.get(w, 0.0))
            s.text(s.width - MARGIN, mid, share, px, th.muted, align="right")
        if self.folded:
            mid = self.fold_y + self.height / 2
            s.rects(s.x0, s.x1, self.fold_y, self.fold_y + self.height, th.row, z=0.5)
            s.text(MARGIN, mid, idle_name(self.folded), px, th.faint)
            s.text(s.width - MARGIN, mid, percent(0), px, th.faint, align="right")
        if scene.dense:
            self._shares(s)
        else:
            for w in self.threads:
                self._bars(s, w, scene.ran[b.thread[scene.ran] == w])
        self._gaps(s)

    def _busy(self) -> dict[int, float]:
        t = self.scene.trace
        rows = self.scene.ran
        if t.counted is not None:
            return tally.busy(t, t.counted)
        if not len(rows):
            return {}
        whole = len(rows) == len(t.behaviors)
        thread, start, end = (v if whole else v[rows] for v in (t.behaviors.thread, t.behaviors.start, t.end))
        low = int(thread.min())
        shares = lod.coverage(int(thread.max()) - low + 1, 1, t.t0, t.t0 + t.span, thread - low, start, end, 0, 1)
        return {low + k: float(v) for k, v in enumerate(shares[:, 0, 0])}

    def _bars(self, s: Sheet, w: int, rows: Any) -> None:
        scene, t, th = self.scene, self.scene.trace, self.scene.theme
        if not len(rows):
            return
        b, h, y = t.behaviors, self.height, self.y[w]
        mid, thin = y + h / 2, h * 0.18
        end_t = t.end[rows]
        body_t = np.where(b.body[rows] >= 0, b.body[rows], np.where(b.state[rows] == RUNNING, t.t1, b.start[rows]))
        stop_t = np.where(b.body_end[rows] >= 0, b.body_end[rows], end_t)
        a, body, stop, e = (s.x(v) for v in (b.start[rows], body_t, stop_t, end_t))
        stop, e = np.maximum(stop, body + _LEAST), np.maximum(e, a + _LEAST)
        body_known = (b.body[rows] >= 0) | (b.state[rows] != RUNNING)
        face, edge = scene.colours.face(rows, scene.dim), scene.colours.edge(rows, scene.dim)
        # Thin parts: decode before the body, encode after it.
        before, after = body - a > 0.2, e - stop > 0.2
        s.rects(a[before], body[before], mid - thin, mid + thin, face[before], z=2)
        s.rects(stop[after], e[after], mid - thin, mid + thin, face[after], z=2)
        edge = np.where(((stop - body) > 5)[:, None], edge, face)
        edge[(stop - body) <= 5, 3] = 0
        k = body_known
        s.rects(body[k], stop[k], y, y + h, face[k], line=edge[k], lw=0.55, z=3)
        self._spans(s, rows, y)
        raised = b.state[rows] == RAISED
        running = b.state[rows] == RUNNING
        if running.any():
            s.rects(e[running] - 3, e[running], y, y + h, th.accent, z=8)
        for at in np.flatnonzero(raised).tolist():
            s.raised(float(stop[at]), y, h, room=float(stop[at] - body[at]), faded=scene.is_dim(int(rows[at])))
        cut = b.state[rows] == CANCELLED
        for at in np.flatnonzero(cut).tolist():
            row = int(rows[at])
            s.cut(float(stop[at]), mid, ink_on(scene.colours.fill(row)), room=float(stop[at] - body[at]))
        stolen = np.flatnonzero((b.stolen[rows] >= 0) & (stop - body > 9) & k & (h > 12))
        offset = np.zeros(len(rows))
        for at in stolen.tolist():
            row, x = int(rows[at]), float(body[at])
            if not scene.is_dim(row):
                ink = ink_on(scene.colours.fill(row))
                corner = np.array([[(x + 0.5, y + 0.5), (x + 6, y + 0.5), (x + 0.5, y + 6)]])
                s.polygons(corner, rgba([ink]) * (1, 1, 1, 0.85))
                offset[at] = 5
        if h <= 12:
            return
        for at in np.flatnonzero(k & (stop - body > 14)).tolist():
            row = int(rows[at])
            mark = 7 if raised[at] or cut[at] else 3 if running[at] else 0
            space = float(stop[at] - body[at]) - 8 - offset[at] - mark
            label = fit(t.name(row), space, 10.5)
            if label:
                ink = th.faint if scene.is_dim(row) else ink_on(scene.colours.fill(row))
                s.text(float(body[at]) + 4 + offset[at], mid, label, 10.5, ink)

    def _spans(self, s: Sheet, rows: Any, y: float) -> None:
        """User spans: a darker foot of the bar, so that the phases of a body show."""
        t, notes = self.scene.trace, self.scene.trace.notes
        mine = np.flatnonzero(notes.span & (notes.behavior >= 0) & np.isin(notes.behavior, rows))
        for k in mine.tolist():
            who = int(notes.behavior[k])
            end = notes.end[k] if notes.end[k] >= 0 else t.end[who]
            colour = self.scene.colours.fill(who)
            foot = mix(colour, ink_on(colour), 0.55)
            s.rects(s.at(notes.begin[k]), s.at(end), y + self.height * 0.8, y + self.height - 0.5, foot, z=4)

    def _shares(self, s: Sheet) -> None:
        scene, t = self.scene, self.scene.trace
        rows, columns = scene.ran, scene.columns
        place = {w: k for k, w in enumerate(self.threads)}
        low = min(self.threads)
        at = np.zeros(max(self.threads) - low + 1, np.int64)
        for w, k in place.items():
            at[w - low] = k
        b = t.behaviors
        whole = len(rows) == len(b)
        thread, start, end, group = (v if whole else v[rows] for v in (b.thread, b.start, t.end, scene.groups))
        shares = lod.coverage(len(place), columns, t.t0, t.t1, at[thread - low], start, end, group, TOP_NAMES + 1)
        pixels = round(self.height * SCALE)
        for w, k in place.items():
            y = self.y[w]
            s.image(s.x0, s.x1, y, y + self.height, lod.stacked(shares[k], scene.group_colours, pixels))
        raised = rows[b.state[rows] == RAISED]
        many = len(raised) > scene.plot / 6
        up, down = (0.0, 1.6) if many else (2.5, 2.5)
        for w in self.threads:
            ends = t.end[raised[b.thread[raised] == w]]
            # One mark per 3 px: never merged away, never a wall.
            x = np.unique(np.minimum(np.round(s.x(ends) / 3) * 3, s.x1 - 1))
            s.vertical(x, self.y[w] - up, self.y[w] + down, s.theme.red, 1.6)
        cut = rows[b.state[rows] == CANCELLED]
        for w in self.threads:
            s.crosses(s.x(t.end[cut[b.thread[cut] == w]]), self.y[w], 2.2)

    def _gaps(self, s: Sheet) -> None:
        """Where records of a thread were overtaken: hatched, with their number."""
        t = self.scene.trace
        for gap in t.gaps:
            w = _row(gap.thread)
            if w not in self.y or gap.begin == BEFORE:
                continue
            y, h = self.y[w], self.height
            a, e = s.at(max(gap.begin, t.t0)), s.at(min(max(gap.end, t.t0), t.t1))
            if e - a < 0.5:
                continue
            hatch(s, a, e, y, h)
            label = f"{count(gap.lost)} lost"
            if e - a > width(label, 10) + 8 and h > 12:
                s.rects(a + 3, a + 9 + width(label, 10), y + 3, y + h - 3, s.theme.background, z=5)
                s.text(a + 6, y + h / 2, label, 10, s.theme.red)


def hatch(s: Sheet, a: float, e: float, y: float, h: float) -> None:
    """A hatched box: something was here that is not known."""
    s.rects(a, e, y, y + h, s.theme.background, line=s.theme.red, lw=0.5, z=4)
    starts = np.arange(a - h, e, 5.0)
    x0, x1 = np.maximum(starts, a), np.minimum(starts + h, e)
    y0, y1 = y + h - (x0 - starts), y + h - (x1 - starts)
    s.lines(
        np.stack([np.stack([x0, y0], -1), np.stack([x1, y1], -1)], 1),
        mix(s.theme.red, s.theme.background, 0.6),
        0.8,
        z=4,
    )


def _row(thread: int) -> int:
    """The row of a thread number of the records."""
    return thread if thread < MAIN else MAIN - 1 - thread


def folded(scene: Scene) -> list[int]:
    """The workers that share one row: those that never ran, where they are four or more."""
    idle = [w for w in range(scene.trace.workers) if w not in scene.bars_of]
    return idle if len(idle) >= FOLD else []
