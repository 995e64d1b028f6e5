"""What semantics.md promises of the noticeboard: order, snapshots, updates, limits, seeding, syncing."""

from __future__ import annotations

import copy
import logging
import operator
import pickle
import sys
import threading
import time
import types
from functools import partial

import boc
import pytest
from boc import (
    REMOVED,
    Cown,
    notice_delete,
    notice_read,
    notice_seed,
    notice_sync,
    notice_update,
    notice_write,
    noticeboard,
    quiesce,
    start,
    wait,
    when,
)

pytestmark = pytest.mark.timeout(30)


def append(existing, item):
    """An update function of a module."""
    return [*existing, item]


def test_before_start():
    assert notice_read("absent") is None
    assert notice_read("absent", 5) == 5
    assert dict(noticeboard()) == {}
    with pytest.raises(RuntimeError):
        notice_sync()


def test_write_on_an_idle_main_is_applied_at_once():
    notice_write("key", [1])
    assert notice_read("key") == [1]
    notice_delete("key")
    assert notice_read("key", "gone") == "gone"
    notice_delete("never there")


def test_seed():
    notice_seed("key", {"a": 1})
    assert notice_read("key") == {"a": 1}

    @when()
    def body():
        try:
            notice_seed("key", 2)
        except RuntimeError:
            return notice_read("key")

    assert body.result() == {"a": 1}


def test_value_is_copied_at_the_call():
    data = [1]
    notice_write("key", data)
    data.append(2)
    assert notice_read("key") == [1]


def test_what_a_read_gives_belongs_to_the_reader():
    notice_write("key", [1])
    notice_read("key").append(2)
    assert notice_read("key") == [1]

    def body():
        @when()
        def reader():
            got = notice_read("key")
            got.append(3)
            return got

        return reader

    assert boc.gather([body() for _ in range(4)]) == [[1, 3]] * 4


def test_updates_lose_nothing():
    def bump():
        @when()
        def body():
            notice_update("hits", partial(operator.add, 1), 0)

        return body

    for _ in range(200):
        bump()
    assert quiesce(noticeboard=True) == {"hits": 200}
    notice_update("hits", lambda n: n + 1)
    extra = 10
    notice_update("hits", lambda n: n + extra)
    assert quiesce(noticeboard=True) == {"hits": 211}


def test_fifo_per_producer():
    @when()
    def body():
        for i in range(100):
            notice_update("log", partial(append, item=i), [])
        notice_write("last", "yes")

    board = quiesce(noticeboard=True)
    assert board == {"log": list(range(100)), "last": "yes"}
    assert body.exception is False


def test_removed():
    assert repr(REMOVED) == "REMOVED"
    assert pickle.loads(pickle.dumps(REMOVED)) is REMOVED and copy.copy(REMOVED) is REMOVED
    notice_write("key", 1)
    notice_update("key", lambda _: REMOVED)
    notice_sync()
    assert notice_read("key") is None

    @when()
    def same():
        return REMOVED

    assert same.result() is REMOVED


def test_one_view_for_a_behavior():
    start(2)
    boc.set_tags(["in", "go"])
    notice_write("key", "old")

    @when()
    def reader():
        first = notice_read("key")
        boc.send("in", 1)
        boc.receive("go")
        notice_write("mine", 1)
        notice_sync()
        return first, notice_read("key"), noticeboard()["key"], "mine" in noticeboard()

    boc.receive("in")
    notice_write("key", "new")
    notice_sync()
    assert notice_read("key") == "new"
    boc.send("go", 1)
    assert reader.result() == ("old", "old", "old", False)

    @when()
    def later():
        return notice_read("key"), notice_read("mine")

    assert later.result() == ("new", 1)


def test_the_mapping_is_frozen_and_moves_as_a_dict():
    notice_write("key", 1)

    @when()
    def body():
        board = noticeboard()
        try:
            board["key"] = 2
        except TypeError:
            return board

    got = body.result()
    assert got == {"key": 1} and type(got) is dict
    assert type(pickle.loads(pickle.dumps(noticeboard()))) is dict


