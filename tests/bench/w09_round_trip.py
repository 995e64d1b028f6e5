"""W9: round trip from main through a behavior to its result, 2 workers.

The peer's shortest way to a result is quiesce and unwrap.
"""

import json
import time

from boc import Cown, quiesce, start, wait, when


def round_of(cown, count):
    """Microseconds a round trip."""
    began = time.perf_counter()
    for _ in range(count):
        @when(cown)
        def result(c):
            return 1
        got = result.result()  # peer: quiesce(); got = result.unwrap()
    assert got == 1
    return (time.perf_counter() - began) * 1e6 / count


def main():
    start(worker_count=2)
    cown = Cown(0)
    round_of(cown, 200)
    us = round_of(cown, 4000)
    quiesce()
    wait()
    print(json.dumps({"us": us}))


if __name__ == "__main__":
    main()
