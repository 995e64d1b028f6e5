"""Trace records as they come from the core: their layout, where they come from, and a cursor that follows.

A `Source` is anything that offers what the C module offers; what is above works the same on the core,
on a file and on a simulation.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .events import KIND

RECORD = np.dtype(
    [
        ("time", "<i8"),
        ("subject", "<u8"),
        ("other", "<u8"),
        ("seq", "<u4"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("thread", "<u2"),
    ]
)
MAIN = 1024
"""The thread number of the main thread; workers are below, other threads above."""

BEFORE = -2
"""`begin` of the gap that stands for what was overtaken before a cursor was opened."""

Records = NDArray[np.void]


class Stream(Protocol):
    """An open cursor of the core."""

    def read(self, max_records: int = ..., /) -> tuple[bytes, dict[int, int]]:
        """New records as bytes of whole records, and how many were newly lost by thread."""
        ...

    def before(self) -> dict[int, int]:
        """How many records were overtaken before the first read, by thread."""
        ...

    def close(self) -> None: ...


class Source(Protocol):
    """What a running program offers to those who look: the C module, or a simulation of it."""

    def trace_open(self) -> Stream: ...
    def trace_names(self, first: int = ..., /) -> list[str]: ...
    def cown_names(self) -> bytes:
        """Rows of two uint64: the id and the name number of cowns, the later row counts."""
        ...

    def now_ns(self) -> int: ...
    def board_history(self) -> list[tuple[str, int, int, int, str | None, str]]: ...


class Gap(NamedTuple):
    """`lost` records of `thread` were overtaken between two times (`begin` -1: since it began)."""

    thread: int
    begin: int
    end: int
    lost: int


class BoardValue(NamedTuple):
    """A value that landed on the noticeboard: its text (None: deleted), by key and version."""

    key: str
    version: int
    writer: int
    time: int
    text: str | None
    by: str = ""


@dataclass
class Batch:
    """What one look brought: records in the order of each thread, and what was lost meanwhile."""

    records: Records
    gaps: list[Gap] = field(default_factory=list)


def empty() -> Records:
    """No records."""
    return np.empty(0, RECORD)


def core() -> Source:
    """The running program's own source. ImportError without the C module."""
    from importlib import import_module

    module: Any = import_module("boc._core")
    source: Source = module
    return source


class Cursor:
    """Follows a source from the oldest record that its rings still hold.

    `read` gives only what is new. `names` grows as the program names things.
    `lost` counts by thread what was overtaken since it was opened, `before` what was earlier.
    """

    def __init__(self, source: Source | None = None) -> None:
        self.source: Source = core() if source is None else source
        self._stream = self.source.trace_open()
        self._last: dict[int, int] = {}
        self._closed = False
        self.before: dict[int, int] = {}
        self.names: list[str] = []
        self.lost: dict[int, int] = {}

    def read(self, max_records: int = 1 << 20) -> Batch:
        """At most `max_records` new records (possibly none) with the gaps before them."""
        data, lost = self._stream.read(max_records)
        records = np.frombuffer(data, RECORD)
        self.names.extend(self.source.trace_names(len(self.names)))
        first, last = _edges(records)
        gaps = []
        for thread, count in self._stream.before().items():
            if thread not in self.before and thread in first:
                self.before[thread] = count
                gaps.append(Gap(thread, BEFORE, first[thread], count))
        for thread, count in lost.items():
            if count:
                self.lost[thread] = self.lost.get(thread, 0) + count
                now = first.get(thread)
                gaps.append(
                    Gap(
                        thread,
                        self._last.get(thread, -1),
                        self.source.now_ns() if now is None else now,
                        count,
                    )
                )
        self._last.update(last)
        return Batch(records, gaps)

    def drain(self, limit: int = 1 << 26) -> Batch:
        """All that is new now, at most `limit` records: a program that goes on cannot hold us here."""
        return self.read(limit)

    def naming(self) -> Records:
        """The names of cowns as records of kind `cown` with time -1: also of those named long ago."""
        self.names.extend(self.source.trace_names(len(self.names)))
        rows = np.frombuffer(self.source.cown_names(), np.uint64).reshape(-1, 2)
        out = np.zeros(len(rows), RECORD)
        out["time"], out["kind"], out["thread"] = -1, KIND["cown"], MAIN
        out["subject"], out["seq"] = rows[:, 0], rows[:, 1]
        return out

    def workers(self) -> int:
        """How many workers the program has now, also those that are still coming up; 0 where it cannot say."""
        count: Any = getattr(self.source, "_worker_count", None)
        return int(count()) if count is not None else 0

    @property
    def off(self) -> bool:
        """Whether the program records nothing, since it was started so."""
        control = sys.modules.get("boc._control")
        return self.source is core() and control is not None and not control.last_start[1]

    def board(self) -> list[BoardValue]:
        """The values that the noticeboard held, as far back as it remembers."""
        return [BoardValue(*row[:4], row[4] or "") for row in self.source.board_history()]

    def close(self) -> None:
        """Give the place in the rings back. May be called twice."""
        if not self._closed:
            self._closed = True
            self._stream.close()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _edges(records: Records) -> tuple[dict[int, int], dict[int, int]]:
    """First and last time of each thread. Records of one thread stand in few runs: those are walked."""
    if not len(records):
        return {}, {}
    thread, time = records["thread"], records["time"]
    cut = np.flatnonzero(thread[1:] != thread[:-1]) + 1
    if len(cut) > 4096:
        cut = np.empty(0, np.intp)
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for t in np.unique(thread):
            at = time[thread == t]
            first[int(t)], last[int(t)] = int(at[0]), int(at[-1])
        return first, last
    begin = np.concatenate(([0], cut))
    end = np.concatenate((cut, [len(records)])) - 1
    first, last = {}, {}
    for a, b in zip(begin.tolist(), end.tolist(), strict=True):
        t = int(thread[a])
        first.setdefault(t, int(time[a]))
        last[t] = int(time[b])
    return first, last
