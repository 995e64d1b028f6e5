"""From the text of a `%%when` cell to the function that a behavior runs.

The body becomes a function whose parameters are the names of the header. It is
compiled under the running cell's own file name with the cell's own line numbers,
so a traceback points into the cell. Its last expression is its result. What
cannot work in a behavior (`await`, magics, `input()`) is refused here, before
anything is scheduled.
"""

from __future__ import annotations

import ast
import dis
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

HELPERS = "boc.kernel.body"
EMPTY = "the cell has no body: write the behavior below the header"


class CellError(ValueError):
    """The body cannot be a behavior; the message is one short line for the user."""


class CellSyntaxError(CellError):
    """The body is not Python. `line` is the cell's line, `text` the source line."""

    def __init__(self, error: SyntaxError) -> None:
        super().__init__(error.msg)
        self.error = error


@dataclass(frozen=True)
class Source:
    """Where a cell's text lies: the file name of its code, its whole text, the header's line."""

    filename: str
    text: str
    header_line: int  # counted from 1

    def remember(self) -> None:
        """Let tracebacks find the lines as the user wrote them."""
        lines = self.text.splitlines(keepends=True)
        linecache.cache[self.filename] = (len(self.text), None, lines, self.filename)


@dataclass(frozen=True)
class Body:
    """A compiled body: the function and the names that start with a notebook's value."""

    function: FunctionType
    captured: tuple[str, ...]  # may be read before the body assigns them
    read_first: frozenset[str]  # those of them that the text reads first


def _helper(name: str, like: ast.AST) -> ast.expr:
    """The expression that finds a helper on any worker, without a name of the notebook's."""
    text = f"__import__({HELPERS!r}, fromlist=[{name!r}]).{name}"
    node = ast.parse(text, mode="eval").body
    for child in ast.walk(node):
        ast.copy_location(child, like)
    return node


def _is_shell(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


class _Rewrite(ast.NodeTransformer):
    """Turns `!cmd` into a helper's call; refuses what cannot work in a behavior."""

    def __init__(self, magic_lines: Mapping[int, str], asking: set[str]) -> None:
        self.magic_lines = magic_lines
        self.asking = asking
        self.inside_async = 0

    def _refuse(self, node: ast.expr | ast.stmt, what: str) -> CellError:
        return CellError(f"line {node.lineno}: {what}")

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.inside_async += 1
        self.generic_visit(node)
        self.inside_async -= 1
        return node

    def _sync_scope(self, node: ast.AST) -> ast.AST:
        kept, self.inside_async = self.inside_async, 0
        self.generic_visit(node)
        self.inside_async = kept
        return node

    visit_FunctionDef = _sync_scope
    visit_Lambda = _sync_scope

    def _awaiting(self, node: Any) -> ast.AST:
        if not self.inside_async:
            raise self._refuse(node, "'await' cannot be used in a behavior; ask for the cown in the header")
        return self.generic_visit(node)

    visit_Await = _awaiting
    visit_AsyncFor = _awaiting
    visit_AsyncWith = _awaiting

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        if node.is_async and not self.inside_async:
            raise self._refuse(node.iter, "'async for' cannot be used in a behavior")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Attribute) and _is_shell(function.value):
            if function.attr in ("system", "getoutput"):
                self.generic_visit(node)
                node.func = _helper(function.attr, function)
                return node
            text = self.magic_lines.get(node.lineno, "").strip() or "get_ipython()"
            raise self._refuse(node, f"magics do not work in a behavior: {text}")
        if isinstance(function, ast.Name) and function.id in self.asking:
            raise self._refuse(node, f"{function.id}() cannot be used in a behavior: nobody can answer there")
        return self.generic_visit(node)


def _read_body(text: str, source: Source, transform: Callable[[str], str]) -> ast.Module:
    """The body's tree with the cell's own line numbers."""
    lines = text.splitlines(keepends=True)
    blank = 0
    while blank < len(lines) and not lines[blank].strip():
        blank += 1
    if blank == len(lines):
        raise CellError(EMPTY)
    python = transform("".join(lines[blank:]))
    above = "\n" * (source.header_line + blank)
    try:
        tree = ast.parse(above + python, source.filename)
    except SyntaxError as error:
        raise CellSyntaxError(error) from None
    if not tree.body:
        raise CellError(EMPTY)
    return tree


