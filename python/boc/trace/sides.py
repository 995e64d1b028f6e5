"""The smaller tables: noticeboard, marks and spans, moved values, sleeps, names of cowns."""

from __future__ import annotations

import numpy as np

from .columns import I32, I64, NONE, Behaviors, Cowns, Moves, Notes, Notices, Requests, Rests
from .derive import thread_row
from .events import KIND
from .records import Records
from .split import ByKind, Ids


def cowns(named: Records, results: Records, ids: Ids, b: Behaviors, behavior_ids: Ids) -> Cowns:
    """Names of cowns: as they were given (records of kind `cown`), a result's as its behavior's."""
    n = len(ids)
    name = np.zeros(n, np.int32)
    born = np.full(n, NONE, np.int64)
    maker = np.where(behavior_ids.rows(ids.id) >= 0, ids.id, np.uint64(0))
    other = ids.rows(results["other"])
    maker[other[other >= 0]] = results["subject"][other >= 0]
    by = behavior_ids.rows(maker)
    made = by >= 0
    name[made] = b.name[by[made]]
    born[made] = b.sched[by[made]]
    row = ids.rows(named["subject"])
    ok = row >= 0
    name[row[ok]] = named["seq"][ok]
    born[row[ok]] = named["time"][ok]
    return Cowns(ids.id, name, born, maker)


def notices(kinds: ByKind, behavior_ids: Ids) -> Notices:
    """Changes of the noticeboard in order of version within time."""
    parts = [kinds["notice_write"], kinds["notice_update"], kinds["notice_delete"]]
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows["time"], kind="stable")]
    return Notices(
        rows["time"].copy(),
        rows["other"].astype(np.int32),
        rows["seq"].astype(np.int64),
        np.where(rows["subject"] == 0, NONE, behavior_ids.rows(rows["subject"])).astype(np.int32),
        rows["kind"] == KIND["notice_delete"],
    )


def notes(kinds: ByKind, behavior_ids: Ids) -> Notes:
    """Marks (no end) and user spans. Spans nest within a behavior, so an end closes the latest open begin."""
    mark, begin, end = kinds["mark"], kinds["span_begin"], kinds["span_end"]
    who: list[int] = []
    text: list[int] = []
    first: list[int] = []
    last: list[int] = []
    lane: list[int] = []
    open_: dict[int, list[int]] = {}
    both = np.concatenate([begin, end])
    both = both[np.argsort(both["time"], kind="stable")]
    opens = KIND["span_begin"]
    for r in both:
        key = int(r["subject"])
        stack = open_.setdefault(key, [])
        if r["kind"] == opens:
            stack.append(len(who))
            who.append(key)
            text.append(int(r["seq"]))
            first.append(int(r["time"]))
            last.append(NONE)
            lane.append(int(r["thread"]))
        else:
            for at in reversed(range(len(stack))):
                if text[stack[at]] == int(r["seq"]):
                    last[stack[at]] = int(r["time"])
                    del stack[at:]
                    break
    subject = np.concatenate([mark["subject"], np.array(who, np.uint64)])
    return Notes(
        np.where(subject == 0, NONE, behavior_ids.rows(subject)).astype(np.int32),
        np.concatenate([mark["seq"].astype(np.int32), np.array(text, np.int32)]),
        np.concatenate([mark["time"], np.array(first, np.int64)]),
        np.concatenate([np.full(len(mark), NONE, np.int64), np.array(last, np.int64)]),
        np.concatenate([thread_row(mark["thread"]), thread_row(np.array(lane, np.int32))]),
        np.repeat(np.array([False, True]), [len(mark), len(who)]),
    )


def moves(kinds: ByKind, cown_ids: Ids) -> Moves:
    """Values that were encoded or decoded."""
    a, b = kinds["decode"], kinds["encode"]
    rows = np.concatenate([a, b])
    return Moves(
        np.repeat(np.array([0, 1], np.uint8), [len(a), len(b)]),
        cown_ids.rows(rows["subject"]),
        rows["other"].astype(np.int64),
        rows["time"].copy(),
        rows["seq"].astype(np.int64),
        thread_row(rows["thread"]),
    )


