"""What the Matrix tests share: numpy as the reference, and hypothesis strategies for numbers and shapes."""

from __future__ import annotations

import numpy as np
from boc._matrix import Matrix
from hypothesis import settings
from hypothesis import strategies as st

settings.register_profile("matrix", max_examples=40, deadline=None)
settings.load_profile("matrix")

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, float("nan"), float("inf"), float("-inf"), 5e-324, 1e308, -1e308]
numbers = st.one_of(st.floats(-1e6, 1e6, allow_nan=False), st.sampled_from(SPECIAL), st.floats(width=64))
finite = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
shapes = st.tuples(st.integers(1, 7), st.integers(1, 7)) | st.sampled_from([(1, 40), (40, 1), (3, 33), (33, 3), (20,
    20)])


@st.composite
def arrays(draw, shape=shapes, elements=numbers):
    """A float64 array in two dimensions. Few elements are drawn and spread, so that drawing is fast."""
    rows, columns = draw(shape) if hasattr(shape, "example") else shape
    pool = draw(st.lists(elements, min_size=1, max_size=12))
    seed = draw(st.integers(0, 2**16))
    return np.random.default_rng(seed).choice(np.array(pool), (rows, columns))


@st.composite
def broadcast_pairs(draw, elements=numbers):
    """Two arrays that broadcast together: equal shapes, or dimensions of 1 in either."""
    rows, columns = draw(shapes)
    pair = []
    for _ in range(2):
        shape = (draw(st.sampled_from([rows, rows, 1])), draw(st.sampled_from([columns, columns, 1])))
        pair.append(draw(arrays(shape, elements)))
    return tuple(pair)


def M(array: np.ndarray) -> Matrix:
    """A Matrix with the numbers of an array, through the constructor."""
    return Matrix(*array.shape, array.ravel().tolist())


def A(matrix: Matrix) -> np.ndarray:
    """A copy of a Matrix as an array, through its elements, not its buffer."""
    return np.array(list(matrix.values())).reshape(matrix.shape)


def bits(array: np.ndarray) -> np.ndarray:
    """The bits of the numbers, all NaN alike."""
    array = np.where(np.isnan(array), np.nan, array)
    return np.ascontiguousarray(array).view(np.uint64)


def assert_same(matrix: Matrix | float, expected: np.ndarray | float) -> None:
    """The same shape and bits (NaN equal to NaN, 0.0 not to -0.0)."""
    got = A(matrix) if isinstance(matrix, Matrix) else np.array([[matrix]], dtype=float)
    expected = np.atleast_2d(np.asarray(expected, dtype=float))
    assert got.shape == expected.shape
    assert (bits(got) == bits(expected)).all(), f"{got} is not {expected}"


def quiet(function, *args):
    """Call with numpy's warnings about NaN and infinities off."""
    with np.errstate(all="ignore"):
        return function(*args)
