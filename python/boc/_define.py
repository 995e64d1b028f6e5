"""Definitions of functions and classes: the face of this part.

`define` puts a definition into the store and gives its id, `load` (boc._load) makes it again elsewhere,
`reduce_for_pickle` tells the pickler of values how to refer to one, `changes` sends attributes set later.
"""

from __future__ import annotations

import _pickle
import marshal
from _io import BytesIO
from _weakref import ref
from types import FunctionType

from boc import _deep, _hints, _load, _names, _reach, _reduce, _stable, _store, _taken
from boc._analyse import analyse
from boc._deep import DeepMark
from boc._identity import IdentityMap
from boc._load import load, load_recipe
from boc._names import namespace_dict, namespace_key
from boc._reach import GLOBAL, Reach
from boc._source import source_lines
from boc._stable import ATOMS, classify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boc._deep import Watched

__all__ = [
    "analyse", "changes", "classify", "define", "edited", "load", "load_recipe", "names_for", "namespace_dict",
    "namespace_key", "reduce_for_pickle", "source_lines",
]  # fmt: skip

_MOST_NAMES_BYTES = 8 << 20  # a larger global stays at home: pass it, or put it in a cown
_MOST_VERSIONS = 16  # ids kept per code object; a closure over a loop variable goes by value after that

# definition -> [number of edits at the last look, marks of its names' values, id of its reference, reduction, its id]
_references = IdentityMap()
_code_names = IdentityMap()  # code of functions that go by value -> [number of edits, marks, id of its names]
_versions = IdentityMap()  # code -> how many ids its functions have
_sent = IdentityMap()  # class -> marks of its attributes when it was sent last
_shapes = IdentityMap()  # class -> (marks of what is set on it and may use names, how often that changed)
_touched = IdentityMap()  # class -> names of the attributes set since it was first sent
_last_patch = IdentityMap()  # class -> id of its last patch


class _Cycle(Exception):
    """A class leads back to one that is being defined: they must be defined together."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.members: list[type] = []


class _Definer(_pickle.Pickler):
    """A pickler of one definition. `group`: the classes taken apart in it; `outer`: groups begun before."""

    def __init__(self, out: BytesIO, group: list[type], outer: tuple[list[type], ...]) -> None:
        super().__init__(out, 5)
        self._group = group
        self._outer = outer

    def reducer_override(self, obj: Any) -> Any:
        return _reduce.reduce(obj, self._class, _reduce.function_parts)

    def _class(self, cls: type) -> tuple[Any, ...]:
        if any(member is cls for member in self._group):
            return _reduce.class_parts(cls)
        return _load.load, (_class_id(cls, (*self._outer, self._group)),)


def _dump(obj: Any, group: list[type], outer: tuple[list[type], ...]) -> bytes:
    out = BytesIO()
    _Definer(out, group, outer).dump(obj)
    return out.getvalue()


def _class_id(cls: type, outer: tuple[list[type], ...] = ()) -> bytes:
    """Return the id of a class's definition, made at the first call."""
    known: bytes | None = _load.ids.get(cls)
    if known is not None:
        return known
    if any(member is cls for group in outer for member in group):
        raise _Cycle(cls)
    group = [cls]
    while True:
        try:
            data = b"C" + _dump(tuple(group), group, outer)
            break
        except _Cycle as cycle:
            if not any(member is cycle.cls for member in group):
                cycle.members += group
                raise
            group += cycle.members
    key = _store.put(data)
    for i, member in enumerate(group):
        member_key = key if len(group) == 1 else _store.put(b"M" + key + i.to_bytes(4, "big"))
        _remember(member, member_key)
        _sent.set(member, {n: DeepMark(v) for n, v in _reduce.sent_attributes(member).items()})
    known = _load.ids.get(cls)
    assert known is not None
    return known


def _remember(obj: Any, key: bytes) -> None:
    _load.ids.set(obj, key)
    _load.set_own(key, obj)


