"""In the main interpreter: a snapshot of what workers must see of it, made when it changed.

C (environ.c) sees that something may have changed when a behavior is scheduled, asks
`changed`, and keeps what it returns for the workers, where `_worker.apply_environment`
takes it over.
"""

from __future__ import annotations

import logging
import marshal
import os
import sys
from typing import Any

from boc import _core

__all__ = ["changed", "forget"]

_last: tuple[dict[Any, Any], list[str], int, Any, Any] | None = None
_levels_dirty = True
_levels: tuple[int, int, dict[str, int]] | None = None
_watched: Any = None


def _touch_levels() -> None:
    global _levels_dirty
    _levels_dirty = True
    _core.environment_dirty()


def _logging_levels() -> tuple[int, int, dict[str, int]] | None:
    """(root's level, logging.disable, {name: level}) of main."""
    global _levels, _levels_dirty, _watched
    manager: Any = logging.root.manager
    if _watched is not manager:
        # setLevel and disable end in a call of this; there is no other way to hear of them.
        clear = manager._clear_cache

        def clear_cache() -> None:
            clear()
            _touch_levels()

        manager._clear_cache = clear_cache
        _watched = manager
        _levels_dirty = True
    if _levels_dirty:
        _levels_dirty = False
        loggers = {
            name: logger.level
            for name, logger in list(manager.loggerDict.items())
            if isinstance(logger, logging.Logger) and logger.level
        }
        _levels = (logging.root.level, manager.disable, loggers)
    return _levels


def _packed_pattern(pattern: Any) -> Any:
    return pattern if pattern is None or type(pattern) is str else (pattern.pattern, pattern.flags)


def _packed_filters(filters: Any) -> list[Any] | None:
    try:
        return [
            (
                action,
                _packed_pattern(message),
                (category.__module__, category.__qualname__),
                _packed_pattern(module),
                lineno,
            )
            for action, message, category, module, lineno in filters
        ]
    except (AttributeError, TypeError, ValueError):  # somebody's own objects in the list
        return None


def changed(anew: bool = False) -> bytes | None:
    """The snapshot, or None if nothing changed since it was made last.

    anew: there is one in any case. Another thread may have made the last one and not handed it over yet.
    """
    global _last
    environ: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
    filters = getattr(sys.modules.get("warnings"), "filters", None)
    levels = _logging_levels()
    limit = sys.getrecursionlimit()
    last = _last
    if (
        not anew
        and last is not None
        and last[1] == sys.path
        and last[2] == limit
        and last[3] is levels
        and last[4] == filters
        and last[0] == environ
    ):
        return None
    _last = (dict(environ), list(sys.path), limit, levels, None if filters is None else list(filters))
    packed = None if filters is None else _packed_filters(filters)
    path = [p for p in sys.path if isinstance(p, str)]
    return marshal.dumps((dict(environ), path, limit, levels, packed))


def forget() -> None:
    """The next `changed` returns a snapshot, whatever happened before (new workers)."""
    global _last
    _last = None
