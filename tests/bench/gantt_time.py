"""Drawing time: a Gantt chart of many behaviors to a PNG. Argument: how many."""

import io
import json
import sys
import time

import matplotlib

matplotlib.use("Agg")

from boc import Cown, gantt, quiesce, start, wait, when


def chain(c, left):
    """One step of a chain; it schedules the next."""
    @when(c)
    def _(c, left=left):
        if left:
            chain(c, left - 1)


def draw():
    """Seconds for one picture."""
    began = time.perf_counter()
    gantt().savefig(io.BytesIO(), format="png")
    return time.perf_counter() - began


def main():
    count = int(sys.argv[1])
    start(workers=2, trace=1 << 22)
    cowns = [Cown(0) for _ in range(8)]
    for c in cowns:
        chain(c, count // 8)
    quiesce()
    draw()
    seconds = draw()
    wait()
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
