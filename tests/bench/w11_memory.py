"""W11: resident bytes of a queued behavior, of a cown that holds an int, of a worker. Argument: which."""

import gc
import json
import os
import sys
import time

from boc import Cown, start, wait, when


def resident():
    """Bytes of this process that are in memory."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def schedule(c):
    """One null behavior."""
    @when(c)
    def _(c):
        pass


def behaviors():
    """100,000 behaviors queued behind one that sleeps."""
    start(worker_count=1)
    c = Cown(0)
    for _ in range(2000):
        schedule(c)

    @when(c)
    def _(c):
        time.sleep(3.0)
    time.sleep(0.3)
    before = resident()
    for _ in range(100000):
        schedule(c)
    return (resident() - before) / 100000


def cowns():
    """A million cowns in a list whose own slots are not counted."""
    start(worker_count=1)
    kept = [None] * 1000000
    [Cown(i) for i in range(1000)]
    before = resident()
    for i in range(1000000):
        kept[i] = Cown(1000 + i % 1000)
    return (resident() - before) / 1000000


def workers():
    """Eight workers that have each run something."""
    before = resident()
    start(worker_count=8)
    for c in [Cown(0) for _ in range(64)]:
        @when(c)
        def _(c):
            time.sleep(0.02)
    time.sleep(1.0)
    return (resident() - before) / 8


def main():
    which = {"behavior": behaviors, "cown": cowns, "worker": workers}[sys.argv[1]]
    value = which()
    print(json.dumps({"bytes": value}), flush=True)
    if sys.argv[1] == "cown":
        os._exit(0)
    wait()


if __name__ == "__main__":
    main()
