"""How often the live picture is drawn: seldom where many short bodies need the cores."""

from __future__ import annotations

from typing import Any

import pytest

live_png: Any = pytest.importorskip("boc.kernel.live_png")


@pytest.mark.parametrize("rate, rest", [(1_000, 0.6), (99_000, 0.6), (1_000_000, 4.9)])
def test_a_fast_program_gives_two_percent_of_a_core(monkeypatch: pytest.MonkeyPatch, rate: int, rest: float) -> None:
    """A picture takes 0.1 s of the CPU and 0.2 s in all; the one before it was begun 2 s ago."""
    now = {"wall": 100.0, "cpu": 5.0}
    monkeypatch.setattr(live_png.time, "monotonic", lambda: now["wall"])
    monkeypatch.setattr(live_png.time, "thread_time", lambda: now["cpu"])
    monkeypatch.setattr(live_png._core, "_counts", lambda: (0, 0, 2 * rate))
    view = object.__new__(live_png.PictureView)
    view._paced = 98.0, 0

    def draw() -> None:
        now["wall"] += 0.2
        now["cpu"] += 0.1

    assert view._pace(draw) == pytest.approx(rest)
    assert view._paced == (100.0, 2 * rate)
