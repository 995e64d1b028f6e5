"""How cowns look in a notebook: name, state and value, as HTML beside the plain repr.

A result cown that is shown while its behavior is pending is shown again, once, when it
has ended.
"""

from __future__ import annotations

import html
import itertools
import threading
import uuid
from typing import Any

import boc
from boc import _core, _service

from .cells import Cell, Cells
from .routing import Router
from .unseen import BUSY, RESULT

LONGEST = 2000  # characters of a value's repr
PATIENCE = 0.5  # seconds to wait for a value that rests on a busy worker
# Contrast of 4.5 on light and dark pages; browsers that do not know light-dark() take the first.
_COLOURS = {"pending": "var(--jp-brand-color1, #0b6bcb)", "exception": "#d92d20; color:light-dark(#d92d20, #ff6b5e)"}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def _badge(word: str, colour: str) -> str:
    return f'<span style="color:{colour}">{word}</span>'


def state(cown: Any) -> tuple[str, str]:
    """("pending", ""), ("value", repr) or ("exception", "Type: text"). Looking does not count as seeing."""
    flags, error = _core._look(cown)
    if flags & BUSY:
        return "pending", ""
    if error is not None:
        return "exception", f"{type(error).__name__}: {error}"
    try:
        return "value", repr(cown.result(timeout=PATIENCE))
    except TimeoutError:
        return "pending", ""
    except BaseException as late:  # whatever its value raises is only shown here
        return "exception", f"{type(late).__name__}: {late}"


def cown_bundle(cown: Any) -> dict[str, str]:
    """The bundle of a cown: text/plain and text/html."""
    plain = repr(cown)
    name = html.escape(cown.name)
    if not _core._look(cown)[0] & RESULT:
        said = html.escape(plain.strip("<>").partition(": ")[2] or plain)
        return {"text/plain": plain, "text/html": f"<div><b>{name}</b> · {said}</div>"}
    word, text = state(cown)
    text = _short(text)
    badge = _badge(word, _COLOURS[word]) if word != "value" else word
    shown = f" <code>{html.escape(text)}</code>" if text else ""
    return {
        "text/plain": f"{plain}: {text}" if text else plain,
        "text/html": f"<div><b>{name}</b> · {badge}{shown}</div>",
    }


class Displays:
    """Formatters of cowns in one shell, and the results whose display is not final yet."""

    def __init__(self, shell: Any, router: Router | None, cells: Cells) -> None:
        self.shell = shell
        self.router = router
        self.cells = cells
        self._tokens = itertools.count(1 << 33)
        self._pending: dict[int, tuple[Any, str, Cell]] = {}
        self._guard = threading.Condition()
        self._ended: list[int] = []
        self._expected: int | None = None  # a hash: what is never shown is not kept alive
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

    def expect(self, result: Any) -> None:
        """`result` is about to be a cell's output: it is updated when it ends, however soon that is."""
        self._expected = hash(result)

    def _show(self, cown: Any) -> None:
        """Show a pending result under a display id; NotImplementedError: as any object."""
        cell = self.cells.running()
        expected, self._expected = self._expected, None
        final = expected != hash(cown) and (cown.done() or not _core._look(cown)[0] & RESULT)
        if cell is None or final or (self.router is not None and self.router.captures):
            raise NotImplementedError
        mark = uuid.uuid4().hex
        self.shell.display_pub.publish(cown_bundle(cown), {}, transient={"display_id": mark})
        token = next(self._tokens)
        with self._guard:
            self._pending[token] = (cown, mark, cell)
        if not self._await(token, cown):
            self._reached(token)

    def _reached(self, token: int) -> None:
        """The result is there. Its value may still have to be fetched: that is for our own thread."""
        with self._guard:
            if self._closed:
                return
            self._ended.append(token)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="boc-results", daemon=True)
                self._thread.start()
            self._guard.notify()

    def _run(self) -> None:
        while True:
            with self._guard:
                self._guard.wait_for(lambda: self._ended or self._closed)
                if self._closed:
                    return
                token = self._ended.pop(0)
            self._final(token)

    def _final(self, token: int) -> None:
        shown = self._pending.get(token)
        if shown is None or self.router is None:
            return
        cown, mark, cell = shown
        if _core._look(cown)[0] & BUSY and self._await(token, cown):
            return  # others ask for it too (the watch itself, for a moment): when they are through
        with self._guard:
            if self._pending.pop(token, None) is None:
                return
        content = {"data": cown_bundle(cown), "metadata": {}, "transient": {"display_id": mark}}
        self.router.outbox.post(cell, "update_display_data", content)

    def _await(self, token: int, cown: Any) -> bool:
        """Ask to be told when the cown's turn has come. False: it is idle."""
        _service.watchers[token] = lambda: self._reached(token)
        if _core._watch(cown, token):
            return True
        _service.watchers.pop(token, None)
        return False

    def update(self) -> None:
        """Before a cell's reply: show the results that have ended by now."""
        for token, (cown, _, _) in list(self._pending.items()):
            if cown.done():
                self._final(token)

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._guard.notify_all()
