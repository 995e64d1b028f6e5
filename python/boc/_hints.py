"""Hints: changes that a body makes to what it captured, and that stay in the body's own copy.

A small reading of the bytecode in one pass: it follows captured names over the value stack as far as that is
certain, so it misses some changes and reports none that is not there.
"""

from __future__ import annotations

import _opcode  # type: ignore[import-not-found]
import sys
from opcode import HAVE_ARGUMENT, opmap, opname
from types import CodeType, ModuleType

from boc import _names, _scan, _store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_MUTATORS = frozenset((
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort",
    "symmetric_difference_update", "update",
))  # fmt: skip
_ITEM = object()  # an element of a captured container: it can be stored into, more is not known
_NAMES = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
_NULL_BELOW = sys.version_info < (3, 13)  # 3.12 pushes the NULL of a call before the callable
_PUSH_TWO = tuple(op for name, op in opmap.items() if name.startswith("LOAD_FAST") and "_LOAD" in name)
_PUSH_ONE = tuple(
    op for name, op in opmap.items()
    if (name.startswith(("LOAD_FAST", "LOAD_CONST", "LOAD_SMALL", "LOAD_COMMON")) and "_LOAD" not in name)
    or name in ("PUSH_NULL", "LOAD_CLOSURE", "LOAD_BUILD_CLASS", "LOAD_LOCALS")
)  # fmt: skip
_POP_ONLY = tuple(
    op for name, op in opmap.items()
    if name.startswith(("POP_", "STORE_FAST", "STORE_DEREF")) and "LOAD" not in name
)  # fmt: skip
_NO_EFFECT = tuple(opmap[n] for n in ("NOP", "RESUME", "COPY_FREE_VARS", "MAKE_CELL", "CACHE") if n in opmap)
_ENDS = tuple(
    op for name, op in opmap.items()
    if name.startswith(("JUMP_", "RETURN_", "RAISE_", "RERAISE")) and "IF" not in name
)  # fmt: skip
_SUBSCRIPT = opmap.get("BINARY_SUBSCR", -1)
_BINARY = opmap["BINARY_OP"]
_STORE = {
    opmap["STORE_SUBSCR"]: "stores into", opmap["DELETE_SUBSCR"]: "deletes from",
    opmap["STORE_ATTR"]: "sets an attribute of", opmap["DELETE_ATTR"]: "deletes an attribute of",
}  # fmt: skip
_OPERATORS = [name for name, _ in getattr(_opcode, "get_nb_ops", list)()]
_SUBSCRIPT_ARGUMENT = _OPERATORS.index("NB_SUBSCR") if "NB_SUBSCR" in _OPERATORS else -1


