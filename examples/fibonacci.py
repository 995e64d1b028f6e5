"""Fibonacci numbers as a tree of behaviors: each waits for two results, which are cowns like any other."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from boc import Cown, wait, when
from boc.examples._command import command, number


def plain(n: int) -> int:
    """The number without behaviors, for the leaves."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def fibonacci(n: int, leaf: int) -> Cown[int]:
    """The cown that will hold the n-th number. Below `leaf` one behavior does all of it."""
    if n < max(2, leaf):
        @when()
        def small() -> int:
            return plain(n)

        return small

    @when(fibonacci(n - 1, leaf), fibonacci(n - 2, leaf))
    def add(left: Cown[int], right: Cown[int]) -> int:
        return left.value + right.value

    return add


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-fibonacci`."""
    parser = argparse.ArgumentParser(description="Fibonacci numbers as a tree of behaviors.")
    parser.add_argument("n", type=number(0, 40), nargs="?", default=16)
    parser.add_argument("--leaf", type=number(0, 40), default=5, help="below this, no further behaviors (5)")
    options = parser.parse_args(argv)
    print(f"fibonacci({options.n}) = {fibonacci(options.n, options.leaf).result()}")
    wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
