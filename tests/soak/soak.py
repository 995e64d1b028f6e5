"""Mixed random work for as long as it is told to: `python soak.py SECONDS [SEED]`.

Rounds of scheduling, nesting, raising, cancelling, interrupting, reading, batches, captures, pinned work, messages,
noticeboard, threads, forks; each ends in `quiesce`, `wait` or `stop`. After each round the program's own sums are right
and the trace keeps the truth rules; at the end nothing lives, and memory, threads and files are as in the beginning.
Prints its seed, a line each half minute, and a last line that begins with "soaked".
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

import boc
from boc import Cown, Matrix, PinnedCown, _core, batch, debug, notice_update, read, when
from boc.trace import LiveTrace
from truth import check_trace

LATEST = 30.0  # seconds that a round's wait may take
ACTIONS = {  # how often each is chosen
    "add": 30, "nest": 10, "fail": 4, "read": 10, "capture": 10, "batched": 5, "cancel": 5, "spin": 2, "interrupt": 3,
    "pin": 6, "message": 5, "update": 5, "hold": 3, "thread": 1, "fork": 1,
}  # fmt: skip
done: Counter[str] = Counter()


class Box:
    """A value of a class of __main__."""

    def __init__(self) -> None:
        self.n = 0
        self.items: dict[str, list[int]] = {}


def values() -> list[Cown]:
    kinds = [0, [0], {"n": 0}, Box(), bytearray(200_000)] * 2
    return [Cown(value) for value in kinds] + [Cown(Matrix.zeros((20, 20))) for _ in range(2)]


def touch(cown: Cown) -> None:
    """Change the value where it is, whatever it is."""
    value = cown.value
    if isinstance(value, int):
        cown.value = value + 1
    elif isinstance(value, list):
        value.append(len(value))
        del value[:-20]
    elif isinstance(value, dict):
        value["n"] += 1
    elif isinstance(value, Box):
        value.n += 1
        value.items[str(value.n % 7)] = [value.n]
    elif isinstance(value, bytearray):
        value[0] = (value[0] + 1) % 256
    else:
        value[0, 0] += 1


class Round:
    """One round: cowns of its own, and what must be true when it has ended."""

    def __init__(self, rng: random.Random, workers: int) -> None:
        self.rng = rng
        self.workers = workers
        self.cowns = values()
        self.counter = Cown(0, name="counter")
        self.seen: list[int] = []
        self.pinned = PinnedCown(self.seen)
        self.added: list[Cown] = []
        self.others: list[Cown] = []
        self.spinning: list[Cown] = []
        self.sent = self.updates = self.pins = 0

    def some(self) -> list[Cown]:
        return self.rng.sample(self.cowns, self.rng.randint(1, 3))

    # ---- what there is to do ---------------------------------------------------------

    def add(self) -> None:
        @when(self.counter, self.some())
        def add(counter: Cown, cowns: list[Cown]) -> str:
            counter.value += 1
            for cown in cowns:
                touch(cown)
            return "added"

        self.added.append(add)

    def nest(self) -> None:
        depth, cowns = self.rng.randint(1, 3), self.some()

        def nest(depth: int) -> None:
            @when(*cowns)
            def nested(*held: Cown) -> None:
                for one in held:
                    touch(one)
                if depth:
                    nest(depth - 1)

        nest(depth)

    def fail(self) -> None:
        @when(*self.some())
        def fails(*held: Cown) -> None:
            try:
                raise KeyError(len(held))
            except KeyError as cause:
                raise ValueError("as it should") from cause

        self.others.append(fails)

    def read(self) -> None:
        @when(read(self.counter), [read(cown) for cown in self.some()])
        def reads(counter: Cown, cowns: list[Cown]) -> list[str]:
            return [type(cown.value).__name__ for cown in cowns] + [str(counter.value)]

        self.others.append(reads)

    def capture(self) -> None:
        mutable = [self.rng.random() for _ in range(self.rng.randint(1, 50))]
        total = sum(mutable)

        @when(*self.some())
        def captures(*held: Cown) -> bool:
            mutable.append(0.0)
            return sum(mutable) == total

        self.others.append(captures)

    def batched(self) -> None:
        with batch():
            for _ in range(self.rng.randint(1, 5)):
                self.add()

    def cancel(self) -> None:
        boc.cancel(*self.rng.sample(self.added, min(3, len(self.added))))

    def spin(self) -> None:
        """At most as many as there are workers, so that interrupts alone can end them."""
        if len(self.spinning) < self.workers:
            kind = self.rng.choice(("counts", "prints", "imports", "cleans up"))

            @when(Cown(0))
            def spins(c: Cown) -> None:
                if kind == "cleans up":
                    try:
                        while True:
                            c.value += 1
                    finally:
                        c.value = None
                while True:
                    c.value += 1
                    if kind == "imports":
                        for name in ("colorsys", "chunkless", "this_is_no_module", "sched"):
                            sys.modules.pop(name, None)
                            with suppress(ImportError):
                                __import__(name)

            self.spinning.append(spins)

    def interrupt(self) -> None:
        if self.spinning:
            boc.cancel(self.spinning.pop(self.rng.randrange(len(self.spinning))), interrupt=True)

    def pin(self) -> None:
        self.pins += 1

        @when(self.pinned, self.some())
        def pins(pinned: Cown, cowns: list[Cown]) -> None:
            pinned.value.append(1)
            touch(cowns[0])

    def message(self) -> None:
        self.sent += 1

        @when(self.counter)
        def sends(counter: Cown) -> None:
            boc.send("soak", [counter.value])

    def update(self) -> None:
        self.updates += 1
        notice_update("sum", lambda n: n + 1, 0)

        @when(self.counter)
        def looks(counter: Cown) -> int:
            boc.notice_write("last", counter.value)
            return int(boc.notice_read("sum", 0))

        self.others.append(looks)

    def hold(self) -> None:
        cown = Cown([1])
        with cown:
            cown.value.append(2)

        @when(cown)
        def held(c: Cown) -> list[int]:
            return list(c.value)

        self.others.append(held)

    def thread(self) -> None:
        def schedule() -> None:
            for _ in range(5):
                self.add()

        threads = [threading.Thread(target=schedule) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def fork(self) -> None:
        if self.rng.random() > 0.05:
            return
        child = os.fork()
        if child == 0:
            try:
                counter = Cown(1)
                adds = [when(counter)(_adds) for _ in range(3)]
                good = adds[-1].result(LATEST) == 4
                boc.stop()
            except BaseException as error:
                print("in the child:", repr(error), file=sys.stderr, flush=True)
                good = False
            os._exit(0 if good else 1)
        assert os.waitpid(child, 0)[1] == 0, "the child of a fork failed"

    def act(self, count: int) -> None:
        for name in self.rng.choices(list(ACTIONS), list(ACTIONS.values()), k=count):
            getattr(self, name)()
            done[name] += 1

    # ---- its end ----------------------------------------------------------------------

    def end(self) -> None:
        how = self.rng.choice(("quiesce", "wait", "stop"))
        done[how] += 1
        if how == "stop":
            boc.stop()
            boc.set_tags([])
            return
        while self.spinning:
            self.interrupt()
        received = sum(boc.receive("soak", LATEST)[0] == "soak" for _ in range(self.sent))
        assert received == self.sent, f"{received} of {self.sent} messages"
        if self.updates:
            boc.notice_sync(LATEST)
            assert boc.notice_read("sum") == self.updates, (boc.notice_read("sum"), self.updates)
        (boc.quiesce if how == "quiesce" else boc.wait)(timeout=LATEST)
        assert len(self.seen) == self.pins, f"{len(self.seen)} of {self.pins} pinned behaviors"
        ran = 0
        for result in self.added:
            try:
                ran += result.result(LATEST) == "added"
            except boc.Cancelled:
                continue
        assert self.counter.result(LATEST) == ran, f"counter {self.counter.result()}, {ran} ran"
        for other in self.others:
            try:
                other.result(LATEST)
            except ValueError:
                done["raised"] += 1
            except boc.Cancelled:
                continue
        if how == "quiesce":
            boc.wait(timeout=LATEST)


def _adds(counter: Cown) -> int:
    counter.value += 1
    return int(counter.value)


def rss() -> float:
    """MB, without what malloc keeps of freed memory."""
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def counts() -> tuple[int, int]:
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def soak(seconds: float, seed: int) -> None:
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    began = said = time.monotonic()
    sizes: list[tuple[float, float]] = []
    first = (0, 0)
    rounds = 0
    while time.monotonic() - began < seconds:
        if not _core._running():
            _core.trace_clear()  # a ring that was overtaken before would leave halves
        live = LiveTrace()
        workers = rng.randint(1, 4)
        boc.start(workers, check=rng.random() < 0.1, trace="16k")  # rings fill early: memory is judged
        one = Round(rng, workers)
        one.act(rng.randint(20, 200))
        one.end()
        live.poll()
        done["checked"] += check_trace(live.trace())
        rounds += 1
        del one, live
        now = time.monotonic()
        sizes.append((now - began, rss()))
        if rounds == 20:
            gc.collect()
            first = counts()
        if now - said > 30:
            said = now
            print(f"{now - began:6.0f} s {rounds} rounds, {sizes[-1][1]:.1f} MB, threads and files {counts()}", flush=True)
    finish(rounds, sizes, first)


def finish(rounds: int, sizes: list[tuple[float, float]], first: tuple[int, int]) -> None:
    boc.stop()
    boc.reset()
    gc.collect()
    living = debug.live()
    assert living["cowns"] == living["behaviors"] == living["live_values"] == living["encoded_values"] == 0, living
    assert rounds > 40, f"only {rounds} rounds"
    last = counts()
    assert last[0] <= first[0] and last[1] <= first[1] + 2, f"threads and files: {first} after 20 rounds, {last} at the end"
    quarter = len(sizes) // 4
    early = statistics.median(size for _, size in sizes[quarter : 2 * quarter])
    late = statistics.median(size for _, size in sizes[-quarter:])
    print(dict(done))
    print(f"soaked {sizes[-1][0]:.0f} s, {rounds} rounds: {early:.1f} MB in the second quarter, {late:.1f} MB in the last; "
          f"threads and files {first}, {last}; living {living}", flush=True)
    assert late - early < 3 + 0.05 * early, "memory grew"


if __name__ == "__main__":
    soak(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32))
