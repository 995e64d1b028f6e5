"""Conversions run code of the user: a matrix can neither move away nor turn while an operation reads it."""

from __future__ import annotations

import contextlib
import operator

import boc._matrix as module
import numpy as np
import pytest
from boc._matrix import Matrix, MatrixView
from matrix_help import A


class Hostile:
    """A number, index, flag or sequence of one that does something first."""

    def __init__(self, action, value=0):
        self.action, self.value = action, value

    def __float__(self):
        self.action()
        return float(self.value)

    def __index__(self):
        self.action()
        return self.value

    def __bool__(self):
        self.action()
        return bool(self.value)


class HostileSequence:
    """A sequence whose iteration does something first."""

    def __init__(self, action, values):
        self.action, self.values = action, values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        self.action()
        return self.values[i]


ROWS = 60  # x 1: turned, every index but 0 is far outside

# name: what is called with the matrix (60x1), another of its shape and a hostile one of the value asked for
CALLS = {
    "get row": lambda m, o, h: m[h(59)],
    "get element": lambda m, o, h: m[h(59), 0],
    "get column": lambda m, o, h: m[59, h(0)],
    "get slice": lambda m, o, h: m[h(30):h(60)],
    "get list": lambda m, o, h: m[[59, h(58), 59]],
    "get columns": lambda m, o, h: m[:, [0, h(0)]],
    "set row": lambda m, o, h: m.__setitem__(h(59), 1.5),
    "set value": lambda m, o, h: m.__setitem__(59, h(1)),
    "set values": lambda m, o, h: m.__setitem__(slice(0, 2), [1, h(1)]),
    "set list": lambda m, o, h: m.__setitem__([59, h(58)], 2.5),
    "set other": lambda m, o, h: o.__setitem__([59, h(58)], m),
    "set component": lambda m, o, h: setattr(m, "w", h(1)),
    "take": lambda m, o, h: m.take([59, h(58)]),
    "take axis": lambda m, o, h: m.take([0], h(1)),
    "take out": lambda m, o, h: o.take([59, h(58)], out=m[:2]),
    "put": lambda m, o, h: m.put([59, h(58)], 3.5),
    "put value": lambda m, o, h: m.put([59, 58], h(3)),
    "put axis": lambda m, o, h: m.put([0], 3.5, h(1)),
    "put flag": lambda m, o, h: m.put([59], 3.5, 0, h(1)),
    "put along": lambda m, o, h: m.put_along_axis([h(59)], 3.5),
    "take along": lambda m, o, h: m.take_along_axis([h(59)], 0),
    "repeat": lambda m, o, h: m.repeat_interleave(h(2), 0),
    "topk": lambda m, o, h: m.topk(h(2), 0),
    "topk flag": lambda m, o, h: m.topk(2, 0, h(1)),
    "row_view": lambda m, o, h: m.row_view(h(59)).copy(),
    "row_view part": lambda m, o, h: m.row_view(59, slice(0, h(1))).copy(),
    "column_view": lambda m, o, h: m.column_view(0, h(59)).copy(),
    "view": lambda m, o, h: m.view[h(59)].copy(),
    "view part": lambda m, o, h: m.view[59, h(0)].copy(),
    "read-only": lambda m, o, h: m.row_view(59, read_only=h(1)).copy(),
    "get from view": lambda m, o, h: m.view[:, 0][h(59)],
    "get part of view": lambda m, o, h: m.view[:, 0][h(50):].copy(),
    "set in view": lambda m, o, h: m.view[:, 0].__setitem__(h(59), 1),
    "set value in view": lambda m, o, h: m.view[:, 0].__setitem__(59, h(1)),
    "set part of view": lambda m, o, h: m.view[:, 0].__setitem__(slice(58, h(60)), [1, h(1)]),
    "set component of view": lambda m, o, h: setattr(m.view[:, 0], "x", h(1)),
    "+ number": lambda m, o, h: m + h(1),
    "+ list": lambda m, o, h: operator.add(m, [h(1)]),
    "list + view": lambda m, o, h: operator.add([h(1)], m.view[:, 0]),
    "view + list": lambda m, o, h: operator.add(m.view[:, 0], [h(1)]),
    "+=": lambda m, o, h: m.__iadd__([h(1)]),
    "add": lambda m, o, h: m.add(h(1)),
    "add out": lambda m, o, h: o.add(h(1), out=m),
    "@": lambda m, o, h: [h(1)] * ROWS @ m,
    "fma": lambda m, o, h: m.fma(h(1), 2),
    "fma operand": lambda m, o, h: o.fma(m, h(1)),
    "fma flag": lambda m, o, h: m.fma(1, 2, h(1)),
    "scaled_add": lambda m, o, h: m.scaled_add(h(1), o),
    "scaled_add operand": lambda m, o, h: o.scaled_add(m, [h(1)]),
    "scaled_add flag": lambda m, o, h: m.scaled_add(1, o, h(1)),
    "where mask": lambda m, o, h: Matrix.where(m, [h(1)], 2),
    "where number": lambda m, o, h: Matrix.where(m, h(1), h(2)),
    "where operand": lambda m, o, h: Matrix.where(o, m, h(1)),
    "where out": lambda m, o, h: Matrix.where(o, 1, h(1), out=m),
    "allclose": lambda m, o, h: Matrix.allclose(m, o, h(1)),
    "allclose flag": lambda m, o, h: Matrix.allclose(m, o, equal_nan=h(1)),
    "clip": lambda m, o, h: m.clip(h(0), h(1)),
    "clip flag": lambda m, o, h: m.clip(0, 1, in_place=h(1)),
    "abs flag": lambda m, o, h: m.abs(in_place=h(1)),
    "bin": lambda m, o, h: m.bin(h(2)),
    "bin bounds": lambda m, o, h: m.bin(2, bounds=(h(0), h(1))),
    "bin flag": lambda m, o, h: m.bin(2, right=h(1)),
    "bin in place": lambda m, o, h: m.bin(2, in_place=h(1)),
    "digitize": lambda m, o, h: m.digitize([h(0), h(1)]),
    "digitize flag": lambda m, o, h: m.digitize([0, 1], right=h(1)),
    "digitize in place": lambda m, o, h: m.digitize(o.view[0], in_place=h(1)),
    "digitize by itself": lambda m, o, h: o.digitize(m.view[0], in_place=h(1)),
    "sum axis": lambda m, o, h: m.sum(h(1)),
    "argmax flag": lambda m, o, h: m.argmax(0, None, h(1)),
    "vecdot": lambda m, o, h: m.vecdot([h(1)], 0),
    "cross": lambda m, o, h: m.cross([h(1)] * 60),
    "normalize": lambda m, o, h: m.normalize(0, h(1)),
    "transpose": lambda m, o, h: m.transpose(h(1)),
    "concat": lambda m, o, h: Matrix.concat([m, [h(1)]]),
    "concat view": lambda m, o, h: Matrix.concat([m.view[:, 0], [h(1)]]),
    "values": lambda m, o, h: Matrix(2, 1, [m, h(1)]),
    "==": lambda m, o, h: m == [h(1)],
    "<": lambda m, o, h: m < h(1),
    "in": lambda m, o, h: h(1) in m,
    "full": lambda m, o, h: Matrix.full((h(2), 2), h(1)),
    "uniform": lambda m, o, h: Matrix.uniform(h(0), h(1), (h(2), 2)),
}

