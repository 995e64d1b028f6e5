"""The live view as a picture: drawn by one background thread, replaced in place.

At most four pictures a second, fewer where drawing is slow, none while nothing changes.
It draws with a Figure of its own, never with pyplot, so a cell may plot meanwhile. At the
end (`wait`, `stop`, unload) the last picture stays, with its text.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import boc
from boc import _core

from .cells import Cell, Cells
from .live import EMPTY
from .routing import Router

PERIOD = 0.25  # seconds between two pictures, at least
LAST = 10.0  # seconds that the last picture may take where whoever runs the cell takes none after it
SOON = 0.3  # seconds that it may take of the cell's own where it may come later
SHARE = 3.0  # times the drawing time that passes between two pictures, at least
FAST = 100_000  # behaviors a second from which on a program needs its cores more than its pictures
LITTLE = 49.0  # times the drawing's CPU time that passes then: 2 % of a core


class PictureView:
    """One live view. Any thread may end it."""

    def __init__(self, router: Router, cells: Cells, cell: Cell, theme: str = "light") -> None:
        self.router = router
        self.cells = cells
        self.cell = cell
        self.theme = theme
        self.display_id = uuid.uuid4().hex
        self._guard = threading.Condition()
        self._hurry = False  # somebody waits for the picture of now
        self._ended = False
        self._final = threading.Event()
        self._first = _core._counts()[0]
        self._paced = time.monotonic(), _core._counts()[2]  # when a picture was begun, and how many had finished
        self._shown: Any = None
        self._ran = _core._running()
        word = "behavior" if self._first == 1 else "behaviors"
        text = f"{self._first} {word} so far; the chart appears here" if self._first else EMPTY
        content = {
            "data": {"text/plain": text},
            "metadata": {},
            "transient": {"display_id": self.display_id},
        }
        router.outbox.post(cell, "display_data", content)
        router.flush()  # what the cell prints from now on stands below it
        self._thread = threading.Thread(target=self._run, name="boc-live", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return not self._final.is_set()

    # ---- what there is to see --------------------------------------------------
    def _state(self) -> Any:
        """What a picture shows depends on this; while a body runs, on the time too."""
        return (_core._counts(), _core._board_version())

    def _moving(self) -> bool:
        return bool(_core.running())

    @property
    def finished(self) -> bool:
        """The runtime ran since this view was opened, and has ended."""
        running = bool(_core._running())
        self._ran = self._ran or running or _core._counts()[0] != self._first
        return self._ran and not running

    # ---- the thread --------------------------------------------------------------
    def _run(self) -> None:
        with contextlib.suppress(ImportError):  # drawing says it, where people see it
            importlib.import_module("boc.view")  # takes a while: not when the first picture is due
        wait = 0.0
        while not self._final.is_set():
            with self._guard:
                self._guard.wait_for(lambda: self._ended or self._hurry, wait)
                ended = self._ended = self._ended or self.finished
                self._hurry = False
            wait = PERIOD
            if self._state() != self._shown or (self._moving() and not ended):
                wait = self._pace(self._try_to_draw)
            if ended:
                self._final.set()
            with self._guard:
                self._guard.notify_all()

    def _pace(self, draw: Callable[[], None]) -> float:
        """Draw; how long to rest then, s: many short bodies must not be slowed by who looks at them."""
        began, cpu, done = time.monotonic(), time.thread_time(), _core._counts()[2]
        since, before = self._paced
        self._paced = began, done
        draw()
        rest = max(PERIOD, SHARE * (time.monotonic() - began))
        fast = done - before > FAST * (began - since)
        return max(rest, LITTLE * (time.thread_time() - cpu)) if fast else rest

    def _try_to_draw(self) -> None:
        try:
            self.draw()
        except Exception as error:  # it cannot be drawn: say so in its place
            self._ended = True
            self._send({"text/plain": f"the live view ended: {type(error).__name__}: {error}"})
            self._final.set()

    def draw(self) -> None:
        """Draw what is now, and send it if something has run."""
        state = self._state()
        if state[0][0] != 0:
            chart = boc.gantt(since=self.cells.since(state[0][0]), theme=self.theme)
            data, metadata = chart._repr_mimebundle_()
            data["image/png"] = base64.b64encode(data["image/png"]).decode("ascii")
            self._send(data, metadata)
        self._shown = state

    def _send(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        # To the cell that runs now, if one does: executors that save a notebook take updates from
        # the running cell only, and front ends find the display by its id.
        target = self.cells.any_running() or self.cell
        content = {"data": data, "metadata": metadata or {}, "transient": {"display_id": self.display_id}}
        self.router.outbox.post(target, "update_display_data", content)

    # ---- cells, the end ------------------------------------------------------------
    def catch_up(self, patience: float = LAST) -> None:
        """Somebody waited: show the picture that will stay if nothing more happens, within `patience` seconds."""
        until = time.monotonic() + patience
        with self._guard:
            self._hurry = True
            self._guard.notify_all()
            while not self._final.is_set() and self._state() != self._shown and time.monotonic() < until:
                self._guard.wait(max(0.0, until - time.monotonic()))

    def end(self, patience: float = LAST) -> None:
        """Draw once more and leave the picture. It may still come when `patience` seconds are over."""
        until = time.monotonic() + patience
        with self._guard:
            self._ended = True
            self._guard.notify_all()
        if self._thread is not threading.current_thread():
            self._final.wait(patience)
            self.router.flush()
            self._thread.join(max(0.0, until - time.monotonic()))
