"""Edges of calls: keywords, NaN, what is no cown, waits inside a batch, and equal names."""

from __future__ import annotations

import fractions
import gc
import logging
import threading

import boc
import pytest
from boc import Cown, batch, quiesce, when

KEEP_WORKERS = True


@pytest.fixture
def said(monkeypatch):
    """The texts of the logger `boc`."""
    texts = []
    monkeypatch.setattr(logging.getLogger("boc"), "handle", lambda record: texts.append(record.getMessage()))
    return texts


def test_keywords_of_the_noticeboard():
    boc.notice_write(key="a", value=1)
    boc.notice_update(key="a", fn=lambda v: v + 1, default=5)
    assert boc.notice_read(key="a", default=9) == 2
    boc.notice_delete(key="a")
    assert boc.notice_read(key="a", default=9) == 9
    for wrong in (lambda: boc.notice_write("a"), lambda: boc.notice_write("a", 1, key="b"),
                  lambda: boc.notice_delete(), lambda: boc.notice_read("a", other=1), lambda: boc.send("t")):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize(("text", "wrong"), [
    ("timeout must be a number", lambda: boc.gather([Cown(1)], "1")),
    ("timeout must be a number", lambda: boc.gather([], [])),
    ("timeout must be a number", lambda: Cown(1).result("1")),
    ("timeout must be a number", lambda: quiesce("1")),
    ("timeout must be a number", lambda: boc.receive("t", "1")),
    ("after must be callable", lambda: boc.receive("t", 0, after=5)),
    ("text of a mark is a string", lambda: boc.mark(5)),
    ("text of a span is a string", lambda: boc.span(5)),
])
def test_what_is_wrong_is_said(text, wrong):
    with pytest.raises(TypeError, match=text):
        wrong()


def test_keywords_of_messages():
    boc.send(tag="t", contents=1)
    assert boc.receive(tags="t", timeout=5, after=None) == ("t", 1)
    boc.send("t", contents=2)
    boc.drain(tags="t")
    assert boc.receive("t", 0) == (boc.TIMEOUT, None)


@pytest.mark.parametrize("call", [
    lambda nan: boc.gather([Cown(1)], nan),
    lambda nan: boc.receive("t", nan),
    lambda nan: boc.receive("t", timeout=nan),
], ids=["gather", "receive", "receive timeout="])
def test_nan_is_a_value_error(call):
    with pytest.raises(ValueError, match="NaN"):
        call(float("nan"))


@pytest.mark.parametrize("call", [boc.gather, boc.as_completed])
def test_what_is_no_cown_is_refused(call):
    with pytest.raises(TypeError, match="takes cowns, not int"):
        call([Cown(1), 3])
    assert list(call([])) == []


def test_nobody_waits_in_a_body_or_a_batch():
    done = Cown(1)

    @when()
    def body():
        refused = []
        for call in (boc.gather, boc.as_completed):
            try:
                call([done])
            except RuntimeError as error:
                refused.append(str(error))
        return refused

    assert len(body.result()) == 2
    with batch():
        @when(done)
        def later(done):
            return 2

        assert not later.done()
        for call in (boc.gather, boc.as_completed):
            with pytest.raises(RuntimeError, match="batch"):
                call([later])
    assert later.result() == 2


def test_repr_tells_equal_names_apart():
    first, second = Cown(1, name="onion"), Cown(2, name="onion")
    assert "<Cown onion:" in repr(first)
    assert "<Cown onion#2:" in repr(second)
    assert first.name == second.name == "onion"
    del first
    gc.collect()
    assert "<Cown onion:" in repr(second)
    third = Cown(3, name="onion")
    assert "<Cown onion#3:" in repr(third)


def test_cowns_of_star_parameters_have_names():
    @when(*[Cown(1), Cown(2)])
    def both(*args):
        return [c.name for c in args], [repr(c).split(":")[0] for c in args]

    assert both.result()[1] == ["<Cown args[0]", "<Cown args[1]"]


def test_a_refused_result_is_a_value_for_later_bodies():
    @when()
    def make():
        return (n for n in range(3))

    @when(make)
    def look(made):
        return type(made.value).__name__, made.exception

    assert look.result() == ("TransferError", True)
    with pytest.raises(boc.TransferError):
        make.result()


step = 1
unmovable = [gc]


def test_updates_use_globals_as_they_were_at_the_call():
    global step
    boc.notice_write("sum", [])
    for step in range(50):
        boc.notice_update("sum", lambda v: [*v, step])
    assert boc.notice_read("sum") == list(range(50))


def test_updates_reach_helpers_closures_and_partials(script):
    script("""
        import boc
        from boc import when
        from functools import partial

        def helper(value):
            return value * step

        def outer():
            def plus(value, by):
                return helper(value) + by
            return plus

        boc.notice_write("n", 1)
        step = 3
        boc.notice_update("n", partial(outer(), by=1))
        step = 10
        assert boc.notice_read("n") == 4, boc.notice_read("n")
        step = 2

        @when()
        def body():
            boc.notice_update("n", lambda v: helper(v))

        step = 100
        body.result()
        boc.notice_sync()
        assert boc.notice_read("n") == 8, boc.notice_read("n")
        assert step == 100
    """)


def test_an_update_that_captures_what_cannot_move_is_refused_at_the_call():
    import threading

    global unmovable
    unmovable = threading.Lock()
    try:
        with pytest.raises(boc.TransferError, match="unmovable"):
            boc.notice_update("n", lambda v: unmovable)
    finally:
        unmovable = None


@pytest.mark.parametrize("call", [
    lambda: when()(lambda: 1),
    lambda: Cown(1),
    lambda: boc.send("t", 1),
    lambda: boc.receive("t", 0),
    lambda: quiesce(),
    lambda: boc.notice_write("m", 1),
], ids=["when", "Cown", "send", "receive", "quiesce", "notice_write"])
def test_an_update_that_calls_boc_fails(call, said):
    key = f"n{id(call)}"  # the same warning is said once
    boc.notice_write(key, 1)
    boc.notice_update(key, lambda v: call())
    assert boc.notice_read(key) == 1
    quiesce()
    assert any(f"update of '{key}'" in text and "cannot call boc" in text for text in said)


def test_equal_captures_are_kept_once_and_a_large_one_gives_a_hint(script):
    done = script("""
        import resource
        from boc import Cown, wait, when

        table = list(range(300_000))
        gate = Cown(0)
        with gate:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            results = []
            for _ in range(60):
                @when(gate)
                def use(gate):
                    table.append(1)
                    return len(table)

                results.append(use)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert [r.result() for r in results] == [300_001] * 60
        assert grown < 30_000, grown  # kB; one is 1.4 MB
        wait()
    """)
    assert len([line for line in done.stderr.splitlines() if "'table'" in line and "Put it in a Cown" in line]) == 1


def test_threads_encode_at_the_same_time():
    """One pickler is kept for an interpreter; without a GIL several threads of main ask for it at once."""
    wrong = []

    def captures(n):
        for i in range(300):
            value = fractions.Fraction(i, n)

            @boc.when()
            def back():
                return value

            if back.result(20) != value:
                wrong.append((i, n))

    threads = [threading.Thread(target=captures, args=(n,)) for n in (7, 11, 13)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []
