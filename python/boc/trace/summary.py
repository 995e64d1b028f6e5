"""The run in tables: per name of behavior, per cown, per worker; and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import tally
from .columns import CANCELLED, I32, RAISED
from .ownership import ByCown, caused, ranked, use
from .times import count, dur, percent, plural, rate, size

if TYPE_CHECKING:
    from .model import Trace


def line(trace: Trace) -> str:
    """What the repr of a trace says."""
    return f"<Trace: {plural(int(trace.ran.sum()), 'behavior')}, {plural(len(trace.cowns), 'cown')}, {dur(trace.span)}>"


@dataclass(frozen=True)
class BehaviorRow:
    """One name. Times in ns: means of the parts of a life, then percentiles. `cpu`: from samples, 0 without."""

    name: str
    runs: int
    raised: int
    cancelled: int
    per_second: float
    waiting: float
    ready: float
    moving: float
    body: float
    cpu: float
    wait_p50: float
    wait_p99: float
    ready_p50: float
    ready_p99: float
    moving_p50: float
    moving_p99: float
    body_p50: float
    body_p99: float


@dataclass(frozen=True)
class CownRow:
    """One cown: hand-offs, shares of the run, longest queue, waiting caused (ns), bytes moved."""

    name: str
    handoffs: int
    in_use: float
    held: float
    longest: int
    caused: int
    moved: int
    largest: int


@dataclass(frozen=True)
class WorkerRow:
    """One thread: bodies run, busy share, CPU share, bodies stolen, share of the run asleep."""

    name: str
    ran: int
    busy: float
    cpu: float
    stolen: int
    parked: float


@dataclass(frozen=True)
class Summary:
    """A run in numbers. `str()` gives the text; `boc.summary()` shows it as a table in a notebook."""

    title: str
    finding: str
    span: int
    behaviors: tuple[BehaviorRow, ...]
    cowns: tuple[CownRow, ...]
    workers: tuple[WorkerRow, ...]
    lost: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, times in ns."""
        return asdict(self)

    def __str__(self) -> str:
        return text(self)


def summary(trace: Trace, cowns: int = 8) -> Summary:
    """Summarise a trace; of the cowns those that most was waited for."""
    names = _behaviors(trace)
    boxes = _cowns(trace, cowns)
    lanes = _workers(trace)
    unseen = trace.counts()["lost"] if trace.counted is not None else 0
    runs, span = int(trace.ran.sum()) + unseen, tally.length(trace)
    title = (
        f"{plural(runs, 'behavior')} in {dur(span if trace.t1 > trace.t0 else 0)}: {rate(runs * 1e9 / span)}/s"
        f" on {plural(trace.workers, 'worker')}"
    )
    total = int(caused(trace).sum())
    bits = []
    if boxes and boxes[0].caused:
        bits.append(f"{boxes[0].name} caused {percent(boxes[0].caused / total)} of all waiting.")
    elif runs:
        bits.append("No behavior waited for a cown.")
    else:
        bits.append(tally.OFF + "." if trace.off else "No behavior has run yet.")
    busy = [w.busy for w in lanes if w.name.startswith("worker")]
    if busy and runs:
        bits.append(f"Workers were busy {percent(sum(busy) / len(busy))} of the time.")
    if cancelled := sum(r.cancelled for r in names):
        bits.append(f"{plural(cancelled, 'behavior')} cancelled.")
    lost = sum(trace.lost.values())
    if lost or not trace.before:
        bits.append(f"{plural(lost, 'record')} lost." if lost else "No record was lost.")
    if trace.counted is not None:
        known = int((trace.ran & (trace.behaviors.sched >= 0)).sum())
        text = f"Runs and shares are of all of it; times and queues of the newest {count(known)}"
        text += f" in {dur(trace.t1 - tally.known_since(trace))}"
        if unseen:
            text += f", stolen of the newest {count(runs - unseen)}: {plural(unseen, 'behavior')} lost"
        bits.append(f"{text}.")
    elif trace.before:
        bits.append(f"It reaches back {dur(trace.t1 - trace.t0)}: {count(trace.before)} older events were overtaken.")
    return Summary(title, " ".join(bits), span, names, boxes, lanes, unseen or lost)


