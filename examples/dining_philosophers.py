"""Dining philosophers: each eats with two forks that are cowns. There is nothing to get into a knot."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from boc import Cown, quiesce, wait, when
from boc.examples._command import command, number


class Fork:
    """Counts who ate with it."""

    def __init__(self) -> None:
        self.uses: dict[int, int] = {}


def dine(number: int, left: Cown[Fork], right: Cown[Fork], hunger: int) -> None:
    """One meal; a philosopher who is still hungry sits down again."""
    @when(left, right)
    def eat(left: Cown[Fork], right: Cown[Fork]) -> None:
        for fork in (left, right):
            fork.value.uses[number] = fork.value.uses.get(number, 0) + 1
        if hunger > 1:
            dine(number, left, right, hunger - 1)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-dining-philosophers`."""
    parser = argparse.ArgumentParser(description="Philosophers who share forks that are cowns.")
    parser.add_argument("--philosophers", type=number(2, 100_000), default=5)
    parser.add_argument("--meals", type=number(1, 10_000_000), default=20, help="meals of each philosopher (20)")
    options = parser.parse_args(argv)
    seats = options.philosophers
    forks = [Cown(Fork()) for _ in range(seats)]
    for i in range(seats):
        dine(i, forks[i], forks[(i + 1) % seats], options.meals)
    quiesce()
    for i in range(seats):
        with forks[i]:
            eaten = forks[i].value.uses[i]
        print(f"philosopher {i} ate {eaten} times")
    wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
