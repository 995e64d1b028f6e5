"""The legend of names, and the key of the shapes that occur in a chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from boc.trace.columns import CANCELLED, RAISED
from boc.trace.ownership import in_use
from boc.trace.times import count, dur, plural

from .measure import fit, width
from .palette import GREY, edge, ink_on, mix
from .scene import TOP_NAMES, Scene
from .sheet import MARGIN, Sheet

_LINE = 18.0
_LINES = 3
_GAP = 20.0


@dataclass
class _Item:
    name: int
    text: str
    number: str
    x: float
    line: int
    wide: float


class Legend:
    """Swatch, name, count; three lines at most. `only`: these names (ids)."""

    def __init__(self, scene: Scene, only: set[int] | None = None) -> None:
        self.scene = scene
        self.names = [n for n in scene.names if only is None or n in only]
        self.items: list[_Item] = []
        room = scene.width - 2 * MARGIN
        x, line = 0.0, 0
        for n in self.names:
            if scene.colours.slot[n] == GREY:
                continue
            text = fit(scene.trace.text(n) or "?", 190, 11)
            number = count(int(scene.name_count[n]))
            wide = 14 + width(text, 11) + 6 + width(number, 11)
            if x + wide > room and x > 0:
                x, line = 0.0, line + 1
                if line == _LINES:
                    break
            self.items.append(_Item(n, text, number, x, line, wide + _GAP))
            x += wide + _GAP
        self.rest, self.rest_at = self._fold(room)
        self.lines = self.rest_at[1] + 1 if self.rest else self.items[-1].line + 1 if self.items else 0
        self.height = self.lines * _LINE

    def _fold(self, room: float) -> tuple[str, tuple[float, int]]:
        """What is said of names without a place, and where (x, line): behind the last one, which may have to go."""
        while (more := len(self.names) - len(self.items)) > 0:
            grey = any(self.scene.colours.slot[n] == GREY for n in self.names)
            text = f"+ {count(more)} more {'name' if more == 1 else 'names'}" + (", grey" if grey else "")
            if not self.items:
                return text, (0.0, 0)
            last = self.items[-1]
            if last.x + last.wide + width(text, 11) <= room:
                return text, (last.x + last.wide, last.line)
            if last.line + 1 < _LINES:
                return text, (0.0, last.line + 1)
            self.items.pop()
        return "", (0.0, 0)

    def draw(self, s: Sheet, y: float) -> None:
        """Draw the names; y is the middle of the first line."""
        th, colours = s.theme, self.scene.colours
        for item in self.items:
            at, x = y + _LINE * item.line, MARGIN + item.x
            face, base = colours.of_name(item.name), colours.base_of_name(item.name)
            s.rects(x, x + 10, at - 5, at + 5, face, line=edge(base, th), lw=0.6, z=3)
            s.text(x + 14, at, item.text, 11)
            s.text(x + 14 + width(item.text, 11) + 5, at, item.number, 11, th.muted)
        if self.rest:
            x, line = self.rest_at
            s.text(MARGIN + x, y + _LINE * line, self.rest, 11, th.muted)


class Key:
    """The shapes that occur: each drawn small, then said."""

    def __init__(self, s: Sheet, y: float) -> None:
        self.s, self.y, self.x = s, y, float(MARGIN)
        self.said: set[str] = set()

    def add(self, wide: float, text: str, draw: Callable[[float, float], None]) -> None:
        """One shape and its word, said once; a new line where it does not fit."""
        if text in self.said:
            return
        self.said.add(text)
        need = wide + 5 + width(text, 10.5)
        if self.x + need > self.s.width - MARGIN:
            self.x, self.y = float(MARGIN), self.y + _LINE
        draw(self.x, self.y)
        self.s.text(self.x + wide + 5, self.y, text, 10.5, self.s.theme.muted)
        self.x += need + 18

    def bars(self, scene: Scene, waiting: bool) -> None:
        """The shapes of true widths."""
        s, t = self.s, scene.trace
        th, c = s.theme, s.theme.faint
        rim = mix(c, th.background, 0.75)

        def body(x: float, y: float) -> None:
            s.rects([x, x + 18], [x + 6, x + 24], y - 2, y + 2, c, z=3)
            s.rects(x + 6, x + 18, y - 5, y + 5, c, z=3)

        def hollow(x: float, y: float) -> None:
            s.rects(x, x + 18, y - 5, y + 5, mix(c, th.background, 0.2), line=rim, lw=0.6, z=3)

        b, ran = t.behaviors, scene.ran
        if ((b.body[ran] > b.start[ran]) | (b.end[ran] > b.body_end[ran])).any():
            self.add(24, "decode, body, encode", body)
        got = np.flatnonzero(t.requests.grant >= 0)
        if (in_use(t, got)[0] - t.requests.grant[got] > 0.6 * t.span / scene.plot).any():
            self.add(18, "held, not started", hollow)
        if waiting:
            self.add(18, "waiting in a queue", lambda x, y: s.lines([[(x, y), (x + 18, y)]], c, 1.7))
        if scene.readers:
            self.add(18, "readers", self._readers)
        if (t.behaviors.stolen >= 0).any() and t.workers <= 8:
            self.add(14, "stolen", self._stolen)
        if (t.behaviors.state == RAISED).any():
            self.add(14, "raised", self._raised)
        if (t.behaviors.state == CANCELLED).any():
            self.add(14, "cancelled", self._cancelled)
        if t.notes.span.any():
            self.add(18, "span", self._span)

    def _readers(self, x: float, y: float) -> None:
        self.s.rects([x, x + 4], [x + 14, x + 18], [y - 5, y + 0.4], [y - 0.4, y + 5], self.s.theme.faint, z=3)

    def _span(self, x: float, y: float) -> None:
        c = self.s.theme.faint
        self.s.rects(x, x + 18, y - 5, y + 5, c, z=3)
        self.s.rects(x + 4, x + 14, y + 2.5, y + 5, mix(c, ink_on(c), 0.55), z=4)

    def _stolen(self, x: float, y: float) -> None:
        c = self.s.theme.faint
        self.s.rects(x, x + 14, y - 5, y + 5, c, z=3)
        self.s.polygons(np.array([[(x + 0.5, y - 4.5), (x + 6, y - 4.5), (x + 0.5, y + 1)]]), ink_on(c))

    def _raised(self, x: float, y: float) -> None:
        self.s.rects(x, x + 14, y - 5, y + 5, self.s.theme.faint, z=3)
        self.s.raised(x + 14, y - 5, 10)

    def _cancelled(self, x: float, y: float) -> None:
        self.s.lines([[(x, y), (x + 12, y)]], self.s.theme.ink, 1.3)
        self.s.cross(x + 12, y)

    def shares(self, scene: Scene, cowns: bool) -> None:
        """The shapes of what was too dense for bars."""
        s, t = self.s, scene.trace
        th, c = s.theme, s.theme.faint
        high = np.array([6.0, 8, 5, 9, 7])

        def steps(x: float, y: float) -> None:
            at = x + 3 * np.arange(5)
            s.rects(at, at + 3, y + 5 - high, y + 5, c, z=3)

        per = len(scene.ran) / scene.columns
        column = f"{dur(t.span / scene.columns)}, about {plural(round(per), 'behavior')}"
        names = "split by name" + (": the 8 busiest, others grey" if len(scene.names) > TOP_NAMES else "")
        self.add(15, f"height = busy share of one column ({column}), {names}", steps)
        if (t.behaviors.state == RAISED).any() and scene.dense:
            self.add(5, "raised", lambda x, y: s.vertical([x + 2], y - 4, y + 4, th.red, 1.8))
        if (t.behaviors.state == CANCELLED).any():
            self.add(14, "cancelled", self._cancelled)
        if cowns:
            if scene.readers:
                tint = mix(th.accent, th.background, 0.45)
                self.add(14, "held by readers", lambda x, y: s.rects(x, x + 14, y - 5, y + 5, tint, z=3))
            grey = mix(th.neutral, th.background, 0.5)
            self.add(14, "held, not started", lambda x, y: s.rects(x, x + 14, y - 5, y + 5, grey, z=3))

    def depth(self) -> None:
        """The area of the queue's depth."""
        s = self.s
        colour = mix(s.theme.muted, s.theme.background, 0.85)
        self.add(14, "queue depth", lambda x, y: s.rects(x, x + 14, y - 1, y + 3, colour, z=3))
