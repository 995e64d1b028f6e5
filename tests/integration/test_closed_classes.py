"""Classes whose methods close over variables of the program: taken at each schedule, each behavior with its own."""

from __future__ import annotations

import dataclasses
import enum
import functools
import typing

import pytest
from boc import Cown, _closed, when

pytestmark = pytest.mark.timeout(30)
KEEP_WORKERS = True


def test_a_list_that_methods_share():
    local = []

    class Store:
        def put(self, x):
            local.append(x)
            return self.get()

        @staticmethod
        def get():
            return local

    for i in range(3):

        @when(Cown(0))
        def body(c):
            return Store().put(i)

        assert body.result() == [i]
    local.append("main")
    assert when(Cown(0))(lambda c: Store.get()).result() == ["main"] == local


def test_variables_that_are_bound_anew():
    limit = n = 0

    class Counter:
        @property
        def top(self):
            return limit

        @classmethod
        def at(cls):
            return limit, __class__ is cls

        @functools.cached_property
        def kept(self):
            return limit

        def step(self):
            nonlocal n
            n += 1
            return n

    for limit in range(3):

        @when(Cown(0))
        def body(c):
            one = Counter()
            return one.top, one.kept, one.at(), one.step(), one.step()

        assert body.result() == (limit, limit, (limit, True), 1, 2)
    assert n == 0


def test_a_variable_that_is_bound_later_and_a_nested_schedule():
    class Later:
        def get(self):
            return value

    @when(Cown(0))
    def early(c):
        return Later().get()

    with pytest.raises(NameError):
        early.result()
    value = [1]

    @when(Cown(0))
    def body(c):
        Later().get().append(2)

        @when(c)
        def nested(c):
            return Later().get()

        return nested, Later().get()

    nested, own = body.result()
    assert own == [1, 2] and nested.result() == [1, 2] and value == [1]


def make_settled():
    held = (1, "a")

    class Settled:
        def get(self):
            return held

        def name(self):
            return __class__.__name__, held

    return Settled


@dataclasses.dataclass(order=True)
class Data:
    x: int = 1
    y: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int = 1


class Pair(typing.NamedTuple):
    a: int = 1


class Color(enum.Enum):
    RED = 1


@pytest.mark.parametrize("cls", [make_settled(), Data, Frozen, Pair, Color], ids=lambda cls: cls.__name__)
def test_what_nobody_can_change_costs_nothing(cls):
    assert not _closed.changes(cls)


def test_annotations_are_no_variables_of_methods():
    text = "class Annotated:\n    a: int\n    b: list[int]\n    def m(self, x: int) -> int: return x\n"
    namespace = {}
    exec(compile(text, "annotated", "exec", dont_inherit=True), namespace)
    assert not _closed.changes(namespace["Annotated"])
