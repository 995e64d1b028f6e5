"""W8: a large value handed from worker to worker: bytes and bytearray of 100 MB, a list of a million ints.

Each hand-off is forced to the other worker: the next step also needs a gate, which a behavior on the other
worker opens last. What is counted is the CPU time of the process, so that encoding is seen wherever it
happens; the same chain over an int is taken off.
"""

import json
import sys
import time

from boc import Cown, quiesce, start, wait, when

HANDOFFS = 8


def hand_on(c, gate, left):
    """One step on the value; a sleeper on the gate runs meanwhile on the other worker and ends later."""
    @when(c, gate)
    def _(c, gate, left=left):
        c.value  # noqa: B018
        if left:
            fresh = Cown(None)
            sleep_on(fresh)
            time.sleep(0.01)
            hand_on(c, fresh, left - 1)


def sleep_on(gate):
    """Holds the gate for 30 ms without using the CPU."""
    @when(gate)
    def _(gate):
        time.sleep(0.03)


def cpu_of(value):
    """CPU milliseconds a hand-off."""
    c = Cown(value)
    value = None
    hand_on(c, Cown(None), 1)
    quiesce()
    began = time.process_time()
    hand_on(c, Cown(None), HANDOFFS)
    quiesce()
    return (time.process_time() - began) * 1000 / HANDOFFS


def main():
    start(worker_count=2)
    base = cpu_of(0)
    kind = sys.argv[1]
    if kind == "bytes":
        value = cpu_of(bytes(100_000_000))
    elif kind == "bytearray":
        value = cpu_of(bytearray(100_000_000))
    else:
        value = cpu_of(list(range(1_000_000)))
    wait()
    print(json.dumps({"ms": max(0.001, value - base)}))


if __name__ == "__main__":
    main()
