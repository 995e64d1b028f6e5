"""New matrices: constructors, sequences, buffers, random numbers, concat, pickles; and what they refuse."""

from __future__ import annotations

import array
import copy
import math
import pickle
import subprocess
import sys

import boc._matrix as module
import numpy as np
import pytest
from boc._matrix import Matrix
from hypothesis import given
from hypothesis import strategies as st
from matrix_help import A, M, arrays, assert_same, numbers


@given(a=arrays())
def test_values(a):
    rows, columns = a.shape
    flat, nested = a.ravel().tolist(), a.tolist()
    for values in (flat, tuple(flat), nested, tuple(map(tuple, nested))):
        assert_same(Matrix(rows, columns, values), a)
    assert_same(Matrix(rows=rows, columns=columns, values=flat), a)


@given(value=numbers)
def test_fills(value):
    assert_same(Matrix(2, 3, value), np.full((2, 3), value))
    assert_same(Matrix.full((2, 3), value), np.full((2, 3), value))


def test_zeros_and_ones():
    assert_same(Matrix(2, 3), np.zeros((2, 3)))
    assert_same(Matrix(2, 3, None), np.zeros((2, 3)))
    assert_same(Matrix.zeros((2, 3)), np.zeros((2, 3)))
    assert_same(Matrix.ones([2, 3]), np.ones((2, 3)))
    assert_same(Matrix(2, 2, range(4)), [[0, 1], [2, 3]])
    assert_same(Matrix(True, 1, True), [[1.0]])


@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (1, 0), (-1, 2), (0, 0)])
def test_there_is_no_empty_matrix(rows, columns):
    for error in (ValueError, AssertionError):
        with pytest.raises(error, match=f"not {rows}x{columns}"):
            Matrix(rows, columns)
        with pytest.raises(error):
            Matrix.zeros((rows, columns))


@pytest.mark.parametrize(("rows", "columns"), [(2**40, 2**40), (2**62, 4), (2**31, 2**31), (2**70, 1), (2**63 - 1, 2)])
def test_overflow(rows, columns):
    for make in (lambda: Matrix(rows, columns), lambda: Matrix.ones((rows, columns))):
        with pytest.raises(OverflowError):
            make()


def test_out_of_memory():
    with pytest.raises(MemoryError):
        Matrix(2**22, 2**22)


@pytest.mark.parametrize("args", [(), (2,), ("a", 1), (1.0, 1), (1, None), (1, 2, 3, 4), ([1], 1), (math.nan, 1)])
def test_bad_dimensions(args):
    with pytest.raises(TypeError):
        Matrix(*args)


@pytest.mark.parametrize("values", [
    [1, 2, 3], [1, 2, 3, 4, 5], [], "abcd", b"abcd", "1", [1, 2, 3, "4"], [1, 2, 3, None], [[1, 2], [3]], [[1, 2], [3,
    4, 5]],
    [[1, 2]], [[1, 2], 3], [[1, 2], "ab"], [[[1], [2]], [[3], [4]]], [1, [2], 3, 4], object(), {}, 1j, [1j] * 4])
def test_bad_values(values):
    with pytest.raises(TypeError):
        Matrix(2, 2, values)


def test_a_number_too_large_for_a_float():
    for values in (10**400, [10**400, 1, 2, 3], [[1, 10**400], [1, 2]]):
        with pytest.raises(OverflowError):
            Matrix(2, 2, values)
    with pytest.raises(OverflowError):
        Matrix(1, 1) + 10**400


@pytest.mark.parametrize("size", [2, (2,), (2, 3, 4), "ab", None, (2.0, 3), ("a", 1), {2, 3}])
def test_bad_sizes(size):
    for make in (Matrix.zeros, Matrix.ones, lambda s: Matrix.full(s, 1), lambda s: Matrix.normal(0, 1, size or "")):
        with pytest.raises(TypeError):
            make(size)


def test_vector():
    assert_same(Matrix.vector([1, 2]), [[1, 2]])
    assert_same(Matrix.vector(range(3), as_column=True), [[0], [1], [2]])
    assert_same(Matrix.vector(x * 0.5 for x in range(3)), [[0, 0.5, 1]])
    assert_same(Matrix.vector(Matrix(2, 2, range(4)).view[:, 1]), [[1, 3]])
    with pytest.raises(ValueError):
        Matrix.vector([])
    for bad in (5, "ab", [[1, 2]], None, Matrix(1, 2), ["a"]):
        with pytest.raises(TypeError):
            Matrix.vector(bad)


