"""W18: how soon an interrupt is felt. Argument: `body` or a way in which the main thread waits.

`body`: from `cancel(f, interrupt=True)` of a pure-Python loop to its result being there. A way to wait: from the
signal of Ctrl-C to the KeyboardInterrupt on the main thread, while a body runs that does not end before.
Median and 99th percentile of 200, in ms.
"""

import asyncio
import json
import os
import signal
import statistics
import sys
import threading
import time

import boc
from boc import Cown, PinnedCown, cancel, quiesce, start, wait, when

SAMPLES = 200
LEAD_S = 0.002  # into the wait


def spin(c, begun):
    """A loop of Python code that ends only by an interrupt."""
    os.write(begun, b".")
    while True:
        c.value += 1


def bodies():
    """Milliseconds from the call of cancel to the result."""
    begun, begin = os.pipe()
    for _ in range(SAMPLES):
        c = Cown(0)

        @when(c)
        def f(c, begin=begin):
            spin(c, begin)
        os.read(begun, 1)
        time.sleep(LEAD_S)
        asked = time.perf_counter()
        assert cancel(f, interrupt=True) == 1
        try:
            f.result()
        except boc.Cancelled:
            yield (time.perf_counter() - asked) * 1e3


def hold_c(f):
    """Takes and gives back, for ever."""
    c = Cown(0)
    while True:
        with c:
            c.value += 1


async def reach(f):
    """`await` of a cown."""
    await f


def pump(f):
    """A pinned body that does not end by itself."""
    @when(PinnedCown(0))
    def on_main(c):
        while True:
            c.value += 1
    boc.pump()


def sync(f):
    """Waits behind an update that waits for the signal as well."""
    boc.notice_update("slow", lambda old: time.sleep(0.2))
    boc.notice_sync()


WAYS = {
    "wait": lambda f: wait(),
    "result": lambda f: f.result(),
    "quiesce": lambda f: quiesce(),
    "await": lambda f: asyncio.run(reach(f)),
    "with": hold_c,
    "pump": pump,
    "receive": lambda f: boc.receive("never"),
    "notice_sync": sync,
    "sleep": lambda f: time.sleep(1000),
    "loop": lambda f: [None for _ in iter(int, 1)],
}


def presses(way):
    """Milliseconds from SIGINT to KeyboardInterrupt."""
    held, release = os.pipe()
    sent, ready = 0.0, threading.Event()

    def press():
        nonlocal sent
        for _ in range(SAMPLES):
            ready.wait()
            ready.clear()
            time.sleep(LEAD_S)
            sent = time.perf_counter()
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()

    @when(Cown(0))
    def f(c, held=held):
        os.read(held, 1)
    for _ in range(SAMPLES):
        try:
            ready.set()
            WAYS[way](f)
        except KeyboardInterrupt:
            yield (time.perf_counter() - sent) * 1e3
    os.write(release, b".")
    f.result()


def main():
    start(workers=2)
    taken = list(bodies() if sys.argv[1] == "body" else presses(sys.argv[1]))
    wait()
    assert len(taken) == SAMPLES
    print(json.dumps({"median": statistics.median(taken), "p99": statistics.quantiles(taken, n=100)[98], "max": max(taken)}))


if __name__ == "__main__":
    main()
