"""A picture as a small PNG of at most 256 colours: the frequent ones exactly, the rest as the nearest."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LARGE = 190_000
"""Bytes: a picture of a notebook stays below 200 kB."""


def encode(pixels: NDArray[np.uint8], exact: Iterable[str] = ()) -> bytes:
    """PNG of pixels (height, width, 3 or 4); alpha is dropped. `exact`: colours kept where they occur.

    Charts have flat fills and antialiased text: the fills keep their exact colours, and the many shades at
    the edges of letters become the nearest frequent shade. A third of the size of full colour.
    """
    height, width = pixels.shape[:2]
    flat = pixels.reshape(-1, pixels.shape[2]).astype(np.uint32)
    packed = flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2]
    cut = np.concatenate(([0], np.flatnonzero(packed[1:] != packed[:-1]) + 1))
    runs = np.diff(np.append(cut, len(packed)))
    colours, which = np.unique(packed[cut], return_inverse=True)
    weight = np.bincount(which, runs)
    weight[np.isin(colours, [int(c[1:], 16) for c in exact])] += len(packed)
    often = np.argsort(-weight, kind="stable")
    data = b""
    for most in (256, 64, 32):
        kept = np.sort(often[:most])
        index = _nearest(_channels(colours), _channels(colours[kept]))
        image = Image.fromarray(np.repeat(index[which].astype(np.uint8), runs).reshape(height, width))
        image.putpalette(_channels(colours[kept]).astype(np.uint8).tobytes())
        out = io.BytesIO()
        image.save(out, "PNG", compress_level=6)
        data = out.getvalue()
        if len(data) < _LARGE:
            break
    return data


def _channels(packed: NDArray[Any]) -> NDArray[np.int64]:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1).astype(np.int64)


def _nearest(colours: NDArray[np.int64], palette: NDArray[np.int64]) -> NDArray[Any]:
    """The place of the nearest palette entry for each colour, in slices that bound the memory."""
    out = np.empty(len(colours), np.int64)
    size = (palette**2).sum(-1)
    for at in range(0, len(colours), 4096):
        part = colours[at : at + 4096]
        out[at : at + 4096] = (size[None] - 2 * part @ palette.T).argmin(-1)
    return out