def hints(code: CodeType, globals_: Mapping[str, Any], closed: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (place, name, text) for each captured name that the body is seen to change.

    One per place and name. `closed`: the values of the free variables, by name.
    """
    found = _Walk(code, globals_, closed).run()
    for inner in _scan.nested(code):
        seen = {name: value for name, value in closed.items() if name in inner.co_freevars}
        found += hints(inner, globals_, {k: v for k, v in seen.items() if k in code.co_freevars})
    return list({(place, name): (place, name, text) for place, name, text in found}.values())


class _Tag:
    """What a stack item is known to be: reached from the captured name `root`, with this value now."""

    __slots__ = ("path", "root", "value")

    def __init__(self, root: str, path: str, value: object) -> None:
        self.root = root
        self.path = path
        self.value = value

    def attribute(self, name: str) -> _Tag | None:
        """Follow a plain attribute; None where a property or a cown would answer."""
        if self.value is _ITEM or isinstance(self.value, _store.cown_types):
            return None
        if type(self.value) is ModuleType and not _names.is_user_module(self.value):
            return None  # what a library keeps for itself is every worker's own
        path = f"{self.path}.{name}"
        own = getattr(self.value, "__dict__", {})
        if name in own:
            return _Tag(self.root, path, own[name])
        for kind in type(self.value).__mro__:
            if name in kind.__dict__:
                value = kind.__dict__[name]
                return _Tag(self.root, path, value) if is_container(value) else None
        return None


class _Walk:
    def __init__(self, code: CodeType, globals_: Mapping[str, Any], closed: Mapping[str, Any]) -> None:
        self._code = code
        self._globals = globals_
        self._closed = closed
        self._stack: list[_Tag | None] = []
        self._found: list[tuple[str, str, str]] = []
        self._offset = 0

    def run(self) -> list[tuple[str, str, str]]:
        for offset, op, arg in _scan.instructions(self._code):
            self._offset = offset
            self._step(op, arg)
        return self._found

    def _pop(self, count: int = 1) -> _Tag | None:
        tag = None
        for _ in range(count):
            tag = self._stack.pop() if self._stack else None
        return tag

    def _step(self, op: int, arg: int) -> None:
        stack = self._stack
        name = opname[op]
        if name in _NAMES:
            self._load(name, arg)
        elif name == "LOAD_ATTR":
            self._attribute(arg)
        elif op in _STORE:
            self._store(op, arg)
        elif name == "COPY":
            stack.append(stack[-arg] if arg <= len(stack) else None)
        elif name == "SWAP":
            if arg <= len(stack):
                stack[-1], stack[-arg] = stack[-arg], stack[-1]
            else:
                stack.clear()
        elif op == _SUBSCRIPT or (op == _BINARY and arg == _SUBSCRIPT_ARGUMENT):
            self._pop()
            tag = self._pop()
            known = tag is not None and not isinstance(tag.value, _store.cown_types)
            stack.append(_Tag(tag.root, f"{tag.path}[...]", _ITEM) if known and tag is not None else None)
        elif op in _PUSH_ONE:
            stack.append(None)
        elif op in _PUSH_TWO:
            stack.extend((None, None))
        elif op in _ENDS:
            stack.clear()
        elif op not in _NO_EFFECT:
            self._other(op, arg)

    def _other(self, op: int, arg: int) -> None:
        effect = _opcode.stack_effect(op, arg if op >= HAVE_ARGUMENT else None, jump=False)
        if effect < 0:
            self._pop(-effect)
        if op not in _POP_ONLY and self._stack:
            self._stack[-1] = None
        self._stack.extend([None] * max(effect, 0))

    def _load(self, name: str, arg: int) -> None:
        null_first = False
        if name == "LOAD_DEREF":
            variable = self._code._varname_from_oparg(arg)  # type: ignore[attr-defined]
            values = self._closed
        else:
            variable = self._code.co_names[arg >> 1 if name == "LOAD_GLOBAL" else arg]
            values = self._globals
            null_first = name == "LOAD_GLOBAL" and bool(arg & 1)
        tag = _Tag(variable, variable, values[variable]) if variable in values else None
        pushed = [tag]
        if null_first:
            pushed = [None, tag] if _NULL_BELOW else [tag, None]
        self._stack.extend(pushed)

    def _attribute(self, arg: int) -> None:
        tag = self._pop()
        name = self._code.co_names[arg >> 1]
        if arg & 1:
            if tag is not None and name in _MUTATORS and is_container(tag.value):
                self._report(tag, f"calls .{name}() of")
            self._stack.extend((None, None))
        else:
            self._stack.append(tag.attribute(name) if tag is not None else None)

    def _store(self, op: int, arg: int) -> None:
        subscript = "SUBSCR" in opname[op]
        if subscript:
            self._pop()
        tag = self._pop()
        if "STORE" in opname[op]:
            self._pop()
        if tag is None or isinstance(tag.value, _store.cown_types) or (tag.value is _ITEM and not subscript):
            return
        if type(tag.value) is ModuleType and not _names.is_user_module(tag.value):
            return
        self._report(tag, _STORE[op])

    def _report(self, tag: _Tag, does: str) -> None:
        code = self._code
        line = next((n for a, b, n in code.co_lines() if a <= self._offset < b and n), code.co_firstlineno)
        what = "module" if isinstance(tag.value, ModuleType) else "captured"
        where = "the cell" if code.co_name == "<module>" else f"'{code.co_name}'"
        text = (
            f"line {line} of {where} {does} the {what} '{tag.path}': a behavior has a copy of what "
            f"it captures, so the change stays there. Put '{tag.root}' in a Cown, or return the new value"
        )
        self._found.append((f"{code.co_filename}:{line}", tag.root, text))


def is_container(value: object) -> bool:
    """Whether a value is one of the built-in containers that change in place."""
    return isinstance(value, (list, dict, set, bytearray)) or type(value).__name__ == "deque"
