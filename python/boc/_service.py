"""In the main interpreter: what workers send is put where it belongs.

A daemon thread takes items from C and routes them: text to sys.stdout and
sys.stderr as they are then, log records to main's loggers, warnings to main's
filters, exceptions that nobody looked at to stderr, writes of the noticeboard
to C again. A notebook sets `sink`, which may take any of these first.

Waits call `drain`, so that all that was sent before is out when they return.
Nothing here raises; a wait is never stuck on a stream or handler that the
waiting thread itself holds the lock of.
"""

from __future__ import annotations

import marshal
import os
import sys
import threading
import time
from collections import deque

from boc import _core, _kinds, _raise
from boc._unseen import Reports

TYPE_CHECKING = False  # typing itself takes milliseconds to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

__all__ = ["around", "drain", "flush_unseen", "reset", "sink", "start", "stop", "watchers"]

if TYPE_CHECKING:
    Item = tuple[int, Any, Any, int, str, int, int]

# sink(kind, payload, origin, behavior) -> True if it took it. payload: OUT, ERR and HINT: text;
# UNSEEN: (text, the exception or None if the text only counts); LOG: the logging.LogRecord;
# WARN: (message, category, file name, line); DISPLAY: (a, b); RAISED: the result.
# Called on any thread of main, one at a time.
sink: Callable[[int, Any, int, str], bool] | None = None
# around(origin): a context in which what log handlers and showwarning print reaches the cell of that origin.
around: Callable[[int], AbstractContextManager[Any]] | None = None
# waited(): a wait has ended, so what nobody has looked at by now is to be said.
waited: Callable[[], None] | None = None
# flushed(): all that was queued has been handed to the sink, and somebody waits for it.
flushed: Callable[[], None] | None = None

# What to call when a watched cown's turn has come, by token. Must not block.
watchers: dict[int, Callable[[], None]] = {}

_STUCK_S = 1.0
_LAST_UPDATES_S = 0.2

_lock = threading.RLock()
_notice_lock = threading.RLock()
_items: deque[Item] = deque()  # taken from C, not handled yet
_notices: deque[Item] = deque()
_handled = 0
_threads: dict[int, threading.Thread] = {}  # by process, so that a fork begins anew
_stopping = False
_complained: set[str] = set()
_hinted: set[str] = set()
_registries: dict[str, dict[Any, Any]] = {}
_reports = Reports()


# ---- the thread ------------------------------------------------------------


def _after_fork() -> None:
    """In the child: whoever held a lock is gone, and what was queued is the parent's to say."""
    global _lock, _notice_lock
    _lock, _notice_lock = threading.RLock(), threading.RLock()
    _items.clear()
    _notices.clear()


if _core.is_main():  # in an interpreter that begins anew each life they would pile up
    os.register_at_fork(after_in_child=_after_fork)



def start() -> None:
    """Start the thread if it does not run (also in the child of a fork).

    While the program ends CPython makes no thread more; then waits, and the end, handle what is queued.
    """
    global _stopping
    pid = os.getpid()
    if pid in _threads:
        return
    _stopping = False
    thread = threading.Thread(target=_run, name="boc-service", daemon=True)
    if _threads.setdefault(pid, thread) is not thread:
        return  # another thread was first
    try:
        thread.start()
    except RuntimeError:
        del _threads[pid]


def stop() -> None:
    """Handle what is queued and end the thread; an update of the board that takes long is left behind.

    A daemon thread that still lives while CPython ends is killed where it stands, which crashes under -X perf.
    """
    global _stopping
    drain(_LAST_UPDATES_S)
    _core._notice_clear()
    _stopping = True
    _core.service_wake()
    _say()
    thread = _threads.pop(os.getpid(), None)
    if thread is not None and thread.is_alive() and thread is not threading.current_thread():
        thread.join(_STUCK_S)  # not for ever: it may be in a user's log handler


