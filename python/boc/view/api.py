"""What `boc` offers: charts and tables of the running program, of a trace or of a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from boc.trace import Cursor, LiveTrace, Remote, Source, Trace
from boc.trace.explain import Explanation
from boc.trace.whatif import Prediction

from . import compare as _compare
from . import critical as _critical
from . import gantt as _gantt
from . import throughput as _throughput
from . import waits as _waits
from .board import board as _board
from .figure import Chart
from .palette import Theme
from .palette import theme as _theme
from .summary import Report

Where = Trace | LiveTrace | Remote | str | os.PathLike[str] | None
_WAYS = ("worker", "cown", "behavior")


def resolve(
    trace: Where = None,
    *,
    last: float | None = None,
    everything: bool = False,
    since: int | None = None,
    source: Source | None = None,
) -> Trace:
    """The trace that is meant: one that is given (also a file or another process), else the program's run.

    The run is what happened since the last time that nothing was pending before now, and at least since
    `since` (ns of CLOCK_MONOTONIC). `last` narrows to so many seconds; `everything` shows all that is there.
    """
    if last is not None and not last > 0:
        raise ValueError(f"last is a positive number of seconds, not {last!r}")
    if isinstance(trace, Trace):
        found = trace
    elif isinstance(trace, LiveTrace | Remote):
        found = trace.trace()
    elif trace is not None:
        found = Trace.load(Path(trace))
    else:
        with Cursor(source) as cursor:
            found = Trace.from_cursor(cursor)
            if last is not None:
                found = found.last(last)
            elif not everything:
                found = found.last_run(since)
            return found.keep_colours(cursor.source)
    return found if last is None else found.last(last)


def gantt(
    trace: Where = None,
    by: str = "worker",
    last: float | None = None,
    *,
    theme: str | Theme = "light",
    all: bool = False,
    since: int | None = None,
) -> Chart:
    """The run as a Gantt chart.

    by "worker": workers above, cowns below; by "cown": the reverse; by "behavior": what each waited for.
    `trace` is a Trace or a file, by default the running program. Raises ValueError for another `by` or theme.
    """
    if by not in _WAYS:
        raise ValueError(f"by is 'worker', 'cown' or 'behavior', not {by!r}")
    look = _theme(theme)
    found = resolve(trace, last=last, everything=all, since=since)
    if by == "behavior":
        return _waits.waits(found, look)
    return _gantt.gantt(found, look, first=by)


def throughput(
    trace: Where = None,
    last: float | None = None,
    *,
    theme: str | Theme = "light",
    all: bool = False,
    since: int | None = None,
) -> Chart:
    """Finished behaviors per second by name, and how many waited, were ready and ran."""
    look = _theme(theme)
    return _throughput.throughput(resolve(trace, last=last, everything=all, since=since), look)


def board(
    trace: Where = None,
    last: float | None = None,
    *,
    theme: str | Theme = "light",
    all: bool = False,
    since: int | None = None,
) -> Chart:
    """The history of the noticeboard: a strip a key, a step a version, in the colour of the writer."""
    look = _theme(theme)
    return _board(resolve(trace, last=last, everything=all, since=since), look)


def critical_path(
    trace: Where = None,
    what_if: Sequence[Prediction] | None = None,
    *,
    theme: str | Theme = "light",
    all: bool = False,
    since: int | None = None,
) -> Chart:
    """The chain of behaviors that decided the end, and predictions of what would change it."""
    look = _theme(theme)
    return _critical.critical(resolve(trace, everything=all, since=since), what_if, look)


def compare(
    a: Trace | str | os.PathLike[str],
    b: Where = None,
    *,
    labels: tuple[str, str] = ("before", "after"),
    theme: str | Theme = "light",
) -> Chart:
    """Two runs (traces or files; b: by default the program's), matched by name and order, not by clock."""
    return _compare.compare(resolve(a), resolve(b), _theme(theme), labels)


def summary(
    trace: Where = None,
    last: float | None = None,
    *,
    theme: str | Theme | None = None,
    all: bool = False,
    since: int | None = None,
) -> Report:
    """The run in tables: names, cowns by waiting caused, workers. Text, or HTML in a notebook."""
    return Report(resolve(trace, last=last, everything=all, since=since), theme)


def explain(behavior: str | int, trace: Where = None) -> Explanation:
    """Why a behavior waited: a sentence, and parts that add up to start − schedule.

    A name stands for the last started of that name; `name#3` for the third, of this run where it has so many.
    KeyError where there is none.
    """
    run = resolve(trace)
    return (run if run.find(behavior) else resolve(trace, everything=True)).explain(behavior)
