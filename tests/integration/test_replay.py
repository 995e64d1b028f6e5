"""boc.replay(): a program makes the same decisions again; what differs is named, and nothing hangs."""

from __future__ import annotations

import _thread
import os
import threading
import time
from itertools import pairwise

import boc
import pytest

pytest.importorskip("numpy")
from boc import Cown, ReplayDiverged
from boc.trace import Schedule, ScheduleError, Trace
from programs import run
from replay_programs import (
    a_pinned_body_waits,
    a_thread_comes_after,
    a_thread_comes_when_main_is_calm,
    a_thread_waits_for_main,
    board,
    cancelling,
    everything,
    messages,
    naps,
    refused_in_a_body,
    simple,
    simple_result,
    waits_for_a_turn,
)

pytestmark = pytest.mark.timeout(110)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    boc.stop()
    assert boc._core._replay_state() is None and not boc._core._gate_closed()


def recorded(program, workers=2, **options):
    """Run a program on a fresh runtime: its result and its schedule."""
    boc.stop()
    boc.start(workers, **options)
    answer = program()
    boc.quiesce()
    return answer, boc.schedule()


def replayed(program, schedule):
    with boc.replay(schedule):
        answer = program()
    return answer, boc.schedule()


# ---- the same program ------------------------------------------------------------------------------
@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("seeds", [
    range(8), *(pytest.param(range(8 * i, 8 * i + 8), marks=pytest.mark.slow) for i in range(1, 4)),
], ids=str)
def test_random_programs_make_the_same_decisions(seeds, threads):
    for seed in seeds:
        answer, first = recorded(lambda: everything(seed, threads), 2 + seed % 2)
        assert not first.missing and not first.pending
        for _ in range(2):
            again, second = replayed(lambda: everything(seed, threads), first)
            assert again == answer and second == first, seed


def test_threads_that_rest_wait_for_one_that_takes_its_time():
    answer, first = recorded(lambda: a_thread_comes_after(0))
    assert answer == ["main", "thread"]
    assert replayed(lambda: a_thread_comes_after(0.5), first) == (answer, first)


def test_a_thread_that_came_after_a_quiesce_comes_after_it_again(tmp_path):
    answer, first = recorded(lambda: a_thread_comes_when_main_is_calm(True))
    assert answer == ["after", "thread"] and [first.behaviors[i].name for i, *_ in first.calms] == ["thread"]
    for _ in range(3):
        assert replayed(lambda: a_thread_comes_when_main_is_calm(False), first) == (answer, first)
    first.save(tmp_path / "run.json")
    assert Schedule.load(tmp_path / "run.json").calms == first.calms


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="the system does not say what threads do")
def test_a_thread_rests_as_long_as_main_computes():
    answer, first = recorded(lambda: a_thread_waits_for_main(None))

    def compute(_):
        until = time.monotonic() + 40
        while time.monotonic() < until:
            pass

    assert replayed(lambda: a_thread_waits_for_main(compute), first) == (answer, first)


@pytest.mark.slow
def test_a_rest_that_only_a_sleeping_thread_could_end_ends_and_says_how_long_it_waited():
    _, first = recorded(lambda: a_thread_waits_for_main(None))
    begun = time.monotonic()
    with pytest.raises(ReplayDiverged, match=r"'main' .* nobody schedules it; waited 3\d s for threads of the program"), \
            boc.replay(first):
        a_thread_waits_for_main(threading.Thread.join)
    assert time.monotonic() - begun >= 30


def test_replay_keeps_the_options_of_start():
    for seed in range(6):
        answer, first = recorded(lambda: everything(seed), 2, check=True)
        boc.stop()
        boc.start(3, check=True)
        again, second = replayed(lambda: everything(seed), first)
        assert again == answer and second == first, seed
        assert boc._core._running() and boc._control._options[3], "still check=True"


def test_one_body_at_a_time_in_the_recorded_order():
    _, first = recorded(naps, 3)
    _, second = replayed(naps, first)
    assert [second.behaviors[i].name for i in second.starts] == [first.behaviors[i].name for i in first.starts]
    b = Trace.now_of().last_run().behaviors
    order = [i for i in b.start.argsort() if not b.native[i] and b.start[i] >= 0]
    assert len(order) == 12
    for one, after in pairwise(order):
        assert b.start[after] >= b.start[one] + 2_000_000, "a body sleeps for 2 ms"


def test_bodies_that_need_each_other():
    answer, first = recorded(messages, 3)
    again, second = replayed(messages, first)
    assert again == answer and second == first


def test_files_and_traces(tmp_path):
    answer, first = recorded(lambda: simple_result("a", "b", more=("k",)))
    first.save(tmp_path / "run.json")
    Trace.now_of().save(tmp_path / "run.boctrace")
    for path in (tmp_path / "run.json", str(tmp_path / "run.boctrace")):
        assert replayed(lambda: simple_result("a", "b", more=("k",)), path) == (answer, first)


