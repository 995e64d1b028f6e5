"""A run that follows a recorded schedule: `boc.replay`. What is followed, and how, is in ext/python/replay.c."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import pairwise

from boc import _control, _core
from boc._errors import ReplayDiverged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boc.trace import Schedule

__all__ = ["Replay", "abandon", "replay", "settle"]

_LAST_STEPS_S = 1.0


class Replay:
    """A replay, as `boc.replay` gives it. `with` waits for its end and reports a difference."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._replayed = 0
        self._difference = ""
        self._entered = False

    @property
    def active(self) -> bool:
        """Whether the schedule is still followed."""
        state = _core._replay_state() if _current is self else None
        return state is not None and not state[3]

    @property
    def replayed(self) -> int:
        """How many starts it has followed so far."""
        self._look()
        return self._replayed

    @property
    def difference(self) -> str:
        """The first difference, "" as long as there is none."""
        self._look()
        return self._difference

    def finish(self) -> None:
        """Wait until nothing is pending and end the replay. Raises `ReplayDiverged` if the run differed."""
        if _current is self:
            _control.quiesce()
            if _current is self:
                settle(at_end=True)

    def _look(self) -> Any:
        state = _core._replay_state() if _current is self else None
        if state is not None:
            self._replayed, self._difference = state[0], self._difference or state[4]
        return state

    def __enter__(self) -> Replay:
        self._entered = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self.finish()
        elif _current is self:
            abandon()

    def __repr__(self) -> str:
        state = "under way" if self.active else f"differs: {self.difference}" if self.difference else "over"
        return f"<replay: {self.replayed} of {len(self.schedule.starts)} starts, {state}>"


_current: Replay | None = None


def abandon(opens: bool = True) -> None:
    """Follow the schedule no longer; opens: what is held runs."""
    global _current
    if _current is not None:
        _current._look()
    _current = None
    _control.replayed_workers = None
    _core._replay_end(opens)


def settle(at_end: bool) -> None:
    """Nothing is pending: raises the difference if there is one; the replay is over if all was followed.

    at_end: no more is to come, so what is missing is a difference too.
    """
    now = _current
    state = now._look() if now is not None else None
    if now is None or state is None:
        return
    at, of, all_followed, over, text = state
    if not text and not over and not at_end and (now._entered or not all_followed):
        return
    if not text and not over and not all_followed:
        text = now._difference = _missing(now.schedule, at)
    abandon()
    if text:
        raise ReplayDiverged(f"the replay differs: {text}", replayed=at, recorded=of)


def _missing(what: Schedule, at: int) -> str:
    if at < len(what.starts):
        after = f", after {what.name(what.starts[at - 1])}" if at else ""
        return (
            f"the run ended where {what.name(what.starts[at])} was to start as number {at + 1} of {len(what.starts)}"
            f"{after}: it was not scheduled"
        )
    return "the run ended before all was scheduled and written that the recorded run scheduled and wrote"


def replay(schedule: Schedule | str | os.PathLike[str]) -> Replay:
    """Begin anew and follow a recorded schedule: run the program again behind this call, or in a `with` block.

    schedule: what `boc.schedule()` gave, a file that it saved, or a saved trace. The runtime is stopped, noticeboard
    and trace are cleared. Then the same program makes the same decisions again: one body at a time, in the order of the
    recorded starts, with the same order at each cown and the same views of the noticeboard.

        with boc.replay("run.json"):
            program()

    The first difference ends the replay: the program runs on freely, and `wait()`, `quiesce()`, `finish()` or the end
    of the `with` block raises `ReplayDiverged`, which names it. What depends on time, randomness, messages or outside
    data may differ. Without `with` it ends at the `wait()`, or at the first `quiesce()` behind all that was recorded.

    RuntimeError while behaviors are pending, and inside a behavior; ValueError for a schedule that lacks its beginning;
    `boc.trace.ScheduleError`, a ValueError, for a file that is none.
    """
    global _current
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("replay() cannot be used inside a behavior")
    from boc.trace import Schedule

    if not isinstance(schedule, Schedule):
        if not isinstance(schedule, (str, os.PathLike)):
            raise TypeError(f"replay() takes a schedule or a file, not {type(schedule).__name__}")
        schedule = Schedule.load(schedule)
    if schedule.missing:
        raise ValueError(
            f"this schedule is incomplete ({schedule.missing}): record it with larger rings, boc.start(trace='1m')"
        )
    if _current is not None:
        abandon()
    if _core._running() and not _core._quiesce(_LAST_STEPS_S, 1.0):  # the end of the last one may be counted just now
        raise RuntimeError(
            f"replay() begins anew, but behaviors are pending ({_core._pending()}); wait() for them, or stop()"
        )
    before = _control._options if _core._running() else None
    _control.reset()
    if before is not None:
        _control.start(max(schedule.workers, 1), kind=before[1], trace=before[2], check=before[3], processes=before[4])
    _control.replayed_workers = schedule.workers
    _core._replay_begin(*_plan(schedule))
    _current = Replay(schedule)
    return _current


def _plan(what: Schedule) -> tuple[Any, ...]:
    """What the binding follows: a row for each behavior and the two roots, starts, writes, whether it ends midway."""
    from boc.trace.schedule import MAIN, THREADS

    n = len(what.behaviors)
    roots = {MAIN: n, THREADS: n + 1}
    first, count = [0] * (n + 2), [0] * (n + 2)
    before: dict[int, set[int]] = defaultdict(set)
    for place, b in enumerate(what.behaviors):
        parent = roots.get(b.parent, b.parent)
        first[parent] = first[parent] if count[parent] else place
        count[parent] += 1
        if b.parent == THREADS and b.nth > 1:
            before[place].add(place - 1)
    cowns = _kinds(what, before)
    ended: dict[int, list[int]] = defaultdict(list)
    for place, after in what.pinned:
        if after < count[n]:
            ended[first[n] + after].append(place)
    views, afters = dict(what.views), dict(what.pinned)
    calms = {place: calm for place, *calm in what.calms}
    rows = [
        (
            b.name, b.parent, b.nth, first[i], count[i], tuple(before[i]), tuple(ended[i]), cowns[i],
            views.get(i, -1), afters.get(i, -1), *calms.get(i, (-1, 0)),
        )
        for i, b in enumerate(what.behaviors)
    ]  # fmt: skip
    rows += [("", MAIN, 0, first[i], count[i], (), (), (), -1, -1, -1, 0) for i in (n, n + 1)]
    return tuple(rows), what.starts, what.writes, bool(what.pending)


def _kinds(what: Schedule, before: dict[int, set[int]]) -> dict[int, tuple[int, ...]]:
    """Of each behavior: the kinds of its cowns before and after it, and how many; adds who joins before whom.

    Cowns that the same behaviors have joined are of one kind; those that none has joined are of kind 0.
    """
    known: dict[tuple[int, int], int] = {}
    taken: dict[int, dict[int, list[int]]] = defaultdict(dict)
    for _, order in what.joins:
        kind = 0
        for who in order:
            after = known.setdefault((kind, who), len(known) + 1)
            taken[who].setdefault(kind, [after, 0])[1] += 1
            kind = after
        for one, two in pairwise(order):
            before[two].add(one)
    told = {
        who: tuple(x for kind, (after, n) in sorted(kinds.items()) for x in (kind, after, n))
        for who, kinds in taken.items()
    }
    return defaultdict(tuple, told)
