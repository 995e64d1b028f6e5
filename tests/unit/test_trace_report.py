"""Critical path, what if, compare, summary, times."""

from __future__ import annotations

import boc
import numpy as np
import pytest
from boc.trace import whatif
from boc.trace.times import count, dur, percent, size
from test_trace_model import random_sim, trace_of
from trace_sim import MS, Job, Sim, cooking, kitchen


def test_durations_have_three_digits() -> None:
    assert [dur(v) for v in (0, 7, 830_000, 4_124_000, 1_040_000_000, 999_960, 82_100_000, -3_400_000)] == [
        "0 ns", "7 ns", "830 µs", "4.12 ms", "1.04 s", "1 ms", "82.1 ms", "−3.4 ms"
    ]  # fmt: skip
    assert dur(21_460_000, 2) == "21 ms" and dur(99_950_000_000) == "100 s"
    assert count(1_000_000) == "1\u202f000\u202f000"


def test_sizes_have_units() -> None:
    assert [size(n) for n in (0, 640, 1200, 999_600, 52_300_000)] == ["·", "640 B", "1.2 kB", "1.0 MB", "52.3 MB"]


def test_percent_never_rounds_to_all_or_none() -> None:
    assert [percent(v) for v in (0, 0.001, 0.5, 0.996, 1)] == ["0%", "<1%", "50%", "99%", "100%"]


def test_critical_path_is_a_chain_that_reaches_the_end() -> None:
    t = trace_of(cooking())
    path = t.critical_path()
    assert str(path).startswith("beat_eggs › heat_pan › ") and path.steps[-1].name == "wash_pan"
    assert path.length <= path.span and path.length > 0.9 * path.span


@pytest.mark.parametrize("seed", range(30))
def test_critical_path_steps_follow_each_other(seed: int) -> None:
    t = trace_of(random_sim(seed))
    path = t.critical_path()
    for a, b in zip(path.steps, path.steps[1:], strict=False):
        assert a.begin <= b.begin and a.row != b.row
    assert 0 <= path.length <= t.span


def test_a_chain_on_one_cown_is_its_path() -> None:
    t = trace_of(Sim([Job(f"s{k}", ("x",)) for k in range(5)]))
    assert [s.name for s in t.critical_path().steps] == [f"s{k}" for k in range(5)]
    assert [s.why for s in t.critical_path().steps[1:]] == ["x"] * 4


def test_children_follow_their_parent() -> None:
    t = trace_of(Sim([Job("p", ("x",), spawn=((0.5, Job("c", ("y",), body=4 * MS)),))]))
    assert [s.name for s in t.critical_path().steps] == ["p", "c"]
    assert t.critical_path().steps[1].why == "parent"


def test_what_if_more_workers() -> None:
    t = trace_of(Sim([Job(f"b{k}", (f"c{k}",), body=10 * MS) for k in range(4)], workers=1, wake=0))
    assert t.what_if(workers=4).total == pytest.approx(10 * MS, rel=0.001)
    assert t.what_if(workers=2).total == pytest.approx(20 * MS, rel=0.001)
    assert t.what_if().total == t.what_if(workers=1).total == t.span


def test_what_if_a_cown_were_two() -> None:
    t = trace_of(Sim([Job(f"b{k}", ("pan",), body=10 * MS) for k in range(2)], workers=2, wake=0))
    told = t.what_if(split="pan")
    assert told.total == pytest.approx(10 * MS, rel=0.001) and told.change < -0.4
    assert "predicted" in str(told)
    with pytest.raises(KeyError, match="no cown 'pot'"):
        t.what_if(split="pot")
    with pytest.raises(ValueError, match="at least 1"):
        t.what_if(workers=0)


def test_what_if_keeps_children_after_their_parents() -> None:
    t = trace_of(Sim([Job("p", ("x",), body=4 * MS, spawn=((0.5, Job("c", ("y",), body=4 * MS)),))], wake=0))
    assert t.what_if(workers=1).total == pytest.approx(8 * MS, rel=0.001)
    assert t.what_if(workers=3).total == pytest.approx(6 * MS, rel=0.001)


def test_summary_is_what_happened() -> None:
    sim = kitchen(400)
    s = trace_of(sim).summary()
    assert sum(r.runs for r in s.behaviors) == 400 == sum(w.ran for w in s.workers)
    assert sum(r.raised for r in s.behaviors) == sum(bool(e[3]) for e in sim.log if e[0] == "end")
    assert s.cowns[0].name == "knife" and 0 < s.cowns[0].in_use <= s.cowns[0].held <= 1
    assert "No record was lost." in s.finding and str(s).count("\n") > 15
    assert [r.body * r.runs for r in s.behaviors] == sorted((r.body * r.runs for r in s.behaviors), reverse=True)


