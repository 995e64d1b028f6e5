"""What lives is counted, and nothing is left behind: also values that die while they are encoded."""

import gc

import boc
import pytest
from boc import Cown, debug, quiesce, when


class Box:
    def __init__(self):
        self.items = {}


def test_counts_end_where_they_began():
    boc.wait()
    before = debug.live()

    def work():
        cowns = [Cown(Box()) for _ in range(10)]
        for i in range(200):
            @when(cowns[i % 10], cowns[(i + 3) % 10])
            def f(a, b):
                a.value.items[i % 7] = [i]
                return list(b.value.items)
        quiesce()
        assert debug.live()["cowns"] >= before["cowns"] + 10
    work()
    gc.collect()
    boc.wait()  # the workers have ended: nothing moves any more
    after = debug.live()
    assert after["live_values"] == 0
    assert after["cowns"] <= before["cowns"]
    assert after["behaviors"] == before["behaviors"]


def test_values_of_cowns_that_die_before_the_first_start_are_freed(script):
    done = script("""
        import boc
        before = boc.debug.live()
        for i in range(5):
            boc.Cown([i, bytearray(100_000), boc.Cown({"inner": i})])
        print(boc.debug.live() == before)
    """)
    assert done.stdout == "True\n"


def test_cowns_die_while_others_are_swept():
    """A sweep encodes idle values without owning their cowns; one that dies meanwhile is freed once."""
    for _ in range(30):
        keep = Cown(Box())
        other = Cown([1])
        for i in range(60):
            @when(keep, other)
            def f(k, o):
                k.value.items[i % 7] = [i]
                o.value.append(1)
                return [1, 2]

            @when(keep)
            def g(k):
                @when(other)
                def h(o):
                    return len(o.value)
                return h
        quiesce()
    assert len(other.result()) == 61


def test_bodies_that_capture_the_function_around_them_are_forgotten():
    """Code, what is known of it, function and code again: no collector sees this circle."""
    def once():
        cowns = [Cown([1]) for _ in range(3)]

        def nest(depth):
            @when(*cowns)
            def nested(*held):
                if depth:
                    nest(depth - 1)

        nest(2)

    boc.reset()
    gc.collect()
    before = debug.live()
    for _ in range(3):
        once()
        boc.wait()
    boc.reset()
    gc.collect()
    after = debug.live()
    assert (after["cowns"], after["encoded_values"]) == (before["cowns"], before["encoded_values"])


def test_a_long_chain_of_cowns_dies_at_once(script):
    """Each holds the next: freeing one in the other a hundred thousand deep would not fit on the stack."""
    done = script("""
        import boc
        before = boc.debug.live()
        def chained(wrap):
            chain = boc.Cown(None)
            for _ in range(100_000):
                chain = boc.Cown(wrap(chain))
            return chain
        for wrap in (lambda c: c, lambda c: [c]):
            chained(wrap)
        print(boc.debug.live() == before)

        @boc.when()
        def made():
            return chained(lambda c: {"next": c})
        boc.quiesce()
        made.unwrap()
        del made
        boc.wait()
        print(boc.debug.live()["cowns"])
    """)
    assert done.stdout == "True\n0\n"


CYCLES = """
import gc, boc
from boc import Cown, when
def tied_on_main():
    a, b = Cown([]), Cown(None)
    with a, b:
        a.value.append(b)
        b.value = {"other": a, "hangs on it": Cown([1])}
def tied_in_a_body():
    a, b = Cown([]), Cown([])
    @when(a, b)
    def tie(a, b):
        a.value.append(b)
        b.value.append((a, b))
def handles_alone():
    a, b = Cown(0), Cown(0)
    @when(a, b)
    def tie(a, b):
        a.value, b.value = b, a
def itself():
    c = Cown(0)
    with c:
        c.value = c
def result_in_its_cown():
    c = Cown([])
    @when(c)
    def body(c):
        return c
    @when(c, body)
    def tie(c, body):
        c.value.append(body)
"""


@pytest.mark.parametrize("end", ["boc.wait()", "boc.stop()"])
def test_cycles_of_cowns_live_until_the_workers_end(script, end):
    done = script(f"""{CYCLES}
for tie in (tied_on_main, tied_in_a_body, handles_alone, itself, result_in_its_cown):
    before = boc.debug.live()["cowns"]
    tie()
    boc.quiesce()
    gc.collect()
    assert boc.debug.live()["cowns"] > before, tie
    boc.start(2)
    {end}
    print(boc.debug.live()["cowns"] - before, end=" ")
""")
    assert done.stdout == "0 0 0 0 0 "


def test_cycles_that_are_held_stay(script):
    done = script("""
        import boc
        from boc import Cown, send, receive
        a, b = Cown([], name="a"), Cown([], name="b")
        with a, b:
            a.value.append(b)
            b.value += [a, Cown("inner")]
        c = Cown([])
        with c:
            c.value.append(c)
        send("cowns", [c])
        del a, c
        boc.start(2)
        boc.wait()
        with b:
            a, inner = b.value
            with a, inner:
                print(a.value == [b], inner.value)
        c = receive("cowns")[1][0]
        with c:
            print(c.value == [c])
    """)
    assert done.stdout == "True inner\nTrue\n"


def test_starts_and_waits_without_end_do_not_fill_the_store(script):
    """Functions of __main__ that bodies schedule, class and closure among them: what stays the same is kept once."""
    done = script("""
        import boc
        from boc import Cown, when

        STEP, TABLE = 2, {"a": [1]}

        class Box:
            def __init__(self): self.n = 0
            def add(self): self.n += STEP

        def helper(box):
            return len(TABLE["a"])

        def life():
            c, made = Cown(Box()), Cown(None)
            def nest(depth):
                @when(c)
                def nested(c):
                    c.value.add()
                    if depth:
                        nest(depth - 1)
            nest(2)
            @when(c, made)
            def makes(c, made):
                def one(box):
                    box.n += helper(box)
                def other(box):
                    box.n += STEP
                for function in (one, other):
                    @when(c)
                    def inner(c):
                        function(c.value)
                made.value = one, other, lambda: (TABLE, Box)
            @when(c, made)
            def uses(c, made):
                made.value[1](c.value)
                return made.value[2]()[0]["a"]
            assert uses.result() == [1]
            boc.quiesce()
            n = c.result().n
            boc.wait()
            return n

        numbers = set()
        for i in range(10):
            boc.start(1)
            numbers.add(life())
            if i == 2:
                before = boc.debug.definitions()
        print(numbers, boc.debug.definitions() == before, 0 < before["records"] < before["bytes"])
        STEP = 3
        boc.start(2)
        print(life(), boc.debug.definitions()["records"] > before["records"])
    """)
    assert done.stdout == "{11} True True\n16 True\n"
