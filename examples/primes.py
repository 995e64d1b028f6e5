"""Primes below a limit: the small ones sieve the segments, and the segments run beside each other."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from boc import Cown, gather, wait, when
from boc.examples._command import command, number


def small_primes(limit: int) -> tuple[int, ...]:
    """All primes up to the limit, by a plain sieve."""
    flags = bytearray([1]) * (limit + 1)
    flags[0:2] = b"\0\0"[: limit + 1]
    for i in range(2, math.isqrt(limit) + 1):
        if flags[i]:
            flags[i * i:: i] = bytes(len(range(i * i, limit + 1, i)))
    return tuple(i for i, flag in enumerate(flags) if flag)


def segment(low: int, high: int, divisors: tuple[int, ...]) -> Cown[tuple[int, int]]:
    """Schedules one segment [low, high): how many primes it has, and its largest (0 if none)."""
    @when()
    def sieve() -> tuple[int, int]:
        flags = bytearray([1]) * (high - low)
        for p in divisors:
            first = max(p * p, (low + p - 1) // p * p)
            flags[first - low:: p] = bytes(len(range(first, high, p)))
        return sum(flags), low + flags.rfind(1) if any(flags) else 0

    return sieve


def count_primes(limit: int, size: int) -> tuple[int, int]:
    """How many primes lie below the limit, and the largest of them."""
    if limit <= 2:
        return 0, 0
    divisors = small_primes(math.isqrt(limit))
    parts = [segment(low, min(limit, low + size), divisors) for low in range(2, limit, size)]
    found = gather(parts)
    return sum(count for count, _ in found), max(largest for _, largest in found)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-primes`."""
    parser = argparse.ArgumentParser(description="Counts primes, one behavior a segment.")
    parser.add_argument("limit", type=number(0, 1_000_000_000), nargs="?", default=200_000)
    parser.add_argument("--segment", type=number(1, 1_000_000_000), default=25_000, help="numbers a behavior (25000)")
    options = parser.parse_args(argv)
    count, largest = count_primes(options.limit, options.segment)
    wait()
    print(f"{count} primes below {options.limit}, the largest is {largest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
