"""boc.schedule(): what decided a run, as an object that can be saved and compared."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import boc
import pytest

pytest.importorskip("numpy")
from boc.trace import Schedule, ScheduleError, Trace
from running import script
from schedule_programs import readers, refused_in_a_body, simple


def recorded(program, workers=2, **options):
    """Run a program on a fresh runtime; its schedule."""
    boc.stop()
    boc.start(workers, **options)
    program()
    boc.quiesce()
    return boc.schedule()


def test_what_it_says(tmp_path):
    first = recorded(lambda: simple("a", "b", more=("k",)).result())
    assert [first.name(i) for i in range(4)] == ["'a' (number 1 of main)", "'b' (number 2 of main)",
                                                 "'k' (number 1 of 'a')", "'k' (number 1 of 'b')"]
    assert first.name(-1) == "main" and repr(first) == "<schedule: 4 behaviors, 4 starts>"
    assert set(first.starts) == {0, 1, 2, 3} and first.starts[0] == 0
    (order,) = [who for name, who in first.joins if name == "log"]
    assert order == first.starts, "one cown: who joins first starts first"
    assert first.writes == ((0, "k"), (1, "k")) and first.views == ((0, 0), (1, 1))
    assert not first.missing and not first.pending and first.workers == 2
    first.save(tmp_path / "run.json")
    loaded = Schedule.load(tmp_path / "run.json")
    assert loaded == first and hash(loaded) == hash(first) and loaded.workers == 2


def test_equal_decisions_are_equal():
    first, again, other = (recorded(lambda n=n: simple("a", n).result(), w) for n, w in (("b", 1), ("b", 3), ("c", 1)))
    assert first == again
    assert first != other


def test_once_wait_has_ended_the_run():
    first = recorded(lambda: simple("a", "b").result())
    boc.wait()
    assert boc.schedule() == first


def test_readers_start_before_the_writer_behind_them():
    first = recorded(readers, 3)
    names = [first.behaviors[i].name for i in first.starts]
    assert sorted(names[:4]) == ["r0", "r1", "r2", "r3"] and names[4] == "w"
    order = dict(first.joins)["a"]
    assert [first.behaviors[i].name for i in order][-1] == "w"


def test_a_run_that_goes_on():
    boc.stop()
    boc.start(2)
    boc.pause()
    log = simple("a", "b", "c", "d")
    boc.step(2)
    until = time.monotonic() + 30
    while not boc._core._gate_settled():
        assert time.monotonic() < until
    part = boc.schedule()
    boc.resume()
    assert (len(part.behaviors), len(part.starts), part.pending) == (4, 2, 2)
    assert "2 pending" in repr(part)
    assert log.result() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("size", "whole"), [("1024", False), ("64k", True)])
def test_a_run_longer_than_the_rings_says_so(tmp_path, size, whole):
    done = script(tmp_path, f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import boc
        from schedule_programs import many
        boc.start(1, trace={size!r})
        many()
        found = boc.schedule()
        print("overtaken" in found.missing, "incomplete" in repr(found), len(found.starts) == 3000)
    """)
    assert done.out.split() == [str(not whole), str(not whole), str(whole)]


def test_a_recorded_trace_is_a_schedule_too(tmp_path):
    first = recorded(lambda: simple("a", "b", more=("k",)).result())
    Trace.now_of().save(tmp_path / "run.boctrace")
    assert Schedule.load(tmp_path / "run.boctrace") == first


def test_refusals(tmp_path):
    first = recorded(lambda: simple("a").result())
    first.save(tmp_path / "run.json")
    told = json.loads((tmp_path / "run.json").read_text())
    with pytest.raises(OSError, match="nothing"):
        Schedule.load(tmp_path / "nothing.json")
    for change in ({"version": 99}, {"starts": [0, 0]}, {"starts": [10]}, {"behaviors": [["a", 3, 1]]}, {"format": "x"}):
        (tmp_path / "bad.json").write_text(json.dumps(told | change))
        with pytest.raises(ScheduleError, match=r"bad\.json"):
            Schedule.load(tmp_path / "bad.json")
    assert "inside a behavior" in refused_in_a_body()
    boc.stop()
    boc.start(1, trace="off")
    with pytest.raises(RuntimeError, match="the trace is off"):
        boc.schedule()


def test_the_empty_run():
    boc.stop()
    boc.start(1)
    assert repr(boc.schedule()) == "<schedule: 0 behaviors, 0 starts>"


def test_threads_are_told_apart_by_names():
    def program():
        log = boc.Cown([], name="log")
        threads = [threading.Thread(target=lambda n=n: boc.whencall(lambda log: None, [log], name=n)) for n in "cab"]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        boc.whencall(lambda log: None, [log], name="main's")
        log.result()

    first = recorded(program)
    assert [first.name(i) for i in range(4)] == ["'a' (number 1 of other threads)", "'b' (number 1 of other threads)",
                                                 "'c' (number 1 of other threads)", "'main's' (number 1 of main)"]


def test_behaviors_with_pinned_cowns_say_where_main_was():
    def program():
        pinned = boc.PinnedCown([])
        for name in ("one", "two"):
            boc.whencall(lambda p: None, [pinned], name=name).result()

    first = recorded(program)
    assert first.pinned == ((0, 1), (1, 2))
