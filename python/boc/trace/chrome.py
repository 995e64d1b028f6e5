"""Export to Chrome's JSON trace events, which Perfetto opens.

Slices of one track nest: a worker runs one behavior at a time and a cown has one writer. What overlaps (waits,
readers) goes to async events. A flow leads from the body whose end granted the last cown to the behavior it let
start: the outer slice takes the flow in, its body gives one out, since a slice carries one `bind_id`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import LOST, NONE, STATES
from .ownership import in_use

if TYPE_CHECKING:
    from .model import Trace

WORKERS, COWNS, BOARD = 1, 2, 3
"""Processes of the trace: threads of the program, cowns, keys of the noticeboard."""


def thread_name(row: int) -> str:
    """`main`, `thread 1`, `worker 0`."""
    return "main" if row == -1 else f"thread {-1 - row}" if row < 0 else f"worker {row}"


def export(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write the trace as JSON, event by event: memory stays that of one."""
    with Path(path).open("w", encoding="utf-8", errors="backslashreplace") as f:
        f.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        for k, event in enumerate(events(trace)):
            f.write(",\n" if k else "")
            f.write(json.dumps(event, separators=(",", ":"), ensure_ascii=False))
        f.write("\n]}\n")


def events(trace: Trace) -> Iterator[dict[str, Any]]:
    """The events, times in µs from the first."""
    yield from _heads(trace)
    yield from _behaviors(trace)
    yield from _cowns(trace)
    yield from _board(trace)
    for gap in trace.gaps:
        when = max(gap.end, trace.t0)
        row = gap.thread if gap.thread < 1024 else 1023 - gap.thread
        name = f"{gap.lost} records overtaken"
        yield _at(trace, when, {"ph": "i", "s": "t", "name": name, "pid": WORKERS, "tid": _tid(row), "cat": "lost"})


def _tid(row: int) -> int:
    """Threads of the program stand before the workers."""
    return row + 100


def _at(trace: Trace, when: int, event: dict[str, Any]) -> dict[str, Any]:
    event["ts"] = (when - trace.t0) / 1000
    return event


def _span(trace: Trace, begin: int, end: int, event: dict[str, Any]) -> dict[str, Any]:
    event["ph"] = "X"
    event["ts"] = (begin - trace.t0) / 1000
    event["dur"] = (end - begin) / 1000
    return event


def _heads(trace: Trace) -> Iterator[dict[str, Any]]:
    for k, (pid, name) in enumerate(((WORKERS, "workers"), (COWNS, "cowns"), (BOARD, "noticeboard"))):
        yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
        yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": k}}
    seen = set(np.unique(trace.behaviors.thread[trace.ran]).tolist()) | set(range(trace.workers))
    tracks = [(WORKERS, _tid(w), thread_name(w), _tid(w)) for w in sorted(seen)]
    tracks += [(COWNS, c + 1, name, c + 1) for c, name in enumerate(trace.cown_names())]
    for k, key in enumerate(dict.fromkeys(trace.notices.key.tolist())):
        tracks.append((BOARD, key, trace.text(key), k))
    for pid, tid, name, place in tracks:
        yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": place}}


def _let(trace: Trace) -> np.ndarray:
    """For each behavior the row of the one whose release granted its last cown, -1 for none."""
    r = trace.requests
    out = np.full(len(trace.behaviors), NONE, np.int64)
    end = trace.behaviors.end[np.maximum(r.pred, 0)]
    # A reader behind readers was let in by whom they waited for: its predecessor gave it nothing.
    waited = np.flatnonzero((r.pred >= 0) & (r.grant > r.time) & (r.time >= 0) & (end >= 0) & (end <= r.grant))
    order = waited[np.argsort(r.grant[waited], kind="stable")]
    out[r.behavior[order]] = r.pred[order]
    return out


def _behaviors(trace: Trace) -> Iterator[dict[str, Any]]:
    b = trace.behaviors
    before = _let(trace)
    gives = np.zeros(len(b), bool)
    gives[before[(before >= 0) & trace.ran]] = True
    for i in np.flatnonzero(trace.ran).tolist():
        name, tid = trace.name(i), _tid(int(b.thread[i]))
        args: dict[str, Any] = {"id": int(b.id[i]), "state": STATES[b.state[i]]}
        if b.sched[i] >= 0:
            args["waited_us"] = (int(b.start[i]) - int(b.sched[i])) / 1000
        if b.parent[i]:
            args["parent"] = int(b.parent[i])
        if b.stolen[i] >= 0:
            args["stolen_from"] = f"worker {b.stolen[i]}"
        outer = {"name": name, "cat": "behavior", "pid": WORKERS, "tid": tid, "args": args}
        p = int(before[i])
        if p >= 0 and trace.ran[p]:
            outer |= {"bind_id": hex(int(b.id[p])), "flow_in": True}
        start, end = int(b.start[i]), int(trace.end[i])
        yield _span(trace, start, end, outer)
        begin = min(max(int(b.body[i]), start), end)
        stop = min(max(int(b.body_end[i]), begin), end) if b.body_end[i] >= 0 else end
        if begin > start:
            yield _span(trace, start, begin, {"name": "decode", "cat": "move", "pid": WORKERS, "tid": tid})
        body: dict[str, Any] = {"name": "body", "cat": "body", "pid": WORKERS, "tid": tid}
        if gives[i]:
            body |= {"bind_id": hex(int(b.id[i])), "flow_out": True}
        yield _span(trace, begin, stop, body)
        if end > stop:
            yield _span(trace, stop, end, {"name": "encode", "cat": "move", "pid": WORKERS, "tid": tid})


def _cowns(trace: Trace) -> Iterator[dict[str, Any]]:
    b, r = trace.behaviors, trace.requests
    labels = trace.cown_names()
    rows = np.arange(len(r))
    start, until = in_use(trace, rows)
    waited = trace.waited_until
    for k in rows.tolist():
        who, tid = int(r.behavior[k]), int(r.cown[k]) + 1
        name, place = trace.name(who), {"pid": COWNS, "tid": tid}
        if 0 <= r.time[k] < waited[k] and b.state[who] != LOST:
            text = f"{name} waits for {labels[tid - 1]}"
            wait = {"name": text, "cat": "wait", "id": hex(k), **place}
            yield _at(trace, int(r.time[k]), {"ph": "b", **wait})
            yield _at(trace, int(waited[k]), {"ph": "e", **wait})
        if r.grant[k] < 0 or until[k] <= r.grant[k]:
            continue
        if r.read[k]:
            read = {"name": f"{name} reads", "cat": "read", "id": hex(k), **place}
            yield _at(trace, int(r.grant[k]), {"ph": "b", **read})
            yield _at(trace, int(until[k]), {"ph": "e", **read})
            continue
        yield _span(trace, int(r.grant[k]), int(until[k]), {"name": f"held by {name}", "cat": "held", **place})
        if start[k] < until[k]:
            yield _span(trace, int(start[k]), int(until[k]), {"name": name, "cat": "in use", **place})


def _board(trace: Trace) -> Iterator[dict[str, Any]]:
    n = trace.notices
    for k in range(len(n)):
        key, version, writer = int(n.key[k]), int(n.version[k]), int(n.writer[k])
        text = "deleted" if n.deleted[k] else trace.values.get((trace.text(key), version), "?")
        args = {"version": version, "writer": trace.name(writer) if writer >= 0 else "main"}
        event = {"ph": "i", "s": "t", "name": text, "cat": "notice", "pid": BOARD, "tid": key, "args": args}
        yield _at(trace, int(n.time[k]), event)