def test_without_with_it_ends_once_all_was_followed():
    answer, first = recorded(lambda: simple_result("a", "b"))
    replay = boc.replay(first)
    assert replay.active and "0 of 2 starts, under way" in repr(replay)
    assert simple_result("a", "b") == answer
    assert not replay.active and repr(replay) == "<replay: 2 of 2 starts, over>" and replay.difference == ""
    assert simple_result("c") == ["c"]
    boc.replay(first)
    assert simple("a", "b") is not None
    boc.wait()
    assert boc.schedule() == first and not boc._core._running()


def test_a_schedule_of_a_part_goes_on_freely():
    def program():
        return simple("a", "b", "c", "d")

    boc.stop()
    boc.start(2)
    boc.pause()
    program()
    boc.step(2)
    until = time.monotonic() + 30
    while not boc._core._gate_settled():
        assert time.monotonic() < until
    part = boc.schedule()
    boc.resume()
    boc.quiesce()
    assert len(part.starts) == 2 and part.pending == 2
    with boc.replay(part):
        assert program().result() == ["a", "b", "c", "d"]


def test_what_was_cancelled_is_cancelled_again():
    answer, first = recorded(lambda: cancelling(True))
    assert len(first.starts) == 1 and len(first.behaviors) == 2
    assert replayed(lambda: cancelling(True), first) == (answer, first)


def test_the_empty_run():
    boc.stop()
    boc.start(1)
    with boc.replay(boc.schedule()):
        pass


# ---- differences ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("program", "text"), [
    (lambda: simple("a", "x", "c"), r"main scheduled 'x' where 'b' \(number 2 of main\) was recorded"),
    (lambda: simple("a", "b", "c", "d"), r"main scheduled 'd' as its behavior number 4; when recorded it scheduled 3"),
    (lambda: simple("a", "b"), r"the run ended where 'c' \(number 3 of main\) was to start as number 3 of 3, after 'b'"),
    (lambda: simple("a", "b", "c", more=("k",)), r"'a' \(number 1 of main\) scheduled 'k' as its behavior number 1; when recorded"),
    (lambda: simple("a", "b", "c", swap=True), r"'b' \(number 2 of main\) asked for other cowns than when recorded"),
])
def test_the_first_difference_is_named(program, text):
    _, first = recorded(lambda: simple_result("a", "b", "c"))
    with pytest.raises(ReplayDiverged, match=text) as caught, boc.replay(first) as replay:
        program()
    assert 0 <= caught.value.replayed <= caught.value.recorded == 3
    assert replay.difference in str(caught.value) and "differs" in repr(replay)
    boc.replay(first)
    program()
    with pytest.raises(ReplayDiverged, match=text):
        boc.wait()
    assert simple_result("after") == ["after"], "all is as ever"


def test_a_body_that_schedules_fewer():
    _, first = recorded(lambda: simple_result("a", more=("k", "l")))
    with pytest.raises(ReplayDiverged, match=r"'a' \(number 1 of main\) scheduled 1 behaviors; when recorded it scheduled 2"), \
            boc.replay(first):
        simple("a", more=("k",))


def test_the_noticeboard():
    _, first = recorded(board)
    with pytest.raises(ReplayDiverged, match=r"'looks' .* did not read the noticeboard"), boc.replay(first):
        board(reads=False)
    with pytest.raises(ReplayDiverged, match=r"'writes' .* wrote 'other' to the noticeboard"), boc.replay(first):
        board(write="other")


def test_a_cancelled_one():
    _, first = recorded(lambda: cancelling(False))

    def program():
        log = Cown([], name="log")
        boc.whencall(lambda log: None, [log], name="a")
        other = boc.whencall(lambda log: log.value.append("c"), [log], name="c")
        boc.cancel(other)  # it rests until c has begun, as it did when recorded

    with boc.replay(first):
        program()


def test_main_rests_for_who_never_comes():
    _, first = recorded(lambda: waits_for_a_turn(True))
    _, second = replayed(lambda: waits_for_a_turn(True), first)
    assert second == first
    begun = time.monotonic()
    with pytest.raises(ReplayDiverged, match="main scheduled 'after' where 'parent'"), boc.replay(first):
        waits_for_a_turn(False)
    wrong = Schedule(first.behaviors, first.starts[::-1], first.joins, first.writes, first.views, 2)
    with pytest.raises(ReplayDiverged, match=r"but cannot|nobody schedules"), boc.replay(wrong):
        pair()
    assert time.monotonic() - begun < 60


def test_a_pinned_body_rests_for_who_never_comes():
    _, first = recorded(lambda: a_pinned_body_waits(True))
    assert replayed(lambda: a_pinned_body_waits(True), first)[1] == first
    with pytest.raises(ReplayDiverged, match=r"'child' .* was to be scheduled before 'mine'"), boc.replay(first):
        a_pinned_body_waits(False)


