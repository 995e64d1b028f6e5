"""Why did this wait? Its wait cut at each grant and at each holder's release, so that the parts add up.

Naming only the last holder would be false: a cown may change hands many times while one waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import CANCELLED, LOST, NONE, RUNNING, STATES
from .times import dur

if TYPE_CHECKING:
    from .model import Trace

_SMALL = 0.01


@dataclass(frozen=True)
class Part:
    """One stretch of a wait. `what`: cown, hand-off, values, gate, worker, pump; `holder`: row or -1."""

    what: str
    begin: int
    end: int
    cown: str = ""
    holder: int = NONE
    held_by: str = ""

    @property
    def ns(self) -> int:
        return self.end - self.begin

    @property
    def label(self) -> str:
        """What it waited for, as people say it."""
        return _LABELS.get(self.what, self.cown)


_LABELS = {
    "values": "its values to arrive",
    "gate": "held at the gate",
    "worker": "a free worker",
    "pump": "the main thread to pump",
}


@dataclass(frozen=True)
class Explanation:
    """The wait of one behavior. `parts` add up to `total` (ns): start − schedule, or until now or cancel."""

    row: int
    id: int
    name: str
    state: str
    total: int
    parts: tuple[Part, ...]
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.sentence)  # a cell's output, for people

    def as_dict(self) -> dict[str, Any]:
        """Plain values, times in ns."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "waited_ns": self.total,
            "parts": [
                {
                    "for": p.label,
                    "cown": p.cown,
                    "held_by": p.held_by,
                    "ns": p.ns,
                    "begin": p.begin,
                    "end": p.end,
                }
                for p in self.parts
            ],
            "sentence": self.sentence,
        }


def wait_end(trace: Trace, row: int) -> int:
    """When its waiting ended: started, cancelled, or not yet."""
    b = trace.behaviors
    if b.start[row] >= 0:
        return int(b.start[row])
    if b.state[row] == CANCELLED:
        return int(b.cancel[row] if b.cancel[row] >= 0 else b.end[row])
    return max(trace.t1, int(b.sched[row]))


def parts(trace: Trace, row: int) -> list[Part]:
    """The stretches of the wait in order, without a gap between them. Empty where its schedule was lost."""
    b, r = trace.behaviors, trace.requests
    if b.sched[row] < 0 or b.state[row] == LOST:
        return []
    out: list[Part] = []
    t, end = int(b.sched[row]), wait_end(trace, row)
    mine = np.flatnonzero(r.behavior == row)
    granted = np.where(r.grant[mine] >= 0, r.grant[mine], np.iinfo(np.int64).max)
    for k in mine[np.argsort(granted, kind="stable")].tolist():
        until = int(r.grant[k]) if r.grant[k] >= 0 else end
        until = min(until, end)
        if until > t:
            out += _held(trace, row, k, t, until)
            t = until
    ready = int(b.ready[row]) if b.ready[row] >= 0 else end
    hold, pass_ = trace.gate.get(row, (NONE, NONE))
    if hold >= 0:
        ready = min(ready, hold)
    if min(ready, end) > t:
        out.append(Part("values", t, min(ready, end)))
        t = min(ready, end)
    if hold >= 0:
        stop = min(end, pass_ if pass_ >= 0 else end)
        if stop > t:
            out.append(Part("gate", t, stop))
            t = stop
    if end > t and (b.state[row] != CANCELLED or b.ready[row] >= 0):
        out.append(Part("pump" if b.pinned[row] else "worker", t, end))
    return out


def _held(trace: Trace, row: int, request: int, begin: int, end: int) -> list[Part]:
    """The wait for one cown between two times, by who held it."""
    r = trace.requests
    cown = trace.cown_name(int(r.cown[request]))
    until = trace.held_until
    others = np.flatnonzero(
        (r.cown == r.cown[request]) & (r.behavior != row) & (r.grant >= 0) & (r.grant < end) & (until > begin)
    )
    out: list[Part] = []
    t = begin
    for k in others[np.lexsort((until[others], r.grant[others]))].tolist():
        if r.grant[k] > t:
            out.append(Part("hand-off", t, int(r.grant[k]), cown))
            t = int(r.grant[k])
        stop = min(end, int(until[k]))
        if stop > t:
            holder = int(r.behavior[k])
            out.append(Part("cown", t, stop, cown, holder, trace.name(holder)))
            t = stop
    if end > t:
        out.append(Part("hand-off", t, end, cown))
    return out


def explain(trace: Trace, row: int) -> Explanation:
    """Explain the wait of a behavior, by row."""
    b = trace.behaviors
    found = tuple(parts(trace, row))
    total = wait_end(trace, row) - int(b.sched[row]) if found or b.sched[row] >= 0 else 0
    state = STATES[b.state[row]]
    text = _sentence(trace, row, found, total)
    return Explanation(row, int(b.id[row]), trace.name(row), state, total, found, text)


def _sentence(trace: Trace, row: int, found: tuple[Part, ...], total: int) -> str:
    b = trace.behaviors
    name, state = trace.name(row), int(b.state[row])
    if b.sched[row] < 0 or state == LOST:
        return f"Records of {name} were overtaken: why it waited is not known."
    groups: dict[str, list[Part]] = {}
    for p in found:
        groups.setdefault(p.label, []).append(p)
    told = sorted(groups.items(), key=lambda kv: -sum(p.ns for p in kv[1]))
    told = [g for g in told if sum(p.ns for p in g[1]) >= total * _SMALL]
    phrases = [_phrase(trace, label, group, len(told) > 1) for label, group in told]
    why = ", ".join(phrases)
    if state == CANCELLED and b.start[row] < 0:
        link = ": " if len(told) > 1 else ", " if told and told[0][1][0].what == "gate" else " for "
        return f"{name} was cancelled after {dur(total)} in the queue" + (f"{link}{why}." if why else ".")
    if total < 1000 or not told:
        return f"{name} did not wait." if state >= RUNNING else f"{name} was scheduled just now."
    verb = "waited" if state >= RUNNING else "has waited"
    if len(told) == 1:
        link = ", " if told[0][1][0].what == "gate" else " for "
        return f"{name} {verb} {dur(total)}{link}{why}."
    return f"{name} {verb} {dur(total)}: {why}."


def _phrase(trace: Trace, label: str, group: list[Part], timed: bool) -> str:
    by_holder: dict[int, int] = {}
    for p in group:
        if p.holder >= 0:
            by_holder[p.holder] = by_holder.get(p.holder, 0) + p.ns
    by_name: dict[str, int] = {}
    for holder, ns in by_holder.items():
        by_name[trace.name(holder)] = by_name.get(trace.name(holder), 0) + ns
    total = sum(p.ns for p in group)
    text = f"{dur(total)}{' ' if group[0].what == 'gate' else ' for '}{label}" if timed else label
    holders = sorted(by_name.items(), key=lambda kv: -kv[1])
    holders = [h for h in holders if h[1] >= total * _SMALL]
    if not holders:
        return text
    if len(holders) == 1:
        return f"{text} (held by {holders[0][0]})"
    shown = ", ".join(f"{name} {dur(ns)}" for name, ns in holders[:3])
    more = f" and {len(holders) - 3} more" if len(holders) > 3 else ""
    return f"{text} (held by {shown}{more})"
