"""From the runtime's service to a cell: the sink of prints, warnings, errors and displays.

The service of the runtime calls the `Router` with everything that bodies send to main.
What has a cell goes to the `Outbox`; what the program caught itself (`redirect_stdout`,
`%%capture`) is left to the service, which writes to `sys.stdout` as it is then.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

from boc import _core, _display, _kinds, _places, _service, _unseen

from .cells import Cell, Cells
from .output import Outbox
from .unseen import Unseen

_UPDATES_S = 0.2  # a cell's end waits so long for updates of the noticeboard: their warnings come under it


def _send_on(kernel: Any) -> Callable[[str, dict[str, Any], dict[str, Any]], None]:
    session = kernel.session

    def send(kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        ident = f"{kind}.{content['name']}" if kind == "stream" else kind
        session.send(kernel.iopub_socket, session.msg(kind, content, parent=parent), ident=ident.encode())

    return send


def _flush_streams(*streams: Any) -> Callable[[], None]:
    def flush() -> None:
        for stream in streams:
            with contextlib.suppress(Exception):
                stream.flush()

    return flush


def _head(name: str, lost: bool) -> str:
    """The line above an error: whose it is."""
    return f"the value of cown {name} is lost:" if lost else f"behavior {name}:"


class Router:
    """Sends what behaviors say to their cells. Any thread may call it."""

    def __init__(self, shell: Any, kernel: Any, cells: Cells) -> None:
        self.shell = shell
        self.cells = cells
        self.stdout, self.stderr = sys.stdout, sys.stderr
        self.display_pub = shell.display_pub
        self.outbox = Outbox(_send_on(kernel), _flush_streams(self.stdout, self.stderr))
        self.unseen = Unseen(cells, self._unseen)
        self._rendering = threading.Lock()

    @property
    def captures(self) -> bool:
        """The program catches what is displayed (`%%capture`)."""
        return self.shell.display_pub is not self.display_pub

    # ---- what the service calls -------------------------------------------
    def __call__(self, kind: int, payload: Any, origin: int, name: str) -> bool:
        """Take one thing that a body sent. True: it has found its cell."""
        cell = self.cells.find(origin)
        if cell is None:
            return False
        if kind == _kinds.OUT:
            if sys.stdout is not self.stdout:
                return False
            self.outbox.text(cell, "stdout", payload)
        elif kind == _kinds.ERR:
            if sys.stderr is not self.stderr:
                return False
            self.outbox.text(cell, "stderr", payload)
        elif kind == _kinds.UNSEEN:
            text, error = payload
            if error is None:
                self.outbox.text(cell, "stderr", self._with_cells(text))
            else:
                self.error(cell, error, _head(name, text.startswith(_unseen.LOST.format(name))))
        elif kind == _kinds.RAISED:
            self.unseen.raised(payload, cell, name)
        elif kind == _kinds.DISPLAY:
            data, metadata, transient, update = _display.unpack(payload[0])
            if self.captures:
                self.shell.display_pub.publish(data, metadata, transient=transient, update=update)
                return True
            content = {"data": data, "metadata": metadata, "transient": transient}
            self.outbox.post(cell, "update_display_data" if update else "display_data", content)
        else:
            return False  # log records, warnings and hints go their usual way, within `around`
        return True

    @contextlib.contextmanager
    def around(self, origin: int) -> Iterator[None]:
        """Within, what this thread prints (log handlers, warnings) belongs to the cell of `origin`."""
        cell = self.cells.find(origin)
        if cell is None:
            yield
            return
        self.flush()
        tokens = self.enter(cell)
        try:
            yield
        finally:
            _flush_streams(sys.stdout, sys.stderr)()
            self.leave(tokens)

    def waited(self) -> None:
        """A wait of this thread has ended: what nobody looked at by now is said."""
        cell = self.cells.running()
        if cell is not None:
            cell.waited = True
        self.unseen.due(cell)

    def cell_ended(self, cell: Cell | None) -> None:
        """A cell of this thread has ended: what came for it so far must precede its reply."""
        if _core._running():
            _service.drain(_UPDATES_S)
        self.unseen.due(cell)
        self.flush()

    def _unseen(self, cell: Cell, error: BaseException, name: str, lost: bool) -> None:
        text = _service.report(error, name)  # after five alike only a count grows
        if text:
            self.error(cell, error, _head(name, lost))
            if text.endswith(_unseen.LAST):
                self.outbox.text(cell, "stderr", _unseen.LAST)

    def flush(self) -> None:
        """All that was handed in so far is on its way to the front end."""
        self.outbox.flush()

    # ---- errors ------------------------------------------------------------
    def error(self, cell: Cell, error: BaseException, head: str = "") -> None:
        """Show an exception under a cell, with the lines of the cell that it came from."""
        content = {
            "ename": type(error).__name__,
            "evalue": str(error),
            "traceback": self.render(error, head),
        }
        self.outbox.post(cell, "error", content)

    def render(self, error: BaseException, head: str = "") -> list[str]:
        """The lines of a traceback as this notebook shows its own."""
        with self._rendering:
            try:
                if isinstance(error, BaseExceptionGroup):  # IPython's own would leave out what is in it
                    text = self._with_cells("".join(traceback.format_exception(error)))
                    return [head, text] if head else [text]
                tb = self.shell.InteractiveTB
                lines = list(tb.structured_traceback(type(error), error, error.__traceback__))
            except Exception:
                lines = traceback.format_exception(error)
        return [head, *lines] if head else lines

    def _with_cells(self, text: str) -> str:
        """File names of cells as people know them: `Cell In[3]:2`, `Cell In[3], line 2`."""

        def named(found: re.Match[str]) -> str:
            number = _places.cell(found[1] or found[2])
            return found[0] if number is None else f"Cell In[{number}]"

        return re.sub(r'File "([^"]+\.py)"(?=, line)|([^\s:]+\.py)(?=:\d)', named, text)

    # ---- parents of this thread's own output -----------------------------------
    def enter(self, cell: Cell) -> list[Callable[[], None]]:
        """Point this thread's streams at `cell`; what it gives is for `leave`."""
        header = cell.parent["header"]
        undo: list[Callable[[], None]] = []
        for target in (sys.stdout, sys.stderr, self.shell.display_pub, self.shell.displayhook):
            var: Any = getattr(target, "_parent_header", None)
            if isinstance(var, ContextVar):
                undo.append(partial(var.reset, var.set(header)))
            elif hasattr(target, "parent_header"):  # before ipykernel 7 displays have one for all threads
                undo.append(partial(setattr, target, "parent_header", target.parent_header))
                target.parent_header = header
        return undo

    def leave(self, undo: list[Callable[[], None]]) -> None:
        for step in reversed(undo):
            step()

    def close(self) -> None:
        self.outbox.close()
