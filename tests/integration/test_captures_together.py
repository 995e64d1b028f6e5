"""Captures that share a part: a behavior gets its own copy of what it captures, and one copy of each thing."""

from __future__ import annotations

import functools
import random
import types

import pytest
from boc import Cown, PinnedCown, when, whencall

pytestmark = pytest.mark.timeout(30)
KEEP_WORKERS = True


def test_helpers_and_the_body_close_over_one_list():
    local = []

    def add(x):
        local.append(x)

    def add_twice(x):
        add(x)
        local.append(x)

    for _ in range(2):

        @when(Cown(0))
        def body(c):
            add(1)
            add_twice(5)
            local.append(2)
            return local

        assert body.result() == [1, 5, 5, 2]
    assert local == []


def test_helpers_close_over_one_variable():
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    def last():
        return n

    for _ in range(2):

        @when(Cown(0))
        def body(c):
            return count(), count(), last(), n

        assert body.result() == (1, 2, 2, 2)
    assert n == 0


def test_what_a_helper_cannot_change_may_be_shared_without_more():
    factor, table = 3, (1, 2)

    def double(x):
        return x * factor + table[0]

    def triple(x):
        return double(x) + factor + table[1]

    @when(Cown(0))
    def body(c):
        return double(1), triple(1), factor, table

    assert body.result() == (4, 9, 3, (1, 2))


def test_one_list_by_several_ways():
    inner = [0]
    outer = {"inner": inner, "twice": (inner, inner)}

    @when(Cown(0))
    def body(c, late=inner, *, other=outer):
        inner.append(1)
        late.append(2)
        outer["inner"].append(3)
        other["twice"][1].append(4)
        return outer, inner

    found, alone = body.result()
    assert found == {"inner": [0, 1, 2, 3, 4], "twice": ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])}
    assert alone is found["inner"] is found["twice"][0] and inner == [0]


def test_a_part_below_a_tuple_that_two_share():
    part = ([],)
    first, second = [part], [part]

    @when(Cown(0))
    def body(c):
        first[0][0].append(1)
        return second[0][0]

    assert body.result() == [1]


def test_methods_of_one_object():
    items = [3, 1, 2]
    push, sort = items.append, items.sort

    @when(Cown(0))
    def body(c):
        push(0)
        sort()
        return items

    assert body.result() == [0, 1, 2, 3] and items == [3, 1, 2]


def take(c, x, y):
    x.append(c.value)
    return y


def test_whencall_and_callables():
    values = [1]
    assert whencall(take, [Cown(2)], [values, values]).result() == [1, 2]

    def method(self, c, y):
        self.append(c.value)
        return y

    bound = types.MethodType(method, values)
    assert whencall(bound, [Cown(3)], [values]).result() == [1, 3]

    def add(x, c):
        values.append(x)
        return [*values, c.value]

    @when(Cown(4))
    def body(c):
        functools.partial(add, 5)(c)
        return values

    assert body.result() == [1, 5] and values == [1]
    assert when(Cown(6))(functools.partial(add, 5)).result() == [1, 5, 6]


def test_pinned_and_nested_bodies():
    local = []

    def add(x):
        local.append(x)

    @when(PinnedCown(0))
    def pinned(p):
        add(1)
        return local

    @when(Cown(0))
    def outer(c):
        add(1)

        @when(c)
        def nested(c):
            add(2)
            return local

        add(3)
        return nested

    assert pinned.result() == [1]
    assert outer.result().result() == [1, 2] and local == []


def test_a_cell_that_is_bound_later():
    seen = []

    def even(n):
        seen.append(n)
        return n == 0 or odd(n - 1)

    def odd(n):
        seen.append(n)
        return n != 0 and even(n - 1)

    @when(Cown(0))
    def body(c):
        return even(3), seen

    assert body.result() == (False, [3, 2, 1, 0])


def test_what_a_body_stores_of_them_is_its_own():
    local, kept = [], Cown(None)

    def add(x):
        local.append(x)

    @when(kept)
    def store(c):
        add(1)
        c.value = local
        return local

    @when(kept)
    def later(c):
        c.value.append(2)
        return c.value

    assert store.result() == [1] and later.result() == [1, 2] and local == []


def test_functions_of_main_that_were_made_together(script):
    done = script("""
        from boc import Cown, wait, when

        def stack():
            items = []
            def push(x): items.append(x)
            def pop(): return items.pop()
            return push, pop, items

        push, pop, items = stack()
        state = {"names": []}
        names = state["names"]
        for _ in range(2):
            @when(Cown(1))
            def body(c):
                push(c.value)
                push(2)
                state["names"].append("a")
                return pop(), items, names
            print(body.result())
        push(7)
        print(when(Cown(0))(lambda c: (pop(), items)).result(), items, state)
        wait()
    """)
    assert done.stdout == "(2, [1], ['a'])\n" * 2 + "(7, []) [7] {'names': []}\n"


def shape(roots):
    """What leads to what, by the order in which a walk meets it."""
    met, found = {}, []

    def look(value):
        if isinstance(value, int):
            found.append(value)
        elif id(value) in met:
            found.append(("again", met[id(value)]))
        else:
            met[id(value)] = len(met)
            found.append((type(value).__name__, len(value)))
            for item in value.values() if isinstance(value, dict) else value:
                look(item)

    for root in roots:
        look(root)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed):
    rng = random.Random(seed)
    nodes = [rng.choice((list, dict))() for _ in range(rng.randint(2, 9))]
    for node in nodes:
        for k in range(rng.randint(0, 3)):
            part = rng.choice([*nodes, k, (rng.choice(nodes),), (k,)])
            if isinstance(node, dict):
                node[k] = part
            else:
                node.append(part)
    a, b, c = rng.choices(nodes, k=3)

    def helper():
        return a, c

    @when(Cown(0))
    def body(_, d=nodes[0]):
        return shape([a, b, c, d, *helper()])

    assert body.result() == shape([a, b, c, nodes[0], a, c])
