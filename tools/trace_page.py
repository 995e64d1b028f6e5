"""Writes docs/trace.md from ext/core/trace_events.def. `--check` fails if the page is not in step."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "ext" / "core" / "trace_events.def"
PAGE = ROOT / "docs" / "trace.md"
ROW = re.compile(r'^X\((\w+), "([^"]*)", "([^"]*)", "([^"]*)", "([^"]*)", \'([ibe])\'\)')
PHASE = {"i": "instant", "b": "begin", "e": "end"}


@dataclass(frozen=True)
class Event:
    """One row of the table; "-" stands for a field that is not used."""

    name: str
    subject: str
    other: str
    sequence: str
    flags: str
    phase: str


def events() -> list[Event]:
    """The rows, in the order of their numbers."""
    found = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("X("):
            match = ROW.match(line)
            if match is None:
                raise SystemExit(f"{TABLE.name}: cannot read {line!r}")
            found.append(Event(*match.groups()))
    return found


HEAD = """\
# The trace format

<!-- Written by tools/trace_page.py from ext/core/trace_events.def. Change the table, then run it. -->

Every scheduling decision leaves a record of 32 bytes in a ring of the thread that took it. A ring has one
writer and overwrites its oldest slots; what a reader was too late for is counted per thread and shown as
lost. Two records that come together, a schedule with its one request or an end with the grant that came of it, share a
slot where they fit; readers get both, and a lost slot counts once.
Names of behaviors, cowns, keys and texts go once into a side table and are numbers here.

| bytes | field | meaning |
|---|---|---|
| 0-7 | `time` | nanoseconds of `CLOCK_MONOTONIC` |
| 8-15 | `subject` | what the record is about, by kind |
| 16-23 | `other` | its counterpart, by kind |
| 24-27 | `seq` | a sequence number or a small argument, by kind |
| 28 | `kind` | the number in the table below |
| 29 | `flags` | bits, by kind |
| 30-31 | `thread` | worker index; 1024 is the main thread, others follow |

Ids of behaviors and cowns come from counters and are never used twice in a process.

## Counters

Beside its ring each thread counts by name, exactly: bodies that ended, those that raised, how long they ran; and for
cowns grants, how long they were held, how long bodies had them. Charts and `summary()` take counts and shares from
there where a ring has forgotten a part of the run; `lost` is how many bodies that ran have no bar. Bodies count when
they end. Names from number 4,096 on share a row, "other names"; cowns of one name are counted together, and a share
of theirs is a mean, written `ø`. Results are not timed while the behavior that makes them holds them. A file carries
the counters too.

Two threads may look at the clock in one order and take a cown in the other, so a hold can count a hand-off's length too
much.

What follows from a record is not recorded again; the model adds it:

- a request that is flagged as granted was granted at that instant;
- a schedule flagged as ready had all its requests granted at once, so it was ready at that instant;
- a grant flagged as ready was the last that its behavior waited for;
- an end releases every cown of the behavior at that instant, and a successor's grant carries that instant.

## Kinds

| number | kind | subject | other | seq | flags | phase |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = []
    for number, event in enumerate(events()):
        if number:
            cells = (event.subject, event.other, event.sequence, event.flags)
            text = " | ".join(cell if cell != "-" else "" for cell in cells)
            rows.append(f"| {number} | `{event.name}` | {text} | {PHASE[event.phase]} |")
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    text = page()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print("docs/trace.md is not in step with ext/core/trace_events.def: run tools/trace_page.py")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
