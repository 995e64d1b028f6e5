"""Element-wise operations of Matrix are those of numpy, bit for bit, for every pair of shapes and every alias."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import boc._matrix as module
import numpy as np
import pytest
from boc._matrix import Matrix
from hypothesis import given
from hypothesis import strategies as st
from matrix_help import SPECIAL, A, M, arrays, assert_same, bits, broadcast_pairs, finite, numbers, quiet

ARITHMETIC = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}
MASKS = {"less": np.less, "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
         "equal": np.equal, "not_equal": np.not_equal}
BINARY = ARITHMETIC | MASKS
IN_PLACE = {"add": operator.iadd, "subtract": operator.isub, "multiply": operator.imul, "divide": operator.itruediv}
UNARY = {"ceil": np.ceil, "floor": np.floor, "round": np.rint, "negate": np.negative, "abs": np.abs,
         "sqrt": np.sqrt, "reciprocal": lambda a: 1.0 / a, "sign": lambda a: np.nan_to_num(np.sign(a), nan=0.0) + 0.0}


@pytest.mark.parametrize("name", BINARY)
@given(pair=broadcast_pairs())
def test_binary_methods(name, pair):
    a, b = pair
    assert_same(getattr(M(a), name)(M(b)), quiet(BINARY[name], a, b).astype(float))


@pytest.mark.parametrize("name", ARITHMETIC)
@given(pair=broadcast_pairs())
def test_operators(name, pair):
    a, b = pair
    assert_same(ARITHMETIC[name](M(a), M(b)), quiet(ARITHMETIC[name], a, b))


@pytest.mark.parametrize("name", ARITHMETIC)
@given(a=arrays(), b=numbers)
def test_numbers_on_either_side(name, a, b):
    assert_same(ARITHMETIC[name](M(a), b), quiet(ARITHMETIC[name], a, b))
    assert_same(ARITHMETIC[name](b, M(a)), quiet(ARITHMETIC[name], b, a))


@pytest.mark.parametrize("name", ARITHMETIC)
@given(a=arrays(), seed=st.integers(0, 100))
def test_sequences_are_rows(name, a, seed):
    row = np.random.default_rng(seed).integers(-3, 4, a.shape[1]).tolist()
    for sequence in (row, tuple(row), range(a.shape[1])):
        row = list(sequence)
        assert_same(ARITHMETIC[name](M(a), sequence), quiet(ARITHMETIC[name], a, np.array(row, dtype=float)))
        assert_same(ARITHMETIC[name](sequence, M(a)), quiet(ARITHMETIC[name], np.array(row, dtype=float), a))


@pytest.mark.parametrize("name", BINARY)
@given(pair=broadcast_pairs(), alias=st.sampled_from(["new", "left", "right"]))
def test_out(name, pair, alias):
    a, b = pair
    expected = quiet(BINARY[name], a, b).astype(float)
    left, right = M(a), M(b)
    out = {"new": Matrix(*expected.shape), "left": left, "right": right}[alias]
    if out.shape != expected.shape:
        before = A(out)
        with pytest.raises(ValueError, match="does not match result"):
            getattr(left, name)(right, out=out)
        assert_same(out, before)
    else:
        assert getattr(left, name)(right, out=out) is out
        assert_same(out, expected)


@pytest.mark.parametrize("name", IN_PLACE)
@given(pair=broadcast_pairs())
def test_in_place_operators(name, pair):
    a, b = pair
    expected = quiet(ARITHMETIC[name], a, b)
    left = kept = M(a)
    if expected.shape != a.shape:
        with pytest.raises(ValueError, match="in-place"):
            IN_PLACE[name](left, M(b))
        assert_same(kept, a)
    else:
        left = IN_PLACE[name](left, M(b))
        assert left is kept
        assert_same(left, expected)


@pytest.mark.parametrize("name", BINARY)
@given(a=arrays())
def test_an_operand_with_itself(name, a):
    m = M(a)
    assert_same(getattr(m, name)(m), quiet(BINARY[name], a, a).astype(float))
    assert getattr(m, name)(m, out=m) is m
    assert_same(m, quiet(BINARY[name], a, a).astype(float))


@pytest.mark.parametrize("name", BINARY)
@given(a=arrays(elements=finite))
def test_out_that_a_view_looks_into(name, a):
    """A row of the output is broadcast over it: every row must see the old numbers."""
    for line, other in ((lambda m: m.view[0], a[:1]), (lambda m: m.view[:, -1], a[:, -1:])):
        m = M(a)
        getattr(m, name)(line(m), out=m)
        assert_same(m, quiet(BINARY[name], a, other).astype(float))


@pytest.mark.parametrize("name", UNARY)
@given(a=arrays())
def test_unary(name, a):
    expected = quiet(UNARY[name], a)
    m, out = M(a), Matrix(*a.shape, 7.0)
    assert_same(getattr(m, name)(), expected)
    assert getattr(m, name)(out=out) is out
    assert_same(out, expected)
    assert_same(m, a)
    assert getattr(m, name)(out=m) is m
    assert_same(m, expected)
    m = M(a)
    assert getattr(m, name)(in_place=True) is m
    assert_same(m, expected)
    with pytest.raises(ValueError, match="mutually exclusive"):
        getattr(m, name)(in_place=True, out=out)


@given(a=arrays())
def test_unary_operators(a):
    assert_same(-M(a), -a)
    assert_same(abs(M(a)), np.abs(a))


@pytest.mark.parametrize("name", ["sin", "cos"])
@given(a=arrays(elements=st.floats(-1e9, 1e9) | st.sampled_from(SPECIAL)))
def test_circle(name, a):
    got, expected = A(getattr(M(a), name)()), quiet(getattr(np, name), a)
    assert (np.isnan(got) == np.isnan(expected)).all()
    fine = ~np.isnan(expected)
    error = np.abs(got - expected)[fine] / np.spacing(np.abs(expected[fine]) + 1e-300)
    assert (error <= 2).all(), "more than two units in the last place from numpy"
    if name == "sin":
        assert (np.signbit(got[a == 0]) == np.signbit(a[a == 0])).all()


@given(a=arrays(), low=st.none() | numbers, high=st.none() | numbers)
def test_clip(a, low, high):
    if low is None and high is None:
        with pytest.raises(ValueError):
            M(a).clip(low, high)
        return
    if low is not None and high is not None and high < low:
        with pytest.raises(ValueError):
            M(a).clip(low, high)
        with pytest.raises(AssertionError):
            M(a).clip(min=low, max=high)
        return
    expected = a.copy()
    if low is not None:
        expected = np.where(expected < low, low, expected)
    if high is not None:
        expected = np.where(expected > high, high, expected)
    assert_same(M(a).clip(low, high), expected)


def exact_fma(x, y, z):
    """One rounding, by exact arithmetic where all is finite."""
    if not all(map(math.isfinite, (x, y, z))):
        return quiet(lambda: np.float64(x) * y + z)
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    return float(exact) if exact else x * y + z


@given(a=arrays(elements=finite), data=st.data(), in_place=st.booleans())
def test_fma_and_scaled_add(a, data, in_place):
    shape = data.draw(st.sampled_from([a.shape, (1, a.shape[1]), (a.shape[0], 1), (1, 1)]))
    b = data.draw(arrays(shape, finite))
    c = data.draw(arrays(data.draw(st.sampled_from([a.shape, (1, a.shape[1]), (1, 1)])), finite))
    expected = np.vectorize(exact_fma, otypes=[float])(*np.broadcast_arrays(a, b, c))
    m = M(a)
    got = m.fma(M(b), M(c), in_place)
    assert (got is m) == in_place
    assert_same(got, expected)
    x = data.draw(arrays(a.shape, finite))
    assert_same(M(a).scaled_add(M(b), M(x)), a + b * x)
    number = data.draw(finite)
    assert_same(M(a).scaled_add(number, M(x), in_place), a + number * x)
    assert_same(M(a).fma(number, M(x)), np.vectorize(exact_fma, otypes=[float])(a, number, x))


@given(a=arrays())
def test_fma_of_one_matrix(a):
    m = M(a)
    m.scaled_add(m, m, in_place=True)
    assert_same(m, quiet(lambda: a + a * a))


@given(a=arrays(), bins=st.integers(1, 9), right=st.booleans())
def test_bin(a, bins, right):
    low, high = -2.0, 3.0
    got = A(M(a).bin(bins, bounds=(low, high), right=right))
    scaled = quiet(lambda: (a - low) * (bins / (high - low)))
    inside = np.ceil(scaled) - 1 if right else np.floor(scaled)
    expected = np.clip(inside, 0, bins - 1)
    expected[a >= high], expected[a <= low], expected[np.isnan(a)] = bins - 1, 0, -1
    assert (got == expected).all()


@given(a=arrays(), edges=st.lists(st.floats(-5, 5), min_size=1, max_size=20, unique=True), right=st.booleans())
def test_digitize(a, edges, right):
    edges.sort()
    got = A(M(a).digitize(edges, right=right))
    expected = np.digitize(a, edges, right=right).astype(float)
    expected[np.isnan(a)] = -1
    assert (got == expected).all()
    assert_same(M(a).digitize(Matrix.vector(edges, True), right=right), got)


@given(a=arrays(), b=numbers, right=st.booleans())
def test_digitize_into_its_own_edges(a, b, right):
    edges = Matrix(1, 3, [1.0, 2.0, 3.0])
    values = Matrix(1, 3, [b, 2.0, 9.0])
    expected = A(values.digitize(edges, right=right))
    assert values.digitize(edges, right=right, out=edges) is edges
    assert_same(edges, expected)


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (1, 100), (100, 1), (1000, 3), (37, 41)])
def test_every_instruction_set_gives_the_same_bits(shape):
    rng = np.random.default_rng(3)
    a, b, c = (rng.normal(0, 1e3, shape) for _ in range(3))
    a.ravel()[:: 7] = np.resize(SPECIAL, a.ravel()[:: 7].shape)
    results: dict[str, list[bytes]] = {}
    best = module._kernels
    try:
        for isa in ("plain", "avx2", "avx512"):
            if not module._test_use_kernels(isa):
                continue
            x, y, z = M(a), M(b), M(c)
            r, s = y[0] if shape[1] > 1 else y, M(np.ascontiguousarray(b[:, :1]))
            all_of = [getattr(x, n)(y) for n in BINARY] + [getattr(x, n)() for n in (*UNARY, "sin", "cos")]
            all_of += [x.fma(y, z), x.scaled_add(y, z), x + r, x * s, x.clip(-1, 1), x.bin(5, bounds=(-9, 9))]
            all_of += [y.sum(0), y.sum(1), y.mean(0), y.magnitude(1), y.min(0), y.max(1), y.normalize(1)]
            all_of += [Matrix(1, 1, v) for v in (y.sum(), y.mean(), y.magnitude(), y.vecdot(z), y.min(), y.max())]
            all_of += [Matrix.concat([y.T, z.T], 1).angle()] if shape == (1, 100) else []
            results[isa] = [bits(A(m)).tobytes() for m in all_of]
    finally:
        module._test_use_kernels(best)
    assert len(results) >= 1 and all(r == results["plain"] for r in results.values())


@given(a=arrays())
def test_where(a):
    mask = quiet(np.greater, a, 0.5).astype(float)
    mask[np.isnan(a)] = np.nan
    for x, y in ((a, -a), (a, 7.0), (7.0, a), (1.0, 2.0)):
        expected = np.where(mask != 0, x, y)
        args = [M(v) if isinstance(v, np.ndarray) else v for v in (x, y)]
        assert_same(Matrix.where(M(mask), *args), expected)
        for alias in ("mask", 0, 1):
            kept = [M(v) if isinstance(v, np.ndarray) else v for v in (x, y)]
            m = M(mask)
            out = m if alias == "mask" else kept[alias]
            if isinstance(out, Matrix):
                assert Matrix.where(m, *kept, out=out) is out
                assert_same(out, expected)
