"""Growth: throughput must not fall when a million of something exists. Arguments: which, how many."""

import json
import os
import sys
import time

from boc import Cown, quiesce, start, wait, when


def schedule(c):
    """One null behavior."""
    @when(c)
    def _(c):
        pass


def rate_of(cowns, count):
    """Null behaviors per second, scheduled and run."""
    began = time.perf_counter()
    for i in range(count):
        schedule(cowns[i % len(cowns)])
    quiesce()
    return count / (time.perf_counter() - began)


def pending(scale):
    """`scale` behaviors queued on eight cowns, then drained: behaviors per second of the drain."""
    gate = [Cown(0) for _ in range(8)]
    held, release = os.pipe()
    for c in gate:
        @when(c)
        def _(c):
            os.read(held, 1)
    for i in range(scale):
        schedule(gate[i & 7])
    began = time.perf_counter()
    os.write(release, b"x" * len(gate))
    quiesce()
    return scale / (time.perf_counter() - began)


def cowns(scale):
    """Null behaviors over `scale` living cowns."""
    living = [Cown(0) for _ in range(scale)]
    return max(rate_of(living, 50000) for _ in range(3))


def wide(scale):
    """Requests per second of behaviors that need `scale` cowns each."""
    many = [Cown(0) for _ in range(scale)]
    count = 300000 // scale
    began = time.perf_counter()
    for _ in range(count):
        @when(many)
        def _(many):
            pass
    quiesce()
    return count * scale / (time.perf_counter() - began)


def waiters(scale):
    """`scale` behaviors wait on one cown while another one works: behaviors per second of it all."""
    return max(pending_on_one(scale) for _ in range(3))


def pending_on_one(scale):
    """Schedules and drains one queue."""
    c = Cown(0)
    began = time.perf_counter()
    for _ in range(scale):
        schedule(c)
    quiesce()
    return scale / (time.perf_counter() - began)


def main():
    which, scale = sys.argv[1], int(sys.argv[2])
    start(worker_count=scale if which == "workers" else 2)
    rate_of([Cown(0) for _ in range(8)], 4000)
    if which == "workers":
        rate = rate_of([Cown(0) for _ in range(8)], 50000)
    else:
        rate = {"pending": pending, "cowns": cowns, "wide": wide, "waiters": waiters}[which](scale)
    wait()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
