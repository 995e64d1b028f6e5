"""The outbox: order, how often it sends, what a flood leaves out. No kernel."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from boc.kernel import output
from boc.kernel.cells import Cell, Cells, slim_parent
from boc.kernel.output import Outbox


class Wire:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], str, float]] = []
        self.flushes = 0
        self.outbox = Outbox(self.send, self.before)

    def send(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        self.sent.append((kind, content, parent["header"]["msg_id"], time.monotonic()))

    def before(self) -> None:
        self.flushes += 1

    def text(self, cell: str, stream: str = "stdout") -> str:
        return "".join(c["text"] for k, c, p, _ in self.sent if k == "stream" and p == cell and c["name"] == stream)


def cell(number: int) -> Cell:
    return Cell(number, {"header": {"msg_id": f"cell {number}"}}, "")


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.outbox.close()


def test_text_of_several_cells_keeps_its_order_and_goes_to_its_cell(wire: Wire) -> None:
    a, b = cell(1), cell(2)
    for n in range(100):
        wire.outbox.text(a, "stdout", f"a{n}\n")
        wire.outbox.text(b, "stderr", f"b{n}\n")
    wire.outbox.flush()
    assert wire.text("cell 1") == "".join(f"a{n}\n" for n in range(100))
    assert wire.text("cell 2", "stderr") == "".join(f"b{n}\n" for n in range(100))


def test_a_message_stands_between_the_texts_around_it(wire: Wire) -> None:
    a = cell(1)
    wire.outbox.text(a, "stdout", "before")
    wire.outbox.post(a, "display_data", {"data": {}})
    wire.outbox.text(a, "stdout", "after")
    wire.outbox.flush()
    kinds = [k for k, *_ in wire.sent]
    at = kinds.index("display_data")
    assert "".join(c["text"] for k, c, *_ in wire.sent[:at]) == "before"
    assert "".join(c["text"] for k, c, *_ in wire.sent[at + 1 :]) == "after"


def test_at_most_ten_sendings_a_second(wire: Wire) -> None:
    a = cell(1)
    began = time.monotonic()
    while time.monotonic() - began < 0.55:
        wire.outbox.text(a, "stdout", ".")
    wire.outbox.flush()
    assert len(wire.sent) <= 8
    assert wire.text("cell 1").strip(".") == ""


def test_the_thread_sends_without_a_flush_and_at_once(wire: Wire) -> None:
    arrived = threading.Event()
    send = wire.outbox._send

    def watch(*message: Any) -> None:
        send(*message)
        arrived.set()

    wire.outbox._send = watch
    wire.outbox.text(cell(1), "stdout", "x")
    assert arrived.wait(10)
    assert wire.flushes >= 1


def test_a_flood_is_cut_and_counted(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "LIMIT", 100)
    monkeypatch.setattr(output, "INTERVAL", 60.0)
    with wire.outbox._sending:  # the thread waits while we fill
        wire.outbox.text(cell(1), "stdout", "x" * 90)
        wire.outbox.text(cell(1), "stdout", "y" * 90)
        wire.outbox.text(cell(2), "stdout", "z" * 90)
    wire.outbox.flush()
    wire.outbox.flush()
    assert wire.text("cell 1") == "x" * 90
    assert "90 characters more" in wire.text("cell 1", "stderr")
    assert wire.text("cell 2") == "z" * 90


def test_no_text_is_lost_between_threads(wire: Wire) -> None:
    cells = [cell(n) for n in range(4)]

    def speak(n: int) -> None:
        for i in range(500):
            wire.outbox.text(cells[n], "stdout", f"{i} ")

    threads = [threading.Thread(target=speak, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wire.outbox.flush()
    for n in range(4):
        assert wire.text(f"cell {n}") == "".join(f"{i} " for i in range(500))


def test_cells_nest_and_belong_to_their_thread() -> None:
    cells = Cells()
    parent = {"header": {"msg_id": "m"}, "metadata": {"cellId": "c", "other": 1}, "content": {"code": "x"}}
    outer = cells.begin(parent, "outer")
    inner = cells.begin(parent, "inner")
    assert outer.parent == slim_parent(parent) == {"header": {"msg_id": "m"}, "metadata": {"cellId": "c"}}
    assert cells.running() is inner and cells.find(outer.number) is outer
    assert cells.end() is inner and inner.ended and not outer.ended
    assert cells.running() is outer and cells.any_running() is outer
    elsewhere: list[Any] = []
    thread = threading.Thread(target=lambda: elsewhere.append(cells.running()))
    thread.start()
    thread.join()
    assert elsewhere == [None]
    assert cells.end() is outer and cells.end() is None
    assert cells.find(0) is inner  # what has no cell goes to the latest
