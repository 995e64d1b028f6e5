"""Products and vectors: @ beside numpy and to the bit where that is promised, vecdot, cross, normalize, angle."""

from __future__ import annotations

import math

import boc._matrix as module
import numpy as np
import pytest
from boc._matrix import Matrix
from hypothesis import given
from hypothesis import strategies as st
from matrix_help import A, M, arrays, assert_same, finite, quiet

ISAS = ["plain", "avx2", "avx512"]
sizes = st.integers(1, 40)
whole = st.integers(-8, 8).map(float)


@pytest.fixture(params=ISAS)
def isa(request):
    best = module._kernels
    if not module._test_use_kernels(request.param):
        pytest.skip(f"this machine does not run {request.param}")
    yield request.param
    module._test_use_kernels(best)


@given(m=sizes, k=sizes, n=sizes, seed=st.integers(0, 1000))
def test_whole_numbers_are_exact(m, k, n, seed):
    """Where no step rounds, any order and any fusing gives numpy's bits."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-9, 9, (m, k)).astype(float), rng.integers(-9, 9, (k, n)).astype(float)
    assert_same(M(a) @ M(b), a @ b + 0.0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (16, 16, 16), (17, 5, 19), (1, 30, 25), (31, 2, 3), (8, 24,
                                   24)])
def test_small_products_round_as_python_does(shape, isa):
    m, k, n = shape
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (m, k)), rng.normal(0, 1, (k, n))
    expected = np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            total = 0.0
            for p in range(k):
                total += float(a[i, p]) * float(b[p, j])
            expected[i, j] = total
    assert_same(M(a) @ M(b), expected)


@pytest.mark.parametrize("shape", [(64, 64, 64), (100, 33, 50), (1, 300, 129), (129, 300, 1), (300, 1, 300),
                                   (130, 600, 130), (97, 257, 1601), (257, 255, 97)])
def test_large_products(shape, isa):
    m, k, n = shape
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (m, k)), rng.normal(0, 1, (k, n))
    assert np.allclose(A(M(a) @ M(b)), a @ b, rtol=1e-11, atol=1e-11)
    a, b = np.rint(a * 9), np.rint(b * 9)
    assert_same(M(a) @ M(b), a @ b + 0.0)


def test_nan_and_infinity_in_products():
    a = np.ones((40, 40))
    a[3, 4], a[7, 8] = math.nan, math.inf
    b = np.eye(40)
    b[0, 0] = 0.0
    got, expected = A(M(a) @ M(b)), quiet(np.matmul, a, b)
    assert np.array_equal(np.isnan(got), np.isnan(expected)) and np.array_equal(got, expected, equal_nan=True)


@given(a=arrays(elements=whole))
def test_sequences_and_views_multiply(a):
    m = M(a)
    assert_same(np.ones(a.shape[0]).tolist() @ m, np.ones((1, a.shape[0])) @ a + 0.0)
    assert_same(m.T @ m, a.T @ a + 0.0)
    assert_same(m.view[0] @ m.T, a[:1] @ a.T + 0.0)
    assert_same(m @ m.view[0].T, a @ a[:1].T + 0.0)
    assert_same(m.view[:, 0].T @ m, a[:, :1].T @ a + 0.0)


def test_in_place_and_errors():
    q = Matrix(2, 2, [1, 2, 3, 4])
    q @= q
    assert_same(q, [[7, 10], [15, 22]])
    with pytest.raises(ValueError, match="2x2 and 3x2"):
        q @ Matrix(3, 2)
    for bad in (2, 2.0, "ab", None):
        with pytest.raises(TypeError):
            q @ bad


@given(a=arrays())
def test_transpose(a):
    m = M(a)
    assert_same(m.T, a.T)
    assert_same(m.transpose(), a.T)
    assert m.transpose(in_place=True) is m
    assert_same(m, a.T)
    assert_same(m.transpose(True), a)


@given(a=arrays(elements=whole), data=st.data(), axis=st.sampled_from([None, 0, 1]))
def test_vecdot(a, data, axis):
    rows, columns = a.shape
    b = data.draw(arrays(data.draw(st.sampled_from([a.shape, (1, columns), (rows, 1)])), whole))
    expected = (a * b).sum(axis) if axis is not None else (a * b).sum()
    for x, y in ((a, b), (b, a)):
        got = M(x).vecdot(M(y), axis)
        assert_same(got, np.reshape(expected + 0.0, (1, -1) if axis in (None, 0) else (-1, 1)))


def test_vecdot_of_vectors_of_either_orientation():
    row, column = Matrix.vector([1, 2, 3]), Matrix.vector([4, 5, 6], as_column=True)
    assert row.vecdot(column) == column.vecdot(row) == row.vecdot([4, 5, 6]) == 32.0
    for bad in (Matrix(2, 1), Matrix(2, 2), Matrix(1, 2)):
        with pytest.raises(ValueError, match="lhs 1x3 incompatible with rhs"):
            row.vecdot(bad)
    with pytest.raises(TypeError):
        row.vecdot(2)


@given(n=st.integers(1, 9), width=st.sampled_from([2, 3]), data=st.data())
def test_cross_of_batches(n, width, data):
    a = data.draw(arrays((n, width), whole))
    for b in (data.draw(arrays((n, width), whole)), data.draw(arrays((1, width), whole))):
        if width == 3 and n == 2:
            continue  # 2x3 is three vectors of two components
        if width == 2:
            expected = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).reshape(-1, 1)
        else:
            expected = np.stack([a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1], a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
                                 a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]], axis=1)
        assert_same(M(a).cross(M(b)), expected)
        if n == 1 or n > 3:
            assert_same(M(a.T).cross(M(b.T)), expected.T)
        elif n == width:
            assert_same(M(a.T).cross(M(b.T), axis=0), expected.T)


def test_cross_refuses():
    for bad in (Matrix(1, 1), Matrix(4, 4), Matrix(1, 4)):
        with pytest.raises(ValueError, match=f"not {bad.rows}x{bad.columns}"):
            bad.cross(bad)
    with pytest.raises(ValueError, match="4x3 incompatible with rhs 3x4"):
        Matrix(4, 3).cross(Matrix(3, 4))
    with pytest.raises(ValueError):
        Matrix(5, 2).cross(Matrix(5, 2), axis=0)


@given(a=arrays(elements=finite), axis=st.sampled_from([None, 0, 1]), in_place=st.booleans())
def test_normalize(a, axis, in_place):
    m = M(a)
    magnitude = A(m.magnitude(axis)) if axis is not None else np.array([[m.magnitude()]])
    expected = np.where(magnitude == 0, np.copysign(0.0, a), quiet(np.divide, a, magnitude))
    got = m.normalize(axis, in_place)
    assert (got is m) == in_place
    assert_same(got, expected)


def assert_angles(got, expected):
    """Within two units in the last place of libm, the same for zeros, infinities and NaN."""
    got = A(got) if isinstance(got, Matrix) else np.array([[got]])
    assert got.shape == expected.shape and (np.isnan(got) == np.isnan(expected)).all()
    fine = ~np.isnan(expected)
    error = np.abs(got - expected)[fine]
    assert (error <= 2 * np.spacing(np.abs(expected[fine]) + 1e-300)).all()
    assert (np.signbit(got[fine]) == np.signbit(expected[fine])).all()


def test_angles_all_around(isa):
    turns = np.linspace(-np.pi, np.pi, 10_001)
    for radius in (1e-140, 1.0, 1e140, 1e200):
        a = np.stack([np.cos(turns), np.sin(turns)], axis=1) * radius
        assert_angles(M(a).angle(), np.arctan2(a[:, 1], a[:, 0]).reshape(-1, 1))
    special = [0.0, -0.0, 1.0, -2.0, math.inf, -math.inf, 5e-324, 1e300, math.nan]
    a = np.array([(x, y) for x in special for y in special])
    assert_angles(M(a).angle(), np.arctan2(a[:, 1], a[:, 0]).reshape(-1, 1))
    assert_same(Matrix(1, 2, [3.0, 4.0]).angle(), math.atan2(4.0, 3.0))


@given(n=st.integers(1, 9), data=st.data(), in_place=st.booleans())
def test_perpendicular_and_angle(n, data, in_place):
    a = data.draw(arrays((n, 2)))
    turned = np.stack([-a[:, 1], a[:, 0]], axis=1)
    angles = np.array([[math.atan2(y, x)] for x, y in a.tolist()])
    assert_angles(M(a).angle(), angles)
    m = M(a)
    got = m.perpendicular(in_place=in_place)
    assert (got is m) == in_place
    assert_same(got, turned)
    if n != 2:
        assert_same(M(a.T).perpendicular(), turned.T)
        assert_angles(M(a.T).angle(), angles.T)
    else:
        assert_same(M(a.T).perpendicular(axis=0), turned.T)
        assert_angles(M(a.T).angle(axis=0), angles.T)


@pytest.mark.parametrize("name", ["perpendicular", "angle"])
def test_2_vectors_are_needed(name):
    for m, axis in ((Matrix(1, 3), None), (Matrix(3, 3), None), (Matrix(5, 2), 0), (Matrix(2, 5), 1)):
        with pytest.raises(ValueError, match=f"{name} requires .* not {m.rows}x{m.columns}"):
            getattr(m, name)(axis)