def _returned(tree: ast.Module) -> None:
    """The last expression becomes the function's result; one that cannot move gives its repr."""
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        call = ast.copy_location(ast.Call(_helper("result", last.value), [last.value], []), last.value)
        tree.body[-1] = ast.copy_location(ast.Return(call), last)


def _compile(tree: ast.Module, parameters: Iterable[str], source: Source) -> CodeType:
    """The code object of a function around the tree.

    It is named and numbered like a module's, for that is how the user sees a cell: whatever
    prints a traceback then shows the lines of the whole cell around the one that failed.
    """
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg(p, None) for p in parameters], vararg=None,
        kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[],
    )  # fmt: skip
    function = ast.FunctionDef("body", arguments, tree.body, [], None, None)  # type: ignore[call-overload, unused-ignore]
    if "type_params" in ast.FunctionDef._fields:
        function.type_params = []
    made: list[ast.FunctionDef | ast.arg] = [function, *arguments.args]
    for node in made:
        node.lineno = node.end_lineno = 1
        node.col_offset = node.end_col_offset = 0
    try:
        code = compile(ast.Module([function], []), source.filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        if error.text is None and error.lineno is not None:
            error.text = _line(source.text, error.lineno)
        raise CellSyntaxError(error) from None
    inner = next(c for c in code.co_consts if isinstance(c, CodeType))
    return inner.replace(co_name="<module>", co_qualname="<module>")


def _line(text: str, number: int) -> str | None:
    lines = text.splitlines()
    return lines[number - 1] if 0 < number <= len(lines) else None


def _maybe_unset(code: CodeType) -> set[str]:
    """Locals that the body may read before it has assigned them.

    The compiler knows: it checks exactly those reads. A name that a nested function shares
    has no such mark; there the first use in the order of the text decides.
    """
    names: set[str] = set()
    settled: set[str] = set()
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname in ("LOAD_FAST_CHECK", "DELETE_FAST"):
            names.add(name)
        elif instruction.opname in ("STORE_DEREF",):
            settled.add(name)
        elif name in code.co_cellvars and name not in settled and instruction.opname in _CELL_READS:
            names.add(name)
    return names


_EARLY = {"generators": 0, "iter": 1, "value": 2}  # what Python evaluates before the other parts of a node


def _uses(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Each name of the tree in the order of evaluation, and whether it is read there (`n += 1` does)."""
    if isinstance(node, ast.Name):
        yield node.id, isinstance(node.ctx, ast.Load)
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, True
    for _, part in sorted(ast.iter_fields(node), key=lambda field: _EARLY.get(field[0], 3)):
        for child in part if isinstance(part, list) else [part]:
            if isinstance(child, ast.AST):
                yield from _uses(child)


def _reads_first(tree: ast.AST, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that the body reads before it assigns them, if it runs from top to bottom."""
    first: dict[str, bool] = {}
    for name, reads in _uses(tree):
        first.setdefault(name, reads)
    return frozenset(n for n in names if first.get(n))


_CELL_READS = ("LOAD_DEREF", "LOAD_CLOSURE", "LOAD_FAST", "LOAD_FAST_BORROW", "DELETE_DEREF")


def compile_body(
    text: str,
    source: Source,
    name: str,
    parameters: Iterable[str],
    namespace: dict[str, Any],
    transform: Callable[[str], str] = str,
    movable: Callable[[Any], bool] = lambda value: True,
) -> Body:
    """Make the behavior's function from the body of a cell.

    `parameters`: the names of the header, in order. `namespace`: the notebook's globals, which
    become the function's. `transform`: IPython's input transformer (`!cmd` to Python). `movable`: whether
    a value can be captured; one that cannot is left out where the body assigns the name first (`for f in ..`).
    Raises `CellError` for what cannot be a behavior.
    """
    parameters = tuple(parameters)
    tree = _read_body(text, source, transform)
    lines = dict(enumerate(source.text.splitlines(), 1))
    _Rewrite(lines, {"input", "breakpoint"}.difference(namespace, parameters)).visit(tree)
    _returned(tree)
    code = _compile(tree, parameters, source)
    unset = sorted(n for n in _maybe_unset(code) if n in namespace and n not in parameters)
    reads = _reads_first(tree, unset)
    captured = tuple(n for n in unset if n in reads or movable(namespace[n]))
    if captured:
        code = _compile(tree, parameters + captured, source)
    function = FunctionType(code, namespace, name)
    function.__module__ = str(namespace.get("__name__", "__main__"))
    function.__qualname__ = name
    return Body(function, captured, reads)