def _run() -> None:
    while not _stopping:
        try:
            if not _core.service_wait(1.0) and not _notices and not _items:
                continue
            with _lock:
                _handle_all()
            _apply_notices()
        except BaseException as e:  # SystemExit of a handler, an interrupt meant for somebody else
            _complain("service", e)


def _take() -> None:
    _items.extend(_core.service_next(0.0))


def drain(timeout: float | None = None) -> None:
    """Handle everything that is queued now, on this thread.

    timeout: at most so many seconds for the noticeboard's writes, which then are the service thread's.
    """
    _say()
    if _stopping:
        return
    thread = _threads.get(os.getpid())
    if timeout is None or thread is None or thread is threading.current_thread() or not thread.is_alive():
        _apply_notices()
        return
    if _notices:
        _core.service_wake()
    _core._board_settled(timeout)


def say() -> None:
    """Handle everything but the noticeboard's writes, which may take long, on this thread."""
    _say()
    if _notices:
        _core.service_wake()


def _say() -> None:
    seen, since = _handled, time.monotonic()
    while not _lock.acquire(timeout=0.05):
        # Another thread writes. If it gets nowhere, this one may hold the very lock that it needs.
        now = time.monotonic()
        if _handled != seen:
            seen, since = _handled, now
        elif now - since > _STUCK_S:
            return
    try:
        _handle_all()
    finally:
        _lock.release()
    if flushed is not None:
        flushed()


def _handle_all() -> None:
    global _handled
    _take()
    while _items:
        item = _items.popleft()
        kind = item[0]
        if kind == _kinds.OUT or kind == _kinds.ERR:
            item = _joined(item)
        try:
            _handle(item)
        except Exception as e:
            _complain(f"kind {kind}", e)
        _handled += 1
        if not _items:
            _take()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _joined(item: Item) -> Item:
    """Neighbours of the same stream and behavior in one write."""
    kind, a, b, behavior, name, origin, worker = item
    parts = [_text(a)]
    while _items and len(parts) < 1000:
        other = _items[0]
        if (other[0], other[3], other[5]) != (kind, behavior, origin):
            break
        parts.append(_text(_items.popleft()[1]))
    return (kind, "".join(parts), b, behavior, name, origin, worker)


def _handle(item: Item) -> None:
    kind, a, b, _, name, origin, _ = item
    if kind == _kinds.OUT or kind == _kinds.ERR:
        if not _sunk(kind, a, origin, name):
            _write(kind, a)
    elif kind == _kinds.LOG:
        _handle_log(a, origin, name)
    elif kind == _kinds.WARN:
        _handle_warning(a, origin, name)
    elif kind == _kinds.UNSEEN:
        exc = a if isinstance(a, BaseException) else _raise.unpack(a)
        text = _reports.text(exc, name, lost=b == "lost")
        if text and not _sunk(kind, (text, exc), origin, name):
            _write(_kinds.ERR, text)
    elif kind == _kinds.HINT:
        _hint(_text(a), _text(b), origin, name)
    elif kind == _kinds.DISPLAY:
        if not _sunk(kind, (a, b), origin, name) and b:
            _write(_kinds.OUT, _text(b) + "\n")
    elif kind == _kinds.NOTICE:
        _notices.append(item)
    elif kind == _kinds.RAISED:
        _sunk(kind, a, origin, name)
    elif kind == _kinds.DONE:
        watcher = watchers.pop(int.from_bytes(a, "little"), None)
        if watcher is not None:
            watcher()


# ---- where things go -------------------------------------------------------


def _sunk(kind: int, payload: Any, origin: int, name: str) -> bool:
    if sink is None:
        return False
    try:
        return bool(sink(kind, payload, origin, name))
    except Exception as e:
        _complain("sink", e)
        return False


def _write(kind: int, text: str) -> None:
    stream = sys.stdout if kind == _kinds.OUT else sys.stderr
    if stream is None:
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = getattr(stream, "encoding", None) or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _complain(what: str, exc: BaseException) -> None:
    """Once per place: something of the program's own that output goes through is broken."""
    if what in _complained:
        return
    _complained.add(what)
    stream = sys.__stderr__
    if stream is None:
        return
    try:
        stream.write(f"boc: output of behaviors could not be delivered ({what}): {_raise.describe(exc)}\n")
        stream.flush()
    except Exception:  # nowhere left to say it
        return


