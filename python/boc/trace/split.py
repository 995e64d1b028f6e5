"""Records split by kind, field by field: block by block, so that each stays in the cache while it is taken apart."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .events import KIND
from .records import RECORD, Records

_BLOCK = 1 << 16
_LARGE = 1 << 19
_FIELDS = {
    "schedule": ("time", "subject", "other", "seq", "flags"),
    "request": ("time", "subject", "other", "seq", "flags"),
    "grant": ("time", "subject", "other", "flags"),
    "ready": ("time", "subject"),
    "start": ("time", "subject", "other", "seq", "thread"),
    "body": ("time", "subject"),
    "body_end": ("time", "subject"),
    "end": ("time", "subject", "other", "flags", "thread"),
}
"""The kinds that come for every behavior, and what of them the model reads."""


class Rows:
    """Some records as one array a field."""

    def __init__(self, fields: dict[str, NDArray[Any]]) -> None:
        self._fields = fields

    def __getitem__(self, field: str) -> NDArray[Any]:
        return self._fields[field]

    def __len__(self) -> int:
        return len(self._fields["time"])


class ByKind:
    """The records of each kind, in the order in which they came."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self._kind = np.ascontiguousarray(records["kind"])
        starts = range(0, len(records), _BLOCK)
        blocks = [np.bincount(self._kind[a : a + _BLOCK], minlength=256) for a in starts]
        self._per_block = np.array(blocks, np.int64).reshape(-1, 256)
        self._count = self._per_block.sum(0)
        self._split: dict[str, Rows] = {}
        if len(records) >= _LARGE:
            self._take_apart()

    def __getitem__(self, name: str) -> Records:
        """All fields of the records of a kind."""
        number = KIND[name]
        if not self._count[number]:
            return self.records[:0]
        picked: Records = self.records[np.flatnonzero(self._kind == number)]
        return picked

    def rows(self, name: str) -> Rows:
        """The fields that the model reads of a frequent kind."""
        if name not in self._split:
            found = self[name]
            self._split[name] = Rows({field: found[field] for field in _FIELDS[name]})
        return self._split[name]

    def _take_apart(self) -> None:
        names = [name for name in _FIELDS if self._count[KIND[name]]]
        per_block = self._per_block
        place = np.cumsum(per_block, axis=0) - per_block
        out = {name: {f: np.empty(int(self._count[KIND[name]]), RECORD[f]) for f in _FIELDS[name]} for name in names}

        def work(k: int) -> None:
            block = self.records[k * _BLOCK : (k + 1) * _BLOCK]
            kind = self._kind[k * _BLOCK : (k + 1) * _BLOCK]
            for name in names:
                number = KIND[name]
                size = int(per_block[k, number])
                if size:
                    found = block[np.flatnonzero(kind == number)]
                    at = int(place[k, number])
                    for field, column in out[name].items():
                        column[at : at + size] = found[field]

        # numpy lets go of the lock in each of these steps, so two threads halve the time.
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            for _ in pool.map(work, range(len(per_block))):
                pass
        self._split = {name: Rows(fields) for name, fields in out.items()}
