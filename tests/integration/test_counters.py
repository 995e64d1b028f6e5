"""Counters by name: what workers counted is what the program's own log says, also where the rings have forgotten it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from boc.trace import Trace
from running import script

HEAD = """
import json, time, boc
from boc import Cown, when, read, start, wait, quiesce, stop
from boc.trace import Trace

def told(trace):
    s = trace.summary()
    c = trace.counted
    return {
        "runs": {r.name: r.runs for r in s.behaviors}, "raised": {r.name: r.raised for r in s.behaviors},
        "lost": trace.counts()["lost"], "total": sum(trace.counts().values()), "bars": int(trace.ran.sum()), "s_lost": s.lost, "title": s.title,
        "handoffs": {r.name: r.handoffs for r in s.cowns}, "held": {r.name: r.held for r in s.cowns},
        "ran": {r.name: r.ran for r in s.workers}, "busy": {r.name: r.busy for r in s.workers},
        "text": str(boc.gantt(trace)), "whole": c is not None,
    }
"""


@pytest.fixture
def told(tmp_path: Any) -> Any:
    return lambda body: json.loads(script(tmp_path, HEAD + body).out.splitlines()[-1])


def test_counts_equal_the_programs_own_log(told: Any) -> None:
    got = told("""
start(2, trace="1k")
knife, pan = Cown(0), Cown(0)
log = {"cut": 0, "cook": 0, "burn": 0}
for i in range(5000):
    log["cut"] += 1
    @when(knife)
    def cut(k): k.value += 1
    if i % 3 == 0:
        log["cook"] += 1
        @when(pan, read(knife))
        def cook(p, k): pass
    if i % 1000 == 0:
        log["burn"] += 1
        @when(pan)
        def burn(p): raise KeyError("hot")
        try:
            burn.result()
        except KeyError:
            pass
quiesce()
answer = told(Trace.now_of().last_run())
print(json.dumps([log, answer]))
""")
    log, answer = got
    assert answer["whole"] and answer["runs"] == log and answer["total"] == sum(log.values())
    assert answer["raised"] == {"cut": 0, "cook": 0, "burn": 5}
    assert answer["lost"] == answer["s_lost"] == sum(log.values()) - answer["bars"] > 3000
    assert answer["handoffs"]["knife"] == log["cut"] + log["cook"] - 1
    assert sum(answer["ran"].values()) == sum(log.values())
    assert "bars not drawn" in answer["text"] and "lost" in answer["text"]
    assert f"{sum(log.values()):,}".replace(",", "\u2009") in answer["title"].replace("\u202f", "\u2009")


def test_a_result_is_not_counted_for_a_cown_of_its_name(told: Any) -> None:
    answer = told("""
start(2, trace="1k")
onion = Cown(0, name="onion")
for i in range(5000):
    @when(onion, name="onion")
    def cut(o): pass
quiesce()
print(json.dumps(told(Trace.now_of().last_run())))
""")
    assert answer["whole"] and answer["runs"] == {"onion": 5000}
    assert answer["handoffs"]["onion"] == 4999


def test_a_run_counts_from_its_own_begin(told: Any) -> None:
    """After a wait, and after a stop and a start, what was before counts no more; a run that is all there has no lost."""
    first, second, third, everything = told("""
start(2, trace="1k")
knife = Cown(0)
def many(n):
    for i in range(n):
        @when(knife)
        def cut(k): pass
def last():
    return told(Trace.now_of().last_run())
many(4000)
quiesce()
out = [last()]
many(50)
quiesce()
out.append(last())
stop()
start(1, trace="1k")
many(3000)
quiesce()
out.append(last())
out.append(told(Trace.now_of()))
print(json.dumps(out))
""")
    assert [r["total"] for r in (first, second, third, everything)] == [4000, 50, 3000, 7050]
    assert first["runs"] == {"cut": 4000} and first["lost"] == 4000 - first["bars"] > 0
    assert second["runs"] == {"cut": 50} and second["lost"] == 0 and second["bars"] == 50
    assert third["runs"] == {"cut": 3000} and third["lost"] == 3000 - third["bars"] > 0
    assert everything["runs"] == {"cut": 7050} and everything["lost"] == 7050 - everything["bars"]


def test_shares_are_of_the_whole_run(told: Any) -> None:
    """Ten bodies of 30 ms, then thousands that push them out of the ring: the shares still know of them."""
    answer = told("""
start(1, trace="1k")
oven, knife = Cown(0), Cown(0)
began = time.monotonic()
for i in range(10):
    @when(oven)
    def bake(o): time.sleep(0.03)
@when(oven)
def then(o):
    for i in range(4000):
        @when(knife)
        def cut(k): pass
