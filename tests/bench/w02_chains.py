"""W2: null bodies in chains that schedule themselves, 8 cowns, 2 workers."""

import json
import sys
import time

from boc import Cown, quiesce, start, wait, when


def chain(c, left):
    """One step of a chain; it schedules the next."""
    @when(c)
    def _(c, left=left):
        if left:
            chain(c, left - 1)


def round_of(cowns, steps):
    """Behaviors per second over all chains."""
    began = time.perf_counter()
    for c in cowns:
        chain(c, steps)
    quiesce()
    return len(cowns) * (steps + 1) / (time.perf_counter() - began)


def main():
    options = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    start(worker_count=2, **options)
    cowns = [Cown(0) for _ in range(8)]
    round_of(cowns, 500)
    rate = round_of(cowns, 10000)
    wait()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
