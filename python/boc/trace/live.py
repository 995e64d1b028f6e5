"""A trace that follows a running program: appends what is new, forgets the oldest, gives snapshots."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from . import tally
from .model import Trace
from .records import BEFORE, Cursor, Gap, Records, Source, empty

KEEP = 1 << 20
"""Records kept by default: 32 MB."""


class LiveTrace:
    """Follows a source. Any thread may poll and ask; memory is bounded by `keep` records.

    `poll` costs what is new; `trace` costs what is kept, or what the last seconds hold.
    """

    def __init__(self, source: Source | None = None, keep: int = KEEP) -> None:
        self._cursor = Cursor(source)
        self._keep = keep
        self._parts: deque[Records] = deque()
        self._gaps: list[Gap] = []
        self._dropped: dict[int, int] = {}
        self._size = 0
        self._marks = tally.marks_of(self._cursor.source)
        self._now = self._cursor.source.now_ns()
        self._lock = threading.Lock()

    def poll(self) -> int:
        """Take what is new; returns how many records."""
        with self._lock:
            self._marks = tally.marks_of(self._cursor.source)
            self._now = self._cursor.source.now_ns()
            batch = self._cursor.drain(self._keep)
            self._gaps += batch.gaps
            got = len(batch.records)
            if got:
                self._parts.append(batch.records)
                self._size += got
            while self._size > self._keep and len(self._parts) > 1:
                self._forget(self._parts.popleft())
            return got

    def _forget(self, part: Records) -> None:
        self._size -= len(part)
        for thread, count in enumerate(np.bincount(part["thread"]).tolist()):
            if count:
                self._dropped[thread] = self._dropped.get(thread, 0) + count

    def _begins(self) -> list[Gap]:
        """What was forgotten, as gaps before the first record that is kept of each thread."""
        out = []
        left = dict(self._dropped)
        for part in self._parts:
            for thread in list(left):
                mine = np.flatnonzero(part["thread"] == thread)
                if len(mine):
                    out.append(Gap(thread, BEFORE, int(part["time"][mine[0]]), left.pop(thread)))
            if not left:
                break
        return out

    def trace(self, last: float | None = None) -> Trace:
        """A snapshot as of the last poll; of the last seconds only, if asked for."""
        with self._lock:
            parts = list(self._parts)
            gaps = self._gaps + self._begins()
            now, names, marks = self._now, list(self._cursor.names), self._marks
            naming, board = self._cursor.naming(), self._cursor.board()
        begin = None if last is None else now - int(last * 1e9)
        if begin is not None:
            # A behavior of the window may have been scheduled before it: keep as much again.
            early = begin - int(last * 1e9) if last is not None else begin
            parts = [p for p in parts if int(p["time"].max()) >= early]
        records = np.concatenate(parts) if parts else empty()
        out = Trace.from_records(records, names, gaps, board, now, naming, marks)
        out.workers = max(out.workers, self._cursor.workers())
        out.keep_colours(self._cursor.source)
        return out if begin is None else out.window(max(out.t0, begin), out.t1)

    @property
    def lost(self) -> dict[int, int]:
        """Records overtaken since the first poll, by thread."""
        return dict(self._cursor.lost)

    def close(self) -> None:
        """Stop following. May be called twice."""
        self._cursor.close()

    def __enter__(self) -> LiveTrace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
