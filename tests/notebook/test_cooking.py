"""The cooking notebook runs top to bottom in a real kernel, tells its story, and is saved without outputs."""

from __future__ import annotations

import pytest
from books import cells, find, run_all
from harness import Ran

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def ran() -> list[tuple[str, Ran]]:
    return run_all("cooking")


def test_it_is_saved_without_outputs() -> None:
    assert [c for c in cells("cooking") if c.get("outputs") or c.get("execution_count")] == []


def test_no_cell_fails_and_nothing_unseen_is_left(ran: list[tuple[str, Ran]]) -> None:
    assert [r.errors for _, r in ran if r.errors] == []


def test_the_story(ran: list[tuple[str, Ran]]) -> None:
    assert "one cook: omelette" in find(ran, "def fresh").out
    assert "two cooks: omelette" in find(ran, "import threading").out
    assert find(ran, "knife_lock").out.count("gave up") == 2
    assert "held by nobody" in find(ran, "try:\n    onion.value").out
    assert find(ran, "@when(knife, onion)").out == "in the pan: omelette\n"
    assert "omelette: delicious" in find(ran, "taste.result()").text
    assert "first aid: the grater slipped" in find(ran, "@when(grater, onion)").out
    assert "3 plates went out" in find(ran, "def count").out
    sign = find(ran, "from IPython.display")
    assert "the sign at the door has changed" in sign.text
    assert "still hot" in sign.data("update_display_data")[0]["data"]["text/html"]


def test_the_pictures(ran: list[tuple[str, Ran]]) -> None:
    charts = [r for source, r in ran if source.startswith("%boc gantt")]
    first, last = [r.data("execute_result")[0]["data"] for r in charts]
    assert first["text/plain"].startswith("5 behaviors")
    assert last["text/plain"].startswith("13 behaviors") and "1 raised" in last["text/plain"]
    assert "1 cancelled" in last["text/plain"] and "Most waited for: pan" in last["text/plain"]
    assert "image/png" in first and "image/png" in last
    assert "plates" in find(ran, "%boc board").data("execute_result")[0]["data"]["text/plain"]
