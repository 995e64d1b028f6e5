"""What the methods of a class close over: taken at each schedule of a body that uses the class, set before it runs.

A class travels once, and the variables of its methods with it. One that the program binds anew later, or whose value
changes in place, is encoded with the body like any other capture. A class whose methods close over nothing, or only
over what nobody can change, costs nothing here.
"""

from __future__ import annotations

import sys
from _weakref import ref
from sys import getrefcount
from types import FunctionType

from boc import _load, _stable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CellType
    from typing import Any

_OF_THE_CLASS = ("__class__", "__classdict__")  # the compiler's own variables
_ANNOTATE = ("__annotate__", "__annotate_func__")  # from 3.14: functions that give annotations, no methods
_Place = tuple[str, int, int]  # attribute of the class, which of its functions, which of its variables


class Closed:
    """Stands for the variables of a class's methods: encoding it takes what they hold then, decoding it sets them."""

    __slots__ = ("_cls", "name")

    def __init__(self, cls: type) -> None:
        self.name = cls.__qualname__
        self._cls = ref(cls)

    def __reduce__(self) -> tuple[Any, ...]:
        cls = self._cls()
        values: dict[_Place, Any] = {}
        for place, cell, _ in _variables(cls) if cls is not None else ():
            try:
                values[place] = cell.cell_contents
            except ValueError:  # not bound yet
                continue
        return itself, (cls,), values, None, None, set_closed


def itself(cls: type | None) -> type | None:
    """Return the class whose variables come."""
    return cls


def set_closed(cls: type | None, values: dict[_Place, Any]) -> None:
    """Give the methods of a class that came from elsewhere the variables as they were when the body was scheduled."""
    if cls is None or _load.ids.get(cls) not in _load.loaded:
        return
    for place, cell, _ in _variables(cls):
        if place in values:
            cell.cell_contents = values[place]


def changes(cls: type) -> bool:
    """Whether a variable that methods of the class close over can be bound anew, or holds what can change."""
    for _, cell, users in _variables(cls):
        # By the program, that holds it as well, or by a method: what neither can do, nobody can.
        if _spare(cell, users) > _NONE_SPARE or any(_stable.rebinds(func.__code__) for func in users):
            return True
        try:
            if not _stable.is_stable(cell.cell_contents, set()):
                return True
        except ValueError:  # it will be bound later
            return True
    return False


def _spare(cell: CellType, users: list[FunctionType]) -> int:
    return getrefcount(cell) - len(users)


def _variables(cls: type) -> list[tuple[_Place, CellType, list[FunctionType]]]:
    """Return each variable once, with the functions of the class that close over it."""
    found: dict[int, tuple[_Place, CellType, list[FunctionType]]] = {}
    for name, value in list(cls.__dict__.items()):
        for which, func in enumerate(_functions(value) if name not in _ANNOTATE else []):
            for i, variable in enumerate(func.__code__.co_freevars):
                if variable not in _OF_THE_CLASS and func.__closure__ is not None:
                    cell = func.__closure__[i]
                    found.setdefault(id(cell), ((name, which, i), cell, []))[2].append(func)
    return list(found.values())


def _functions(value: Any) -> list[FunctionType]:
    kind = type(value)
    if kind is property:
        found = [value.fget, value.fset, value.fdel]
    elif kind is classmethod or kind is staticmethod:
        found = [value.__func__]
    else:
        found = [getattr(value, "func", None) if kind.__module__ == "functools" else value]
    return [func for func in found if type(func) is FunctionType and not _is_generated(func)]


def _is_generated(func: FunctionType) -> bool:
    """Made by dataclasses, or a wrapper of the standard library: what it closes over is not the program's."""
    module = str(func.__globals__.get("__name__")).partition(".")[0]
    if module in sys.stdlib_module_names and module != "__main__":
        return True
    return func.__code__.co_qualname.startswith("__create_fn__.")


def _sample() -> type:
    held = object()

    class Sample:
        def method(self) -> object:
            return held

    return Sample


_NONE_SPARE = next(_spare(cell, users) for _, cell, users in _variables(_sample()))
