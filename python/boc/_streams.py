"""sys.stdout and sys.stderr of a worker: what bodies write goes to the main interpreter.

Whole lines leave at once. What remains of a line leaves when it is flushed, when
it grows past a limit, or when the body ends.
"""

from __future__ import annotations

import codecs
import io
from _thread import RLock, get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["WorkerStream"]

_LIMIT = 1 << 16


class WorkerStream(io.TextIOBase):
    """A text stream. send(text) takes text to main; dirty() says that part of a line waits."""

    mode = "w"
    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, fd: int, send: Callable[[str], None], dirty: Callable[[], None]) -> None:
        self.name = name
        self._fd = fd
        self._send = send
        self._dirty = dirty
        self._parts: dict[int, list[str]] = {}  # by thread: lines of several do not mix
        self._size = 0
        # Threads of a body may write too, and a __del__ in the middle of a write.
        self._lock = RLock()
        self.buffer = _Bytes(self)

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        n = len(text)
        end = text.rfind("\n") + 1
        me = get_ident()
        with self._lock:
            if end:
                whole = text if end == n else text[:end]
                self._send(self._taken(me) + whole if me in self._parts else whole)
            if end < n:
                parts = self._parts.setdefault(me, [])
                parts.append(text[end:] if end else text)
                self._size += n - end
                if self._size > _LIMIT:
                    self.flush_all()
                elif len(parts) == 1:
                    self._dirty()
        return n

    def _taken(self, thread: int) -> str:
        text = "".join(self._parts.pop(thread, ()))
        self._size -= len(text)
        return text

    def flush(self) -> None:
        if self._parts:
            with self._lock:
                text = self._taken(get_ident())
                if text:
                    self._send(text)

    def flush_all(self) -> None:
        """Also what other threads of the body left of their lines, each by itself."""
        if self._parts:
            with self._lock:
                for thread in list(self._parts):
                    self._send(self._taken(thread))

    def close(self) -> None:
        """Stays open, like a standard stream should."""
        self.flush_all()

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def reconfigure(self, **_options: Any) -> None:
        """Accepted and ignored: encoding and buffering are those of main's stream."""


class _Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer`: bytes that are UTF-8 text."""

    def __init__(self, stream: WorkerStream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: Any, /) -> int:
        data = bytes(data)
        self._stream.write(self._decoder.decode(data))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True
