"""The columns that C fills, against a loop over the records that anybody can read."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from boc import _core
from boc.trace import MAIN, Trace
from boc.trace.cover import coverage
from boc.trace.events import EVENTS, flag
from boc.trace.records import RECORD, Records
from test_trace_model import random_sim

READ, GRANTED, LAST = flag("request", "READ"), flag("request", "GRANTED"), flag("grant", "READY")


def slowly(records: Records) -> tuple[dict[int, dict[str, Any]], dict[tuple[int, int], dict[str, Any]]]:
    """Behaviors by id, and requests by behavior and cown, one record after the other."""
    who: dict[int, dict[str, Any]] = {}
    asked: dict[tuple[int, int], dict[str, Any]] = {}
    grants = []
    for record in records:
        time, subject, other, seq, kind, flags, thread = record.item()
        name = EVENTS[kind].name
        if name == "grant":
            grants.append((subject, other, time, flags))
        elif name in ("schedule", "start", "end", "request"):
            who.setdefault(subject, {})
        if name == "schedule":
            who[subject] |= {"sched": time, "parent": other}
            who[subject]["name"] = seq or who[subject].get("name", 0)
        elif name == "start":
            who[subject]["start"] = time
            who[subject].setdefault("name", seq)
        elif name == "end":
            who[subject]["end"] = time
        elif name == "request":
            got = bool(flags & GRANTED)
            asked[subject, other] = {"time": time, "read": bool(flags & READ), "exact": got, "grant": time if got else -1}
            asked[subject, other]["low"] = None if got else seq
        if name in ("start", "end"):
            who[subject]["thread"] = thread if thread < MAIN else MAIN - 1 - thread
    for subject, other, time, flags in grants:
        if subject not in who:
            continue
        asked.setdefault((subject, other), {"time": -1, "read": None, "low": None}).update(grant=time, exact=True)
        if flags & LAST and asked[subject, other]["time"] >= 0:
            who[subject]["ready"] = time
    return who, asked


@pytest.mark.parametrize("seed", range(80))
def test_columns_are_what_the_records_say(seed: int) -> None:
    g = random.Random(seed)
    records = random_sim(seed).records()
    if seed % 2:  # rings that wrapped: any record may be missing
        records = records[np.array([g.random() > 0.2 for _ in records], bool)]
    if seed % 3 == 0:  # requests of one behavior that do not lie together
        records = records[np.array(g.sample(range(len(records)), len(records)), np.int64)]
    if seed % 5 == 0 and len(records):  # ids far apart
        far = np.uint64(2**61)
        highest = records["subject"].max()
        records["subject"][records["subject"] == highest] = far
    if seed % 7 == 0:  # as in a file: not at a multiple of eight
        raw = np.frombuffer(b"abc" + records.tobytes(), np.uint8)
        records = raw[3:].view(RECORD)
    who, asked = slowly(records)
    t = Trace.from_records(records, [""] * 100)
    b, r = t.behaviors, t.requests
    assert b.id.tolist() == sorted(who)
    for row, i in enumerate(b.id.tolist()):
        told = who[i]
        assert b.sched[row] == told.get("sched", -1) and b.end[row] == told.get("end", -1)
        assert b.parent[row] == told.get("parent", 0) and b.name[row] == told.get("name", 0)
        assert b.thread[row] == told.get("thread", -100)
        assert (b.start[row] >= 0) == ("start" in told) and b.start[row] >= told.get("start", -1)
        if "ready" in told:
            assert b.ready[row] == told["ready"] and b.state[row] != 0, "ready is not waiting"
    found = {(int(b.id[x]), int(t.cowns.id[y])): k for k, (x, y) in enumerate(zip(r.behavior, r.cown, strict=True))}
    assert found.keys() >= asked.keys()
    low = {i & 0xFFFFFFFF: row for row, i in enumerate(b.id.tolist())}
    for key, told in asked.items():
        k = found[key]
        assert r.time[k] == told["time"] and r.exact[k] == told["exact"]
        assert not told["exact"] or r.grant[k] == told["grant"]
        assert told["read"] is None or r.read[k] == told["read"]
        if told["low"] is None:
            assert r.pred[k] == -1
        elif seed % 5:
            assert r.pred[k] == low.get(told["low"], -1)


def test_what_does_not_fit_is_refused() -> None:
    records = np.zeros(3, RECORD)
    with pytest.raises(ValueError, match="a column has 2 bytes"):
        _core.trace_survey(records, np.zeros(2, np.uint8), np.zeros(256, np.int64))
    with pytest.raises(ValueError):
        _core.trace_survey(b"7 bytes", np.zeros(0, np.uint8), np.zeros(256, np.int64))
    with pytest.raises((BufferError, ValueError, TypeError)):
        _core.trace_survey(records, b"abc", np.zeros(256, np.int64))
    with pytest.raises(ValueError, match="column"):
        _core.trace_cover(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64), 0, 1.0, 0, np.zeros(2), np.zeros(2))


def test_lanes_outside_the_picture_are_passed_over() -> None:
    one = np.zeros(1, np.int64)
    for lane in (-1, 5, 2**40):
        part, whole = np.zeros(4), np.zeros(4)
        _core.trace_cover(one, one + 9, one + lane, 0, 1.0, 3, part, whole)
        assert not part.any() and not whole.any()


def test_one_row_and_group_for_all() -> None:
    got = coverage(1, 4, 0, 8, 0, [0, 4], [2, 8], 0, 1)
    assert got.tolist() == [[[1, 0, 1, 1]]]
