"""What semantics.md promises of messages: FIFO per tag and producer, timeouts, draining, waking."""

from __future__ import annotations

import sys
import threading
import time

import boc
import pytest
from boc import TIMEOUT, drain, receive, send, set_tags, start, when

pytestmark = pytest.mark.timeout(30)


def test_before_start_and_fifo():
    for i in range(100):
        send("numbers", i)
    assert [receive("numbers") for _ in range(100)] == [("numbers", i) for i in range(100)]


def test_contents_are_copied_at_the_call():
    data = [1]
    send("tag", data)
    data.append(2)
    assert receive("tag") == ("tag", [1])


def test_several_tags():
    send("b", 2)
    assert receive(["a", "b"]) == ("b", 2)
    send("a", 1)
    assert receive(("a", "b")) == ("a", 1)


def test_timeout():
    began = time.monotonic()
    assert receive("nothing", 0.05) == (TIMEOUT, None)
    assert receive("nothing", timeout=0) == (TIMEOUT, None)
    assert receive("nothing", 0.05, lambda: "instead") == "instead"
    assert time.monotonic() - began < 5


def test_drain():
    for i in range(10):
        send("tag", i)
    drain("tag")
    assert receive("tag", 0) == (TIMEOUT, None)
    send("a", 1)
    send("b", 1)
    drain(["a", "b"])
    assert receive(["a", "b"], 0) == (TIMEOUT, None)


def test_set_tags_clears_all():
    send("tag", 1)
    set_tags(["tag", "other"])
    assert receive("tag", 0) == (TIMEOUT, None)

    @when()
    def body():
        try:
            set_tags([])
        except RuntimeError:
            return "refused"

    assert body.result() == "refused"


def test_between_main_and_workers():
    start(2)

    @when()
    def echo():
        while True:
            _, value = receive("ask")
            if value is None:
                return
            send("answer", value * 2)

    for i in range(50):
        send("ask", i)
    assert [receive("answer", 10)[1] for _ in range(50)] == [i * 2 for i in range(50)]
    send("ask", None)
    boc.quiesce()


def test_fifo_per_producer():
    start(2)

    def producer(name):
        @when()
        def body():
            for i in range(300):
                send("log", (name, i))

    for name in "abc":
        producer(name)
    seen = [receive("log", 10)[1] for _ in range(900)]
    for name in "abc":
        assert [i for n, i in seen if n == name] == list(range(300))


def test_each_message_once():
    start(2)
    got = []

    def take():
        while True:
            _, value = receive("work", 10)
            if value is None:
                return
            got.append(value)

    threads = [threading.Thread(target=take) for _ in range(3)]
    for t in threads:
        t.start()
    for i in range(600):
        send("work", i)
    for _ in threads:
        send("work", None)
    for t in threads:
        t.join(10)
    assert sorted(got) == list(range(600))


@pytest.mark.parametrize("wrong", [5, None, [1], ["a", 2]])
def test_wrong_tags(wrong):
    with pytest.raises(TypeError):
        receive(wrong, 0)
    if not isinstance(wrong, list):
        with pytest.raises(TypeError):
            send(wrong, 1)


def test_a_nul_does_not_cut_a_tag():
    for tag in ("a", "a\0", "a\0b", "a\0c"):
        boc.send(tag, repr(tag))
    for tag in ("a\0c", "a\0b", "a\0", "a"):
        assert boc.receive(tag, 5) == (tag, repr(tag))


def test_no_limit_on_tags():
    for i in range(500):
        send(f"tag {i}", i)
    assert all(receive(f"tag {i}", 0)[1] == i for i in range(500))


def test_what_cannot_move():
    with pytest.raises(boc.TransferError):
        send("tag", threading.Lock())


def test_a_body_in_receive_is_interruptible():
    start(2)

    @when()
    def waits():
        send("in", 1)
        receive("never")

    receive("in")
    boc.cancel(waits, interrupt=True)
    with pytest.raises(boc.Cancelled):
        waits.result(timeout=5)


def writes_and_syncs():
    boc.notice_write("mine", 1)
    boc.notice_sync()


@pytest.mark.parametrize("waits", [lambda: receive("never"), writes_and_syncs], ids=["receive", "notice_sync"])
def test_an_interrupt_does_not_wait_for_a_body_that_waits_in_boc(waits, monkeypatch):
    # Three tries, for a loaded machine: it took half a second each time, or until the wait's own end.
    took = []
    go = threading.Event()
    monkeypatch.setattr(sys, "go", go, raising=False)
    boc.notice_update("key", lambda value: sys.go.wait(20))
    try:
        for _ in range(3):
            @when()
            def body(waits=waits):
                send("in", 1)
                waits()

            receive("in")
            time.sleep(0.1)  # asleep by now
            began = time.monotonic()
            assert boc.cancel(body, interrupt=True) == 1
            while not body.done():
                time.sleep(0.001)
            took.append(time.monotonic() - began)
            assert body.exception
    finally:
        go.set()
    assert min(took) < 0.3