def _behaviors(trace: Trace) -> tuple[BehaviorRow, ...]:
    b = trace.behaviors
    rows = np.flatnonzero(trace.mine & (b.sched >= 0))
    rows = rows[np.argsort(b.name[rows], kind="stable")]
    out: list[BehaviorRow] = []
    if not len(rows):
        return _whole(trace, out)
    for part in np.split(rows, np.flatnonzero(np.diff(b.name[rows])) + 1):
        m = part[trace.ran[part]]
        raised = int((b.state[part] == RAISED).sum())
        cancelled = int((b.state[part] == CANCELLED).sum())
        name = trace.name(int(part[0]))
        if not len(m):
            out.append(BehaviorRow(name, 0, raised, cancelled, *([0.0] * 14)))
            continue
        ready = np.where(b.ready[m] >= 0, np.minimum(b.ready[m], b.start[m]), b.start[m])
        begin = np.where(b.body[m] >= 0, b.body[m], b.start[m])
        stop = np.where(b.body_end[m] >= 0, b.body_end[m], trace.end[m])
        wait = b.start[m] - b.sched[m]
        body = np.maximum(stop - begin, 0)
        moving = (begin - b.start[m]) + (trace.end[m] - stop)
        out.append(
            BehaviorRow(
                name, len(m), raised, cancelled, len(m) * 1e9 / trace.span,
                float((ready - b.sched[m]).mean()), float((b.start[m] - ready).mean()),
                float(moving.mean()), float(body.mean()), float(body.mean()) * _on_cpu(trace, m),
                *(float(np.percentile(v, p)) for v in (wait, b.start[m] - ready, moving, body) for p in (50, 99)),
            )
        )  # fmt: skip
    return _whole(trace, out)


