"""What `%load_ext boc` puts into a shell, and `%unload_ext boc` takes out again.

In a Jupyter kernel: the magics, completion, displays of cowns, the way of outputs to their
cells, pinned work in the kernel's loop. In a terminal: the magics, and pinned work while
the prompt waits.
"""

from __future__ import annotations

import atexit
import threading
from typing import Any

import boc
from boc import _core, _service

from . import bodies, show, tooltip
from .cells import Cells
from .commands import BocMagics
from .complete import make_matcher
from .loop import LoopHook, input_hook
from .routing import Router
from .when import WhenMagics

_MAGICS = {"line": ("boc",), "cell": ("boc", "when")}


class Extension:
    """All that one shell holds of boc."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.kernel: Any = getattr(shell, "kernel", None)
        self.cells = Cells()
        self.router = Router(shell, self.kernel, self.cells) if self.kernel is not None else None
        self.hook: LoopHook | None = None
        self.terminal: Any = None
        self.bodies: bodies.PinnedBodies | None = None
        self.show = show.Displays(shell, self.router, self.cells)
        self.magics = BocMagics(shell, self.cells, self.router)
        self.matcher = make_matcher(lambda: shell.user_ns, self.magics.complete)

    def load(self) -> None:
        shell = self.shell
        shell.register_magics(WhenMagics(shell, self.cells, self.show))
        shell.register_magics(self.magics)
        completer = getattr(shell, "Completer", None)
        if completer is not None:
            completer.custom_matchers.append(self.matcher)
        self.show.load()
        for event, function in self._events():
            shell.events.register(event, function)
        if self.kernel is not None:
            self._load_kernel()
        elif hasattr(shell, "_inputhook"):
            self._load_terminal()
        atexit.register(self.close)

    def _load_kernel(self) -> None:
        assert self.router is not None
        self.bodies = bodies.PinnedBodies(self.router, self.cells)
        _service.sink = self.router
        _service.around = self.router.around
        _service.flushed = self.router.flush
        _service.waited = self.router.waited
        _core._set_notebook(self.bodies)
        self.hook = LoopHook(_core.pinned_fd(), _pump, self.bodies.escaped)
        self.hook.watch(self._loop())
        self.kernel.do_inspect = tooltip.explained(self.shell, self.kernel.do_inspect)
        parent = self.shell.get_parent()
        if parent.get("header", {}).get("msg_type") == "execute_request":
            self._begin(parent, parent.get("content", {}).get("code", ""))

    def _load_terminal(self) -> None:
        if self.shell._inputhook is None and not getattr(self.shell, "simple_prompt", False):
            self.terminal = self.shell._inputhook = input_hook(_core.pinned_fd(), _pump)

    def _loop(self) -> Any:
        """The kernel's asyncio loop; None until the kernel has begun to listen."""
        return getattr(getattr(self.kernel, "io_loop", None), "asyncio_loop", None)

    # ---- cells ---------------------------------------------------------------
    def _begin(self, parent: Any, text: str) -> None:
        cell = self.cells.begin(parent, text)
        cell.began, cell.scheduled = _core.now_ns(), _core._counts()[0]
        # On the main thread for all threads that the program starts; in a subshell for that one alone.
        _core.set_origin(cell.number, threading.current_thread() is not threading.main_thread())

    def _before_cell(self, info: Any) -> None:
        parent = self.shell.get_parent() if self.kernel is not None else {}
        self._begin(parent, info.raw_cell or "")
        if self.hook is not None and not self.hook.watching:
            self.hook.watch(self._loop())

    def _after_cell(self, _result: Any) -> None:
        # Cells that are run all at once leave the loop no time in between: pump here too.
        if self.hook is not None and threading.current_thread() is threading.main_thread():
            self.hook.slice()
        self.cells.count(_core._counts()[0])
        self.magics.after_cell()
        cell = self.cells.end()
        self.show.update()
        if self.router is not None:
            self.router.cell_ended(cell)

    def _silent(self) -> Any:
        """The request that runs, if it is a silent one: of those IPython tells by these two events alone."""
        parent = self.shell.get_parent() if self.kernel is not None else {}
        asked = parent.get("header", {}).get("msg_type") == "execute_request"  # and no message of a widget
        return parent if asked and parent.get("content", {}).get("silent") else None

    def _before_any(self) -> None:
        parent = self._silent()
        if parent is not None:
            self._begin(parent, parent["content"].get("code", ""))

    def _after_any(self) -> None:
        if self._silent() is not None:
            self._after_cell(None)

    def _events(self) -> list[tuple[str, Any]]:
        return [
            ("pre_run_cell", self._before_cell),
            ("post_run_cell", self._after_cell),
            ("pre_execute", self._before_any),
            ("post_execute", self._after_any),
        ]

    # ---- the end -----------------------------------------------------------------
    def close(self) -> None:
        """Stop watching, let out what is pending; the end of unloading and of the process."""
        atexit.unregister(self.close)
        self.magics.close()
        self.show.close()
        if self.hook is not None:
            self.hook.close()
            self.hook = None
        if self.router is not None:
            if _service.sink is self.router:
                _service.sink = _service.around = _service.flushed = _service.waited = None
                _core._set_notebook(None)
            self.router.close()

    def unload(self) -> None:
        shell = self.shell
        for name, function in self._events():
            if function in shell.events.callbacks[name]:
                shell.events.unregister(name, function)
        for kind, names in _MAGICS.items():
            for name in names:
                shell.magics_manager.magics[kind].pop(name, None)
        completer = getattr(shell, "Completer", None)
        if completer is not None and self.matcher in completer.custom_matchers:
            completer.custom_matchers.remove(self.matcher)
        self.show.unload()
        if self.kernel is not None:
            vars(self.kernel).pop("do_inspect", None)
        if self.terminal is not None and shell._inputhook is self.terminal:
            shell._inputhook = None
        self.close()


def _pump(slice_ms: int) -> None:
    boc.pump(deadline_ms=slice_ms)


_loaded: dict[int, Extension] = {}


def load(shell: Any) -> None:
    """Load the extension into `shell`, once."""
    if id(shell) in _loaded:
        return
    extension = Extension(shell)
    _loaded[id(shell)] = extension
    extension.load()


def unload(shell: Any) -> None:
    """Unload it; nothing if it is not loaded."""
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.unload()
