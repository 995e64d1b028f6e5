"""Looking at a body once: is it allowed, what does it reach, where does it come from."""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, MethodType

from boc import _frames, _hints, _reduce, _scan
from boc._identity import IdentityMap
from boc._reach import Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_seen = IdentityMap()  # code -> whether a body with it was found good
_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST, without importing ast
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
_OWN_FLAGS = (
    (_ASYNC_GENERATOR, "an async generator"),
    (_COROUTINE, "an async function"),
    (_GENERATOR, "a generator"),
)


def analyse(
    func: Any, values: tuple[Any, ...] = ()
) -> tuple[bytes | None, list[tuple[int, Any, str, str]], list[tuple[str, str, str]]]:
    """Check a body and find what it reaches: (recipe id, entries, hints).

    `values`: what its cells, defaults and captures hold now. The recipe id is None for a callable that is no
    Python function. Entries are those of `boc._reach.Reach`; hints are (place, name, text). `SyntaxError` for
    a body that cannot work. Called from C while the frame that applies `@when` is the innermost.
    """
    reach = Reach()
    if type(func) is not FunctionType:
        check_kind(called(func))
        body = innermost(func)
        check_rebinding(body)
        reach.values((func, *values))
        reach.sent_names()
        return None, reach.in_order(), changed_captures(body)
    body = innermost(func)
    seen = _seen.get(func.__code__)
    if not seen:
        check_kind(func)
        check_rebinding(body)
        if body is not None:
            check_decorators(body.__code__, sys._getframe(1))
            if "linecache" in sys.modules:  # always in main; a worker need not import it for this
                _frames.remember(body.__code__.co_filename)
    key = _reduce.recipe(func.__code__, func.__globals__, values)
    reach.code(func.__code__, func.__globals__)
    reach.values(values)
    reach.values(func.__dict__.values())
    reach.sent_names()
    if seen:
        return key, reach.in_order(), []
    # A wrapper's code serves many bodies.
    _seen.set(func.__code__, body is func)
    return key, reach.in_order(), changed_captures(body)


def changed_captures(body: FunctionType | None) -> list[tuple[str, str, str]]:
    """Return the hints for a body: (place, name, text) of each change to a captured object."""
    if body is None:
        return []
    closed = {}
    for name, cell in zip(body.__code__.co_freevars, body.__closure__ or (), strict=True):
        try:
            closed[name] = cell.cell_contents
        except ValueError:
            continue
    return _hints.hints(body.__code__, body.__globals__, closed)


def innermost(func: Any) -> FunctionType | None:
    """Return the function under the wrappers of a callable, or None where there is none."""
    for _ in range(100):
        wrapped = getattr(func, "__wrapped__", None) or getattr(func, "__func__", None)
        if wrapped is None:
            break
        func = wrapped
    return func if type(func) is FunctionType else None


def _refusal(code: CodeType, message: str, line: int | None = None) -> SyntaxError:
    return SyntaxError(message, (code.co_filename, line or code.co_firstlineno, None, None))


def called(func: Any) -> FunctionType | None:
    """Return the function that a call of a partial, a method or an instance runs, or None where there is none."""
    partial = getattr(sys.modules.get("functools"), "partial", ())  # who made one has it imported
    for _ in range(100):
        if type(func) is FunctionType:
            return func
        if isinstance(func, MethodType):
            func = func.__func__
        elif isinstance(func, partial):
            func = func.func
        else:
            func = getattr(type(func), "__call__", None)  # noqa: B004 - what it calls, not whether
    return None


def check_kind(func: FunctionType | None) -> None:
    """Refuse a body whose call does not run it: async functions and generators."""
    if func is None:
        return
    code = func.__code__
    for flag, what in _OWN_FLAGS:
        if code.co_flags & flag:
            raise _refusal(
                code,
                f"behavior '{func.__name__}' is {what}: a behavior runs to its end on a worker. "
                "Use a plain function (it may call asyncio.run, or return a list)",
            )


def check_rebinding(body: FunctionType | None) -> None:
    """Refuse a body that rebinds a name outside it: the change could not reach the program."""
    if body is None:
        return
    code = body.__code__
    found = _scan.rebound(code, frozenset(code.co_freevars))
    if found is not None:
        statement, name = found
        raise _refusal(
            code,
            f"behavior '{body.__name__}' rebinds the outer name '{name}' ({statement} {name}), but a behavior "
            f"has copies of what it captures. Put '{name}' in a Cown and assign its .value, return the new "
            f"value, or take it as a trailing parameter with a default ({name}={name})",
        )


def check_decorators(code: CodeType, frame: FrameType) -> None:
    """Refuse a decorator above `@when`, where there is source to see it."""
    if frame.f_code.co_filename != code.co_filename or frame.f_lineno <= code.co_firstlineno:
        return
    import linecache

    lines = linecache.getlines(code.co_filename, frame.f_globals)
    first, applied = code.co_firstlineno, frame.f_lineno
    if applied > len(lines) or not all(lines[n - 1].lstrip().startswith("@") for n in (first, applied)):
        return
    try:
        tree = compile("".join(lines), code.co_filename, "exec", _ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return
    above = _decorator_above(tree, first, applied)
    if above is not None:
        raise _refusal(
            code,
            f"behavior '{code.co_name}' has a decorator above @when: it would get the result cown. "
            "Put it below @when, where it wraps the body",
            above,
        )


def _decorator_above(node: Any, first: int, applied: int) -> int | None:
    """Return the line of the first decorator if another one was applied at line `applied`."""
    todo = [node]
    while todo:
        node = todo.pop()
        decorators = getattr(node, "decorator_list", None)
        if decorators and decorators[0].lineno == first:
            if any(d.lineno == applied for d in decorators[1:]):
                return first
            return None
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                todo.extend(item for item in value if hasattr(item, "_fields"))
            elif hasattr(value, "_fields"):
                todo.append(value)
    return None
