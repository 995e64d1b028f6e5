"""What decided a run: the order of starts, the order of joins at each cown, what each view of the noticeboard showed.

A behavior is known by who scheduled it and as which of that one's: `(parent, n)`. So a schedule says the same of every
run of one program that made the same decisions, whatever the ids were.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .model import Trace

FORMAT = 1
MAIN = -1
"""The parent of what the main thread scheduled, and the writer of what the main program wrote."""
THREADS = -2
"""The parent of what other threads of the program scheduled."""


class ScheduleError(ValueError):
    """The file is no schedule, or of a format that this version does not read."""


class Entry(NamedTuple):
    """A behavior: its name, who scheduled it (its place in `behaviors`), as which of that one's (from 1).

    What the main thread scheduled has -1 for that place. What the program's other threads scheduled (-2) is told apart
    by names: nth counts those of one name, in the order in which they were scheduled.
    """

    name: str
    parent: int
    nth: int


@dataclass(frozen=True)
class Schedule:
    """The decisions of a run. Equal if the decisions are.

    behaviors: all that were scheduled. starts: places in `behaviors` in the order of their starts. joins: for each cown
    its name and who joined its queue, in order. writes: who changed which key of the noticeboard, in order. views:
    who read the noticeboard, and how many of the writes it saw. pinned: who started on the main thread, and how many
    that thread had scheduled until then. calms: what other threads scheduled after a wait of the main one that found
    nothing pending; how many that one had scheduled by then, and how many such waits it had ended behind these.
    pending: how many had not ended. missing: why it is not complete, "" if it is.
    """

    behaviors: tuple[Entry, ...]
    starts: tuple[int, ...]
    joins: tuple[tuple[str, tuple[int, ...]], ...]
    writes: tuple[tuple[int, str], ...]
    views: tuple[tuple[int, int], ...]
    workers: int = field(default=2, compare=False)
    pending: int = field(default=0, compare=False)
    missing: str = field(default="", compare=False)
    pinned: tuple[tuple[int, int], ...] = field(default=(), compare=False)
    calms: tuple[tuple[int, int, int], ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        parts = [f"{len(self.behaviors)} behaviors", f"{len(self.starts)} starts"]
        parts += [f"{self.pending} pending"] if self.pending else []
        parts += [f"incomplete: {self.missing}"] if self.missing else []
        return f"<schedule: {', '.join(parts)}>"

    def name(self, place: int) -> str:
        """How people call a behavior: its name, and whose child it is."""
        if place < 0:
            return "main" if place == MAIN else "other threads"
        b = self.behaviors[place]
        whose = self.name(b.parent) if b.parent < 0 else f"'{self.behaviors[b.parent].name}'"
        return f"'{b.name}' (number {b.nth} of {whose})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON."""
        told = {
            "format": "boc schedule",
            "version": FORMAT,
            "workers": self.workers,
            "pending": self.pending,
            "missing": self.missing,
            "behaviors": self.behaviors,
            "starts": self.starts,
            "joins": self.joins,
            "writes": self.writes,
            "views": self.views,
            "pinned": self.pinned,
            "calms": self.calms,
        }
        Path(path).write_text(json.dumps(told, ensure_ascii=False, indent=None), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schedule:
        """Read what `save` wrote, or the schedule of a recorded trace (.boctrace).

        ScheduleError where it is neither, OSError where it cannot be opened.
        """
        data = Path(path).read_bytes()
        if data.startswith(b"BOCTRACE"):
            from .decided import of_trace

            return of_trace(Trace.load(path))
        try:
            told = json.loads(data)
            if told["format"] != "boc schedule":
                raise KeyError("format")
            if told["version"] > FORMAT:
                raise ScheduleError(f"{os.fspath(path)!r} has format {told['version']}; this version reads {FORMAT}")
            out = cls(
                tuple(Entry(str(n), int(p), int(k)) for n, p, k in told["behaviors"]),
                tuple(map(int, told["starts"])),
                tuple((str(n), tuple(map(int, order))) for n, order in told["joins"]),
                tuple((int(w), str(k)) for w, k in told["writes"]),
                tuple((int(b), int(n)) for b, n in told["views"]),
                int(told["workers"]),
                int(told["pending"]),
                str(told["missing"]),
                tuple((int(b), int(n)) for b, n in told.get("pinned", ())),
                tuple((int(b), int(n), int(k)) for b, n, k in told.get("calms", ())),
            )
            out._check()
        except ScheduleError:
            raise
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as e:
            raise ScheduleError(f"{os.fspath(path)!r} is no schedule ({type(e).__name__}: {e})") from None
        return out

    def _check(self) -> None:
        n = len(self.behaviors)
        used = [*self.starts, *(i for _, order in self.joins for i in order)]
        used += [b for b, *_ in (*self.views, *self.pinned, *self.calms)]
        if any(not 0 <= i < n for i in used) or any(not MAIN <= w < n for w, _ in self.writes):
            raise ValueError("a behavior that is not in it")
        if len(set(self.starts)) != len(self.starts):
            raise ValueError("a behavior starts twice")
        if any(not 0 <= n <= len(self.writes) for _, n in self.views):
            raise ValueError("a view of writes that are not in it")
        count: dict[tuple[int, str], int] = defaultdict(int)
        last = THREADS
        for place, b in enumerate(self.behaviors):
            key = (b.parent, b.name if b.parent == THREADS else "")
            count[key] += 1
            if not last <= b.parent < place or b.nth != count[key]:
                raise ValueError("its behaviors are out of order")
            last = b.parent
