"""What semantics.md promises of order: FIFO, nesting, readers, batches; no waiting in a body."""

from __future__ import annotations

import sys

import boc
import pytest
from boc import Cown, batch, quiesce, read, when

pytestmark = pytest.mark.timeout(30)
KEEP_WORKERS = True


def log_on(c, text):
    """A behavior on one cown that appends a text to it."""
    @when(c)
    def _(c):
        c.value.append(text)


def test_one_queue_is_fifo():
    c = Cown([])
    for i in range(500):
        log_on(c, i)
    assert c.result() == list(range(500))


def test_order_holds_though_another_cown_is_free():
    boc.set_tags(["go"])
    a, b, log = Cown(0), Cown(0), Cown([])

    @when(a)
    def slow(a):
        boc.receive("go")

    @when(a, b, log)
    def both(a, b, log):
        log.value.append("both")

    @when(b, log)
    def later(b, log):
        log.value.append("later")

    boc.send("go", 1)
    assert log.result() == ["both", "later"]


def test_nested_goes_behind_what_is_queued():
    boc.set_tags(["go"])
    c = Cown([])

    @when(c)
    def outer(c):
        boc.receive("go")
        log_on(c, "inner")
        c.value.append("outer")

    log_on(c, "after")
    boc.send("go", 1)
    quiesce()
    assert c.result() == ["outer", "after", "inner"]


def test_nested_on_free_cowns_may_start_before_the_end():
    boc.set_tags(["inner"])

    @when()
    def outer():
        @when()
        def inner():
            boc.send("inner", "ran")

        return boc.receive("inner", 10)

    assert tuple(outer.result()) == ("inner", "ran")


def test_what_a_body_scheduled_before_it_raised_runs():
    c = Cown([])

    @when()
    def outer():
        log_on(c, "scheduled")
        raise ValueError("then")

    with pytest.raises(ValueError):
        outer.result()
    quiesce()
    assert c.result() == ["scheduled"]


def test_chain_through_behaviors():
    a, log = Cown(0), Cown([])

    @when(a)
    def first(a):
        @when(log)
        def nested(log):
            log.value.append("nested")

    @when(first, log)
    def second(first, log):
        log.value.append("second")

    assert second.result() is None
    assert log.result() == ["nested", "second"] or log.result() == ["second", "nested"]


@pytest.mark.parametrize("call", ["wait", "quiesce", "stop", "start", "pump", "result", "with"])
def test_waiting_is_never_inside_a_body(call):
    other = Cown(1)

    @when(Cown(1))
    def body(c):
        try:
            if call == "result":
                other.result()
            elif call == "with":
                with other:
                    pass
            else:
                getattr(boc, call)()
        except RuntimeError as error:
            return f"refused: {error}"
        return "allowed"

    assert body.result().startswith("refused")


def test_waiting_is_never_inside_a_pinned_body():
    pinned = boc.PinnedCown(1)

    @when(pinned)
    def body(p):
        with pytest.raises(RuntimeError):
            quiesce()
        with pytest.raises(RuntimeError):
            boc.pump()
        return "refused"

    assert body.result() == "refused"


def test_readers_run_together():
    boc.set_tags(["a", "b"])
    c = Cown([1, 2])

    def meet(mine, other):
        @when(read(c))
        def reader(c):
            boc.send(mine, 1)
            return boc.receive(other, 10)[0], c.value

        return reader

    one, two = meet("a", "b"), meet("b", "a")
    assert one.result() == ("b", [1, 2])
    assert two.result() == ("a", [1, 2])


def test_a_writer_waits_for_the_readers_before_it():
    boc.set_tags(["go"])
    c = Cown([0])

    @when(read(c))
    def reader(c):
        boc.receive("go")
        return list(c.value)

    @when(c)
    def writer(c):
        c.value.append(1)

    @when(read(c))
    def late(c):
        return list(c.value)

    boc.send("go", 1)
    assert reader.result() == [0]
    assert late.result() == [0, 1]


def test_assigning_through_a_reader():
    c = Cown([1])

    @when(read(c))
    def reader(c):
        c.value = 2

    with pytest.raises(RuntimeError, match="value of cown 'c': it is read here"):
        reader.result()

    @when(read(c))
    def marks(c):
        c.exception = True

    with pytest.raises(RuntimeError, match="exception of cown 'c': it is read here"):
        marks.result()
    assert c.result() == [1]


