"""The life of a worker interpreter in Python terms: made ready, cleared of threads, made as good as new.

Called by C (`interp_prepare.c`) inside a worker interpreter, before anything else of boc and
after everything else of it. An ended interpreter does not give its memory back on CPython
3.12 and 3.13, so one that can be reset serves the next worker.

Imported at the start of every worker: keep it light.
"""

from __future__ import annotations

import _thread
import builtins
import sys
import threading
import time
import warnings

from boc import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FOLDER", "forget_half_imported", "join_threads", "prepare", "reset"]

GRACE_S = 0.2
FOLDER = __file__.rpartition("/")[0] + "/"  # code of it is not interrupted; read by C

# 3.12's import system finds out that an extension module does not load in workers after it ran all of
# its start there, which fills its static types in with memory of the worker; the main interpreter
# crashes on that later. So on 3.12 they are refused before: these of the standard library by name,
# others by what is in their file.
_REFUSED = frozenset({
    "_ctypes", "_curses", "_curses_panel", "_datetime", "_decimal", "_elementtree", "_lsprof", "_tkinter",
    "_tracemalloc", "faulthandler", "nis", "ossaudiodev", "pyexpat", "readline",
})  # fmt: skip
_TWO_PHASES = b"PyModuleDef_Init"

# Lists and dicts that setup and bodies change, as they were in the new interpreter.
_lists: list[tuple[list[Any], list[Any]]] = []
_dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
_showwarning: Any = None
_loaders: list[tuple[Any, Any]] = []  # (class of importlib, its create_module)


def prepare(interval: float) -> None:
    """Before `_worker.setup`; `interval`: switch interval, seconds."""
    sys.setswitchinterval(interval)
    _remember()
    if sys.version_info < (3, 13):
        # It asks for a C datetime that workers do not have, and breaks main's ZoneInfo.
        sys.modules["_zoneinfo"] = None  # type: ignore[assignment]
        _refuse_early()
    _own_main_thread()
    _keep_imports_whole()


def _keep_imports_whole() -> None:
    """Interrupts wait for the end of an import: `_core` calls the two ways into the import system."""
    frozen: Any = sys.modules["_frozen_importlib"]
    for name in ("_find_and_load", "_lock_unlock_module"):
        function = getattr(frozen, name, None)
        if isinstance(function, type(prepare)):
            setattr(frozen, name, _core.unbroken(function))


