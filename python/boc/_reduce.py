"""Taking functions and classes apart: what a pickle of them says.

References to other definitions are ids, so each travels once; a function inside a class, or one that closes
over values that may change, goes with what holds it. Its globals are its namespace's on the other side.
"""

from __future__ import annotations

import marshal
import sys
from types import (
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)

from boc import _annotations, _byname, _error_parts, _load, _names, _scan, _stable, _store, _typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Gives the reduction of a class that goes by definition: by id, or taken apart.
    OfClass = Callable[[type], tuple[Any, ...]]

_NOT_SENT = frozenset((
    "__class__", "__dict__", "__weakref__", "__module__", "__qualname__", "__orig_bases__", "__annotate_func__",
    "__annotate__", "__annotations_cache__", "_abc_impl", "_member_names_", "_member_map_", "_member_type_",
    "_value2member_map_", "_new_member_", "_unhashable_values_", "_unhashable_values_map_",
    "_hashable_values_",
))  # fmt: skip
_STATIC_TYPES = (
    "FunctionType", "CodeType", "CellType", "ModuleType", "MethodType", "BuiltinFunctionType",
    "MappingProxyType", "GeneratorType", "CoroutineType", "FrameType", "TracebackType",
)  # fmt: skip
_counter = [0]


def recipe(code: CodeType, globals_: dict[str, Any], closed: tuple[Any, ...] = ()) -> bytes:
    """Return the store's id of the recipe of a function with this code and these globals; made once.

    `closed`: values it closes over, looked through for packages whose submodules the code uses.
    """
    known = _load.recipe_ids.get(code)
    if known is None:
        known = {}
        _load.recipe_ids.set(code, known)
    for key, space in list(known.values()):  # another thread may be here, too
        if space is globals_:
            return bytes(key)
    space_key = "" if _names.is_sealed(globals_) else _names.namespace_key(globals_)
    names = _scan.attribute_names(code)
    values = [globals_[n] for n in names if n in globals_]
    imports = _names.submodules_used(names, [*values, *closed])
    parts = (space_key, _code_bytes(code), code.co_name, code.co_qualname, code.co_filename, imports)
    key = _store.put(b"R" + marshal.dumps(parts, 2))
    known[space_key] = (key, globals_)
    return key


def _code_bytes(code: CodeType) -> bytes:
    try:
        return marshal.dumps(code, 2)  # a version without back references gives equal code equal bytes
    except ValueError:
        return marshal.dumps(code)  # slices among the constants, from 3.14 on


def reduce(obj: Any, of_class: OfClass, of_function: Callable[[FunctionType], Any]) -> Any:
    """Return the reduction of an object for a pickle, or NotImplemented where pickle's own way is right."""
    kind = type(obj)
    if kind is FunctionType:
        if not _names.by_name(obj):
            return of_function(obj)
        return _named(obj)
    if issubclass(kind, type):
        if _names.is_made_here(obj):
            return of_class(obj)
        return _named(obj) if _names.by_name(obj) else _static_type(obj)
    handler = _HANDLERS.get(kind)
    if handler is not None:
        return handler(obj)
    special = _SPECIAL.get((kind.__module__, kind.__qualname__))
    if special is None:
        return _error_parts.reduce(obj) if issubclass(kind, BaseException) else NotImplemented
    return special(obj)


def _named(obj: Any) -> Any:
    if sys.version_info < (3, 13) and obj.__module__ == "_pydatetime":  # what workers have in place of the C classes
        return _byname.named, ("datetime", obj.__qualname__, 0)
    epoch = _names.reloads(obj.__module__)
    return (_byname.named, (obj.__module__, obj.__qualname__, epoch)) if epoch else NotImplemented


def _static_type(cls: type) -> Any:
    import types

    for name in _STATIC_TYPES:
        if getattr(types, name) is cls:
            return getattr, (types, name)
    return NotImplemented


def function_parts(func: FunctionType, names: bytes = b"") -> tuple[Any, ...]:
    """Take a function apart; `names`: id of the values that its globals need on the other side."""
    code, globals_ = func.__code__, func.__globals__
    key = recipe(code, globals_, _closed(func))
    arguments: tuple[Any, ...] = (key, func.__closure__)
    if _names.is_sealed(globals_):
        used = {n: globals_[n] for n in ("__name__", *_scan.global_names(code)) if n in globals_}
        arguments = (key, func.__closure__, names, used)
    elif names:
        arguments = (key, func.__closure__, names)
    state = _function_state(func)
    if not state:
        return _load.function, arguments
    return _load.function, arguments, state, None, None, _load.set_function


def _closed(func: FunctionType) -> tuple[Any, ...]:
    found = []
    for cell in func.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    return tuple(found)


