"""Class attributes that change in place: taken at each schedule of a body that uses them, set before it runs.

A class travels once, with its attributes; one that is bound anew comes after it as a patch. Neither shows that
`A.table["x"] = 1` happened. So what of a class can change and has a name that occurs in the code that a body reaches
is encoded with the body, like any other mutable capture. A class without such attributes costs nothing here.
"""

from __future__ import annotations

from _weakref import ref
from types import ModuleType

from boc import _load, _reduce, _stable, _touched
from boc._closed import Closed, changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType
    from typing import Any

_GENERATED = frozenset(("_field_defaults", "_ignore_"))  # of named tuples and enums: not the program's


class InPlace:
    """Stands for some attributes of a class: encoding it takes what they hold then, decoding it sets them."""

    __slots__ = ("_cls", "_names", "name")

    def __init__(self, cls: type, names: list[str]) -> None:
        self.name = cls.__qualname__
        self._cls = ref(cls)
        self._names = names

    def __reduce__(self) -> tuple[Any, ...]:
        cls = self._cls()
        space = cls.__dict__ if cls is not None else {}
        values = {name: space[name] for name in self._names if name in space}
        return itself, (cls,), values, None, None, set_in_place


def itself(cls: type | None) -> type | None:
    """Return the class whose attributes come."""
    return cls


def set_in_place(cls: type | None, values: dict[str, Any]) -> None:
    """Give a class that came from elsewhere the attributes that it had when the body was scheduled."""
    if cls is not None and _load.ids.get(cls) in _load.loaded:
        for name, value in values.items():
            type.__setattr__(cls, name, value)
        _touched.came(cls, values)


def changing(cls: type) -> list[str]:
    """Return the names of the data attributes of a class whose values can change in place."""
    if type(cls) is not type and _touched.setter(cls) is not type.__setattr__:
        return []  # a metaclass in C keeps what it was given: ctypes
    own = _reduce.sent_attributes(cls).items()
    return [n for n, v in own if not n.startswith("__") and n not in _GENERATED and _changes(v)]


def _changes(value: Any) -> bool:
    kind: Any = type(value)
    if kind in _stable.ATOMS or issubclass(kind, (type, ModuleType)) or kind.__module__ == "functools":
        return False
    return not hasattr(kind, "__get__") and not _stable.is_stable(value, set())


def used(classes: Iterable[type], codes: Iterable[CodeType]) -> list[InPlace | Closed]:
    """Return what of these classes has to be taken for a body that reaches this code."""
    closed: list[InPlace | Closed] = [Closed(cls) for cls in classes if changes(cls)]
    return closed + _in_place(classes, codes)


def _in_place(classes: Iterable[type], codes: Iterable[CodeType]) -> list[InPlace | Closed]:
    found = [(cls, names) for cls in classes if (names := changing(cls))]
    if not found:
        return []
    named: set[str] = set()
    for code in codes:
        _add_names(code, named)
    return [InPlace(cls, mine) for cls, names in found if (mine := [n for n in names if n in named])]


def _add_names(code: CodeType, named: set[str]) -> None:
    """Add every name in the code, and every string: `getattr(A, "table")` uses the attribute too."""
    named.update(code.co_names)
    for constant in code.co_consts:
        if type(constant) is str:
            named.add(constant)
        elif type(constant) is type(code):
            _add_names(constant, named)
