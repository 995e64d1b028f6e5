"""Results without blocking a loop: await, quiesced."""

from __future__ import annotations

import contextlib

from boc import _core
from boc._gather import tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator, Iterator
    from typing import Any

__all__ = ["awaiter", "quiesced"]

_TURN_S = 0.05
_UNSEEN = (0, 0, 0, 0)


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
            token = next(tokens)

            def wake(f: asyncio.Future[None] = future) -> None:
                loop.call_soon_threadsafe(lambda: None if f.done() else f.set_result(None))

            _service.watchers[token] = wake
            try:
                if not _core._watch(cown, token):
                    break
                if _core._stuck_task(_UNSEEN) is None:
                    await future
                else:
                    await _unless_own(future)
            finally:
                _service.watchers.pop(token, None)
    return cown.result()


async def _unless_own(future: asyncio.Future[None]) -> None:
    """Await it in a task that holds cowns; RuntimeError once nothing but this task's own release could end that."""
    import asyncio

    seen: Any = _UNSEEN
    while not future.done():
        await asyncio.wait((future,), timeout=_TURN_S)
        seen = _core._stuck_task(seen)
        if seen is None:  # a callback let go of them
            seen = _UNSEEN
        elif isinstance(seen, str):
            mine = asyncio.current_task()
            if future.done() or mine is None:
                return
            context = mine.get_context()
            if any(t.get_context() is context for t in asyncio.all_tasks() if t is not mine):
                seen = _UNSEEN  # another task was made to share it, and may have taken the cown
                continue
            raise RuntimeError(seen)


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
