"""W12: the noticeboard: repeated reads in a behavior, first reads after a change, writes from main."""

import json
import time

from boc import Cown, notice_read, notice_write, quiesce, start, wait, when


def repeated(c):
    """Reads of one behavior after its first, per second, net of the empty loop."""
    @when(c)
    def _(c):
        notice_read("key")
        t0 = time.perf_counter()
        for _ in range(200000):
            pass
        t1 = time.perf_counter()
        for _ in range(200000):
            notice_read("key")
        t2 = time.perf_counter()
        c.value = 200000 / ((t2 - t1) - (t1 - t0))


def first(c, left):
    """A chain of behaviors that each read once after a change; the time of the reads adds up in the cown."""
    @when(c)
    def _(c, left=left):
        t0 = time.perf_counter()
        notice_read("key")
        t1 = time.perf_counter()
        c.value += t1 - t0
        notice_write("tick", left)
        if left:
            first(c, left - 1)


def main():
    start(worker_count=1)
    for i in range(16):
        notice_write("other" + str(i), [i] * 10)
    notice_write("key", {"status": "ready", "numbers": [1, 2, 3]})
    quiesce()
    c, d = Cown(0.0), Cown(0.0)
    repeated(c)
    quiesce()
    again = c.unwrap()
    first(d, 4000)
    quiesce()
    once = 4001 / d.unwrap()
    t0 = time.perf_counter()
    for i in range(10000):
        notice_write("key", i)
    quiesce(noticeboard=True)
    writes = 10000 / (time.perf_counter() - t0)
    wait()
    print(json.dumps({"again": again, "first": once, "writes": writes}))


if __name__ == "__main__":
    main()