def test_the_mapping_has_what_a_mappingproxy_has():
    notice_write("a", [1])
    notice_write("b", 2)
    board, proxy = noticeboard(), types.MappingProxyType({"c": 3})
    assert set(dir(proxy)) <= set(dir(board))
    assert board | {"b": 3, "c": 4} == {"a": [1], "b": 3, "c": 4}
    assert {"b": 3, "c": 4} | board == {"a": [1], "b": 2, "c": 4}
    assert board | proxy == proxy | board == {"a": [1], "b": 2, "c": 3}
    assert board | noticeboard() == board == board.copy()
    assert type(board | {}) is type({} | board) is type(board | board) is type(board.copy()) is dict
    assert list(reversed(board)) == list(board)[::-1]
    with pytest.raises(TypeError):
        board | 5
    with pytest.raises(TypeError):
        [] | board
    with pytest.raises(TypeError, match="frozen"):
        board |= {"b": 3}
    kept = {}
    kept |= board
    kept["b"] = 5
    assert kept == {"a": [1], "b": 5} != board


def test_wait_clears_and_quiesce_keeps():
    start(2)
    notice_write("key", 1)
    assert quiesce(noticeboard=True) == {"key": 1}
    assert quiesce(noticeboard=True) == {"key": 1}
    assert wait(noticeboard=True) == {"key": 1}
    assert wait(noticeboard=True) == {}
    assert notice_read("key") is None


@pytest.mark.parametrize("key", [5, None, b"bytes"])
def test_key_of_another_type(key):
    for call in (partial(notice_write, key, 1), partial(notice_read, key), partial(notice_delete, key),
                 partial(notice_update, key, len), partial(notice_seed, key, 1)):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("key", ["x" * 64, "é" * 32, "a\0b", "\ud800"])
def test_key_that_does_not_fit(key):
    for call in (partial(notice_write, key, 1), partial(notice_read, key), partial(notice_delete, key)):
        with pytest.raises(ValueError):
            call()


def test_longest_key():
    notice_write("x" * 63, 1)
    assert notice_read("x" * 63) == 1


def test_what_cannot_move():
    with pytest.raises(boc.TransferError):
        notice_write("key", threading.Lock())
    with pytest.raises(TypeError):
        notice_update("key", 5)


def test_a_65th_key(caplog):
    with caplog.at_level(logging.WARNING, logger="boc"):
        for i in range(65):
            notice_write(f"key {i}", i)
        board = quiesce(noticeboard=True)
    assert len(board) == 64 and "key 64" not in board
    assert sum("key 64" in r.getMessage() for r in caplog.records) == 1
    notice_write("key 3", "again")
    assert quiesce(noticeboard=True)["key 3"] == "again"


def test_a_failing_update_keeps_the_old_value(caplog):
    notice_write("key", "old")
    with caplog.at_level(logging.WARNING, logger="boc"):
        @when(name="writer")
        def body():
            notice_update("key", lambda value: value + 1)

        board = quiesce(noticeboard=True)
    assert board == {"key": "old"}
    [message] = [r.getMessage() for r in caplog.records]
    assert "key" in message and "writer" in message
    assert body.exception is False


@pytest.mark.parametrize("calls", [
    lambda done: notice_read("key"),
    lambda done: notice_sync(),
    lambda done: boc.drain("tag"),
    lambda done: boc.set_tags([]),
    boc.cancel,
], ids=["notice_read", "notice_sync", "drain", "set_tags", "cancel"])
def test_calling_boc_in_an_update_fails_it(calls, caplog):
    done = when()(list)
    done.result()
    notice_write("key", "old")
    with caplog.at_level(logging.WARNING, logger="boc"):
        notice_update("key", lambda value: calls(done))
        notice_sync(10)  # sooner than a sync inside would end
    assert notice_read("key") == "old"
    assert any("main" in r.getMessage() for r in caplog.records)


def test_update_of_an_absent_key_uses_the_default():
    start(1)
    notice_update("key", partial(append, item=1), default=[0])
    notice_sync()
    assert notice_read("key") == [0, 1]


def test_cowns_on_the_board_stay_alive():
    notice_write("ring", [Cown(i) for i in range(5)])

    @when()
    def outer():
        ring = notice_read("ring")

        @when(ring)
        def total(ring):
            return sum(c.value for c in ring)

        return total

    assert outer.result().result() == 10


def test_early_stop():
    start(2)

    def search(c):
        @when(c)
        def step(c):
            if notice_read("done", False):
                return
            c.value += 1
            if c.value == 200:
                notice_write("done", True)
            else:
                search(c)

    cowns = [Cown(0) for _ in range(3)]
    for c in cowns:
        search(c)
    assert quiesce(noticeboard=True) == {"done": True}
    assert max(c.result() for c in cowns) == 200


