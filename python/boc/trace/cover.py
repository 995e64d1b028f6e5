"""Shares of time: how much of each column intervals cover."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boc import _core


def coverage(
    rows: int, columns: int, t0: int, t1: int, row: Any, begin: Any, end: Any, group: Any, groups: int
) -> NDArray[np.float64]:
    """Share of each of the columns between two times (ns) that intervals cover: (rows, groups, columns).

    Row, begin, end and group: one for each interval, or one for all. Overlapping intervals of one row and group add up.
    O(bars + columns).
    """
    begin = np.ascontiguousarray(begin, np.int64)
    lane = np.broadcast_to(np.asarray(row, np.int64) * groups + group, begin.shape)
    part, whole = np.zeros((2, rows * groups * (columns + 1)))
    scale = columns / (t1 - t0)
    ends = np.ascontiguousarray(end, np.int64)
    _core.trace_cover(begin, ends, np.ascontiguousarray(lane, np.int64), t0, scale, columns, part, whole)
    part += np.cumsum(whole)
    out: NDArray[np.float64] = part.reshape(rows, groups, columns + 1)[:, :, :columns]
    return out
