"""`%%when`: a notebook cell as the body of a behavior."""

from __future__ import annotations

import difflib
import functools
import logging
import sys
from typing import Any

import boc
from boc import _core
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

from .cell import CellError, CellSyntaxError, Source, compile_body
from .cells import Cells
from .header import Header, HeaderError, Item, parse
from .show import Displays

_log = logging.getLogger("boc")


class Shown(Exception):
    """An error of the cell's text, shown as Python shows its own."""

    def __init__(self, error: SyntaxError, shell: Any) -> None:
        super().__init__(str(error))
        self._lines: list[str] = shell.SyntaxTB.structured_traceback(type(error), error, [])

    def _render_traceback_(self) -> list[str]:
        return self._lines


Shown.__name__ = Shown.__qualname__ = "SyntaxError"


def is_cown(value: Any) -> bool:
    """A cown, a `read(...)` of one, or a list or tuple of these."""
    if isinstance(value, list | tuple):
        return all(map(is_cown, value))
    return isinstance(value, boc.Cown) or type(value) is _read_type()


@functools.cache
def _read_type() -> type:
    return type(boc.read(boc.Cown()))


@magics_class
class WhenMagics(Magics):
    """The cell magic; `cells` knows the text of the running cell."""

    shell: Any

    def __init__(self, shell: Any, cells: Cells, displays: Displays) -> None:
        super().__init__(shell)
        self.cells = cells
        self.displays = displays
        self._hinted: set[tuple[str, str]] = set()

    @no_var_expand
    @cell_magic
    def when(self, line: str, cell: str) -> Any:
        """Run the cell as a behavior when its cowns are free.

            %%when knife, onion [-> result] [--name N] [--wait] [--read c] [--on KIND]

        The names in the header are cowns, variables that one behavior holds at a time: a name,
        a name of a list of cowns, or `expression as name`. The body uses them by these names and
        their values as `knife.value`. It starts when it can hold all of them, on a worker; the
        cell ends at once. Everything else that the body uses is a copy of the notebook's, taken
        now; assignments stay in the behavior.

        The last expression, or `return`, is the behavior's result, itself a cown: `-> diced`
        keeps it as `diced`, without it it is the cell's output. Ask for it with
        `diced.result()`, or name it in the header of another `%%when`.

          -> NAME    the name of the result
          --wait     wait for the end; an exception of the body is raised in this cell
          --read C   also C, read-only: readers of one cown run together (may be repeated)
          --name N   the behavior's name in charts and messages
          --on KIND  where it runs: interpreter, or main for the main thread

        What the body prints, displays and raises appears under this cell.
        """
        __tracebackhide__ = True
        result, header, source = self._schedule(line, cell)
        if header.result is not None:
            self.shell.user_ns[header.result] = result
        if header.wait:
            _wait(result, source)
        if header.result is not None:
            return None
        self.displays.expect(result)
        return result

    def _schedule(self, line: str, text: str) -> tuple[Any, Header, Source]:
        __tracebackhide__ = True
        try:
            header = parse(line)
            cowns = [self._cown(item) for item in header.items]
        except HeaderError as error:
            raise UsageError(str(error)) from None
        source = self._source(line, text)
        name = header.name or header.result or f"cell {self._count(source)}"
        try:
            body = compile_body(
                text,
                source,
                name,
                [i.name for i in header.items],
                self.shell.user_ns,
                self.shell.transform_cell,
                _core._can_move,
            )
        except CellSyntaxError as error:
            raise Shown(error.error, self.shell) from None
        except CellError as error:
            raise UsageError(str(error)) from None
        source.remember()
        captures = {n: self.shell.user_ns[n] for n in body.captured}
        try:
            result = boc.whencall(body.function, cowns, captures, name=name, on=header.on)
        except (SyntaxError, TypeError, ValueError, RuntimeError) as error:
            raise UsageError(_first_line(error)) from None
        for captured in sorted(body.read_first):
            self._hint(captured, source)
        return result, header, source

    def _cown(self, item: Item) -> Any:
        """The cown, or list of cowns, that an item of the header stands for."""
        try:
            value = eval(item.expression, self.shell.user_global_ns, self.shell.user_ns)
        except NameError as error:
            raise HeaderError(self._unknown(str(error.name or item.expression))) from None
        except Exception as error:
            raise HeaderError(f"{item.expression}: {type(error).__name__}: {error}") from None
        if not is_cown(value):
            raise HeaderError(
                f"{item.expression!r} is not a cown but of type {type(value).__name__}: wrap it in Cown(...)"
            )
        return boc.read(value) if item.read else value

    def _unknown(self, name: str) -> str:
        cowns = [n for n, v in self.shell.user_ns.items() if isinstance(v, boc.Cown)]
        near = difflib.get_close_matches(name, cowns, 1)
        return f"unknown name {name!r}" + (f", did you mean {near[0]!r}?" if near else "")

    def _count(self, source: Source) -> int:
        """The n of the cell's `In [n]`."""
        known = getattr(self.shell.compile, "_filename_map", {}).get(source.filename)
        return int(known if known is not None else self.shell.execution_count)

    def _source(self, line: str, text: str) -> Source:
        """Where the text of this cell lies: the running cell, if this `%%when` stands in it."""
        running = self.cells.running()
        frame = sys._getframe(1)
        while running is not None and frame.f_back is not None:
            if frame.f_code.co_name == "<module>" and frame.f_globals is self.shell.user_ns:
                wanted = ("%%when " + line).split()
                for number, row in enumerate(running.text.splitlines(), 1):
                    if row.split() == wanted:
                        return Source(frame.f_code.co_filename, running.text, number)
                break
            frame = frame.f_back
        return Source(f"<%%when {hash(text) & 0xFFFFFFFF:x}>", f"%%when {line}\n{text}", 1)

    def _hint(self, name: str, source: Source) -> None:
        if (name, source.filename) in self._hinted:
            return
        self._hinted.add((name, source.filename))
        _log.warning(
            "the behavior works on a copy of %r: what it assigns stays there; put it in a Cown to keep it",
            name,
        )


def _wait(result: Any, source: Source) -> None:
    """Wait in a frame of the cell's header line: an error that has no frames of a body is shown there, not in here."""
    __tracebackhide__ = True
    code = compile("\n" * (source.header_line - 1) + "result.result()", source.filename, "exec")
    exec(code, {"result": result, "__tracebackhide__": True})


def _first_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__
