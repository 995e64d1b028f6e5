"""A Matrix whose contents moved is empty; exported buffers keep them; workers import the module of their own."""

from __future__ import annotations

import contextlib
import gc
import inspect
import pickle
import subprocess
import sys
import threading

import boc._matrix as module
import numpy as np
import pytest
from boc._matrix import Matrix, MatrixView
from matrix_help import A, assert_same

NAMES = [n for n in dir(Matrix) if not n.startswith("__") and n not in ("acquired", "view")]


def test_moving_takes_the_contents():
    m = Matrix(2, 3, range(6))
    address = np.asarray(m).ctypes.data
    gc.collect()
    moved = module._test_move(m)
    assert np.asarray(moved).ctypes.data == address, "moved by pointer"
    assert not m.acquired and moved.acquired
    assert_same(moved, np.arange(6).reshape(2, 3))
    assert "moved" in repr(m) and "moved" in str(m) and "moved" in m._repr_html_()


def test_copies_leave_the_contents():
    m = Matrix(2, 3, range(6)).transpose(in_place=True)
    for how in ("copy", "copy_payload"):
        source = m.copy()
        other = module._test_move(source, how)
        assert_same(other, A(m))
        assert source.acquired == (how == "copy")
    assert module._test_move(m, "drop") is None
    assert not m.acquired


USES = {
    "index": lambda m: m[0], "element": lambda m: m[0, 0], "set": lambda m: m.__setitem__((0, 0), 1.0), "len": len,
    "iter": iter, "add": lambda m: m + 1, "radd": lambda m: 1 + m, "self": lambda m: m + m,
    "iadd": lambda m: m.__iadd__(1),
    "matmul": lambda m: m @ m, "other": lambda m: Matrix(2, 3) + m, "neg": lambda m: -m, "abs": abs,
    "equal": lambda m: m == m,
    "less": lambda m: m < 1, "sum": lambda m: m.sum(), "mask": lambda m: Matrix(2, 3).sum(where=m), "T": lambda m: m.T,
    "rows": lambda m: m.rows, "shape": lambda m: m.shape, "x": lambda m: m.x, "set x": lambda m: setattr(m, "x", 1),
    "view": lambda m: m.view, "row_view": lambda m: m.row_view(0), "views": lambda m: m.row_views(),
    "copy": lambda m: m.copy(),
    "values": lambda m: m.values(), "pickle": pickle.dumps, "out": lambda m: Matrix(2, 3).add(1, out=m),
    "sqrt": lambda m: m.sqrt(), "in place": lambda m: m.sqrt(in_place=True), "clip": lambda m: m.clip(0, 1),
    "fma": lambda m: m.fma(1, 2), "take": lambda m: m.take([0]), "put": lambda m: m.put([0], 1),
    "topk": lambda m: m.topk(1),
    "argmin": lambda m: m.argmin(), "where": lambda m: Matrix.where(m, 1, 2), "allclose": lambda m: Matrix.allclose(m,
    m),
    "concat": lambda m: Matrix.concat([m]), "cross": lambda m: m.cross(m), "vecdot": lambda m: m.vecdot(m),
    "normalize": lambda m: m.normalize(), "transpose": lambda m: m.transpose(in_place=True), "bin": lambda m: m.bin(2),
    "digitize": lambda m: m.digitize([1]), "in": lambda m: 1 in m, "float": float, "again": module._test_move,
    "repeat": lambda m: m.repeat_interleave(2), "assign": lambda m: Matrix(2, 3).__setitem__(0, m),
    "length": lambda m: m.length,
}


@pytest.mark.parametrize("use", USES)
def test_an_empty_one_raises(use):
    m = Matrix(2, 3, range(6))
    module._test_move(m)
    with pytest.raises(RuntimeError, match="moved into a cown"):
        USES[use](m)


def test_views_and_iterators_of_an_empty_one_raise():
    m = Matrix(2, 3, range(6))
    v, values, rows, lines = m.view[0], m.values(), iter(m), m.row_views()
    moved = module._test_move(m)
    for use in (lambda: v[0], lambda: v.__setitem__(0, 1), lambda: list(v), lambda: v + 1, lambda: v.copy(),
                lambda: v.x, lambda: v.shape, lambda: v.rows, lambda: v.columns, lambda: v.size, lambda: len(v),
                lambda: v.T, lambda: next(values), lambda: next(rows), lambda: next(lines), lambda: v[0:1],
                lambda: v.__setitem__(slice(None), 1)):
        with pytest.raises(RuntimeError, match="moved"):
            use()
    assert "moved" in repr(v) and v.is_row and not v.read_only
    assert_same(moved, np.arange(6).reshape(2, 3))


def test_buffers_are_counted():
    m = Matrix(2, 3, range(6))
    view, array = memoryview(m), np.asarray(m)
    for held in ("2 buffers", "1 buffer "):
        with pytest.raises(BufferError, match=held):
            module._test_move(m)
        with pytest.raises(BufferError, match=held):
            m.transpose(in_place=True)
        assert m.acquired
        if held == "2 buffers":
            view.release()
    del array
    gc.collect()
    assert module._test_move(m).acquired
    with pytest.raises(BufferError, match="moved"):
        memoryview(m)


