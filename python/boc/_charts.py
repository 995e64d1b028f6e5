"""The charts' public faces: numpy and matplotlib are imported when one is drawn, not before."""

from __future__ import annotations

from ._core import is_main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

__all__ = ["board", "compare", "critical_path", "explain", "gantt", "summary", "throughput", "what_if"]


def _view(what: str) -> ModuleType:
    """`boc.view`. RuntimeError on a worker: the trace and the libraries that draw it are the main interpreter's."""
    if not is_main():
        raise RuntimeError(
            f"{what}() cannot be used on a worker: the main interpreter has the trace and draws it;"
            " call it there, behind quiesce(), or in a behavior with on='main'"
        )
    from boc import view

    return view


def gantt(trace: Any = None, by: str = "worker", last: float | None = None, **options: Any) -> Any:
    """Draw who ran when, and which cown was held by whom; returns a matplotlib Figure that shows itself in a notebook.

    trace: a `boc.trace.Trace`; None covers the run: since the last time that nothing was pending before now.
    by: "worker", "cown" (cowns above) or "behavior" (waits by behavior). last: only the last so many seconds.
    """
    return _view("gantt").gantt(trace, by=by, last=last, **options)


def board(trace: Any = None, **options: Any) -> Any:
    """Draw the history of the noticeboard; returns a Figure."""
    return _view("board").board(trace, **options)


def throughput(trace: Any = None, **options: Any) -> Any:
    """Draw behaviors finished per second by name, with waiting, ready and running; returns a Figure."""
    return _view("throughput").throughput(trace, **options)


def summary(trace: Any = None, **options: Any) -> Any:
    """Tell, per behavior name, cown and worker: counts, times, shares; shows as text and as HTML."""
    return _view("summary").summary(trace, **options)


def explain(behavior: str | int, trace: Any = None) -> Any:
    """Tell why a behavior waited: a sentence, and parts that add up to its start minus its schedule.

    A name stands for the last started of that name, `name#3` for the third. KeyError where there is none.
    """
    return _view("explain").explain(behavior, trace)


def critical_path(trace: Any = None, **options: Any) -> Any:
    """Draw the chain of behaviors that decided the end of the run; returns a Figure."""
    return _view("critical_path").critical_path(trace, **options)


def what_if(trace: Any = None, *, workers: int | None = None, split: str | list[str] | None = None) -> Any:
    """Predict the run with other workers, or with cowns (by name) split in two.

    Returns a `Prediction`: `.total` and `.recorded` in ns, `.change` as a share. KeyError for an unknown cown,
    ValueError for less than one worker.
    """
    return _view("what_if").resolve(trace).what_if(workers, split)


def compare(a: Any, b: Any = None, **options: Any) -> Any:
    """Draw two runs (traces or files; b: by default the program's) by name of behavior and order on each cown."""
    return _view("compare").compare(a, b, **options)
