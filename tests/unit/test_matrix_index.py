"""m[...] to get and set, take and put and their kin: numpy's elements, and no partial writes."""

from __future__ import annotations

import numpy as np
import pytest
from boc._matrix import Matrix
from hypothesis import given
from hypothesis import strategies as st
from matrix_help import A, M, arrays, assert_same

ends = st.none() | st.integers(-9, 9)
slices = st.builds(slice, ends, ends, st.none() | st.sampled_from([1, 2, 3, -1, -2]))


def index(size):
    return st.integers(-size, size - 1)


def shaped(a, key):
    """numpy's selection with rows and columns kept, or None if it is empty."""
    rows, columns = key if isinstance(key, tuple) else (key, slice(None))
    rows = [rows] if isinstance(rows, int) else rows
    columns = [columns] if isinstance(columns, int) else columns
    got = a[rows][:, columns]
    return got if got.size else None


def keys(a):
    rows, columns = a.shape
    one = st.one_of(index(rows), slices)
    return st.one_of(one, st.tuples(one, st.one_of(index(columns), slices)),
                     st.lists(index(rows), min_size=1, max_size=5),
                     st.tuples(st.lists(index(rows), min_size=1, max_size=5), st.just(slice(None))),
                     st.tuples(st.just(slice(None)), st.lists(index(columns), min_size=1, max_size=5)))


def is_element(a, key):
    if isinstance(key, tuple):
        return all(isinstance(k, int) for k in key)
    return isinstance(key, int) and a.shape[1] == 1


@given(a=arrays(), data=st.data())
def test_get(a, data):
    key = data.draw(keys(a))
    expected = shaped(a, key)
    if expected is None:
        with pytest.raises(IndexError, match="empty"):
            M(a)[key]
    elif is_element(a, key):
        got = M(a)[key]
        assert isinstance(got, float)
        assert_same(got, expected)
    else:
        assert_same(M(a)[key], expected)


@given(a=arrays(), data=st.data())
def test_set(a, data):
    key = data.draw(keys(a))
    selection = shaped(a, key)
    m = M(a)
    if selection is None:
        with pytest.raises(IndexError):
            m[key] = 1.0
        assert_same(m, a)
        return
    listed = isinstance(key, list) or (isinstance(key, tuple) and any(isinstance(k, list) for k in key))
    rows, columns = selection.shape
    fits = [selection.shape, (1, 1)] + ([] if listed else [(1, columns), (rows, 1)])
    value = data.draw(arrays(data.draw(st.sampled_from(fits))))
    expected = a.copy()
    row_key, column_key = key if isinstance(key, tuple) else (key, slice(None))
    row_places = np.arange(a.shape[0])[[row_key] if isinstance(row_key, int) else row_key]
    column_places = np.arange(a.shape[1])[[column_key] if isinstance(column_key, int) else column_key]
    full = np.broadcast_to(value, selection.shape)
    for i, r in enumerate(row_places):
        for j, c in enumerate(column_places):
            expected[r, c] = full[i, j]
    m[key] = M(value)
    assert_same(m, expected)
    m = M(a)
    m[key] = 2.5
    assert A(m)[np.ix_(row_places, column_places)].tolist() == np.full(selection.shape, 2.5).tolist()


@given(a=arrays())
def test_set_from_itself(a):
    m = M(a)
    m[::-1] = m
    assert_same(m, a[::-1])
    m = M(a)
    m[:, ::-1] = m
    assert_same(m, a[:, ::-1])
    m = M(a)
    m[:] = m.view[0]
    assert_same(m, np.broadcast_to(a[0], a.shape))


