"""What workers counted by name, exactly, also of what the rings have forgotten: starts, busy and held times.

A program gives its counters as they stand now, and as they stood each time that nothing was pending. Between two of
these lies a run; the difference says what happened in it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .derive import thread_row
from .records import BEFORE
from .times import count, dur, plural

if TYPE_CHECKING:
    from .model import Trace

ROW = np.dtype(
    [
        ("name", "<u4"),
        ("thread", "<u2"),
        ("kind", "u1"),
        ("spare", "u1"),
        ("n", "<u8"),
        ("ns", "<i8"),
        ("more", "<i8"),
        ("used", "<i8"),
    ]
)
"""A row of the counters, as in trace.h of the core."""
NAMES = 4096
"""Names with a row of their own; the others share row 0."""
_BODY, _COWN = 0, 1


class Mark(NamedTuple):
    """The counters at a time, ns; `first`: when the first body since the mark before began, -1 where none ended."""

    time: int
    first: int
    rows: NDArray[np.void]


class Bodies(NamedTuple):
    """Bodies of one name or one worker: how many ended, how many of them raised, how long they ran (ns)."""

    n: int
    raised: int
    busy: int


class Holdings(NamedTuple):
    """Cowns of one name: grants, how long they were held and in use by bodies (ns), all of them together."""

    grants: int
    held: int
    used: int


@dataclass(frozen=True)
class Counted:
    """A run by its counters, from its first start to `end` (ns). Names beyond `NAMES` are under 0."""

    begin: int
    end: int
    names: dict[int, Bodies]
    threads: dict[int, Bodies]
    cowns: dict[int, Holdings]

    @property
    def ended(self) -> int:
        """How many bodies ended."""
        return sum(b.n for b in self.names.values())


def marks_of(source: Any) -> list[Mark]:
    """The counters of a source, oldest first, the last of them now; none where it keeps none."""
    ask = getattr(source, "trace_tally", None)
    if ask is None:
        return []
    return [Mark(time, first, np.frombuffer(rows, ROW)) for time, first, rows in ask()]


def to_json(marks: Iterable[Mark]) -> list[list[Any]]:
    """For a file or a message."""
    return [[m.time, m.first, base64.b64encode(m.rows.tobytes()).decode("ascii")] for m in marks]


def from_json(rows: Iterable[list[Any]]) -> list[Mark]:
    """The reverse of `to_json`."""
    return [Mark(time, first, np.frombuffer(base64.b64decode(text), ROW)) for time, first, text in rows]


def before(marks: list[Mark], time: int) -> int:
    """The place of the last mark up to a time; 0 where there is none."""
    return max((k for k, m in enumerate(marks[:-1]) if m.time <= time), default=0)


def counted(marks: list[Mark], base: int) -> Counted | None:
    """What happened since a mark; None where no body ended."""
    if len(marks) < 2:
        return None
    old, now = marks[base], marks[-1]
    firsts = [m.first for m in marks[base + 1 :] if m.first >= 0]
    names: dict[int, Bodies] = {}
    threads: dict[int, Bodies] = {}
    cowns: dict[int, Holdings] = {}
    for sign, mark in ((1, now), (-1, old)):
        rows = mark.rows
        body = rows[rows["kind"] == _BODY]
        _add(names, body["name"], body, sign)
        _add(threads, thread_row(body["thread"]), body, sign)
        for r in rows[rows["kind"] == _COWN]:
            was = cowns.get(int(r["name"]), Holdings(0, 0, 0))
            more = (int(r["n"]), int(r["ns"]), int(r["used"]))
            cowns[int(r["name"])] = Holdings(*(a + sign * b for a, b in zip(was, more, strict=True)))
    names = {k: v for k, v in names.items() if v.n > 0}
    threads = {k: v for k, v in threads.items() if v.n > 0}
    cowns = {k: v for k, v in cowns.items() if v.grants > 0 or v.held > 0}
    return Counted(min(firsts), now.time, names, threads, cowns) if names and firsts else None


def of(trace: Trace) -> Counted | None:
    """The run of a trace by the counters, where something of it was overtaken, or None."""
    if trace.base is None or not trace.gaps:
        return None
    found = counted(trace.marks, trace.base)
    return found if found is not None and found.ended >= drawn(trace) else None


def drawn(trace: Trace) -> int:
    """How many bars there are of bodies that ended since that run began."""
    since = trace.marks[trace.base].time if trace.base is not None and trace.marks else 0
    return int(np.count_nonzero(trace.behaviors.end[trace.ran] >= since))


def with_forgotten(names: list[int], trace: Trace) -> list[int]:
    """Name ids that have bars, then those that only the counters still know."""
    c = counted(trace.marks, 0) if trace.gaps else None
    return names + sorted(set(c.names) - {0, *names}) if c is not None else names


OFF = "Tracing is off: boc.stop(), then boc.start(trace=True) turns it on"
"""What a picture says where nothing is recorded."""


def length(trace: Trace) -> int:
    """How long the whole run was, ns: from the first start, or from an earlier schedule that is still known."""
    c = trace.counted
    if c is None:
        return trace.span
    sched = trace.behaviors.sched[trace.ran]
    since = trace.marks[trace.base].time if trace.base is not None else 0
    begin = int(sched[sched >= since].min(initial=c.begin))
    return max(1, trace.t1 - begin)


def known_since(trace: Trace) -> int:
    """Since when all of it is known, ns: who schedules may have forgotten more than those who ran it."""
    return max([trace.t0, *(g.end for g in trace.gaps if g.begin == BEFORE and g.end <= trace.t1)])


def beyond(trace: Trace) -> str:
    """What a picture says of what it does not show: how far back it reaches, and how many bodies have no bar."""
    text = ""
    if trace.before:
        bars, queues = dur(trace.t1 - trace.t0), dur(trace.t1 - known_since(trace))
        who = f"Bars of workers reach back {bars}, cowns and queues {queues}"
        if queues == bars:
            who = f"Bars and queues reach back {bars}"
        if trace.counted is None:
            text = f". {who}: {count(trace.before)} older events were overtaken"
        elif queues != (whole := dur(length(trace))):
            text = f". {who}, counts and shares the whole {whole}"
    lost = trace.counts()["lost"]
    return f"{text}. {plural(lost, 'bar')} not drawn" if lost else text


def busy(trace: Trace, c: Counted) -> dict[int, float]:
    """The share of the whole run that each thread spent in bodies, those that run now up to now."""
    b = trace.behaviors
    out = {thread: float(v.busy) for thread, v in c.threads.items()}
    for row in np.flatnonzero(trace.ran & (b.end < 0)).tolist():
        thread = int(b.thread[row])
        out[thread] = out.get(thread, 0.0) + max(0, trace.t1 - max(int(b.start[row]), c.begin))
    return {thread: min(1.0, ns / length(trace)) for thread, ns in out.items()}


def holdings(trace: Trace, c: Counted) -> dict[int, tuple[Holdings, int]]:
    """By row of a cown: what the counters say of its name, and how many cowns share that name and so its numbers.

    Not of results: what held them first was their behavior, from before anybody could name them.
    """
    name, results = trace.cowns.name.astype(np.int64), np.isin(trace.cowns.id, trace.behaviors.id)
    pairs = np.stack([trace.cowns.id.astype(np.int64), name])
    if trace.naming is not None:
        named = trace.naming
        pairs = np.concatenate([pairs, np.stack([named["subject"].astype(np.int64), named["seq"].astype(np.int64)])], 1)
    alike = np.bincount(np.unique(pairs, axis=1)[1], minlength=1)
    rows = np.flatnonzero((name > 0) & ~results).tolist()
    return {k: (c.cowns[n], int(alike[n])) for k in rows if (n := int(name[k])) in c.cowns}


def forgotten(trace: Trace) -> list[tuple[str, int, float, float]]:
    """Cowns that only the counters still know: name, grants, shares of the run in use and held; longest held first.

    Only those whose name no other cown has.
    """
    c, named = trace.counted, trace.naming
    if c is None or named is None:
        return []
    ids = np.unique(np.stack([named["subject"].astype(np.int64), named["seq"].astype(np.int64)]), axis=1)
    alike = np.bincount(ids[1], minlength=1)
    seen, span = set(trace.cowns.name[np.unique(trace.requests.cown)].tolist()), length(trace)
    rows = [(n, h) for n, h in c.cowns.items() if n not in seen and n < len(alike) and alike[n] == 1]
    rows.sort(key=lambda row: -row[1].held)
    shares = [(min(1.0, min(h.used, h.held) / span), min(1.0, h.held / span)) for _, h in rows]
    return [(trace.text(n), h.grants, *s) for (n, h), s in zip(rows, shares, strict=True)]


def held(trace: Trace, row: int) -> tuple[float, int] | None:
    """The share of the whole run in which somebody held a cown, and how many cowns that is the mean of.

    None where it was not counted.
    """
    c = trace.counted
    found = holdings(trace, c).get(row) if c is not None else None
    return None if found is None else (min(1.0, found[0].held / found[1] / length(trace)), found[1])


def _add(into: dict[int, Bodies], keys: NDArray[Any], rows: NDArray[np.void], sign: int) -> None:
    """Add the rows, or take them away, under their keys."""
    for key, n, raised, busy in zip(
        keys.tolist(), rows["n"].tolist(), rows["more"].tolist(), rows["ns"].tolist(), strict=True
    ):
        was = into.get(key, Bodies(0, 0, 0))
        into[key] = Bodies(was.n + sign * n, was.raised + sign * raised, was.busy + sign * busy)
