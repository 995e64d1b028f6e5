"""Stream a running program's trace to a file: one background thread, bounded memory."""

from __future__ import annotations

import atexit
import os
import threading
import time

import numpy as np

from . import tally
from .events import EVENTS, KIND
from .file import Writer
from .records import Cursor, Records, Source

_BATCH = 1 << 17
_IDLE_S, _BUSY_S = 0.05, 0.002
_COUNT_S = 1.0
_OF_BEHAVIORS = [e.number for e in EVENTS if e.subject == "behavior"]


class Recording:
    """A recording that runs. `stop` ends it; leaving a `with` block and the end of the program do the same.

    `records` counts what was written, `lost` what was overtaken before it could be, by thread.
    """

    def __init__(
        self, path: str | os.PathLike[str], source: Source | None = None, history: bool = False
    ) -> None:
        self.path = os.fspath(path)
        self._cursor = Cursor(source)
        now = self._cursor.source.now_ns()
        self._begin = 0 if history else now
        try:
            self._writer = Writer(path, now, self._begin)
        except BaseException:
            self._cursor.close()
            raise
        known = tally.marks_of(self._cursor.source)
        self._base = known[-1:] if not history else known[-2:-1]
        self._named = 0
        self._board = (-1, -1)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="boc-trace-recorder", daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    @property
    def records(self) -> int:
        return self._writer.records

    @property
    def lost(self) -> dict[int, int]:
        return dict(self._cursor.lost)

    def _run(self) -> None:
        try:
            self._named_cowns()
            self._step(1 << 26)
            due = 0.0
            while not self._stop.wait(_BUSY_S if self._step() >= 0 else _IDLE_S):
                if time.monotonic() >= due:  # a crash leaves a file whose counters are not much older than its records
                    self._writer.marks(self._marks())
                    due = time.monotonic() + _COUNT_S
            marks = self._marks()
            end = self._cursor.source.now_ns()
            while 0 <= self._step() <= end:
                pass
            self._values()
            self._writer.marks(marks)
            self._writer.close(end)
        except BaseException as error:  # told by stop(): a full disk must not end the program
            self._error = error
        finally:
            self._writer.close()
            self._cursor.close()

    def _marks(self) -> list[tally.Mark]:
        """The counters as they were when it began, and later. With history: since nothing was pending before."""
        since = self._base[0].time if self._base else -1
        return self._base + [m for m in tally.marks_of(self._cursor.source) if m.time > since]

    def _step(self, most: int = _BATCH) -> int:
        """Write what is new; returns the time of its last record, -1 where nothing was."""
        batch = self._cursor.read(most)
        names = self._cursor.names
        if len(names) > self._named:
            self._writer.names(self._named, names[self._named :])
            self._named = len(names)
            self._values()
        if (batch.records["kind"] == KIND["worker_up"]).any():
            self._named_cowns()  # the trace began just now: cowns from before it have no record
        self._writer.write(_begun(batch.records, self._begin), batch.gaps)
        return int(batch.records["time"][-1]) if len(batch.records) else -1

    def _named_cowns(self) -> None:
        """Cowns that were named while nothing was recorded, or whose naming was overtaken."""
        naming = self._cursor.naming()
        names = self._cursor.names
        self._named, first = len(names), self._named
        self._writer.names(first, names[first:])
        self._writer.naming(naming)

    def _values(self) -> None:
        fresh = [v for v in self._cursor.board() if (v.time, v.version) > self._board]
        if fresh:
            self._board = max((v.time, v.version) for v in fresh)
            self._writer.board(fresh)

    def stop(self) -> None:
        """Write what is left and close the file. Raises the error that ended the recording early, once."""
        self._stop.set()
        self._thread.join()
        atexit.unregister(self._at_exit)
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _at_exit(self) -> None:
        self._stop.set()
        self._thread.join(5.0)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _begun(records: Records, begin: int) -> Records:
    """The records without those of what was over when the recording began, ns: what was pending then has its past."""
    old = records["time"] < begin
    if not old.any():
        return records
    mine = np.isin(records["kind"], _OF_BEHAVIORS)
    over = np.isin(records["subject"], records["subject"][old & (records["kind"] == KIND["end"])])
    kept: Records = records[~old | (records["kind"] == KIND["worker_up"]) | (mine & ~over)]
    return kept


def record(
    path: str | os.PathLike[str], *, history: bool = False, source: Source | None = None
) -> Recording:
    """Stream the trace to a file until stopped.

    The picture of the file begins here; what is pending now has its past. history: also what the rings still hold of
    before. Memory stays bounded; a crash leaves a file that `load` reads.
    """
    return Recording(path, source, history)
