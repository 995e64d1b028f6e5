"""W3: null bodies on one contended cown, scheduled from main."""

import json
import time

from boc import Cown, quiesce, start, wait, when


def round_of(cown, count):
    """Behaviors per second, from the first `when` until nothing is pending."""
    began = time.perf_counter()
    for _ in range(count):
        @when(cown)
        def _(c):
            pass
    quiesce()
    return count / (time.perf_counter() - began)


def main():
    start(worker_count=2)
    cown = Cown(0)
    round_of(cown, 4000)
    rate = round_of(cown, 40000)
    wait()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
