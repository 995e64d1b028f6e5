"""Which live view `%boc live` shows, and the ones that are shown.

In a notebook: pictures under a display id (`live_png`). In a terminal: a line of text.
A view that front ends can drive themselves has its place here, in `LiveViews.show`.
"""

from __future__ import annotations

from typing import Any, Protocol

import boc
from boc import _control, _core

from .cells import Cells
from .routing import Router

EMPTY = "No behavior has run yet. Schedule one, and its bar appears here."


class View(Protocol):
    """A live view in some cell's output."""

    @property
    def alive(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    def catch_up(self, patience: float = ...) -> None: ...
    def end(self, patience: float = ...) -> None: ...


class LiveViews:
    """The live views of one shell."""

    def __init__(self, shell: Any, router: Router | None, cells: Cells) -> None:
        self.shell = shell
        self.router = router
        self.cells = cells
        self.views: list[View] = []

    def show(self, theme: str = "light") -> None:
        """Show a live view in the running cell; one that was there before keeps its last picture.

        In a terminal: what is now, as text.
        """
        cell = self.cells.running()
        if self.router is None or cell is None:
            scheduled = _core._counts()[0]
            print(boc.gantt(since=self.cells.since(scheduled)) if scheduled else EMPTY)
            return
        from .live_png import PictureView

        self.close()
        _control.before_forgetting.append(self.close)
        self.views.append(PictureView(self.router, self.cells, cell, theme))

    def after_cell(self) -> None:
        """The running cell is about to end: if it waited, the picture is to show what it waited for."""
        if not self.views:
            return
        from .live_png import LAST, SOON

        cell = self.cells.running()
        patience = SOON if cell is not None and cell.attended else LAST
        for view in self.views:
            if view.finished:
                view.end(patience)
            elif cell is not None and cell.waited:
                view.catch_up(patience)
        self.views = [v for v in self.views if v.alive]

    def close(self) -> None:
        """End all views: each becomes a picture that stays."""
        if self.close in _control.before_forgetting:
            _control.before_forgetting.remove(self.close)
        for view in self.views:
            view.end()
        self.views = []
