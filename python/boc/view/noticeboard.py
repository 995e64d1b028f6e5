"""The panel of the noticeboard: one strip a key, a step where a version landed, in the writer's colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from boc.trace.times import count

from .measure import fit
from .palette import mix
from .scene import Scene
from .sheet import LEFT, MARGIN, Sheet

KEYS = 6
"""Keys with a strip of their own in a Gantt chart."""
_HEIGHT = 17.0


class Noticeboard:
    """The strips of the keys that were written first."""

    def __init__(self, scene: Scene, y: float, keys: int = KEYS) -> None:
        self.scene = scene
        n = scene.trace.notices
        found, first = np.unique(n.key, return_index=True)
        order = found[np.argsort(first, kind="stable")].tolist()
        self.keys = order if len(order) <= keys else order[: keys - 1]
        self.rest = len(order) - len(self.keys)
        self.y = {key: y + _HEIGHT * k for k, key in enumerate(self.keys)}
        self.bottom = y + _HEIGHT * (len(self.keys) + (self.rest > 0))

    def draw(self, s: Sheet) -> None:
        """Draw all strips."""
        t = self.scene.trace
        for key in self.keys:
            rows = np.flatnonzero(t.notices.key == key)
            self._strip(s, t.text(key), rows, self.y[key])
        if self.rest:
            hidden = np.flatnonzero(~np.isin(t.notices.key, self.keys))
            self._ticks(s, hidden, self.bottom - _HEIGHT)
            s.text(MARGIN, self.bottom - _HEIGHT / 2, f"{count(self.rest)} more", 11, s.theme.muted)

    def _strip(self, s: Sheet, key: str, rows: Any, y: float) -> None:
        scene, t, th = self.scene, self.scene.trace, self.scene.theme
        n, mid = t.notices, y + _HEIGHT / 2
        s.text(MARGIN, mid, fit(key, LEFT - MARGIN - 8, 11), 11)
        s.text(s.width - MARGIN, mid, f"v{count(n.version[rows[-1]])}", 11, th.muted, align="right")
        if len(rows) > scene.plot / 6:
            self._ticks(s, rows, y)
            return
        x = np.minimum(s.x(n.time[rows]), s.x1 - 2.5)  # a write at the end stands before it
        until = np.append(x[1:], s.x1)
        s.rects(x, np.maximum(until - 1, x), y + 1, y + _HEIGHT - 2, th.row, z=1)
        for k, row in enumerate(rows.tolist()):
            writer = int(n.writer[row])
            colour = scene.colours.fill(writer) if writer >= 0 else th.muted
            if writer >= 0 and scene.is_dim(writer):
                colour = mix(colour, th.background, 0.22)
            a, e = float(x[k]), float(until[k])
            s.rects(a, a + 2.5, y + 1, y + _HEIGHT - 2, colour, z=3)
            if n.deleted[row]:
                s.text(a + 6, mid - 0.5, fit("deleted", e - a - 9, 10), 10, th.faint)
                continue
            label = fit(t.values.get((key, int(n.version[row])), ""), e - a - 9, 10)
            if label:
                s.text(a + 6, mid - 0.5, label, 10, th.ink)

    def _ticks(self, s: Sheet, rows: Any, y: float) -> None:
        """More than one value per 6 px: ticks only."""
        x = np.unique(np.round(s.x(self.scene.trace.notices.time[rows]), 1))
        s.rects(s.x0, s.x1, y + 1, y + _HEIGHT - 2, s.theme.row, z=0.5)
        s.vertical(x, y + 3, y + _HEIGHT - 4, mix(s.theme.ink, s.theme.background, 0.35), 0.8, z=2)
