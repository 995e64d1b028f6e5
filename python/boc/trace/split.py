"""Records by kind, and rows by id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boc import _core

from .columns import I32, NONE
from .events import KIND
from .records import Records


@dataclass
class Ids:
    """Rows by id, in order of id: a table where the ids are dense, a search where they are not.

    `rows_of`: the row of `low` + k, -1 where there is none; None where the ids lie too far apart for that.
    """

    id: NDArray[np.uint64]
    low: int = 0
    rows_of: I32 | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.id)

    def rows(self, ids: NDArray[np.uint64]) -> I32:
        """Rows of ids, -1 where unknown."""
        if not len(self.id):
            return np.full(len(ids), NONE, np.int32)
        if self.rows_of is not None:
            at = ids - np.uint64(self.low)  # below: wraps to a large number
            ok = at < len(self.rows_of)
            direct: I32 = self.rows_of[at] if ok.all() else np.where(ok, self.rows_of[np.where(ok, at, 0)], NONE)
            return direct
        place = np.minimum(np.searchsorted(self.id, ids), len(self.id) - 1)
        found: I32 = np.where(self.id[place] == ids, place, NONE).astype(np.int32)
        return found


class ByKind:
    """The records of each kind, in the order in which they came; `latest`: their highest time, 0 for none."""

    def __init__(self, records: Records) -> None:
        self.records = np.ascontiguousarray(records)
        self.kind = np.empty(len(records), np.uint8)
        self._count = np.zeros(256, np.int64)
        found = _core.trace_survey(self.records, self.kind, self._count)
        self.latest: int = found[0]
        self._ranges: tuple[int, int, int, int] = found[1:]

    def count(self, name: str) -> int:
        """How many records of a kind there are."""
        return int(self._count[KIND[name]])

    def __getitem__(self, name: str) -> Records:
        """The records of a kind."""
        number = KIND[name]
        if not self._count[number]:
            return self.records[:0]
        picked: Records = self.records[np.flatnonzero(self.kind == number)]
        return picked

    def ids(self) -> tuple[Ids, Ids]:
        """The ids of behaviors, and of cowns that somebody asked for."""
        low, high, c_low, c_high = self._ranges
        most = 8 * len(self.records) + 65536
        if max(high - low, c_high - c_low) >= most:
            return self._far_apart()
        there, asked = (np.zeros(max(0, b - a + 1), bool) for a, b in ((low, high), (c_low, c_high)))
        _core.trace_present(self.records, self.kind, low, there, c_low, asked)
        return _dense(low, there), _dense(c_low, asked)

    def _far_apart(self) -> tuple[Ids, Ids]:
        who = [self[name]["subject"] for name in ("schedule", "start", "end", "request")]
        what = [self[name]["other"] for name in ("request", "grant")]
        return Ids(np.unique(np.concatenate(who))), Ids(np.unique(np.concatenate(what)))

    def in_rows(self, ids: Ids, cowns: Ids) -> tuple[Records, Ids, Ids]:
        """Records whose ids have tables of rows: these, or copies whose ids are rows where ids lie far apart."""
        if ids.rows_of is not None and cowns.rows_of is not None:
            return self.records, ids, cowns
        records = self.records.copy()
        for names, field_, table in ((_BEHAVIOR, "subject", ids), (("request", "grant"), "other", cowns)):
            for name in names:
                at = np.flatnonzero(self.kind == KIND[name])
                rows = table.rows(records[field_][at])
                records[field_][at] = np.where(rows >= 0, rows, len(table))
        waits = np.flatnonzero(self.kind == KIND["request"])
        before = predecessors(records["seq"][waits].astype(np.int64), ids)
        granted = records["flags"][waits] & 2 > 0
        records["seq"][waits] = np.where(granted, records["seq"][waits], np.where(before >= 0, before, len(ids)))
        return records, _rows_alone(len(ids)), _rows_alone(len(cowns))


_BEHAVIOR = ("schedule", "start", "end", "request", "grant", "ready", "body", "body_end")


def predecessors(low: NDArray[Any], ids: Ids) -> I32:
    """Rows of behaviors by the low 32 bits of their ids."""
    base = int(ids.id[-1]) if len(ids) else 0
    back = ((base & 0xFFFFFFFF) - low) & 0xFFFFFFFF
    return ids.rows(np.where(back <= base, base - back, 0).astype(np.uint64))


def _rows_alone(n: int) -> Ids:
    return Ids(np.arange(n, dtype=np.uint64), 0, np.arange(n, dtype=np.int32))


def _dense(low: int, there: NDArray[np.bool_]) -> Ids:
    rows = np.cumsum(there, dtype=np.int32)
    rows -= 1
    if len(rows) and rows[-1] + 1 < len(rows):
        rows[~there] = NONE
    return Ids(np.flatnonzero(there).astype(np.uint64) + np.uint64(low if len(rows) else 0), low, rows)
