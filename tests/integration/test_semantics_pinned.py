"""What semantics.md promises of pinned cowns: the pump and its bounds, the watchdog, where bodies run."""

from __future__ import annotations

import threading
import time

import boc
import pytest
from boc import Cown, PinnedCown, PumpResult, pump, quiesce, start, wait, when

pytestmark = pytest.mark.timeout(30)



def bump(p):
    """A pinned behavior that counts."""
    @when(p)
    def body(p):
        p.value[0] += 1

    return body


def test_pump_before_start():
    assert pump() == PumpResult(0, False, 0)


def test_identity_is_stable_and_runs_on_main():
    thing = object()
    p = PinnedCown([thing, threading.Lock()])

    @when(p)
    def body(p):
        return p.value[0] is thing, threading.current_thread() is threading.main_thread()

    quiesce()
    assert body.result() == (True, True) or body.result()[1] is True
    with p:
        assert p.value[0] is thing
    assert p.result()[0] is thing


def test_pump_runs_what_is_ready():
    p = PinnedCown([0])
    start(1)
    for _ in range(5):
        bump(p)
    done = 0
    while done < 5:
        done += pump().executed
    with p:
        assert p.value == [5]


def test_bounds():
    p = [PinnedCown([0]) for _ in range(6)]
    start(1)
    for one in p:
        bump(one)
    assert pump(max_behaviors=2).executed == 2
    result = pump(max_behaviors=100)
    assert result == PumpResult(4, False, 0)

    @when(p[0])
    def slow(p):
        time.sleep(0.02)

    bump(p[1])
    assert pump(deadline_ms=5) == PumpResult(1, True, 0)
    assert pump(deadline_ms=1000).executed == 1


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "5", True])
def test_wrong_bounds(wrong):
    with pytest.raises(TypeError):
        pump(max_behaviors=wrong)
    with pytest.raises(TypeError):
        pump(deadline_ms=wrong)


def test_raised_and_raise_on_error():
    p = PinnedCown([0])

    def fail():
        @when(p)
        def body(p):
            raise ValueError("pinned")

        return body

    first = fail()
    assert pump() == PumpResult(1, False, 1)
    assert first.exception
    second = fail()
    third = bump(p)
    with pytest.raises(ValueError, match="pinned"):
        pump(raise_on_error=True)
    assert not third.done()
    assert pump().executed == 1
    with pytest.raises(ValueError):
        first.result()
    with pytest.raises(ValueError):
        second.result()


def test_base_exception_leaves_the_pump():
    p = PinnedCown([0])

    @when(p)
    def body(p):
        raise SystemExit(4)

    after = bump(p)
    with pytest.raises(SystemExit):
        pump()
    with pytest.raises(boc.BehaviorError):
        body.result()
    pump()
    assert after.done()


def test_pump_from_a_worker():
    @when()
    def body():
        try:
            pump()
        except RuntimeError:
            return "refused"

    assert body.result() == "refused"


def test_made_on_main_only():
    @when()
    def body():
        try:
            PinnedCown(1)
        except RuntimeError:
            return "refused"

    assert body.result() == "refused"


def test_a_worker_schedules_on_main():
    p, c = PinnedCown([]), Cown(1)

    @when(c)
    def worker(c):
        @when(p, c)
        def pinned(p, c):
            p.value.append(c.value)
            c.value += 1

    wait()
    with p, c:
        assert p.value == [1]
        assert c.value == 2
    assert worker.exception is False


def test_handle_travels():
    p = PinnedCown([1])
    box = Cown(p)

    @when(box)
    def same(box):
        return box.value

    assert same.result() == p


def test_on_main():
    @when(on="main")
    def body():
        return threading.current_thread() is threading.main_thread()

    assert body.result() is True
    with pytest.raises(ValueError):
        when(PinnedCown(1), on="process")(lambda p: None)


def test_waiting_pumps():
    p = PinnedCown([0])
    for _ in range(10):
        result = bump(p)
    assert result.result() is None
    with p:
        assert p.value == [10]


