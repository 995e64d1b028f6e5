"""Pinned work on the event loops of others: call one of these once, and `pump()` runs by itself.

    boc.integrate.asyncio()          # the running loop, or the one given
    boc.integrate.tk(root)           # a Tk root

Each returns a hook; `hook.close()` takes it away again. Waits, `await` and notebooks need none.
"""

from __future__ import annotations

import threading

from boc import _core
from boc._integrate import pinned_work

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio as aio
    from collections.abc import Callable
    from typing import Any

__all__ = ["Hook", "asyncio", "tk"]


class Hook:
    """A running integration; close() ends it, also as a context manager."""

    __slots__ = ("_end",)

    def __init__(self, end: Callable[[], object]) -> None:
        self._end: Callable[[], object] | None = end

    def close(self) -> None:
        """Take the hook away; twice is fine."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def __enter__(self) -> Hook:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def _on_main_thread(what: str) -> None:
    if _core._in_body() or not _core.is_main():
        raise RuntimeError(f"{what} belongs to the main interpreter, not into a behavior")
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(f"{what} must be called on the main thread: pinned behaviors run there")


def asyncio(loop: aio.AbstractEventLoop | None = None) -> Hook:
    """Run pinned behaviors on an asyncio loop of the main thread, as they become ready.

    loop: default the running one. RuntimeError without a running loop, off the main thread, or in a behavior.
    """
    _on_main_thread("boc.integrate.asyncio()")
    if loop is None:
        from asyncio import get_running_loop

        loop = get_running_loop()
    work = pinned_work(loop)
    work.__enter__()
    return Hook(lambda: work.__exit__(None, None, None))


def tk(root: Any, interval_ms: int = 10) -> Hook:
    """Run pinned behaviors from a Tk root's main loop, looked for every interval_ms milliseconds.

    RuntimeError off the main thread or in a behavior; TypeError for an interval that is no positive int.
    """
    _on_main_thread("boc.integrate.tk()")
    if isinstance(interval_ms, bool) or not isinstance(interval_ms, int) or interval_ms <= 0:
        raise TypeError(f"interval_ms must be a positive int, not {interval_ms!r}")
    from boc._control import pump

    after: list[Any] = []

    def turn() -> None:
        if _core._pinned_depth()[0]:
            pump(deadline_ms=interval_ms)
        after[:] = [root.after(interval_ms, turn)]

    after[:] = [root.after(interval_ms, turn)]
    return Hook(lambda: root.after_cancel(after[0]))
