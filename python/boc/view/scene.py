"""What every row of a Gantt chart needs: trace, theme, a colour for each name, how dense it is."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boc.trace import Trace
from boc.trace.ownership import ByCown, caused, queue, ranked, union

from . import palette
from .measure import SCALE
from .palette import GREY, Theme, mix
from .sheet import LEFT, RIGHT, rgba

TOP_NAMES = 8
ALL, SOME = 40, 16
"""Up to this many cowns all are shown; of more, so many and the rest as their mean."""
DENSE = 0.5
"""Bars a px of a row: above, shares of columns stand for bars."""


class Colours:
    """Colours of behaviors by row. The first scheduled names of the whole trace have the first slots."""

    def __init__(self, trace: Trace, theme: Theme) -> None:
        self.theme = theme
        texts = [trace.text(n) for n in trace.slots]
        by_text = trace.colours
        size = max(len(trace.names), 1, max(trace.slots, default=0) + 1)
        self.slot = np.full(size, GREY, np.int16)
        for n, text in zip(trace.slots, texts, strict=True):
            self.slot[n] = by_text[text]
        faces = [palette.fill(s, theme) for s in range(16)] + [theme.neutral]
        bases = [palette.base(s, theme) for s in range(16)] + [theme.faint]
        self._fills, self._bases = faces, bases
        bg = theme.background
        self._face = rgba(faces)
        self._edge = rgba([palette.edge(c, theme) for c in bases])
        self._hollow = rgba([mix(c, bg, 0.16) for c in bases])
        self._rim = rgba([mix(c, bg, 0.7) for c in bases])
        self._dim = rgba([mix(c, bg, 0.22) for c in faces])
        self._dim_edge = rgba([mix(palette.edge(c, theme), bg, 0.22) for c in bases])
        b = trace.behaviors
        name = np.where(b.native | (b.name >= size), 0, b.name)
        self.of = np.where(b.native | (b.name == 0), GREY, self.slot[name])

    def fill(self, row: int) -> str:
        """The fill of one behavior."""
        return self._fills[int(self.of[row])]

    def base(self, row: int) -> str:
        """The full colour behind one behavior."""
        return self._bases[int(self.of[row])]

    def of_name(self, name: int) -> str:
        """The fill of a name id."""
        return self._fills[int(self.slot[name])]

    def base_of_name(self, name: int) -> str:
        """The full colour behind a name id."""
        return self._bases[int(self.slot[name])]

    def face(self, rows: Any, dim: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """Fills (n, 4); the rows that `dim` marks are faded."""
        return self._pick(self._face, self._dim, rows, dim)

    def edge(self, rows: Any, dim: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """Edges (n, 4)."""
        return self._pick(self._edge, self._dim_edge, rows, dim)

    def hollow(self, rows: Any) -> NDArray[np.float64]:
        """Fills of cowns that are held but not in use (n, 4)."""
        out: NDArray[np.float64] = self._hollow[self.of[rows]]
        return out

    def rim(self, rows: Any) -> NDArray[np.float64]:
        """Edges of cowns that are held but not in use (n, 4)."""
        out: NDArray[np.float64] = self._rim[self.of[rows]]
        return out

    def _pick(self, full: Any, faded: Any, rows: Any, dim: Any) -> NDArray[np.float64]:
        slot = self.of[rows]
        out: NDArray[np.float64] = full[slot]
        if dim is not None:
            out = np.where(dim[rows][:, None], faded[slot], out)
        return out


class Scene:
    """A trace about to be drawn, `width` CSS px wide. `bright`: rows that keep their colour (None: all)."""

    def __init__(self, trace: Trace, theme: Theme, width: int = 1000, bright: set[int] | None = None) -> None:
        self.trace, self.theme, self.width = trace, theme, width
        self.colours = Colours(trace, theme)
        self.plot = width - LEFT - RIGHT
        self._queues: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
        self._held: dict[int, float] = {}
        self.dim: NDArray[Any] | None = None
        if bright is not None:
            self.dim = np.ones(len(trace.behaviors), bool)
            self.dim[list(bright)] = False

    @cached_property
    def ran(self) -> NDArray[Any]:
        """Rows of behaviors with a bar."""
        return np.flatnonzero(self.trace.ran)

    @cached_property
    def name_count(self) -> NDArray[Any]:
        """Behaviors of the program by name id."""
        t = self.trace
        known = t.mine & (t.behaviors.name > 0)
        names = t.behaviors.name if known.all() else t.behaviors.name[known]
        found = np.bincount(names, minlength=len(self.colours.slot))
        for name, bodies in t.counted.names.items() if t.counted is not None else ():
            if 0 < name < len(found):
                found[name] = max(found[name], bodies.n)
        return found

    @cached_property
    def names(self) -> list[int]:
        """Name ids, most frequent first, first scheduled first among equals."""
        place = {n: k for k, n in enumerate(self.trace.slots)}
        there = np.flatnonzero(self.name_count).tolist()
        return sorted(there, key=lambda n: (-self.name_count[n], place.get(n, len(place))))

    @cached_property
    def threads(self) -> list[int]:
        """Threads with a row: main where something ran or is pinned there, other threads, workers."""
        t = self.trace
        seen = set(np.unique(t.behaviors.thread[self.ran]).tolist())
        if (t.behaviors.pinned & t.mine).any():
            seen.add(-1)
        return sorted((w for w in seen if w < 0), reverse=True) + list(range(max([t.workers, *(w + 1 for w in seen)])))

    @cached_property
    def bars_of(self) -> dict[int, int]:
        """Bars of each thread."""
        thread = self.trace.behaviors.thread[self.ran]
        if not len(thread):
            return {}
        low = int(thread.min())
        found = np.bincount(thread - low)
        return {low + k: int(n) for k, n in enumerate(found) if n}

    @cached_property
    def dense(self) -> bool:
        """Whether the workers' rows show shares instead of bars: all of them or none."""
        return max(self.bars_of.values(), default=0) > DENSE * self.plot

    @cached_property
    def columns(self) -> int:
        """Columns of shares: the least of 1 to 4 px wide that hold about 60 bars, one width for all."""
        rows = max(1, sum(1 for w in self.bars_of if w >= 0))
        per_px = len(self.ran) / (rows * self.plot * SCALE)
        wide = next((k for k in (1, 2, 3, 4) if per_px * k >= 60), 4)
        return int(self.plot * SCALE / wide)

    @cached_property
    def busiest(self) -> list[int]:
        """The name ids that shares are told apart by: those that ran longest."""
        t, rows = self.trace, self.ran
        spent = (t.end - t.behaviors.start)[rows].astype(float)
        found = np.bincount(t.behaviors.name[rows], np.maximum(spent, 0), len(self.colours.slot))
        return sorted(self.names, key=lambda n: -found[n])[:TOP_NAMES]

    @cached_property
    def groups(self) -> NDArray[Any]:
        """The rank of each behavior's name: 0 to 7 for the busiest, 8 for the rest."""
        rank = np.full(len(self.colours.slot), TOP_NAMES, np.int64)
        rank[self.busiest] = np.arange(len(self.busiest))
        b = self.trace.behaviors
        return np.where(b.native | (b.name == 0), TOP_NAMES, rank[np.minimum(b.name, len(rank) - 1)])

    @cached_property
    def group_colours(self) -> list[str]:
        """The colours of the groups."""
        top = [self.colours.of_name(n) for n in self.busiest]
        return top + [self.theme.neutral] * (TOP_NAMES + 1 - len(top))

    @cached_property
    def caused(self) -> NDArray[Any]:
        """Waiting that each cown caused, ns."""
        return caused(self.trace)

    @cached_property
    def ranked(self) -> NDArray[Any]:
        """Rows of cowns, most waited for first."""
        return ranked(self.trace, self.caused)

    @cached_property
    def readers(self) -> bool:
        """Whether somebody read a cown that has a row."""
        r = self.trace.requests
        return bool(r.read.any()) and bool(np.isin(r.cown[r.read], self.ranked).any())

    @cached_property
    def by_cown(self) -> ByCown:
        """Requests by cown."""
        return ByCown(self.trace)

    @cached_property
    def cown_names(self) -> list[str]:
        """The names of the first cowns of `ranked`, as many as a chart may show."""
        return self.trace.cown_names(self.ranked[:ALL])

    def queue(self, cown: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """How many waited for a cown over time: times and depths."""
        if cown not in self._queues:
            self._queues[cown] = queue(self.trace, self.by_cown[cown])
        return self._queues[cown]

    def held(self, cown: int) -> float:
        """Share of the span in which somebody held a cown."""
        if cown not in self._held:
            t, rows = self.trace, self.by_cown[cown]
            got = rows[t.requests.grant[rows] >= 0]
            begin = np.clip(t.requests.grant[got], t.t0, t.t1)
            self._held[cown] = union(begin, np.clip(t.held_until[got], t.t0, t.t1)) / t.span
        return self._held[cown]

    @cached_property
    def few(self) -> bool:
        """The size of a lesson: every waiting request is drawn."""
        return len(self.trace.behaviors) <= 60 and len(self.ranked) <= 16

    def is_dim(self, row: int) -> bool:
        """Whether a behavior is faded."""
        return self.dim is not None and bool(self.dim[row])