def test_a_waiting_thread_does_not_pump():
    p = PinnedCown([0])
    start(1)
    result = bump(p)
    failed = []

    def waits():
        try:
            result.result(timeout=0.2)
        except TimeoutError as error:
            failed.append(error)

    thread = threading.Thread(target=waits)
    thread.start()
    thread.join()
    assert len(failed) == 1
    pump()
    assert result.done()


def test_watchdog():
    said = []
    arrived = threading.Event()

    def starve(severity, message):
        said.append((severity, message))
        arrived.set()

    boc.set_pump_watchdog(warn_ms=20, on_starve=starve)
    p = PinnedCown([0])
    start(1)
    bump(p)
    assert arrived.wait(5)
    severity, message = said[0]
    assert severity == 0 and "1" in message
    boc.set_pump_watchdog(None)
    pump()
    for refused in (lambda: boc.set_pump_watchdog(2**70), lambda: pump(deadline_ms=2**62)):
        with pytest.raises(OverflowError, match="_ms exceeds"):
            refused()
    with pytest.raises(TypeError, match="max_behaviors"):
        pump(max_behaviors=-2**70)
    assert pump(max_behaviors=2**70) == PumpResult(0, False, 0)


def test_the_watchdog_is_set_on_main():
    @when()
    def body():
        boc.set_pump_watchdog(100)

    with pytest.raises(RuntimeError, match="main interpreter"):
        body.result()


def test_wait_pump_poll():
    boc.set_wait_pump_poll(10)
    boc.set_wait_pump_poll(ms=50)
    with pytest.raises((TypeError, ValueError)):
        boc.set_wait_pump_poll(0)


def spins(p, until=None):
    """A pinned body that runs for 20 s, if nobody interrupts it."""
    end = time.monotonic() + 20
    p.value.append("in")
    boc.send("in", 1)
    while time.monotonic() < end:
        pass
    p.value.append("out")


@pytest.mark.parametrize("by", ["a thread", "a worker"])
def test_a_pinned_body_is_interrupted(by):
    start(2)
    p = PinnedCown([])
    body = boc.whencall(spins, [p])

    def interrupts():
        boc.receive("in")
        return boc.cancel(body, interrupt=True)

    if by == "a thread":
        count = []
        thread = threading.Thread(target=lambda: count.append(interrupts()))
        thread.start()
        assert pump() == PumpResult(1, False, 0)
        thread.join()
    else:
        asked = when()(interrupts)
        assert pump() == PumpResult(1, False, 0)
        count = [asked.result()]
    assert count == [1]
    with pytest.raises(boc.Cancelled):
        body.result()
    assert p.result() == ["in"]


@pytest.mark.parametrize("cancel", [True, False])
def test_a_stop_from_another_thread_interrupts_the_pinned_body(cancel):
    begun, stopped = threading.Event(), threading.Event()
    p = PinnedCown([begun, stopped])

    @when(p)
    def body(p):
        begun, stopped = p.value
        begun.set()
        while cancel or not stopped.wait(0.01):
            pass
        p.value.append("end")
        return "to its end"

    def stops():
        begun.wait()
        boc.stop(cancel)
        stopped.set()

    thread = threading.Thread(target=stops)
    thread.start()
    assert pump() == PumpResult(1, False, 0)
    thread.join()
    if cancel:
        with pytest.raises(boc.Cancelled):
            body.result()
    else:
        assert body.result() == "to its end"
    assert len(p.result()) == (2 if cancel else 3)


def test_an_interrupt_of_a_pinned_body_hits_nothing_after_it():
    start(1)
    p = PinnedCown(0)
    stop = threading.Event()
    seen = []

    def interrupts():
        while not stop.is_set():
            for body in seen[-3:]:
                boc.cancel(body, interrupt=True)

    thread = threading.Thread(target=interrupts)
    thread.start()
    try:
        for _ in range(300):
            @when(p)
            def body(p):
                p.value += 1

            seen.append(body)
            pump()
            for _ in range(50):  # an interrupt that came too late would be raised here
                pass
    finally:
        stop.set()
        thread.join()
    quiesce()
    assert all(body.done() for body in seen)
