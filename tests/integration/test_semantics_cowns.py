"""What semantics.md promises of cowns: values, holding, names, identity, loss."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading

import boc
import pytest
from boc import Cown, _core, quiesce, when

pytestmark = pytest.mark.timeout(30)
KEEP_WORKERS = True


def value_of(cown):
    with cown:
        return cown.value


def test_value_is_taken_at_the_call():
    data = [1, 2]
    c = Cown(data)
    data.append(3)

    @when(c)
    def length(c):
        return len(c.value)

    assert length.result() == 2


def test_in_place_operators():
    c, d = Cown(1), Cown([1])

    @when(c, d)
    def change(c, d):
        c.value += 41
        d.value += [2]

    quiesce()
    assert value_of(c) == 42
    assert value_of(d) == [1, 2]


def test_no_rollback():
    c = Cown([])

    @when(c)
    def fails(c):
        c.value.append("kept")
        raise ValueError("after the change")

    with pytest.raises(ValueError, match="after the change"):
        fails.result()
    assert value_of(c) == ["kept"]


def test_two_cowns_never_share():
    a, b = Cown(None), Cown(None)

    @when(a, b)
    def share(a, b):
        one = [0]
        a.value = one
        b.value = [one]
        return one

    @when(a)
    def change(a):
        a.value.append(1)

    assert share.result() == [0]
    assert change.result() is None
    assert b.result() == [[0]]
    assert a.result() == [0, 1]


def test_shared_inside_one_cown_stays_shared():
    inner = [0]
    c = Cown([inner, inner])

    @when(c)
    def change(c):
        c.value[0].append(1)
        return c.value[1]

    assert change.result() == [0, 1]


def test_recursive_value():
    loop = [1]
    loop.append(loop)
    c = Cown(loop)

    @when(c)
    def is_loop(c):
        return c.value[1] is c.value

    assert is_loop.result() is True


def test_unheld_value_says_how_to_hold_it():
    c = Cown(1, name="knife")
    with pytest.raises(RuntimeError, match="knife"):
        _ = c.value
    with pytest.raises(RuntimeError, match="knife"):
        c.value = 2


def test_with_on_main():
    c = Cown(1)
    assert not c.acquired
    with c:
        assert c.acquired
        c.value += 1
    assert not c.acquired
    c.acquire()
    assert c.value == 2
    c.release()
    with pytest.raises(RuntimeError):
        c.release()


def test_second_acquire():
    c = Cown(1)
    with c:
        with pytest.raises(RuntimeError):
            c.acquire()
        failure = []

        def other():
            try:
                c.acquire()
            except RuntimeError as error:
                failure.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(failure) == 1
    with pytest.raises(RuntimeError), c, c:
        pass
    with c:
        assert c.value == 1


def test_acquire_of_an_owned_cown_fails_at_once():
    c = Cown(1, name="knife")
    boc.set_tags(["leave", "entered"])

    @when(c)
    def hold(c):
        boc.send("entered", 1)
        boc.receive("leave")

    boc.receive("entered")
    with pytest.raises(RuntimeError, match="knife"):
        c.acquire()
    boc.send("leave", 1)
    quiesce()
    with c:
        assert c.value == 1


def test_behaviors_queue_behind_main():
    c = Cown(1)
    with c:
        @when(c)
        def late(c):
            return c.value

        assert not late.done()
        c.value = 7
    assert late.result() == 7


def test_wait_that_only_this_thread_could_end():
    c = Cown(1, name="pan")
    with c:
        @when(c)
        def late(c):
            return 1

        with pytest.raises(RuntimeError, match="pan"):
            quiesce()
        with pytest.raises(RuntimeError, match="pan"):
            late.result()
        with pytest.raises(RuntimeError, match="pan"):
            next(boc.as_completed([late]))
    assert late.result() == 1


def test_result_is_a_snapshot():
    c = Cown([1])
    got = c.result()
    got.append(2)
    assert c.result() == [1]


def test_result_waits_in_order():
    c = Cown([])
    for i in range(50):
        @when(c)
        def _(c):
            c.value.append(i)

    assert c.result() == list(range(50))


def test_a_cown_is_free_once_its_result_was_seen():
    for _ in range(300):
        c = Cown(None)

        @when(c)
        def make(c):
            c.value = [1, [2]]

        make.result()
        assert c.result() == [1, [2]]  # its value rests live with a worker: a request of main's own fetches it
        with c:
            assert c.value == [1, [2]]


def test_result_timeout():
    boc.set_tags(["go"])

    @when()
    def slow():
        boc.receive("go")
        return 5

    with pytest.raises(TimeoutError):
        slow.result(timeout=0.05)
    with pytest.raises(TimeoutError):
        slow.result(0)
    with pytest.raises(TimeoutError):
        slow.result(timeout=-1)
    with pytest.raises(ValueError):
        slow.result(timeout=float("nan"))
    boc.send("go", 1)
    assert slow.result(timeout=None) == 5
    assert slow.result(timeout=0) == 5


def test_unwrap():
    c = Cown([1, 2])
    assert c.unwrap() == [1, 2]
    assert c.unwrap() is None

    @when()
    def fails():
        raise KeyError("x")

    quiesce()
    with pytest.raises(KeyError):
        fails.unwrap()
    assert fails.exception is False
    assert fails.unwrap() is None


def test_unwrap_in_flight():
    boc.set_tags(["go"])
    c = Cown(1)

    @when(c)
    def hold(c):
        boc.receive("go")

    with pytest.raises(RuntimeError, match="in flight"):
        c.unwrap()
    boc.send("go", 1)
    quiesce()
    assert c.unwrap() == 1


def test_done():
    boc.set_tags(["go"])
    c = Cown(1)
    assert c.done()

    @when(c)
    def hold(c):
        boc.receive("go")

    assert not c.done() and not hold.done()
    boc.send("go", 1)
    quiesce()
    assert c.done() and hold.done()


def test_gather_and_as_completed():
    def number(i):
        @when()
        def n():
            return i

        return n

    cowns = [number(i) for i in range(20)]
    assert boc.gather(cowns) == list(range(20))
    assert sorted(c.result() for c in boc.as_completed(cowns)) == list(range(20))
    assert boc.gather([]) == []


def test_gather_asks_for_many_live_values_at_once(monkeypatch):
    """Lists rest with the worker that made them: it is asked for 256 at a time, and for no number."""
    def results(n, value):
        made = []
        for i in range(n):
            @when()
            def made_one():
                return value(i)

            made.append(made_one)
        return made

    def asked():
        quiesce()
        return sum(row["fetches"] + row["porter_fetches"] for row in boc.scheduler_stats()) - before

    numbers, lists = results(300, lambda i: i), results(600, lambda i: [i])
    quiesce()
    before = 0
    before = asked()
    assert _core._bring(numbers, 0) == 256 and _core._bring(numbers, 256) == 300 and asked() == 0
    assert _core._bring(lists, 0) == 256 and asked() == 256
    begun = []
    bring = _core._bring
    monkeypatch.setattr(_core, "_bring", lambda cowns, first: begun.append(first) or bring(cowns, first))
    assert boc.gather(lists, 20) == [[i] for i in range(600)]
    assert begun == [0, 256, 512] and asked() >= 600
    assert boc.gather(numbers) == list(range(300))
    assert boc.gather([Cown(1), *results(3, lambda i: [i]), boc.PinnedCown("p")]) == [1, [0], [1], [2], "p"]


def test_gather_raises_the_first_by_position():
    def fail(i):
        @when()
        def f():
            raise ValueError(f"number {i}")

        return f

    with pytest.raises(ValueError, match="number 0"):
        boc.gather([fail(i) for i in range(4)])
    quiesce()


def test_exception_flag():
    @when()
    def fails():
        raise ValueError("x")

    @when(fails)
    def look(fails):
        was = fails.exception, type(fails.value).__name__
        fails.value = 3
        return was, fails.exception

    assert look.result() == ((True, "ValueError"), False)
    assert fails.result() == 3


def test_an_exception_that_was_stored_is_a_value():
    c = Cown(ValueError("stored"))
    assert c.exception is False
    assert isinstance(c.result(), ValueError)

    @when()
    def returned():
        return KeyError("returned")

    assert isinstance(returned.result(), KeyError)
    assert returned.exception is False


def test_handles_travel_and_compare():
    c = Cown(1)
    box = Cown({"c": c})

    @when(box)
    def same(box):
        return box.value["c"] == c, hash(box.value["c"]), box.value["c"]

    equal, number, handle = same.result()
    assert equal and number == hash(c) and handle == c
    assert c != Cown(1)
    d = Cown(2)
    assert (c < d) != (d < c)
    assert sorted([d, c]) == sorted([c, d])


def test_subscript_at_run_time():
    assert Cown[int] is not None
    assert boc.PinnedCown[int] is not None


def test_names_and_repr():
    assert Cown(1, name="jar").name == "jar"
    assert "jar" in repr(Cown(1, name="jar"))
    jar = [Cown(1)]

    @when(jar[0])
    def look(x):
        return x.name

    assert look.result() == "jar[0]"
    assert look.name == "look"
    assert "look" in repr(look)


def test_a_nul_does_not_cut_a_name():
    a, b, plain = Cown(1, name="a\0b"), Cown(2, name="a\0c"), Cown(3, name="a")
    assert [c.name for c in (a, b, plain)] == ["a\0b", "a\0c", "a"]
    assert repr(a) == "<Cown a\u2400b: held by nobody, int>"
    with pytest.raises(RuntimeError, match="cown 'a\u2400c'"):
        _ = b.value

    @when(a, name="f\0g")
    def body(c):
        return c.name

    assert body.result() == "a\0b"
    assert body.name == "f\0g"
    assert {"a\0b", "f\0g"} <= set(boc.trace.Trace.now_of().names)


def test_names_from_the_call():
    knife, onion = Cown(1), Cown(2)

    @when(knife, [onion])
    def look(k, rest):
        return k.name, rest[0].name

    assert look.result()[0] == "knife"


def test_unmovable_value_is_refused_at_the_call():
    with pytest.raises(boc.TransferError, match="lock"):
        Cown(threading.Lock())


def test_lost_value():
    c = Cown(1)

    @when(c)
    def store(c):
        import threading as t
        c.value = t.Lock()

    quiesce()
    assert store.exception is False
    assert c.exception is True
    with pytest.raises(boc.TransferError, match="lock"):
        c.result()

    @when(c)
    def mend(c):
        try:
            c.value  # noqa: B018
        except RuntimeError as error:
            kind = type(error).__name__
        c.value = 5
        return kind

    assert mend.result() == "TransferError"
    assert c.result() == 5


def test_generator_as_result_is_lost():
    @when()
    def make():
        return (i for i in range(3))

    with pytest.raises(boc.TransferError, match="generator"):
        make.result()


def test_handle_pickled_by_hand():
    c = Cown(1)
    data = pickle.dumps(c)
    assert pickle.loads(data) == c
    program = f"import pickle; pickle.loads({data!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr


def test_handle_pickled_by_hand_does_not_keep_the_cown():
    data = pickle.dumps(Cown(1))
    with pytest.raises(RuntimeError):
        pickle.loads(data)


def test_wait_brings_values_home():
    class Box:
        def __init__(self, c):
            self.c = c

    kept = Box(Cown([1]))

    @when(kept.c)
    def change(c):
        c.value.append(2)

    boc.wait()
    with kept.c:
        assert kept.c.value == [1, 2]
    assert change.exception is False


def test_cowns_inside_cowns_come_home():
    outer = Cown([Cown({"x": 1})])

    @when(outer)
    def go(outer):
        @when(outer.value[0])
        def _(inner):
            inner.value["x"] = 2

    boc.wait()
    with outer:
        inner = outer.value[0]
    with inner:
        assert inner.value == {"x": 2}


VALUES = [None, True, 0, -1, 2**62, 2**200, 1.5, float("inf"), "text", "é" * 1000, b"bytes", bytearray(b"x"),
          (1, (2,)), {1, 2}, frozenset([3]), {"a": [1]}, 1j, range(3), ...]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_go_round(value):
    c = Cown(value)

    @when(c)
    def same(c):
        return c.value

    got = same.result()
    assert got == value and type(got) is type(value)
    assert c.result() == value


def test_names_before_a_star_in_the_call():
    jar, shelf, others = Cown(1), [Cown(2)], [Cown(3), Cown(4)]
    size = 5

    @when(jar, shelf[0], *others)
    def f(a, b, *rest):
        pass

    assert [c.name for c in (jar, shelf[0], *others)] == ["jar", "shelf[0]", "rest[0]", "rest[1]"]

    @when(Cown(size), boc.read(Cown(size)))
    def g(bowl, plate):
        return bowl.name, plate.name

    assert g.result() == ("bowl", "plate")