def rests(kinds: ByKind) -> Rests:
    """Sleeps of workers, each from a park to the next unpark of that thread."""
    rows = np.concatenate([kinds["park"], kinds["unpark"]])
    if not len(rows):
        return Rests(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64))
    rows = rows[np.lexsort((rows["time"], rows["thread"]))]
    is_park = rows["kind"] == KIND["park"]
    at = np.flatnonzero(is_park)
    after = np.minimum(at + 1, len(rows) - 1)
    paired = (at + 1 < len(rows)) & ~is_park[after] & (rows["thread"][after] == rows["thread"][at])
    return Rests(thread_row(rows["thread"][at]), rows["time"][at], np.where(paired, rows["time"][after], NONE))


def cown_labels(c: Cowns, r: Requests, names: list[str], rows: I32 | None = None) -> list[str]:
    """What people read for each cown: its name, `#2` and so on for those alive at once, else `cown 7`."""
    picked = np.arange(len(c)) if rows is None else np.asarray(rows)
    labels = [names[n] if 0 < n < len(names) and names[n] else "" for n in c.name[picked].tolist()]
    twice = np.bincount(c.name, minlength=1) > 1
    twice[0] = False
    shared = twice[c.name[picked]]
    if shared.any():
        first, last = _lives(c, r)
        for name in np.unique(c.name[picked][shared]).tolist():
            number = _numbers(np.flatnonzero(c.name == name), first, last)
            for k, row in enumerate(picked.tolist()):
                if c.name[row] == name and number[row] > 1:
                    labels[k] += f"#{number[row]}"
    return [label or f"cown {i}" for label, i in zip(labels, c.id[picked].tolist(), strict=True)]


def _lives(c: Cowns, r: Requests) -> tuple[I64, I64]:
    """From the birth (or first request) to the last release of each cown."""
    first = np.where(c.born >= 0, c.born, np.iinfo(np.int64).max)
    last = np.full(len(c), NONE, np.int64)
    np.minimum.at(first, r.cown, np.where(r.time >= 0, r.time, np.iinfo(np.int64).max))
    np.maximum.at(last, r.cown, np.where((r.grant < 0) | (r.release < 0), np.iinfo(np.int64).max, r.release))
    return first, last


def _numbers(rows: I32, first: I64, last: I64) -> dict[int, int]:
    """A number for each of the cowns of one name: the least that no other alive has."""
    free_at: list[int] = []
    out: dict[int, int] = {}
    for row in rows[np.argsort(first[rows], kind="stable")].tolist():
        slot = next((k for k, until in enumerate(free_at) if until <= first[row]), len(free_at))
        if slot == len(free_at):
            free_at.append(0)
        free_at[slot] = int(last[row])
        out[row] = slot + 1
    return out


def names_of(rows: Records, names: list[str]) -> list[str]:
    """Texts of the name ids in the `seq` of records."""
    return [names[n] if n < len(names) else "" for n in rows["seq"].tolist()]


def gate(kinds: ByKind, ids: Ids) -> dict[int, tuple[int, int]]:
    """When the step gate held and passed behaviors, by row; -1: not yet."""
    hold, passed = kinds["gate_hold"], kinds["gate_pass"]
    let = dict(zip(ids.rows(passed["subject"]).tolist(), passed["time"].tolist(), strict=True))
    rows = zip(ids.rows(hold["subject"]).tolist(), hold["time"].tolist(), strict=True)
    return {row: (when, let.get(row, NONE)) for row, when in rows if row >= 0}


def workers(up: Records, down: Records, b: Behaviors) -> int:
    """How many workers there were since the last start, as far as they came up or ran something."""
    since = NONE
    if len(up):
        ended = down["time"][down["time"] < up["time"].max()]
        since = int(ended.max(initial=NONE))
    seen = int(b.thread[b.start > since].max(initial=-1)) + 1
    came = up["subject"][up["time"] > since]
    return max(seen, int(came.max()) + 1) if len(came) else seen


def first_names(b: Behaviors) -> list[int]:
    """Name ids in the order in which they were first scheduled: who comes first gets its colour first."""
    rows = np.flatnonzero((b.name > 0) & ~b.native)
    if not len(rows):
        return []
    begin, name = b.sched[rows], b.name[rows]
    if (begin < 0).any():
        begin = np.where(begin >= 0, begin, b.start[rows])
    first = np.full(int(name.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, name, begin)
    at = np.flatnonzero(begin == first[name])[::-1]
    place = np.full(len(first), NONE, np.int64)
    place[name[at]] = at  # the last write stays: the first row of each name at its first time
    seen = np.flatnonzero(place >= 0)
    return [int(n) for n in seen[np.lexsort((place[seen], first[seen]))]]
