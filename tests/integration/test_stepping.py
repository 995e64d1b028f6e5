"""The step gate: what it holds, what passes it, step, resume, breakpoints, and waits at the closed gate."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import types

import boc
import pytest
from boc import Cancelled, Cown, PinnedCown, when
from running import script

KEEP_WORKERS = True


@pytest.fixture(autouse=True)
def open_gate():
    yield
    boc._core._break_remove(0)
    boc.resume()


def log_of(*names):
    """A log cown, and one behavior a name that writes its name there: one after the other."""
    log = Cown([])
    return log, [boc.whencall(lambda log, n=name: log.value.append(n), [log], name=name) for name in names]


def separate(*names):
    """Behaviors that share nothing, all runnable."""
    return [boc.whencall(lambda n=name: n, [], name=name) for name in names]


def held():
    return [name for _, name, _ in boc._core._gate_held()]


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_closed_nothing_starts_and_step_lets_the_oldest_through():
    boc.pause()
    results = separate("a", "b", "c")
    assert held() == ["a", "b", "c"]
    assert boc.step() == ["a"]
    assert results[0].result() == "a"
    assert held() == ["b", "c"] and not results[1].done()
    assert boc.step() == ["b"] and boc.step() == ["c"]
    assert boc.step() == []
    boc.quiesce()
    assert [r.result() for r in results] == ["a", "b", "c"]


def test_step_by_name_by_number_and_n():
    boc.pause()
    separate("chop", "dice", "chop", "chop", "serve", "chop")
    assert boc.step("dice") == ["dice"]
    assert boc.step("chop") == ["chop#1"]
    assert boc.step("chop#3") == ["chop#3"]
    assert boc.step(2) == ["chop#2", "serve"]
    assert boc.step(10) == ["chop#4"]
    boc.quiesce()


def test_a_step_waits_for_what_the_one_before_makes_runnable():
    boc.pause()
    log, _ = log_of("a", "b", "c")
    assert held() == ["a"]
    assert [boc.step(), boc.step(), boc.step(), boc.step()] == [["a"], ["b"], ["c"], []]
    assert log.result() == ["a", "b", "c"]
    log, _ = log_of("d", "e", "f")
    assert boc.step(3) == ["d", "e", "f"]
    log, _ = log_of("g", "h")
    assert boc.step() == ["g"] and boc.step("h") == ["h"]


def test_step_with_a_timeout_takes_only_what_comes_in_time():
    gate = Cown(None)

    @when(gate)
    def slow(gate):
        time.sleep(0.5)

    @when(gate)
    def after(gate):
        pass

    until(lambda: len(boc.stacks()) == 1)
    boc.pause()
    assert boc.step(timeout=0) == []
    assert boc.step(timeout=30) == ["after"]
    boc.quiesce()


@pytest.mark.parametrize(("what", "error", "text"), [
    (0, ValueError, "from 1 on"), (-1, ValueError, "from 1 on"), (True, TypeError, "bool"), (1.5, TypeError, "float"),
    (["a"], TypeError, "list"), ("nobody", ValueError, "no runnable behavior is named 'nobody'; runnable: a"),
    ("a#2", ValueError, "a#2"), ("", ValueError, "named ''"),
])
def test_wrong_steps_are_clear_errors(what, error, text):
    boc.pause()
    separate("a")
    with pytest.raises(error, match=text):
        boc.step(what)
    assert held() == ["a"]


def test_a_name_that_waits_says_why():
    boc.pause()
    log_of("a", "b")
    with pytest.raises(ValueError, match=r"'b'; runnable: a \(b has waited .*held by a"):
        boc.step("b")


def test_wrong_timeouts():
    boc.pause()
    with pytest.raises(ValueError, match="NaN"):
        boc.step(timeout=float("nan"))
    with pytest.raises(TypeError, match="timeout"):
        boc.step(timeout="1")


def test_the_open_gate_is_not_stepped():
    with pytest.raises(RuntimeError, match=r"the gate is open; boc\.pause\(\)"):
        boc.step()


def test_bodies_that_run_end():
    @when()
    def slow():
        time.sleep(0.2)
        return "done"

    until(boc.stacks)
    boc.pause()
    assert slow.result() == "done"


def test_what_stood_in_the_queues_is_held_first():
    boc.stop()
    boc.start(1)
    release = Cown(0)

    @when(release)
    def slow(release):
        time.sleep(0.3)

    until(boc.stacks)
    separate("first", "second")  # in the worker's queue
    boc.pause()
    separate("third")
    until(lambda: len(held()) == 3)
    assert boc.step(3) == ["first", "second", "third"]
    boc.stop()


def test_mains_own_requests_pass():
    c = Cown({"a": 1})
    separate("x")
    boc.quiesce()
    boc.pause()
    with c:
        c.value["a"] = 2
    assert c.result() == {"a": 2}
    boc.notice_write("k", 1)
    boc.notice_update("k", lambda v: v + 1)
    boc.notice_sync()
    assert boc.notice_read("k") == 2

    @when(c)
    def held_back(c):
        pass

    assert boc.cancel(held_back) == 1
    boc.quiesce()
    with pytest.raises(Cancelled):
        held_back.result()


def test_a_live_value_comes_home_through_the_closed_gate():
    c = Cown(None)

    @when(c)
    def make(c):
        c.value = [1, [2]]

    make.result()
    boc.pause()
    assert c.result() == [1, [2]]
    with c:
        assert c.value == [1, [2]]


def test_pinned_behaviors_are_gated():
    p = PinnedCown([])
    boc.pause()

    @when(p)
    def paint(p):
        p.value.append(threading.current_thread() is threading.main_thread())

    assert boc.pump().executed == 0
    assert [(n, pinned) for _, n, pinned in boc._core._gate_held()] == [("paint", True)]
    assert boc.step() == ["paint"]
    assert boc.pump().executed == 1
    assert boc.step() == []
    assert p.result() == [True]


def test_pinned_work_from_before_the_pause_is_held():
    p = PinnedCown([])

    @when(p)
    def paint(p):
        p.value.append(1)

    boc.pause()
    assert boc.pump().executed == 0
    boc.resume()
    boc.quiesce()
    assert p.result() == [1]


def test_a_step_of_pinned_work_runs_at_the_next_step():
    p = PinnedCown([])
    boc.pause()
    for name in ("a", "b"):
        boc.whencall(lambda p, n=name: p.value.append(n), [p], name=name)
    assert [boc.step(), boc.step(), boc.step()] == [["a"], ["b"], []]
    assert p.result() == ["a", "b"]


# ---- waits at the closed gate ------------------------------------------------------
PAUSED = r"paused: 1 ready, 2 waiting; press Step or Resume, or Interrupt and boc\.step\(\)"


@pytest.mark.parametrize("wait", ["boc.wait()", "boc.quiesce()", "last.result()", "boc.gather([last])",
                                  "list(boc.as_completed([last]))", "boc.quiesce(timeout=20)"])
def test_a_wait_that_nobody_could_end_raises(wait):
    boc.pause()
    _, (*_, last) = log_of("a", "b", "c")
    with pytest.raises(RuntimeError, match=PAUSED):
        eval(wait, {"boc": boc, "last": last})
    assert boc.step(3) == ["a", "b", "c"]
    assert last.result() is None
    boc.resume()


def test_a_wait_of_no_time_only_polls():
    boc.pause()
    _, (*_, last) = log_of("a", "b", "c")
    with pytest.raises(TimeoutError):
        boc.quiesce(timeout=0)
    with pytest.raises(TimeoutError):
        last.result(timeout=0)
    boc.resume()
    boc.quiesce()


@pytest.mark.parametrize("daemon", [False, True])
@pytest.mark.parametrize("wait", ["boc.quiesce()", "last.result()", "list(boc.as_completed([last]))"])
def test_a_wait_goes_on_while_another_thread_could_resume(wait, daemon, monkeypatch):
    boc.pause()
    _, (*_, last) = log_of("a", "b", "c")
    seen = []  # capsys loses what is written while another thread reads it
    monkeypatch.setattr(sys, "stderr", types.SimpleNamespace(write=seen.append, flush=lambda: None))

    def helper():
        until(lambda: "paused" in "".join(seen))
        boc.resume()

    thread = threading.Thread(target=helper, daemon=daemon)
    thread.start()
    eval(wait, {"boc": boc, "last": last})
    thread.join()
    assert "".join(seen).count("paused: 1 ready, 2 waiting; press Step or Resume") == 1
    boc.quiesce()


def test_a_timer_that_resumes_is_somebody():
    boc.pause()
    _, (*_, last) = log_of("a", "b")
    timer = threading.Timer(0.3, boc.resume)
    timer.start()
    assert last.result() is None
    timer.join()


def test_it_says_it_once_and_raises_when_the_other_thread_is_gone(capsys):
    boc.pause()
    log_of("a", "b", "c")
    thread = threading.Thread(target=time.sleep, args=(1.2,))
    thread.start()
    with pytest.raises(RuntimeError, match=PAUSED):
        boc.quiesce()
    assert capsys.readouterr().err.count("paused") == 1
    thread.join()


def test_await_just_waits():
    async def main():
        boc.pause()
        _, (*_, last) = log_of("a", "b")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(boc.quiesced(), 0.4)
        task = asyncio.ensure_future(_value(last))
        await asyncio.sleep(0.3)
        assert not task.done()
        boc.resume()
        assert await task is None
        await boc.quiesced()

    async def _value(c):
        return await c

    asyncio.run(main())


def test_a_running_body_is_waited_for_before_a_wait_gives_up():
    gate = Cown(0)

    @when(gate)
    def slow(gate):
        time.sleep(0.5)

    until(boc.stacks)
    boc.pause()
    boc.quiesce()  # the body ends, nothing is left


def test_stop_cancels_what_is_held_and_opens_the_gate():
    boc.pause()
    (a,) = separate("a")
    boc.stop()
    with pytest.raises(Cancelled):
        a.result()
    (b,) = separate("b")
    assert b.result() == "b"


def test_wait_with_nothing_pending_ends():
    separate("a")
    boc.quiesce()
    boc.pause()
    boc.wait()
    boc.resume()


def test_the_exit_passes_the_gate(tmp_path):
    done = script(tmp_path, """
        import boc
        boc.pause()
        @boc.when()
        def never(): print("ran")
    """, timeout=30)
    assert done.out == "" and "1 cancelled" in done.err


# ---- breakpoints ------------------------------------------------------------------------
def test_break_on_a_name_stops_before_each():
    log = Cown([])
    with boc.break_on(name="serve") as stop:
        for name in ("dice", "serve", "wash", "serve", "dry"):
            boc.whencall(lambda log, n=name: log.value.append(n), [log], name=name)
        with pytest.raises(RuntimeError, match="paused: 1 ready, 3 waiting"):
            boc.quiesce()
        assert held() == ["serve"] and stop.hits == 1
        boc.resume()
        with pytest.raises(RuntimeError, match="paused: 1 ready, 1 waiting"):
            boc.quiesce()
        assert stop.hits == 2
        boc.resume()
        boc.quiesce()
    assert log.result() == ["dice", "serve", "wash", "serve", "dry"]
    assert repr(stop) == "<break_on(name='serve'), hit 2 times, removed>" and not stop.active


def test_break_on_one_of_a_name():
    log = Cown([])
    stop = boc.break_on(name="chop#3")
    for _ in range(4):
        boc.whencall(lambda log: log.value.append(1), [log], name="chop")
    with pytest.raises(RuntimeError, match="paused"):
        boc.quiesce()
    assert boc.step() == ["chop#3"] and stop.hits == 1
    boc.resume()
    boc.quiesce()
    assert stop.hits == 1
    stop.remove()
    stop.remove()
    boc.pause()
    for _ in range(2):
        boc.whencall(lambda log: None, [log], name="chop")
    assert boc.step() == ["chop#1"]
    until(boc._core._gate_settled)
    with pytest.raises(ValueError, match="'chop#1' has started already: it is done"):
        boc.break_on(name="chop#1")
    later = boc.break_on(name="chop#2")  # scheduled, not started
    boc.resume()
    assert held() == ["chop"] and later.hits == 1
    later.remove()
    boc.resume()
    boc.quiesce()


def test_break_on_a_cown():
    knife, onion = Cown(0, name="knife"), Cown(0, name="onion")
    stop = boc.break_on(cown=onion)
    assert "onion" in repr(stop)
    with onion:  # main's own use passes
        onion.value = 1
    a = boc.whencall(lambda k: "sharp", [knife], name="whet")
    assert a.result() == "sharp" and stop.hits == 0
    b = boc.whencall(lambda k, o: "diced", [knife, boc.read(onion)], name="dice")
    with pytest.raises(RuntimeError, match="paused: 1 ready, 0 waiting"):
        b.result()
    assert stop.hits == 1
    boc.resume()
    assert b.result() == "diced"
    stop.remove()


def test_break_on_a_result_stops_who_takes_it_not_who_makes_it():
    boc.pause()
    (made,) = separate("make")
    stop = boc.break_on(cown=made)

    @when(made)
    def use(made):
        return made.value

    boc.resume()
    with pytest.raises(RuntimeError, match="paused: 1 ready"):
        use.result()
    assert held() == ["use"] and stop.hits == 1
    stop.remove()
    boc.resume()
    assert use.result() == "make"


@pytest.mark.parametrize("change", ["write", "update", "delete", "main"])
def test_break_on_a_key_closes_the_gate_after_the_write(change):
    boc.notice_seed("status", 1)
    stop = boc.break_on(key="status")
    boc.notice_write("other", 1)
    assert not boc._core._gate_closed()
    log = Cown([])

    @when(log)
    def writer(log):
        if change == "write":
            boc.notice_write("status", 2)
        elif change == "update":
            boc.notice_update("status", lambda v: v + 1)
        elif change == "delete":
            boc.notice_delete("status")
        boc.notice_sync()
        log.value.append("writer ends")

    if change == "main":
        writer.result()
        boc.notice_write("status", 2)
    else:
        until(boc._core._gate_closed)

    @when(log)
    def after(log):
        log.value.append("after")

    with pytest.raises(RuntimeError, match="paused: 1 ready"):
        boc.quiesce()
    assert boc.notice_read("status") == (None if change == "delete" else 2)
    assert stop.hits == 1
    boc.resume()
    boc.quiesce()
    assert log.result() == ["writer ends", "after"]


def test_resume_stops_at_the_next_that_a_breakpoint_names():
    boc.pause()
    separate("a", "b", "c", "b", "d")
    with boc.break_on(name="b") as stop:
        boc.resume()
        assert held() == ["b", "c", "b", "d"] and stop.hits == 1
        boc.resume()
        assert held() == ["b", "d"] and stop.hits == 2
        boc.resume()
        boc.quiesce()


def test_reset_takes_breakpoints_away():
    stop = boc.break_on(name="a")
    boc.reset()
    assert not stop.active
    (a,) = separate("a")
    assert a.result() == "a"


@pytest.mark.parametrize(("options", "error", "text"), [
    ({}, TypeError, "takes one of"), ({"key": "a", "name": "b"}, TypeError, "not key and name"),
    ({"cown": 3}, TypeError, "must be a Cown, not int"), ({"cown": "onion"}, TypeError, "must be a Cown, not str"),
    ({"key": 3}, TypeError, "key must be a string"), ({"name": 3}, TypeError, "name must be a string"),
    ({"name": ""}, ValueError, "name is empty"), ({"key": ""}, ValueError, "key is empty"),
    ({"key": "k" * 64}, ValueError, "63"), ({"key": "a\0b"}, ValueError, "NUL"),
])
def test_wrong_breakpoints_are_clear_errors(options, error, text):
    with pytest.raises(error, match=text):
        boc.break_on(**options)


def test_in_a_body():
    @when()
    def body():
        found = []
        for call in (boc.step, lambda: boc.break_on(name="a")):
            try:
                call()
            except RuntimeError as e:
                found.append("inside a behavior" in str(e))
        boc.pause()
        return found

    assert body.result() == [True, True]
    (a,) = separate("a")
    assert held() == ["a"]
    boc.resume()
    assert a.result() == "a"


# ---- what the trace says ---------------------------------------------------------------------
def test_the_time_at_the_gate_is_a_part_of_the_wait():
    pytest.importorskip("numpy")
    boc.pause()
    log_of("a", "b")
    time.sleep(0.1)
    boc.step()
    boc.step()
    boc.resume()
    boc.quiesce()
    trace = boc.trace.Trace.now_of()
    told = trace.explain("a")
    row = told.row
    assert sum(p.ns for p in told.parts) == told.total == trace.behaviors.start[row] - trace.behaviors.sched[row]
    (at_the_gate,) = [p for p in told.parts if p.what == "gate"]
    assert at_the_gate.ns >= 90_000_000 and "held at the gate" in told.sentence
    second = trace.explain("b")
    assert sum(p.ns for p in second.parts) == second.total
    assert "held by a" in second.sentence


def test_stepping_many_loses_nothing():
    boc.stop()
    boc.start(3)
    c = [Cown(0) for _ in range(5)]
    boc.pause()
    for i in range(200):
        boc.whencall(lambda a, b: setattr(a, "value", a.value + 1), [c[i % 5], c[(i * 3 + 1) % 5]]
                     if i % 5 != (i * 3 + 1) % 5 else [c[i % 5], c[(i + 1) % 5]], name=f"n{i}")
    passed = []
    while got := boc.step():
        passed += got
    assert len(passed) == 200 and len(set(passed)) == 200
    boc.quiesce()
    assert sum(x.result() for x in c) == 200
    boc.stop()
