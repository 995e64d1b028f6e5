"""What the tests of random values do with them. A module of its own, because workers import it and load no hypothesis."""

from __future__ import annotations

import copy
import datetime

from boc import Cown, drain, notice_read, notice_sync, notice_write, quiesce, receive, send, when
from value_graphs import alike, make


def held(c):
    with c:
        return c.value


def through_a_cown(steps):
    """main -> worker -> worker -> main, by holding it and by its result."""
    value = make(steps)
    c = Cown(value)

    @when(c)
    def hop(c):
        again = make(steps)
        return len(c.value) == len(again) and alike([type(x) for x in c.value], [type(x) for x in again])

    @when(c)
    def hop_on(c):
        c.value = [c.value, c.value]  # shared at the top, too
    first = c.result(60)
    assert hop.result(60)
    quiesce(timeout=60)  # hop_on ended before it gave c.result; its own end may still be on its way
    assert first[0] is first[1]
    assert alike(value, first[0])
    taken = held(c)[0]
    assert alike(value, taken)
    assert alike(value, c.unwrap()[0])
    assert alike(copy.deepcopy(drop_views(value)), drop_views(taken))


def drop_views(value):
    """Without what copy.deepcopy refuses (views), or takes for its own (modules of C types)."""
    return [x for x in value if type(x) in (bytes, bytearray, set, frozenset)]


def everywhere_else(steps):
    """Captured, returned, on the noticeboard and in messages; what one of them changes, no other sees."""
    value = make(steps)

    @when()
    def captured():
        notice_write("from a body", value)
        send("graph", value)
        result = list(value)
        value.append("changed")
        return result
    assert alike(value, captured.result(60))
    assert alike(value, receive("graph", 60)[1])
    notice_write("from main", value)
    notice_sync(60)
    assert alike(value, notice_read("from main"))
    assert alike(value, notice_read("from a body"))

    @when()
    def read_there():
        return notice_read("from main")
    assert alike(value, read_there.result(60))
    drain("graph")


def act(kind, a, b, n):
    """One step on the values of two cowns (one, if they are the same): what a body does, and what the oracle does."""
    if kind == "append":
        a.value.append(n)
    elif kind == "alias":
        a.value = b.value
    elif kind == "copy":
        b.value.append(list(a.value)[:3])
    elif kind == "nest" and a != b:  # its own would be a cycle, which == does not end on
        a.value.append(list(b.value)[:3])
    elif kind == "clear":
        a.value = [n]
    elif kind == "swap":
        a.value, b.value = b.value, a.value
    elif kind == "raise":
        a.value.append("before")
        raise ValueError(n)
    return a.value if kind == "result" else n


class Slot:
    def __init__(self):
        self.value = []


def expected(ops):
    """The values by the rule that two cowns never share: each is copied at the end of each body."""
    slots, results = [Slot() for _ in range(4)], []
    for n, (kind, i, j) in enumerate(ops):
        try:
            results.append(copy.deepcopy(act(kind, slots[i], slots[j], n)))
        except ValueError as e:
            results.append(repr(e))
        for s in slots:
            s.value = copy.deepcopy(s.value)
    return [s.value for s in slots], results


def run(ops):
    cowns, results = [Cown([]) for _ in range(4)], []
    for n, (kind, i, j) in enumerate(ops):
        @when(cowns[i], cowns[j])
        def step(a, b):
            return act(kind, a, b, n)
        results.append(step)
    quiesce(timeout=30)
    ends = []
    for r in results:
        try:
            ends.append(r.result(60))
        except ValueError as e:
            ends.append(repr(e))
    return [c.result(60) for c in cowns], ends


def dates():
    """Through a worker that does more with them than to pass them on."""
    c = Cown([datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), datetime.date(2026, 1, 2), datetime.timedelta(3)])

    @when(c)
    def later(c):
        c.value = [x + datetime.timedelta(1) for x in c.value]
        return datetime.datetime
    got = c.result(60)
    assert [type(x) for x in got] == [datetime.datetime, datetime.date, datetime.timedelta]
    assert type(got[0].tzinfo) is datetime.timezone
    assert got == [datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC), datetime.date(2026, 1, 3), datetime.timedelta(4)]
    assert later.result(60) is datetime.datetime


def bounce(moves):
    """Moves a few small values and one large one as often as this."""
    cowns = [Cown({"n": 0, "part": [Cown(i)], "text": "x" * 100}) for i in range(4)] + [Cown([bytearray(100_000)])]
    for i in range(moves):
        @when(cowns[i % 5])
        def touch(c):
            if type(c.value) is dict:
                c.value["n"] += 1
            else:
                c.value[0][0] = 1
        if i % 1000 == 999:
            quiesce(timeout=60)
    quiesce(timeout=60)
    assert sum(c.result(60)["n"] for c in cowns[:4]) == sum(1 for i in range(moves) if i % 5 < 4)
