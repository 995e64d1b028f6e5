"""Programs that tests record and replay. Workers import this module with their bodies, so it imports little."""

from __future__ import annotations

import random
import threading
import time

import boc
from boc import Cown, PinnedCown


def everything(seed, threads=0):
    """A random program: nested behaviors, readers, batches, pinned cowns, errors, cancelled ones, the noticeboard, threads.

    Returns the logs of all cowns and what became of each result.
    """
    rnd = random.Random(seed)
    cowns = [Cown([], name=f"c{i}") for i in range(4)]
    pinned = PinnedCown([])
    results = []

    def work(*cs, n=0, depth=0, kinds=()):
        seen = boc.notice_read("k", 0) if "read" in kinds else None
        for c in cs:
            if isinstance(c.value, list):
                c.value.append((n, seen))
        if "sleep" in kinds:
            time.sleep(0.0005)
        if "nest" in kinds and depth < 2:
            for j in range(2):
                more = ("nest", "write") if (n + j) % 2 else ("read", "update")
                boc.whencall(work, [cs[j % len(cs)]], {"n": n * 10 + j + 1, "depth": depth + 1, "kinds": more}, name=f"w{n}.{j}")
        if "batch" in kinds:
            with boc.batch():
                boc.whencall(work, [cs[0]], {"n": n + 1000, "kinds": ("read",)}, name="in batch")
                boc.whencall(work, list(cs), {"n": n + 2000, "kinds": ("write",)}, name="in batch too")
        if "write" in kinds:
            boc.notice_write("k", n)
        if "update" in kinds:
            boc.notice_update("k", lambda x, n=n: ((x or 0) * 7 + n) % 1000)
        if "delete" in kinds:
            boc.notice_delete("k")
        if "sync" in kinds:
            boc.notice_sync()
        if "raise" in kinds:
            raise ZeroDivisionError(n)
        return n

    def look(*cs, n=0):
        return [len(c.value) for c in cs if isinstance(c.value, list)] + [n]

    def one(i, rnd, keep=True):
        kinds = tuple(k for k in ("read", "nest", "batch", "write", "update", "delete", "sync", "raise", "sleep") if rnd.random() < 0.25)
        take = rnd.sample(cowns, rnd.choice([1, 1, 2, 3]))
        what = rnd.random()
        if what < 0.15:
            made = boc.whencall(look, [boc.read(c) for c in take], {"n": i}, name=f"look{i}")
        elif what < 0.25:
            made = boc.whencall(work, [pinned, *take], {"n": i, "kinds": kinds}, name=f"pinned{i}")
        else:
            made = boc.whencall(work, take, {"n": i, "kinds": kinds}, name=f"w{i}")
        if keep:
            results.append(made)
        if rnd.random() < 0.08:
            boc.cancel(made)

    def thread(t):
        mine = random.Random(seed * 100 + t)
        for i in range(8):
            one((t + 1) * 100000 + i, mine, keep=False)

    running = [threading.Thread(target=thread, args=(t,)) for t in range(threads)]
    for t in running:
        t.start()
    for i in range(rnd.randrange(5, 25)):
        one(i, rnd)
        if rnd.random() < 0.05:
            boc.pump()
        if rnd.random() < 0.05:
            boc.quiesce()
    for t in running:
        t.join()
    boc.quiesce()
    ends = []
    for c in results:
        try:
            ends.append(c.result())
        except Exception as e:
            ends.append(repr(e))
    return [c.result() for c in cowns] + [pinned.result(), ends, boc.notice_read("k")]


def simple(*names, more=(), swap=False):
    """One behavior a name on one log, each of which schedules those of `more`; swap: on another cown from the second on."""
    log, other = Cown([], name="log"), Cown([], name="other")
    for i, n in enumerate(names):

        def body(log, n=n):
            log.value.append(n)
            for k in more:
                boc.whencall(lambda log, k=k: log.value.append(k), [log], name=k)

        boc.whencall(body, [other if swap and i else log], name=n)
    return log


def simple_result(*names, more=()):
    """Its log when nothing is pending."""
    log = simple(*names, more=more)
    boc.quiesce()
    return log.result()


def board(reads=True, write="k"):
    """A body that may read the noticeboard, and one that writes it."""
    boc.whencall(lambda: boc.notice_read("k") if reads else None, [], name="looks")
    boc.whencall(lambda: boc.notice_write(write, 1), [], name="writes")
    boc.quiesce()


