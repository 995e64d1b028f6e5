"""The truth rules: what the trace says happened is what the program's own log says."""

from __future__ import annotations

import random

import numpy as np
import pytest
from boc.trace import KIND, MAIN, Cursor, Trace
from boc.trace.columns import CANCELLED, LOST, RAISED, RUNNING
from trace_sim import MS, Job, Sim, SimSource, cooking, kitchen


def trace_of(sim: Sim, **options: object) -> Trace:
    return Trace.from_records(sim.records(), sim.names, now=sim.now, **options)  # type: ignore[arg-type]


def random_sim(seed: int) -> Sim:
    """Every feature: readers, cancels, raises, pinned, children; stopped at any time."""
    g = random.Random(seed)
    box = [f"c{i}" for i in range(g.randrange(1, 7))]

    def job(depth: int = 0) -> Job:
        picked = g.sample(box, g.randrange(0, len(box) + 1))
        cut = g.randrange(len(picked) + 1)
        children = tuple((g.random(), job(depth + 1)) for _ in range(g.randrange(0, 3) if depth < 2 else 0))
        return Job(
            f"b{g.randrange(12)}",
            tuple(picked[:cut]),
            tuple(picked[cut:]),
            g.random() * 5 * MS,
            g.random() * MS,
            g.random() * 1e5,
            g.random() * 1e5,
            "KeyError" if g.random() < 0.1 else "",
            g.random() < 0.1,
            g.random() * 3 * MS if g.random() < 0.1 else None,
            (),
            children,
        )

    jobs = [job() for _ in range(g.randrange(1, 40))]
    return Sim(
        jobs,
        g.randrange(1, 5),
        g.random() * 12 * MS if g.random() < 0.5 else None,
        first_id=g.choice([1, 2**32 - 20, 2**40]),
    )


@pytest.mark.parametrize("seed", range(60))
def test_model_is_the_programs_own_log(seed: int) -> None:
    sim = random_sim(seed)
    t = trace_of(sim)
    b, r = t.behaviors, t.requests
    row = {int(i): k for k, i in enumerate(b.id)}
    cown = dict(zip(t.cown_names(), range(len(t.cowns)), strict=True))
    asked = {(int(x), int(y)): k for k, (x, y) in enumerate(zip(r.behavior, r.cown, strict=True))}
    told = dict.fromkeys(("schedule", "start", "end", "request", "grant", "release", "cancel", "ready"), 0)
    for entry in sim.log:
        told[entry[0]] += 1
        kind, i = entry[0], row[entry[1]]
        if kind == "schedule":
            assert (t.name(i), b.sched[i]) == entry[2:]
        elif kind == "start":
            thread = -1 if entry[2] == MAIN else entry[2]
            assert (b.thread[i], b.start[i], b.stolen[i]) == (thread, *entry[3:])
        elif kind == "end":
            assert b.end[i] == entry[2] and (b.state[i] == RAISED) == entry[3]
        elif kind == "cancel":
            assert b.cancel[i] == entry[2] and b.state[i] == CANCELLED
        elif kind == "ready":
            assert b.ready[i] == entry[2]
        else:
            k = asked[i, cown[entry[2]]]
            assert {"request": r.time, "grant": r.grant, "release": r.release}[kind][k] == entry[3]
    assert told["schedule"] == len(b) and told["request"] == len(r)
    assert told["start"] == int((b.start >= 0).sum()) == told["end"] + t.counts()["running"]
    assert told["grant"] == int((r.grant >= 0).sum()) and told["release"] == int((r.release >= 0).sum())


def overlaps(begin: np.ndarray, end: np.ndarray) -> bool:
    order = np.lexsort((end, begin))
    return bool((begin[order][1:] < end[order][:-1]).any())


@pytest.mark.parametrize("seed", range(60, 90))
def test_ownership_and_workers_never_overlap(seed: int) -> None:
    t = trace_of(random_sim(seed))
    b, r = t.behaviors, t.requests
    for w in np.unique(b.thread[t.ran]):
        m = t.ran & (b.thread == w)
        assert not overlaps(b.start[m], t.end[m])
    for c in range(len(t.cowns)):
        m = (r.cown == c) & (r.grant >= 0)
        w = m & ~r.read
        assert not overlaps(r.grant[w], t.held_until[w])
        for k in np.flatnonzero(m & r.read):
            assert not ((r.grant[w] < t.held_until[k]) & (t.held_until[w] > r.grant[k])).any()


@pytest.mark.parametrize("seed", range(90, 110))
def test_predecessor_is_who_stood_before(seed: int) -> None:
    t = trace_of(random_sim(seed))
    r = t.requests
    waited = np.flatnonzero(r.pred >= 0)
    for k in waited:
        before = np.flatnonzero((r.cown == r.cown[k]) & (r.behavior == r.pred[k]))
        assert len(before) == 1 and r.time[before[0]] <= r.time[k]


