"""Texts on what runs: stacks and stalled waits."""

from __future__ import annotations

import io
import sys

import pytest
from boc import _kinds, _service, _waiting
from boc._waiting import Running, Stacks, duration, stalled_text


class Core:
    def now(self):
        return 10_000_000_000

    def running(self):
        return [(0, 7, "cook", 4_000_000_000), (-1, 8, "draw", 9_999_000_000)]

    def worker_frames(self, worker):
        return [(__file__, 1, "cook")] if worker == 0 else []


@pytest.fixture
def core(monkeypatch):
    monkeypatch.setattr(_waiting, "_core", Core())


def test_stacks(core):
    found = _waiting.stacks()
    assert found[0] == Running(0, 7, "cook", 6.0, [(__file__, 1, "cook")])
    assert repr(found) == (
        f"'cook' on worker 0 for 6 s\n  File \"{__file__}\", line 1, in cook\n"
        '    """Texts on what runs: stacks and stalled waits."""\n'
        "'draw' on the main thread for 1 ms"
    )
    assert repr(Stacks()) == "no behavior runs"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0002, "0.2 ms"), (3.456, "3.46 s"), (125, "2 min 5 s"), (7300, "2 h 1 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_stalled_text():
    running = [Running(i, i, f"b{i}", 6.0, [("a.py", 1, "f"), ("b.py", 9, "g")]) for i in range(10)]
    text = stalled_text(running, 15, 5.0)
    head, first = text.splitlines()[:2]
    assert head == "boc: waiting; nothing has started for 5 s. Running:"
    assert first == "  'b0' on worker 0 for 6 s, now at b.py:9 in g"
    assert "and 2 more\n  5 behaviors are waiting behind them\n" in text
    assert "held outside behaviors" in stalled_text([], 1, 5.0)


def test_only_terminals_and_notebooks_hear_it(core, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    _waiting.stalled(3, 5.0)
    assert stream.getvalue() == ""
    monkeypatch.setattr(stream, "isatty", lambda: True)
    _waiting.stalled(3, 5.0)
    assert "'cook' on worker 0" in stream.getvalue()
    got = []
    monkeypatch.setattr(_service, "sink", lambda *a: got.append(a) or True)
    _waiting.stalled(3, 5.0)
    assert got[0][0] == _kinds.ERR and "'cook'" in got[0][1]
