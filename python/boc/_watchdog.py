"""The pump's watchdog: says when pinned work waits too long for its loop."""

from __future__ import annotations

import threading

from boc import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["set_watchdog"]

_thread: threading.Thread | None = None
_stop = threading.Event()
_WARNING = 0  # the only severity so far
_MOST_MS = (2**63 - 1) // 1_000_000  # nanoseconds in 64 bits
_LONGEST_S = 3600.0


def _watch(warn_ms: int, on_starve: Callable[[int, str], object] | None, stop: threading.Event) -> None:
    said = False
    while not stop.wait(min(warn_ms / 4000, _LONGEST_S)):
        depth, age = _core._pinned_depth()
        if depth == 0 or age * 1000 < warn_ms:
            said = False
            continue
        if said:
            continue
        said = True
        text = f"pinned work has waited {age * 1000:.0f} ms, {depth} in the queue: call boc.pump() from the main loop"
        if on_starve is not None:
            on_starve(_WARNING, text)
        else:
            import logging

            logging.getLogger("boc").warning(text)


def end() -> None:
    """End the thread. Not to be waited for from itself: `on_starve` may set another watchdog."""
    global _thread
    _stop.set()
    if _thread is not None and _thread is not threading.current_thread():
        _thread.join(1.0)  # not for ever: it may be in a user's on_starve
    _thread = None


def set_watchdog(warn_ms: int | None, on_starve: Callable[[int, str], object] | None) -> None:
    """See `boc.set_pump_watchdog`."""
    global _thread, _stop
    if not _core.is_main():
        raise RuntimeError("set_pump_watchdog() is for the main interpreter, which runs the pinned work")
    if warn_ms is not None and (isinstance(warn_ms, bool) or not isinstance(warn_ms, int) or warn_ms <= 0):
        raise TypeError(f"warn_ms must be a positive int or None, not {warn_ms!r}")
    if warn_ms is not None and warn_ms > _MOST_MS:
        raise OverflowError(f"warn_ms exceeds {_MOST_MS}: {warn_ms}")
    if on_starve is not None and not callable(on_starve):
        raise TypeError(f"on_starve must be callable, not {type(on_starve).__name__}")
    end()
    if warn_ms is None:
        return
    _stop = threading.Event()
    _thread = threading.Thread(target=_watch, args=(warn_ms, on_starve, _stop), name="boc-pump-watchdog", daemon=True)
    _thread.start()