@given(data=st.data(), axis=st.sampled_from([0, 1, -1, -2]), common=st.integers(1, 5), count=st.integers(1, 4))
def test_concat(data, axis, common, count):
    along = 0 if axis in (0, -2) else 1
    parts = []
    for _ in range(count):
        n = data.draw(st.integers(1, 4))
        parts.append(data.draw(arrays((n, common) if along == 0 else (common, n))))
    assert_same(Matrix.concat([M(p) for p in parts], axis), np.concatenate(parts, along))


def test_concat_of_other_things():
    m = Matrix(2, 3, range(6))
    assert_same(Matrix.concat([m, [7, 8, 9]]), [[0, 1, 2], [3, 4, 5], [7, 8, 9]])
    assert_same(Matrix.concat((m, (7, 8)), axis=1), [[0, 1, 2, 7], [3, 4, 5, 8]])
    assert_same(Matrix.concat([m.view[1], m]), [[3, 4, 5], [0, 1, 2], [3, 4, 5]])
    assert_same(Matrix.concat(iter([m, m]), 0), np.vstack([A(m)] * 2))
    assert_same(Matrix.concat(m, 1), [[0, 1, 2, 3, 4, 5]])
    assert Matrix.concat([]) is None
    for error in (ValueError, AssertionError):
        with pytest.raises(error, match="part 1 is 2x1 and part 0 is 2x3"):
            Matrix.concat([m, Matrix(2, 1)])
    for bad in (5, [m, 5], [m, "abc"], None, [m, ["a", 1, 2]]):
        with pytest.raises(TypeError):
            Matrix.concat(bad)
    with pytest.raises(KeyError):
        Matrix.concat([m], axis=2)


def test_from_buffer():
    flat = array.array("d", [1, 2, 3, 4])
    assert_same(Matrix.from_buffer(flat), [[1, 2, 3, 4]])
    assert_same(Matrix.from_buffer(memoryview(flat)[::2]), [[1, 3]])
    assert_same(Matrix.from_buffer(np.arange(6.0).reshape(2, 3).T), np.arange(6.0).reshape(2, 3).T)
    read_only = np.arange(3.0)
    read_only.flags.writeable = False
    assert_same(Matrix.from_buffer(read_only), [[0, 1, 2]])
    assert_same(Matrix.from_buffer(Matrix(2, 1, [1, 2])), [[1], [2]])


@pytest.mark.parametrize(("make", "error"), [
    (lambda: np.arange(3), TypeError), (lambda: np.arange(3, dtype="f4"), TypeError), (lambda: b"12345678", TypeError),
    (lambda: np.arange(3.0).astype(">f8"), TypeError), (lambda: np.zeros((2, 2, 2)), ValueError),
    (lambda: np.zeros((0, 3)), ValueError), (lambda: np.zeros(()), ValueError), (lambda: [1.0, 2.0], TypeError),
    (lambda: "text", TypeError), (lambda: None, TypeError), (lambda: np.array([1j]), TypeError)])
def test_bad_buffers(make, error):
    with pytest.raises(error):
        Matrix.from_buffer(make())


@given(a=arrays())
def test_copies_and_pickles(a):
    m = M(a)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert_same(pickle.loads(pickle.dumps(m, protocol)), a)
    for other in (m.copy(), copy.copy(m), copy.deepcopy(m)):
        assert other is not m
        other[0, 0] = 77.0
        assert_same(m, a)


def test_bad_pickles():
    restore, (rows, columns, numbers_) = Matrix(2, 2, 1).__reduce__()
    assert (rows, columns, len(numbers_)) == (2, 2, 32)
    for args, error in (((2, 2, b""), ValueError), ((0, 2, b""), ValueError), ((2**62, 2, b""), OverflowError),
                        (("a", 2, b""), TypeError), ((2, 2, "text"), TypeError), ((2, 2), TypeError)):
        with pytest.raises(error):
            restore(*args)
    with pytest.raises(ValueError):
        Matrix.__new__(Matrix).__reduce__()


