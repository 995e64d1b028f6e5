"""Tracebacks on their way between interpreters.

A frame travels as (file, first line, line, end line, column, end column, name,
qualified name, module, source, names). source is the text of its lines where the
raising interpreter knows it; names are what a NameError could have meant.

At the other end it becomes a real traceback entry: a code object whose every
instruction has these positions, and the frame of a generator of it that was
never started. So all that shows tracebacks shows these.
"""

from __future__ import annotations

import sys
from itertools import islice
from types import CodeType, FunctionType, TracebackType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Frame = tuple[Any, ...]

__all__ = ["keep_source", "rebuild", "remember", "take", "text"]

_MAX_TRACE = 2000  # entries of one traceback; of a longer one the middle is left out
_MAX_CACHE = 512

# Positions of an instruction that raised before. The code is kept, so its id stays its own.
_cache: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
# Source by file: of shipped definitions {file: [(first line, lines)]}, of imported modules {file: lines}.
_shipped: dict[str, list[tuple[int, list[str]]]] = {}
_read: dict[str, list[str]] = {}


# ---- out -------------------------------------------------------------------


def keep_source(file: str, first: int, source: str) -> None:
    """In a worker: the source of a definition that arrived here, from line `first` of `file`."""
    entries = _shipped.setdefault(file, [])
    entries[:] = [e for e in entries if e[0] != first]
    entries.append((first, source.splitlines(keepends=True)))


def _module_lines(file: str) -> list[str]:
    lines = _read.get(file)
    if lines is None:
        lines = []
        try:
            with open(file, encoding="utf-8", errors="replace") as f:
                lines = f.readlines()
        except OSError:
            pass
        if len(_read) >= 100:
            _read.clear()
        _read[file] = lines
    return lines


def _source(code: CodeType, module: Any, file: str, line: int, end: int) -> str | None:
    for first, lines in reversed(_shipped.get(file, ())):
        if first <= line and end < first + len(lines):
            return "".join(lines[line - first : end - first + 1])
    # A definition without shipped source is main's, which knows the text of that time.
    if module is None or getattr(module, "__file__", None) != file or module.__name__ == "__main__":
        return None
    return "".join(_module_lines(file)[line - 1 : end]) or None


