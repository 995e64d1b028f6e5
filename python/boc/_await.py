"""Results without blocking: await, gather, as_completed, quiesced."""

from __future__ import annotations

import contextlib
import itertools

from boc import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator, Iterable, Iterator
    from typing import Any

__all__ = ["as_completed", "awaiter", "gather", "quiesced"]

_tokens = itertools.count(1)
_TURN_S = 0.05


def awaiter(cown: Any) -> Generator[Any, Any, Any]:
    """Return the iterator behind `await cown`."""
    return _reach(cown).__await__()


async def _reach(cown: Any) -> Any:
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("await on a cown cannot be used inside a behavior: a body never waits")
    if _core._batching():
        raise RuntimeError("await inside `with batch():` would wait for what the batch has not scheduled yet")
    import asyncio

    from boc import _service
    from boc._integrate import pinned_work

    loop = asyncio.get_running_loop()
    with pinned_work(loop), _signals(loop):
        while not cown.done():
            future = loop.create_future()
            token = next(_tokens)

            def wake(f: asyncio.Future[None] = future) -> None:
                loop.call_soon_threadsafe(lambda: None if f.done() else f.set_result(None))

            _service.watchers[token] = wake
            try:
                if not _core._watch(cown, token):
                    break
                await future
            finally:
                _service.watchers.pop(token, None)
    return cown.result()


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Turn the main thread's loop now and then: what a signal handler asks of it is done at its next turn only."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    timer: Any = None

    def turn() -> None:
        nonlocal timer
        timer = loop.call_later(_TURN_S, turn)

    turn()
    try:
        yield
    finally:
        timer.cancel()


async def quiesced() -> None:
    """Wait until nothing is pending, without blocking the loop."""
    import asyncio

    from boc._integrate import pinned_work

    with pinned_work(asyncio.get_running_loop()):
        while _core._quiesce(0, 1.0) is False:
            await asyncio.to_thread(_core._quiesce, 0.05, 1.0)


def _all(cowns: Iterable[Any], what: str) -> list[Any]:
    """The cowns that somebody is to wait for; refuses what is none, and waiting where nobody may."""
    if _core._in_body() or not _core.is_main():
        raise RuntimeError(f"{what} cannot be used inside a behavior: a body never waits")
    if _core._batching():
        raise RuntimeError(f"{what} inside `with batch():` would wait for what the batch has not scheduled yet")
    found = list(cowns)
    for c in found:
        if not isinstance(c, _core.Cown):
            raise TypeError(f"{what} takes cowns, not {type(c).__name__}")
    return found


def gather(cowns: Iterable[Any], timeout: float | None = None) -> list[Any]:
    """Return the values in order, or raise the first error by position.

    timeout: seconds for all of them together; TimeoutError.
    """
    from time import monotonic

    found = _all(cowns, "gather()")
    if timeout is None:
        return [c.result() for c in found]
    if not hasattr(timeout, "__float__"):
        raise TypeError(f"timeout must be a number of seconds or None, not {type(timeout).__name__}")
    if timeout != timeout:
        raise ValueError("timeout is NaN")
    deadline = monotonic() + max(0.0, timeout)
    return [c.result(max(0.0, deadline - monotonic())) for c in found]


def as_completed(cowns: Iterable[Any]) -> Iterator[Any]:
    """Yield each cown as it is done."""
    return _each_done(_all(cowns, "as_completed()"))


def _each_done(waiting: list[Any]) -> Iterator[Any]:
    import threading

    from boc import _service

    changed = threading.Event()
    while waiting:
        changed.clear()
        tokens = []
        ready = [c for c in waiting if c.done()]
        if not ready:
            for c in waiting:
                token = next(_tokens)
                tokens.append(token)
                _service.watchers[token] = changed.set
                if not _core._watch(c, token):
                    changed.set()
            _wait(changed)
            for token in tokens:
                _service.watchers.pop(token, None)
            continue
        for c in ready:
            waiting.remove(c)
            yield c


def _wait(event: Any) -> None:
    """Wait for a threading.Event; pinned work goes on meanwhile on the main thread."""
    said, slices = False, 0
    while not event.is_set():
        if _core._gate_closed() and _core._gate_settled() and not event.wait(0.05) and _core._gate_settled():
            from boc._gate import waits

            waits(said)
            said = True
        pumps = _core._pump_if_mine()
        event.wait(0.005 if pumps else 0.05)
        if not pumps or slices % 10 == 9:
            _core._stuck(slices < 10)
        slices += 1
