"""Matrices in cowns: they move and leave the object empty, workers compute on them, readers share, copies are apart."""

from __future__ import annotations

import contextlib
import gc
import sysconfig

import pytest
from boc import (
    Cown,
    Matrix,
    PinnedCown,
    gather,
    notice_read,
    notice_seed,
    quiesce,
    read,
    receive,
    send,
    start,
    wait,
    when,
)

TIMEOUT = 20
FREE = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def numbers(rows, columns):
    return Matrix(rows, columns, range(rows * columns))


def test_the_object_is_empty_until_the_cown_is_held():
    m = numbers(2, 3)
    c = Cown(m)
    assert not m.acquired
    for use in (lambda: m[0, 0], lambda: m.sum(), lambda: m.T, lambda: m.__setitem__((0, 0), 1.0), lambda: Cown(m)):
        with pytest.raises(RuntimeError):
            use()
    for expected in (15.0, 16.0):
        with c:
            assert c.value.acquired and c.value.sum() == expected
            c.value[0, 0] += 1.0
    assert not m.acquired


@pytest.mark.skipif(FREE, reason="an object of main may be dying on another thread there")
def test_the_object_has_its_contents_while_main_holds_the_cown():
    m, other = numbers(2, 3), numbers(1, 1)
    row = m.view[1]
    c = Cown(m)

    @when(c)
    def change(c):
        c.value += 1.0
        c.value.transpose(in_place=True)

    change.result(TIMEOUT)
    with pytest.raises(RuntimeError):
        m.sum()
    with c:
        assert m.acquired and m.sum() == 21.0 and m.shape == (3, 2) and c.value is m and row[2] == 6.0
        c.value = other
        assert m.sum() == 21.0
    assert m.acquired and not other.acquired
    c.acquire()
    assert other.acquired and other.x == 0.0
    c.release()
    assert not other.acquired

    @when(c)
    def replace(c):
        c.value = Matrix.ones((2, 2))

    replace.result(TIMEOUT)
    with c:
        assert not other.acquired and c.value.sum() == 4.0
    moved = Cown(m)
    assert moved.unwrap() is m and m.sum() == 21.0


def test_what_main_held_is_taken_at_its_release():
    c = Cown(Matrix.ones((2, 2)))
    with c:
        held = c.value
    assert not held.acquired and c.result(TIMEOUT).sum() == 4.0
    with c:
        seen = memoryview(c.value)
    assert seen[0, 0] == 1.0 and c.result(TIMEOUT).sum() == 4.0  # it looks at the numbers: a copy goes
    a, b = Cown(None), Cown(None)
    m = Matrix.ones((2, 2))
    with a, b:
        a.value = b.value = m
    with a:
        a.value[0, 0] = 7.0
    assert (a.result(TIMEOUT).sum(), b.result(TIMEOUT).sum()) == (10.0, 4.0)
    with a:
        x, y = a.value, Cown(a.value)
        assert not x.acquired
        a.value = 1
    assert y.result(TIMEOUT).sum() == 10.0 and a.result(TIMEOUT) == 1


def test_an_object_that_died_is_not_found_again():
    cowns = []
    for i in range(200):
        m = Matrix(1, 1, float(i))
        cowns.append(Cown(m))
        del m
    others = [Matrix(1, 1, -1.0) for _ in range(200)]
    for c in cowns:
        @when(c)
        def change(c):
            c.value += 0.5
    quiesce(TIMEOUT)
    for i, c in enumerate(cowns):
        with c:
            assert c.value.x == i + 0.5
    assert all(o.x == -1.0 for o in others)


def test_workers_change_it_in_place():
    start(workers=2)
    cowns = [Cown(Matrix.zeros((16, 16))) for _ in range(4)]
    for i in range(200):
        @when(cowns[i % 4])
        def step(c):
            c.value += 1.0
            c.value[0, 0] = c.value @ c.value.T @ Matrix.ones((16, 16)) is not None
    quiesce(TIMEOUT)
    for c in cowns:
        with c:
            assert c.value[1, 1] == 50.0 and c.value.shape == (16, 16)


def test_moving_is_not_copying():
    """The memory is the same in every worker; only numpy on main looks at addresses."""
    import numpy as np
    start(workers=2)
    c = Cown(Matrix.ones((1000, 1000)))
    with c:
        address = np.asarray(c.value).ctypes.data
    gc.collect()
    for _ in range(6):
        @when(c)
        def touch(c):
            c.value.x = c.value.x + 1.0
    quiesce(TIMEOUT)
    with c:
        assert np.asarray(c.value).ctypes.data == address and c.value.x == 7.0


def test_a_body_that_passes_it_on_does_not_open_it(script):
    done = script("""
        import boc
        from boc import Cown, Matrix, when

        boc.start(1)
        @when(Cown(Matrix.uniform(0, 1, (2, 2))))
        def look(c):
            import sys
            before = "boc._matrix" in sys.modules
            return before, c.value.shape, "boc._matrix" in sys.modules

        print(look.result(20))
        boc.wait()
    """)
    assert done.stdout == "(False, (2, 2), True)\n"


