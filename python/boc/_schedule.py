"""The schedule of the run so far: what decided it."""

from __future__ import annotations

from boc import _control, _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from boc.trace import Schedule

__all__ = ["schedule"]


def schedule() -> Schedule:
    """What decided the run so far: since the runtime was started last, also once `wait()` or `stop()` ended it.

    The order of the starts, the order in which requests joined each cown, and what each behavior saw of the
    noticeboard; behaviors are known by who scheduled them and as which of that one's. Two runs with equal schedules
    made the same decisions. `save(path)` and `boc.trace.Schedule.load(path)` keep it.

    It is read from the trace, so it reaches as far back as the rings do: `repr` says if its beginning was overtaken,
    and the first `start(trace="1m")` of a process keeps more.

    RuntimeError inside a behavior, and where the trace is off.
    """
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("schedule() cannot be used inside a behavior")
    from boc.trace import Trace
    from boc.trace.decided import of_trace

    began, events = _control.last_start
    if not events:
        raise RuntimeError("schedule(): the trace is off; start(trace='64k') records what it needs")
    return of_trace(Trace.now_of(), began)
