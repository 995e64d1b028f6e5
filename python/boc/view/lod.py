"""Level of detail: what is too dense for bars becomes busy shares of columns, exactly, by height."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boc.trace.cover import coverage

from .palette import rgb

__all__ = ["Shares", "coverage", "mean_depth", "stacked"]

Shares = NDArray[np.float64]


def stacked(shares: Shares, colours: list[str], height: int) -> NDArray[np.uint8]:
    """Shares (groups, columns) as pixels (height, columns, 4): stacked from below, antialiased in y.

    Pixels that one group fills have exactly its colour.
    """
    there = np.flatnonzero(shares.any(1))
    shares, colours = shares[there], [colours[k] for k in there]
    top = np.minimum(np.cumsum(shares, 0), 1.0) * height
    low = np.concatenate([np.zeros((1, shares.shape[1])), top[:-1]])
    y = np.arange(height)[None, :, None]
    part = np.clip(np.minimum(top[:, None], y + 1) - np.maximum(low[:, None], y), 0, 1)
    alpha = part.sum(0)
    tint = np.einsum("ghp,gc->hpc", part, np.array([rgb(c) for c in colours]).reshape(-1, 3))
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
