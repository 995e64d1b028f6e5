"""Exports: other tools read what the trace says, by their own rules."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boc.trace import Trace
from test_trace_model import random_sim, trace_of
from trace_sim import MS, Job, Sim, cooking, kitchen


def chrome(t: Trace, path: Path) -> list[dict[str, Any]]:
    t.to_chrome(path)
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    return found


@pytest.mark.parametrize("seed", range(15))
def test_chrome_slices_of_a_track_nest(seed: int, tmp_path: Path) -> None:
    events = chrome(trace_of(random_sim(seed)), tmp_path / "a.json")
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for e in events:
        if e["ph"] == "X":
            tracks[e["pid"], e["tid"]].append((round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)))
    assert tracks or not any(e["ph"] == "X" for e in events)
    for slices in tracks.values():
        stack: list[float] = []
        for begin, end in sorted(slices, key=lambda s: (s[0], -s[1])):
            while stack and stack[-1] <= begin:
                stack.pop()
            assert not stack or end <= stack[-1]
            stack.append(end)


@pytest.mark.parametrize("seed", range(15))
def test_chrome_async_pairs_and_flows_lead_somewhere(seed: int, tmp_path: Path) -> None:
    events = chrome(trace_of(random_sim(seed)), tmp_path / "a.json")
    open_: dict[tuple[str, str], float] = {}
    for e in events:
        if e["ph"] == "b":
            open_[e["cat"], e["id"]] = e["ts"]
        elif e["ph"] == "e":
            assert open_.pop((e["cat"], e["id"])) <= e["ts"]
    assert not open_
    given = {e["bind_id"]: e["ts"] for e in events if e.get("flow_out")}
    for e in events:
        if e.get("flow_in"):
            assert given[e["bind_id"]] <= e["ts"]


def test_chrome_says_what_ran(tmp_path: Path) -> None:
    t = trace_of(cooking())
    events = chrome(t, tmp_path / "a.json")
    ran = {e["name"]: e for e in events if e.get("cat") == "behavior"}
    assert len(ran) == 12 and ran["cook_omelette"]["dur"] == pytest.approx(32200)
    assert ran["grate_cheese"]["args"]["state"] == "raised"
    tracks = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {"main", "worker 0", "worker 1", "pan", "status"} <= tracks
    assert any(e["ph"] == "i" and e["cat"] == "notice" for e in events)


def test_odd_names_survive_json(tmp_path: Path) -> None:
    events = chrome(trace_of(Sim([Job('"quo\\te"\n☃', ("x",)), Job("\ud800", ("x",))])), tmp_path / "a.json")
    assert any(e["name"] == '"quo\\te"\n☃' for e in events)


def test_perfetto_reads_back(tmp_path: Path) -> None:
    pytest.importorskip("perfetto")
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace as Proto
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TrackEvent

    t = trace_of(cooking())
    t.to_perfetto(tmp_path / "a.pftrace")
    proto = Proto()
    proto.ParseFromString((tmp_path / "a.pftrace").read_bytes())
    tracks = {p.track_descriptor.name: p.track_descriptor for p in proto.packet if p.HasField("track_descriptor")}
    assert {"Workers", "Cowns", "worker 0", "pan", "pan readers", "Noticeboard"} <= set(tracks)
    depth: dict[int, int] = defaultdict(int)
    last = 0
    for p in proto.packet:
        if p.HasField("track_event"):
            assert p.timestamp >= last
            last = p.timestamp
            kind = p.track_event.type
            depth[p.track_event.track_uuid] += {TrackEvent.TYPE_SLICE_BEGIN: 1, TrackEvent.TYPE_SLICE_END: -1}.get(
                kind, 0
            )
            assert depth[p.track_event.track_uuid] >= 0
    assert not any(depth.values())


def test_perfetto_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "perfetto.trace_builder.proto_builder", None)
    monkeypatch.setitem(sys.modules, "perfetto.protos.perfetto.trace.perfetto_trace_pb2", None)
    with pytest.raises(ImportError, match="pip install"):
        trace_of(cooking()).to_perfetto(tmp_path / "a")


def test_pandas_columns() -> None:
    pytest.importorskip("pandas")
    t = trace_of(cooking(until=60 * MS))
    frame = t.to_pandas()
    assert len(frame) == 13 and frame["name"].tolist()[0] == "dice_onion"
    row = frame[frame["name"] == "cook_omelette"].iloc[0]
    assert (
        row["state"] == "waiting"
        and frame["start_ns"].isna().sum() == (frame["state"].isin(["waiting", "cancelled", "ready"])).sum()
    )
    assert frame["waited_ns"].dropna().min() >= 0
    asked = t.to_pandas("requests")
    assert len(asked) == len(t.requests) and set(asked["cown"]) == set(t.cown_names())
    assert t.to_pandas("cowns")["longest_queue"].max() == 5
    assert len(t.to_pandas("noticeboard")) == len(t.notices)
    with pytest.raises(ValueError, match="table is one of"):
        t.to_pandas("nothing")


def test_arrow_stream() -> None:
    pa = pytest.importorskip("pyarrow")
    t = trace_of(kitchen(50))
    table = pa.table(t)
    assert table.num_rows == 50 and table["name"].to_pylist() == [t.name(i) for i in range(50)]
    assert table["start_ns"].null_count == 0 and table["parent"].type == pa.int64()


def test_csv(tmp_path: Path) -> None:
    t = trace_of(cooking())
    t.to_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 13 and rows[0]["name"] == "dice_onion" and rows[3]["exception"] == "ValueError"
    cancelled = next(r for r in rows if r["state"] == "cancelled")
    assert cancelled["start_ns"] == "" and int(rows[0]["waited_ns"]) == 300_000
    assert np.all([int(r["end_ns"]) >= int(r["start_ns"]) for r in rows if r["start_ns"]])
