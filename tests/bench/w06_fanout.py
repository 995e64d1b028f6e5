"""W6: producers that make fresh cowns, four a step, and schedule one child on each.

Arguments: producers, workers.
"""

import json
import sys
import time

from boc import Cown, Matrix, quiesce, start, wait, when

WIDTH = 4


def child(c):
    """One multiplication on a fresh cown."""
    @when(c)
    def _(c):
        c.value = c.value @ c.value


def produce(producer):
    """One step of a producer; it schedules its children and its next step."""
    @when(producer)
    def _(producer):
        for _ in range(WIDTH):
            child(Cown(Matrix.uniform(0.0, 1.0, (16, 16))))
        producer.value -= 1
        if producer.value:
            produce(producer)


def round_of(producers, steps):
    """Children per second."""
    cowns = [Cown(steps) for _ in range(producers)]
    began = time.perf_counter()
    for c in cowns:
        produce(c)
    quiesce()
    return producers * steps * WIDTH / (time.perf_counter() - began)


def main():
    producers, workers = int(sys.argv[1]), int(sys.argv[2])
    start(worker_count=workers)
    round_of(producers, 2000)
    rate = round_of(producers, 50000 // producers)
    wait()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