def test_in_place_changes_of_a_reader_are_dropped():
    c = Cown([1])

    @when(c)
    def warm(c):
        c.value.append(2)

    @when(read(c))
    def reader(c):
        c.value.append(3)
        return c.value

    assert reader.result() == [1, 2, 3]
    assert c.result() == [1, 2]


def test_read_of_lists_and_mixes():
    a, b = Cown(1), Cown(2)

    @when(read([a, b]), [read(a), b])
    def look(first, second):
        second[1].value = 5
        return [c.value for c in first]

    assert look.result() == [1, 5]

    @when(read(a), a)
    def both(r, w):
        w.value = 9
        r.value += 1
        return w.value

    assert both.result() == 10


def test_read_of_no_cown():
    with pytest.raises(TypeError):
        read(5)


def test_batch_is_atomic():
    c = Cown([])
    with batch():
        for i in range(5):
            log_on(c, i)
    quiesce()
    assert c.result() == [0, 1, 2, 3, 4]


def test_two_batches_do_not_interleave():
    import threading
    a, b = Cown([]), Cown([])

    def writer(name):
        for _ in range(50):
            with batch():
                log_on(a, name)
                log_on(b, name)
                log_on(a, name)

    threads = [threading.Thread(target=writer, args=(n,)) for n in "xy"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    quiesce()
    log = a.result()
    assert [log[i] for i in range(0, len(log), 2)] == [log[i] for i in range(1, len(log), 2)] == b.result()


def test_results_inside_a_batch():
    with batch():
        @when()
        def first():
            return 20

        @when(first)
        def second(first):
            return first.value + 1

        with pytest.raises(RuntimeError):
            first.result()
    assert second.result() == 21


def test_a_batch_left_by_an_exception():
    c = Cown([])
    with pytest.raises(KeyError), batch():
        @when(c)
        def never(c):
            c.value.append(1)

        raise KeyError("out")
    quiesce()
    assert c.result() == []
    with pytest.raises(boc.Cancelled):
        never.result()


def test_a_nested_batch_joins_the_outer():
    c = Cown([])
    with batch():
        log_on(c, 1)
        with batch():
            log_on(c, 2)
        assert c.done()
        log_on(c, 3)
    quiesce()
    assert c.result() == [1, 2, 3]


def test_batch_in_a_body():
    c = Cown([])

    @when()
    def outer():
        with batch():
            log_on(c, "a")
            log_on(c, "b")

    outer.result()
    assert c.result() == ["a", "b"]


def test_a_batch_that_a_body_left_open():
    """It is as if an exception had left it, and later bodies on that worker schedule as always."""
    c = Cown([])

    def leave_one():
        @when()
        def leaves():
            open_batch = batch()
            open_batch.__enter__()
            sys.modules["kept"] = open_batch

            @when(c)
            def never(c):
                c.value.append("never")

            return never

        return leaves

    def log_later():
        @when()
        def later():
            log_on(c, "later")

        return later

    for never in boc.gather([leave_one() for _ in range(8)]):
        with pytest.raises(boc.Cancelled):
            never.result()
    boc.gather([log_later() for _ in range(8)])
    assert c.result() == ["later"] * 8


def test_a_batch_that_is_forgotten():
    c = Cown([])
    entered = batch()
    entered.__enter__()

    @when(c)
    def never(c):
        c.value.append("never")

    del entered
    with pytest.raises(boc.Cancelled):
        never.result()
    assert c.result() == []


def test_results_of_an_open_batch_cannot_be_taken():
    p, c = boc.PinnedCown(0), Cown([])

    @when(p)
    def pinned(p):
        log_on(c, "pinned")

    with batch():

        @when(c)
        def inner(c):
            return len(c.value)

        for take in (inner.unwrap, inner.acquire, inner.result, boc.pump):
            with pytest.raises(RuntimeError, match="batch"):
                take()
        assert not inner.done()
    assert inner.result() == 0
    assert pinned.result() is None
    assert c.result() == ["pinned"]
