"""What semantics.md promises of the runtime: start, wait, quiesce, stop, cancel, prints, statistics."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import threading
import time

import boc
import pytest
from boc import Cown, cancel, quiesce, start, stop, wait, when, whencall

pytestmark = pytest.mark.timeout(40)


def test_start_is_idempotent():
    start(2)
    start(2)
    start()
    with pytest.raises(RuntimeError):
        start(3)
    with pytest.raises(RuntimeError):
        start(worker_count=3)


@pytest.mark.parametrize("wrong", [0, -1, "two", 1.5])
def test_start_with_a_wrong_count(wrong):
    with pytest.raises((ValueError, TypeError)):
        start(wrong)


def test_start_with_a_wrong_kind():
    with pytest.raises(ValueError):
        start(2, kind="goblin")


def test_many_workers():
    start(32)
    for i in range(200):
        @when()
        def body():
            return i

    assert body.result() == 199
    quiesce(timeout=25)  # a stop would abandon what a busy machine has not got through in a second


def test_waiting_does_not_start():
    assert wait() is None
    assert quiesce() is None
    assert wait(noticeboard=True) == {}
    assert wait(stats=True) == []
    stop()


def test_wait_and_begin_anew():
    for _ in range(3):
        c = Cown(0)
        for _ in range(10):
            @when(c)
            def _(c):
                c.value += 1

        assert wait() is None
        with c:
            assert c.value == 10


def test_wait_results():
    @when()
    def body():
        boc.notice_write("key", [1])

    result = wait(stats=True, noticeboard=True)
    assert isinstance(result, boc.WaitResult)
    assert result.noticeboard == {"key": [1]} and type(result.noticeboard) is dict
    assert [one["worker_index"] for one in result.stats] == list(range(len(result.stats)))
    assert body.exception is False


def test_wait_timeout_and_go_on():
    start(2)
    boc.set_tags(["go"])

    @when()
    def slow():
        return boc.receive("go")[1]

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        wait(timeout=0.1)
    with pytest.raises(TimeoutError):
        quiesce(0)
    assert time.monotonic() - began < 3
    with pytest.raises(ValueError):
        wait(float("nan"))
    boc.send("go", 4)
    assert slow.result() == 4


def test_several_threads_may_wait():
    start(2)
    boc.set_tags(["go"])

    @when()
    def slow():
        boc.receive("go")

    done = []
    threads = [threading.Thread(target=lambda: done.append(quiesce())) for _ in range(4)]
    for t in threads:
        t.start()
    boc.send("go", 1)
    for t in threads:
        t.join(10)
    assert done == [None] * 4


def test_threads_may_schedule():
    c = Cown(0)

    def work():
        for _ in range(200):
            @when(c)
            def _(c):
                c.value += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    quiesce()
    assert c.result() == 800


def test_stop_cancels_what_is_queued():
    start(1)
    c = Cown(0)
    boc.set_tags(["in"])

    @when(c)
    def runs(c):
        boc.send("in", 1)
        while True:
            pass

    @when(c)
    def queued(c):
        c.value += 1

    boc.receive("in")
    began = time.monotonic()
    stop()
    assert time.monotonic() - began < 3
    for cown in (runs, queued):
        with pytest.raises(boc.Cancelled):
            cown.result()

    @when()
    def anew():
        return 1

    assert anew.result() == 1


def test_stop_cancels_what_queues_behind_a_cown_that_main_holds():
    """Held by main itself: its result is Cancelled at once. By a thread that ended: nobody else could let it go."""
    start(1)
    mine, its = Cown([0]), Cown([0])

    def forgets():
        its.acquire()
        its.value.append(1)

    thread = threading.Thread(target=forgets)
    thread.start()
    thread.join()
    while os.path.exists(f"/proc/self/task/{thread.native_id}"):
        time.sleep(0.001)
    mine.acquire()
    queued = [whencall(lambda c: c.value.append(2), [c]) for c in (mine, its, its)]
    plain = whencall(lambda *c: None, [mine, its])
    stop()
    for cown in (*queued, plain):
        with pytest.raises(boc.Cancelled):
            cown.result(5)
    with pytest.raises(RuntimeError, match="held by this thread"):
        mine.result(5)
    mine.release()
    for cown in (*queued, plain):
        with pytest.raises(boc.Cancelled):
            cown.result(5)
    with its, mine:
        assert (its.value, mine.value) == ([0, 1], [0])
    start(1)
    assert whencall(lambda a, b: a.value + b.value, [mine, its]).result(5) == [0, 0, 1]
    quiesce(5)


def test_stop_without_cancel_lets_running_bodies_end():
    start(1)
    c = Cown(0)
    boc.set_tags(["in"])

    @when(c)
    def runs(c):
        import time
        boc.send("in", 1)
        end = time.monotonic() + 1  # so that stop() finds it running, however late main wakes
        while time.monotonic() < end:
            pass
        return "ended"

    @when(c)
    def queued(c):
        pass

    boc.receive("in")
    stop(cancel=False)
    assert runs.result() == "ended"
    with pytest.raises(boc.Cancelled):
        queued.result()


def test_cancel_queued():
    start(1)
    boc.set_tags(["go"])
    c = Cown([])

    @when(c)
    def first(c):
        boc.receive("go")

    @when(c)
    def second(c):
        c.value.append(2)

    @when(second)
    def dependent(second):
        return type(second.value).__name__, second.exception

    assert cancel(second) == 1
    boc.send("go", 1)
    assert dependent.result() == ("Cancelled", True)
    assert c.result() == []
    assert cancel(first) == 0
    with pytest.raises(TypeError):
        cancel(c)


def test_cancel_in_a_body():
    start(1)
    c = Cown(0)

    @when(c)
    def outer(c):
        @when(c)
        def inner(c):
            return 1

        return boc.cancel(inner)

    assert outer.result() == 1


def test_interrupt_running():
    start(2)
    boc.set_tags(["in"])
    c = Cown([])

    @when(c)
    def spins(c):
        c.value.append("begun")
        boc.send("in", 1)
        while True:
            pass

    boc.receive("in")
    assert cancel(spins) == 0
    assert cancel(spins, interrupt=True) == 1
    with pytest.raises(boc.Cancelled):
        spins.result(timeout=5)
    assert c.result() == ["begun"]


def test_a_body_that_swallows_the_interrupt_goes_on():
    start(2)
    boc.set_tags(["in"])

    def spin():
        while True:  # a call of its own: the jump back of a hot loop lies outside of its try on some versions of CPython
            pass

    @when()
    def stubborn():
        try:
            boc.send("in", 1)
            spin()
        except boc.Interrupted:
            return "went on"

    boc.receive("in")
    cancel(stubborn, interrupt=True)
    assert stubborn.result(timeout=5) == "went on"


def test_prints_go_through_mains_stdout():
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        for i in range(20):
            @when()
            def speak():
                print("line", i, end="")
                print(" of text")

        quiesce()
    assert sorted(text.getvalue().splitlines()) == sorted(f"line {i} of text" for i in range(20))


def test_stderr_too(capsys):
    @when()
    def speak():
        import sys
        print("to stderr", file=sys.stderr)

    quiesce()
    assert capsys.readouterr().err == "to stderr\n"


def test_scheduler_stats():
    start(2)
    for _ in range(50):
        @when()
        def body():
            pass

    quiesce()
    stats = boc.scheduler_stats()
    assert [one["worker_index"] for one in stats] == [0, 1]
    wanted = {"pushed_local", "pushed_remote", "dispatched_to_pending", "popped_local", "popped_via_steal",
              "steal_attempts", "steal_failures", "parked", "fairness_arm_fires"}
    assert all(wanted <= set(one) for one in stats)
    popped = sum(one["popped_local"] + one["popped_via_steal"] for one in stats)
    assert 0 < popped <= 60
    assert sum(one["started"] for one in stats) == sum(one["finished"] for one in stats) == 50
    ring = [Cown(0) for _ in range(8)]
    for i in range(500):
        whencall(lambda a, b: None, [ring[i % 8], ring[(i + 1) % 8]])
    quiesce()
    stats = boc.scheduler_stats()
    assert sum(one["popped_local"] + one["popped_via_steal"] for one in stats) >= sum(one["started"] for one in stats) == 550
    box = Cown([])
    whencall(lambda c: c.value.append(1), [box])
    for _ in range(20):
        assert box.result() == [1]  # asks the worker on which the value lives
    assert sum(one["started"] for one in boc.scheduler_stats()) == 551
    stop()
    start(2)
    assert all(not any(v for k, v in one.items() if k in ("started", "finished")) for one in boc.scheduler_stats())


def test_stacks():
    start(2)
    boc.set_tags(["in", "go"])

    @when()
    def busy_body():
        boc.send("in", 1)
        boc.receive("go")

    boc.receive("in")
    assert "busy_body" in str(boc.stacks())
    boc.send("go", 1)
    quiesce()
    assert "busy_body" not in str(boc.stacks())


def test_logging_of_workers_comes_to_main(caplog):
    with caplog.at_level(logging.INFO):
        @when(name="speaker")
        def body():
            logging.getLogger("mine").info("hello %d", 5)

        quiesce()
    [record] = [r for r in caplog.records if r.name == "mine"]
    assert record.getMessage() == "hello 5"
    assert record.behavior and record.worker is not None


def test_environment_and_directory_reach_the_workers(monkeypatch, tmp_path):
    @when()
    def before():
        import os
        return os.environ.get("BOC_TEST_NAME")

    assert before.result() is None
    monkeypatch.setenv("BOC_TEST_NAME", "later")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boc_test_module.py").write_text("value = 17\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    @when()
    def after():
        import os

        import boc_test_module
        return os.environ.get("BOC_TEST_NAME"), os.getcwd(), boc_test_module.value

    assert after.result() == ("later", str(tmp_path), 17)


def test_random_is_seeded_apart():
    start(2)

    def draw():
        @when()
        def number():
            import random
            return random.random()

        return number

    numbers = boc.gather([draw() for _ in range(40)])
    assert len(set(numbers)) == 40


def test_idle_runtime_uses_no_cpu():
    start(2)

    @when()
    def body():
        pass

    quiesce()
    time.sleep(0.2)
    began = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - began < 0.1


def test_bodies_run_beside_each_other():
    start(2)
    boc.set_tags(["a", "b"])

    def meet(mine, other):
        @when()
        def body():
            boc.send(mine, 1)
            return boc.receive(other, 10)[0]

        return body

    one, two = meet("a", "b"), meet("b", "a")
    assert (one.result(), two.result()) == ("b", "a")


def test_await():
    import asyncio
    c = Cown(1)

    @when(c)
    def add(c):
        c.value += 1
        return c.value

    async def main():
        assert await add == 2
        assert await asyncio.gather(add, c) == [2, 2]
        assert await asyncio.wait_for(c, 5) == 2
        await boc.quiesced()

        @when()
        def fails():
            raise ValueError("later")

        with pytest.raises(ValueError, match="later"):
            await fails

    asyncio.run(main())


def test_live_objects_are_gone_at_the_end():
    before = boc.debug.live()["behaviors"]  # what an abandoned worker's body of another test holds stays
    cowns = [Cown([i]) for i in range(10)]
    for c in cowns:
        @when(c)
        def _(c):
            c.value.append(1)

    quiesce()
    del c, cowns, _
    import gc
    gc.collect()
    live = boc.debug.live()
    assert live["behaviors"] == before