quiesce()
took = time.monotonic() - began
run = Trace.now_of().last_run()
answer = told(run)
answer["took"] = took
answer["counted"] = (run.t1 - run.counted.begin) / 1e9
print(json.dumps(answer))
""")
    assert answer["runs"] == {"bake": 10, "then": 1, "cut": 4000}
    assert answer["handoffs"] == {"knife": 3999, "oven": 10}
    assert answer["held"]["oven"] >= 0.295 / answer["took"]
    assert 0.3 <= answer["counted"] <= answer["took"] + 0.01
    assert answer["busy"]["worker 0"] >= 0.29 / answer["took"]
    assert answer["busy"]["worker 0"] <= 1


def test_a_file_knows_what_it_lost(told: Any, tmp_path: Any) -> None:
    """A recording of a run whose begin the ring had forgotten, read again; and saved once more."""
    path = tmp_path / "run.boctrace"
    again = tmp_path / "again.boctrace"
    live, read, saved = told(f"""
start(2, trace="1k")
knife = Cown(0)
for i in range(5000):
    @when(knife)
    def cut(k): pass
while boc._core._counts()[2] < 5000:
    time.sleep(0.01)
with boc.trace.record({str(path)!r}, history=True):
    @when(knife)
    def last(k): pass
    last.result()
live = told(Trace.now_of())
got = Trace.load({str(path)!r})
got.save({str(again)!r})
print(json.dumps([live, told(got), told(Trace.load({str(again)!r}))]))
""")
    assert live["runs"] == read["runs"] == saved["runs"] == {"cut": 5000, "last": 1}
    assert read["lost"] == saved["lost"] == 5001 - read["bars"] > 0


def test_a_block_records_the_block(told: Any, tmp_path: Any) -> None:
    """What was over before is not in the file; what was pending has its past; counters count from the block on."""
    path, again = tmp_path / "run.boctrace", tmp_path / "again.boctrace"
    answer = told(f"""
start(2)
knife, gate = Cown(0, name="knife"), Cown(0, name="gate")
for i in range(50):
    @when(knife)
    def before(k): pass
quiesce()
boc.notice_write("early", 1)
@when(gate)
def running(g):
    boc.send("runs", 1)
    boc.receive("on")
@when(gate)
def queued(g): pass
boc.receive("runs")
begin = time.monotonic_ns()
with boc.trace.record({str(path)!r}):
    for i in range(5):
        @when(knife)
        def inside(k): pass
    inside.result()
    boc.send("on", 1)
    queued.result()
@when(knife)
def after(k): pass
quiesce()
answer = []
for path in ({str(path)!r}, {str(again)!r}):
    got = Trace.load(path)
    got.save({str(again)!r})
    answer.append([got.t0 >= begin, told(got), got.counts()["done"], sorted(got.name(i) for i in got.find("running") + got.find("queued"))])
    assert [got.behaviors.sched[i] < begin for i in got.find("running") + got.find("queued")] == [True, True]
    text = boc.explain("queued", trace=got)
answer.append(str(text))
whole = {str(again)!r}
with boc.trace.record(whole, history=True): pass
answer.append(told(Trace.load(whole))["runs"])
print(json.dumps(answer))
""")
    for at_or_after, run, done, early in answer[:2]:
        assert at_or_after
        assert run["runs"] == {"running": 1, "queued": 1, "inside": 5}
        assert run["lost"] == 0 and run["bars"] == done == 7
        assert early == ["queued", "running"]
    assert answer[2].startswith("queued waited")
    assert answer[3] == {"before": 50, "running": 1, "queued": 1, "inside": 5, "after": 1}


def test_names_beyond_the_table_share_a_row(told: Any) -> None:
    answer = told("""
start(2, trace="1k")
knife = Cown(0)
def cut(k): pass
for i in range(4300):
    @when(knife)
    def f(k): pass
for i in range(4300):
    boc.mark(f"mark {i}")
@when(knife)
def late(k): pass
for i in range(2000):
    @when(knife)
    def later(k): pass
quiesce()
print(json.dumps(told(Trace.now_of().last_run())))
""")
    assert sum(answer["runs"].values()) == 4300 + 1 + 2000
    assert answer["runs"]["f"] == 4300


def test_off_counts_nothing(told: Any) -> None:
    assert told("""
start(2, trace=False)
knife = Cown(0)
for i in range(100):
    @when(knife)
    def cut(k): pass
quiesce()
print(json.dumps([len(rows) for _, _, rows in boc._core.trace_tally()][-1]))
""") == 0


@pytest.mark.parametrize("readers", [False, True])
def test_held_is_not_more_than_there_was_time(told: Any, readers: bool) -> None:
    answer = told(f"""
