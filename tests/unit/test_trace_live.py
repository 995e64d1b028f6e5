"""Following a program: in this process, and another over ZeroMQ."""

from __future__ import annotations

import os
import stat
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from boc.trace import KIND, Cursor, LiveTrace, Trace, attach, keys, serve
from boc.view import gantt
from trace_sim import MS, Sim, SimSource, SimStream, cooking, kitchen


def split(sim: object, n: int) -> SimSource:
    """A source that gives a simulation in n looks, cut by time as a live program's would be."""
    records = sim.records()  # type: ignore[attr-defined]
    edges = np.linspace(records["time"].min(), records["time"].max() + 1, n + 1)
    parts = [records[(records["time"] >= a) & (records["time"] < b)] for a, b in pairwise(edges)]
    return SimSource(sim, [(p, {}) for p in parts if len(p)])  # type: ignore[arg-type]


def test_live_trace_grows_to_the_whole() -> None:
    sim = kitchen(300)
    source = split(sim, 10)
    with LiveTrace(source) as live:
        sizes = []
        while live.poll():
            sizes.append(len(live.trace().behaviors))
        t = live.trace()
    assert sizes == sorted(sizes) and len(sizes) > 5
    whole = Trace.from_records(sim.records(), sim.names, now=sim.now)
    for column in ("id", "sched", "start", "end", "state"):
        assert np.array_equal(getattr(t.behaviors, column), getattr(whole.behaviors, column))
    assert source.closed == 1


def test_live_trace_is_bounded_and_says_so() -> None:
    sim = kitchen(600)
    with LiveTrace(split(sim, 30), keep=1000) as live:
        while live.poll():
            assert live._size <= 1300
        t = live.trace()
    assert t.before > 1000 and t.t0 > sim.base and len(t.behaviors) < 600
    assert t.counts()["running"] == 0


def test_last_seconds_of_a_live_trace() -> None:
    sim = cooking()
    with LiveTrace(split(sim, 20)) as live:
        while live.poll():
            pass
        t = live.trace(last=0.03)
    assert t.t1 - t.t0 <= 30 * MS and {t.name(i) for i in range(len(t.behaviors))} >= {"wash_pan"}


def test_colours_stay_while_one_looks() -> None:
    """Also when the ring has forgotten who was first."""
    sim = kitchen(300)
    records = np.sort(sim.records(), order="time", kind="stable")
    source = SimSource(sim, [(records, {})])
    with Cursor(source) as cursor:
        first = Trace.from_cursor(cursor)
    source.parts = [(records[len(records) // 2 :], {})]
    with Cursor(source) as cursor:
        later = Trace.from_cursor(cursor)
    assert later.slots != first.slots
    assert all(first.colours[name] == slot for name, slot in later.colours.items())


# ---- another process ---------------------------------------------------------------------------------

pytest.importorskip("zmq")


class Growing(SimSource):
    """A program that goes on: every stream sees what has happened by now, from the beginning."""

    def __init__(self, sim: Sim) -> None:
        super().__init__(sim)
        self.all = np.sort(sim.records(), order="time", kind="stable")
        self.shown = 0

    def trace_open(self) -> Growth:  # type: ignore[override]
        return Growth(self)


class Growth(SimStream):
    source: Growing

    def read(self, max_records: int = 1 << 20, /) -> tuple[bytes, dict[int, int]]:
        end = min(self.source.shown, self.at + max_records)
        rows, self.at = self.source.all[self.at : end], end
        return rows.tobytes(), {}


def test_attach_sees_the_past_and_what_follows() -> None:
    sim = kitchen(400)
    source = Growing(sim)
    total = len(source.all)
    source.shown = total // 2
    with serve(source=source) as server:
        with attach(server.address) as remote, attach(server.address) as other:
            assert remote._size == other._size == total // 2
            for shown in range(total // 2, total + 1, 7):
                source.shown = shown
            source.shown = total
            until = time.monotonic() + 10
            while min(remote._size, other._size) < total and time.monotonic() < until:
                time.sleep(0.005)
            t = remote.trace()
            whole = Trace.from_records(sim.records(), sim.names, now=sim.now)
            assert np.array_equal(t.behaviors.id, whole.behaviors.id) and t.counts() == whole.counts()
            assert sorted(t.cown_names()) == sorted(whole.cown_names()) and t.values and remote.silent < 10
            assert str(gantt(remote)).startswith("400 behaviors")
            assert other.trace().counts() == whole.counts() and remote.trace(last=0.01).t0 > t.t0
            assert "watching ipc://" in repr(remote)
        assert "served at ipc://" in repr(server)


def test_who_watches_before_the_start_hears_the_names_of_cowns_from_before_it() -> None:
    """Cowns that were made while nothing was recorded have no record of their own."""

    class Later(Growing):
        named = False

        def cown_names(self) -> bytes:
            return super().cown_names() if self.shown else b""

        def trace_names(self, first: int = 0, /) -> list[str]:
            return super().trace_names(first) if self.named or not first else []

    sim = kitchen(40)
    source = Later(sim)
    source.all = source.all[source.all["kind"] != KIND["cown"]]
    source.shown = 0
    with serve(source=source) as server, attach(server.address) as remote:
        until = time.monotonic() + 10
        sim.intern("a name that comes before any record")
        source.named = True
        while len(server._cursor.names) < len(sim.names) and time.monotonic() < until:
            time.sleep(0.005)
        source.shown = len(source.all)
        while remote._size < len(source.all) and time.monotonic() < until:
            time.sleep(0.005)
        whole = Trace.from_records(sim.records(), sim.names, now=sim.now)
        heard = remote.trace()
        assert sorted(heard.cown_names()) == sorted(whole.cown_names()) and heard.names == sim.names


def test_the_socket_is_this_users_only() -> None:
    with serve(source=SimSource(cooking())) as server:
        place = Path(server.address.removeprefix("ipc://"))
        assert stat.S_IMODE(os.stat(place.parent).st_mode) == 0o700
    assert not place.parent.exists()


def test_tcp_needs_keys() -> None:
    with pytest.raises(ValueError, match="over tcp"):
        serve("tcp://127.0.0.1:*", source=SimSource(cooking()))
    with pytest.raises(ValueError, match="over tcp"):
        attach("tcp://127.0.0.1:9")
    with pytest.raises(ValueError, match="ipc:// or tcp://"):
        serve("udp://127.0.0.1:1", source=SimSource(cooking()))


def test_only_the_right_key_gets_something() -> None:
    ours, theirs, wrong = keys(), keys(), keys()
    sim = cooking()
    with serve("tcp://127.0.0.1:*", key=ours, clients=[theirs[0]], source=SimSource(sim)) as server:
        with attach(server.address, server=ours[0], key=theirs) as remote:
            assert len(remote.trace().behaviors) == 13
        with pytest.raises(TimeoutError, match="a key is wrong"):
            attach(server.address, server=ours[0], key=wrong, timeout=0.7)
        with pytest.raises(TimeoutError, match="a key is wrong"):
            attach(server.address, server=wrong[0], key=theirs, timeout=0.7)


def test_attach_where_nobody_serves_times_out(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="nothing answered"):
        attach(f"ipc://{tmp_path}/none", timeout=0.2)


@pytest.mark.parametrize("where", ["nowhere", "ipc://", "tcp:/x"])
def test_attach_says_what_is_no_address(where: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        attach(where, timeout=0.2)
