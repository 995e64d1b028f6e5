"""Level of detail: what is too dense for bars becomes busy shares of columns, exactly, by height."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .palette import rgb

Shares = NDArray[np.float64]


def coverage(
    rows: int, columns: int, t0: int, t1: int, row: Any, begin: Any, end: Any, group: Any, groups: int
) -> Shares:
    """Share of each column (rows, groups, columns) that intervals cover; O(bars + columns).

    Overlapping intervals of one row and group add up.
    """
    scale = columns / (t1 - t0)
    a = np.clip((np.asarray(begin) - t0) * scale, 0, columns)
    b = np.clip((np.asarray(end) - t0) * scale, 0, columns)
    ia, ib = np.minimum(a.astype(np.int32), columns - 1), np.minimum(b.astype(np.int32), columns - 1)
    at = (np.asarray(row, np.int64) * groups + group) * (columns + 1)
    size = rows * groups * (columns + 1)
    same = ia == ib
    cut = ~same
    partial = np.bincount(at + ia, np.where(same, b - a, ia + 1 - a), size)
    if cut.any():
        far = at[cut]
        partial += np.bincount(far + ib[cut], (b - ib)[cut], size)
        whole = np.bincount(far + ia[cut] + 1, minlength=size) - np.bincount(far + ib[cut], minlength=size)
        partial += np.cumsum(whole)
    out: Shares = partial.reshape(rows, groups, columns + 1)[:, :, :columns]
    return out


def stacked(shares: Shares, colours: list[str], height: int) -> NDArray[np.uint8]:
    """Shares (groups, columns) as pixels (height, columns, 4): stacked from below, antialiased in y.

    Pixels that one group fills have exactly its colour.
    """
    top = np.minimum(np.cumsum(shares, 0), 1.0) * height
    low = np.concatenate([np.zeros((1, shares.shape[1])), top[:-1]])
    y = np.arange(height)[None, :, None]
    part = np.clip(np.minimum(top[:, None], y + 1) - np.maximum(low[:, None], y), 0, 1)
    alpha = part.sum(0)
    tint = np.einsum("ghp,gc->hpc", part, np.array([rgb(c) for c in colours]))
    tint /= np.maximum(alpha, 1e-9)[..., None]
    out = np.empty((height, shares.shape[1], 4), np.uint8)
    out[..., :3] = np.rint(np.clip(tint, 0, 1) * 255)
    out[..., 3] = np.rint(np.clip(alpha, 0, 1) * 255)
    return out[::-1]


def mean_depth(t: Any, depth: Any, t0: int, t1: int, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Time-weighted mean of a step function per column: edges (ns, columns + 1) and means (columns)."""
    edges = np.linspace(t0, t1, columns + 1)
    if not len(t):
        return edges, np.zeros(columns)
    area = np.concatenate(([0.0], np.cumsum(depth[:-1] * np.diff(t).astype(float))))
    times = t.astype(float)
    reached = np.interp(edges, times, area)
    # Beyond the last step its depth goes on.
    reached += np.maximum(0, edges - times[-1]) * depth[-1]
    return edges, np.diff(reached) / np.diff(edges)
