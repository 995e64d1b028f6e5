"""The function of a `notice_update`, with the globals that it uses as they are at the call.

Functions are sent as definitions, and main's own come back as they are: among main's globals of the moment
when the update is applied. So the values of the names that a function uses go along, and it runs among those.
"""

from __future__ import annotations

from functools import partial
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["taken"]

_BY_NAME = (FunctionType, BuiltinFunctionType, ModuleType)


class _Taken:
    """A function and what it captured; called once, on the thread that applies updates."""

    __slots__ = ("captures", "fn", "places")

    def __init__(self, fn: Any, captures: dict[str, Any], places: dict[str, tuple[str, str]]) -> None:
        self.fn = fn
        self.captures = captures  # by name: an error says which of them cannot move
        self.places = places  # the same keys: (namespace key, name)

    def __reduce__(self) -> Any:
        return _Taken, (self.fn, self.captures, self.places)

    def __call__(self, value: Any) -> Any:
        from boc._names import namespace_dict

        spaces = _Spaces()
        for label, (key, name) in self.places.items():
            real = namespace_dict(key)
            if key.startswith("mod:"):
                spaces.by_name.add(id(real))
            if id(real) not in spaces.of:
                whole = id(real) in spaces.by_name  # what a function by name did not take is as it is
                spaces.of[id(real)] = {n: v for n, v in real.items() if whole or n[:2] == n[-2:] == "__"}
            spaces.of[id(real)][name] = self.captures[label]
        made: dict[int, Any] = {}
        for space in spaces.of.values():
            for name, held in space.items():
                space[name] = _among(held, spaces, made)
        return _among(self.fn, spaces, made)(value)


class _Spaces:
    """What functions see in place of their dicts of globals."""

    __slots__ = ("by_name", "of")

    def __init__(self) -> None:
        self.of: dict[int, dict[str, Any]] = {}  # id of a dict of globals -> the other one
        self.by_name: set[int] = set()  # ids of those where functions of a module that go by name are meant too


def _among(found: Any, spaces: _Spaces, made: dict[int, Any]) -> Any:
    """The same callable among these globals instead of its own; what is no function of theirs stays as it is."""
    from boc._names import by_name

    if id(found) in made:
        return made[id(found)]
    if type(found) is partial:
        return partial(_among(found.func, spaces, made), *found.args, **found.keywords)
    if type(found) is MethodType:
        return MethodType(_among(found.__func__, spaces, made), found.__self__)
    if type(found) is not FunctionType or not (found.__closure__ or id(found.__globals__) in spaces.of):
        return found
    if id(found.__globals__) not in spaces.by_name and by_name(found):
        return found
    cells = tuple(CellType() for _ in found.__closure__ or ())
    space = spaces.of.get(id(found.__globals__), found.__globals__)
    twin = FunctionType(found.__code__, space, found.__name__, found.__defaults__, cells)
    twin.__kwdefaults__ = found.__kwdefaults__
    twin.__dict__.update(found.__dict__)
    made[id(found)] = twin
    for cell, old in zip(cells, found.__closure__ or (), strict=True):
        try:
            cell.cell_contents = _among(old.cell_contents, spaces, made)
        except ValueError:  # an empty cell stays empty
            continue
    return twin


def _of_module(fn: Any) -> list[tuple[str, dict[str, Any]]]:
    """The values that a function of an importable module uses of it: what goes by name is main's own anyway."""
    from boc import _names, _scan

    while isinstance(fn, (partial, MethodType)):
        fn = fn.func if isinstance(fn, partial) else fn.__func__
    if type(fn) is not FunctionType:
        return []
    used = {n: fn.__globals__[n] for n in _scan.global_names(fn.__code__) if n in fn.__globals__}
    data = {n: v for n, v in used.items() if type(v) not in _BY_NAME and not isinstance(v, type)}
    if not data or not _names.by_name(fn):
        return []
    return [(_names.module_key(fn.__module__), data)]


def taken(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what stands for `fn` with its globals as they are now; `fn` itself if it uses none."""
    from boc._define import names_for

    captures: dict[str, Any] = {}
    places: dict[str, tuple[str, str]] = {}
    for key, names in [*names_for(fn).items(), *_of_module(fn)]:
        for name, value in names.items():
            label = name if name not in captures else f"{key}.{name}"
            captures[label] = value
            places[label] = (key, name)
    return _Taken(fn, captures, places) if captures else fn