def _function_state(func: FunctionType) -> dict[str, Any]:
    code = func.__code__
    state: dict[str, Any] = {}
    if func.__defaults__:
        state["__defaults__"] = func.__defaults__
    if func.__kwdefaults__:
        state["__kwdefaults__"] = func.__kwdefaults__
    if func.__dict__:
        state["__dict__"] = dict(func.__dict__)
    if func.__name__ != code.co_name:
        state["__name__"] = func.__name__
    if func.__qualname__ != code.co_qualname:
        state["__qualname__"] = func.__qualname__
    if func.__module__ != func.__globals__.get("__name__"):
        state["__module__"] = func.__module__
    documented = code.co_consts[0] if code.co_consts else None
    if func.__doc__ != (documented if isinstance(documented, str) else None):
        state["__doc__"] = func.__doc__
    if sys.version_info < (3, 14):
        if func.__annotations__:
            state["__annotations__"] = _annotations.plain(func.__annotations__)
    elif func.__annotate__ is not None:
        _annotations.add_late(state, func)
    if func.__type_params__:
        state["__type_params__"] = func.__type_params__
    return state


def class_parts(cls: type) -> tuple[Any, ...]:
    """Take a class apart: how to make it empty, then everything in it."""
    space: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    own = cls.__dict__
    if "__orig_bases__" in own:
        space["__orig_bases__"] = own["__orig_bases__"]
    # Set on a finished class these would mean the class itself.
    space.update((n, own[n]) for n in ("__class__", "__dict__") if isinstance(own.get(n), property))
    slots = [n for n, v in own.items() if type(v) is MemberDescriptorType and v.__objclass__ is cls]
    if "__slots__" in own:
        extra = [n for n in ("__dict__", "__weakref__") if type(own.get(n)) is GetSetDescriptorType]
        space["__slots__"] = (*slots, *extra)
    token = _load.tokens.get(cls)
    if token is None:
        token = _new_token()
        _load.tokens.set(cls, token)
    members = _members(cls)
    skipped = {*slots, *(name for names, *_ in members or () for name in names)}
    attributes = {n: v for n, v in sent_attributes(cls).items() if n not in skipped}
    if sys.version_info >= (3, 14) and own.get("__annotate_func__") is not None:
        _annotations.add_late(attributes, cls)
    elif type(attributes.get("__annotations__")) is dict:
        attributes["__annotations__"] = _annotations.plain(attributes["__annotations__"])
    # A metaclass of C that has no name to go by (ctypes) is found through the bases.
    meta = type(cls) if _names.is_made_here(type(cls)) or _names.by_name(type(cls)) else None
    arguments = (meta, cls.__name__, cls.__bases__, space, token)
    return _load.make_class, arguments, (attributes, members, _registered(cls)), None, None, _load.set_class


def sent_attributes(cls: type) -> dict[str, Any]:
    """Return the attributes of a class whose change is worth sending."""
    members = cls.__dict__.get("_member_map_", ())
    return {n: v for n, v in cls.__dict__.items()
            if n not in _NOT_SENT and n not in members and not _comes_back(cls, v)}  # fmt: skip


def _comes_back(cls: type, value: Any) -> bool:
    """Whether an attribute is made again with the class: of `__slots__`, or of a ctypes structure's `_fields_`."""
    kind = type(value)
    return (kind is MemberDescriptorType and value.__objclass__ is cls) or kind.__name__ == "CField"


def _members(cls: Any) -> list[tuple[Any, ...]] | None:
    enum = sys.modules.get("enum")
    if enum is None or not isinstance(cls, enum.EnumType):
        return None
    found: dict[int, tuple[Any, ...]] = {}
    for name, member in cls.__members__.items():
        if id(member) in found:
            found[id(member)][0].append(name)
            continue
        # What the member's built-in base was made from: `object`'s way asks that base, not the enum.
        arguments = object.__reduce_ex__(member, 2)[1][1:]
        canonical = member._name_ in cls._member_names_
        state = {k: v for k, v in member.__dict__.items() if k != "__objclass__"}
        found[id(member)] = ([name], canonical, member._value_, arguments, state)
    return list(found.values())


def _registered(cls: type) -> list[type] | None:
    if "_abc_impl" not in cls.__dict__:
        return None
    import _abc  # type: ignore[import-not-found]

    return [c for r in _abc._get_dump(cls)[0] if (c := r()) is not None] or None


def _reduce_cell(cell: CellType) -> Any:
    try:
        state = (cell.cell_contents,)
    except ValueError:
        return _load.cell, ()
    return _load.cell, (), state, None, None, _load.set_cell


def _reduce_module(module: ModuleType) -> Any:
    name = module.__name__
    if sys.modules.get(name) is module and _names.importable(name):
        epoch = _names.reloads(name)
        return _byname.module_value, ((name, epoch) if epoch else (name,))
    return NotImplemented


def _reduce_method(method: MethodType) -> Any:
    func = method.__func__
    name = getattr(func, "__name__", None)
    if type(name) is str and getattr(method.__self__, name, None) == method:
        return NotImplemented
    return _load.bound_method, (func, method.__self__)


