"""Throughput on rings of cowns: chains walk them, a few neighbours at a time, multiplying or just passing.

It measures the runtime, not what a program of yours will gain. Compare figures of one machine only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from boc import Cown, Matrix, gather, notice_read, notice_seed, quiesce, start, wait, when
from boc.examples._command import command, number


@dataclass
class Chain:
    """Where a chain is, how far it has to go, and what it does at each step."""

    ring: int
    size: int
    head: int
    left: int
    group: int
    products: int
    done: int = 0


def window(ring: list[Cown[Matrix]], chain: Chain) -> list[Cown[Matrix]]:
    """The neighbours that the next step needs."""
    return [ring[(chain.head + i) % chain.size] for i in range(chain.group)]


def step(state: Cown[Chain], cowns: list[Cown[Matrix]]) -> None:
    """Schedules one step of a chain, which schedules the next."""
    @when(state, cowns)
    def walk(state: Cown[Chain], cowns: list[Cown[Matrix]]) -> None:
        chain = state.value
        for _ in range(chain.products):
            for c in cowns:
                cowns[0].value = cowns[0].value @ c.value
        chain.head = (chain.head + 1) % chain.size
        chain.done += 1
        if chain.done < chain.left:
            step(state, window(notice_read(f"ring {chain.ring}"), chain))


def run(workers: int, chains: int, size: int, steps: int, group: int, products: int) -> dict[str, float]:
    """One measurement in a runtime of its own."""
    start(workers)
    rings = []
    for i in range(chains):
        rings.append([Cown(Matrix.uniform(0.0, 0.01, (16, 16))) for _ in range(size)])
        notice_seed(f"ring {i}", rings[i])
    states = [Cown(Chain(i, size, 0, steps, group, products)) for i in range(chains)]
    began = time.perf_counter()
    for i, state in enumerate(states):
        step(state, rings[i][:group])
    quiesce()
    seconds = time.perf_counter() - began
    done = sum(chain.done for chain in gather(states))
    wait()
    return {"workers": workers, "group": group, "products": products, "behaviors": done,
            "seconds": seconds, "per_second": done / seconds}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-benchmark`."""
    parser = argparse.ArgumentParser(description="Throughput on rings of cowns.")
    parser.add_argument("--workers", type=number(1, 1024), nargs="+", default=[1, 2], help="one row each (1 2)")
    parser.add_argument("--chains", type=number(1, 60), default=16)
    parser.add_argument("--ring", type=number(1, 100_000), default=64, help="cowns a ring (64)")
    parser.add_argument("--steps", type=number(1, 10_000_000), default=200, help="steps a chain (200)")
    parser.add_argument("--group", type=number(1, 100_000), default=2, help="cowns a step (2)")
    parser.add_argument("--products", type=number(0, 1_000_000), default=20, help="products a cown and step (20)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    if options.group > options.ring:
        parser.error("--group must fit into --ring")
    rows = [run(n, options.chains, options.ring, options.steps, options.group, options.products)
            for n in options.workers]
    if options.json:
        print(json.dumps(rows))
        return 0
    print("workers  behaviors  per second")
    for row in rows:
        print(f"{row['workers']:7d}  {row['behaviors']:9d}  {row['per_second']:10,.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
