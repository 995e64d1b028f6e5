"""Sends what behaviors print, show and raise to the cell that scheduled them.

Text is gathered and sent at most ten times a second, in order, and at once when somebody
waits for it (`flush`). Messages are made here with the cell's own header as their parent:
the kernel's streams would send them to whatever cell runs now.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .cells import Cell

INTERVAL = 0.1  # seconds between two sendings
LIMIT = 4_000_000  # characters of one cell that may wait to be sent; more are counted and dropped


class Post:
    """One message to be sent: its kind and content, for one cell."""

    __slots__ = ("cell", "content", "kind", "texts")

    def __init__(self, cell: Cell, kind: str, content: dict[str, Any], text: str | None = None) -> None:
        self.cell = cell
        self.kind = kind
        self.content = content
        self.texts = None if text is None else [text]


class Outbox:
    """A queue of messages in front of the kernel's IOPub socket. Any thread may post.

    `send(kind, content, parent)` puts one message on the wire; `before()` is called ahead of
    each sending, to let out what the kernel's own streams have buffered.
    """

    def __init__(self, send: Callable[[str, dict[str, Any], dict[str, Any]], None], before: Callable[[], None]) -> None:
        self._send = send
        self._before = before
        self._posts: deque[Post] = deque()
        self._size: dict[int, int] = {}
        self._dropped: dict[int, int] = {}
        self._guard = threading.Condition()
        self._sending = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def text(self, cell: Cell, stream: str, text: str) -> None:
        """Add text to the cell's `stdout` or `stderr`."""
        if not text:
            return
        with self._guard:
            size = self._size.get(cell.number, 0)
            if size + len(text) > LIMIT:
                self._dropped[cell.number] = self._dropped.get(cell.number, 0) + len(text)
                return
            self._size[cell.number] = size + len(text)
            last = self._posts[-1] if self._posts else None
            if last is not None and last.cell is cell and last.texts and last.content["name"] == stream:
                last.texts.append(text)
            else:
                self._posts.append(Post(cell, "stream", {"name": stream}, text))
            self._wake()

    def post(self, cell: Cell, kind: str, content: dict[str, Any]) -> None:
        """Add one message behind the text so far."""
        with self._guard:
            self._posts.append(Post(cell, kind, content))
            self._wake()

    def _wake(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="boc-output", daemon=True)
            self._thread.start()
        self._guard.notify()

    def flush(self) -> None:
        """Send all that is here. Returns when it is on its way, in order."""
        with self._sending:
            with self._guard:
                posts, self._posts = self._posts, deque()
                dropped, self._dropped = self._dropped, {}
                self._size.clear()
            if not posts and not dropped:
                return
            self._before()
            cells = {}
            for post in posts:
                cells[post.cell.number] = post.cell
                if post.texts is not None:
                    post.content["text"] = "".join(post.texts)
                self._send(post.kind, post.content, post.cell.parent)
            for number, count in dropped.items():
                note = f"\nboc: {count:,} characters more were printed too fast to show\n"
                self._send("stream", {"name": "stderr", "text": note}, cells[number].parent)

    def _run(self) -> None:
        while True:
            with self._guard:
                while not self._posts and not self._closed:
                    self._guard.wait()
                if self._closed:
                    return
            started = time.monotonic()
            try:
                self.flush()
            except Exception as error:  # the socket is gone: say it where a terminal may show it
                print(f"boc: output could not be sent: {error!r}", file=sys.__stderr__)
            with self._guard:
                self._guard.wait_for(lambda: self._closed, INTERVAL - (time.monotonic() - started))

    def close(self) -> None:
        """Send what is left and end the thread."""
        self.flush()
        with self._guard:
            self._closed = True
            self._guard.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