def _function_id(func: FunctionType) -> bytes | None:
    """Return the id of a function that means the same until it is edited, or None."""
    known: bytes | None = _load.ids.get(func)
    if known is not None and _deep.is_unedited(func):
        return known
    if not _stable.is_settled(func, set()):
        return None
    if known is not None or func.__closure__ or func.__defaults__ or func.__kwdefaults__:
        count = _versions.get(func.__code__) or 0
        if count >= _MOST_VERSIONS:
            return None
        _versions.set(func.__code__, count + 1)
    key = _store.put(b"F" + _dump(func, [], ()))
    _remember(func, key)
    _deep.remember(func)
    return key


def edited() -> None:
    """Note that a function was edited since a body that reaches it was scheduled."""
    _deep.edits[0] += 1


def define(obj: Any) -> bytes | None:
    """Return the id under which `load` finds this function or class, or None.

    None: it is found by name in a module that workers import, or what it closes over may change, so that it
    goes by value each time. The pickler's error is raised for a class with an attribute that cannot move.
    """
    if isinstance(obj, type):
        return _reference(obj) if _names.is_made_here(obj) else None
    if type(obj) is FunctionType and not _names.by_name(obj) and _function_id(obj) is not None:
        return _reference(obj)
    return None


def _reference(obj: Any) -> bytes:
    """Return the id of a reference to a class or settled function, with the values its globals have now."""
    known = _current_reference(obj)
    if known is not None:
        return bytes(known[2])
    definition = _class_id(obj) if isinstance(obj, type) else _function_id(obj)
    names, watched = _names_id(obj)
    patch = _last_patch.get(obj) or _load.patches.get(obj) or b""
    key = _store.put(b"D" + marshal.dumps((definition, names, patch), 2))
    _references.set(obj, [_deep.edits[0], watched, key, (_load.load, (key,)), definition])
    _load.stale.set(obj, False)
    if watched and isinstance(obj, type):
        _reach.sent[id(obj)] = (ref(obj), [(space, name) for space, name, _ in watched])
    if key not in _load.loaded:
        _load.set_own(key, obj)
    return key


def _current_reference(obj: Any) -> list[Any] | None:
    """Return what is known of a reference made before, if all that it refers to is as it was."""
    known: list[Any] | None = _references.get(obj)
    if known is None or _load.stale.get(obj) or not _deep.as_before(known):
        return None
    if type(obj) is FunctionType and (known[4] != _load.ids.get(obj) or not _deep.is_unedited(obj)):
        return None
    return known


def _names_id(obj: Any) -> tuple[bytes, Watched]:
    carried = _load.carried.get(obj)
    if carried is not None or _load.ids.get(obj) in _load.loaded:
        # Made elsewhere: it goes on with the values that it came with.
        return carried or b"", []
    spaces, watched = _used_names(obj)
    packed: dict[str, dict[str, Any]] = {}
    dumped = {}
    for key, values in spaces.items():
        for name, value in values.items():
            data = _dump_small(value)
            if data is not None:
                packed.setdefault(key, {})[name] = value
                dumped[key, name] = data
    if not packed:
        return b"", watched
    return _taken.record(dumped, _dump(packed, [], ())), watched


def _dump_small(value: Any) -> bytes | None:
    try:
        data = _dump(value, [], ())
    except Exception:  # whatever its own __reduce__ raises: the name is then not defined over there
        return None
    return data if len(data) <= _MOST_NAMES_BYTES else None


def _used_names(obj: Any) -> tuple[dict[str, dict[str, Any]], Watched]:
    reach = Reach()
    reach.values([obj])
    spaces: dict[str, dict[str, Any]] = {}
    watched = []
    for kind, space, name, key in reach.entries:
        if kind == GLOBAL and name in space and not key.startswith("mod:"):
            spaces.setdefault(key, {})[name] = space[name]
            watched.append((space, name, DeepMark(space[name])))
    return spaces, watched