def test_set_from_sequences():
    m = Matrix(2, 3)
    m[0] = [1, 2, 3]
    m[:, 1] = (8, 9)
    m[1, 0:2] = Matrix(2, 1, [5, 6])
    assert_same(m, [[1, 8, 3], [5, 6, 0]])
    m[1] = range(3)
    m[:, 2] = np.array([4.0, 5.0])
    assert_same(m, [[1, 8, 4], [0, 1, 5]])
    m[:] = np.arange(6.0).reshape(2, 3)[:, ::-1]
    assert_same(m, [[2, 1, 0], [5, 4, 3]])
    m[:] = [7, 8, 9]
    assert_same(m, [[7, 8, 9]] * 2)
    m[0] += 1
    m[0, 0] *= 2
    m[[1, 1]] += 1
    assert_same(m, [[16, 9, 10], [8, 9, 10]])


@pytest.mark.parametrize("key", [5, -3, (0, 3), (2, 0), (0, -4), [0, 2], (slice(None), [3]), (slice(0, 1), [0]), [],
                                 ([0], [0]), ([0], 0), (0, [0]), slice(1, 1), (slice(None), slice(5, None)),
                                 10**30, (10**30, 0)])
def test_bad_places(key):
    m = Matrix(2, 3, range(6))
    with pytest.raises((IndexError, OverflowError)):
        m[key]
    with pytest.raises((IndexError, OverflowError)):
        m[key] = 1.0
    assert_same(m, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize("key", ["a", 0.0, float("nan"), None, ..., (0, "a"), (None, 0), [0.0], [float("nan")], ["a"],
                                 Matrix(1, 1), ((0, 1), slice(None))])
def test_bad_keys(key):
    m = Matrix(2, 3, range(6))
    with pytest.raises(TypeError):
        m[key]
    with pytest.raises(TypeError):
        m[key] = 1.0
    assert_same(m, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize("key", [(), (0,), (0, 0, 0)])
def test_number_of_indices(key):
    for error in (ValueError, IndexError, KeyError):
        with pytest.raises(error, match="one or two indices"):
            Matrix(2, 3)[key]


@pytest.mark.parametrize("value", ["a", None, object(), {}, [1, "a", 2], [[1, 2, 3]], 1j, np.complex128(1),
                                   np.arange(3, dtype=np.float32)])
def test_values_of_a_wrong_type(value):
    m = Matrix(2, 3, 4.0)
    with pytest.raises(TypeError):
        m[0] = value
    with pytest.raises(TypeError):
        m[0, 0] = value
    with pytest.raises(TypeError):
        del m[0]
    assert_same(m, np.full((2, 3), 4.0))


@pytest.mark.parametrize(("key", "value"), [(0, [1, 2]), (0, Matrix(2, 3)), (slice(None), Matrix(3, 2)), ((0, 0), [1,
                                            2]),
                                            ([0, 1], Matrix(1, 3)), ((slice(None), 0), Matrix(1, 3))])
def test_values_of_a_wrong_shape(key, value):
    m = Matrix(2, 3, 4.0)
    with pytest.raises(ValueError, match=r"\d+x\d+ .* to a selection of shape \d+x\d+"):
        m[key] = value
    assert_same(m, np.full((2, 3), 4.0))


@given(a=arrays(), data=st.data(), axis=st.sampled_from([0, 1, -1, -2]))
def test_take_and_put(a, data, axis):
    along = 0 if axis in (0, -2) else 1
    places = data.draw(st.lists(index(a.shape[along]), min_size=1, max_size=6))
    expected = np.take(a, places, along)
    m, out = M(a), Matrix(*expected.shape)
    assert_same(m.take(places, axis), expected)
    assert m.take(tuple(places), axis, out=out) is out
    assert_same(out, expected)
    value = data.draw(arrays(expected.shape))
    written = a.copy()
    for i, p in enumerate(places):
        if along == 0:
            written[p] = value[i]
        else:
            written[:, p] = value[:, i]
    assert m.put(places, M(value), axis) is m
    assert_same(m, written)
    added = np.ones(a.shape)
    for p in places:
        if along == 0:
            added[p] += 2.0
        else:
            added[:, p] += 2.0
    assert_same(Matrix.ones(a.shape).put(places, 2, axis, True), added)


@given(a=arrays(), data=st.data(), axis=st.sampled_from([0, 1]))
def test_along_an_axis(a, data, axis):
    count, size = a.shape[1 - axis], a.shape[axis]
    places = data.draw(st.lists(index(size), min_size=count, max_size=count))
    shape = (1, count) if axis == 0 else (count, 1)
    where = np.array(places).reshape(shape)
    expected = np.take_along_axis(a, where, axis)
    assert_same(M(a).take_along_axis(places, axis), expected)
    out = Matrix(*shape)
    assert M(a).take_along_axis(places, axis, out=out) is out
    assert_same(out, expected)
    value, written = data.draw(arrays(shape)), a.copy()
    np.put_along_axis(written, where, value, axis)
    assert_same(M(a).put_along_axis(places, M(value), axis), written)
    assert_same(Matrix.ones(a.shape).put_along_axis(places, 2, axis, accumulate=True).take_along_axis(places, axis),
                np.full(shape, 3.0))
    with pytest.raises(ValueError, match=f"needs {count} indices"):
        M(a).take_along_axis([0] * (count + 1), axis)


def test_put_from_itself():
    m = Matrix(2, 2, [1, 2, 3, 4])
    assert_same(m.put([1, 0], m), [[3, 4], [1, 2]])


@pytest.mark.parametrize("method", ["take", "put", "take_along_axis", "put_along_axis"])
@pytest.mark.parametrize(("indices", "axis", "error"), [
    ([2, 0, 0], 0, IndexError), ([-3, 0, 0], 0, IndexError), ([], 0, IndexError), ([0.0, 0, 0], 0, TypeError),
    ([float("nan"), 0, 0], 0, TypeError), (["a", 0, 0], 0, TypeError), (0, 0, TypeError), ("abc", 0, TypeError),
    (Matrix(1, 3), 0, TypeError), ([2**70, 0, 0], 0, OverflowError), ([0, 0, 0], 2, KeyError),
    ([0, 0, 0], 2, ValueError), ([0, 0, 0], None, TypeError), ([0, 0, 0], "a", TypeError)])
def test_bad_indices(method, indices, axis, error):
    m = Matrix(2, 3, range(6))
    args = (indices, 1.0, axis) if method.startswith("put") else (indices, axis)
    with pytest.raises(error):
        getattr(m, method)(*args)
    assert_same(m, np.arange(6).reshape(2, 3))


def test_bad_outputs_and_values():
    m = Matrix(2, 3, range(6))
    with pytest.raises(ValueError, match="must not alias"):
        m.take([0, 1], out=m)
    with pytest.raises(ValueError, match="2x2 does not match result 1x3"):
        m.take([0], out=Matrix(2, 2))
    with pytest.raises(TypeError):
        m.take([0], out=[0, 0, 0])
    with pytest.raises(ValueError, match="2x1 matrix to a selection of shape 1x3"):
        m.put([0], Matrix(2, 1))
    for bad in ("a", None, [1, 2, 3], m.view[0]):
        with pytest.raises(TypeError, match="must be a Matrix or a real number"):
            m.put([0], bad)
    assert_same(m, np.arange(6).reshape(2, 3))


@given(a=arrays(), repeats=st.integers(1, 4), axis=st.sampled_from([None, 0, 1]))
def test_repeat_interleave(a, repeats, axis):
    assert_same(M(a).repeat_interleave(repeats, axis), np.atleast_2d(np.repeat(a, repeats, axis)))


@pytest.mark.parametrize(("repeats", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), ([1], TypeError),
                                                (2**62, OverflowError), (2**70, OverflowError)])
def test_bad_repeats(repeats, error):
    with pytest.raises(error):
        Matrix(2, 3).repeat_interleave(repeats)
    with pytest.raises(ValueError, match="axis"):
        Matrix(2, 3).repeat_interleave(2, 2)