class _Refuse:
    """First on sys.meta_path of 3.12."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in _REFUSED:
            raise _refusal(name)


def _refusal(name: str) -> ImportError:
    return ImportError(f"module {name} does not support loading in subinterpreters", name=name)


def _refuse_early() -> None:
    sys.meta_path.insert(0, _Refuse())
    loader: Any = sys.modules["_frozen_importlib_external"].ExtensionFileLoader
    create = loader.create_module

    def create_module(self: Any, spec: Any) -> Any:
        with open(spec.origin, "rb") as file:
            if _TWO_PHASES not in file.read():
                raise _refusal(spec.name)
        return create(self, spec)

    loader.create_module = create_module


def _own_main_thread() -> None:
    """threading.main_thread() is the calling thread.

    From 3.13 on it is the process's main thread at first; in an interpreter that served
    before, it is the thread of then.
    """
    main: Any = threading.main_thread()
    me = _thread.get_ident()
    if main.ident == me:
        return
    active: dict[int, Any] = threading._active  # type: ignore[attr-defined]
    active.pop(main.ident, None)
    main._set_ident()
    main._set_native_id()
    if sys.version_info < (3, 13):
        main._is_stopped = False
        main._set_tstate_lock()
    else:
        main._handle = threading._make_thread_handle(me)  # type: ignore[attr-defined]
    active[me] = main


def _remember() -> None:
    global _showwarning
    lists: tuple[Any, ...] = (sys.meta_path, sys.path_hooks, warnings.filters)
    _lists[:] = [(now, list(now)) for now in lists]
    _dicts[:] = [(now, dict(now)) for now in (vars(builtins),)]
    _showwarning = warnings.showwarning
    external, frozen = sys.modules["_frozen_importlib_external"], sys.modules["_frozen_importlib"]
    loaders = (external.ExtensionFileLoader, frozen.BuiltinImporter)
    _loaders[:] = [(cls, vars(cls)["create_module"]) for cls in loaders]


def join_threads() -> None:
    """Give the threads that bodies left behind a short while to end.

    The idle threads of an executor end when they are told to.
    """
    until = time.monotonic() + GRACE_S
    executors: Any = sys.modules.get("concurrent.futures.thread")
    for queue in list(executors._threads_queues.values()) if executors else ():
        queue.put(None)
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(max(0.0, until - time.monotonic()))


def reset() -> bool:
    """Make this interpreter as good as new; False if it cannot be: it has to be ended.

    The standard library stays, with what it keeps in itself, because its extension modules
    may not be made twice in one interpreter. All other modules go; where one of them is
    an extension module, the interpreter goes.
    """
    import atexit
    import gc

    atexit._run_exitfuncs()
    forget_half_imported()
    good = _forget_modules()
    for now, before in _lists:
        now[:] = before
    for table, before_table in _dicts:
        table.clear()
        table.update(before_table)
    for cls, create_module in _loaders:
        cls.create_module = create_module
    warnings.showwarning = _showwarning
    mutated: Any = getattr(warnings, "_filters_mutated", None) or getattr(warnings, "_filters_mutated_lock_held", None)
    if mutated is not None:
        mutated()
    _reset_logging(sys.modules.get("logging"))
    _reset_copyreg(sys.modules.get("copyreg"))
    sys.path_importer_cache.clear()
    sys.stdout, sys.stderr, sys.stdin = sys.__stdout__, sys.__stderr__, sys.__stdin__
    sys.excepthook, sys.displayhook = sys.__excepthook__, sys.__displayhook__
    sys.unraisablehook, threading.excepthook = sys.__unraisablehook__, threading.__excepthook__
    gc.collect()
    return good


def forget_half_imported() -> None:
    """A body was interrupted in the midst of an import: what is left of a package would break its next import."""
    for name, module in list(sys.modules.items()):
        parent, _, child = name.rpartition(".")
        if not parent:
            continue
        if parent not in sys.modules:
            del sys.modules[name]
        elif isinstance(sys.modules[parent], type(sys)):
            vars(sys.modules[parent]).setdefault(child, module)


def _forget_modules() -> bool:
    from importlib.machinery import ExtensionFileLoader

    good = True
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            continue
        spec: Any = getattr(module, "__spec__", None)
        if isinstance(getattr(spec, "loader", None), ExtensionFileLoader):
            # Boc's own, and those of the standard library that it does not name, stay as well.
            if top == __name__.partition(".")[0] or "lib-dynload" in str(spec.origin):
                continue
            good = False
        del sys.modules[name]
    main = sys.modules["__main__"] = type(sys)("__main__")
    main.__dict__["__builtins__"] = builtins
    return good


def _reset_logging(logging: Any) -> None:
    if logging is None:
        return
    logging.disable(logging.NOTSET)
    root = logging.root
    loggers = [one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    for logger in (root, *loggers):
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
        for rule in logger.filters[:]:
            logger.removeFilter(rule)
        logger.setLevel(logging.WARNING if logger is root else logging.NOTSET)
        logger.propagate, logger.disabled = True, False


def _reset_copyreg(copyreg: Any) -> None:
    """Forget how to pickle types of modules that are gone."""
    if copyreg is not None:
        for cls in list(copyreg.dispatch_table):
            if cls.__module__.partition(".")[0] not in sys.stdlib_module_names:
                del copyreg.dispatch_table[cls]