def test_a_body_keeps_its_changes_to_itself():
    shared = [1]
    said = {"list": [1, 2], "plain": {"flat": 1, "deep": {"inner": [1]}}, "aliased": [shared, shared], "empty": []}
    for key, value in said.items():
        notice_write(key, value)
    quiesce(noticeboard=True)
    c = Cown([])

    def look(change):
        @when(c)
        def _(c):
            seen = {key: notice_read(key) for key in ("list", "plain", "aliased", "empty")}
            c.value = [*c.value, (repr(seen), seen["aliased"][0] is seen["aliased"][1], seen["list"] is notice_read("list"))]
            if change:
                seen["list"].append(3)
                seen["list"][0] = "mine"
                seen["plain"]["deep"]["inner"].clear()
                seen["aliased"][0].append(2)
                seen["empty"].append(1)

    for change in (False, True, False, True, False):
        look(change)
    assert c.result() == [(repr(said), True, True)] * 5


go_on, ended = threading.Event(), threading.Event()


@pytest.fixture
def held_up(monkeypatch):
    """An update that ends once `go_on` is set: it runs on main, and finds the events there."""
    monkeypatch.setattr(sys, "events", (go_on, ended), raising=False)
    go_on.clear()
    ended.clear()

    def update(now):
        go_on, ended = sys.events
        go_on.wait(60)
        ended.set()
        return now + 1

    yield update
    go_on.set()
    boc.stop()


def test_a_wait_does_not_wait_longer_for_updates(held_up):
    c = Cown(0)

    @when(c)
    def body(c):
        notice_update("slow", held_up, 0)
        notice_update("slow", held_up, 0)
        return 1

    while not c.done():
        time.sleep(0.001)
    assert body.result(timeout=0.1) == 1
    quiesce(timeout=0.1)
    with pytest.raises(TimeoutError, match="noticeboard"):
        quiesce(timeout=0.1, noticeboard=True)
    assert not ended.is_set()
    go_on.set()
    assert quiesce(timeout=20, noticeboard=True) == {"slow": 2}


@pytest.mark.parametrize("end", ["quiesce()", "body.result()", "boc.gather([body])"])
def test_a_wait_sees_the_update_that_another_thread_just_applies(end, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(sys, "events", (begun, go_on), raising=False)

    @when()
    def body():
        def update(now):
            begun, go_on = sys.events
            begun.set()
            assert go_on.wait(60)
            return now + 1

        notice_update("served", update, 0)

    assert begun.wait(60)
    threading.Timer(0.1, go_on.set).start()
    eval(end, {"quiesce": quiesce, "boc": boc, "body": body})
    assert notice_read("served") == 1


@pytest.mark.parametrize("end", [lambda: wait(timeout=0.05), boc.stop])
def test_updates_that_were_not_applied_at_the_end_never_are(held_up, end):
    start(2)
    for key in ("runs", "queued"):
        notice_update(key, held_up, 0)
    end()
    assert not ended.is_set()
    go_on.set()
    start(2)
    notice_update("after", held_up, 0)
    notice_sync()
    assert dict(noticeboard()) == {"after": 1}


def test_a_sync_on_main_loses_no_write_of_a_body():
    """What it says of warnings it takes from the queue that also tells of writes; those are still applied."""
    start(3)

    def body():
        for _ in range(30):
            notice_update("n", lambda n: (n or 0) + 1)
            notice_sync(5)
        return True

    results = [boc.whencall(body, []) for _ in range(6)]
    while not all(r.done() for r in results):
        notice_sync()
    assert [r.result() for r in results] == [True] * 6
    assert notice_read("n") == 180


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


@pytest.mark.parametrize("make", [
    lambda: b"x" * 1_000_000, lambda: [b"x" * 1_000_000, 1], lambda: [bytearray(1_000_000)],
    lambda: boc.Matrix.ones((100, 1000)), lambda: {"m": boc.Matrix.ones((100, 1000))},
], ids=["bytes", "bytes inside", "bytearray inside", "Matrix", "Matrix inside"])  # fmt: skip
def test_the_past_keeps_no_large_values(make):
    for _ in range(5):
        notice_write("k", make())
        notice_sync()
    before = resident()
    for _ in range(150):
        notice_write("k", make())
        notice_sync()
    assert resident() - before < 60_000_000
