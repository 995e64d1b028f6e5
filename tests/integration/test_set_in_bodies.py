"""What a body sets in a class or a function of the program stays in that body: no outcome depends on the worker."""

from __future__ import annotations

import boc
import pytest
from boc import Cown, gather, start, when

TIMEOUT = 20
ROUNDS = 3000  # CPython tells of a class's changes some thousand times at most


def _program(namespace):
    """What a notebook would hold: classes and functions of no importable module."""
    exec(SOURCE, namespace)
    return namespace


SOURCE = """
from boc import Cown, start, when

class Meta(type):
    def __setattr__(cls, name, value):
        super().__setattr__(name, value)

class Counter(metaclass=Meta):
    n = 0
    gone = 1

    def word(self):
        return "as written"

    @classmethod
    def count(cls):
        cls.n += 1
        return cls.n

class Derived(Counter):
    pass

class Base:
    known = 0

    def __init_subclass__(cls, **options):
        Base.known += 1

def counted():
    counted.calls = getattr(counted, "calls", 0) + 1
    return counted.calls

def change():
    @when()
    def body():
        Counter.word = lambda self: "set"
        Counter.new = 1
        del Counter.gone

        class Local(Base):
            pass

        return Counter.count(), Derived.count(), counted(), counted(), Base.known, Counter().word()

    return body

def look():
    @when()
    def body():
        return (Counter.n, "n" in vars(Derived), hasattr(counted, "calls"), Base.known, Counter().word(),
                hasattr(Counter, "new"), hasattr(Counter, "gone"))

    return body

def add(cown):
    @when(cown)
    def body(c):
        Counter.n += 1
        c.value += Counter.n
"""


@pytest.fixture
def program():
    boc.reset()
    start(workers=1)
    return _program({"__name__": "__main__"})


def test_each_body_begins_with_what_the_program_set(program):
    changed, seen = gather([program["change"](), program["change"]()], TIMEOUT), program["look"]().result(TIMEOUT)
    assert changed == [(1, 2, 1, 2, 1, "set")] * 2
    assert seen == (0, False, False, 0, "as written", False, True)


def test_what_the_program_sets_later_holds(program):
    program["change"]().result(TIMEOUT)
    program["Counter"].n = 7
    program["counted"].calls = 40
    changed = gather([program["change"](), program["change"]()], TIMEOUT)
    assert changed == [(8, 9, 41, 42, 1, "set")] * 2
    del program["Counter"].gone
    assert program["look"]().result(TIMEOUT) == (7, False, True, 0, "as written", False, False)


def test_a_class_that_is_set_many_times(program):
    total = Cown(0)
    for _ in range(ROUNDS):
        program["add"](total)
    assert total.result(TIMEOUT) == ROUNDS


def test_a_body_that_raises_or_leaves_it_to_a_thread(program):
    Counter = program["Counter"]

    @when()
    def raises():
        Counter.n = 5
        raise ValueError("after it was set")

    @when()
    def by_thread():
        import threading

        thread = threading.Thread(target=setattr, args=(Counter, "n", 9))
        thread.start()
        thread.join()
        return Counter.n

    with pytest.raises(ValueError, match="after it was set"):
        raises.result(TIMEOUT)
    assert by_thread.result(TIMEOUT) == 9
    assert program["look"]().result(TIMEOUT)[0] == 0


def test_what_is_set_again_and_again_is_noted_once(program):
    counted = program["counted"]

    @when()
    def body():
        import sys

        counted.calls = 0
        before = sys.getallocatedblocks()
        for i in range(ROUNDS):
            counted.calls = i
        return sys.getallocatedblocks() - before

    assert body.result(TIMEOUT) < ROUNDS / 10
