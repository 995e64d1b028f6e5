"""How cowns look in a notebook: name, state and value, as HTML beside the plain repr.

A result cown that is shown while its behavior is pending is shown again, once, when it
has ended.
"""

from __future__ import annotations

import html
import threading
import uuid
from typing import Any

import boc

from .cells import Cell, Cells
from .routing import Router

LONGEST = 2000  # characters of a value's repr
TICK = 0.05  # seconds between two looks at pending results


def _badge(word: str, colour: str) -> str:
    return f'<span style="color:{colour}">{word}</span>'


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def cown_bundle(cown: Any) -> dict[str, str]:
    """The bundle of a cown: text/plain and text/html."""
    plain = repr(cown)
    name = html.escape(str(cown.name or "cown"))
    if not cown.done():
        state = _badge("pending", "var(--jp-brand-color1, #0b6bcb)")
        return {"text/plain": plain, "text/html": f"<div><b>{name}</b> · {state}</div>"}
    kind, text = peek(cown)
    body = html.escape(_short(text))
    if kind == "exception":
        state = _badge("exception", "#d92d20")
        return {
            "text/plain": f"{plain}: {_short(text)}",
            "text/html": f"<div><b>{name}</b> · {state} <code>{body}</code></div>",
        }
    return {
        "text/plain": f"{plain}: {_short(text)}",
        "text/html": f"<div><b>{name}</b> · value <code>{body}</code></div>",
    }


def peek(cown: Any) -> tuple[str, str]:
    """("value", repr) or ("exception", "Type: text") of a cown that is done."""
    try:
        return "value", repr(cown.result(timeout=0))
    except BaseException as error:  # whatever the body ended with is only looked at here
        return "exception", f"{type(error).__name__}: {error}"


class Displays:
    """Formatters of cowns in one shell, and the results whose display is not final yet."""

    def __init__(self, shell: Any, router: Router | None, cells: Cells) -> None:
        self.shell = shell
        self.router = router
        self.cells = cells
        self._pending: list[tuple[Any, str, Cell]] = []
        self._guard = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def load(self) -> None:
        formatters = self.shell.display_formatter
        formatters.mimebundle_formatter.for_type(boc.Cown, lambda c, **_: cown_bundle(c))
        if self.router is not None:
            formatters.ipython_display_formatter.for_type(boc.Cown, self._show)

    def unload(self) -> None:
        formatters = self.shell.display_formatter
        for formatter in (formatters.mimebundle_formatter, formatters.ipython_display_formatter):
            formatter.pop(boc.Cown, None)

    def _show(self, cown: Any) -> None:
        """Show a pending result under a display id; NotImplementedError: as any object."""
        cell = self.cells.running()
        if cell is None or cown.done():
            raise NotImplementedError
        mark = uuid.uuid4().hex
        self.shell.display_pub.publish(cown_bundle(cown), {}, transient={"display_id": mark})
        with self._guard:
            self._pending.append((cown, mark, cell))
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._watch, name="boc-results", daemon=True)
                self._thread.start()
            self._guard.notify()

    def _watch(self) -> None:
        while True:
            with self._guard:
                while not self._pending and not self._closed:
                    self._guard.wait()
                if self._closed:
                    return
            self.update()
            with self._guard:
                self._guard.wait_for(lambda: self._closed, TICK)

    def update(self) -> None:
        """Show the results that have ended since."""
        with self._guard:
            ended = [p for p in self._pending if p[0].done()]
            self._pending = [p for p in self._pending if p not in ended]
        for cown, mark, cell in ended:
            content = {"data": cown_bundle(cown), "metadata": {}, "transient": {"display_id": mark}}
            if self.router is not None:
                self.router.outbox.post(cell, "update_display_data", content)

    def after_cell(self) -> None:
        self.update()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._guard.notify_all()
