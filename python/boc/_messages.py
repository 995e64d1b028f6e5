"""Messages: the waiting side of send."""

from __future__ import annotations

from boc import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["TIMEOUT", "receive_later", "set_tags"]

TIMEOUT = "__timeout__"
_SLICE_S = 0.05


def receive_later(tags: str | Sequence[str], timeout: float | None = -1, after: Callable[[], Any] | None = None) -> Any:
    """What `receive()` does when no message is there at once, when it is for several tags, or is called wrongly."""
    if isinstance(tags, (list, tuple)) and not tags:
        raise RuntimeError("receive() needs at least one tag")
    if after is not None and not callable(after):
        raise TypeError(f"after must be callable or None, not {type(after).__name__}")
    if timeout is not None:
        if not hasattr(timeout, "__float__"):
            raise TypeError(f"timeout must be a number of seconds or None, not {type(timeout).__name__}")
        if timeout != timeout:
            raise ValueError("timeout is NaN")
        if timeout < 0:
            timeout = None
    got = _core._receive(tags, timeout if timeout is not None and timeout < _SLICE_S else _SLICE_S, timeout is not None)
    if got is not None:
        return got
    if timeout is None or timeout >= _SLICE_S:
        from time import monotonic

        until = monotonic() + timeout - _SLICE_S if timeout is not None else float("inf")
        while (now := monotonic()) < until:  # bytecode between slices: an interrupt of the body arrives here
            got = _core._receive(tags, min(_SLICE_S, until - now), timeout is not None)
            if got is not None:
                return got
    return after() if after is not None else (TIMEOUT, None)


def set_tags(tags: str | Sequence[str]) -> None:
    """Clear every queue (main only); those who wait look again. Tags need no declaration; names are only checked."""
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("set_tags() is for main only")
    for tag in [tags] if isinstance(tags, str) else tags:
        if not isinstance(tag, str):
            raise TypeError(f"a tag is a string, not {type(tag).__name__}")
        tag.encode()  # UnicodeEncodeError for a lone surrogate
    _core._clear_messages()