def test_numpy_sees_the_same_numbers():
    m = Matrix(2, 3, range(6))
    array = np.asarray(m)
    assert array.dtype == np.float64 and array.shape == (2, 3) and array.flags.c_contiguous and array.flags.writeable
    array[0, 0] = 42
    m[1, 2] = 7
    assert m.x == 42 and array[1, 2] == 7
    view = memoryview(m)
    assert (view.format, view.ndim, view.shape, view.strides, view.nbytes) == ("d", 2, (2, 3), (24, 8), 48)
    assert bytes(memoryview(Matrix(1, 2, 1)).cast("B")) == np.ones(2).tobytes()
    del m
    gc.collect()
    assert array[0, 0] == 42, "the array keeps the matrix"


def test_numpy_computes_where_it_takes_part():
    m, array = Matrix(2, 3, 2.0), np.full((2, 3), 3.0)
    for result in (m + array, array + m, array * m, m * array, m @ array.T, array @ m.T):
        assert isinstance(result, np.ndarray)
    assert isinstance(m * np.float64(2), Matrix) and isinstance(np.float64(2) * m, Matrix)
    assert isinstance(m.add(array), Matrix) and m.add(array).sum() == 30.0
    assert np.asarray(m).sum() == 12.0 and np.allclose(np.linalg.norm(m), m.length)
    assert m[np.int64(1), np.int32(2)] == 2.0 and m.take([np.int64(0)]).shape == (1, 3)


def test_documented():
    for cls in (Matrix, MatrixView):
        for name in dir(cls):
            if not name.startswith("__") and name != "view":
                assert getattr(cls, name).__doc__, name
    for name in ("sum", "add", "clip", "zeros", "topk", "where"):
        assert str(inspect.signature(getattr(Matrix, name))).startswith("(")
    assert Matrix.where(mask=Matrix(1, 1), a=1, b=2).x == 2.0 and "/" not in str(inspect.signature(Matrix.where))
    assert "partial sum" in Matrix.sum.__doc__ and "NaN is skipped unless" in Matrix.min.__doc__


IN_WORKERS = """
import sys, threading
try:
    import _interpreters as interpreters
    create = lambda: interpreters.create("isolated")
    run = lambda i, text: interpreters.exec(i, text)
except ImportError:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create(isolated=True)
    run = interpreters.run_string
import boc._matrix
text = '''
import pickle, sys
from importlib import machinery, util
loader = machinery.ExtensionFileLoader("boc._matrix", PATH)
module = sys.modules["boc._matrix"] = util.module_from_spec(util.spec_from_loader("boc._matrix", loader))
loader.exec_module(module)
Matrix = module.Matrix
for i in range(200):
    m = Matrix.normal(0, 1, (i % 40 + 1, 20))
    n = m @ m.T + m.view[0].copy().sum()
    assert module._test_move(n.copy()) == n
    assert n.T.shape == n.shape
kept = Matrix(30, 30, 1.0)
'''.replace("PATH", repr(boc._matrix.__file__))
ids = [create() for _ in range(3)]
failed = []
def work(i):
    error = run(i, text)
    if error:
        failed.append(error)
threads = [threading.Thread(target=work, args=(i,)) for i in ids]
[t.start() for t in threads]; [t.join() for t in threads]
[interpreters.destroy(i) for i in ids]
assert not failed, failed
print(boc._matrix.Matrix(2, 2, 3.0).sum())
"""


def test_sub_interpreters_with_their_own_gil():
    """The module alone, as the boc package is for main and its workers."""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", IN_WORKERS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.strip() == "12.0", done.stderr


def test_threads_share_what_they_like():
    """Long products release the GIL; the operands cannot move meanwhile."""
    a = Matrix.uniform(0, 1, (300, 300))
    expected = a @ a
    results = []
    threads = [threading.Thread(target=lambda: results.append(a @ a)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 4 and all(r == expected for r in results)
    assert module._test_move(a).shape == (300, 300)


def test_code_of_operands_that_turns_the_matrix():
    """Reading a number may run code that changes the matrix: no crash, no writing elsewhere."""
    m = Matrix(50, 2, 1.0)

    class Turns:
        def __float__(self):
            m.transpose(in_place=True)
            return 5.0

    def tries(call):
        with contextlib.suppress(BufferError, RuntimeError, ValueError, IndexError):
            call()
        if m.shape != (50, 2):
            m.transpose(in_place=True)

    for call in (lambda: m.__setitem__((slice(40, 50), 0), [Turns()] * 10), lambda: m - [Turns(), 1],
                 lambda: m.fma(Turns(), m), lambda: m.fma(m, Turns()), lambda: m.scaled_add(Turns(), m),
                 lambda: m * Turns(),
                 lambda: m.put([49], Turns()), lambda: m.__setitem__((49, 1), Turns()),
                 lambda: m.view[49].__setitem__(1, Turns()),
                 lambda: m.clip(Turns(), 9, in_place=True), lambda: m.__iadd__(Turns()), lambda: m.vecdot([Turns(),
                 1])):
        tries(call)
    assert m.size == 100
