"""Programs whose schedules tests look at. Workers import this module with their bodies, so it imports little."""

from __future__ import annotations

import boc
from boc import Cown, when


def simple(*names, more=()):
    """One behavior a name on one log, each of which schedules those of `more`."""
    log = Cown([], name="log")
    for n in names:

        def body(log, n=n):
            log.value.append(n)
            boc.notice_read("k")
            for k in more:
                boc.whencall(lambda log, k=k: log.value.append(k), [log], name=k)
            boc.notice_write("k", n)

        boc.whencall(body, [log], name=n)
    return log


def readers():
    a, b = Cown(1, name="a"), Cown([], name="b")
    with boc.batch():
        for i in range(4):
            boc.whencall(lambda a, i=i: a.value * i, [boc.read(a)], name=f"r{i}")
        boc.whencall(lambda a, b: b.value.append(a.value), [a, b], name="w")
    return b.result()


def many():
    c = Cown(0)
    for _ in range(3000):
        boc.whencall(lambda c: None, [c], name="n")
    c.result()


def refused_in_a_body():
    @when()
    def body():
        try:
            boc.schedule()
        except RuntimeError as e:
            return str(e)

    return body.result()
