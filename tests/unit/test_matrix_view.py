"""MatrixView: rows and columns that share the numbers of their Matrix."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from boc._matrix import Matrix, MatrixView
from hypothesis import given
from hypothesis import strategies as st
from matrix_help import A, M, arrays, assert_same, finite
from test_matrix_index import index, slices


def listed(view):
    return np.array(list(view)).reshape(view.shape)


@given(a=arrays(), data=st.data())
def test_lines_alias(a, data):
    m = M(a)
    i, j = data.draw(index(a.shape[0])), data.draw(index(a.shape[1]))
    row, column = m.row_view(i), m.column_view(j)
    assert isinstance(row, MatrixView) and row.is_row and not column.is_row and not row.read_only
    assert row.shape == (1, a.shape[1]) and column.shape == (a.shape[0], 1)
    assert (row.rows, row.columns, row.size, len(row)) == (1, a.shape[1], a.shape[1], a.shape[1])
    for view, expected in ((row, a[i:i + 1 or None]), (column, a[:, j:j + 1 or None]), (m.view[i], a[i:i + 1 or None]),
                           (m.view[:, j], a[:, j:j + 1 or None])):
        assert np.array_equal(listed(view), expected, equal_nan=True)
        assert_same(view.copy(), expected)
        assert_same(Matrix.from_view(view), expected)
        assert_same(view.T.copy(), expected.T)
        assert view.T.T.is_row == view.is_row
    row[:] = 3.0
    column[-1] = 4.0
    expected = a.copy()
    expected[i] = 3.0
    expected[-1, j] = 4.0
    assert_same(m, expected)


@given(a=arrays(), data=st.data())
def test_parts_and_steps(a, data):
    m, i, part = M(a), data.draw(index(a.shape[0])), data.draw(slices)
    expected = a[i][part]
    if not expected.size:
        for make in (lambda: m.row_view(i, part), lambda: m.view[i, part], lambda: m.view[i][part]):
            with pytest.raises(IndexError):
                make()
        return
    for view in (m.row_view(i, part), m.view[i, part], m.view[i][part], m.T.view[part, i].T):
        assert_same(view.copy(), expected.reshape(1, -1))
    view, second = m.view[i, part], data.draw(slices)
    if expected[second].size:
        assert_same(view[second].copy(), expected[second].reshape(1, -1))
        view[second] = list(range(expected[second].size))
        expected = expected.copy()
        expected[second] = range(expected[second].size)
        assert_same(m.view[i, part].copy(), expected.reshape(1, -1))
    k = data.draw(index(expected.size))
    assert_same(view[k], expected[k])


@given(a=arrays(elements=finite), b=finite)
def test_arithmetic_gives_matrices(a, b):
    m = M(a)
    row, column = m.view[0], m.view[:, -1]
    assert_same(row + b, a[:1] + b)
    assert_same(b - column, b - a[:, -1:])
    assert_same(row * row, a[:1] * a[:1])
    assert_same(m + row, a + a[:1])
    assert_same(column + m, a[:, -1:] + a)
    assert_same(row + column, a[:1] + a[:, -1:])
    assert_same(-row, -a[:1])
    assert_same(abs(column), np.abs(a[:, -1:]))
    assert_same(row + list(range(a.shape[1])), a[:1] + np.arange(a.shape[1]))
    row += 1.0
    assert isinstance(row, Matrix)
    assert_same(m, a)


def test_writing():
    m = Matrix(2, 3, range(6))
    v = m.view[0]
    v[:] = v[::-1]
    assert_same(m, [[2, 1, 0], [3, 4, 5]])
    v[0:2] = Matrix(2, 1, [7, 8])
    v.z = 9
    m.view[:, 1][1] = -1
    assert_same(m, [[7, 8, 9], [3, -1, 5]])
    assert (v.x, v.y, v.z) == (7, 8, 9)
    m.transpose(in_place=True)
    assert list(v) == [7, 3, 8]
    for key, value, error in ((0, "a", TypeError), (0, [1], TypeError), (slice(0, 2), [1, 2, 3], ValueError),
                              (slice(None), "abc", TypeError), (9, 1, IndexError), ((0, 0), 1, TypeError), ("a", 1,
                              TypeError),
                              (slice(None), Matrix(1, 1), ValueError), ([0], 1, TypeError)):
        with pytest.raises(error):
            v[key] = value
    for error, call in ((IndexError, lambda: v.w), (IndexError, lambda: setattr(v, "w", 1)), (TypeError, lambda: v[0,
                        0]),
                        (TypeError, lambda: delattr(v, "x")), (TypeError, lambda: v.__delitem__(0)), (IndexError,
                        lambda: v[3])):
        with pytest.raises(error):
            call()
    assert list(v) == [7, 3, 8]


def test_read_only():
    m = Matrix(2, 3, range(6))
    v = m.row_view(0, read_only=True)
    views = [v, v.T, v[0:2], m.column_view(0, read_only=True), next(m.row_views(read_only=True))]
    for view in views:
        assert view.read_only
        for write in (lambda view=view: view.__setitem__(0, 1), lambda view=view: setattr(view, "x", 1),
                      lambda view=view: view.__setitem__(slice(None), 1)):
            with pytest.raises(TypeError, match="read-only"):
                write()
    assert not next(m.column_views()).read_only
    assert_same(m, np.arange(6).reshape(2, 3))


def test_iterating():
    m = Matrix(2, 3, range(6))
    assert [v.shape for v in m.row_views()] == [(1, 3)] * 2 and [list(v) for v in m.column_views()] == [[0, 3], [1,
        4], [2, 5]]
    assert [A(r).tolist() for r in m] == [[[0, 1, 2]], [[3, 4, 5]]] and list(m.T[:, 0]) == [0, 1, 2]
    values = m.values()
    assert next(values) == 0.0 and values.__length_hint__() == 5
    m.x, m.y = 9, 8
    assert list(values) == [8, 2, 3, 4, 5] and list(values) == []
    assert list(reversed(m)) == [m[1], m[0]]


def test_a_view_keeps_its_matrix_and_stays_here():
    v = Matrix(2, 3, range(6)).view[1]
    assert list(v) == [3, 4, 5] and repr(v) == "MatrixView([[3 4 5]])"
    with pytest.raises(TypeError, match="copy"):
        pickle.dumps(v)
    with pytest.raises(TypeError):
        MatrixView()
    with pytest.raises(TypeError):
        memoryview(v)


@pytest.mark.parametrize("key", [slice(0, 2), (slice(None), slice(None)), (slice(0, 1), slice(0, 1)), [0], "a", (0, 0,
                                 0), None,
                                 (0, "a"), (0, [0])])
def test_a_view_is_one_line(key):
    with pytest.raises(TypeError):
        Matrix(2, 3).view[key]


def test_a_refusal_says_what_to_do():
    with pytest.raises(TypeError, match=r"\.copy\(\) makes a Matrix"):
        pickle.dumps(Matrix(2, 3).view[0])
