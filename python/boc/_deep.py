"""Marks of definitions: what was in a function, or in what a class attribute holds, when it was taken apart.

Functions keep their identity when their code, defaults or attributes are set, and a property keeps its own when
that happens to its getter. A mark looks inside, as far as a definition carries its functions with it.
"""

from __future__ import annotations

from types import CellType, FunctionType, MethodType

from boc import _names
from boc._identity import IdentityMap, Mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Watched = list[tuple[dict[str, Any], str, "DeepMark"]]

_FUNCTOOLS = ("func", "args", "keywords", "__wrapped__", "dispatcher")


def parts(value: Any) -> list[Any]:
    """Return the definitions that a callable, a descriptor or a closure cell holds."""
    kind = type(value)
    if kind is CellType:
        try:
            return [value.cell_contents]
        except ValueError:
            return []
    if kind is MethodType:
        return [value.__func__, value.__self__]
    if issubclass(kind, property):
        return [value.fget, value.fset, value.fdel]
    if issubclass(kind, (classmethod, staticmethod)):
        return [value.__func__]
    if kind.__module__ == "functools":
        # partial, partialmethod, cached_property, lru_cache and singledispatch wrappers.
        return [getattr(value, name, None) for name in _FUNCTOOLS]
    return []


def inside(func: FunctionType) -> list[Any]:
    """Return what can be set on a function: its code, defaults and attributes, their names among them."""
    found: list[Any] = [func.__code__, *(func.__defaults__ or ())]
    for table in (func.__kwdefaults__, func.__dict__):
        for name, value in (table or {}).items():
            found += (name, value)
    return found


def _contents(value: Any) -> list[Any]:
    """Return a value and all that its definition carries with it, in one order as long as nothing is set."""
    found, seen, todo = [], set(), [value]
    while todo:
        value = todo.pop()
        found.append(value)
        if id(value) in seen:
            continue
        if type(value) is FunctionType:
            if not _names.by_name(value):
                seen.add(id(value))
                todo += inside(value)
                todo += value.__closure__ or ()
        elif not issubclass(type(value), type):
            within = parts(value)
            if within:
                seen.add(id(value))
                todo += within
    return found


class DeepMark:
    """A mark of a value and of all that its definition carries with it."""

    __slots__ = ("_marks",)

    def __init__(self, value: object) -> None:
        self._marks = [Mark(part) for part in _contents(value)]

    def is_of(self, value: object) -> bool:
        """Whether this is the same object, whatever was set inside."""
        return self._marks[0].fits(value)

    def fits(self, value: object) -> bool:
        """Whether this is the same object and nothing was set inside."""
        if not self._marks[0].fits(value):
            return False
        found = _contents(value)
        return len(found) == len(self._marks) and all(
            mark.fits(part) for mark, part in zip(self._marks, found, strict=True)
        )


edits = [0]  # how often a function was found edited
_functions = IdentityMap()  # function -> its mark when its definition was made


def remember(func: FunctionType) -> None:
    """Take note of what is in a function now."""
    _functions.set(func, DeepMark(func))


def is_unedited(func: FunctionType) -> bool:
    """Whether a function is as it was remembered."""
    known: DeepMark | None = _functions.get(func)
    if known is not None and known.fits(func):
        return True
    if known is not None:
        edits[0] += 1
    return False


def as_before(known: list[Any]) -> bool:
    """Whether names have their values still; `known`: [number of edits at the last look, Watched, ...].

    The functions among them are looked into only after some function was found edited.
    """
    watched: Watched = known[1]
    if not all(name in space and mark.is_of(space[name]) for space, name, mark in watched):
        return False
    if known[0] != edits[0]:
        if not all(mark.fits(space[name]) for space, name, mark in watched):
            return False
        known[0] = edits[0]
    return True
