"""The cells that have run in this kernel, each known to the runtime by a number.

A behavior carries the number of the cell that scheduled it (its *origin*), so that what
it prints finds its way back there, however much later.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEPT_TEXTS = 2000  # cells whose source text is kept


@dataclass
class Cell:
    """One execution of a cell."""

    number: int
    parent: dict[str, Any]  # what a message's parent needs: the request's header and the cell's id
    text: str
    began: int = 0  # ns of CLOCK_MONOTONIC
    scheduled: int = 0  # behaviors of the program that had been scheduled by then
    waited: bool = False  # until nothing was pending
    attended: bool = False  # by somebody who can be asked, so who takes updates also after the cell
    ended: bool = False


def slim_parent(parent: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an execute request that outputs refer to."""
    kept: dict[str, Any] = {"header": dict(parent.get("header", {}))}
    cell_id = (parent.get("metadata") or {}).get("cellId")
    if cell_id is not None:
        kept["metadata"] = {"cellId": cell_id}
    return kept


class Cells:
    """Numbers for cells, from 1; 0 means no cell. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[int, Cell] = {}
        self._next = 1
        self._running: dict[int, list[Cell]] = {}  # by thread; a cell may run another
        self.latest: Cell | None = None
        self._last_schedule = 0  # when the last ended cell that scheduled began

    def begin(self, parent: Mapping[str, Any], text: str) -> Cell:
        """A cell begins on this thread."""
        with self._lock:
            attended = bool(parent.get("content", {}).get("allow_stdin"))
            cell = Cell(self._next, slim_parent(parent), text, attended=attended)
            self._next += 1
            self._cells[cell.number] = cell
            old = self._cells.get(cell.number - KEPT_TEXTS)
            if old is not None:
                old.text = ""
            self._running.setdefault(threading.get_ident(), []).append(cell)
            self.latest = cell
            return cell

    def end(self) -> Cell | None:
        """The cell of this thread ends."""
        with self._lock:
            me = threading.get_ident()
            stack = self._running.get(me)
            if not stack:
                return None
            cell = stack.pop()
            cell.ended = True
            if not stack:
                del self._running[me]
            return cell

    def running(self) -> Cell | None:
        """The cell that runs on this thread."""
        stack = self._running.get(threading.get_ident())
        return stack[-1] if stack else None

    def count(self, scheduled: int) -> None:
        """The running cell is about to end; `scheduled`: behaviors of the program by now."""
        cell = self.running()
        if cell is not None and scheduled > cell.scheduled:
            self._last_schedule = cell.began

    def since(self, scheduled: int) -> int | None:
        """When the last cell that scheduled began (this one, if it has by now), ns; None: none did."""
        self.count(scheduled)
        return self._last_schedule or None

    def any_running(self) -> Cell | None:
        """A cell that runs now, on whatever thread: the newest."""
        with self._lock:
            return max((s[-1] for s in self._running.values()), key=lambda c: c.number, default=None)

    def find(self, number: int) -> Cell | None:
        """The cell of an origin; the latest one for what has no cell."""
        return self._cells.get(number) or self.latest
