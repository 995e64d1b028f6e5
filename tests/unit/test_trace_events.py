"""The event table: one source for C and Python."""

from __future__ import annotations

import pytest
from boc.trace.events import EVENTS, KIND, flag, parse


def test_table_is_whole() -> None:
    assert EVENTS[0].name == "none"
    assert [e.number for e in EVENTS] == list(range(len(EVENTS)))
    assert {"schedule", "request", "grant", "ready", "start", "body", "body_end", "end", "lost"} <= set(KIND)
    assert {e.phase for e in EVENTS} == {"i", "b", "e"}


def test_flags_by_meaning() -> None:
    assert flag("schedule", "READY") == 1
    assert flag("end", "CANCELLED") == 2
    with pytest.raises(KeyError):
        flag("end", "NO SUCH")


def test_comments_are_no_events() -> None:
    found = parse('/* X(old, "-", "-", "-", "-", \'i\') */ X(a, "b", "c", "-", "1 ON, 2 its last", \'b\') /* tail */')
    assert [e.name for e in found] == ["a"]
    assert found[0].flags == {1: "ON", 2: "its last"}


@pytest.mark.parametrize("text", ["", 'X(a, "-", "-", "-", "-", \'i\')\n' * 2])
def test_bad_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="event table"):
        parse(text)
