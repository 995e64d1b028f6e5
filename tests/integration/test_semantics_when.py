"""What semantics.md promises of `when`: parameters, captures by value, what is refused at decoration."""

from __future__ import annotations

import dataclasses
import enum
import functools
import logging
import sys
import threading

import boc
import pytest
from boc import Cown, quiesce, when, whencall

pytestmark = pytest.mark.timeout(30)
KEEP_WORKERS = True

LIMIT = 7
TABLE = {"a": 1}


class Point:
    """A class of an importable module: it travels by name."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)


def double(x):
    """A function of an importable module."""
    return x * 2


def test_parameters_are_cowns():
    @when(Cown(1), Cown(2))
    def add(left, right):
        return left.value + right.value

    assert isinstance(add, Cown)
    assert add.result() == 3


def test_no_cowns():
    @when()
    def nothing():
        return "ran"

    assert nothing.result() == "ran"


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_arrive_as_lists(kind):
    cowns = kind(Cown(i) for i in range(3))

    @when(cowns, Cown(10))
    def total(cowns, more):
        assert isinstance(cowns, list)
        return sum(c.value for c in cowns) + more.value

    assert total.result() == 13


def test_empty_list():
    @when([], Cown(1))
    def look(none, one):
        return none, one.value

    assert look.result() == ([], 1)


def test_star_args():
    @when(*[Cown(i) for i in range(3)], [Cown(3)])
    def total(*args):
        *cowns, last = args
        return [c.value for c in cowns], last[0].value

    assert total.result() == ([0, 1, 2], 3)


def test_first_and_star_args():
    @when(Cown(1), Cown(2), Cown(3))
    def total(first, *rest):
        return first.value, len(rest)

    assert total.result() == (1, 2)


def test_trailing_defaults_are_captures():
    for i in range(3):
        @when(Cown(10))
        def add(c, i=i, *, more=100):
            return c.value + i + more

        assert add.result() == 110 + i


def test_the_same_cown_twice():
    c = Cown(1)

    @when(c, c, [c])
    def look(a, b, many):
        a.value += 1
        b.value += 1
        many[0].value += 1
        return a == b == many[0], a.value

    assert look.result() == (True, 4)


def test_a_list_changed_after_scheduling():
    cowns = [Cown(1), Cown(2)]
    with cowns[0]:
        @when(cowns)
        def count(cowns):
            return len(cowns)

        cowns.append(Cown(3))
    assert count.result() == 2


def test_closure_cells_by_value():
    x = 1

    @when()
    def first():
        return x

    x = 2

    @when()
    def second():
        return x

    assert (first.result(), second.result()) == (1, 2)


def test_loop_variable_by_value():
    found = []
    for i in range(10):
        @when()
        def number():
            return i

        found.append(number)
    assert boc.gather(found) == list(range(10))


def test_mutable_capture_is_taken_anew():
    data = [1]

    @when()
    def first():
        return data

    data.append(2)

    @when()
    def second():
        return data

    assert (first.result(), second.result()) == ([1], [1, 2])


def test_each_behavior_gets_its_own_copy():
    data = [0]

    def bump():
        @when()
        def body():
            data.append(1)
            return len(data)

        return body

    assert boc.gather([bump() for _ in range(20)]) == [2] * 20
    assert data == [0]


def test_module_names():
    @when(Cown(3))
    def use(c):
        return double(c.value) + LIMIT, Point(1, 2), TABLE["a"]

    assert use.result() == (13, Point(1, 2), 1)


def test_captured_cown_is_a_handle():
    c = Cown(1)

    @when()
    def schedule():
        @when(c)
        def add(c):
            c.value += 1

    quiesce()
    assert c.result() == 2
    assert schedule.result() is None


def test_local_functions_and_classes():
    class Base:
        def name(self):
            return "base"

    class Child(Base):
        def name(self):
            return "child of " + super().name()

    @dataclasses.dataclass
    class Data:
        x: int
        y: list = dataclasses.field(default_factory=list)

    class Colour(enum.Enum):
        RED = 1

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    c = Cown(Data(1))

    @when(c)
    def use(c):
        assert isinstance(c.value, Data)
        c.value.y.append(even(10))
        return Child().name(), Colour.RED, c.value

    name, colour, data = use.result()
    assert name == "child of base"
    assert colour is Colour.RED
    assert data == Data(1, [True]) and type(data) is Data


def test_a_name_not_yet_defined():
    @when()
    def use():
        return not_yet_there  # noqa: F821

    with pytest.raises(NameError, match="not_yet_there"):
        use.result()


def test_decorators_below_compose():
    def shout(f):
        @functools.wraps(f)
        def wrapper(*args):
            return f(*args).upper()

        return wrapper

    @when(Cown("hello"))
    @shout
    def say(c):
        return c.value

    assert say.result() == "HELLO"


def test_whencall():
    c = Cown(2)
    assert whencall(lambda x: x.value * 3, [c]).result() == 6
    assert whencall(lambda x, y: x.value + y, [c], [40]).result() == 42
    assert whencall(lambda x, y: x.value + y, [c], {"y": 5}).result() == 7
    assert whencall(double, [], [4]).result() == 8
    named = whencall(lambda: 1, [], name="one")
    assert named.name == "one"


def test_partials_and_bound_methods():
    class Adder:
        def __init__(self, n):
            self.n = n

        def add(self, c):
            return c.value + self.n

    assert when(Cown(1))(Adder(4).add).result() == 5
    assert whencall(functools.partial(lambda n, c: c.value * n, 3), [Cown(5)]).result() == 15


def test_name_keyword():
    @when(Cown(1), name="important")
    def body(c):
        return 1

    assert body.name == "important"


@pytest.mark.parametrize("wrong", [1, "knife", None, object()])
def test_not_a_cown(wrong):
    with pytest.raises(TypeError):
        @when(wrong)
        def body(c):
            pass


def test_not_a_cown_in_a_list():
    with pytest.raises(TypeError):
        @when([Cown(1), 2])
        def body(cs):
            pass


def test_wrong_number_of_parameters():
    with pytest.raises(TypeError):
        @when(Cown(1))
        def none():
            pass
    with pytest.raises(TypeError):
        @when(Cown(1))
        def two(a, b):
            pass


def test_not_callable():
    with pytest.raises(TypeError):
        when(Cown(1))(5)


def test_unknown_keyword():
    with pytest.raises(ValueError):
        when(Cown(1), on="the moon")(lambda c: None)
    with pytest.raises((TypeError, ValueError)):
        when(Cown(1), colour="red")


def test_async_and_generators():
    with pytest.raises(SyntaxError):
        @when()
        async def later():
            pass
    with pytest.raises(SyntaxError):
        @when()
        def many():
            yield 1


class Later:
    async def __call__(self, c):
        return c

    async def method(self, c):
        return c

    def many(self, c):
        yield c


@pytest.mark.parametrize("body", [
    Later(), Later().method, Later().many, functools.partial(Later.method, None), functools.partial(Later().many),
], ids=["instance", "method", "generator method", "partial", "partial of a method"])
def test_callables_whose_call_does_not_run_them(body):
    c = Cown(1)
    for _ in range(2):
        with pytest.raises(SyntaxError, match=r"is (an async function|a generator)"):
            whencall(body, [c])
    assert c.done()


def test_rebinding_an_outer_name():
    count = 0
    with pytest.raises(SyntaxError, match="count"):
        @when()
        def bump():
            nonlocal count
            count += 1
    with pytest.raises(SyntaxError, match="LIMIT"):
        @when()
        def store():
            global LIMIT
            LIMIT = 1
    with pytest.raises(SyntaxError, match="count"):
        @when()
        def nested():
            def inner():
                nonlocal count
                count = 2
            inner()
    assert count == 0


def test_a_capture_that_cannot_move():
    import threading
    gate = threading.Lock()
    ran = Cown(0)
    with pytest.raises(boc.TransferError, match="gate"):
        @when(ran)
        def use(ran):
            ran.value = 1
            with gate:
                pass
    quiesce()
    assert ran.result() == 0


def test_hint_for_a_change_to_a_capture(caplog):
    found = []
    with caplog.at_level(logging.WARNING, logger="boc"):
        for _ in range(3):
            @when()
            def body():
                found.append(1)
        quiesce()
    hints = [r for r in caplog.records if "found" in r.getMessage()]
    assert len(hints) == 1
    assert found == []


def test_a_result_is_a_cown_like_any_other():
    @when()
    def first():
        return [1]

    @when(first)
    def second(first):
        first.value.append(2)
        return first.value

    assert second.result() == [1, 2]
    assert first.result() == [1, 2]


def test_nested_result():
    @when()
    def outer():
        @when()
        def inner():
            return 5

        return inner

    inner = outer.result()
    assert isinstance(inner, Cown)
    assert inner.result() == 5


def test_a_thousand_cowns_and_a_thousand_times_one():
    many = [Cown(i) for i in range(1000)]

    @when(many)
    def total(many):
        return sum(c.value for c in many)

    @when([many[3]] * 1000)
    def same(cs):
        return len(cs), cs[0].value

    assert total.result() == 499500
    assert same.result() == (1000, 3)


def test_threads_that_schedule_one_body_for_the_first_time_at_once():
    """What is known of a body is made once; who comes while it is made must not share it half made."""
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(60):
            schedule_at_once()
    finally:
        sys.setswitchinterval(was)


def schedule_at_once():
    space = {"when": boc.when, "Cown": Cown, "scale": 3}
    exec("def add(i):\n    @when(Cown(i))\n    def f(c):\n        return c.value * scale\n    return f", space)
    gate, got = threading.Barrier(4), []

    def run(i):
        gate.wait()
        got.append(space["add"](i).result(20))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(got) == [0, 3, 6, 9]
