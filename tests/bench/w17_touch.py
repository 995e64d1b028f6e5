"""W17: what one touch of a value costs: an int, a small dict, one of 10,000 entries, an instance, bytes.

`one`: a chain on one worker, where the value stays. `across`: every other behavior runs on the main
interpreter, because a pinned cown is in its set, so the value goes to another interpreter at each touch.
"""

import json
import sys
import time

from boc import Cown, PinnedCown, quiesce, start, wait, when


class Point:
    """An instance of a class of the program."""

    def __init__(self, x, y, name):
        self.x, self.y, self.name = x, y, name


def change(value, i):
    """Changes a value in place where it can be; returns what the cown holds next."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        value[i % len(value)] = i
    elif isinstance(value, Point):
        value.x = i
    else:
        return value[:-1] + b"x" if len(value) < 1000 else value
    return value


VALUES = {
    "int": lambda: 1,
    "dict": lambda: {0: 1, 1: 2, 2: 3},
    "table": lambda: {i: i for i in range(10_000)},
    "instance": lambda: Point(1, 2.5, "point"),
    "bytes": lambda: bytes(100),
    "megabyte": lambda: bytes(1_000_000),
}


def chain(c, left):
    """Touches a value and schedules the next touch."""
    @when(c)
    def _(c, left=left):
        c.value = change(c.value, left)
        if left:
            chain(c, left - 1)


def alternate(c, pin, count):
    """Touches a value on a worker and on main by turns."""
    for i in range(count // 2):
        @when(c)
        def _(c, i=i):
            c.value = change(c.value, i)

        @when(c, pin)
        def _(c, pin, i=i):
            c.value = change(c.value, i)


def main():
    kind, where = sys.argv[1:3]
    start(worker_count=1)
    c, pin = Cown(VALUES[kind]()), PinnedCown(None)

    def touch(count):
        began = time.perf_counter()
        if where == "one":
            chain(c, count)
        else:
            alternate(c, pin, count)
        quiesce()
        return (time.perf_counter() - began) * 1e6 / count

    best = touch(20)
    count = max(20, min(20_000, int(300_000 / best)))  # about 0.3 s a round
    best = min(touch(count) for _ in range(3))
    wait()
    print(json.dumps({"us": best}))


if __name__ == "__main__":
    main()