def test_random_numbers():
    Matrix.seed(7)
    first = Matrix.normal(2.0, 3.0, (200, 200)), Matrix.uniform(-1, 5, (200, 200)), Matrix.uniform(), Matrix.normal()
    Matrix.seed(7)
    again = Matrix.normal(2.0, 3.0, (200, 200)), Matrix.uniform(-1, 5, (200, 200)), Matrix.uniform(), Matrix.normal()
    assert all(x == y for x, y in zip(first, again, strict=True))
    normal, uniform = A(first[0]), A(first[1])
    assert abs(normal.mean() - 2.0) < 0.1 and abs(normal.std() - 3.0) < 0.1
    assert uniform.min() >= -1 and uniform.max() < 5 and abs(uniform.mean() - 2.0) < 0.1
    kurtosis = (((normal - normal.mean()) / normal.std()) ** 4).mean()
    assert abs(kurtosis - 3.0) < 0.2
    assert isinstance(Matrix.normal(), float) and isinstance(Matrix.uniform(1, 2), float)
    assert Matrix.uniform(minval=3, maxval=3) == Matrix.uniform(min=3, max=3) == 3.0
    assert Matrix.normal(size=(2, 3)).shape == (2, 3)
    Matrix.seed(8)
    assert Matrix.uniform() != first[2]


def test_bad_random_arguments():
    for bad in ("a", None, 1.5):
        with pytest.raises(TypeError):
            Matrix.seed(bad)
    with pytest.raises(TypeError):
        Matrix.seed()
    with pytest.raises(TypeError):
        Matrix.uniform("a")
    with pytest.raises(TypeError):
        Matrix.uniform(0, minval=1)
    for value in (-1, 2**70):
        Matrix.seed(value)


def test_draws_of_every_instruction_set_are_the_same():
    draws, best = set(), module._kernels
    try:
        for isa in ("plain", "avx2", "avx512"):
            if module._test_use_kernels(isa):
                Matrix.seed(5)
                draws.add(tuple(A(Matrix.uniform(-1, 3, size)).tobytes() for size in ((1, 1), (1, 63), (8, 8), (97, 7))))
    finally:
        module._test_use_kernels(best)
    assert len(draws) == 1
    numbers = np.frombuffer(draws.pop()[-1])
    assert len(set(numbers)) == 679 and -1 <= numbers.min() < -0.9 and 2.9 < numbers.max() < 3


def test_uniform_over_a_range_that_overflows():
    numbers = A(Matrix.uniform(-1e308, 1.5e308, (30, 30)))
    assert (numbers >= -1e308).all() and (numbers < 1.5e308).all() and numbers.min() < -9e307 and numbers.max() > 1e308
    assert all(-1e308 <= Matrix.uniform(-1e308, 1.5e308) < 1.5e308 for _ in range(100))


def test_seeded_apart_without_a_seed():
    program = "from boc._matrix import Matrix; print(Matrix.uniform())"
    draws = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
             for _ in range(2)}
    assert len(draws) == 2


@pytest.mark.parametrize("call", [
    lambda m: m.sum(axis=0, axes=1), lambda m: m.sum(0, axis=0), lambda m: m.sum(0, None, 1), lambda m: m.add(),
    lambda m: m.add(other=1), lambda m: m.sqrt(True), lambda m: m.copy(1), lambda m: m.fma(1), lambda m: m.fma(b=1,
    c=2),
    lambda m: m.clip("a"), lambda m: m.clip(None, "b"), lambda m: m.bin(2.0), lambda m: m.bin("a"),
    lambda m: m.sum("a"),
    lambda m: m.sum(1.0), lambda m: m.sum(True), lambda m: m.sum(where=[1]), lambda m: m.sqrt(out=[1]),
    lambda m: m.topk(2.0), lambda m: m.topk("a"), lambda m: m.digitize(5), lambda m: m.digitize(["a"]),
    lambda m: m.scaled_add("a", m), lambda m: m.scaled_add(2, 3), lambda m: m.fma([1], 2), lambda m: m.fma(2, "c"),
    lambda m: m + "a", lambda m: m + None, lambda m: m + 1j, lambda m: m - [[1], [2]], lambda m: m.less("a"),
    lambda m: m < "a", lambda m: m**2, lambda m: m // 2, lambda m: m % 2, lambda m: ~m, lambda m: +m, hash,
    lambda m: Matrix.where(1, 2, 3), lambda m: Matrix.where(m, "a", 3), lambda m: Matrix.allclose(m, 1),
    lambda m: m.cross(5), lambda m: m.row_view("a"), lambda m: m.row_view(0, [0]), lambda m: m.row_views(True),
    lambda m: setattr(m, "rows", 3), lambda m: setattr(m, "foo", 3), lambda m: setattr(m, "x", "a"),
    lambda m: delattr(m, "x"), lambda m: Matrix.from_view(m), lambda m: m.add(m, out=1), lambda m: float(m)])
