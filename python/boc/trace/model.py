"""The model of a run: tables of numpy columns, and questions that can be asked of them.

A `Trace` is a snapshot. It comes from a live cursor, a file or plain records, and knows nothing of charts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import (
    chrome,
    compare,
    critical,
    derive,
    explain,
    file,
    perfetto,
    runs,
    sides,
    slots,
    summary,
    tables,
    tally,
    whatif,
    window,
)
from .columns import (
    CANCELLED,
    I64,
    LOST,
    NONE,
    READY,
    RUNNING,
    STATES,
    WAITING,
    Behaviors,
    Bool,
    Cowns,
    Moves,
    Notes,
    Notices,
    Requests,
    Rests,
)
from .compare import Comparison
from .critical import CriticalPath
from .explain import Explanation
from .records import BEFORE, MAIN, BoardValue, Cursor, Gap, Records, Source
from .split import ByKind
from .summary import Summary
from .tally import Counted, Mark
from .whatif import Prediction


@dataclass(repr=False)
class Trace:
    """A snapshot of what was recorded. Times: ns of CLOCK_MONOTONIC; `t0`, `t1`: what is looked at.

    `now` is when the snapshot was taken; `gaps` what was overtaken; `damage` why a file ended early. `marks` are the
    counters of the workers, `base` the one at which this part of the run began (None: they tell nothing of it).
    """

    behaviors: Behaviors
    requests: Requests
    cowns: Cowns
    notices: Notices
    notes: Notes
    moves: Moves
    rests: Rests
    names: list[str]
    workers: int
    now: int
    t0: int
    t1: int
    gaps: list[Gap] = field(default_factory=list)
    values: dict[tuple[str, int], str] = field(default_factory=dict)
    exceptions: dict[int, str] = field(default_factory=dict)
    gate: dict[int, tuple[int, int]] = field(default_factory=dict)
    quiet: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    slots: list[int] = field(default_factory=list)
    kept: dict[str, int] | None = None
    marks: list[Mark] = field(default_factory=list, repr=False)
    base: int | None = None
    records: Records | None = field(default=None, repr=False)
    naming: Records | None = field(default=None, repr=False)
    board_values: list[BoardValue] = field(default_factory=list, repr=False)
    damage: str = ""
    off: bool = False

    # ---- where it comes from -------------------------------------------------------------------------

    @classmethod
    def from_records(
        cls,
        records: Records,
        names: Iterable[str],
        gaps: Iterable[Gap] = (),
        board: Iterable[BoardValue] = (),
        now: int | None = None,
        named: Records | None = None,
        marks: list[Mark] | None = None,
        begin: int = NONE,
    ) -> Trace:
        """Derive the tables. `records`: in order within each thread; `now`: by default the last time."""
        names, gaps, board = list(names), list(gaps), list(board)
        if named is None and len(records) and records["time"][0] < 0:
            named, records = derive.naming_first(records)
        kinds = ByKind(records)
        if now is None:
            now = kinds.latest
        elif kinds.latest > now:
            # One ring was read later than another: what came after `now` in it has no other half yet.
            records = records[records["time"] <= now]
            kinds = ByKind(records)
        up, down = kinds["worker_up"], kinds["worker_down"]
        b, ids, r, cown_ids = derive.tables(kinds, gaps, down)
        known = kinds["cown"] if named is None else np.concatenate([named, kinds["cown"]])
        c = sides.cowns(known, kinds["result"], cown_ids, b, ids)
        raised = kinds["raise"]
        out = cls(
            b,
            r,
            c,
            sides.notices(kinds, ids),
            sides.notes(kinds, ids),
            sides.moves(kinds, cown_ids),
            sides.rests(kinds),
            names,
            sides.workers(up, down, b),
            now,
            0,
            0,
            gaps,
            {(v.key, v.version): v.text for v in board if v.text is not None},
            dict(zip(ids.rows(raised["subject"]).tolist(), sides.names_of(raised, names), strict=True)),
            sides.gate(kinds, ids),
            np.sort(np.concatenate([kinds["quiet"]["time"], down["time"]])),
            marks=marks or [],
            base=0,
            records=records,
            naming=named,
            board_values=board,
        )
        out.slots = tally.with_forgotten(sides.first_names(b), out)
        out.t0, out.t1 = out._extent()
        # Before the first record of a ring that wrapped its thread's row is not known: the picture begins there.
        reach = max([begin, *(g.end for g in gaps if g.begin == BEFORE and g.thread < MAIN)])
        return replace(out.window(min(reach, out.t1), out.t1), base=0) if reach > out.t0 else out

    @classmethod
    def from_cursor(cls, cursor: Cursor) -> Trace:
        """What a cursor finds that is new to it, as one consistent snapshot."""
        marks, now = tally.marks_of(cursor.source), cursor.source.now_ns()
        batch = cursor.drain()
        out = cls.from_records(batch.records, cursor.names, batch.gaps, cursor.board(), now, cursor.naming(), marks)
        out.workers, out.kept, out.off = max(out.workers, cursor.workers()), slots.kept(cursor.source), cursor.off
        return out

    @classmethod
    def now_of(cls, source: Source | None = None) -> Trace:
        """A snapshot of what the rings of the running program still hold."""
        with Cursor(source) as cursor:
            return cls.from_cursor(cursor)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """Read a .boctrace file, also one that a crash cut off (`damage` says so)."""
        got = file.read(path)
        out = cls.from_records(got.records, got.names, got.gaps, got.board, got.now, None, got.marks, got.begin)
        return replace(out, damage=got.damage)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .boctrace file with all records of this snapshot."""
        if self.records is None:
            raise ValueError("this trace has no records to save")
        writer = file.Writer(path, self.now, self.t0 if self.base == 0 else 0)
        try:
            writer.names(0, self.names)
            writer.board(self.board_values)
            writer.marks(self.marks)
            if self.naming is not None:
                writer.naming(self.naming)
            writer.write(self.records[:0], self.gaps)
            for at in range(0, len(self.records), 1 << 20):
                writer.write(self.records[at : at + (1 << 20)])
        finally:
            writer.close(self.now)

    def to_chrome(self, path: str | os.PathLike[str]) -> None:
        """Write Chrome's JSON trace events, which Perfetto opens too."""
        chrome.export(self, path)

    def to_perfetto(self, path: str | os.PathLike[str]) -> None:
        """Write Perfetto's own format. Needs the package perfetto."""
        perfetto.export(self, path)

    def to_csv(self, path: str | os.PathLike[str], table: str = "behaviors") -> None:
        """Write a table ("behaviors", "requests", "cowns", "noticeboard") as CSV."""
        tables.to_csv(self, path, table)

    def to_pandas(self, table: str = "behaviors") -> Any:
        """A table as a DataFrame; times are ns from the first event, <NA> where unknown. Needs pandas."""
        return tables.to_pandas(self, table)

    def to_arrow(self, table: str = "behaviors") -> Any:
        """A table as a pyarrow Table. Needs pyarrow."""
        return tables.to_arrow(self, table)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The behaviors as an Arrow stream, so that polars and DuckDB read a trace as it is. Needs pyarrow."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    # ---- what is looked at ---------------------------------------------------------------------------

    @cached_property
    def mine(self) -> Bool:
        """Which behaviors are the program's (not the main program's own requests)."""
        return ~self.behaviors.native

    @cached_property
    def ran(self) -> Bool:
        """Which behaviors of the program are known to have started."""
        b = self.behaviors
        out: Bool = (b.start >= 0) & (b.state != LOST) & ~b.native
        return out

    @cached_property
    def end(self) -> I64:
        """When each behavior ended; `t1` for what has not."""
        b = self.behaviors
        return np.where(b.end >= 0, b.end, self.t1)

    @cached_property
    def held_until(self) -> I64:
        """When each request gave its cown back; `t1` for what has not; its grant where that is not known."""
        b, r = self.behaviors, self.requests
        if (r.release >= 0).all():
            return np.maximum(r.release, r.grant)
        open_ = (b.state == RUNNING) | (b.state == READY) | (b.state == WAITING) | (b.state == CANCELLED)
        until = np.where(r.release >= 0, r.release, np.where(open_[r.behavior], self.t1, r.grant))
        return np.maximum(until, r.grant)

    @cached_property
    def waited_until(self) -> I64:
        """When each request stopped waiting: granted, cancelled, or not yet (`t1`)."""
        b, r = self.behaviors, self.requests
        until = r.grant
        if not (granted := until >= 0).all():
            until = np.where(granted, until, np.where(b.state[r.behavior] == LOST, r.time, self.t1))
        if (b.cancel >= 0).any():
            cancelled = b.cancel[r.behavior]
            until = np.where((cancelled >= 0) & (cancelled < until), cancelled, until)
        return np.maximum(until, r.time)

    @property
    def lost(self) -> dict[int, int]:
        """Records overtaken while somebody read, by thread number of the records."""
        out: dict[int, int] = {}
        for gap in (g for g in self.gaps if g.begin != BEFORE):
            out[gap.thread] = out.get(gap.thread, 0) + gap.lost
        return out

    @property
    def before(self) -> int:
        """Records that were overtaken before anybody read: the picture does not reach back to them."""
        return sum(gap.lost for gap in self.gaps if gap.begin == BEFORE)

    @property
    def span(self) -> int:
        """Length in ns, at least 1."""
        return max(1, self.t1 - self.t0)

    @cached_property
    def _counts(self) -> dict[str, int]:
        state, mine = self.behaviors.state, self.mine
        found = np.bincount(state if mine.all() else state[mine], minlength=len(STATES))
        if self.counted is not None:
            found[LOST] = self.counted.ended - tally.drawn(self)
        return dict(zip(STATES, found.tolist(), strict=True))

    @cached_property
    def counted(self) -> Counted | None:
        """The whole run by the workers' counters, where the rings have forgotten a part of it; else None."""
        return tally.of(self)

    def counts(self) -> dict[str, int]:
        """How many behaviors of the program are in each state. lost: those that ran and have no bar."""
        return dict(self._counts)

    @property
    def pending(self) -> bool:
        """Whether something waits, is ready or runs."""
        return any(self._counts[state] for state in ("waiting", "ready", "running"))

    def _extent(self) -> tuple[int, int]:
        b, r = self.behaviors, self.requests
        known = b.sched if len(b) and b.sched.min(initial=0) >= 0 else np.where(b.sched >= 0, b.sched, b.start)
        known = known[known >= 0]
        times = [int(known.min())] if len(known) else []
        if len(self.notices):
            times.append(int(self.notices.time.min()))
        if not times:
            return self.now, self.now
        last = max(int(x.max()) for x in (b.end, b.cancel, b.start, b.sched, r.grant, self.notices.time) if len(x))
        return min(times), self.now if self.pending else last

    def window(self, t0: int, t1: int) -> Trace:
        """The part between two times: behaviors that were there at some moment of it."""
        return window.cut(self, t0, t1)

    def last(self, seconds: float) -> Trace:
        """The last seconds before the snapshot (before the last event where nothing is pending)."""
        return self.window(max(self.t0, self.t1 - int(seconds * 1e9)), self.t1)

    def last_run(self, since: int | None = None) -> Trace:
        """The part since the last time that nothing was pending before now; at least since `since` (ns)."""
        return runs.last_of(self, since)

    # ---- questions -----------------------------------------------------------------------------------

    def explain(self, what: str | int) -> Explanation:
        """Why a behavior waited; a name: the last started of it (else the last scheduled). KeyError for none."""
        rows = self.find(what)
        if not rows:
            raise KeyError(f"no behavior {what!r} in this trace")
        started = [i for i in rows if self.behaviors.start[i] >= 0]
        return explain.explain(self, max(started, key=self.behaviors.start.__getitem__) if started else rows[-1])

    def critical_path(self) -> CriticalPath:
        """The chain of behaviors that decided when the run ended."""
        return critical.critical_path(self)

    def what_if(self, workers: int | None = None, split: str | list[str] | None = None) -> Prediction:
        """Predict the run with other workers or with cowns split in two, from the recorded graph."""
        return whatif.what_if(self, workers, split)

    def summary(self, cowns: int = 8) -> Summary:
        """The run in tables: names of behaviors, the most waited for cowns, workers."""
        return summary.summary(self, cowns)

    def compare(self, other: Trace) -> Comparison:
        """What changed from this run to another."""
        return compare.compare(self, other)

    def __repr__(self) -> str:
        return summary.line(self)

    # ---- names ---------------------------------------------------------------------------------------

    def keep_colours(self, source: Source) -> Trace:
        """Make this the picture of a running program whose names keep their colours in the next one."""
        there = set(sides.first_names(self.behaviors)).union(self.counted.names if self.counted else ())
        self.kept = slots.keep(source, {self.text(n): n in there for n in self.slots})
        return self

    @property
    def colours(self) -> dict[str, int]:
        """The colour slot of each name: 0 to 7 full, 8 to 15 tinted, -1 grey."""
        return slots.assign([self.text(n) for n in self.slots], self.kept)

    def text(self, name: int) -> str:
        """A name by its id."""
        return self.names[name] if 0 <= name < len(self.names) else ""

    def name(self, row: int) -> str:
        """Name of a behavior by row; `main` for the main program's own request, `?` where lost."""
        b = self.behaviors
        if b.native[row]:
            return "main"
        return self.text(int(b.name[row])) or ("?" if b.sched[row] < 0 else f"behavior {int(b.id[row])}")

    def cown_names(self, rows: NDArray[Any] | None = None) -> list[str]:
        """Names of cowns by row, `#2` and so on where several of one name were alive at once."""
        picked = None if rows is None else np.asarray(rows, np.int32)
        return sides.cown_labels(self.cowns, self.requests, self.names, picked)

    def cown_name(self, row: int) -> str:
        """The name of one cown."""
        return self.cown_names(np.array([row]))[0]

    def find(self, what: str | int) -> list[int]:
        """Rows of behaviors by name, by `name#3` (the third of that name), or by id; in order of schedule."""
        b = self.behaviors
        if isinstance(what, int):
            return np.flatnonzero(b.id == what).tolist()
        rows = np.flatnonzero(self.mine & np.isin(b.name, [i for i, n in enumerate(self.names) if n == what]))
        rows = rows[np.argsort(b.sched[rows], kind="stable")]
        if len(rows):
            return rows.tolist()
        name, mark, number = what.rpartition("#")
        if mark and number.isdigit() and (same := self.find(name)) and 0 < int(number) <= len(same):
            return [same[int(number) - 1]]
        return []