start(2, trace="1k")
pan = Cown(0)
for i in range(4000):
    if {readers} and i % 5:
        @when(read(pan))
        def look(p): pass
    else:
        @when(pan)
        def cook(p): pass
quiesce()
print(json.dumps(told(Trace.now_of().last_run())))
""")
    assert 0 < answer["held"]["pan"] <= 1 and answer["handoffs"]["pan"] == 3999


@pytest.mark.parametrize("cowns", [8, 60])
def test_the_title_and_the_rows_say_the_same_share(told: Any, cowns: int) -> None:
    """Cowns of one name share its numbers: their mean, of the whole run and not of what the ring still has."""
    answer = told(f"""
from boc.view.gantt import _most_waited
from boc.view.palette import LIGHT
from boc.view.scene import Scene
from boc.view.cowns import Cowns
start(2, trace="4k")
pans = [Cown(0, name='pan') for _ in range({cowns})]
for i in range({cowns}):
    @when(pans)
    def hold(p): time.sleep(0.002)
for i in range(8000):
    @when(pans[i % {cowns}])
    def cook(p): pass
for i in range({cowns}):
    for _ in range(2):
        @when(pans[i])
        def serve(p): time.sleep(0.001)
    serve.result()
quiesce()
t = Trace.now_of().last_run()
scene = Scene(t, LIGHT)
rows = Cowns(scene, 0)
others = rows._mean([9.0]) if rows.rest else None
print(json.dumps([_most_waited(t, scene), rows._held(rows.rows[0]), len(rows.rows), others]))
""")
    title, row, shown, others = answer
    assert f"held {row.removeprefix('ø ')} of the time (mean of {cowns})" in title and row.startswith("ø")
    assert shown == (16 if cowns == 60 else 8)
    if cowns == 60:
        assert abs(others * 100 - int(row.removeprefix("ø ").rstrip("%"))) <= 1


@pytest.mark.parametrize("end", ["recording.stop()", "os.kill(os.getpid(), 9)"])
def test_a_file_names_cowns_that_were_made_while_nothing_was_recorded(tmp_path: Any, end: str) -> None:
    """Before the first start and between two lives of the workers: a script that begins with record()."""
    path = tmp_path / "run.boctrace"
    body = f"""
import os
recording = boc.trace.record({str(path)!r})
pan = Cown(0, name="pan")
def life(cown):
    before = recording.records
    for i in range(20):
        @when(cown)
        def fry(c): pass
    quiesce()
    end = time.monotonic() + 30
    while recording.records < before + 60 and time.monotonic() < end: time.sleep(0.01)
life(pan)
wait()
egg = Cown(0, name="egg")
life(egg)
{end}
"""
    script(tmp_path, HEAD + body, code=-9 if "kill" in end else 0)
    t = Trace.load(path)
    assert {t.cown_name(k) for k in range(len(t.cowns))} >= {"pan", "egg"}


def test_pictures_say_that_tracing_is_off(tmp_path: Any) -> None:
    body = """
import os
start(2, trace=False)
pan = Cown(0, name="pan")
@when(pan)
def fry(p): pass
quiesce()
for chart in (boc.gantt(), boc.gantt(by="behavior"), boc.throughput(), boc.summary()):
    assert "Tracing is off" in str(chart) and "Nothing was scheduled" not in str(chart), str(chart)
    assert "No behavior has run" not in str(chart), str(chart)
stop()
start(2, trace=True)
@when(pan)
def fry(p): pass
quiesce()
assert "off" not in str(boc.gantt()) and str(boc.gantt()).startswith("1 behavior")
stop()
start(2, trace=False)
assert str(boc.gantt(all=True)).startswith("1 behavior") and "Tracing is off" in str(boc.gantt(all=True))
"""
    script(tmp_path, HEAD + body)


def test_what_main_has_forgotten_is_said_apart_from_bars(told: Any) -> None:
    """The rings of workers hold the whole run, that of main does not: all bars are there, their waits are not."""
    got = told("""
start(2, trace="1k")
knife = Cown(0)
@when(knife)
def cut(k): time.sleep(0.2)
time.sleep(0.1)
for i in range(3000): boc.mark("tick")
@when(knife)
def wash(k): pass
quiesce()
trace = Trace.now_of().last_run()
print(json.dumps(told(trace) | {"summary": str(trace.summary())}))
""")
    assert got["whole"] and got["bars"] == 2 and got["lost"] == 0 and got["runs"] == {"cut": 1, "wash": 1}
    assert ". Bars of workers reach back" in got["text"] and ", cowns and queues " in got["text"]
    assert "times and queues of the newest 1 in" in got["summary"] and "lost" not in got["summary"].split("\n")[1]
