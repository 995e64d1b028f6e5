"""Reductions of Matrix: the documented order to the bit, numpy's numbers within rounding, masks, NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
from boc._matrix import Matrix
from hypothesis import given
from hypothesis import strategies as st
from matrix_help import A, M, arrays, assert_same, bits, finite, quiet

AXES = st.sampled_from([None, 0, 1, -1, -2])


def pairs(parts):
    """Partial results folded k with k + half."""
    parts = list(parts)
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [parts[k] + parts[k + half] for k in range(half)]
    return parts[0]


def ordered_sum(terms):
    """The sum in the order that the documentation states."""
    if len(terms) < 32:
        total = 0.0
        for t in terms:
            total += t
        return total
    total = None
    for start in range(0, len(terms), 4096):
        block = terms[start:start + 4096]
        parts = [0.0] * 32
        for i, t in enumerate(block):
            parts[i % 32] += t
        total = pairs(parts) if total is None else total + pairs(parts)
    return total


def ordered_columns(terms):
    """The sums of columns in the order that the documentation states; terms is an array."""
    rows, columns = terms.shape
    if columns < 16 and rows > 8:
        parts = np.zeros((8, columns))
        for i in range(rows):
            parts[i % 8] += terms[i]
        return pairs(parts)
    total = np.zeros(columns)
    for row in terms:
        total = total + row
    return total


@pytest.mark.parametrize("shape", [(1, 1), (1, 31), (1, 32), (1, 33), (1, 100), (3, 4095), (2, 4097), (1, 9000),
                                   (9, 3), (100, 3), (7, 15), (100, 15), (100, 16), (64, 64), (1000, 2), (41, 4),
                                   (1, 262_144), (3, 87_400)])
def test_the_order_of_sums(shape):
    a = np.random.default_rng(5).normal(0, 1, shape) * 10.0 ** np.random.default_rng(6).integers(-9, 9, shape)
    b = np.random.default_rng(7).normal(0, 1, shape)
    m = M(a)
    for terms, name, args in ((a, "sum", ()), (a * a, "magnitude_squared", ()), (a * b, "vecdot", (M(b),))):
        method = getattr(m, name)
        assert method(*args) == ordered_sum(terms.ravel().tolist())
        assert_same(method(*args, axis=0), ordered_columns(terms))
        assert_same(method(*args, axis=1), np.array([[ordered_sum(r)] for r in terms.tolist()]))


@given(a=arrays(elements=finite), axis=AXES)
def test_numpy_within_rounding(a, axis):
    m = M(a)
    for name, function in (("sum", np.sum), ("mean", np.mean), ("magnitude_squared", lambda x, axis: np.sum(x * x,
                           axis)),
                           ("magnitude", lambda x, axis: np.sqrt(np.sum(x * x, axis)))):
        got, expected = getattr(m, name)(axis), function(a, axis=axis)
        if axis is None:
            assert isinstance(got, float)
        else:
            assert got.shape == ((1, a.shape[1]) if axis in (0, -2) else (a.shape[0], 1))
            got = A(got).ravel()
        assert np.allclose(got, expected, rtol=1e-12, atol=1e-6)
    assert m.length == m.magnitude()


def first_skipping_nan(values, better):
    """Index of the extreme: NaN is skipped unless it comes first."""
    best = 0
    for i, v in enumerate(values):
        if better(v, values[best]):
            best = i
    return best


def groups(a, axis):
    if axis is None:
        return [a.ravel()]
    return list(a.T) if axis in (0, -2) else list(a)


@pytest.mark.parametrize("name", ["min", "max"])
@given(a=arrays(), axis=AXES)
def test_extremes(name, a, axis):
    better = (lambda x, y: x < y) if name == "min" else (lambda x, y: x > y)
    where = [first_skipping_nan(g, better) for g in groups(a, axis)]
    values = np.array([g[i] for g, i in zip(groups(a, axis), where, strict=True)])
    got, arg = getattr(M(a), name)(axis), getattr(M(a), "arg" + name)(axis)
    if axis is None:
        assert got == values[0] or (math.isnan(got) and math.isnan(values[0]))
        assert arg == where[0] and isinstance(arg, int)
        return
    assert np.array_equal(A(got).ravel(), values, equal_nan=True)
    assert arg == where and all(isinstance(i, int) for i in arg)
    as_matrix = getattr(M(a), "arg" + name)(axis, as_matrix=True)
    assert as_matrix.shape == got.shape and A(as_matrix).ravel().tolist() == where


@given(a=arrays(elements=finite | st.just(math.nan)), data=st.data(), axis=AXES)
def test_masks(a, data, axis):
    mask = data.draw(arrays(a.shape, st.sampled_from([0.0, -0.0, 1.0, math.nan, 0.0, 3.0])))
    m, where = M(a), M(mask)
    chosen = [g[k != 0] for g, k in zip(groups(a, axis), groups(mask, axis), strict=True)]
    places = [np.flatnonzero(k != 0) for k in groups(mask, axis)]
    for name, function in (("sum", np.sum), ("magnitude_squared", lambda v: np.sum(v * v)),
                           ("mean", lambda v: np.sum(v) / len(v) if len(v) else math.nan)):
        got = getattr(m, name)(axis, where)
        got = [got] if axis is None else A(got).ravel()
        assert np.allclose(got, [function(v) for v in chosen], rtol=1e-12, atol=1e-6, equal_nan=True)
    for name, better in (("min", lambda x, y: x < y), ("max", lambda x, y: x > y)):
        best = [first_skipping_nan(v, better) if len(v) else None for v in chosen]
        got = getattr(m, name)(axis, where=where)
        got = [got] if axis is None else A(got).ravel()
        expected = [math.nan if b is None else v[b] for v, b in zip(chosen, best, strict=True)]
        assert np.array_equal(got, expected, equal_nan=True)
        arg = getattr(m, "arg" + name)(axis, where)
        expected = [-1 if b is None else p[b] for p, b in zip(places, best, strict=True)]
        assert ([arg] if axis is None else arg) == expected


def test_a_mask_that_leaves_nothing():
    m, none = Matrix(2, 3, 5.0), Matrix(2, 3)
    assert m.sum(where=none) == 0.0 and m.magnitude(where=none) == 0.0
    assert all(math.isnan(getattr(m, n)(where=none)) for n in ("mean", "min", "max"))
    assert m.argmin(where=none) == -1 and m.argmax(1, none) == [-1, -1]
    assert_same(m.argmin(0, none, as_matrix=True), [[-1.0, -1.0, -1.0]])
    values, places = m.topk(2, where=none)
    assert_same(values, [[math.nan, math.nan]])
    assert places == [-1, -1]


@given(a=arrays(), data=st.data(), axis=AXES, largest=st.booleans(), masked=st.booleans())
def test_topk(a, data, axis, largest, masked):
    mask = data.draw(arrays(a.shape, st.sampled_from([0.0, 1.0]))) if masked else np.ones(a.shape)
    length = len(groups(a, axis)[0])
    k = data.draw(st.integers(1, length))
    values, indices = M(a).topk(k, axis, largest, M(mask) if masked else None)
    rows = []
    for g, keep in zip(groups(a, axis), groups(mask, axis), strict=True):
        order = sorted((i for i in range(length) if keep[i]),
                       key=lambda i, g=g: (math.isnan(g[i]), 0 if math.isnan(g[i]) else -g[i] if largest else g[i], i))
        order = order[:k]
        rows.append(([g[i] for i in order] + [math.nan] * (k - len(order)), order + [-1] * (k - len(order))))
    got = A(values).T if axis in (0, -2) else A(values)
    assert (bits(got) == bits(np.array([r[0] for r in rows]))).all()
    assert indices == (rows[0][1] if axis is None else [r[1] for r in rows])
    as_matrix = M(a).topk(k, axis, largest, M(mask) if masked else None, as_matrix=True)[1]
    assert as_matrix.shape == values.shape
    assert (A(as_matrix).T if axis in (0, -2) else A(as_matrix)).tolist() == [r[1] for r in rows]


def test_long_runs():
    rng = np.random.default_rng(11)
    a = rng.normal(0, 1, (3, 100_003))
    m = M(a)
    assert m.argmin() == int(a.argmin()) and m.argmax(1) == a.argmax(1).tolist()
    assert m.argmax(0) == a.argmax(0).tolist() and m.min() == a.min()
    assert math.isclose(m.sum(), math.fsum(a.ravel()), rel_tol=1e-12, abs_tol=1e-9)
    assert m.topk(5)[1] == np.argsort(-a.ravel(), kind="stable")[:5].tolist()
    a[0, 0] = math.nan
    assert math.isnan(M(a).min()) and M(a).argmax() == 0
    a[0, :2] = 0.0, math.nan
    assert M(a).max() == np.nanmax(a)


def test_infinities_and_zeros():
    m = Matrix(1, 4, [math.inf, 1.0, -math.inf, 2.0])
    assert math.isnan(m.sum()) and m.max() == math.inf and m.min() == -math.inf
    assert Matrix(1, 2, [1e200, 1e200]).magnitude() == math.inf
    assert math.copysign(1.0, Matrix(1, 1, -0.0).sum()) == 1.0
    assert quiet(lambda: Matrix(1, 1, -0.0).min()) == 0.0


@pytest.mark.parametrize("size", [1, 31, 32, 33, 4095, 4096, 4097, 4127, 4128, 8192, 8200, 3 * 4096 + 32])
def test_a_masked_sum_has_the_order_of_a_sum(size):
    """The bits of the sum of a matrix with zeros in place of what the mask leaves out."""
    rng = np.random.default_rng(size)
    m, mask = M(rng.normal(0, 1e3, (1, size))), M((rng.random((1, size)) < 0.5).astype(float))
    zeroed = Matrix.where(mask, m, 0.0)
    assert m.sum(where=mask) == zeroed.sum() and m.magnitude(where=mask) == zeroed.magnitude()
    assert m.magnitude_squared(None, mask) == zeroed.magnitude_squared()
    count = mask.sum()
    assert m.mean(where=mask) == zeroed.sum() / count if count else math.isnan(m.mean(where=mask))
    assert m.sum(where=Matrix(1, size)) == 0.0 and math.isnan(m.mean(where=Matrix(1, size)))
