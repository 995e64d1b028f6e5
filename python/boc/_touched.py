"""What a body sets in a class or function that came from elsewhere goes when the body ends: no other body sees it.

Each is made once in a worker, and all the bodies of that worker use that one. The C core has CPython tell which of
them a body changed (`touched.c`), and calls `put_back` when it ends. What the program itself sets in a class later
comes as a patch or with the next body, and is noted here as what the class came with.
"""

from __future__ import annotations

from _weakref import ref
from types import FunctionType

from boc import _store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# Where a class keeps the attributes that it came with. A table of them here would keep the class alive, since methods
# and slots refer to it; names of this kind are no part of a protocol.
_CAME_WITH = "_abc_came_with"
_classes: dict[int, ref[type]] = {}
_functions: dict[int, tuple[ref[FunctionType], dict[str, Any]]] = {}  # id of its dict -> function, attributes
_absent = object()
_NONE: dict[str, Any] = {}


def watch(cls: type) -> None:
    """Note what a class came with, all of it; a worker puts that back whatever its bodies set."""
    if _store.is_main or (type(cls) is not type and setter(cls) is not type.__setattr__):
        return  # main's pinned bodies work on the program's own; a metaclass in C keeps what it was given: ctypes
    known: dict[str, Any] = {}
    type.__setattr__(cls, _CAME_WITH, known)
    known.update(cls.__dict__)
    number = id(cls)
    _classes[number] = ref(cls, lambda gone: _classes.pop(number, None) if _classes.get(number) is gone else None)
    _store.watch_changes(cls)


def watch_function(func: FunctionType) -> None:
    """Note the attributes that a function came with."""
    if _store.is_main:
        return
    attributes, key = func.__dict__, id(func.__dict__)
    _functions[key] = (ref(func, lambda gone: _forget(key, gone)), dict(attributes))
    _store.watch_changes(attributes)


def _forget(key: int, gone: ref[FunctionType]) -> None:
    if key in _functions and _functions[key][0] is gone:
        del _functions[key]


def came(cls: type, names: Iterable[str]) -> None:
    """Note that the program set or removed these attributes of a class after it came."""
    known = cls.__dict__.get(_CAME_WITH)
    if known is None:
        return
    for name in names:
        value = cls.__dict__.get(name, _absent)
        if value is _absent:
            known.pop(name, None)
        else:
            known[name] = value


def put_back(touched: list[int]) -> None:
    """Give classes and functions the attributes that they came with; a body that may have changed them has ended.

    `touched`: ids of the classes, and of the dicts of the functions.
    """
    for number in set(touched):
        cls = _classes[number]() if number in _classes else None
        if cls is not None:
            _put_class_back(cls)
        func, known = _functions.get(number, (None, _NONE))
        if func is not None and (found := func()) is not None:
            now = found.__dict__
            if len(now) != len(known) or any(now.get(n, _absent) is not v for n, v in known.items()):
                now.clear()
                now.update(known)


def _put_class_back(cls: type) -> None:
    known = cls.__dict__.get(_CAME_WITH)
    if known is None:
        return
    now = cls.__dict__
    set_attributes(cls, {name: value for name, value in known.items() if now.get(name, _absent) is not value})
    for name in [n for n in now if n not in known and not (n.startswith("__") and n.endswith("__"))]:
        type.__delattr__(cls, name)  # names with underscores around are what Python itself keeps there
    _store.watch_changes(cls)


def set_attributes(cls: type, attributes: dict[str, Any]) -> None:
    """Set attributes of a class without running a metaclass written in Python."""
    set_one = setter(cls)
    for name, value in attributes.items():
        set_one(cls, name, value)
    if "__firstlineno__" in attributes:
        # Setting other attributes of the class's head drops it.
        set_one(cls, "__firstlineno__", attributes["__firstlineno__"])


def setter(cls: Any) -> Any:
    """Return how attributes are set without running a metaclass written in Python; one in C must see them."""
    for owner in type(cls).__mro__:
        found = owner.__dict__.get("__setattr__")
        if found is not None and type(found) is not FunctionType:
            return owner.__setattr__
    return type.__setattr__