class _Nothing:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def _context(origin: int) -> AbstractContextManager[Any]:
    return around(origin) if around is not None and origin else _Nothing()


def _handle_log(data: Any, origin: int, name: str) -> None:
    import logging

    fields, packed = marshal.loads(data)
    record = logging.makeLogRecord(fields)
    record.behavior = name
    if packed is not None:
        exc = _raise.unpack(packed)
        record.exc_info = (type(exc), exc, exc.__traceback__)
    logger = logging.getLogger(record.name)
    if not logger.isEnabledFor(record.levelno) or _sunk(_kinds.LOG, record, origin, name):
        return
    with _context(origin):
        logger.handle(record)


def _category(module: str, name: str) -> type[Warning]:
    found: Any = sys.modules.get(module)
    for step in name.split("."):
        found = getattr(found, step, None)
    return found if isinstance(found, type) and issubclass(found, Warning) else UserWarning


def _handle_warning(data: Any, origin: int, name: str) -> None:
    import warnings

    from boc._places import module_of

    text, module, category_name, filename, lineno = marshal.loads(data)
    category = _category(module, category_name)
    if _sunk(_kinds.WARN, (text, category, filename, lineno), origin, name):
        return
    with _context(origin):
        try:
            # A registry of our own per file: several workers warn, main shows it once.
            registry = _registries.setdefault(filename, {})
            warnings.warn_explicit(text, category, filename, lineno, module_of(filename), registry)
        except Warning as e:  # main's filters say error, the worker's did not yet
            _write(_kinds.ERR, warnings.formatwarning(e, category, filename, lineno))


def _hint(text: str, key: str, origin: int, name: str) -> None:
    key = key or text
    if key in _hinted:
        return
    _hinted.add(key)
    _warn(text, _kinds.HINT, origin, name)


def _warn(text: str, kind: int, origin: int, name: str) -> None:
    if _sunk(kind, text, origin, name):
        return
    import logging

    with _context(origin):
        logging.getLogger("boc").warning("%s", text, extra={"behavior": name})


# ---- the noticeboard's mutator ---------------------------------------------


def _apply_notices() -> None:
    """In order, one at a time, outside the lock: an update's function may take long, or print.

    Whoever finds none may be too late for one that another thread just applies, so it waits for that too.
    """
    with _notice_lock:
        while _notices:
            item = _notices.popleft()
            try:
                _core.notice_apply(item[1])
            except Exception as e:
                writer = f"behavior '{item[4]}'" if item[4] else "main"
                text = f"noticeboard: {_text(item[2])!r} as written by {writer} was not applied: "
                try:
                    _warn(text + _raise.describe(e), _kinds.HINT, item[5], item[4])
                except Exception as broken:
                    _complain("notice", broken)


# ---- unseen exceptions -----------------------------------------------------


def report(exc: BaseException, name: str) -> str:
    """The report of an exception that nobody looked at; empty once there were enough like it."""
    return _reports.text(exc, name)


def flush_unseen(everything: bool = True, timeout: float | None = None) -> None:
    """A wait or the exit: report what nobody looked at, and how many there were of those only counted.

    everything: also what cowns that live still hold, and the last few that were only counted. timeout: of `drain`.
    """
    if everything:
        _core.report_unseen()
    drain(timeout)
    if waited is not None:
        waited()
    text = _reports.counts(everything)
    if text:
        try:
            if not _sunk(_kinds.UNSEEN, (text, None), 0, ""):
                _write(_kinds.ERR, text)
        except Exception as e:
            _complain("stderr", e)


def reset() -> None:
    """Forget which hints and reports were given (`boc.reset()`)."""
    _hinted.clear()
    _registries.clear()
    _complained.clear()
    _reports.clear()
