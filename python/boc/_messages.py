"""Messages: the waiting side of send."""

from __future__ import annotations

from boc import _core
from boc._timeout import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["TIMEOUT", "receive", "set_tags"]

TIMEOUT = "__timeout__"
_SLICE_S = 0.05


def receive(tags: str | Sequence[str], timeout: float | None = -1, after: Callable[[], Any] | None = None) -> Any:
    """What `receive()` does when no message is there at once, when it is for several tags, or is called wrongly."""
    if isinstance(tags, (list, tuple)) and not tags:
        raise ValueError("receive() needs at least one tag")
    if after is not None and not callable(after):
        raise TypeError(f"after must be callable or None, not {type(after).__name__}")
    if timeout is not None:
        timeout = seconds(timeout)
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
    try:
        names = [tags] if isinstance(tags, str) else list(tags)
    except TypeError:
        raise TypeError(f"tags are a string or a list or tuple of strings, not {type(tags).__name__}") from None
    for tag in names:
        if not isinstance(tag, str):
            raise TypeError(f"a tag is a string, not {type(tag).__name__}")
        try:
            tag.encode()
        except UnicodeEncodeError:
            raise ValueError(f"a tag must be valid UTF-8: {tag!r}") from None
    _core._clear_messages()
