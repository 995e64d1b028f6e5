"""Annotations of definitions, as they travel: only what a worker has anyway.

An annotation is hardly ever looked at in a body, but one that names a class of a large library would make every
worker import it. What is neither built in nor made by the program goes as its text.
"""

from __future__ import annotations

import sys

from boc import _names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLAIN_MODULES = frozenset(("builtins", "typing", "types", "collections.abc", "boc._core", "boc"))
_MOST_DEPTH = 10


def plain(annotations: dict[str, Any]) -> dict[str, Any]:
    """Return annotations in which foreign classes are replaced by their text."""
    return {name: plain_value(value) for name, value in annotations.items()}


def plain_value(value: Any) -> Any:
    """Return an annotation itself, or its text if it leads to another module's class."""
    return value if _is_plain(value, 0) else _text(value)


def add_late(state: dict[str, Any], holder: Any) -> None:
    """Add the annotations of a function or class that evaluates them late (3.14 on), where they can be."""
    try:
        state["__annotations__"] = plain(holder.__annotations__)
    except Exception:  # a name that is not defined (yet), or whatever the expressions raise
        state.pop("__annotations__", None)


def _is_plain(value: Any, depth: int) -> bool:
    if value is None or isinstance(value, (str, int)):
        return True
    if depth > _MOST_DEPTH:
        return False
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item, depth + 1) for item in value)
    arguments = getattr(value, "__args__", None)
    if type(arguments) is tuple:
        origin = getattr(value, "__origin__", None)
        return _is_plain(origin, depth + 1) and all(_is_plain(item, depth + 1) for item in arguments)
    if isinstance(value, type):
        return value.__module__ in _PLAIN_MODULES or _names.is_made_here(value)
    if type(value).__module__ == "typing":
        # A type variable is of the module that made it; forms like Any say typing.
        holder = sys.modules.get(getattr(value, "__module__", ""))
        return type(value).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple") or holder is sys.modules["typing"]
    return value is ...


def _text(value: Any) -> str:
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)
