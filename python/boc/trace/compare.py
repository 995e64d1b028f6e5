"""Two runs side by side: behaviors are matched by name and by order on each cown, never by clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import CANCELLED
from .times import dur

if TYPE_CHECKING:
    from .model import Trace


@dataclass(frozen=True)
class NameChange:
    """One name: mean wait before the start (ns) in both runs, -1 where it never ran; how many matched."""

    name: str
    before: float
    after: float
    matched: int
    note: str


@dataclass(frozen=True)
class Comparison:
    """What changed from run a to run b. `reordered`: cowns whose behaviors came in another order."""

    title: str
    finding: str
    names: tuple[NameChange, ...]
    reordered: tuple[str, ...]

    def __str__(self) -> str:
        lines = [self.title, self.finding]
        for n in self.names:
            if n.note:
                lines.append(f"  {n.name}: {n.note}")
            else:
                change = f"{'−' if n.after < n.before else '+'}{dur(abs(n.after - n.before))}"
                lines.append(f"  {n.name}: waited {dur(n.before)}, then {dur(n.after)} ({change})")
        return "\n".join(lines)


def compare(a: Trace, b: Trace) -> Comparison:
    """Compare two traces."""
    first, second = _lives(a), _lives(b)
    names = list(first) + [n for n in second if n not in first]
    rows = []
    for name in names:
        x, y = first.get(name), second.get(name)
        wait = [float(v["wait"].mean()) if v is not None and len(v["wait"]) else -1.0 for v in (x, y)]
        both = min(len(v["wait"]) if v is not None else 0 for v in (x, y))
        rows.append(NameChange(name, wait[0], wait[1], both, _note(x, y)))
    shared = _orders(a), _orders(b)
    moved = tuple(c for c, order in shared[0].items() if c in shared[1] and shared[1][c] != order)
    share = abs(1 - b.span / a.span)
    word = "less" if b.span < a.span else "more"
    title = f"B took {dur(b.span)}, " + (
        f"{share:.0%} {word} than A ({dur(a.span)})" if share >= 0.005 else "as long as A"
    )
    wa, wb = (sum(float(v["wait"].sum()) for v in side.values()) for side in (first, second))
    ba, bb = (sum(float(v["body"].sum()) for v in side.values()) for side in (first, second))
    went = "stayed at" if dur(wa) == dur(wb) else "fell from" if wb < wa else "rose from"
    waiting = f"{dur(wa)}" if dur(wa) == dur(wb) else f"{dur(wa)} to {dur(wb)}"
    finding = (
        f"Waiting {went} {waiting}; bodies took {dur(ba)} and {dur(bb)}."
        " Behaviors are matched by name and by order on each cown."
    )
    return Comparison(title, finding, tuple(rows), moved)


def _lives(t: Trace) -> dict[str, dict[str, Any]]:
    """Waits and bodies by name, in order of schedule; and how many were cancelled."""
    b = t.behaviors
    out: dict[str, dict[str, Any]] = {}
    for n in t.slots:
        rows = np.flatnonzero(t.mine & (b.name == n) & (b.sched >= 0))
        if not len(rows):
            continue
        rows = rows[np.argsort(b.sched[rows], kind="stable")]
        ran = rows[t.ran[rows]]
        begin = np.where(b.body[ran] >= 0, b.body[ran], b.start[ran])
        stop = np.where(b.body_end[ran] >= 0, b.body_end[ran], t.end[ran])
        out[t.text(n)] = {
            "wait": b.start[ran] - b.sched[ran],
            "body": np.maximum(stop - begin, 0),
            "cancelled": int((b.state[rows] == CANCELLED).sum()),
        }
    return out


def _note(x: dict[str, Any] | None, y: dict[str, Any] | None) -> str:
    if x is None:
        return "only in B"
    if y is None:
        return "only in A"
    if len(x["wait"]) and len(y["wait"]):
        return ""
    if x["cancelled"] and y["cancelled"] and not len(x["wait"]) and not len(y["wait"]):
        return "cancelled in both"
    side, word = (x, "A") if not len(x["wait"]) else (y, "B")
    return f"cancelled in {word}" if side["cancelled"] else f"did not run in {word}"


def _orders(t: Trace) -> dict[str, list[str]]:
    """The names of behaviors in the order in which each cown was granted to them."""
    r = t.requests
    rows = np.flatnonzero((r.grant >= 0) & t.ran[r.behavior])
    rows = rows[np.lexsort((r.grant[rows], r.cown[rows]))]
    labels = t.cown_names()
    out: dict[str, list[str]] = {}
    for k in rows.tolist():
        out.setdefault(labels[int(r.cown[k])], []).append(t.name(int(r.behavior[k])))
    return out
