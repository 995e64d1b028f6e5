"""The source lines of a code object, for tracebacks shown after the file or cell has changed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

# filename -> (the list that linecache held, its lines); linecache makes a new list for each version.
_kept: dict[str, tuple[list[str], tuple[str, ...]]] = {}


def source_lines(code: CodeType) -> tuple[str, ...] | None:
    """Return all lines of the file or cell of `code` as they are now, or None where there is no source.

    Equal versions of one file share one tuple. The first item is line 1; newlines are kept.
    """
    import linecache

    filename = code.co_filename
    linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    if not lines:
        return None
    known = _kept.get(filename)
    if known is not None and known[0] is lines:
        return known[1]
    if known is not None and list(known[1]) == lines:
        _kept[filename] = (lines, known[1])
        return known[1]
    result = tuple(lines)
    _kept[filename] = (lines, result)
    return result
