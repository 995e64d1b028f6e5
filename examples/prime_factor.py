"""A factor of a large number, searched from several starts at once; the first to find one stops the others.

The word goes round over the noticeboard: a searcher looks at it before each slice of work. A slice that has
begun is finished, so nothing is torn; it is only not continued.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from boc import Cown, notice_read, notice_write, wait, when
from boc.examples._command import command, number

SLICE = 256


class Search:
    """A walk of Pollard's rho: x -> x*x + step modulo n."""

    def __init__(self, n: int, step: int) -> None:
        self.n = n
        self.step = step
        self.slow = self.fast = 2
        self.slices = 0

    def advance(self) -> int:
        """Goes on for one slice. Returns a proper factor, or 0; a walk that closed begins another."""
        self.slices += 1
        for _ in range(SLICE):
            self.slow = (self.slow * self.slow + self.step) % self.n
            for _ in range(2):
                self.fast = (self.fast * self.fast + self.step) % self.n
            factor = math.gcd(abs(self.slow - self.fast), self.n)
            if factor == self.n:
                self.step += 8
                self.slow = self.fast = 2
            elif factor > 1:
                return factor
        return 0


def search(cown: Cown[Search]) -> None:
    """Schedules one slice of a search, which schedules the next."""
    @when(cown)
    def advance(cown: Cown[Search]) -> None:
        if notice_read("factor") is not None:
            return
        factor = cown.value.advance()
        if factor:
            notice_write("factor", factor)
        else:
            search(cown)


def factor_of(n: int, searchers: int) -> tuple[int, int]:
    """A factor pair of n, the smaller first; (1, n) if n is prime or below 4."""
    if n % 2 == 0 and n > 2:
        return 2, n // 2
    if n < 4 or is_prime(n):
        return 1, n
    root = math.isqrt(n)
    if root * root == n:
        return root, root
    cowns = [Cown(Search(n, step)) for step in range(1, searchers + 1)]
    for cown in cowns:
        search(cown)
    board = wait(noticeboard=True)
    factor = board["factor"]
    return min(factor, n // factor), max(factor, n // factor)


def is_prime(n: int) -> bool:
    """Miller-Rabin with bases that are enough below 3.3e24."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        if n % base == 0:
            return n == base
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-prime-factor`."""
    parser = argparse.ArgumentParser(description="A factor of a number, with early termination.")
    parser.add_argument("n", type=int, nargs="?", default=1000003 * 2000003)
    parser.add_argument("--searchers", type=number(1, 1000), default=4)
    options = parser.parse_args(argv)
    if options.n < 1:
        parser.error("n must be 1 or more")
    small, large = factor_of(options.n, options.searchers)
    print(f"{options.n} = {small} * {large}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