def names_for(obj: Any) -> dict[str, dict[str, Any]]:
    """Return `{namespace key: {name: value}}` of the globals that a function or a class uses now."""
    return _used_names(obj)[0]


def shape(cls: type) -> int:
    """Return a number that changes whenever something is set on a class that may use further names, like a method."""
    now = {n: v for n, v in _reduce.sent_attributes(cls).items() if type(v) not in ATOMS}
    known = _shapes.get(cls)
    if known is None or known[0].keys() != now.keys() or not all(known[0][n].fits(v) for n, v in now.items()):
        known = ({n: DeepMark(v) for n, v in now.items()}, known[1] + 1 if known is not None else 1)
        _shapes.set(cls, known)
    return int(known[1])


def changes(cls: type) -> bytes | None:
    """Return the id of what was set on a class since it was first sent; None for a class that never was.

    Loading it in a worker gives the worker's class of this version the attributes that it has here now: what was
    set since, also nothing, for a body scheduled before is not to see what was set for one after it.
    """
    before = _sent.get(cls)
    if before is None:
        known: bytes | None = _load.patches.get(cls)
        return known if known is not None or _load.ids.get(cls) is None else _patch(cls, {}, [])
    now = _reduce.sent_attributes(cls)
    differing = {n for n, value in now.items() if n not in before or not before[n].fits(value)}
    differing.update(n for n in before if n not in now)
    if not differing:
        last: bytes | None = _last_patch.get(cls)
        if last is None:
            last = _patch(cls, {}, [])
            _last_patch.set(cls, last)
        return last
    touched = differing | (_touched.get(cls) or set())
    values = {n: now[n] for n in now if n in touched}
    removed = sorted(n for n in touched if n not in now)
    key = _patch(cls, values, removed)
    _touched.set(cls, touched)
    _sent.set(cls, {n: DeepMark(v) for n, v in now.items()})
    _last_patch.set(cls, key)
    _load.stale.set(cls, True)
    return key


def _patch(cls: type, values: dict[str, Any], removed: list[str]) -> bytes:
    return _store.put(b"P" + _dump((cls, values, removed), [], ()))


def reduce_for_pickle(obj: Any) -> Any:
    """Return how the pickler of values refers to a definition, a module or part of one, or NotImplemented."""
    if obj is load:
        return NotImplemented
    known = _current_reference(obj)
    if known is not None:
        return known[3]
    return _reduce.reduce(obj, _class_for_value, _function_for_value)


def _class_for_value(cls: type) -> tuple[Any, ...]:
    first = _references.get(cls) is None
    key = _reference(cls)
    if first and _store.is_main:
        _warn_of_copies(cls)
    return _load.load, (key,)


def _warn_of_copies(cls: type) -> None:
    """Say once which changing globals the methods of a class use: each worker has its own copy of them."""
    hints = []
    for values in names_for(cls).values():
        for name, value in values.items():
            if _hints.is_container(value) or _names.is_made_here(type(value)):
                text = (
                    f"methods of '{cls.__qualname__}' use the global '{name}': a worker gets a copy of it as it is "
                    f"now, and changes are not seen elsewhere. Put '{name}' in a Cown, or give it to the object"
                )
                hints.append((f"{cls.__module__}.{cls.__qualname__}", name, text))
    if hints:
        try:
            from boc import _places
        except ImportError:  # no runtime: nobody to tell
            return
        _places.hint(hints)


def _function_for_value(func: FunctionType) -> tuple[Any, ...]:
    if _function_id(func) is not None:
        return _load.load, (_reference(func),)
    carried = _load.carried.get(func)
    if carried is not None:
        return _reduce.function_parts(func, carried)
    known = _code_names.get(func.__code__)
    if known is None or not _deep.as_before(known):
        # What the closure leads to refers to its own names; here only those of the code.
        names, watched = _names_id(FunctionType(func.__code__, func.__globals__, None, None, func.__closure__))
        known = [_deep.edits[0], watched, names]
        _code_names.set(func.__code__, known)
    return _reduce.function_parts(func, known[2])
