"""Refused values: which member, where it is, and what to do instead."""

from __future__ import annotations

import functools
import pickle
import socket
import sys
import threading
import time

import pytest
from boc._errors import TransferError
from boc._transfer import explain_arrival, explain_refusal


class Box:
    def __init__(self, **members):
        vars(self).update(members)


class Slots:
    __slots__ = ("a", "lock")


class Raising:
    def __reduce__(self):
        raise ValueError("never")


class Nonsense:
    def __reduce__(self):
        return 5


class Slow:
    def __reduce__(self):
        time.sleep(0.05)
        raise ValueError("slow")


class SlowButMovable:
    def __reduce__(self):
        time.sleep(0.05)
        return (SlowButMovable, ())


class State:
    def __getstate__(self):
        return ("a", self.held)


class MyList(list):
    pass


class MyDict(dict):
    pass


def explain(value, what="the value of cown 'x'", **more):
    with pytest.raises(Exception) as caught:
        pickle.dumps(value, 5)
    error = explain_refusal(value, caught.value, what, **more)
    assert type(error) is TransferError
    assert error.__cause__ in (caught.value, None)
    assert "\n" not in str(error)
    return error


def slots():
    s = Slots()
    s.a, s.lock = 1, threading.Lock()
    return s


def held():
    s = State()
    s.held = threading.Lock()
    return s


LOCK = threading.Lock()
PLACES = [
    (LOCK, ""),
    ([1, 2, LOCK], "[2]"),
    ((1, (LOCK,)), "[1][0]"),
    ({"a": 1, "b": {"c": LOCK}}, "['b']['c']"),
    (Box(items=[1, 2, 3, Box(lock=LOCK)]), ".items[3].lock"),
    (slots(), ".lock"),
    (held(), ".held"),
    ({LOCK}, " (an element)"),
    (MyList([1, LOCK]), "[1]"),
    (MyDict(a=LOCK), "['a']"),
    (functools.partial(print, LOCK), ".args[0]"),
    (ValueError("x", LOCK), ".args[1]"),
    ([*range(50_000), LOCK], "[50000]"),
]


@pytest.mark.parametrize(("value", "path"), PLACES, ids=[p or "itself" for _, p in PLACES])
def test_the_smallest_member_and_its_path(value, path):
    error = explain(value)
    assert (error.path, error.type_name) == (path, "_thread.lock")
    assert "'_thread.lock' cannot move between workers" in str(error)
    assert "cown 'x'" in str(error)
    assert path.strip() in str(error)
    assert "PinnedCown" in str(error)


def test_the_whole_message():
    error = explain(Box(items=[1, 2, 3, Box(lock=threading.local())]), behavior="cook")
    assert str(error) == (
        "a value of type '_thread._local' cannot move between workers: it is at .items[3].lock of "
        "the value of cown 'x' as behavior 'cook' left it; "
        "make it inside the behavior, or keep it in a PinnedCown"
    )
    assert error.behavior == "cook"


def types_that_stay():
    yield (i for i in range(3))
    yield open(__file__)  # noqa: SIM115
    yield socket.socket()
    yield sys._getframe()
    yield threading.local()
    yield threading.RLock()


@pytest.mark.parametrize("value", list(types_that_stay()), ids=lambda v: type(v).__name__)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_types_that_never_move(value):
    error = explain([value])
    assert error.path == "[0]"
    assert error.type_name.endswith(type(value).__qualname__)
    if hasattr(value, "close"):
        value.close()


def test_ways_out_fit_the_type():
    assert "make a list of it" in str(explain(i for i in range(3)))
    with open(__file__) as f:
        assert "open it inside" in str(explain(f))


def test_a_reduce_that_raises_or_gives_nonsense():
    error = explain(Box(a=[Raising()]))
    assert (error.path, error.type_name) == (".a[0]", f"{__name__}.Raising")
    assert "ValueError: never" in str(error)
    assert type(error.__cause__) is ValueError
    assert explain(Box(a=Nonsense())).path == ".a"


def test_bounded_time():
    start = time.monotonic()
    assert explain([SlowButMovable() for _ in range(30)] + [Slow()]).type_name
    assert time.monotonic() - start < 6  # the encode itself takes 1.5 s
    assert explain([Slow()]).path == "[0]"


def test_cycles_and_depth():
    a = Box()
    a.me, a.lock = a, LOCK
    assert explain([a, a]).path == "[0].lock"
    ring = [LOCK]
    ring.insert(0, ring)
    assert explain(ring).path == "[1]"
    deep = LOCK
    for _ in range(40):
        deep = [deep]
    assert explain(deep).path == "[0]" * 40
    for _ in range(100_000):
        deep = [deep]
    assert "too deeply" in str(explain(deep))


def test_keys():
    class Key:
        def __reduce__(self):
            raise ValueError

        def __repr__(self):
            return "K" * 100

    assert explain({Key(): 1}).path.startswith(" (the key KKK")


def test_a_local_function_and_its_variables():
    lock = threading.Lock()

    def f():
        return lock

    assert explain([f]).path == "[0] (its variable 'lock')"


def test_a_cowns_label_is_its_value():
    assert "it is the value of cown 'x';" in str(explain(LOCK, "cown 'x'"))
    assert "it is at [0] of the value of cown 'x';" in str(explain([LOCK], "cown 'x'"))
    assert explain(LOCK).__cause__ is None


def test_without_a_place():
    try:
        pickle.dumps(LOCK)
    except TypeError as e:
        text = str(explain_refusal(LOCK, e))
    assert text.startswith("a value of type '_thread.lock' cannot move between workers; a cown needs no lock")


def test_arrival():
    error = explain_arrival(ModuleNotFoundError("No module named 'zork'"), "the value of cown 'x'", "cook")
    assert str(error).startswith("the value of cown 'x' cannot be loaded here: ModuleNotFoundError")
    assert error.behavior == "cook"