def _whole(trace: Trace, rows: list[BehaviorRow]) -> tuple[BehaviorRow, ...]:
    """Runs of the whole run where they were counted, also of names that only the counters still know."""
    c = trace.counted
    if c is not None:
        span = tally.length(trace)
        left = {trace.text(name): b for name, b in c.names.items() if name}
        name, running = trace.behaviors.name[trace.ran], trace.behaviors.end[trace.ran] < 0
        now = {trace.text(n) for n in name[running].tolist()}
        for k, row in enumerate(rows):
            b = left.pop(row.name, None)
            if b is not None:
                runs = max(row.runs, b.n + (row.name in now))
                rows[k] = replace(row, runs=runs, raised=max(row.raised, b.raised), per_second=runs * 1e9 / span)
        if 0 in c.names:  # those of its bars that are there have their own rows
            b = c.names[0]
            shown = int((((name == 0) | (name >= tally.NAMES)) & ~running).sum())
            left["other names"] = b._replace(n=b.n - shown, busy=b.busy * (b.n - shown) // b.n)
        for text_, b in left.items():
            if b.n > 0:
                rest = [0.0, 0.0, 0.0, b.busy / b.n, *([0.0] * 9)]
                rows.append(BehaviorRow(text_, b.n, b.raised, 0, b.n * 1e9 / span, *rest))
    return tuple(sorted(rows, key=lambda r: -r.body * r.runs))


def _on_cpu(trace: Trace, rows: I32) -> float:
    """The share of their time that these bodies had a core, from those whose CPU clock was read; 0 if none was.

    A clock is read now and then, and more often around long bodies: so bodies of about one length stand for each
    other. Otherwise the one that lost its core for long, among many short ones, would speak for all.
    """
    b = trace.behaviors
    wall, cpu = (trace.end[rows] - b.start[rows]).astype(float), b.cpu[rows].astype(float)
    length = np.frexp(np.maximum(wall, 1))[1]  # doubles from one to the next
    read = (cpu > 0) & (wall > 0)
    if not read.any():
        return 0.0
    whole = np.bincount(length, wall)
    n, spent, took = (np.bincount(length[read], v, len(whole)) for v in (None, cpu[read], wall[read]))
    known, total = np.flatnonzero(n), 0.0
    for k in np.flatnonzero(whole).tolist():
        near = int(known[np.abs(known - k).argmin()])
        share = min(1.0, spent[near] / took[near])
        if near > k + 4:  # none so short was read: one that is so much longer tells how much it was, not which share
            share = min(1.0, spent[near] / n[near] / (whole[k] / max(1, int((length == k).sum()))))
        total += whole[k] * share
    return min(1.0, total / float(wall.sum()))


def _cowns(trace: Trace, limit: int) -> tuple[CownRow, ...]:
    waited, index = caused(trace), ByCown(trace)
    first = ranked(trace)[:limit]
    counted = {} if trace.counted is None else tally.holdings(trace, trace.counted)
    moves = trace.moves
    out = []
    for row, name in zip(first.tolist(), trace.cown_names(first), strict=True):
        u = use(trace, row, index, int(waited[row]))
        mine = moves.bytes[moves.cown == row]
        largest = int(mine.max(initial=0))
        handoffs, used, held = max(0, u.grants - 1), u.used, u.held
        if row in counted:
            of, alike = counted[row]
            span = alike * tally.length(trace)
            handoffs = max(0, of.grants // alike - 1)
            used, held = min(1.0, of.used / span, of.held / span), min(1.0, of.held / span)
        out.append(CownRow(name, handoffs, used, held, u.longest, u.caused, int(mine.sum()), largest))
    for name, grants, used, held in tally.forgotten(trace)[: limit - len(out)]:
        out.append(CownRow(name, max(0, grants - 1), used, held, 0, 0, 0, 0))
    return tuple(out)


def _workers(trace: Trace) -> tuple[WorkerRow, ...]:
    b, rests = trace.behaviors, trace.rests
    rows = np.flatnonzero(trace.ran)
    seen = sorted((w for w in np.unique(b.thread[rows]).tolist() if w < 0), reverse=True)
    out = []
    c = trace.counted
    shares = {} if c is None else tally.busy(trace, c)
    for w in seen + list(range(max(trace.workers, int(b.thread[rows].max(initial=-1)) + 1))):
        m = rows[b.thread[rows] == w]
        busy = float(np.maximum(0, np.minimum(trace.end[m], trace.t1) - np.maximum(b.start[m], trace.t0)).sum())
        ran, share = len(m), busy / trace.span
        if c is not None and w in c.threads:
            ran, share = c.threads[w].n + int((b.end[m] < 0).sum()), shares[w]
        asleep = rests.thread == w
        slept = np.where(rests.end[asleep] >= 0, rests.end[asleep], trace.t1)
        rest = np.clip(slept, trace.t0, trace.t1) - np.clip(rests.begin[asleep], trace.t0, trace.t1)
        name = "main" if w == -1 else f"thread {-1 - w}" if w < 0 else f"worker {w}"
        out.append(
            WorkerRow(
                name, ran, share, share * _on_cpu(trace, m),
                int((b.stolen[m] >= 0).sum()), float(rest.sum()) / trace.span,
            )
        )  # fmt: skip
    return tuple(out)


def short(ns: float) -> str:
    """A duration of two digits, `·` for none."""
    return dur(ns, 2) if ns > 0 else "·"


def text(s: Summary) -> str:
    """The tables as text, for a terminal."""
    out = [s.title, s.finding, ""]
    longest = max((r.waiting + r.ready + r.moving + r.body for r in s.behaviors), default=1) or 1

    def bar(r: BehaviorRow) -> str:
        parts = zip("·-~█", (r.waiting, r.ready, r.moving, r.body), strict=True)
        return "".join(c * round(v / longest * 24) for c, v in parts)[:24]

    wide = max([12, *(len(r.name) for r in s.behaviors), *(len(r.name) for r in s.cowns)])
    wide = min(wide, 28)

    def name(text: str) -> str:
        return f"{text if len(text) <= wide else text[: wide - 1] + '…':<{wide}}"

    if s.behaviors:
        out.append(
            f"{name('behavior')}{'runs':>9}{'raised':>8}  {'wait · ready - move ~ body █':<30}"
            f"{'wait p50':>10}{'p99':>9}{'body p50':>10}{'p99':>9}{'CPU':>9}"
        )
        for r in s.behaviors:
            out.append(
                f"{name(r.name)}{count(r.runs):>9}{r.raised or '':>8}  {bar(r):<30}"
                f"{short(r.wait_p50):>10}{short(r.wait_p99):>9}{short(r.body_p50):>10}{short(r.body_p99):>9}"
                f"{short(r.cpu):>9}"
            )
        out.append("")
    if s.cowns:
        most = max(1, s.cowns[0].caused)
        moved = any(c.moved for c in s.cowns)
        head = f"{'hand-offs':>11}{'in use':>8}{'held':>7}{'queue':>8}"
        head += f"{'moved':>9}{'largest':>9}" if moved else ""
        out.append(f"{name('cown')}{head}{'waiting it caused':>19}")
        for c in s.cowns:
            out.append(
                f"{name(c.name)}{count(c.handoffs):>11}{percent(c.in_use):>8}{percent(c.held):>7}"
                f"{count(c.longest):>8}{f'{size(c.moved):>9}{size(c.largest):>9}' if moved else ''}"
                f"{short(c.caused):>10} {'█' * round(8 * c.caused / most)}".rstrip()
            )
        out.append("")
    if s.workers:
        out.append(f"{name('worker')}{'ran':>11}{'busy':>8}{'stolen':>8}{'asleep':>8}")
        for w in s.workers:
            stolen = count(w.stolen) if w.stolen else ""
            asleep = percent(w.parked) if w.parked else ""
            out.append(f"{name(w.name)}{count(w.ran):>11}{percent(w.busy):>8}{stolen:>8}{asleep:>8}".rstrip())
    return "\n".join(out)
