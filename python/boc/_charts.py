"""The charts' public faces: numpy and matplotlib are imported when one is drawn, not before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["board", "gantt", "summary", "throughput"]


def gantt(trace: Any = None, by: str = "worker", last: float | None = None, **options: Any) -> Any:
    """Draw who ran when, and which cown was held by whom; returns a matplotlib Figure that shows itself in a notebook.

    trace: a `boc.trace.Trace`; None covers the run: since the last time that nothing was pending before now.
    by: "worker", "cown" (cowns above) or "behavior" (waits by behavior). last: only the last so many seconds.
    """
    from boc import view

    return view.gantt(trace, by=by, last=last, **options)


def board(trace: Any = None, **options: Any) -> Any:
    """Draw the history of the noticeboard; returns a Figure."""
    from boc import view

    return view.board(trace, **options)


def throughput(trace: Any = None, **options: Any) -> Any:
    """Draw behaviors finished per second by name, with waiting, ready and running; returns a Figure."""
    from boc import view

    return view.throughput(trace, **options)


def summary(trace: Any = None, **options: Any) -> Any:
    """Tell, per behavior name, cown and worker: counts, times, shares; shows as text and as HTML."""
    from boc import view

    return view.summary(trace, **options)
