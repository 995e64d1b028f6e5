"""W7: a dict of 10,000 entries touched by a chain on one worker."""

import json
import time

from boc import Cown, quiesce, start, wait, when


def touch(c, left):
    """Changes one entry and schedules the next touch."""
    @when(c)
    def _(c, left=left):
        c.value[left % 10000] = left
        if left:
            touch(c, left - 1)


def round_of(cown, count):
    """Touches per second."""
    began = time.perf_counter()
    touch(cown, count)
    quiesce()
    return count / (time.perf_counter() - began)


def main():
    start(worker_count=1)
    cown = Cown({i: i for i in range(10000)})
    round_of(cown, 20)
    rate = round_of(cown, 300)
    if rate > 20000:
        rate = round_of(cown, 30000)
    wait()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