def test_type_errors(call):
    m = Matrix(2, 3, range(6))
    with pytest.raises((TypeError, AttributeError)):
        call(m)
    assert_same(m, np.arange(6).reshape(2, 3))


SHAPES = r"2x3.*2x2|2x2.*2x3"


@pytest.mark.parametrize("call", [
    lambda m, q: m + q, lambda m, q: m.subtract(q), lambda m, q: m.less(q), lambda m, q: m < q, lambda m, q: m @ m[:,
    :2],
    lambda m, q: m.fma(q, 1), lambda m, q: m.fma(1, q), lambda m, q: m.scaled_add(1, q), lambda m, q: m.scaled_add(q,
    m),
    lambda m, q: m.add(m, out=q), lambda m, q: m.sqrt(out=q), lambda m, q: m.clip(0, 1, out=q), lambda m, q: m.bin(2,
    out=q),
    lambda m, q: m.sum(where=q), lambda m, q: m.vecdot(q), lambda m, q: m.cross(q), lambda m, q: Matrix.where(m, q, 0),
    lambda m, q: Matrix.where(m, m, 0, out=q), lambda m, q: m.__iadd__(q), lambda m, q: Matrix.concat([m, q])])
def test_shape_errors_name_both(call):
    m = Matrix(2, 3, range(6))
    with pytest.raises(ValueError, match=SHAPES):
        call(m, Matrix(2, 2, 5))
    assert_same(m, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(("call", "error"), [
    (lambda m: m.sum(2), ValueError), (lambda m: m.sum(-3), ValueError), (lambda m: m.sum(2**40), OverflowError),
    (lambda m: m.bin(0), ValueError), (lambda m: m.bin(2, bounds=(4, 1)), ValueError),
    (lambda m: m.bin(2, bounds=(1, math.inf)), ValueError), (lambda m: m.bin(2, bounds=(1, math.nan)), ValueError),
    (lambda m: m.bin(2, bounds=(1, 2, 3)), ValueError), (lambda m: m.bin(2, bounds=5), TypeError),
    (lambda m: m.bin(2, bounds=("a", 1)), TypeError), (lambda m: m.bin(10**30), OverflowError),
    (lambda m: m.digitize([]), ValueError), (lambda m: m.digitize([2, 1]), ValueError),
    (lambda m: m.digitize([1, math.nan]), ValueError), (lambda m: m.digitize(Matrix(2, 2)), ValueError),
    (lambda m: m.topk(0), ValueError), (lambda m: m.topk(7), ValueError), (lambda m: m.topk(3, 0), ValueError),
    (lambda m: m - [], ValueError), (lambda m: m < [], ValueError), (lambda m: m.row_view(2), IndexError),
    (lambda m: Matrix(1, 3).w, IndexError), (lambda m: setattr(Matrix(1, 1), "y", 1), IndexError)])
def test_value_errors(call, error):
    with pytest.raises(error):
        call(Matrix(2, 3, range(6)))


def test_bins_of_odd_ranges():
    assert_same(Matrix(1, 3, 5.0).bin(3), [[0, 0, 0]])
    assert_same(Matrix(1, 3, [math.nan] * 3).bin(3), [[-1, -1, -1]])
    assert_same(Matrix(1, 3, [1, math.inf, 2]).bin(3), [[0, 0, 0]])
    assert_same(Matrix(1, 3, [-1.7e308, 0.0, 1.7e308]).bin(2), [[0, 1, 1]])
    assert_same(Matrix(1, 7, range(7)).bin(3, right=True), [[0, 0, 0, 1, 1, 2, 2]])
