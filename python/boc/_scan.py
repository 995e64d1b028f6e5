"""What a code object names: globals used, outer names rebound. Reads the bytecode without `dis`."""

from __future__ import annotations

import sys
from opcode import opmap
from types import CodeType

from boc._identity import IdentityMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

EXTENDED_ARG = opmap["EXTENDED_ARG"]
LOAD_GLOBAL = opmap["LOAD_GLOBAL"]
# Names of a class body, and of annotations and type parameters inside one.
LOAD_BY_NAME = frozenset(opmap[n] for n in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") if n in opmap)
STORE_BY_NAME = opmap["STORE_NAME"]
REBIND_GLOBAL = frozenset((opmap["STORE_GLOBAL"], opmap["DELETE_GLOBAL"]))
IMPORT_NAME = opmap["IMPORT_NAME"]
IMPORT_FLAGS = 2 if sys.version_info >= (3, 15) else 0  # low bits of its argument that say whether it is lazy
REBIND_CELL = frozenset((opmap["STORE_DEREF"], opmap["DELETE_DEREF"]))

# The module's own, never captured: every namespace has its own.
_IGNORED = frozenset(("__builtins__", "__loader__", "__spec__", "__class__", "__classdict__"))
_CLASS_OWN = frozenset(("__name__", "__module__", "__qualname__", "__annotations__", "__firstlineno__"))


def instructions(code: CodeType) -> Iterator[tuple[int, int, int]]:
    """Yield (offset, opcode, argument) of each instruction, EXTENDED_ARG folded in; caches are opcode 0."""
    raw = code.co_code
    extended = 0
    for i in range(0, len(raw), 2):
        op = raw[i]
        arg = raw[i + 1] | extended
        if op == EXTENDED_ARG:
            extended = arg << 8
        else:
            extended = 0
            yield i, op, arg


def nested(code: CodeType) -> list[CodeType]:
    """Return the code objects made inside this one: functions, lambdas, comprehensions, class bodies."""
    return [c for c in code.co_consts if type(c) is CodeType]


_global_names = IdentityMap()


def global_names(code: CodeType) -> tuple[str, ...]:
    """Return the global names that the code, and code nested in it, may look up, in order of appearance."""
    known: tuple[str, ...] | None = _global_names.get(code)
    if known is not None:
        return known
    names: dict[str, None] = {}
    stored = set()
    for _, op, arg in instructions(code):
        if op == LOAD_GLOBAL:
            names[code.co_names[arg >> 1]] = None
        elif op in LOAD_BY_NAME:
            name = code.co_names[arg]
            # What a class body has bound before it looks it up is its own.
            if name not in stored and name not in _CLASS_OWN:
                names[name] = None
        elif op == STORE_BY_NAME:
            stored.add(code.co_names[arg])
    for inner in nested(code):
        names.update(dict.fromkeys(global_names(inner)))
    result = tuple(n for n in names if n not in _IGNORED)
    _global_names.set(code, result)
    return result


def imported_names(code: CodeType) -> set[str]:
    """Return the modules that import statements in the code, and in code nested in it, name."""
    found = set()
    for _, op, arg in instructions(code):
        if op == IMPORT_NAME:
            found.add(code.co_names[arg >> IMPORT_FLAGS])
    for inner in nested(code):
        found |= imported_names(inner)
    return found


def attribute_names(code: CodeType) -> tuple[str, ...]:
    """Return every name in the code and the code nested in it, attributes included."""
    found = list(code.co_names)
    for inner in nested(code):
        found.extend(attribute_names(inner))
    return tuple(dict.fromkeys(found))


def rebound(code: CodeType, outer: frozenset[str]) -> tuple[str, str] | None:
    """Return ("global" or "nonlocal", name) of the first outer name that the code rebinds, or None.

    `outer`: the free variables of the body, as far as they are free in this code too.
    """
    for _, op, arg in instructions(code):
        if op in REBIND_GLOBAL:
            return "global", code.co_names[arg]
        if op in REBIND_CELL:
            name = code._varname_from_oparg(arg)  # type: ignore[attr-defined]
            if name in outer and name in code.co_freevars:
                return "nonlocal", name
    for inner in nested(code):
        found = rebound(inner, outer.intersection(inner.co_freevars, code.co_freevars))
        if found is not None:
            return found
    return None
