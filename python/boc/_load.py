"""Rebuilding definitions: from an id of the store to a function or class of this interpreter.

Each object of the store begins with a byte that says what it is:
  R  recipe of a function: code, namespace, imports       F  a function that can never change
  C  a class, or classes that refer to each other          M  one class of such a group
  N  values of global names that a definition uses         P  class attributes set after the class was sent
  D  a reference: a definition, with its names and its last attributes
Everything but R is a pickle whose own references to other definitions are ids again.
"""

from __future__ import annotations

import _pickle
import marshal
import sys
from _weakref import ref
from types import CellType, FunctionType, MappingProxyType, MethodType, WrapperDescriptorType

from boc import _deep, _names, _store, _taken, _touched
from boc._identity import IdentityMap, Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    Token = tuple[str, int]  # where something was made, and as which of those made there
    Maker = Callable[..., Any]

# Built here: those used lately, and the others as long as they live. Of a cell run ten thousand times the versions
# that nothing uses any more go; one that comes back is built again.
_MOST_BUILT = 512
loaded = Kept(_MOST_BUILT)  # id -> object
recipes = Kept(_MOST_BUILT)  # id -> code
own: dict[bytes, ref[Any]] = {}  # id -> object that was defined here
ids = IdentityMap()  # definition -> its id, for both
carried = IdentityMap()  # definition built here -> id of the names that came with it
tokens = IdentityMap()  # class or type variable -> its Token
stale = IdentityMap()  # class -> whether references made before lack its last attributes
patches = IdentityMap()  # class built here -> id of the attributes set last
recipe_ids = IdentityMap()  # code -> {namespace key: (id, globals)}

_groups: dict[bytes, tuple[ref[Any], ...]] = {}
# (namespace key, name) -> (value that came with a definition, where and as which number it was taken); read in C too
names_set: dict[tuple[str, str], tuple[Any, tuple[str, int]]] = {}
_installed: set[bytes] = set()  # ids of names that were bound here
_MOST_INSTALLED = 512  # remembered; binding them again changes nothing
_patches: dict[bytes, tuple[type, dict[str, Any], list[str]]] = {}  # id -> class, attributes set, removed
_MOST_PATCHES = 256  # remembered; a loop that sets an attribute makes one each time round
_originals = IdentityMap()  # class -> its attributes before patches, the map itself for absent
_context: list[bytes] = []  # names of the references being loaded, innermost last


_kept = loaded.kept


def set_own(key: bytes, obj: Any) -> None:
    """Remember that the definition with this id was made here of this object."""
    own[key] = ref(obj, lambda gone: own.pop(key, None) if own.get(key) is gone else None)


def load(key: bytes) -> Any:
    """Return the definition with this id: the original where it was made, else one object per interpreter."""
    found = _kept.get(key)
    if found is not None or (found := loaded.get(key)) is not None:
        return found
    if key in _patches:
        return _load_patch(key)
    mine = own.get(key)
    if mine is not None and (found := mine()) is not None:
        return found
    data = _store.fetch(key)
    kind = data[:1]
    if kind == b"D":
        found = _load_reference(data)
    elif kind == b"P":
        return _load_patch(key)
    else:
        found = _load_definition(kind, key, data)
        found = loaded.add(key, found)
        _register(found, key)
        return found
    return loaded.add(key, found)


def _load_definition(kind: bytes, key: bytes, data: bytes) -> Any:
    if kind == b"F":
        return _pickle.loads(data[1:])
    if kind == b"C":
        return _load_group(key, data)[0]
    if kind == b"M":
        group = data[1:33]
        return _load_group(group, _store.fetch(group))[int.from_bytes(data[33:], "big")]
    raise RuntimeError("the store holds no definition under this id")


def _load_group(key: bytes, data: bytes) -> tuple[Any, ...]:
    # Classes of a group refer to each other: all of them live, or none.
    members = tuple(member() for member in _groups.get(key, ()))
    if not members or any(member is None for member in members):
        members = _pickle.loads(data[1:])
        _groups[key] = tuple(ref(member) for member in members)
        for member in members:
            _touched.watch(member)
    return members


def _load_reference(data: bytes) -> Any:
    definition, names, patch = marshal.loads(data[1:])
    _context.append(names)
    try:
        found = load(definition)
        if carried.get(found) is None and names:
            carried.set(found, names)
        install_names(names)
    finally:
        _context.pop()
    if patch and patches.get(found) is None:
        load(patch)
    return found