def test_two_cowns_at_once():
    a, b = Cown(numbers(3, 3)), Cown(Matrix.ones((3, 3)))

    @when(a, b)
    def swap(a, b):
        a.value, b.value = b.value, a.value

    assert swap.result(TIMEOUT) is None
    assert a.result(TIMEOUT).sum() == 9.0 and b.result(TIMEOUT).sum() == 36.0


def test_results_are_snapshots():
    c = Cown(numbers(2, 2))
    first = c.result(TIMEOUT)
    first[0, 0] = 99.0

    @when(c)
    def both(c):
        return c.value

    assert both.result(TIMEOUT) == c.result(TIMEOUT) == numbers(2, 2)


def test_storing_one_matrix_twice_makes_two():
    a, b = Cown(numbers(2, 2)), Cown(None)

    @when(a, b)
    def share(a, b):
        b.value = a.value

    @when(b)
    def change(b):
        b.value.x = 50.0

    assert gather([share, change], TIMEOUT) == [None, None]
    assert a.result(TIMEOUT).x == 0.0 and b.result(TIMEOUT).x == 50.0


def test_captures_are_copies():
    m = numbers(2, 2)

    @when()
    def capture():
        m[0, 0] = 77.0
        return m.sum()

    assert capture.result(TIMEOUT) == 83.0
    assert m.acquired and m.sum() == 6.0


def test_readers_share_one():
    start(workers=2)
    c = Cown(Matrix.ones((64, 64)))
    readers = []
    for i in range(8):
        @when(read(c))
        def reader(c, i=i):
            return (c.value * i).sum()
        readers.append(reader)
    assert gather(readers, TIMEOUT) == [i * 4096.0 for i in range(8)]
    assert c.result(TIMEOUT).sum() == 4096.0


def test_inside_other_values():
    c = Cown({"a": [numbers(2, 2)], "b": numbers(1, 3)})

    @when(c)
    def inside(c):
        c.value["a"][0] *= 2.0
        return c.value["b"].sum(), {"m": c.value["a"][0]}

    total, held = inside.result(TIMEOUT)
    assert total == 3.0 and held["m"].sum() == 12.0
    assert c.result(TIMEOUT)["a"][0].sum() == 12.0


def test_messages_and_the_board():
    m = numbers(2, 3)
    send("matrix", m)
    assert m.acquired
    assert receive("matrix", 5)[1] == m
    notice_seed("m", m)

    @when()
    def seen():
        return notice_read("m").sum()

    assert seen.result(TIMEOUT) == 15.0


def test_an_exported_buffer_holds_it_back():
    m = numbers(2, 3)
    view = memoryview(m)
    with pytest.raises((BufferError, RuntimeError)):
        Cown(m)
    assert m.acquired and m.sum() == 15.0
    view.release()
    assert Cown(m).result(TIMEOUT).sum() == 15.0


def test_a_view_left_behind_does_not_reach_the_cown():
    c = Cown(numbers(2, 3))
    with c:
        view = c.value.view[0]
        assert list(view) == [0, 1, 2]
    with contextlib.suppress(RuntimeError):
        view[0] = 99.0
    assert c.result(TIMEOUT) == numbers(2, 3)


def test_a_view_does_not_travel():
    c = Cown(numbers(2, 3))

    @when(c)
    def keep(c):
        c.value = c.value.view[0]

    with pytest.raises(RuntimeError, match="MatrixView"):
        keep.result(TIMEOUT)
        c.result(TIMEOUT)


def test_errors_in_a_worker_name_the_shapes():
    c = Cown(numbers(2, 3))

    @when(c)
    def wrong(c):
        return c.value + Matrix(3, 2)

    with pytest.raises(ValueError, match="2x3 and 3x2"):
        wrong.result(TIMEOUT)


def test_unwrap_takes_it_out():
    c = Cown(numbers(2, 2))

    @when(c)
    def change(c):
        c.value.x = 42.0

    quiesce(TIMEOUT)
    taken = c.unwrap()
    assert taken.acquired and taken.x == 42.0 and c.unwrap() is None


def test_pinned_matrices_stay():
    m = Matrix.zeros((2, 2))
    p, c = PinnedCown(m), Cown(numbers(2, 2))

    @when(p, c)
    def write(p, c):
        p.value[:] = c.value

    quiesce(TIMEOUT)
    assert m.acquired and m.sum() == 6.0
    assert write.exception is False


def test_home_after_wait():
    cowns = [Cown(Matrix.full((8, 8), i)) for i in range(10)]
    for c in cowns:
        @when(c)
        def double(c):
            c.value *= 2.0
    wait(TIMEOUT)
    for i, c in enumerate(cowns):
        with c:
            assert c.value.sum() == 128.0 * i