def pair():
    """What waits_for_a_turn schedules, without waiting for the parent before."""
    log = Cown([], name="log")
    boc.whencall(lambda log=log: boc.whencall(lambda log: None, [log], name="child"), [], name="parent")
    boc.whencall(lambda log: None, [log], name="after")
    boc.quiesce()


# ---- ends ----------------------------------------------------------------------------------------------
def test_an_error_in_the_program_ends_the_replay():
    _, first = recorded(lambda: simple_result("a", "b"))
    with pytest.raises(KeyError), boc.replay(first):
        simple("a")
        raise KeyError
    assert simple_result("x") == ["x"]


@pytest.mark.parametrize("end", [boc.stop, boc.reset, boc.resume])
def test_stop_reset_and_resume_end_a_replay(end):
    _, first = recorded(lambda: simple_result("a", "b", "c"))
    boc.replay(first)
    simple("c") if end is boc.resume else simple("a")
    end()
    assert boc._core._replay_state() is None and not boc._core._gate_closed()
    assert simple_result("a") == ["a"]


def test_an_interrupt_while_main_rests():
    _, first = recorded(lambda: waits_for_a_turn(True))
    timer = threading.Timer(0.5, _thread.interrupt_main)
    release = threading.Event()
    other = threading.Thread(target=release.wait, args=(60,))  # so that a rest is not taken for a standstill at once
    other.start()
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt), boc.replay(first):
            timer.start()
            boc.whencall(lambda: boc.receive("never", 30), [], name="parent")
            boc.whencall(lambda log: None, [Cown([])], name="after")
    finally:
        release.set()
        other.join()
        timer.join()
    assert time.monotonic() - begun < 8
    boc.send("never", None)
    assert simple_result("x") == ["x"]


def test_an_interrupt_while_main_rests_and_all_stands_still():
    _, first = recorded(lambda: waits_for_a_turn(True))
    release = threading.Event()
    other = threading.Thread(target=release.wait, args=(60,))  # it might do something
    other.start()
    timer = threading.Timer(0.5, _thread.interrupt_main)
    boc.replay(first)
    boc.whencall(lambda: boc.receive("go on"), [], name="parent")
    try:
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            boc.whencall(lambda log: None, [Cown([])], name="after")
    finally:
        boc.send("go on", None)
        release.set()
        other.join()
        timer.join()
    boc.stop()


def test_stop_while_a_body_rests():
    _, first = recorded(messages, 3)
    with boc.replay(first) as replay:
        boc.whencall(lambda: boc.receive("question 0", 60), [], name="asks0")
        time.sleep(0.2)
        assert replay.active
        boc.stop()
    assert simple_result("x") == ["x"]


@pytest.mark.parametrize("how", ["", "raise SystemExit(3)", "os._exit(3)"])
def test_the_program_ends_in_the_midst(how):
    done = run(f"""
        def program(more):
            log = Cown([], name="log")
            boc.whencall(lambda log: None, [log], name="a")
            if more:
                boc.whencall(lambda log: None, [log], name="b")
                boc.quiesce()
        program(True)
        first = boc.schedule()
        boc.replay(first)
        program(False)
        {how}
    """, timeout=60).clean(3 if how else 0)
    assert "Traceback" not in done.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads, which is what is tested
def test_a_child_of_a_fork_replays_nothing():
    _, first = recorded(lambda: simple_result("a", "b"))
    with boc.replay(first):
        simple("a")
        pid = os.fork()
        if pid == 0:
            ok = boc._core._replay_state() is None and simple_result("c") == ["c"]
            os._exit(0 if ok else 1)
        assert os.waitpid(pid, 0)[1] == 0
        boc.resume()


# ---- what is refused -------------------------------------------------------------------------------------
def test_refusals(tmp_path):
    _, first = recorded(lambda: simple_result("a"), 3)
    with pytest.raises(TypeError, match="not int"):
        boc.replay(3)
    with pytest.raises(OSError, match="nothing"):
        boc.replay(tmp_path / "nothing.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ScheduleError, match=r"bad\.json"):
        boc.replay(tmp_path / "bad.json")
    lost = Schedule(first.behaviors, first.starts, first.joins, first.writes, first.views, 3, 0, "12 records were overtaken")
    with pytest.raises(ValueError, match=r"incomplete \(12 records were overtaken\): record it with larger rings"):
        boc.replay(lost)
    boc.pause()
    simple("a")
    with pytest.raises(RuntimeError, match=r"behaviors are pending \(1\)"):
        boc.replay(first)
    boc.resume()
    boc.quiesce()
    boc.stop()
    with boc.replay(first):
        with pytest.raises(RuntimeError, match=r"recorded with 3 workers: start\(2\) is too few"):
            boc.start(2)
        for call in (boc.pause, boc.step):
            with pytest.raises(RuntimeError, match="a schedule is replayed"):
                call()
        simple("a")
    assert "inside a behavior" in refused_in_a_body()