def _frame(code: CodeType, lasti: int, lineno: int | None, globals_: dict[str, Any]) -> Frame:
    at = next(islice(code.co_positions(), lasti // 2, None), None) if lasti >= 0 else None
    line, end, col, end_col = at or (lineno, lineno, None, None)
    if line is None:
        line, end, col, end_col = lineno, lineno, None, None
    name = globals_.get("__name__")
    name = name if type(name) is str else None
    module = sys.modules.get(name) if name is not None else None
    if module is not None and getattr(module, "__dict__", None) is not globals_:
        module = None
    source = None
    if line is not None:
        try:
            source = _source(code, module, code.co_filename, line, end if end is not None else line)
        except Exception:  # a module object of a strange kind
            source = None
    return (
        code.co_filename, code.co_firstlineno, line, end, col, end_col,
        code.co_name, code.co_qualname, name, source, None,
    )  # fmt: skip


def take(exc: BaseException, skip: int, frames: list[Any], known: dict[Any, int]) -> tuple[int, ...]:
    """The traceback of `exc` as indices into `frames`, to which new ones are added. known: {key: index}."""
    trace: list[int] = []
    tb = exc.__traceback__
    while tb is not None and skip > 0:
        tb, skip = tb.tb_next, skip - 1
    while tb is not None:
        f = tb.tb_frame
        code = f.f_code
        key = (id(code), tb.tb_lasti)
        at = known.get(key)
        if at is None:
            entry = _cache.get(key)
            if entry is None:
                if len(_cache) >= _MAX_CACHE:
                    _cache.clear()
                entry = _cache[key] = (code, _frame(code, tb.tb_lasti, tb.tb_lineno, f.f_globals))
            at = known[key] = len(frames)
            frames.append(entry[1])
        trace.append(at)
        if tb.tb_next is None and isinstance(exc, NameError):
            names = [n for n in (*f.f_locals, *f.f_globals) if type(n) is str and n[:2] != "__"]
            frames.append((*frames[at][:-1], tuple(names[:700])))
            trace[-1] = len(frames) - 1
        tb = tb.tb_next
    if len(trace) > _MAX_TRACE:
        trace[_MAX_TRACE // 2 : -_MAX_TRACE // 2] = []
    return tuple(trace)


# ---- in --------------------------------------------------------------------


def _never() -> Any:
    yield


_TEMPLATE = _never.__code__
_UNITS = len(_TEMPLATE.co_code) // 2


def _varint(n: int) -> bytes:
    out = bytearray()
    while n >= 64:
        out.append(64 | n & 63)
        n >>= 6
    out.append(n)
    return bytes(out)


def _line_table(first: int, line: int, end: int, col: int | None, end_col: int | None) -> bytes:
    """A location table that gives every instruction the same place (format: CPython's locations.md)."""
    out = bytearray()
    delta = line - first
    left = _UNITS
    while left > 0:
        length = min(left, 8)
        left -= length
        signed = _varint(((-delta) << 1) | 1 if delta < 0 else delta << 1)
        if col is None or end_col is None or end < line:
            out += bytes([0x80 | 13 << 3 | length - 1]) + signed
        else:
            out += bytes([0x80 | 14 << 3 | length - 1]) + signed
            out += _varint(end - line) + _varint(col + 1) + _varint(end_col + 1)
        delta = 0
    return bytes(out)


class _AsScheduled(str):
    """A file name that is a key of its own in linecache: it shows like the file and stands for an
    older text of it, which the running code was made from."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self) >> 4


_remembered: dict[str, list[str]] = {}
_older: dict[str, list[_AsScheduled]] = {}


def remember(file: str) -> None:
    """In main, when a definition is taken: keep what `file` says now."""
    import linecache

    linecache.checkcache(file)
    lines = linecache.getlines(file)
    if lines:
        _remembered[file] = lines


def _older_name(file: str, lines: list[str]) -> str:
    import linecache

    for name in _older.get(file, ()):
        entry = linecache.cache.get(name)
        if entry is not None and len(entry) == 4 and entry[2] == lines:
            return name
    name = _AsScheduled(file)
    names = _older.setdefault(file, [])
    names.append(name)
    if len(names) > 20:
        linecache.cache.pop(names.pop(0), None)
    linecache.cache[name] = (sum(map(len, lines)), None, lines, file)
    return name


def _file_for(frame: Frame) -> str:
    """The name under which linecache gives the lines that the frame ran."""
    file, line, end, source = frame[0], frame[2], frame[3], frame[9]
    old = _remembered.get(file)
    if line is None or (source is None and old is None):
        return str(file)
    import linecache

    linecache.checkcache(file)
    now = linecache.getlines(file)
    if source is None:
        return str(file) if now is old or now == old else _older_name(file, old or [])
    end = line if end is None else end
    if "".join(now[line - 1 : end]) == source:
        return str(file)
    if old is not None and "".join(old[line - 1 : end]) == source:
        return _older_name(file, old)
    return _older_name(file, ["\n"] * (line - 1) + source.splitlines(keepends=True))


def _rebuild_one(frame: Frame) -> tuple[Any, int]:
    _, first, line, end, col, end_col, name, qualname, module, _, names = frame
    line = line or first
    code = _TEMPLATE.replace(
        co_filename=_file_for(frame),
        co_name=name,
        co_qualname=qualname,
        co_firstlineno=first,
        co_linetable=_line_table(first, line, end or line, col, end_col),
    )
    globals_: dict[str, Any] = dict.fromkeys(names) if names else {}
    globals_["__name__"] = module
    return FunctionType(code, globals_)().gi_frame, line


def rebuild(frames: Any, trace: Any) -> TracebackType | None:
    """A traceback of the entries `frames[i] for i in trace`, outermost first."""
    made: dict[int, tuple[Any, int]] = {}
    tb: TracebackType | None = None
    for i in reversed(trace):
        if i not in made:
            made[i] = _rebuild_one(frames[i])
        f, line = made[i]
        tb = TracebackType(tb, f, 0, line)
    return tb


def text(trace: list[Frame]) -> str:
    """The entries as Python prints them, without carets."""
    if not trace:
        return ""
    import linecache

    out = ["Traceback (most recent call last):\n"]
    for frame in trace:
        out.append(f'  File "{frame[0]}", line {frame[2]}, in {frame[6]}\n')
        line = frame[9] or (linecache.getline(frame[0], frame[2]) if frame[2] else "")
        if line.strip():
            out.append(f"    {line.strip().splitlines()[0]}\n")
    return "".join(out)