ACTIONS = {
    "moves": lambda m: module._test_move(m, "drop"),
    "turns": lambda m: m.transpose(in_place=True),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("call", CALLS)
def test_a_matrix_is_held_while_it_is_read(call, action):
    m, other = Matrix(ROWS, 1, range(ROWS)), Matrix(ROWS, 1, range(ROWS))
    done = []

    def act():
        if not done:
            done.append(action)
            ACTIONS[action](m)

    with contextlib.suppress(RuntimeError, BufferError, ValueError, IndexError, TypeError, KeyError):
        result = CALLS[call](m, other, lambda value: Hostile(act, value))
        if isinstance(result, Matrix | MatrixView):
            assert np.isfinite(list(result.values())).all() and result.size <= 2 * ROWS
    if m.acquired:
        assert sorted(m.shape) == [1, ROWS]
        assert np.isfinite(A(m)).all()
    assert other.shape == (ROWS, 1)


def test_sequences_of_the_user():
    for action in ACTIONS.values():
        m = Matrix(ROWS, 1, range(ROWS))
        with pytest.raises((BufferError, TypeError)):
            m.take(HostileSequence(lambda m=m, action=action: action(m), [59, 58]))
        m = Matrix(ROWS, 1, range(ROWS))
        with contextlib.suppress(RuntimeError, BufferError, ValueError):
            m.add(HostileSequence(lambda m=m, action=action: action(m), [59.0]), out=m)


def test_a_list_that_shrinks_while_it_is_read():
    for use in (lambda values: Matrix(1, 3, values), Matrix.vector, lambda values: Matrix(1, 3) + values,
                lambda values: Matrix(9, 1).take(values), lambda values: Matrix(9, 1)[values],
                lambda values: Matrix.concat([values]), lambda values: Matrix(9, 1).digitize(values)):
        values = [0, Hostile(lambda: values.clear(), 1), 2]
        with pytest.raises(RuntimeError, match="changed while it was read"):
            use(values)