def _reduce_cache(cache: Any) -> Any:
    if _names.by_name(cache):
        return NotImplemented
    parameters = cache.cache_parameters()
    state = {k: v for k, v in cache.__dict__.items() if k not in _stable.CACHE_ATTRIBUTES} or None
    return _load.cache, (cache.__wrapped__, parameters["maxsize"], parameters["typed"]), state


def _new_token() -> tuple[str, int]:
    _counter[0] += 1
    return _names.origin(), _counter[0]


def _variable_token(variable: Any) -> tuple[str, int]:
    if _load.tokens.get(variable) is None:
        _typed.set_token(variable, _new_token())
    token: tuple[str, int] = _load.tokens.get(variable)
    return token


def _is_found(obj: Any) -> bool:
    module = obj.__module__
    return getattr(sys.modules.get(module), obj.__name__, None) is obj and _names.importable(module)


def _reduce_type_variable(variable: Any) -> Any:
    if _is_found(variable):
        return NotImplemented
    kind = type(variable).__name__
    options: dict[str, bool] = {}
    if getattr(variable, "__infer_variance__", False):
        options = {"infer_variance": True}
    elif hasattr(variable, "__covariant__"):  # a TypeVarTuple has none before 3.15
        options = {"covariant": variable.__covariant__, "contravariant": variable.__contravariant__}
    return _typed.type_variable, (kind, variable.__name__, options, _variable_token(variable))


def _reduce_field(field: Any) -> Any:
    parts: Any = object.__reduce_ex__(field, 4)
    return parts[0], parts[1], (None, {**parts[2][1], "type": _annotations.plain_value(field.type)})


def _reduce_alias(alias: Any) -> Any:
    if _is_found(alias):
        return NotImplemented
    parameters = [(type(p).__name__, p.__name__, _variable_token(p)) for p in alias.__type_params__]
    box: list[Any] = []
    arguments = alias.__name__, alias.__module__, parameters, box
    try:
        state = (box, alias.__value__)
    except NameError:  # it names what does not exist yet
        return _typed.alias, arguments
    return _typed.alias, arguments, state, None, None, _typed.set_alias


def _reduce_property(prop: property) -> Any:
    return property, (prop.fget, prop.fset, prop.fdel, prop.__doc__)


def _reduce_wrapped(wrapped: Any) -> Any:
    # Attributes that it copied from its function (__name__, __doc__) come back with it.
    return type(wrapped), (wrapped.__func__,)


_HANDLERS: dict[type, Callable[[Any], Any]] = {
    CellType: _reduce_cell,
    ModuleType: _reduce_module,
    _byname.Absent: lambda absent: (_byname.module_value, (absent.__name__,)),
    MethodType: _reduce_method,
    property: _reduce_property,
    classmethod: _reduce_wrapped,
    staticmethod: _reduce_wrapped,
    MappingProxyType: lambda proxy: (_load.read_only, (dict(proxy),)),
    CodeType: lambda code: (marshal.loads, (_code_bytes(code),)),
    GetSetDescriptorType: lambda slot: (getattr, (slot.__objclass__, slot.__name__)),
    MemberDescriptorType: lambda slot: (getattr, (slot.__objclass__, slot.__name__)),
}


# By name, so that no worker imports these modules for nothing. A string is the object's own global name.
def _reduce_figure(figure: Any) -> Any:
    """A copy of a figure is a value: it does not open a window, nor is it shown with the next cell, as pyplot's are."""
    made, arguments, state, *rest = figure.__reduce_ex__(2)
    if isinstance(state, dict):
        state.pop("_restore_to_pylab", None)  # it is our copy: __getstate__ makes one
    return made, arguments, state, *rest


_SPECIAL: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("functools", "_lru_cache_wrapper"): _reduce_cache,
    ("functools", "partialmethod"): lambda method: (
        _load.partial_method,
        (type(method), method.func, method.args, method.keywords),
    ),
    ("dataclasses", "Field"): _reduce_field,
    ("typing", "TypeAliasType"): _reduce_alias,
    ("typing", "TypeVar"): _reduce_type_variable,
    ("typing", "ParamSpec"): _reduce_type_variable,
    ("typing", "TypeVarTuple"): _reduce_type_variable,
    ("dataclasses", "_FIELD_BASE"): lambda mark: mark.name,
    ("dataclasses", "_MISSING_TYPE"): lambda mark: "MISSING",
    ("dataclasses", "_KW_ONLY_TYPE"): lambda mark: "KW_ONLY",
    ("dataclasses", "_HAS_DEFAULT_FACTORY_CLASS"): lambda mark: "_HAS_DEFAULT_FACTORY",
    ("weakref", "WeakKeyDictionary"): lambda table: (type(table), (dict(table),)),
    ("weakref", "WeakValueDictionary"): lambda table: (type(table), (dict(table),)),
    # Workers of 3.12 have this in place of the C class, which has another state.
    ("_pydatetime", "timezone"): lambda zone: (type(zone), zone.__getinitargs__()),
    ("matplotlib.figure", "Figure"): _reduce_figure,
    ("_weakrefset", "WeakSet"): lambda table: (type(table), (list(table),)),
}
