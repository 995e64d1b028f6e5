"""Runs pinned behaviors from the kernel's own event loop, while no cell runs.

The runtime's descriptor is readable while pinned work is ready; the kernel's asyncio loop
watches it on the main thread and pumps in short slices, so that execute requests, widgets
and interrupts never wait long. What asyncio would do with an interrupt or an exit inside
a callback (end the kernel) is caught here.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from boc._integrate import served

SLICE_MS = 10  # no pinned behavior starts later than this after a slice began
REST = 0.05  # seconds until the next look when somebody else pumps


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGINT raises KeyboardInterrupt: an idle kernel ignores it otherwise."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        try:
            signal.signal(signal.SIGINT, before)
        except KeyboardInterrupt:  # it came in between, and left the handler as it was
            signal.signal(signal.SIGINT, before)
            raise


class LoopHook:
    """Watches `fd` on an asyncio loop and calls `pump(slice_ms)` while it is readable.

    `pump` raises RuntimeError when another thread pumps; `failed` is told of anything that a
    body let out of the pump (KeyboardInterrupt, SystemExit).
    """

    def __init__(self, fd: int, pump: Callable[[int], Any], failed: Callable[[BaseException], None]) -> None:
        self.fd = fd
        self._pump = pump
        self._failed = failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        self._rest: asyncio.TimerHandle | None = None

    @property
    def watching(self) -> bool:
        return self._loop is not None

    def watch(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Begin to watch on `loop`; nothing if it does already, or there is none yet."""
        if loop is None or loop is self._loop or threading.current_thread() is not threading.main_thread():
            return
        self.close()
        self._loop = loop
        served(loop, True)  # an `await` of a cown leaves the descriptor to this hook
        self._arm()

    def _arm(self) -> None:
        # In a context of its own: asyncio runs a callback in the context of its registration, and
        # then all output would go to the cell that loaded the extension, for ever.
        self._rest = None
        if self._loop is not None and not self._loop.is_closed():
            contextvars.Context().run(self._loop.add_reader, self.fd, self._ready)

    def _ready(self) -> None:
        if not self.slice() and self._loop is not None and self._rest is None:
            # Somebody else pumps, and the descriptor stays readable: look again later, do not spin.
            self._loop.remove_reader(self.fd)
            self._rest = contextvars.Context().run(self._loop.call_later, REST, self._arm)

    def slice(self) -> bool:
        """Pump for one slice on the main thread. False: not now, somebody pumps."""
        if self._busy or threading.current_thread() is not threading.main_thread():
            return False
        self._busy = True
        try:
            with interruptible():
                self._pump(SLICE_MS)
        except RuntimeError:
            return False
        except BaseException as error:
            with contextlib.suppress(Exception):
                self._failed(error)
        finally:
            self._busy = False
        return True

    def close(self) -> None:
        """Stop watching; may be called again."""
        loop, self._loop = self._loop, None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if loop is not None:
            served(loop, False)
            if not loop.is_closed():
                loop.remove_reader(self.fd)


def input_hook(fd: int, pump: Callable[[int], Any]) -> Callable[[Any], None]:
    """A prompt_toolkit input hook that pumps while a terminal waits for input."""
    import select

    def hook(context: Any) -> None:
        while not context.input_is_ready():
            ready, _, _ = select.select([context.fileno(), fd], [], [])
            if fd in ready:
                try:
                    pump(SLICE_MS)
                except RuntimeError:
                    select.select([context.fileno()], [], [], REST)

    return hook
