"""W4, W5: chains that walk rings of matrix cowns, `group` neighbours at a time; W5 leaves the arithmetic out.

Arguments: group, multiplications per step (0 for W5), workers. The rings rest on the noticeboard.
"""

import json
import sys
import time

from boc import Cown, Matrix, notice_read, notice_seed, quiesce, start, wait, when

RING = 128
CHAINS = 32


class Chain:
    """Where a chain is on its ring."""

    def __init__(self, ring, iterations, group, left):
        self.ring = ring
        self.head = 0
        self.iterations = iterations
        self.group = group
        self.left = left


def step(state, window):
    """One step: multiply over the window, then move on by one."""
    @when(state, window)
    def _(state, window):
        chain = state.value
        for _ in range(chain.iterations):
            for c in window:
                window[0].value = window[0].value @ c.value
        chain.left -= 1
        chain.head += 1
        if chain.left:
            ring = notice_read("ring" + str(chain.ring))
            step(state, [ring[(chain.head + i) % RING] for i in range(chain.group)])


def round_of(rings, iterations, group, steps):
    """Steps per second over all chains."""
    states = [Cown(Chain(i, iterations, group, steps)) for i in range(CHAINS)]
    began = time.perf_counter()
    for i, state in enumerate(states):
        step(state, rings[i][:group])
    quiesce()
    return CHAINS * steps / (time.perf_counter() - began)


def main():
    group, iterations, workers = (int(text) for text in sys.argv[1:4])
    start(worker_count=workers)
    rings = []
    for i in range(CHAINS):
        ring = [Cown(Matrix.uniform(0.0, 0.01, (16, 16))) for _ in range(RING)]
        rings.append(ring)
        notice_seed("ring" + str(i), ring)
    round_of(rings, iterations, group, 20)
    rate = round_of(rings, iterations, group, 1000 if iterations else 10000)
    del rings
    wait()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
