"""Namespaces: which dict of globals stands for which in another interpreter, and what goes by name.

A globals dict has a key: "__main__"; "mod:<name>" for a module that a worker can import itself (with "@<n>"
after the n-th reload that was seen, so that workers reload too); "ns:<origin>:<n>" for a dict given to exec.
In a worker the key leads to the dict that stands in for it.
"""

from __future__ import annotations

import builtins
import marshal
import sys
from types import ModuleType

from boc import _store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_spaces: dict[str, dict[str, Any]] = {}  # "ns:" keys of this interpreter and its stand-ins; kept for good
_space_keys: dict[int, str] = {}  # id of such a dict -> its key
_kept: list[dict[str, Any]] = []  # dicts with a key that is not theirs alone, so that their ids stay theirs
_specs: dict[str, tuple[Any, bool, int]] = {}  # module name -> (spec seen last, importable, reloads seen)
_written: dict[str, int] = {}  # module name -> when its file was written, as far as its loader says; ns
_users: dict[str, tuple[Any, bool]] = {}  # module name -> (spec seen last, whether it is of the program)
_origin: list[str] = []


def origin() -> str:
    """Return a name of this interpreter that no other has, in this process or another."""
    if not _origin:
        from os import urandom

        _origin.append(urandom(6).hex())
    return _origin[0]


def namespace_key(globals_: dict[str, Any]) -> str:
    """Return the key of a dict of globals; a dict never seen before gets one of its own.

    What goes by definition runs elsewhere among a stand-in of this dict, also where the dict is an importable
    module's. In main the key stands for the dict itself; one for all workers' own imports of a module does not.
    """
    key = _space_keys.get(id(globals_))
    if key is not None:
        return key
    main = sys.modules.get("__main__")
    if main is not None and main.__dict__ is globals_:
        return "__main__"
    about = _about(globals_)
    if about and not _store.is_main and module_of(globals_) is not None:
        _kept.append(globals_)
        return _space_keys.setdefault(id(globals_), f"ns:worker{about}")
    fresh = f"ns:{origin()}:{len(_spaces)}{about}"
    _spaces[fresh] = globals_  # before anybody can know the key
    key = _space_keys.setdefault(id(globals_), fresh)
    if key != fresh:
        del _spaces[fresh]  # another thread was first
    return key


def _about(globals_: dict[str, Any]) -> str:
    """Return, for a key, where what a stand-in says of its module is kept; empty for one without a name."""
    name = globals_.get("__name__")
    if type(name) is not str or name == "__main__":
        return ""
    said = {n: v for n in ("__name__", "__package__", "__file__") if type(v := globals_.get(n)) is str}
    return ":" + _store.put(b"S" + marshal.dumps((said, "__path__" in globals_), 2)).hex()


def module_of(globals_: dict[str, Any]) -> ModuleType | None:
    """Return the importable module whose dict this is."""
    name = globals_.get("__name__")
    found = sys.modules.get(name) if type(name) is str else None
    return found if getattr(found, "__dict__", None) is globals_ and importable(str(name)) else None


def module_key(name: str) -> str:
    """Return the key of each interpreter's own import of a module."""
    epoch = reloads(name)
    return f"mod:{name}@{epoch}" if epoch else f"mod:{name}"


def namespace_dict(key: str) -> dict[str, Any]:
    """Return the dict that `key` stands for here; imports (or reloads) the module of a "mod:" key."""
    space = _spaces.get(key)
    if space is not None:
        return space
    if key == "__main__":
        return sys.modules["__main__"].__dict__
    if key.startswith("mod:"):
        name, _, epoch = key[4:].partition("@")
        return module(name, int(epoch or 0)).__dict__
    space = _spaces[key] = _stand_in(key)
    _space_keys[id(space)] = key
    return space


def namespace_now(key: str) -> dict[str, Any] | None:
    """Return the dict into which the values for `key` go before a body runs.

    None for a module ("mod:") that nothing imported in this worker yet; once something does, the C side hears of
    it. A key that begins with "reload:" brings the module up to date if it was imported here, and takes no values.
    """
    kind, _, rest = key.partition(":")
    if kind == "reload":
        name, _, epoch = rest.partition("@")
        if name in sys.modules:
            module(name, int(epoch or 0))
        return {}
    name = rest.partition("@")[0]
    if kind != "mod" or name in sys.modules or _store.is_main:
        return namespace_dict(key)
    from boc import _core, _worker

    _worker.after_import(name, lambda _module: _core.module_arrived(key))
    return None


def _stand_in(key: str) -> dict[str, Any]:
    about = key.split(":")[-1]
    if len(about) != 64:
        return {"__builtins__": builtins, "__name__": "__main__"}
    said, is_package = marshal.loads(_store.fetch(bytes.fromhex(about))[1:])
    make: Any = sys.modules["_frozen_importlib"].ModuleSpec
    spec = make(said["__name__"], None, origin=said.get("__file__"), is_package=is_package)
    return {"__builtins__": builtins, "__spec__": spec, **said}


