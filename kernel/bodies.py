"""Pinned behaviors: what they print, display and draw belongs to the cell that scheduled them.

They run on the main thread, inside somebody else's cell or none, so the streams of that
thread are pointed at their cell for as long as the body runs.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from .cells import Cell, Cells
from .routing import Router


def _figures() -> set[int]:
    """The numbers of pyplot's open figures; pyplot is not loaded for that."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot is not None else set()


def _inline() -> bool:
    matplotlib = sys.modules.get("matplotlib")
    return matplotlib is not None and "inline" in str(matplotlib.get_backend()).lower()


class PinnedBodies:
    """Told by the pump when a pinned body begins and ends. Main thread only."""

    def __init__(self, router: Router, cells: Cells) -> None:
        self.router = router
        self.cells = cells
        self.last: Cell | None = None

    def begin(self, origin: int) -> Any:
        """A body of cell `origin` begins; what this gives is for `end`."""
        cell = self.cells.find(origin)
        self.last = cell
        if cell is None:
            return None
        self.router.flush()
        return cell, self.router.enter(cell), _figures()

    def end(self, token: Any) -> None:
        """The body ended: show the figures that it made, give the streams back."""
        if token is None:
            return
        _, parents, before = token
        try:
            self._show_figures(before)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            self.router.leave(parents)

    def _show_figures(self, before: set[int]) -> None:
        new = sorted(_figures() - before)
        if not new or not _inline():
            return
        from IPython.display import display

        pyplot = sys.modules["matplotlib.pyplot"]
        for number in new:
            figure = pyplot.figure(number)
            display(figure)  # type: ignore[no-untyped-call, unused-ignore]
            pyplot.close(figure)

    def escaped(self, error: BaseException) -> None:
        """Something left a body and the pump of the idle kernel: show it under the body's cell."""
        cell = self.last or self.cells.latest
        trace = error.__traceback__
        while trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith("boc."):
            trace = trace.tb_next
        if cell is not None and (trace is not None or not isinstance(error, KeyboardInterrupt)):
            self.router.error(cell, error.with_traceback(trace))
