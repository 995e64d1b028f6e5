"""Exceptions on their way between interpreters.

`pack` takes an exception apart into tuples of str, int, float, bytes and None
(and what `encode` makes of richer parts); `unpack` builds it again elsewhere,
without calling its `__init__`. The traceback travels as positions; `_frames`
makes a real traceback of them.

A packed exception is `(nodes, frames)`. A node is one exception of the chain:
(type, args, fields, state, cause, context, suppress, members, trace, text).
cause, context and members are indices into nodes, so that cycles and sharing
survive. trace holds indices into frames, so that a recursion is small.
"""

from __future__ import annotations

import builtins
import sys
from types import GetSetDescriptorType, MemberDescriptorType

from boc import _core, _frames, _refused
from boc._error_parts import bare, fields_of, set_field
from boc._errors import BehaviorError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["describe", "encode_part", "pack", "raised_for", "type_name", "unpack"]

_SIMPLE = frozenset({str, int, float, bool, type(None), bytes, complex})
_MAX_CHAIN = 100
_MAX_TEXT = 10_000

# How parts that are no plain values move; each may raise anything.
_encode: Callable[[Any], Any] = _core._dumps
_decode: Callable[[Any], Any] = _core._loads


def encode_part(value: Any) -> Any:
    """What `value` travels as; raises what its encoding raises."""
    return _encode(value)


class _Shape:
    """In place of `AttributeError.obj`: shows and lists like the original, so that
    Python's "Did you mean" works where the object itself stayed behind."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self._boc_text = text
        self._boc_names = names

    def __repr__(self) -> str:
        return self._boc_text

    def __dir__(self) -> tuple[str, ...]:
        return self._boc_names


def type_name(cls: type) -> str:
    """`module.Qualified.name`; no module for built-in types."""
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"


def describe(exc: BaseException) -> str:
    """`TypeName: text` in one line or more, whatever the exception's own code does."""
    text = _safe(str, exc)
    return f"{type_name(type(exc))}: {text}" if text else type_name(type(exc))


def _safe(show: Callable[[Any], str], value: Any) -> str:
    try:
        text = show(value)
    except Exception as e:
        return f"<{type_name(type(value))}: {show.__name__}() raised {type(e).__name__}>"
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "..."


def raised_for(exc: BaseException) -> BehaviorError:
    """What `result()` raises for a body that ended with `exc`, which is no Exception: a SystemExit, an interrupt."""
    from traceback import format_exception

    trace = "".join(format_exception(exc))
    e = BehaviorError(describe(exc), type_name=type_name(type(exc)), text=_safe(str, exc), traceback=trace)
    e.__cause__ = exc
    return e


# ---- out -------------------------------------------------------------------
# A part is a plain value, ("e", encoded), or ("t", parts) for an exact tuple.


def _part(value: Any) -> Any:
    cls = type(value)
    if cls in _SIMPLE:
        return value
    if cls is tuple and len(value) < 100 and all(type(v) in _SIMPLE for v in value):
        return ("t", value)
    try:
        return ("e", _encode(value))
    except Exception:
        return _safe(repr, value)


def _pack_type(cls: type) -> Any:
    module, name = cls.__module__, cls.__qualname__
    if module == "builtins" and getattr(builtins, name, None) is cls:
        return name
    if module != "__main__":
        found: Any = sys.modules.get(module)
        for step in name.split("."):
            found = getattr(found, step, None)
        if found is cls:
            return (module, name)
    try:
        return ("", type_name(cls), _encode(cls))
    except Exception:
        return ("", type_name(cls), None)


def _pack_fields(exc: BaseException) -> Any:
    fields = [(name, _part(value)) for name, value in fields_of(exc)]
    if isinstance(exc, AttributeError):
        fields.append(("obj", _pack_object(exc)))
    return tuple(fields)


def _pack_object(exc: BaseException) -> Any:
    obj = getattr(exc, "obj", None)
    if obj is None:
        return None
    try:
        names = tuple(n for n in dir(obj)[:750] if type(n) is str)
    except Exception:
        names = ()
    return ("s", _safe(repr, obj)[:200], names)


def _pack_state(exc: BaseException) -> Any:
    state = getattr(exc, "__dict__", None)
    if not state:
        return None
    out: list[tuple[str, Any]] = []
    for name, value in state.items():
        if name == "__notes__" and type(value) is list:
            out.append((name, ("n", tuple(_part(v) for v in value))))
        elif type(name) is str:
            out.append((name, _part(value)))
    return tuple(out)


def pack(exc: BaseException, skip_frames: int = 0) -> object:
    """Take `exc` apart. skip_frames: outermost traceback entries to leave out (not of its causes).

    Raises nothing, whatever the exception's own code does.
    """
    try:
        return _pack(exc, skip_frames)
    except Exception:
        kind = ("", type_name(type(exc)), None)
        return (((kind, (), None, None, None, None, False, None, (), _safe(str, exc)),), ())


