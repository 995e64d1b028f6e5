"""The cursor and the file: follow-up reads, loss, crash, versions."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from boc.trace import MAIN, Cursor, Trace, TraceFileError, load, record
from boc.trace.file import MAGIC, read
from trace_sim import SimSource, cooking


def test_cursor_gives_only_what_is_new() -> None:
    sim = cooking()
    all_ = sim.records()
    cut = len(all_) // 3
    with Cursor(SimSource(sim, [(all_[:cut], {}), (all_[cut:], {})])) as cursor:
        first, second, third = cursor.read(), cursor.read(), cursor.read()
    assert len(first.records) == cut and len(third.records) == 0
    assert np.array_equal(np.concatenate([first.records, second.records]), all_)
    assert cursor.names == sim.names


def test_cursor_counts_what_was_lost_and_where() -> None:
    sim = cooking()
    mine = [sim.records()[sim.records()["thread"] == t] for t in (0, MAIN)]
    parts = [(mine[0][:5], {0: 0}), (mine[0][9:], {0: 4}), (mine[1], {MAIN: 2})]
    with Cursor(SimSource(sim, parts)) as cursor:
        gaps = [g for _ in parts for g in cursor.read().gaps]
    assert [(g.thread, g.lost) for g in gaps] == [(0, 4), (MAIN, 2)]
    assert (gaps[0].begin, gaps[0].end) == (mine[0]["time"][4], mine[0]["time"][9])
    assert gaps[1].begin == -1
    assert cursor.lost == {0: 4, MAIN: 2}


def test_cursor_closes_once() -> None:
    source = SimSource(cooking())
    cursor = Cursor(source)
    cursor.close()
    cursor.close()
    assert source.closed == 1


def same(a: Trace, b: Trace) -> None:
    assert a.names == b.names and a.values == b.values and a.gaps == b.gaps and a.now == b.now
    for column in ("id", "name", "sched", "ready", "start", "end", "state", "thread"):
        assert np.array_equal(getattr(a.behaviors, column), getattr(b.behaviors, column)), column


def test_record_and_load(tmp_path: Path) -> None:
    sim = cooking()
    path = tmp_path / "a.boctrace"
    with record(path, history=True, source=SimSource(sim)) as recording:
        pass
    with Cursor(SimSource(sim)) as cursor:
        same(load(path), Trace.from_cursor(cursor))
    assert recording.records == len(sim.records())


def test_record_follows_a_program_that_goes_on(tmp_path: Path) -> None:
    sim = cooking()
    all_ = sim.records()
    parts = [(all_[i : i + 7], {1: 3} if i == 7 else {}) for i in range(0, len(all_), 7)]
    with record(tmp_path / "a", history=True, source=SimSource(sim, parts)) as recording:
        pass
    got = load(tmp_path / "a")
    assert recording.records == len(all_) and recording.lost == {1: 3} and got.lost == {1: 3}


def test_a_full_disk_is_told_at_once() -> None:
    source = SimSource(cooking())
    with pytest.raises(OSError):
        record("/dev/full", source=source)
    assert source.closed == 1


def test_stop_tells_what_ended_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    source = SimSource(cooking())
    monkeypatch.setattr("boc.trace.file.Writer.write", fail)
    recording = record(tmp_path / "a", source=source)
    with pytest.raises(OSError, match="No space"):
        recording.stop()
    recording.stop()
    assert source.closed == 1


def test_a_crash_leaves_a_readable_file(tmp_path: Path) -> None:
    sim = cooking()
    trace = Trace.from_records(sim.records(), sim.names, board=[], now=sim.now)
    path = tmp_path / "a"
    trace.save(path)
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) - 40, len(whole) - 2000, 30, 9):
        path.write_bytes(whole[:size])
        got = load(path)
        assert got.damage
        assert len(got.behaviors) <= len(trace.behaviors)


def test_a_damaged_chunk_ends_the_reading(tmp_path: Path) -> None:
    sim = cooking()
    path = tmp_path / "a"
    Trace.from_records(sim.records(), sim.names).save(path)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    assert "damaged" in load(path).damage


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"no trace at all")
    with pytest.raises(TraceFileError, match="no boc trace"):
        load(path)
    head = json.dumps({"format": 99, "record": 32, "kinds": []}).encode()
    path.write_bytes(MAGIC + struct.pack("<4sII", b"HEAD", len(head), zlib.crc32(head)) + head)
    with pytest.raises(TraceFileError, match="format 99"):
        load(path)


def test_kinds_are_known_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a version whose table has another order reads the same."""
    from boc.trace import file

    sim = cooking()
    records = sim.records()
    other = list(reversed(file.EVENTS))
    turned = records.copy()
    turned["kind"] = len(other) - 1 - records["kind"]
    monkeypatch.setattr(file, "EVENTS", other)
    writer = file.Writer(tmp_path / "a", 0)
    writer.write(turned)
    writer.close(1)
    monkeypatch.undo()
    assert np.array_equal(read(tmp_path / "a").records, records)


def test_unknown_chunks_are_passed_over(tmp_path: Path) -> None:
    sim = cooking()
    path = tmp_path / "a"
    Trace.from_records(sim.records(), sim.names).save(path)
    with path.open("ab") as f:
        f.write(struct.pack("<4sII", b"NEXT", 3, zlib.crc32(b"abc")) + b"abc")
    assert load(path).damage == ""


def test_names_of_cowns_outlive_the_rings(tmp_path: Path) -> None:
    """What named a cown was overtaken, or came before the trace: pictures and files name it all the same."""
    from boc.trace import KIND

    sim = cooking()
    records = sim.records()
    source = SimSource(sim, [(records[records["kind"] != KIND["cown"]], {})])
    with Cursor(source) as cursor:
        trace = Trace.from_cursor(cursor)
    assert sorted(trace.cown_names()) == sorted(sim.cown)
    trace.save(tmp_path / "a")
    with record(tmp_path / "b", history=True, source=source):
        pass
    for name in "ab":
        assert sorted(load(tmp_path / name).cown_names()) == sorted(sim.cown), name
