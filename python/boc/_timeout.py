"""What a timeout may be, said once: seconds, or None to wait for ever."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["seconds"]


def seconds(timeout: Any) -> float:
    """Return a timeout that is not None in seconds, negative ones too.

    TypeError for what is no number, and for True and False, which are mistakes; ValueError for NaN.
    """
    if isinstance(timeout, bool) or not hasattr(type(timeout), "__float__"):
        raise TypeError(f"timeout must be a number of seconds or None, not {type(timeout).__name__}")
    try:
        value = float(timeout)
    except OverflowError:  # an int beyond all floats
        return float("inf") if timeout > 0 else 0.0
    if value != value:
        raise ValueError("timeout is NaN")
    return value
