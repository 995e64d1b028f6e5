"""A bank: a transfer needs two accounts and takes both at once, so money is never lost or seen in between."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence

from boc import Cown, gather, quiesce, wait, when
from boc.examples._command import command, number


class Account:
    """A balance and how many transfers it has seen."""

    def __init__(self, owner: str, balance: int) -> None:
        self.owner = owner
        self.balance = balance
        self.transfers = 0


class InsufficientFunds(Exception):
    """A transfer was larger than the balance."""


def transfer(source: Cown[Account], target: Cown[Account], amount: int) -> Cown[None]:
    """Moves money, or raises and moves nothing."""
    @when(source, target)
    def move(source: Cown[Account], target: Cown[Account]) -> None:
        if source.value.balance < amount:
            raise InsufficientFunds(f"{source.value.owner} has {source.value.balance}, not {amount}")
        source.value.balance -= amount
        target.value.balance += amount
        source.value.transfers += 1
        target.value.transfers += 1

    return move


def audit(accounts: list[Cown[Account]]) -> Cown[int]:
    """The sum over all accounts, at one moment."""
    @when(accounts)
    def total(accounts: list[Cown[Account]]) -> int:
        return sum(c.value.balance for c in accounts)

    return total


def run(accounts: int, transfers: int, seed: int) -> tuple[int, int, list[int]]:
    """Returns the transfers that were refused, the money at the end, and what each audit saw."""
    chance = random.Random(seed)
    cowns = [Cown(Account(f"customer {i}", 100)) for i in range(accounts)]
    moves, audits = [], []
    for i in range(transfers):
        source, target = chance.sample(cowns, 2)
        moves.append(transfer(source, target, chance.randint(1, 60)))
        if i % 50 == 25:
            audits.append(audit(cowns))
    audits.append(audit(cowns))
    seen = gather(audits)
    quiesce()
    refused = sum(1 for move in moves if move.exception)
    return refused, seen[-1], seen


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-bank`."""
    parser = argparse.ArgumentParser(description="Transfers between accounts that are cowns.")
    parser.add_argument("--accounts", type=number(2, 10_000), default=8)
    parser.add_argument("--transfers", type=number(0, 10_000_000), default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    refused, total, seen = run(options.accounts, options.transfers, options.seed)
    wait()
    print(f"{options.transfers - refused} transfers done, {refused} refused")
    print(f"{len(seen)} audits saw {sorted(set(seen))}; {total} at the end")
    return 0 if set(seen) == {options.accounts * 100} else 1


if __name__ == "__main__":
    raise SystemExit(main())
