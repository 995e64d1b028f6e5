"""Export to Perfetto's own format through the `perfetto` package (the extra `perfetto`).

Workers and cowns are trees of tracks in a fixed order. A cown's track is of states where the package knows them
(its owner is the state), else of slices. Flows carry a behavior's id from body to body.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .chrome import _let, thread_name
from .columns import STATES

if TYPE_CHECKING:
    from .model import Trace

_SEQUENCE = 1
_ROOTS = {"Workers": 1, "Cowns": 2, "Noticeboard": 3}


def export(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write a .pftrace file. ImportError, with the way to get it, where `perfetto` is not installed."""
    try:
        kinds: Any = import_module("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
        builders: Any = import_module("perfetto.trace_builder.proto_builder")
    except ImportError as error:
        raise ImportError("to_perfetto needs the package perfetto: pip install 'boc[perfetto]'") from error
    with Path(path).open("wb") as f:
        builder = builders.StreamingTraceProtoBuilder(f)
        for fill in _packets(trace, kinds.TrackEvent):
            packet = builder.create_packet()
            packet.trusted_packet_sequence_id = _SEQUENCE
            fill(packet)
            builder.write_packet(packet)


def _packets(trace: Trace, kind: Any) -> Iterator[Any]:
    yield from _tracks(trace)
    yield from _sorted(trace, kind)


def _track(uuid: int, name: str, parent: int = 0, rank: int = 0, ordered: bool = False) -> Any:
    def fill(packet: Any) -> None:
        d = packet.track_descriptor
        d.uuid, d.name = uuid, name
        if parent:
            d.parent_uuid = parent
        d.sibling_order_rank = rank
        if ordered:
            d.child_ordering = type(d).EXPLICIT

    return fill


def _worker(row: int) -> int:
    return (1 << 32) + row + 1000


def _cown(row: int, readers: bool = False) -> int:
    return (3 << 32 if readers else 2 << 32) + row


def _key(key: int) -> int:
    return (4 << 32) + key


def _tracks(trace: Trace) -> Iterator[Any]:
    for k, (name, uuid) in enumerate(_ROOTS.items()):
        yield _track(uuid, name, 0, k, True)
    seen = set(np.unique(trace.behaviors.thread[trace.ran]).tolist()) | set(range(trace.workers))
    for w in sorted(seen):
        yield _track(_worker(w), thread_name(w), _ROOTS["Workers"], w + 1000)
    read = set(trace.requests.cown[trace.requests.read].tolist())
    for c, name in enumerate(trace.cown_names()):
        yield _track(_cown(c), name, _ROOTS["Cowns"], 2 * c)
        if c in read:
            yield _track(_cown(c, True), f"{name} readers", _ROOTS["Cowns"], 2 * c + 1)
    for key in dict.fromkeys(trace.notices.key.tolist()):
        yield _track(_key(key), trace.text(key), _ROOTS["Noticeboard"])


def _sorted(trace: Trace, kind: Any) -> Iterator[Any]:
    """All events in order of time: of those at one instant ends come first, inner ends before outer ones."""
    found = [*_behaviors(trace, kind), *_cowns(trace, kind), *_board(trace, kind)]
    found.sort(key=lambda event: event[:2])
    return (fill for _, _, fill in found)


def _event(when: int, kind: int, track: int, name: str = "", flows: tuple[int, ...] = (), **args: Any) -> Any:
    def fill(packet: Any) -> None:
        packet.timestamp = when
        e = packet.track_event
        e.type, e.track_uuid = kind, track
        if name:
            e.name = name.encode("utf-8", "replace").decode()
        e.flow_ids.extend(flows)
        for key, value in args.items():
            note = e.debug_annotations.add()
            note.name = key
            if isinstance(value, int):
                note.int_value = value
            else:
                note.string_value = str(value)

    return fill


def _slice(
    kind: Any, begin: int, end: int, depth: int, track: int, name: str, flows: tuple[int, ...] = (), **args: Any
) -> list[tuple[int, int, Any]]:
    return [
        (begin, 10 + depth, _event(begin, kind.TYPE_SLICE_BEGIN, track, name, flows, **args)),
        (end, -depth, _event(end, kind.TYPE_SLICE_END, track)),
    ]


def _behaviors(trace: Trace, kind: Any) -> Iterator[tuple[int, int, Any]]:
    b, before = trace.behaviors, _let(trace)
    gives = np.zeros(len(b), bool)
    gives[before[(before >= 0) & trace.ran]] = True
    for i in np.flatnonzero(trace.ran).tolist():
        track = _worker(int(b.thread[i]))
        start, end = int(b.start[i]), int(trace.end[i])
        if end <= start:
            end = start + 1
        p = int(before[i])
        flows = tuple(int(b.id[k]) for k, on in ((p, p >= 0 and trace.ran[p]), (i, gives[i])) if on)
        about = {"id": int(b.id[i]), "state": STATES[b.state[i]]}
        yield from _slice(kind, start, end, 0, track, trace.name(i), flows, **about)
        begin = min(max(int(b.body[i]), start), end)
        stop = min(max(int(b.body_end[i]), begin), end) if b.body_end[i] >= 0 else end
        for name, a, e in (("decode", start, begin), ("body", begin, stop), ("encode", stop, end)):
            if e > a and (name != "body" or (a, e) != (start, end)):
                yield from _slice(kind, a, e, 1, track, name)


def _cowns(trace: Trace, kind: Any) -> Iterator[tuple[int, int, Any]]:
    r = trace.requests
    until = trace.held_until
    state = getattr(kind, "TYPE_STATE", None)
    for k in np.flatnonzero((r.grant >= 0) & (until > r.grant)).tolist():
        name = trace.name(int(r.behavior[k]))
        track = _cown(int(r.cown[k]), bool(r.read[k]))
        begin, end = int(r.grant[k]), int(until[k])
        if state is None or r.read[k]:
            yield from _slice(kind, begin, end, 0, track, name)
        else:
            yield begin, 10, _event(begin, state, track, name)
            yield end, 0, _event(end, state, track, "free")


def _board(trace: Trace, kind: Any) -> Iterator[tuple[int, int, Any]]:
    n = trace.notices
    for k in range(len(n)):
        key, version, writer = int(n.key[k]), int(n.version[k]), int(n.writer[k])
        text = "deleted" if n.deleted[k] else trace.values.get((trace.text(key), version), "?")
        by = trace.name(writer) if writer >= 0 else "main"
        when = int(n.time[k])
        yield when, 5, _event(when, kind.TYPE_INSTANT, _key(key), text, (), version=version, writer=by)