@pytest.mark.parametrize("seed", range(40))
def test_overtaken_records_make_nothing_false(seed: int) -> None:
    """Rings keep only their newest; whatever the model still says must be what the log says."""
    sim = random_sim(seed)
    g = random.Random(seed)
    whole = trace_of(sim)
    keep = {t: g.randrange(1, len(rows) + 1) for t, rows in sim.rows.items()}
    t = Trace.from_records(sim.records(keep), sim.names, now=sim.now)
    full = {int(i): k for k, i in enumerate(whole.behaviors.id)}
    for i in range(len(t.behaviors)):
        k = full[int(t.behaviors.id[i])]
        for column in ("sched", "start", "body", "body_end", "end", "cancel"):
            said = getattr(t.behaviors, column)[i]
            assert said in (-1, getattr(whole.behaviors, column)[k])
        if t.behaviors.state[i] == RUNNING:
            assert whole.behaviors.state[k] == RUNNING
        if t.ran[i]:
            assert whole.behaviors.thread[k] == t.behaviors.thread[i]
    held = t.requests.grant >= 0
    for x, c, grant, exact in zip(
        t.behaviors.id[t.requests.behavior[held]],
        t.cowns.id[t.requests.cown[held]],
        t.requests.grant[held],
        t.requests.exact[held],
        strict=True,
    ):
        m = (whole.behaviors.id[whole.requests.behavior] == x) & (whole.cowns.id[whole.requests.cown] == c)
        true = whole.requests.grant[m][0]
        assert true == grant if exact else 0 <= true <= grant


def test_a_gap_makes_open_behaviors_lost_not_running() -> None:
    sim = kitchen(200, until=60 * MS)
    all_ = sim.records()
    mine = all_[all_["thread"] == 0]
    rest = all_[all_["thread"] != 0]
    running = Trace.from_records(all_, sim.names, now=sim.now).counts()["running"]
    source = SimSource(sim, [(mine[:42], {}), (np.concatenate([rest, mine[300:]]), {0: 258})])
    with Cursor(source) as cursor:
        first = cursor.read()
        second = cursor.read()
    t = Trace.from_records(np.concatenate([first.records, second.records]), sim.names, second.gaps, now=sim.now)
    assert t.lost == {0: 258}
    assert t.counts()["running"] <= running
    assert t.counts()["lost"] > 0


def with_one_who_asks_for_a_result(flags: int = 0) -> tuple[Trace, int]:
    """A trace in which somebody asks for the result of `dice_onion`, and the row of that cown."""
    sim = cooking()
    producer = sim.live[112]
    rows = sim.records().tolist()
    from boc.trace.events import flag
    from boc.trace.records import RECORD

    for k, row in enumerate(rows):
        if row[4] == KIND["schedule"] and row[1] == producer.id:
            rows[k] = (*row[:5], row[5] | flag("schedule", "has a result"), row[6])
    late = max(r[0] for r in rows)
    t0 = sim.base + 10 * MS
    rows.append((t0, 900, 0, 1, KIND["schedule"], flags, MAIN))
    rows.append((t0, 900, producer.id, producer.id & 0xFFFFFFFF, KIND["request"], 0, MAIN))
    records = np.array(sorted(rows, key=lambda r: (r[6], r[0])), RECORD)
    t = Trace.from_records(records, sim.names, now=late)
    return t, int(np.flatnonzero(t.cowns.id == producer.id)[0])


def test_result_cowns_are_held_from_birth() -> None:
    t, c = with_one_who_asks_for_a_result()
    (k,) = t.find("dice_onion")
    assert t.cown_name(c) == "dice_onion"
    held = np.flatnonzero((t.requests.cown == c) & (t.requests.behavior == k))
    assert t.requests.grant[held].tolist() == [t.behaviors.sched[k]]
    waits = np.flatnonzero((t.requests.cown == c) & (t.behaviors.id[t.requests.behavior] == 900))
    assert t.requests.pred[waits].tolist() == [k]


def test_a_result_that_only_main_looked_at_is_no_cown_of_the_pictures() -> None:
    from boc.trace.events import flag
    from boc.trace.ownership import ranked

    asked, c = with_one_who_asks_for_a_result()
    assert c in ranked(asked)
    watched, c = with_one_who_asks_for_a_result(flag("schedule", "NATIVE"))
    assert c not in ranked(watched) and len(ranked(watched)) == len(ranked(asked)) - 1
    assert "dice_onion" not in [row.name for row in watched.summary(99).cowns]
    run = watched.window(watched.t0, watched.t1 - 1)  # who watched is cut off, what was watched stays
    assert int(np.flatnonzero(run.cowns.id == watched.cowns.id[c])[0]) not in ranked(run)


def test_names_find_behaviors() -> None:
    t = trace_of(kitchen(60))
    rows = t.find("dice_onion")
    assert len(rows) > 2 and t.find("dice_onion#3") == [rows[2]] and t.find(int(t.behaviors.id[5])) == [5]
    assert t.find("no such") == [] and t.find("dice_onion#999") == []