def test_summary_of_nothing() -> None:
    assert str(trace_of(Sim([])).summary()).startswith(
        "0 behaviors in 0 ns: 0/s on 2 workers\nNo behavior has run yet."
    )


def test_compare_matches_by_name() -> None:
    a, b = trace_of(cooking()), trace_of(cooking(workers=3))
    told = a.compare(b)
    by = {n.name: n for n in told.names}
    assert told.title.startswith("B took 131 ms, 18% less than A (161 ms)")
    assert by["garnish"].note == "cancelled in both" and by["grate_cheese"].after < by["grate_cheese"].before
    assert "Waiting fell from" in told.finding
    assert a.compare(a).title.endswith("as long as A") and a.compare(a).reordered == ()


def test_compare_says_what_came_in_another_order() -> None:
    a = trace_of(Sim([Job("p", ("x",)), Job("q", ("x",), at=1)]))
    b = trace_of(Sim([Job("q", ("x",)), Job("p", ("x",), at=1), Job("new", ("y",), at=2)]))
    told = a.compare(b)
    assert told.reordered == ("x",) and {n.name: n.note for n in told.names}["new"] == "only in B"


def test_what_if_lets_a_worker_come_up_as_late_again() -> None:
    t = trace_of(Sim([Job(f"b{k}", (f"c{k}",), body=10 * MS) for k in range(8)], workers=2, wake=0))
    first = int(np.flatnonzero(t.behaviors.thread == 1)[0])
    t.behaviors.start[first] += 5 * MS  # ready at once, but its worker was not there
    late = int(t.behaviors.start[first]) - t.t0
    assert whatif._come_up(t, 4) == [0, late, 2 * late, 3 * late]
    assert whatif._come_up(t, 1) == [0]


def test_questions_as_functions_of_boc() -> None:
    t = trace_of(cooking())
    assert str(boc.explain("cook_omelette", t)) == str(t.explain("cook_omelette"))
    assert boc.what_if(t, workers=4).total == t.what_if(workers=4).total
    for ask in (boc.trace, boc):
        assert str(ask.summary(t)) and str(ask.critical_path(t)) and str(ask.compare(t, t))
    assert boc.trace.explain("cook_omelette", t).sentence == t.explain("cook_omelette").sentence
    assert repr(t).startswith("<Trace: ") and len(repr(t)) < 80


def test_cpu_time_is_never_more_than_wall_time_whichever_bodies_were_sampled() -> None:
    t = trace_of(Sim([Job("a", (f"c{k}",), body=(10 if k == 3 else 1) * MS) for k in range(8)], workers=1, wake=0))
    t.behaviors.cpu[:] = 0
    t.behaviors.cpu[3] = 5 * MS  # only the long one was sampled: it had a core for half its time
    [row] = t.summary().behaviors
    assert row.cpu == pytest.approx(row.body / 2, rel=0.01)
    assert t.summary().workers[0].cpu == pytest.approx(t.summary().workers[0].busy / 2, rel=0.01)


@pytest.mark.parametrize("read", [10, 1000])
def test_a_body_that_lost_its_core_for_long_does_not_speak_for_all(read: int) -> None:
    """Bodies of 30 us on the core; three of them stood still for 10 ms. One in `read` was sampled, and one that stood still."""
    jobs = [Job("a", (f"c{k}",), body=10 * MS if k in (50, 51, 52) else 30_000) for k in range(200)]
    t = trace_of(Sim(jobs, workers=1, wake=0))
    t.behaviors.cpu[:] = 0
    t.behaviors.cpu[3 if read < 200 else 51 :: read] = 30_000
    t.behaviors.cpu[51] = 30_000
    [row] = t.summary().behaviors
    assert row.cpu == pytest.approx(30_000, rel=0.02)


def test_long_bodies_that_were_never_sampled_worked_like_the_others() -> None:
    t = trace_of(Sim([Job("a", (f"c{k}",), body=(10 if k == 3 else 0.01) * MS) for k in range(8)], workers=1, wake=0))
    t.behaviors.cpu[:] = 0
    t.behaviors.cpu[5] = 5_000
    [row] = t.summary().behaviors
    assert row.cpu == pytest.approx(row.body / 2, rel=0.01)
