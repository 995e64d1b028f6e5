"""== and < give one bool, row by row; allclose; text of matrices."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest
from boc._matrix import Matrix
from hypothesis import given
from hypothesis import strategies as st
from matrix_help import M, arrays

few = st.sampled_from([0.0, -0.0, 1.0, 2.0, math.nan])
ORDER = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


def first_difference(a, b):
    """-1, 0, 1: where NaN never decides."""
    for x, y in zip(a.ravel(), np.broadcast_to(b, a.shape).ravel(), strict=True):
        if x < y or x > y:
            return -1 if x < y else 1
    return 0


@pytest.mark.parametrize("compare", ORDER)
@given(a=arrays(elements=few), data=st.data())
def test_lexicographic(compare, a, data):
    b = data.draw(arrays(a.shape, few))
    assert compare(M(a), M(b)) is compare(first_difference(a, b), 0)
    number = data.draw(few)
    assert compare(M(a), number) is compare(first_difference(a, number), 0)
    assert compare(number, M(a)) is compare(0, first_difference(a, number))
    row = a[:1]
    assert compare(M(row), row.ravel().tolist()) is compare(0, 0)


def test_what_is_not_equal():
    m = Matrix(2, 3, 1)
    for other in (Matrix(3, 2, 1), "a", None, object(), [1, 1, 1], [], ["a"], 10**400, m.view[0], Matrix(1, 1, 1)):
        assert m != other and (m == other) is False
    assert m in ["a", m] and [1, 1, 1] in m and [1, 2, 1] not in m and 7 not in m
    for other in (Matrix(3, 2), Matrix(1, 1), [1, 1, 1]):
        with pytest.raises(ValueError, match="2x3"):
            _ = m < other


@given(a=arrays(elements=st.floats(-10, 10)), data=st.data(), rtol=st.sampled_from([0, 1e-5, 0.1]),
       atol=st.sampled_from([0, 1e-8, 0.5]))
def test_allclose(a, data, rtol, atol):
    b = a + data.draw(arrays(a.shape, st.sampled_from([0.0, 1e-9, 1e-6, 0.01, 0.4])))
    assert Matrix.allclose(M(a), M(b), rtol, atol) is bool(np.allclose(a, b, rtol, atol))


def test_allclose_of_special_numbers():
    one = {v: Matrix(1, 1, v) for v in (1.0, math.inf, -math.inf)}
    nan = Matrix(1, 1, math.nan)
    for x in one:
        for y in one:
            assert Matrix.allclose(one[x], one[y]) is (x == y)
        assert not Matrix.allclose(nan, one[x]) and not Matrix.allclose(one[x], nan, equal_nan=True)
    assert not Matrix.allclose(nan, nan) and not Matrix.allclose(nan, nan, equal_nan=False)
    assert Matrix.allclose(nan, nan, equal_nan=True)
    assert not Matrix.allclose(Matrix(1, 2), Matrix(2, 1))


def test_nan_is_shown_without_a_sign():
    m = Matrix(1, 2, [math.nan, math.copysign(math.nan, -1.0)])
    assert str(m) == "[[nan nan]]" and repr(m) == "Matrix(1, 2, [nan, nan])"
    assert repr(m.view[0]) == "MatrixView([[nan nan]])" and "-nan" not in m._repr_html_()


@given(a=arrays())
def test_repr_reads_back(a):
    text = repr(M(a))
    back = eval(text, {"Matrix": Matrix, "nan": math.nan, "inf": math.inf})
    assert back.shape == a.shape and np.array_equal(np.asarray(back), a, equal_nan=True)
    assert (np.signbit(np.asarray(back)) == np.signbit(a)).all() or np.isnan(a).any()


def test_big_ones_show_corners():
    m = Matrix(1000, 1000, 1.5)
    for text in (repr(m), str(m), m._repr_html_()):
        assert len(text) < 3000 and ("..." in text or "&hellip;" in text)
    assert repr(m).startswith("Matrix(1000, 1000, [1.5, 1.5") and repr(m).endswith("1.5])")
    assert str(Matrix(2, 3, range(6))) == "[[0 1 2]\n [3 4 5]]"
    assert repr(Matrix(1, 2, [1, 0.1])) == "Matrix(1, 2, [1, 0.1])"
    html = Matrix(2, 2, [1, 2, 3, 4])._repr_html_()
    assert html.count("<tr>") == 2 and html.count("<td>") == 4


def test_float_and_int():
    assert float(Matrix(1, 1, 2.5)) == 2.5 and int(Matrix(1, 1, 2.5)) == 2
    assert bool(Matrix(1, 1, 0.0))
