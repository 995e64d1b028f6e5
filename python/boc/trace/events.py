"""The table of event kinds, read from trace_events.def: the same file that makes the C enum.

Each kind has a number (its place in the table), a name, the meaning of the record's fields, its flags and a
phase: instant, begin or end. Nothing else in the package knows a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

_ROW = re.compile(r'X\(\s*(\w+)\s*,\s*"([^"]*)"\s*,\s*"([^"]*)"\s*,\s*"([^"]*)"\s*,\s*"([^"]*)"\s*,\s*\'(\w)\'\s*\)')
_FLAG = re.compile(r"(\d+) ([^,]+)")
_COMMENT = re.compile(r"/\*.*?\*/", re.S)


@dataclass(frozen=True)
class Event:
    """One kind of record. `flags` maps a bit to its meaning; `phase` is "i", "b" or "e"."""

    number: int
    name: str
    subject: str
    other: str
    seq: str
    flags: dict[int, str]
    phase: str


def parse(text: str) -> tuple[Event, ...]:
    """The events of a table, in order. Raises ValueError where the table is empty or names a kind twice."""
    rows = _ROW.findall(_COMMENT.sub("", text))
    found = tuple(
        Event(i, name, subject, other, seq, {int(b): t.strip() for b, t in _FLAG.findall(flags)}, phase)
        for i, (name, subject, other, seq, flags, phase) in enumerate(rows)
    )
    if not found or len({e.name for e in found}) != len(found):
        raise ValueError("the event table is empty or names a kind twice")
    return found


EVENTS: tuple[Event, ...] = parse((resources.files("boc.trace") / "trace_events.def").read_text(encoding="utf-8"))
KIND: dict[str, int] = {e.name: e.number for e in EVENTS}


def flag(kind: str, meaning: str) -> int:
    """The bit of a flag by its meaning: flag("schedule", "READY") == 1. KeyError where there is none."""
    for bit, text in EVENTS[KIND[kind]].flags.items():
        if text == meaning:
            return bit
    raise KeyError(f"{kind} has no flag {meaning!r}")