def is_owner(key: str) -> bool:
    """Whether the namespace's own dict lives here, so that nothing may be written into it on loading."""
    if key.startswith("ns:"):
        return bool(_origin) and key.startswith(f"ns:{_origin[0]}:")
    return _store.is_main


def module(name: str, epoch: int = 0) -> ModuleType:
    """Import module `name` here; reload it if it was reloaded more often where the reference comes from."""
    fresh = name not in sys.modules
    __import__(name)
    found = sys.modules[name]
    if epoch:
        importable(name)
        spec, good, seen = _specs[name]
        if seen < epoch:
            if not fresh:
                import importlib

                found = importlib.reload(found)
                spec = found.__spec__
            _specs[name] = (spec, good, epoch)
    return found


def importable(name: str) -> bool:
    """Whether a worker finds the module `name` of this interpreter by importing it."""
    found = sys.modules.get(name)
    spec = getattr(found, "__spec__", None)
    if spec is None or name == "__main__":
        return False
    known = _specs.get(name)
    if known is not None and known[0] is spec and not _edited(name, spec):
        return known[1]
    good = _is_found(name, spec)
    _written[name] = _file_time(spec)
    _specs[name] = (spec, good, known[2] + 1 if known is not None else 0)
    return good


def _file_time(spec: Any) -> int:
    try:
        return int(spec.loader.path_stats(spec.origin)["mtime"] * 1e9)
    except Exception:  # no file, or a loader that does not say
        return 0


def _edited(name: str, spec: Any) -> bool:
    """Whether IPython's %autoreload, which changes modules in place, has seen another text of this one."""
    return "IPython.extensions.autoreload" in sys.modules and _file_time(spec) != _written.get(name)


def _is_found(name: str, spec: Any) -> bool:
    # Our own modules are in every worker, and every reduction refers to them.
    if getattr(spec, "origin", None) in ("built-in", "frozen") or name.partition(".")[0] == "boc":
        return True
    if getattr(spec, "name", None) != name:
        # An alias in sys.modules (os.path): importing its parent makes it again.
        return "." in name and importable(name.rpartition(".")[0])
    path = None
    if "." in name:
        parent = name.rpartition(".")[0]
        if not importable(parent):
            return False
        path = getattr(sys.modules[parent], "__path__", None)
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path, None)
        except Exception:  # a finder of somebody else that cannot answer is one that does not find
            continue
        if found is not None:
            return bool(found.origin == spec.origin)
    # Lazy modules that their package puts into sys.modules itself come back with the package.
    return path is not None and spec.origin is None


def by_name(obj: Any) -> bool:
    """Whether a function or class is found under its own name in a module that workers import."""
    name, qualname = obj.__module__, obj.__qualname__
    if type(name) is not str or type(qualname) is not str or name == "__main__":
        return False
    holder = sys.modules.get(name)
    if holder is None:
        return False
    if "." not in qualname:
        found = getattr(holder, "__dict__", {}).get(qualname)
    else:
        found = holder
        for part in qualname.split("."):
            if part == "<locals>":
                return False
            found = getattr(found, part, None)
    return found is obj and importable(name)


def reloads(name: str) -> int:
    """How many reloads of the module were seen; 0 for one never looked at."""
    known = _specs.get(name)
    return known[2] if known is not None else 0


def is_sealed(globals_: dict[str, Any]) -> bool:
    """Whether these are the private globals of generated code (collections.namedtuple)."""
    return globals_.get("__builtins__") == {}


def is_made_here(cls: type) -> bool:
    """Whether a class was made by Python code and goes by definition: no static type, none found by name."""
    # Py_TPFLAGS_HEAPTYPE is bit 9, Py_TPFLAGS_IMMUTABLETYPE bit 8.
    return cls.__flags__ & 0x300 == 0x200 and not by_name(cls)


def is_user_module(holder: ModuleType) -> bool:
    """Whether a module is of the user's program: importable, its file outside the libraries."""
    spec: Any = getattr(holder, "__spec__", None)
    name = getattr(spec, "name", None)
    if type(name) is not str:
        return False
    known = _users.get(name)
    if known is None or known[0] is not spec:
        known = _users[name] = (spec, _is_users(name, spec.origin))
    return known[1] and importable(name)


def _is_users(name: str, origin: Any) -> bool:
    import os

    return (
        type(origin) is str
        and origin.endswith(".py")
        and "-packages" not in origin
        and not origin.startswith(os.path.dirname(os.__file__))
        and name.partition(".")[0] != "boc"
    )


def submodules_used(names: tuple[str, ...], values: list[Any]) -> tuple[str, ...]:
    """Return the imported submodules of the packages in `values` that code with these names can address.

    `concurrent.futures` is reached as an attribute of `concurrent`; a worker has it only once imported there.
    """
    packages = [v.__name__ for v in values if type(v) is ModuleType and hasattr(v, "__path__")]
    if not packages:
        return ()
    known = set(names)
    found = []
    for name in list(sys.modules):
        for package in packages:
            if name.startswith(package + ".") and known.issuperset(name[len(package) + 1 :].split(".")):
                found.append(name)
    return tuple(sorted(found))
