"""W13: messages from a behavior to main, in bursts of 8,000; ints or small dicts. Argument: which."""

import json
import sys
import time

from boc import Cown, drain, quiesce, receive, send, start, wait, when

BURST = 8000


def produce(c, value):
    """Sends one burst."""
    @when(c)
    def _(c, value=value):
        for _ in range(BURST):
            send("numbers", value)


def main():
    value = 12345 if sys.argv[1] == "int" else {"name": "onion", "state": "diced", "count": 3}
    start(worker_count=2)
    c = Cown(0)
    rates = []
    for _ in range(8):
        began = time.perf_counter()
        produce(c, value)
        for _ in range(BURST):
            receive("numbers")
        rates.append(BURST / (time.perf_counter() - began))
    quiesce()
    drain("numbers")
    wait()
    print(json.dumps({"rate": sorted(rates)[len(rates) // 2]}))


if __name__ == "__main__":
    main()