def test_cowns_of_one_name_alive_at_once_are_told_apart() -> None:
    sim = kitchen(30, cowns=3)
    sim.names[sim._name["pan"]] = "board"
    records = sim.records()
    records["seq"][(records["kind"] == KIND["cown"]) & (records["seq"] == sim._name["pan"])] = sim._name["board"]
    names = Trace.from_records(records, sim.names).cown_names()
    assert sorted(names) == ["board", "board#2", "knife"]


def test_a_run_is_what_came_after_nothing_was_pending() -> None:
    jobs = [
        Job("a", ("x",), at=0),
        Job("b", ("x",), at=0.1 * MS),
        Job("c", ("x",), at=150 * MS),
        Job("d", at=150.1 * MS),
    ]
    t = trace_of(Sim(jobs))
    run = t.last_run()
    assert [run.name(i) for i in range(len(run.behaviors))] == ["c", "d"]
    assert len(t.last_run(since=t.t0).behaviors) == 4
    assert run.t0 == run.behaviors.sched.min()
    assert t.slots == run.slots


def test_a_later_look_at_a_result_does_not_draw_out_a_run() -> None:
    t = trace_of(Sim([Job("a", ("x",), body=MS), Job("look", ("x",), at=500 * MS)]))
    t.behaviors.native[1] = True
    assert t.last_run().t0 == t.t0 and t.last_run().t1 == t.behaviors.end[0] < t.t1


def test_a_wait_that_ended_begins_a_run() -> None:
    """Two runs a millisecond apart are one, unless a wait between them saw that nothing was pending."""
    sim = Sim([Job("a", ("x",), body=MS), Job("b", ("x",), at=3 * MS)])
    assert len(trace_of(sim).last_run().behaviors) == 2
    sim.rows[MAIN].insert(-2, (sim.base + 2 * MS, 0, 0, 0, KIND["quiet"], 0, MAIN))
    run = trace_of(sim).last_run()
    assert [run.name(i) for i in range(len(run.behaviors))] == ["b"]
    assert [len(trace_of(sim).last_run(since=s).behaviors) for s in (sim.base, sim.base + 10 * MS)] == [2, 1]


def test_a_wrapped_ring_says_how_far_back_it_reaches() -> None:
    sim = kitchen(400)
    records = sim.records({0: 500})
    source = SimSource(sim, [(records, {})])
    source.before = {0: len(sim.rows[0]) - 500}
    with Cursor(source) as cursor:
        t = Trace.from_cursor(cursor)
    assert t.before == len(sim.rows[0]) - 500 and t.lost == {} and cursor.lost == {}
    assert t.t0 == records["time"][records["thread"] == 0][0]
    assert (np.maximum(t.behaviors.end, t.behaviors.cancel)[t.behaviors.end >= 0] >= t.t0).all()
    assert "It reaches back" in str(t.summary()) and "No record was lost" not in str(t.summary())
    later = t.window((t.t0 + t.t1) // 2, t.t1)  # all of this part is there
    assert later.before == 0 and "No record was lost" in str(later.summary())


def test_a_start_names_what_was_scheduled_long_ago() -> None:
    sim = kitchen(100)
    t = Trace.from_records(sim.records({MAIN: 30}), sim.names, now=sim.now)
    assert (t.behaviors.sched < 0).sum() > 50
    said = {(int(e[1]), e[2]) for e in sim.log if e[0] == "schedule"}
    assert all((int(i), t.name(k)) in said for k, i in enumerate(t.behaviors.id) if t.ran[k])


def test_last_seconds_keep_what_was_there() -> None:
    t = trace_of(cooking())
    late = t.last(0.03)
    assert [late.name(i) for i in range(len(late.behaviors))] == ["photograph", "wash_pan"]
    assert late.t1 == t.t1 and late.t0 == t.t1 - 30 * MS


def test_a_later_ring_does_not_run_ahead() -> None:
    """Records of after the snapshot's time are left out, so that every start has its schedule."""
    sim = kitchen(100)
    middle = sim.base + 20 * MS
    t = Trace.from_records(sim.records(), sim.names, now=middle)
    assert (t.behaviors.sched >= 0).all() and t.behaviors.start.max() <= middle
    assert t.counts()["lost"] == 0


def test_empty() -> None:
    t = trace_of(Sim([]))
    assert len(t.behaviors) == 0 and t.counts()["running"] == 0 and not t.pending and t.workers == 2
    assert len(t.last_run().behaviors) == 0 and len(t.last(1).behaviors) == 0


def test_million_ids_far_apart_still_index() -> None:
    sim = Sim([Job("a", ("x",))], first_id=5)
    records = sim.records()
    records["subject"][records["subject"] == 7] = 2**60
    t = Trace.from_records(records, sim.names)
    assert 2**60 in t.behaviors.id.tolist() and LOST not in t.behaviors.state
