"""`%%boc profile`: run a cell, wait for its behaviors, show where the time went."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import boc

from .when import Shown

if TYPE_CHECKING:
    from .commands import BocMagics


def _run(shell: Any, filename: str, text: str, above: int) -> None:
    """Run the lines of a cell as the cell itself would, with their own line numbers."""
    __tracebackhide__ = True
    lines = text.splitlines(keepends=True)
    blank = 0
    while blank < len(lines) and not lines[blank].strip():
        blank += 1
    python = shell.transform_cell("".join(lines[blank:]))
    try:
        tree = ast.parse("\n" * (above + blank) + python, filename)
        tree = shell.transform_ast(tree)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        parts = [compile(tree, filename, "exec")]
        if last is not None:
            parts.append(compile(ast.Interactive([last]), filename, "single"))
    except SyntaxError as error:
        raise Shown(error, shell) from None
    for code in parts:
        exec(code, shell.user_ns)


def profile(magics: BocMagics, text: str) -> Any:
    """Run the cell, quiesce, and give what the report shows. Raises what the cell raises."""
    __tracebackhide__ = True
    running = magics.cells.running()
    whole = running.text if running is not None else ""
    above = next((i for i, row in enumerate(whole.splitlines(), 1) if row.lstrip().startswith("%%boc")), 1)
    filename = magics.shell.compile.get_code_name(whole or text, text, magics.shell.execution_count)
    if whole:
        from .cell import Source

        Source(filename, whole, above).remember()
    from boc.trace import Cursor, Trace

    with Cursor() as before:
        before.drain()
        _run(magics.shell, filename, text, above)
        boc.quiesce()
        trace = Trace.from_cursor(before)
    summary = getattr(boc, "summary", None)
    return trace if summary is None else summary(trace)
