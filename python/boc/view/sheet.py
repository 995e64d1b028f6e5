"""A sheet of CSS pixels, y down, on matplotlib's Agg: rectangles, lines, images and text, in layers.

Figure and Agg only, never pyplot: charts are made on any thread and touch no global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from numpy.typing import ArrayLike, NDArray

from .figure import Chart
from .measure import SCALE, clean, font, ticks, width
from .palette import Theme, mix, rgb

LEFT = RIGHT = 104
MARGIN = 16


def snap(y: float) -> float:
    """The nearest place on the grid of device pixels."""
    return round(y * SCALE) / SCALE


def rgba(colours: Sequence[str]) -> NDArray[np.float64]:
    """Colours as an array (n, 4)."""
    return np.array([(*rgb(c), 1.0) for c in colours]).reshape(-1, 4)


def _each(colour: Any, n: int) -> NDArray[np.float64]:
    """One colour for n shapes, or the n colours as they are."""
    if isinstance(colour, str):
        return np.broadcast_to(np.array((*rgb(colour), 1.0)), (n, 4))
    return np.broadcast_to(np.asarray(colour, float), (n, 4))


_CAPS: dict[str, Any] = {"butt": "butt", "round": "round"}


class Sheet:
    """One axes whose units are CSS px. `x` maps times (ns) to px between `x0` and `x1`."""

    def __init__(self, width: float, height: float, theme: Theme, t0: int, t1: int) -> None:
        height = 2 * round(height / 2)
        self.width, self.height, self.theme = width, height, theme
        self.empty = t1 <= t0
        self.t0, self.t1 = t0, max(t1, t0 + 1)
        self.x0, self.x1 = float(LEFT), float(width - RIGHT)
        self.chart = Chart(figsize=(width / 100, height / 100), dpi=100 * SCALE, facecolor=theme.background)
        FigureCanvasAgg(self.chart)
        self.axes = self.chart.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)
        self.axes.axis("off")
        self.axes.set_autoscale_on(False)
        self._shapes: dict[tuple[float, float, int], list[tuple[Any, Any, Any]]] = {}
        self._lines: dict[tuple[float, float, str], list[tuple[Any, Any]]] = {}

    @property
    def plot(self) -> float:
        """Width of the time axis, px."""
        return self.x1 - self.x0

    def x(self, t: ArrayLike) -> NDArray[Any]:
        """Times to px. What is outside the picture lands on its edge."""
        share = (np.asarray(t, np.int64) - self.t0) / (self.t1 - self.t0)
        out: NDArray[Any] = self.x0 + np.clip(share, 0, 1) * self.plot
        return out

    def at(self, t: float) -> float:
        """One time to px."""
        return float(self.x(int(t)))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        px: float = 11,
        colour: str | None = None,
        *,
        align: str = "left",
        bold: bool = False,
        z: float = 6,
        box: bool = False,
    ) -> None:
        """A line of text whose capitals are centred at y, so that names in a row share a baseline."""
        self.chart.text(
            x,
            y + 0.355 * px,
            clean(text),
            fontproperties=font(px, bold),
            color=colour or self.theme.ink,
            ha=align,
            va="baseline",
            zorder=z,
            parse_math=False,
            transform=self.axes.transData,
            bbox={"fc": self.theme.background, "ec": "none", "pad": 1.5} if box else None,
        )

    def rects(
        self,
        x0: ArrayLike,
        x1: ArrayLike,
        y0: ArrayLike,
        y1: ArrayLike,
        face: Any,
        *,
        line: Any = None,
        lw: float = 0.0,
        z: float = 2,
    ) -> None:
        """Rectangles in one collection. `face`, `line`: a colour or (n, 4)."""
        a, b, c, d = np.broadcast_arrays(*(np.asarray(v, float) for v in (x0, x1, y0, y1)))
        if a.size:
            corners = np.stack([np.stack([a, b, b, a], -1), np.stack([c, c, d, d], -1)], -1)
            self.polygons(corners.reshape(-1, 4, 2), face, z=z, line=line, lw=lw)

    def polygons(self, corners: NDArray[Any], face: Any, z: float = 4, *, line: Any = None, lw: float = 0.0) -> None:
        """Filled shapes (n, corners, 2), one colour or one each."""
        n = len(corners)
        if n:
            edges = np.zeros((n, 4)) if line is None else _each(line, n)
            self._shapes.setdefault((z, lw, corners.shape[1]), []).append((corners, _each(face, n), edges))

    def lines(self, parts: Any, colour: Any, px: float, *, z: float = 3, cap: str = "butt") -> None:
        """Straight lines [(x, y), (x, y)]; `colour`: one or (n, 4)."""
        n = len(parts)
        if n:
            self._lines.setdefault((z, px, cap), []).append((np.asarray(parts, float), _each(colour, n)))

    def finish(self) -> Chart:
        """Hand what was drawn to the figure: one collection a layer, as each costs a millisecond."""
        for (z, lw, _), shapes in self._shapes.items():
            corners, face, line = (np.concatenate(v) for v in zip(*shapes, strict=True))
            self.axes.add_collection(
                PolyCollection(cast(Any, corners), facecolors=face, edgecolors=line, linewidths=lw, zorder=z),
                autolim=False,
            )
        for (z, px, cap), parts in self._lines.items():
            segments, colours = (np.concatenate(v) for v in zip(*parts, strict=True))
            self.axes.add_collection(
                LineCollection(list(segments), colors=colours, linewidths=px * 0.72, zorder=z, capstyle=_CAPS[cap]),
                autolim=False,
            )
        self._shapes.clear()
        self._lines.clear()
        return self.chart

    def vertical(self, x: ArrayLike, y0: float, y1: float, colour: Any, px: float, *, z: float = 3) -> None:
        """Vertical lines at places x."""
        xs = np.asarray(x, float).reshape(-1)
        if len(xs):
            ends = np.broadcast_to(np.array([y0, y1]), (len(xs), 2))
            self.lines(np.stack([np.stack([xs, xs], -1), ends], -1), colour, px, z=z)

    def area(self, x: NDArray[Any], top: Any, bottom: Any, colour: str, z: float = 2) -> None:
        """The area between two curves."""
        self.axes.fill_between(x, bottom, top, color=colour, lw=0, zorder=z)

    def image(self, x0: float, x1: float, y0: float, y1: float, pixels: NDArray[np.uint8]) -> None:
        """Pixels (h, w, 4) over a box."""
        self.axes.imshow(pixels, extent=(x0, x1, y1, y0), aspect="auto", interpolation="nearest", zorder=2)
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(self.height, 0)

    def dot(self, x: float, y: float, size: float, face: str, line: str | None = None) -> None:
        """A small disc."""
        edge_width = 0.8 if line else 0.0
        self.axes.plot([x], [y], "o", ms=size * 0.72, mfc=face, mec=line or face, mew=edge_width, zorder=5)

    def heading(self, y: float, left: str, right: str = "") -> None:
        """The head of a section: what the rows are, what the numbers are."""
        self.text(MARGIN, y, left, 10.5, self.theme.muted, bold=True)
        if right:
            self.text(self.width - MARGIN, y, right, 10.5, self.theme.muted, align="right")

    def title(self, title: str, subtitle: str) -> None:
        """What it was, then what matters."""
        self.text(MARGIN, MARGIN + 8, title, 15, bold=True)
        self.text(MARGIN, MARGIN + 29, subtitle, 11.5, self.theme.muted)

    def axis(self, y: float, bottom: float, *, rule: bool = True, now: bool = False) -> None:
        """Ticks above, grid below, zero at the first event. now: its word stands right of the rows."""
        th = self.theme
        if self.empty:
            self.lines([[(self.x0, y + 8), (self.x1, y + 8)]], th.rule, 1, z=1)
            return
        for k, (place, label) in enumerate(ticks(self.t1 - self.t0, self.plot)):
            x = self.at(self.t0 + place)
            self.vertical([x], y + 8, bottom, th.grid, 1, z=0)
            if now and x + width(label, 10.5) / 2 > self.x1:
                self.text(self.x1, y, label, 10.5, th.muted, align="right")
            else:
                self.text(x, y, label, 10.5, th.muted, align="center" if k else "left")
        if rule:
            self.lines([[(self.x0, y + 8), (self.x1, y + 8)]], th.rule, 1, z=1)

    def now(self, y: float, bottom: float) -> None:
        """The line of now at the right edge."""
        self.vertical([self.x1], y + 8, bottom, self.theme.accent, 1.6, z=9)
        self.text(self.x1 + 5, y, "now", 10.5, self.theme.accent, bold=True)

    def raised(self, x: float, y: float, height: float, *, room: float = 9.0, faded: bool = False) -> None:
        """A red cap with a cross at the end of a bar (`room` px wide): shape first, colour second."""
        w = min(7.0 if height > 12 else 5.0, max(room, 1.5))
        red = mix(self.theme.red, self.theme.background, 0.3) if faded else self.theme.red
        self.rects(x - w, x, y, y + height, red, z=4)
        if w < 4.5:
            return
        cx, cy, r = x - w / 2, y + height / 2, w * 0.3
        ink = "#ffffff" if self.theme.name == "light" else "#11151a"
        self.lines([[(cx - r, cy - r), (cx + r, cy + r)], [(cx - r, cy + r), (cx + r, cy - r)]], ink, 1.1, z=5)

    def cut(self, x: float, y: float, ink: str, *, room: float) -> None:
        """The cross of a body that was cancelled while it ran: in the end of its bar, or behind a narrow one."""
        if room >= 11:
            self.cross(x - 5.5, y, 2.8, ink)
        else:
            self.cross(x + 3.5, y, 2.4)

    def cross(self, x: float, y: float, r: float = 2.6, ink: str | None = None) -> None:
        """The mark of what was cancelled."""
        strokes = [[(x - r, y - r), (x + r, y + r)], [(x - r, y + r), (x + r, y - r)]]
        self.lines(strokes, ink or self.theme.ink, 1.3, z=7)

    def crosses(self, x: ArrayLike, y: float, r: float) -> None:
        """The mark of what was cancelled, where bars have no width of their own: at most one in 6 px."""
        xs = np.unique(np.clip(np.round(np.asarray(x, float) / 6) * 6, self.x0 + r, self.x1 - r))
        if len(xs):
            rising, falling = np.array([[-r, r], [r, -r]]), np.array([[-r, -r], [r, r]])
            strokes = np.array([rising, falling]) + np.stack([xs, np.full(len(xs), y)], -1)[:, None, None]
            self.lines(strokes.reshape(-1, 2, 2), self.theme.ink, 1.1, z=7)
