"""Operations on many elements: strips and what is left of one, outputs that go past the caches, and large blocks that
are used again."""

from __future__ import annotations

import resource
import threading

import boc._matrix as module
import numpy as np
import pytest
from boc._matrix import Matrix
from matrix_help import SPECIAL, bits, quiet

# around a strip of 64 elements, those that are looked ahead, and the length from which outputs are streamed
LENGTHS = [63, 64, 65, 127, 128, 129, 191, 192, 193, 255, 400, (1 << 20) - 1, (1 << 20) + 77]
BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "less": np.less,
          "greater_equal": np.greater_equal, "not_equal": np.not_equal}
UNARY = {"ceil": np.ceil, "round": np.rint, "negate": np.negative, "abs": np.abs, "sqrt": np.sqrt}


@pytest.fixture(params=["plain", "avx2", "avx512"])
def isa(request):
    best = module._kernels
    if not module._test_use_kernels(request.param):
        pytest.skip("not on this machine")
    yield request.param
    module._test_use_kernels(best)


def M(array: np.ndarray) -> Matrix:
    return Matrix.from_buffer(np.ascontiguousarray(array))


def assert_same(matrix: Matrix, expected: np.ndarray) -> None:
    assert matrix.shape == expected.shape
    assert (bits(np.asarray(matrix)) == bits(expected)).all()


def numbers(length: int, seed: int) -> np.ndarray:
    """Random numbers of many sizes, with every special one among them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(1, length)) * 10.0 ** rng.integers(-3, 4, (1, length))
    values[0, rng.integers(0, length, 2 * len(SPECIAL))] = SPECIAL * 2
    return values


@pytest.mark.parametrize("length", LENGTHS)
def test_every_length(isa, length):
    a, b, c = numbers(length, 1), numbers(length, 2), numbers(length, 3)
    for name, expected in BINARY.items():
        wanted = quiet(expected, a, b).astype(float)
        assert_same(getattr(M(a), name)(M(b)), wanted)
        assert_same(getattr(M(a), name)(0.5), quiet(expected, a, 0.5).astype(float))
        for out in (M(c), x := M(a), y := M(b)):
            left, right = (out, M(b)) if out is x else (M(a), out) if out is y else (M(a), M(b))
            assert getattr(left, name)(right, out=out) is out
            assert_same(out, wanted)
    assert_same(0.5 - M(a), quiet(np.subtract, 0.5, a))
    for name, expected in UNARY.items():
        assert_same(getattr(M(a), name)(), quiet(expected, a))
        assert_same(getattr(M(a), name)(in_place=True), quiet(expected, a))
    assert_same(M(a).scaled_add(0.5, M(b)), quiet(lambda: a + 0.5 * b))
    assert_same(M(a).scaled_add(M(c), M(b), in_place=True), quiet(lambda: a + c * b))
    assert_same(Matrix.where(M(a).less(0.0), M(b), M(c)), np.where(quiet(np.less, a, 0.0), b, c))
    assert_same(M(a).copy(), a)
    a[0, 0] = 0.5
    assert (M(a).min(), M(a).max()) == (np.nanmin(a), np.nanmax(a))
    a[0, 0] = np.nan
    assert np.isnan(M(a).min()) and np.isnan(M(a).max())
    assert_same(Matrix.full((1, length), -0.0), np.full((1, length), -0.0))
    assert_same(Matrix.zeros((length, 1)), np.zeros((length, 1)))


def test_copies_to_any_place():
    a = numbers((1 << 20) + 77, 4)
    for before in (1, 8):
        head = numbers(before, 5) if before > 1 else np.array([[7.0]])
        assert_same(Matrix.concat([M(head), M(a)], axis=1), np.concatenate([head, a], axis=1))
        assert_same(Matrix.concat([M(head.T), M(a.T)]), np.concatenate([head.T, a.T]))


def faults() -> int:
    """Pages that the system gave to this thread."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


@pytest.mark.skipif(not hasattr(resource, "RUSAGE_THREAD"), reason="counts faults of a thread")
@pytest.mark.parametrize("shape", [(300, 1001), (1_000_000, 1), (1_000_000, 3)])
def test_temporaries_of_a_loop_use_the_same_memory(shape):
    """A page that comes from the system each time costs more than the arithmetic, and a heap that creeps is a leak."""
    counts = []

    def loop() -> None:
        a, b = Matrix.uniform(0.0, 1.0, shape), Matrix.uniform(0.0, 1.0, shape)
        for i in range(24):
            if i == 4:
                counts.append(faults())
            c = (a + b) * (a - b)
            del c
        counts.append(faults() - counts.pop())

    thread = threading.Thread(target=loop)
    thread.start()
    thread.join()
    loop()
    pages = 3 * shape[0] * shape[1] * 8 // 4096  # of the matrices of one turn
    assert max(counts) < pages, counts


def test_blocks_of_many_sizes_come_and_go():
    """More and larger ones than are kept; each matrix has numbers of its own."""
    kept = []
    for i in range(60):
        rows = 270_000 + (i * 7919 % 13) * 90_000
        kept.append((i, Matrix(rows, 1, float(i))))
        if i % 3 == 2:
            kept.pop(i * 31 % len(kept))
    for i, m in kept:
        assert (m[0, 0], m[m.rows - 1, 0], m.min(), m.max()) == (i, i, i, i)
    huge = Matrix.zeros((20_000_000, 1))  # more than the shelf holds
    assert (huge.min(), huge.max()) == (0.0, 0.0)
    del huge
    huge = Matrix.full((20_000_000, 1), 2.0)
    assert (huge.min(), huge.max()) == (2.0, 2.0)
