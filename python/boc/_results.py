"""What waiting and pumping give back; named tuples without the import of `typing` or `collections`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PumpResult", "WaitResult"]


class WaitResult(tuple[Any, Any] if TYPE_CHECKING else tuple):  # type: ignore[misc]
    """What `wait(stats=True, noticeboard=True)` returns: (stats, noticeboard)."""

    __slots__ = ()

    def __new__(cls, stats: list[dict[str, Any]], noticeboard: dict[str, Any]) -> WaitResult:
        return tuple.__new__(cls, (stats, noticeboard))

    @property
    def stats(self) -> list[dict[str, Any]]:
        """Counters, one dict per worker."""
        return self[0]  # type: ignore[no-any-return]

    @property
    def noticeboard(self) -> dict[str, Any]:
        """The noticeboard after all earlier writes."""
        return self[1]  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"WaitResult(stats={self[0]!r}, noticeboard={self[1]!r})"


class PumpResult(tuple[int, bool, int] if TYPE_CHECKING else tuple):  # type: ignore[misc]
    """What `pump()` did: (executed, deadline_reached, raised)."""

    __slots__ = ()

    def __new__(cls, executed: int, deadline_reached: bool, raised: int) -> PumpResult:
        return tuple.__new__(cls, (executed, deadline_reached, raised))

    @property
    def executed(self) -> int:
        """Pinned behaviors brought to their end."""
        return self[0]  # type: ignore[no-any-return]

    @property
    def deadline_reached(self) -> bool:
        """Time ended the loop before the queue was empty."""
        return self[1]  # type: ignore[no-any-return]

    @property
    def raised(self) -> int:
        """Bodies whose Exception was kept in their result."""
        return self[2]  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"PumpResult(executed={self[0]}, deadline_reached={self[1]}, raised={self[2]})"
