"""What lives is counted, and nothing is left behind: also values that die while they are encoded."""

import gc

import boc
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