def install_names(key: bytes) -> None:
    """Bind the names that came with a definition where nothing else bound them, and remember which."""
    if not key or key in _installed:
        return
    if len(_installed) >= _MOST_INSTALLED:
        _installed.clear()
    _installed.add(key)
    taken, values = _taken.taken(_store.fetch(key)[1:])
    spaces = _pickle.loads(values)
    moved = False
    for space, values in spaces.items():
        if _names.is_owner(space):
            continue
        target = _names.namespace_dict(space)
        for name, value in values.items():
            if name in target:
                before = names_set.get((space, name))
                # What a body captured itself is newer than what travels with a value.
                if before is None or before[0] is not target[name] or not _is_later(taken, before[1]):
                    continue
            target[name] = value
            names_set[space, name] = (value, taken)
            moved = True
    if moved:
        _store.names_moved()  # what the body that runs captured itself stays


def _is_later(taken: tuple[str, int], before: tuple[str, int]) -> bool:
    return taken[0] != before[0] or taken[1] > before[1]


def _load_patch(key: bytes) -> Any:
    """Give a class the attributes that it had when a body was scheduled, whatever was set for other bodies."""
    known = _patches.get(key)
    if known is None:
        if len(_patches) >= _MOST_PATCHES:
            _patches.clear()
        known = _patches[key] = _pickle.loads(_store.fetch(key)[1:])
    cls, values, removed = known
    if patches.get(cls) == key or ids.get(cls) not in loaded:
        return cls
    originals = _originals.get(cls)
    if originals is None:
        originals = {}
        _originals.set(cls, originals)
    for name in (*values, *removed):
        if name not in originals:
            originals[name] = cls.__dict__.get(name, _originals)
    back = {n: v for n, v in originals.items() if n not in values and n not in removed}
    _touched.set_attributes(cls, {n: v for n, v in back.items() if v is not _originals} | values)
    for name in (*removed, *(n for n, v in back.items() if v is _originals)):
        if name in cls.__dict__:
            type.__delattr__(cls, name)
    _touched.came(cls, originals)
    patches.set(cls, key)
    stale.set(cls, True)
    return cls


def _register(found: Any, key: bytes) -> None:
    ids.set(found, key)
    if _context and _context[-1] and carried.get(found) is None:
        carried.set(found, _context[-1])
    if type(found) is FunctionType:
        _deep.remember(found)
        _touched.watch_function(found)
    elif isinstance(found, type) and found.__module__ == "__main__" and "." not in found.__qualname__:
        _show_in_main(found)


def _show_in_main(cls: type) -> None:
    """Let a worker's `__main__.<name>` lead to the newest version seen, so that plain pickling works."""
    if _store.is_main:
        return
    space = sys.modules["__main__"].__dict__
    shown = space.get(cls.__qualname__)
    if shown is not None:
        old, new = tokens.get(shown) if isinstance(shown, type) else None, tokens.get(cls)
        if old is None or new is None or old[0] != new[0] or old[1] >= new[1]:
            return
    space[cls.__qualname__] = cls


def load_recipe(key: bytes) -> tuple[CodeType, dict[str, Any]]:
    """Return the code and the dict of globals of a function's recipe; one code object per interpreter."""
    code = recipes.get(key)
    if code is None:
        data = _store.fetch(key)
        if data[:1] != b"R":
            raise RuntimeError("the store holds no recipe under this id")
        space, code_bytes, _name, _qualname, _filename, imports = marshal.loads(data[1:])
        globals_ = _names.namespace_dict(space)
        for name in imports:
            try:
                _names.module(name)
            except ImportError:
                # The body that needs it says so at the line that uses it.
                continue
        code = recipes.add(key, marshal.loads(code_bytes))
        if recipe_ids.get(code) is None:
            recipe_ids.set(code, {space: (key, globals_)})
    return code, next(globals_ for known, globals_ in recipe_ids.get(code).values() if known == key)


def function(
    recipe: bytes,
    closure: tuple[CellType, ...] | None,
    names: bytes = b"",
    sealed: dict[str, Any] | None = None,
) -> FunctionType:
    """Make a function; `names`: id of what its globals need, `sealed`: globals of generated code."""
    code, globals_ = load_recipe(recipe)
    if sealed is not None:
        globals_ = {"__builtins__": {}, **sealed}
    made = FunctionType(code, globals_, None, None, closure)
    if names:
        carried.set(made, names)
        install_names(names)
    return made


