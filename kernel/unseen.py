"""Exceptions that nobody looked at, said once, under the cell that scheduled the behavior.

The runtime tells of a result that holds an exception as soon as the body has ended. It is
reported when its cell ends or first waits, at once if the cell has ended; not while other
behaviors still wait for the result, for they may look at it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from boc import _core, _service

from .cells import Cell, Cells

EXCEPTION, SEEN, RESULT, BUSY = 1, 2, 256, 512  # flags of `_core._look`


class Unseen:
    """The results of this notebook that raised, and cowns whose value is lost, that were not reported yet.

    Any thread may call. `report`: of a cell, the error, a name, and whether that is a cown's whose value is lost.
    """

    def __init__(self, cells: Cells, report: Callable[[Cell, BaseException, str, bool], None]) -> None:
        self._cells = cells
        self._report = report
        self._lock = threading.Lock()
        self._held: dict[int, list[tuple[Any, str]]] = {}
        self._tokens = itertools.count(1 << 32)

    def raised(self, cown: Any, cell: Cell, name: str) -> None:
        """A body of `cell` raised; its exception is the value of `cown`."""
        if cell.ended:
            self._settle(cell, cown, name)
            return
        with self._lock:
            self._held.setdefault(cell.number, []).append((cown, name))
        if cell.ended:  # meanwhile
            self.due(cell)

    def due(self, cell: Cell | None) -> None:
        """The cell has ended, or a wait in it: report what is still unseen of it."""
        if cell is None:
            return
        with self._lock:
            held = self._held.pop(cell.number, [])
        for cown, name in held:
            self._settle(cell, cown, name)

    def _settle(self, cell: Cell, cown: Any, name: str) -> None:
        flags, error = _core._look(cown, True)
        if flags & BUSY:  # others wait for it and may look
            token = next(self._tokens)
            _service.watchers[token] = lambda: self._settle(cell, cown, name)
            if _core._watch(cown, token):
                return
            _service.watchers.pop(token, None)
            flags, error = _core._look(cown, True)
        if error is not None and flags & EXCEPTION and not flags & SEEN:
            self._report(cell, error, name, not flags & RESULT)
