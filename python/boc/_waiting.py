"""What runs now, for people: `boc.stacks()` and the word of a wait in which nothing starts."""

from __future__ import annotations

import linecache
import sys
from typing import Any, NamedTuple

from boc import _core, _places

__all__ = ["Running", "Stacks", "stacks", "stalled", "stalled_text"]

_LISTED = 8


class Running(NamedTuple):
    """A body that runs: worker index (-1: the main thread), behavior id, its name, for how many seconds,
    and the stack as (file, line, function), outermost first; empty if the worker cannot be asked now."""

    worker: int
    behavior: int
    name: str
    seconds: float
    frames: list[tuple[str, int, str]]


class Stacks(list[Running]):
    """The running bodies; shows as text like a traceback."""

    def __repr__(self) -> str:
        if not self:
            return "no behavior runs"
        return "\n".join("\n".join(_entry(r)) for r in self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def duration(seconds: float) -> str:
    """`0.2 ms`, `3.5 s`, `2 min 5 s`."""
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _worker_text(worker: int) -> str:
    return f"worker {worker}" if worker >= 0 else "the main thread"


def _entry(r: Running) -> list[str]:
    lines = [f"'{r.name}' on {_worker_text(r.worker)} for {duration(r.seconds)}"]
    for file, line, function in r.frames:
        number = _places.cell(file)
        where = f'File "{file}"' if number is None else f"Cell In[{number}]"
        lines.append(f"  {where}, line {line}, in {function}")
        source = linecache.getline(file, line).strip()
        if source:
            lines.append(f"    {source}")
    return lines


def _collect() -> Stacks:
    now: int = _core.now()
    found = Stacks()
    for worker, behavior, name, since in _core.running():
        frames = _core.worker_frames(worker)
        found.append(Running(worker, behavior, name, max(0, now - since) / 1e9, frames))
    return found


def stacks() -> Stacks:
    """The bodies that run now: on which worker, since when, at which line."""
    return _collect()


def stalled_text(running: list[Running], pending: int, seconds: float) -> str:
    """What a wait says when no behavior started for `seconds`. pending: scheduled and not ended."""
    head = f"boc: waiting; nothing has started for {duration(seconds)}"
    if not running:
        held = f"{_count(pending)} waiting for cowns that are held outside behaviors"
        return f"{head}, and nothing runs: {held}\n"
    lines = [f"{head}. Running:"]
    for r in running[:_LISTED]:
        where = f", now at {_now_at(*r.frames[-1])}" if r.frames else ""
        lines.append(f"  '{r.name}' on {_worker_text(r.worker)} for {duration(r.seconds)}{where}")
    if len(running) > _LISTED:
        lines.append(f"  and {len(running) - _LISTED} more")
    if pending > len(running):
        lines.append(f"  {_count(pending - len(running))} waiting behind them")
    return "\n".join(lines) + "\n"


def _now_at(file: str, line: int, function: str) -> str:
    number = _places.cell(file)
    return f"{file if number is None else f'Cell In[{number}]'}:{line} in {function}"


def _count(n: int) -> str:
    return "1 behavior is" if n == 1 else f"{n} behaviors are"


def stalled(pending: int, seconds: float) -> None:
    """Called by a wait after 5 s without any start, and each minute after: tells a terminal or a notebook."""
    from boc import _kinds, _service

    stream = sys.stderr
    if _service.sink is None and (stream is None or not stream.isatty()):
        return
    text = stalled_text(_collect(), pending, seconds)
    try:
        if _service.sink is None or not _service.sink(_kinds.ERR, text, 0, ""):
            stream.write(text)
            stream.flush()
    except Exception:  # a broken stream must not end the wait
        return
