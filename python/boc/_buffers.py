"""Making views of buffers again in the interpreter that they came to."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Buffer

__all__ = ["view"]


def view(base: Buffer, start: int, size: int, form: str, shape: tuple[int, ...], readonly: bool) -> memoryview:
    """Return a view of `size` bytes of `base` from byte `start` on, as items of the format `form` in this shape."""
    made = memoryview(base).cast("B")[start : start + size]
    if form != "B" or len(shape) != 1:
        made = made.cast(form, shape)  # type: ignore[call-overload]
    return made.toreadonly() if readonly else made
