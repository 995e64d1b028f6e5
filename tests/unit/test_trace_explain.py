"""Why did this wait: parts that add up, holders that held, sentences that say so."""

from __future__ import annotations

import numpy as np
import pytest
from boc.trace.columns import LOST
from boc.trace.explain import explain, parts, wait_end
from test_trace_model import random_sim, trace_of
from trace_sim import MS, US, Job, Sim, cooking


@pytest.mark.parametrize("seed", range(40))
def test_parts_add_up_and_holders_held(seed: int) -> None:
    t = trace_of(random_sim(seed))
    b, r = t.behaviors, t.requests
    for i in range(len(b)):
        found = parts(t, i)
        assert b.state[i] != LOST
        told = explain(t, i)
        end = wait_end(t, i)
        assert told.total == end - b.sched[i]
        covered = int(b.sched[i])
        for p in found:
            assert p.begin == covered and p.end > p.begin
            covered = p.end
            if p.holder >= 0:
                m = (r.behavior == p.holder) & (np.array(t.cown_names())[r.cown] == p.cown)
                assert m.any() and (r.grant[m] <= p.begin).all() and (t.held_until[m] >= p.end).all()
        # What is left is a behavior cancelled while it stood in no queue any more.
        assert covered == end or (b.cancel[i] >= 0 and b.start[i] < 0)


def test_sentence_names_every_holder() -> None:
    t = trace_of(cooking())
    text = str(t.explain("cook_omelette"))
    assert text.startswith("cook_omelette waited 77.7 ms: 23.9 ms for cheese (held by mend_grater 17.2 ms, ")
    assert "23.3 ms for eggs (held by beat_eggs)" in text
    assert str(t.explain("grate_cheese")) == "grate_cheese waited 35.7 ms for a free worker."
    assert str(t.explain("beat_eggs")) == "beat_eggs did not wait."
    assert str(t.explain("garnish")).startswith("garnish was cancelled after 60 ms in the queue for board")


def test_pinned_waits_for_the_pump() -> None:
    t = trace_of(Sim([Job("show", ("p",), pinned=True)], pump=3 * MS))
    assert str(t.explain("show")) == "show waited 3 ms for the main thread to pump."


def test_still_waiting_says_so() -> None:
    t = trace_of(Sim([Job("a", ("x",), body=9 * MS), Job("b", ("x",), at=0.1 * MS)], until=5 * MS, wake=0))
    assert str(t.explain("b")) == "b has waited 4.9 ms for x (held by a)."
    assert t.explain("b").as_dict()["parts"][0]["held_by"] == "a"


def test_the_last_started_of_a_name_is_meant() -> None:
    jobs = [Job("a", ("x",), at=k * 100 * US, body=MS) for k in range(4)]
    t = trace_of(Sim(jobs))
    assert t.explain("a").row == t.find("a")[3] and t.explain("a#2").row == t.find("a")[1]
    with pytest.raises(KeyError, match="no behavior 'zzz'"):
        t.explain("zzz")


def test_the_gate_is_no_missing_worker() -> None:
    from boc.trace import KIND, Trace
    from boc.trace.records import RECORD

    sim = Sim([Job("a", ("x",))], wake=5 * MS)
    b = next(iter(sim.live.values()))
    rows = sim.records().tolist()
    rows += [
        (sim.base, b.id, 0, 0, KIND["gate_hold"], 0, 1024),
        (sim.base + 4 * MS, b.id, 0, 0, KIND["gate_pass"], 0, 1024),
    ]
    t = Trace.from_records(np.array(rows, RECORD), sim.names, now=sim.now)
    told = t.explain("a")
    assert [(p.what, p.ns) for p in told.parts] == [("gate", 4 * MS), ("worker", MS)]
