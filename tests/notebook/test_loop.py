"""The hook in the kernel's event loop, on a loop and a descriptor of our own."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from boc.kernel.loop import LoopHook, interruptible


class Bench:
    """A loop, a descriptor that is readable while `work` is not empty, and a hook between them."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.read_end, self.write_end = os.pipe()
        self.work: list[Callable[[], Any]] = []
        self.failures: list[BaseException] = []
        self.pumps = 0
        self.hook = LoopHook(self.read_end, self.pump, self.failures.append)
        self.hook.watch(self.loop)

    def add(self, job: Callable[[], Any]) -> None:
        if not self.work:
            os.write(self.write_end, b"x")
        self.work.append(job)

    def pump(self, slice_ms: int) -> None:
        self.pumps += 1
        end = time.monotonic() + slice_ms / 1000
        while self.work and time.monotonic() < end:
            job = self.work.pop(0)
            if not self.work:
                os.read(self.read_end, 1)
            job()

    def turn(self, seconds: float = 0.05) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.hook.close()
    made.loop.close()
    os.close(made.read_end)
    os.close(made.write_end)


def test_ready_work_runs_in_a_context_of_its_own(bench: Bench) -> None:
    cell = contextvars.ContextVar("cell", default="none")
    cell.set("the cell that loaded the extension")
    seen: list[str] = []
    bench.hook.watch(bench.loop)
    bench.add(lambda: seen.append(cell.get()))
    bench.turn()
    assert seen == ["none"]


def test_a_slice_is_short_and_the_rest_follows(bench: Bench) -> None:
    ran: list[int] = []
    beats: list[float] = []

    def job(n: int) -> None:
        time.sleep(0.004)
        ran.append(n)

    for n in range(20):
        bench.add(lambda n=n: job(n))

    def beat() -> None:
        beats.append(time.monotonic())
        if len(ran) < 20:
            bench.loop.call_soon(beat)

    bench.loop.call_soon(beat)
    bench.turn(0.3)
    assert ran == list(range(20))
    gaps = [b - a for a, b in itertools.pairwise(beats)]
    assert bench.pumps >= 4 and len(gaps) >= 4


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), MemoryError()])
def test_nothing_that_escapes_a_body_reaches_the_loop(bench: Bench, error: BaseException) -> None:
    def bad() -> None:
        raise error

    ran: list[int] = []
    bench.add(bad)
    bench.turn()
    bench.add(lambda: ran.append(1))
    bench.turn()
    assert bench.failures == [error]
    assert ran == [1]


def test_an_interrupt_reaches_a_body_though_the_idle_kernel_ignores_it(bench: Bench) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:

        def spin() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.001)

        bench.add(spin)
        bench.turn()
        assert [type(e) for e in bench.failures] == [KeyboardInterrupt]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGINT)  # idle again: ignored again
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_own_handler_is_left_alone() -> None:
    def mine(*_: object) -> None: ...

    before = signal.signal(signal.SIGINT, mine)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_does_not_spin_while_another_thread_pumps(bench: Bench) -> None:
    busy = True
    ran: list[int] = []
    real = bench.pump

    def pump(slice_ms: int) -> None:
        if busy:
            bench.pumps += 1
            raise RuntimeError("another thread pumps already")
        real(slice_ms)

    bench.hook._pump = pump
    bench.add(lambda: ran.append(1))
    bench.turn(0.2)
    assert 1 <= bench.pumps <= 6 and not ran
    busy = False
    bench.turn(0.2)
    assert ran == [1]


def test_a_body_that_turns_the_loop_does_not_pump_within_itself(bench: Bench) -> None:
    depth: list[bool] = []
    bench.add(lambda: depth.append(bench.hook.slice()))
    bench.turn()
    assert depth == [False]


def test_other_threads_never_pump(bench: Bench) -> None:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(bench.hook.slice()))
    thread.start()
    thread.join()
    assert answers == [False] and bench.pumps == 0


def test_closing_twice_and_after_the_loop(bench: Bench) -> None:
    bench.hook.close()
    bench.add(lambda: None)
    bench.turn()
    assert bench.pumps == 0
    bench.hook.close()
    bench.hook.watch(bench.loop)
    bench.turn()
    assert bench.pumps == 1
