"""Marks and spans of the user in the trace."""

from __future__ import annotations

from boc import _core

__all__ = ["mark", "span"]

_MARK, _BEGIN, _END = range(_core.TRACE_MARK, _core.TRACE_MARK + 3)


def mark(text: str) -> None:
    """Put a mark with this text into the trace, now."""
    if not isinstance(text, str):
        raise TypeError(f"the text of a mark is a string, not {type(text).__name__}")
    _core.trace_text(_MARK, text)


class span:  # noqa: N801
    """with span("parse"): a named part of a body, drawn inside its bar."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"the text of a span is a string, not {type(text).__name__}")
        self._text = text

    def __enter__(self) -> span:
        _core.trace_text(_BEGIN, self._text)
        return self

    def __exit__(self, *args: object) -> None:
        _core.trace_text(_END, self._text)
