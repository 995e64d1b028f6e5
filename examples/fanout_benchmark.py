"""Throughput of fan-out: producers make fresh cowns and schedule a child on each of them, step after step."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

from boc import Cown, Matrix, gather, quiesce, start, wait, when
from boc.examples._command import command, number


def child(cown: Cown[Matrix]) -> None:
    """One product on a fresh cown."""
    @when(cown)
    def square(cown: Cown[Matrix]) -> None:
        cown.value = cown.value @ cown.value


def produce(producer: Cown[list[int]], width: int) -> None:
    """One step of a producer, whose value is [steps left, children made]."""
    @when(producer)
    def fan_out(producer: Cown[list[int]]) -> None:
        for _ in range(width):
            child(Cown(Matrix.uniform(0.0, 1.0, (16, 16))))
        producer.value[0] -= 1
        producer.value[1] += width
        if producer.value[0]:
            produce(producer, width)


def run(workers: int, producers: int, width: int, steps: int) -> dict[str, float]:
    """One measurement in a runtime of its own."""
    start(workers)
    cowns = [Cown([steps, 0]) for _ in range(producers)]
    began = time.perf_counter()
    for cown in cowns:
        produce(cown, width)
    quiesce()
    seconds = time.perf_counter() - began
    made = sum(made for _, made in gather(cowns))
    wait()
    return {"workers": workers, "producers": producers, "width": width, "children": made,
            "seconds": seconds, "per_second": made / seconds}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-fanout-benchmark`."""
    parser = argparse.ArgumentParser(description="Throughput of fan-out over fresh cowns.")
    parser.add_argument("--workers", type=number(1, 1024), nargs="+", default=[1, 2], help="one row each (1 2)")
    parser.add_argument("--producers", type=number(1, 1000), default=2)
    parser.add_argument("--width", type=number(1, 10_000), default=4, help="children a step (4)")
    parser.add_argument("--steps", type=number(1, 10_000_000), default=1000, help="steps a producer (1000)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    rows = [run(n, options.producers, options.width, options.steps) for n in options.workers]
    if options.json:
        print(json.dumps(rows))
        return 0
    print("workers  producers  children  per second")
    for row in rows:
        print(f"{row['workers']:7d}  {row['producers']:9d}  {row['children']:8d}  {row['per_second']:10,.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
