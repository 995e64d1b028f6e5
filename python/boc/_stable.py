"""Which captured values are recognised by identity, and which must be taken anew at every schedule."""

from __future__ import annotations

import sys
from sys import getrefcount
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)

from boc import _names, _scan, _store
from boc._identity import IdentityMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ATOMS: frozenset[type] = frozenset(
    (type(None), bool, int, float, complex, str, bytes, range, type(Ellipsis), type(NotImplemented))
)
_DESCRIPTORS = frozenset((MethodDescriptorType, WrapperDescriptorType, ClassMethodDescriptorType))
_TYPING = frozenset(("TypeVar", "ParamSpec", "TypeVarTuple", "TypeAliasType"))
# What functools.lru_cache gives to the wrapper that it makes.
CACHE_ATTRIBUTES = {
    "__wrapped__", "__module__", "__name__", "__qualname__", "__doc__", "__annotations__", "__annotate__",
    "__type_params__", "cache_parameters",
}  # fmt: skip


def classify(value: object) -> str:
    """Return "stable" if the same object always has the same encoding, else "mutable"."""
    return "stable" if is_stable(value, set()) else "mutable"


def is_stable(value: Any, seen: set[int]) -> bool:
    """Whether nothing that `value` reaches can change; `seen` holds the functions being looked at."""
    kind = type(value)
    if kind in ATOMS or issubclass(kind, ModuleType) or kind in _DESCRIPTORS or issubclass(kind, type):
        return True
    if kind is tuple or kind is frozenset:
        return all(is_stable(item, seen) for item in value)
    if kind is FunctionType:
        return is_settled(value, seen)
    if kind is BuiltinFunctionType:
        owner = value.__self__
        return owner is None or type(owner) is ModuleType or issubclass(type(owner), type)
    if issubclass(kind, _store.cown_types):
        return True
    if is_cache(value):
        return is_stable(value.__wrapped__, seen) and value.__dict__.keys() <= CACHE_ATTRIBUTES
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(type(kind), enum.EnumType):
        return True
    return kind.__module__ == "typing" and kind.__name__ in _TYPING


def is_cache(value: Any) -> bool:
    """Whether the value is what functools.lru_cache makes."""
    kind = type(value)
    return kind.__name__ == "_lru_cache_wrapper" and kind.__module__ == "functools"


def is_settled(func: FunctionType, seen: set[int]) -> bool:
    """Whether a function means the same until it is edited: nothing in it or that it closes over can change."""
    if id(func) in seen or _names.by_name(func):
        return True
    seen.add(id(func))
    closure = func.__closure__
    if closure and (rebinds(func.__code__) or any(n > _ALONE for n in _holders(func))):
        return False
    try:
        inside = [cell.cell_contents for cell in closure or ()]
    except ValueError:  # a cell that is still empty will be bound later
        return False
    inside += func.__defaults__ or ()
    inside += (func.__kwdefaults__ or {}).values()
    inside += func.__dict__.values()
    return all(is_stable(item, seen) for item in inside)


def _holders(func: FunctionType) -> list[int]:
    """Return the reference count of each cell: a cell that only the closure holds cannot be rebound."""
    counts = []
    for cell in func.__closure__ or ():
        counts.append(getrefcount(cell))
    return counts


def _closed_alone() -> FunctionType:
    held = object()
    return lambda: held  # type: ignore[return-value]


_ALONE = _holders(_closed_alone())[0]
_rebinding = IdentityMap()


def rebinds(code: CodeType) -> bool:
    """Whether a function with this code, or one inside of it, binds a variable that it closes over."""
    known: bool | None = _rebinding.get(code)
    if known is None:
        found = _scan.rebound(code, frozenset(code.co_freevars))
        known = found is not None and found[0] == "nonlocal"
        _rebinding.set(code, known)
    return known