def naps():
    """Twelve bodies that sleep, beside each other where there are workers."""
    for i in range(12):
        boc.whencall(time.sleep, [], (0.002,), name=f"b{i}")
    boc.quiesce()


def messages():
    """Pairs of bodies that need each other while both run."""
    out = Cown([], name="out")

    def asks(i=0):
        return boc.receive(f"question {i}", 60)[1]

    def answers(i=0):
        boc.send(f"question {i}", i)

    results = []
    for i in range(3):
        results.append(boc.whencall(asks, [], {"i": i}, name=f"asks{i}"))
        boc.whencall(answers, [], {"i": i}, name=f"answers{i}")
    boc.whencall(lambda out, *rs: out.value.extend(r.value for r in rs), [out, *results], name="all")
    boc.quiesce()
    return out.result()


def cancelling(cancel):
    """The third on a log, cancelled while the first still runs."""
    log = Cown([], name="log")
    boc.whencall(lambda log: time.sleep(0.1), [log], name="a")
    last = boc.whencall(lambda log: log.value.append("c"), [log], name="c")
    if cancel:
        assert boc.cancel(last) == 1
    boc.quiesce()
    return log.result()


def waits_for_a_turn(first):
    """Main schedules behind the child of a body; without `first` that body is not there."""
    log = Cown([], name="log")

    def one(log):
        pass

    def parent(log=log):
        time.sleep(0.05)
        boc.whencall(one, [log], name="child")

    if first:
        made = boc.whencall(parent, [], name="parent")
        while not made.done():
            time.sleep(0.001)
    boc.whencall(one, [log], name="after")
    boc.quiesce()


def refused_in_a_body():
    """What replay() says in a body."""

    def body():
        try:
            boc.replay("x")
        except RuntimeError as e:
            return str(e)

    return boc.whencall(body, []).result()


def a_thread_comes_after(nap):
    """Another thread schedules behind main, which takes its time."""
    log = Cown([], name="log")
    go = threading.Event()

    def other():
        go.wait()
        boc.whencall(lambda log: log.value.append("thread"), [log], name="thread")

    t = threading.Thread(target=other)
    t.start()
    if nap:
        go.set()
        time.sleep(nap)
    boc.whencall(lambda log: log.value.append("main"), [log], name="main")
    go.set()
    t.join()
    boc.quiesce()
    return log.result()


def a_thread_comes_when_main_is_calm(late):
    """Another thread schedules behind a quiesce() of main, and behind what main schedules then; not late: it tries before."""
    go, about, log = threading.Event(), threading.Event(), Cown([], name="log")

    def other():
        if late:
            go.wait()
        about.set()
        boc.whencall(lambda log: log.value.append("thread"), [log], name="thread")

    t = threading.Thread(target=other)
    t.start()
    if not late:
        about.wait()
        time.sleep(0.05)  # it is at its schedule then
    boc.whencall(lambda log: log.value.append("before"), [Cown([])], name="before")
    boc.quiesce()
    boc.whencall(lambda log: log.value.append("after"), [log], name="after").result()
    go.set()
    t.join()
    boc.quiesce()
    return log.result()


def a_pinned_body_waits(first):
    """A pinned body schedules behind the child of another body that still runs; without `first` there is no such child."""
    log = Cown([], name="log")

    def one(log):
        pass

    def parent(log, first=first):
        if first:
            boc.whencall(one, [log], name="child")
            boc.send("it is scheduled", None)
        boc.receive("go on")

    boc.whencall(parent, [log], name="parent")
    if first:
        boc.receive("it is scheduled")

    def pinned(pin):
        boc.whencall(one, [log], name="mine")
        boc.send("go on", None)

    boc.whencall(pinned, [PinnedCown(0)], name="pinned")
    boc.quiesce()


def a_thread_waits_for_main(elsewhere):
    """Another thread schedules behind main, which does something else before; threads as in a_thread_comes_after."""
    log, go = Cown([], name="log"), threading.Event()

    def other():
        go.wait()
        boc.whencall(lambda log: log.value.append("thread"), [log], name="thread")

    t = threading.Thread(target=other)
    t.start()
    if elsewhere is not None:
        go.set()
        elsewhere(t)
    boc.whencall(lambda log: log.value.append("main"), [log], name="main")
    go.set()
    t.join()
    boc.quiesce()
    return log.result()