def _pack(exc: BaseException, skip_frames: int) -> object:
    order: list[BaseException] = [exc]
    index: dict[int, int] = {id(exc): 0}

    def number(other: BaseException | None) -> int | None:
        if other is None:
            return None
        at = index.get(id(other))
        if at is None and len(order) < _MAX_CHAIN:
            at = index[id(other)] = len(order)
            order.append(other)
        return at

    frames: list[Any] = []
    known: dict[Any, int] = {}
    nodes: list[Any] = []
    for e in order:  # grows while we go
        if isinstance(e, ImportError):
            _refused.reword(e)
        kind = _pack_type(type(e))
        members = None
        if isinstance(e, BaseExceptionGroup):
            members = tuple(n for n in map(number, e.exceptions) if n is not None)
            args: Any = (e.message,)
        else:
            args = tuple(map(_part, e.args))
        plain = type(kind) is str
        nodes.append(
            (
                kind,
                args,
                _pack_fields(e),
                _pack_state(e),
                number(e.__cause__),
                number(e.__context__),
                e.__suppress_context__,
                members,
                _frames.take(e, 0 if nodes else skip_frames, frames, known),
                None if plain else _safe(str, e),
            )
        )
    return (tuple(nodes), tuple(frames))


# ---- in --------------------------------------------------------------------

# Straight to the C structure: a user's __setattr__ is not asked.
_put: dict[str, Callable[[BaseException, Any], None]] = {
    name: member.__set__
    for name, member in vars(BaseException).items()
    if isinstance(member, GetSetDescriptorType | MemberDescriptorType)
}


def _unpart(part: Any) -> Any:
    if type(part) is not tuple:
        return part
    tag = part[0]
    if tag == "t":
        return part[1]
    if tag == "n":
        return [_unpart(p) for p in part[1]]
    if tag == "s":
        return _Shape(part[1], part[2])
    try:
        return _decode(part[1])
    except Exception as e:
        return f"<cannot be loaded here: {type(e).__name__}: {e}>"


def _unpack_type(kind: Any) -> type[BaseException] | None:
    try:
        if type(kind) is str:
            found: Any = getattr(builtins, kind)
        elif kind[0]:
            module, name = kind
            if module not in sys.modules:
                __import__(module)
            found = sys.modules[module]
            for step in name.split("."):
                found = getattr(found, step)
        else:
            found = None if kind[2] is None else _decode(kind[2])
    except Exception:
        return None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _kind_name(kind: Any) -> str:
    if type(kind) is str:
        return kind
    return f"{kind[0]}.{kind[1]}" if kind[0] else str(kind[1])


def _fill(exc: BaseException, fields: Any, state: Any) -> None:
    for name, part in fields or ():
        try:
            set_field(exc, name, _unpart(part))
        except Exception:  # a field that this build does not have
            continue
    if state:
        vars(exc).update((name, _unpart(part)) for name, part in state)


def _stand_in(node: Any, trace: Any) -> BehaviorError:
    kind, text = _kind_name(node[0]), node[9]
    if text is None:
        text = ", ".join(str(_unpart(a)) for a in node[1])
    line = f"{kind}: {text}" if text else kind
    exc = BehaviorError(line, type_name=kind, text=text, traceback=_frames.text(trace) + line + "\n")
    for name, part in node[3] or ():
        if name == "__notes__":
            exc.__notes__ = _unpart(part)
    return exc


def unpack(obj: object) -> BaseException:
    """Build the exception that `pack` took apart; never raises for what `pack` made.

    An exception in its place is why the record itself could not be read here.
    """
    if not isinstance(obj, tuple):
        why = describe(obj) if isinstance(obj, BaseException) else str(obj)
        return BehaviorError(f"an exception that cannot be loaded here: {why}", text=why)
    packed: Any = obj
    nodes: Any = packed[0]
    built: dict[int, BaseException] = {}
    for i in range(len(nodes)):
        _build(packed, i, built, set())
    for i, node in enumerate(nodes):
        exc = built[i]
        if node[4] is not None:
            _put["__cause__"](exc, built[node[4]])
        if node[5] is not None:
            _put["__context__"](exc, built[node[5]])
        _put["__suppress_context__"](exc, node[6])
    return built[0]


def _build(packed: Any, i: int, built: dict[int, BaseException], busy: set[int]) -> BaseException:
    """Exception number i, without its cause and context. busy: the groups that are being built around it."""
    if i in built:
        return built[i]
    nodes, frames = packed
    node = nodes[i]
    kind, args, fields, state, _, _, _, members, trace, _ = node
    exc: BaseException | None = None
    cls = _unpack_type(kind)
    if cls is not None:
        try:
            if members is not None:
                # A group cannot be its own member, so a busy one can only be a damaged record.
                around = busy | {i}
                inner = [_build(packed, m, built, around) for m in members if m not in around]
                exc = bare(cls, _unpart(args[0]), inner or [BehaviorError("members were lost")])
            else:
                exc = bare(cls)
                _put["args"](exc, tuple(map(_unpart, args)))
            _fill(exc, fields, state)
        except Exception:
            exc = None
    if exc is None:
        exc = _stand_in(node, [frames[t] for t in trace])
    _put["__traceback__"](exc, _frames.rebuild(frames, trace))
    built[i] = exc
    return exc