def set_function(func: FunctionType, state: dict[str, Any]) -> None:
    """Set what of a function is not in its code."""
    func.__dict__.update(state.pop("__dict__", ()))
    for name, value in state.items():
        setattr(func, name, value)


def cell() -> CellType:
    """Make an empty cell."""
    return CellType()


def set_cell(target: CellType, state: tuple[Any]) -> None:
    """Fill a cell; the value comes in a tuple because None as a state means none."""
    target.cell_contents = state[0]


def make_class(meta: Any, name: str, bases: tuple[type, ...], space: dict[str, Any], token: Token) -> type:
    """Make a class with nothing in it, without running the user's metaclass or `__init_subclass__` again."""
    meta = meta or type(bases[0])
    maker: Maker = type.__new__
    for owner in meta.__mro__:
        if "__new__" in owner.__dict__ and tokens.get(owner) is None:
            maker = owner.__new__
            break
    quiet = [(b, b.__dict__["__init_subclass__"]) for base in bases for b in base.__mro__
             if "__init_subclass__" in b.__dict__ and tokens.get(b) is not None]  # fmt: skip
    for base, _ in quiet:
        type.__setattr__(base, "__init_subclass__", classmethod(_ignore))
    try:
        made: type = _make(maker, meta, name, bases, space)
    finally:
        for base, hook in quiet:
            type.__setattr__(base, "__init_subclass__", hook)
    tokens.set(made, token)
    return made


def _ignore(cls: type, /, **options: Any) -> None:
    pass


def _make(maker: Maker, meta: Any, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> Any:
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(meta, enum.EnumType):
        ready = enum.EnumType.__prepare__(name, bases)
        for key, value in space.items():
            ready[key] = value
        return maker(meta, name, bases, ready)
    try:
        made = maker(meta, name, bases, dict(space))
    except Exception:
        if maker is type.__new__:
            raise
        # A metaclass of a library that wants more than the bare class: its results are in the attributes.
        return type.__new__(meta, name, bases, dict(space))
    owner = next(k for k in meta.__mro__ if "__init__" in k.__dict__)
    if owner is not type and type(owner.__init__) is WrapperDescriptorType:
        owner.__init__(made, name, bases, dict(space))  # one in C keeps more than attributes
    return made


def set_class(cls: type, state: tuple[dict[str, Any], list[Any] | None, list[type] | None]) -> None:
    """Fill a class: its attributes, the members of an enum, the classes registered with an ABC."""
    attributes, members, registered = state
    _touched.set_attributes(cls, attributes)
    for member in members or ():
        _add_member(cls, *member)
    for other in registered or ():
        cls.register(other)  # type: ignore[attr-defined]


def _add_member(
    cls: Any, names: list[str], canonical: bool, value: Any, arguments: tuple[Any, ...], state: dict[str, Any]
) -> None:
    """Add an enum member under its names, without running the enum's own `__new__` or `__init__`."""
    base = cls._member_type_
    made = object.__new__(cls) if base is object or not arguments else base.__new__(cls, *arguments)
    made.__dict__.update(state)
    made._value_ = value
    made._name_ = names[0]
    made.__objclass__ = cls
    if canonical:
        cls._member_names_.append(names[0])
    for name in names:
        cls._member_map_[name] = made
        type.__setattr__(cls, name, made)
    try:
        cls._value2member_map_.setdefault(value, made)
    except TypeError:
        unhashable = getattr(cls, "_unhashable_values_", None)
        if unhashable is not None:
            unhashable.append(value)


def cache(func: FunctionType, size: int | None, typed: bool) -> Any:
    """Make an lru_cache of a function, empty."""
    import functools

    return functools.lru_cache(size, typed)(func)


def bound_method(func: Any, owner: Any) -> MethodType:
    """Bind a function to an object."""
    return MethodType(func, owner)


def read_only(table: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """Make the read-only view of a dict."""
    return MappingProxyType(table)


def partial_method(kind: Callable[..., Any], func: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Make a functools.partialmethod, which from 3.14 on does not pickle by itself."""
    return kind(func, *arguments, **keywords)
