"""The notebook of the flock runs top to bottom in a real kernel: it flies, it is shown, and its chart says who worked."""

from __future__ import annotations

import pytest
from books import cells, find, run_all
from harness import Ran

pytest.importorskip("matplotlib")
pytest.importorskip("PIL")


@pytest.fixture(scope="module")
def ran() -> list[tuple[str, Ran]]:
    return run_all("boids")


def test_it_is_saved_without_outputs() -> None:
    assert [c for c in cells("boids") if c.get("outputs") or c.get("execution_count")] == []


def test_no_cell_fails_and_nothing_unseen_is_left(ran: list[tuple[str, Ran]]) -> None:
    assert [r.errors for _, r in ran if r.errors] == []
    assert [r.err for _, r in ran if r.err] == []


def test_the_flock_flies_and_is_shown(ran: list[tuple[str, Ran]]) -> None:
    shown = [u for _, r in ran for u in r.data("update_display_data") if "image/png" in u["data"]]
    assert len(shown) >= 40, "a picture for each frame, and the live chart"
    order = [float(part) for part in find(ran, "[round(order").text.strip("[]").split(",")]
    assert order[-1] > order[0], "they agree more and more"
    assert "image/gif" in find(ran, "import tempfile").data("execute_result")[0]["data"]


def test_the_chart_says_who_worked(ran: list[tuple[str, Ran]]) -> None:
    chart = find(ran, "%boc gantt").data("execute_result")[0]["data"]
    assert "image/png" in chart
    assert "behaviors · " in chart["text/plain"] and "main" in chart["text/plain"]
