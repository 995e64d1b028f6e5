"""Names for people from source text: where a nameless body stands, what the arguments of @when are called."""

from __future__ import annotations

import sys

from boc import _core, _kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

__all__ = ["arguments", "cell", "hint", "module_of", "place"]


def cell(filename: str) -> int | None:
    """Return the n of `In [n]` of the cell whose code has this file name; None for other files."""
    if filename.startswith("<ipython-input-"):  # in a terminal the name says it
        number = filename[15:].partition("-")[0]
        return int(number) if number.isdigit() else None
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if get_shell is not None else None
    found = getattr(getattr(shell, "compile", None), "_filename_map", {}).get(filename)
    return found if isinstance(found, int) else None


def place(code: CodeType) -> str:
    """Return `file.py:12`, or `cell 3:2` in a notebook."""
    number = cell(code.co_filename)
    name = code.co_filename.rsplit("/", 1)[-1] if number is None else f"cell {number}"
    return f"{name}:{code.co_firstlineno}"


def _source(code: CodeType) -> list[str]:
    import linecache

    lines = linecache.getlines(code.co_filename)
    first = code.co_firstlineno - 1
    return lines[first : first + 40]


def arguments(code: CodeType, count: int) -> tuple[str | None, ...]:
    """Texts of the arguments in the `@when(...)` line; None where one is no name, attribute or subscript."""
    import ast

    lines = _source(code)
    if not lines:
        return ()
    indent = len(lines[0]) - len(lines[0].lstrip())
    text = "".join(line[indent:] if line[:indent].isspace() or not indent else line for line in lines)
    tree = None
    for end in range(1, len(lines) + 1):  # the smallest piece that parses: the decorated function alone
        piece = "".join(line[indent:] if line[:indent].strip() == "" else line for line in lines[:end])
        try:
            tree = ast.parse(piece)
        except SyntaxError:
            continue
        if tree.body:
            break
    if tree is None or not tree.body:
        return ()
    node = tree.body[0]
    for decorator in getattr(node, "decorator_list", ()):
        if isinstance(decorator, ast.Call) and _is(decorator.func, "when"):
            texts: list[str | None] = []
            for arg in decorator.args:
                if isinstance(arg, ast.Starred):  # from here on a place in the line is not a place in the call
                    return (*texts, *[None] * (count - len(texts)))
                if isinstance(arg, ast.Call) and _is(arg.func, "read") and len(arg.args) == 1:
                    arg = arg.args[0]
                named = isinstance(arg, (ast.Name, ast.Attribute, ast.Subscript))
                texts.append(ast.get_source_segment(text, arg) if named else None)
            return tuple(texts) if len(texts) == count else ()
    return ()


def module_of(filename: str) -> str:
    """The module whose code is in this file; if main did not import it, what Python makes of the name."""
    if filename.startswith("<"):
        return "__main__"
    for name, module in list(sys.modules.items()):
        if getattr(module, "__dict__", {}).get("__file__") == filename:
            return name
    return filename.removesuffix(".py") or "<unknown>"


def _is(function: object, name: str) -> bool:
    return getattr(function, "id", getattr(function, "attr", "")) == name


def hint(hints: list[tuple[str, str, str]]) -> None:
    """Say each hint once: a warning of the logger `boc`."""
    for where, name, text in hints:
        _core.emit(_kinds.HINT, text, f"{where}\0{name}")
