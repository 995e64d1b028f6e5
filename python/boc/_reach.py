"""What a body reaches: the global names and classes that it and the definitions it uses need."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from types import CodeType, FunctionType, MemberDescriptorType, ModuleType

from boc import _attributes, _deep, _names, _scan, _store
from boc._stable import ATOMS, classify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

GLOBAL, TYPE, FUNCTION, RELOAD, ATTRIBUTES = 0, 2, 3, 4, 5  # mirrored in when.h
_MOST_ITEMS = 4000  # looked at in all containers of a body; a table of handlers is small, data may be large
_CONTAINERS = frozenset((list, tuple, set, frozenset, dict, deque))
_SKIPPED_ATTRIBUTES = frozenset(("__dict__", "__weakref__", "__doc__", "__module__", "__annotate_func__"))


# Classes whose values may be anywhere: id -> (weak reference, the globals that their methods use). Every body
# analysed later takes those names too, so that methods called through a value alone see them rebound.
sent: dict[int, tuple[Any, list[tuple[dict[str, Any], str]]]] = {}


class Reach:
    """A walk over code and values; `entries` are (kind, container, key, namespace key) in order of discovery.

    GLOBAL: name `key` in the dict `container`, which may not be bound there, or not yet. TYPE and FUNCTION: the
    class or function `container`; key and namespace only identify it. RELOAD: a name of a module that shows that
    it was reloaded; nothing is taken along. ATTRIBUTES: what of a class can change in place, `container` says what.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[int, Any, str, str]] = []
        self._seen: set[object] = set()
        self._kept: list[Any] = []  # temporaries whose ids are in _seen
        self._todo: list[Any] = []
        self._items_left = _MOST_ITEMS
        self._codes: list[CodeType] = []

    def code(self, code: CodeType, globals_: dict[str, Any]) -> None:
        """Take in the globals that a function with this code uses, and all they lead to."""
        self._code(code, globals_)
        self._drain()

    def values(self, values: Iterable[Any]) -> None:
        """Take in what these values lead to."""
        self._todo.extend(values)
        self._drain()

    def in_order(self) -> list[tuple[int, Any, str, str]]:
        """Return the entries, classes last: what was set on them is asked once they were sent."""
        classes = [entry for entry in self.entries if entry[0] == TYPE]
        changing = [
            (ATTRIBUTES, found, found.name, "attributes")
            for found in _attributes.used([entry[1] for entry in classes], self._codes)
        ]
        return [entry for entry in self.entries if entry[0] != TYPE] + changing + classes

    def sent_names(self) -> None:
        """Take in what the methods of classes sent before use, as far as its encoding is remembered."""
        for number, known in list(sent.items()):
            cls, names = known
            if cls() is None:
                if sent.get(number) is known:  # else another thread came first
                    sent.pop(number, None)
                continue
            for globals_, name in names:
                value = globals_.get(name)
                key = _names.namespace_key(globals_)
                if (key, name) not in self._seen and type(value) is not ModuleType and classify(value) == "stable":
                    self._seen.add((key, name))
                    self.entries.append((GLOBAL, globals_, name, key))

    def _drain(self) -> None:
        while self._todo:
            self._value(self._todo.pop())

    def _code(self, code: CodeType, globals_: dict[str, Any]) -> None:
        self._codes.append(code)
        imported = _scan.imported_names(code)
        for name in imported:
            module = sys.modules.get(name)
            if type(module) is ModuleType:  # its cowns are main's for the body too
                self._module(module)
        names = _scan.global_names(code)
        if _names.is_sealed(globals_):
            return
        key = _names.namespace_key(globals_)
        if imported and key == "__main__" and globals_.get("__package__"):
            names = (*names, "__package__")  # where a relative import begins
        if names and (module := _names.module_of(globals_)) is not None:
            self._module_cowns(module)
        for name in names:
            self._name(globals_, name, key)

    def _name(self, globals_: dict[str, Any], name: str, key: str) -> None:
        if (key, name) in self._seen:
            return
        self._seen.add((key, name))
        # A name of builtins too: the program may bind it later.
        self.entries.append((GLOBAL, globals_, name, key))
        if name in globals_:
            self._todo.append(globals_[name])

    def _value(self, value: Any) -> None:
        kind = type(value)
        if kind in ATOMS or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._kept.append(value)
        if kind is FunctionType:
            self._function(value)
        elif issubclass(kind, type):  # not isinstance: a proxy would ask what it stands for
            self._class(value)
        elif kind is ModuleType:
            self._module(value)
        elif not issubclass(kind, _store.cown_types):
            base: Any = next((base for base in kind.__mro__ if base in _CONTAINERS), None)
            if base is dict:
                self._items([*dict.values(value), *dict.keys(value)])
            elif base is not None:  # not the way of a subclass, which is the program's
                self._items(list(base.__iter__(value)))
            if kind not in _CONTAINERS:
                self._todo.extend(_deep.parts(value))
                self._todo.append(kind)
                self._items(_held(value))

    def _items(self, items: Collection[Any]) -> None:
        if self._items_left <= 0:
            return
        looked_at = itertools.islice(items, self._items_left)
        self._items_left -= len(items)
        self._todo.extend(item for item in looked_at if type(item) not in ATOMS)

    def _function(self, func: FunctionType) -> None:
        if _names.by_name(func):
            self._module(sys.modules[func.__module__])
            return
        self.entries.append((FUNCTION, func, func.__qualname__, "function"))
        self._code(func.__code__, func.__globals__)
        self._todo.extend(_deep.inside(func)[1:])
        self._todo.extend(func.__closure__ or ())

    def _class(self, cls: type) -> None:
        if not _names.is_made_here(cls):
            holder = sys.modules.get(cls.__module__)
            if type(holder) is ModuleType:
                self._module(holder)
            return
        # A namespace of its own: the name of the class may be bound to something else in the module's.
        self.entries.append((TYPE, cls, cls.__qualname__, "class"))
        self._todo.append(type(cls))
        self._todo.extend(cls.__bases__)
        self._todo.extend(v for k, v in cls.__dict__.items() if k not in _SKIPPED_ATTRIBUTES)

    def _module(self, holder: ModuleType) -> None:
        self._module_cowns(holder)
        if ("reload", id(holder)) in self._seen or not _names.is_user_module(holder):
            return
        self._seen.add(("reload", id(holder)))
        # A reload keeps the module object but makes its functions and classes anew: watching one shows it.
        for name, value in list(holder.__dict__.items()):
            if isinstance(value, (type, FunctionType)) and value.__module__ == holder.__name__:
                key = "reload:" + _names.module_key(holder.__name__).partition(":")[2]
                self.entries.append((RELOAD, holder.__dict__, name, key))
                break

    def _module_cowns(self, holder: ModuleType) -> None:
        """Take in the top-level cowns of a user's module, and of the user's modules that it uses."""
        if not _store.cown_types or ("module", id(holder)) in self._seen:
            return
        self._seen.add(("module", id(holder)))
        globals_ = holder.__dict__
        if not _names.is_user_module(holder) or _names.module_of(globals_) is None:
            return
        key = _names.module_key(holder.__name__)
        for name, value in list(globals_.items()):
            if _holds_cowns(value):
                self.entries.append((GLOBAL, globals_, name, key))
            elif type(value) is ModuleType:
                self._module_cowns(value)
            elif issubclass(type(value), (type, FunctionType)):
                origin = sys.modules.get(value.__module__)
                if type(origin) is ModuleType:
                    self._module_cowns(origin)


def _held(value: Any) -> list[Any]:
    """Return what the attributes of an object hold: those of its `__dict__` and of its slots."""
    try:
        found = list(object.__getattribute__(value, "__dict__").values())
    except AttributeError:
        found = []
    for cls in type(value).__mro__:
        if "__slots__" in cls.__dict__:
            for slot in cls.__dict__.values():
                if type(slot) is MemberDescriptorType:
                    try:
                        found.append(slot.__get__(value))
                    except AttributeError:  # nothing was set
                        continue
    return found


def _holds_cowns(value: Any) -> bool:
    """Whether a module's value is a cown, or a list, tuple or dict with one: main's is meant everywhere."""
    cowns, kind = _store.cown_types, type(value)
    if kind is list or kind is tuple:
        return any(issubclass(type(item), cowns) for item in value)
    if kind is dict:
        return any(issubclass(type(item), cowns) for item in value.values())
    return issubclass(kind, cowns)
