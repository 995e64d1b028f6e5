"""W1: null bodies, one fresh function per `when`, from main to the workers, over 8 cowns."""

import json
import time

from boc import Cown, quiesce, start, wait, when


def round_of(cowns, count):
    """Behaviors per second, from the first `when` until nothing is pending."""
    began = time.perf_counter()
    for i in range(count):
        @when(cowns[i & 7])
        def _(c):
            pass
    quiesce()
    return count / (time.perf_counter() - began)


def main():
    start(worker_count=2)
    cowns = [Cown(0) for _ in range(8)]
    round_of(cowns, 4000)
    rate = round_of(cowns, 40000)
    wait()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
