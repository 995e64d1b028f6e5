"""The panel of cowns: hollow while held but not in use, solid while in use, and who waits beneath."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from boc.trace import tally
from boc.trace.columns import CANCELLED, RAISED
from boc.trace.ownership import in_use, steps
from boc.trace.times import count, percent

from . import lod
from .measure import SCALE, fit
from .palette import ink_on, mix
from .scene import ALL, DENSE, SOME, TOP_NAMES, Scene
from .sheet import LEFT, MARGIN, Sheet, snap

_LEAST = 0.35


class Row:
    """One cown's place and numbers."""

    def __init__(self, scene: Scene, cown: int, name: str, y: float) -> None:
        t = scene.trace
        self.cown, self.name, self.y = cown, name, y
        self.requests = scene.by_cown[cown]
        self.got = self.requests[t.requests.grant[self.requests] >= 0]
        self.steps = scene.queue(cown)
        self.longest = int(self.steps[1].max(initial=0))
        self.height = self.zone = 0.0


class Cowns:
    """The rows of cowns, most waited for first."""

    def __init__(self, scene: Scene, y: float) -> None:
        self.scene = scene
        n = len(scene.ranked)
        shown = scene.ranked if n <= ALL else scene.ranked[:SOME]
        self.rest = n - len(shown)
        self.small = len(shown) > SOME
        counted = scene.trace.counted
        self.counted = {} if counted is None else tally.holdings(scene.trace, counted)
        self.height, zone, gap = (9.0, 4.0, 3.0) if self.small else (15.0, 7.0, 5.0)
        self.threads = 6 if scene.few else 3
        self.rows: list[Row] = []
        for cown, name in zip(shown.tolist(), scene.cown_names, strict=False):
            row = Row(scene, cown, name, snap(y))
            row.height = self.height
            row.zone = max(zone, 2 + 2.4 * min(self.threads, row.longest)) if scene.few else zone
            self.rows.append(row)
            y = row.y + self.height + row.zone + gap
        self.rest_y = snap(y)
        if self.rest:
            y = self.rest_y + self.height + gap + 4
        self.bottom = snap(y)
        self.dense = {row.cown for row in self.rows if len(row.got) > DENSE * scene.plot}

    def draw(self, s: Sheet) -> None:
        """Draw all rows."""
        th, t = self.scene.theme, self.scene.trace
        px = 9.0 if self.small else 11.0
        for row in self.rows:
            mid = row.y + row.height / 2
            s.rects(s.x0, s.x1, row.y, row.y + row.height, th.row, z=0.5)
            s.text(MARGIN, mid, fit(row.name, LEFT - MARGIN - 8, px), px)
            s.text(s.width - MARGIN - 34, mid, self._held(row), px, th.muted, align="right")
            number = count(row.longest) if row.longest else "·"
            s.text(s.width - MARGIN, mid, number, px, th.ink if row.longest else th.faint, align="right")
            if row.cown in self.dense:
                self._shares(s, row)
            else:
                writers = row.got[~t.requests.read[row.got]]
                self._writers(s, row, writers)
                self._readers(s, row, row.got[t.requests.read[row.got]])
            self._waiting(s, row)
        if self.rest:
            self._others(s)

    def _held(self, row: Row) -> str:
        """How long it was held: of the whole run where that was counted, a mean where others have its name."""
        t = self.scene.trace
        if t.counted is None or row.cown not in self.counted:
            return percent(self.scene.held(row.cown))
        found, alike = self.counted[row.cown]
        share = percent(min(1.0, found.held / (alike * tally.length(t))))
        return share if alike == 1 else "ø " + share

    # ---- who holds it --------------------------------------------------------------------------------

    def _writers(self, s: Sheet, row: Row, rows: Any) -> None:
        if not len(rows):
            return
        scene, t, th = self.scene, self.scene.trace, self.scene.theme
        b, r = t.behaviors, t.requests
        who = r.behavior[rows]
        start_t, until_t = in_use(t, rows)
        a, start, e = s.x(r.grant[rows]), s.x(start_t), s.x(until_t)
        y, h = row.y, row.height
        ran = t.ran[who] | b.native[who]
        start = np.where(b.native[who], a, start)
        e = np.where(ran, np.maximum(e, start + _LEAST), e)
        hold = np.minimum(start, e) - a > 0.6
        fill, rim = scene.colours.hollow(who), scene.colours.rim(who)
        if scene.dim is not None:
            rim = np.where(scene.dim[who][:, None], fill, rim)
        s.rects(a[hold], np.minimum(start, e)[hold], y + 1, y + h - 1, fill[hold], line=rim[hold], lw=0.6, z=2)
        face, edge = scene.colours.face(who, scene.dim), scene.colours.edge(who, scene.dim)
        edge = np.where(((e - start) > 5)[:, None], edge, face)
        edge[(e - start) <= 5, 3] = 0
        s.rects(start[ran], e[ran], y, y + h, face[ran], line=edge[ran], lw=0.55, z=3)
        for at in np.flatnonzero(ran & (b.state[who] == RAISED)).tolist():
            s.raised(float(e[at]), y, h, room=float(e[at] - start[at]))
        for at in np.flatnonzero(ran & (b.state[who] == CANCELLED)).tolist():
            ink = ink_on(scene.colours.fill(int(who[at])))
            s.cut(float(e[at]), y + h / 2, ink, room=float(e[at] - start[at]))
        if self.small:
            return
        mid = y + h / 2
        for at in np.flatnonzero(e - a > 14).tolist():
            k = int(who[at])
            wide = ran[at] and e[at] - start[at] > 14
            if wide:
                space = float(e[at] - start[at]) - 9 - (7 if b.state[k] in (RAISED, CANCELLED) else 0)
                label = fit(t.name(k), space, 9.5)
                if label:
                    ink = th.faint if scene.is_dim(k) else ink_on(scene.colours.fill(k))
                    s.text(float(start[at]) + 4.5, mid, label, 9.5, ink)
            if start[at] - a[at] > (60 if wide else 14):
                label = fit(t.name(k), float(min(start[at], e[at]) - a[at]) - 9, 9.5)
                if label:
                    s.text(float(a[at]) + 4.5, mid, label, 9.5, th.faint if scene.is_dim(k) else th.muted)

    def _readers(self, s: Sheet, row: Row, rows: Any) -> None:
        if not len(rows):
            return
        scene, t = self.scene, self.scene.trace
        r = t.requests
        rows = rows[np.argsort(r.grant[rows], kind="stable")]
        who = r.behavior[rows]
        start_t, until_t = in_use(t, rows)
        a, start, e = s.x(r.grant[rows]), s.x(start_t), s.x(until_t)
        lane, lanes = _lanes(r.grant[rows], until_t)
        n = max(2, lanes)
        h = row.height / n
        top = row.y + lane * h
        hold = start - a > 0.6
        fill, rim = scene.colours.hollow(who), scene.colours.rim(who)
        s.rects(
            a[hold],
            start[hold],
            top[hold] + 0.5,
            top[hold] + h - 0.5,
            fill[hold],
            line=rim[hold],
            lw=0.5,
            z=2,
        )
        ran = t.ran[who]
        face = scene.colours.face(who, scene.dim)
        s.rects(start[ran], np.maximum(e, start + _LEAST)[ran], top[ran] + 0.3, top[ran] + h - 0.3, face[ran], z=3)
        for at in np.flatnonzero(ran & (t.behaviors.state[who] == RAISED)).tolist():
            s.rects(
                float(e[at]) - 3,
                float(e[at]),
                float(top[at]) + 0.3,
                float(top[at]) + h - 0.3,
                s.theme.red,
                z=4,
            )
        for at in np.flatnonzero(ran & (t.behaviors.state[who] == CANCELLED)).tolist():
            size = min(2.4, 0.35 * h)
            s.cross(float(e[at]) - size - 1, float(top[at]) + h / 2, size, ink_on(scene.colours.fill(int(who[at]))))
        if n <= 2 and not self.small:
            for at in np.flatnonzero(ran & (e - start > 20)).tolist():
                k = int(who[at])
                label = fit(t.name(k), float(e[at] - start[at]) - 6, 7)
                if label:
                    ink = s.theme.faint if scene.is_dim(k) else ink_on(scene.colours.fill(k))
                    s.text(float(start[at]) + 3, float(top[at]) + h / 2, label, 7, ink)

    def _shares(self, s: Sheet, row: Row) -> None:
        """Busy shares by name from below, then readers, then held but not started."""
        scene, t = self.scene, self.scene.trace
        r, th, columns = t.requests, scene.theme, scene.columns
        start, until = in_use(t, row.got)
        read = r.read[row.got]
        write = ~read
        who = r.behavior[row.got]

        def cover(pick: Any, begin: Any, end: Any, group: Any, groups: int) -> lod.Shares:
            at = np.zeros(int(pick.sum()), np.int64)
            out: lod.Shares = lod.coverage(1, columns, t.t0, t.t1, at, begin[pick], end[pick], group, groups)[0]
            return out

        used = cover(write, start, until, scene.groups[who[write]], TOP_NAMES + 1)
        held = cover(write & (start > r.grant[row.got]), r.grant[row.got], start, 0, 1)
        readers = _any(steps(r.grant[row.got][read], until[read]), t.t0, t.t1, columns)
        free = np.clip(1 - used.sum(0, keepdims=True), 0, 1)
        readers = np.minimum(readers, free)
        held = np.minimum(held, np.clip(free - readers, 0, 1))
        colours = [
            *scene.group_colours,
            mix(th.accent, th.background, 0.45),
            mix(th.neutral, th.background, 0.5),
        ]
        pixels = lod.stacked(np.concatenate([used, readers, held]), colours, round(row.height * SCALE))
        s.image(s.x0, s.x1, row.y, row.y + row.height, pixels)
        raised = row.got[t.behaviors.state[who] == RAISED]
        if len(raised):
            x = np.unique(np.minimum(np.round(s.x(t.held_until[raised]) / 3) * 3, s.x1 - 1))
            s.vertical(x, row.y, row.y + 1.6, th.red, 1.6)
        cut = row.got[(t.behaviors.state[who] == CANCELLED) & t.ran[who]]
        s.crosses(s.x(t.held_until[cut]), row.y, 1.6)

    # ---- who waits -----------------------------------------------------------------------------------

    def _waiting(self, s: Sheet, row: Row) -> None:
        if not row.longest:
            return
        scene, t = self.scene, self.scene.trace
        top = row.y + row.height + 1
        if row.longest <= self.threads and row.cown not in self.dense and not self.small:
            self._strands(s, row, top)
            return
        times, depth = row.steps
        room = (4.0 if self.small else 7.0) - 1
        if len(times) > 2 * scene.plot:
            edges, mean = lod.mean_depth(times, depth, t.t0, t.t1, round(scene.plot * SCALE / 2))
            x = np.repeat(s.x(edges.astype(np.int64)), 2)[1:-1]
            high = np.repeat(mean, 2)
        else:
            x = np.repeat(s.x(times), 2)
            high = np.concatenate(([0], np.repeat(depth, 2)[:-1]))
        colour = mix(s.theme.muted, s.theme.background, 0.85)
        s.area(x, top, top + room * np.minimum(1, high / row.longest), colour, z=3)
        s.crosses(s.x(t.waited_until[self._dropped(row.requests)]), top + room / 2, room * 0.3)

    def _dropped(self, rows: Any) -> Any:
        """Of these requests, those that left the queue because their behavior was cancelled in it."""
        b, r, until = self.scene.trace.behaviors, self.scene.trace.requests, self.scene.trace.waited_until
        who = r.behavior[rows]
        # It leaves the queue when its turn comes: right after the grant that made it ready.
        turn = (b.cancel[who] == until[rows]) | (b.ready[who] == until[rows])
        return rows[(b.state[who] == CANCELLED) & (b.start[who] < 0) & turn & (r.time[rows] >= 0)]

    def _strands(self, s: Sheet, row: Row, top: float) -> None:
        """A thread for each waiting request, in the waiter's colour, until its colour takes the bar."""
        scene, t = self.scene, self.scene.trace
        r, until = t.requests, t.waited_until
        rows = row.requests
        rows = rows[(r.time[rows] >= 0) & (until[rows] > r.time[rows]) & (r.exact[rows] | (r.grant[rows] < 0))]
        rows = rows[np.argsort(r.time[rows], kind="stable")]
        if not len(rows):
            return
        lane, _ = _lanes(r.time[rows], until[rows])
        y = top + 1.2 + 2.4 * lane
        a, e = s.x(r.time[rows]), s.x(until[rows])
        who = r.behavior[rows]
        parts = np.stack([np.stack([a, y], -1), np.stack([e, y], -1)], 1)
        s.lines(parts, scene.colours.face(who, scene.dim), 1.7)
        for k in np.flatnonzero(np.isin(rows, self._dropped(rows))):
            if not scene.is_dim(int(who[k])):
                s.cross(float(e[k]), float(y[k]), 2.0)

    def _others(self, s: Sheet) -> None:
        """The cowns that have no row: the mean of their held shares."""
        scene, t, th = self.scene, self.scene.trace, self.scene.theme
        r = t.requests
        rest = np.zeros(len(t.cowns), bool)
        rest[scene.ranked[len(self.rows) :]] = True
        rows = np.flatnonzero((r.grant >= 0) & rest[r.cown])
        columns = round(scene.plot * SCALE)
        at = np.zeros(len(rows), np.int64)
        share = lod.coverage(1, columns, t.t0, t.t1, at, r.grant[rows], t.held_until[rows], 0, 1)[0] / self.rest
        y, h = self.rest_y, self.height
        s.rects(s.x0, s.x1, y, y + h, th.row, z=0.5)
        s.image(s.x0, s.x1, y, y + h, lod.stacked(share, [th.neutral], round(h * SCALE)))
        mid = y + h / 2
        s.text(MARGIN, mid, f"other {count(self.rest)}", 9 if self.small else 11, th.muted)
        s.text(s.width - MARGIN - 34, mid, percent(self._mean(share)), 9, th.muted, align="right")
        s.text(s.width - MARGIN, mid, "mean", 9, th.faint, align="right")

    def _mean(self, share: Any) -> float:
        """The mean of the held shares of the cowns without a row: of the whole run where all of them were counted."""
        rest = self.scene.ranked[len(self.rows) :].tolist()
        if all(cown in self.counted for cown in rest):
            mean = [self.counted[cown][0].held / self.counted[cown][1] for cown in rest]
            return min(1.0, sum(mean) / len(mean) / tally.length(self.scene.trace))
        return float(np.minimum(share, 1).mean())


def _lanes(begin: Any, end: Any) -> tuple[Any, int]:
    """The lowest free lane for each interval, in order of begin; and how many lanes there are."""
    lane = np.zeros(len(begin), np.int64)
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    lanes = 0
    for k, (a, e) in enumerate(zip(np.asarray(begin).tolist(), np.asarray(end).tolist(), strict=True)):
        while busy and busy[0][0] <= a:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            at = heapq.heappop(free)
        else:
            at, lanes = lanes, lanes + 1
        lane[k] = at
        heapq.heappush(busy, (e, at))
    return lane, lanes


def _any(levels: tuple[Any, Any], t0: int, t1: int, columns: int) -> lod.Shares:
    """Share of each column (1, columns) in which a step function is above zero."""
    times, depth = levels
    _, mean = lod.mean_depth(times, (depth > 0).astype(float), t0, t1, columns)
    return mean[None]
