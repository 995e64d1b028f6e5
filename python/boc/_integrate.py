"""Pinned work on the loops of others: asyncio."""

from __future__ import annotations

import contextlib

from boc import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio as aio
    from collections.abc import Iterator

__all__ = ["pinned_work", "served"]

_users: dict[int, int] = {}
_SLICE_MS = 10


def _pump_slice() -> None:
    from boc._control import pump

    with contextlib.suppress(RuntimeError):
        pump(deadline_ms=_SLICE_MS)


def served(loop: aio.AbstractEventLoop, here: bool) -> None:
    """A notebook says that it watches for pinned work on loop itself, or no longer does."""
    key = id(loop)
    if here:
        _users[key] = _users.get(key, 0) + 1
    elif _users.get(key, 0) > 1:
        _users[key] -= 1
    else:
        _users.pop(key, None)


@contextlib.contextmanager
def pinned_work(loop: aio.AbstractEventLoop) -> Iterator[None]:
    """While inside, pinned behaviors run on loop, if it is the main thread's; nested uses share one hook."""
    import contextvars
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    key, fd = id(loop), _core.pinned_fd()
    if key not in _users:
        # A fresh context: what bodies print or display must not stick to whoever came first.
        contextvars.Context().run(loop.add_reader, fd, _pump_slice)
    _users[key] = _users.get(key, 0) + 1
    try:
        yield
    finally:
        _users[key] -= 1
        if not _users[key]:
            del _users[key]
            loop.remove_reader(fd)
