"""W10: import, `start()` with two workers, and the first result after it, in a fresh process."""

import json
import time

began = time.perf_counter()
import boc  # noqa: E402
from boc import Cown, quiesce, start, wait, when  # noqa: E402

imported = time.perf_counter()


def main():
    t0 = time.perf_counter()
    start(worker_count=2)
    t1 = time.perf_counter()

    @when(Cown(0))
    def result(c):
        return 1

    got = result.result()  # peer: quiesce(); got = result.unwrap()
    t2 = time.perf_counter()
    assert got == 1 and boc
    quiesce()
    wait()
    stages = {"import": imported - began, "start": t1 - t0, "first": t2 - t1}
    print(json.dumps({name: seconds * 1e3 for name, seconds in stages.items()}))


if __name__ == "__main__":
    main()
