"""Inside a worker interpreter: the environment that bodies see is main's.

Called by C: `setup` once in a new interpreter, `apply_environment` before a body
when main's environment changed, `body_end` after one that left part of a line,
`importing` when a body (or a module that it imports) schedules.

Imported at the start of every worker: keep it light.
"""

from __future__ import annotations

import marshal
import os
import sys
import warnings

from boc import _core, _display, _kinds, _refused
from boc._errors import Interrupted
from boc._streams import WorkerStream

TYPE_CHECKING = False  # typing itself takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

__all__ = ["apply_environment", "body_end", "importing", "setup"]

_streams: list[WorkerStream] = []
_levels: tuple[int, int, dict[str, int]] | None = None  # main's logging levels
_worker = -1


def setup(index: int) -> None:
    """Make the interpreter of worker `index` ready for bodies."""
    global _worker
    _worker = index
    out = WorkerStream("<stdout>", 1, _sender(_kinds.OUT), _core.dirty_output)
    err = WorkerStream("<stderr>", 2, _sender(_kinds.ERR), _core.dirty_output)
    _streams[:] = [out, err]
    sys.stdout, sys.stderr = out, err
    warnings.showwarning = _show_warning
    _refused.install()
    sys.meta_path.insert(0, _finder)
    after_import("logging", _forward_logging)
    sys.unraisablehook = _unraisable
    _display.install()


def _unraisable(lost: Any) -> None:
    """CPython drops what destructors and weak references raise; an interrupt among it is asked for again."""
    if lost.exc_type is Interrupted:
        _core.interrupt_again()
    else:
        sys.__unraisablehook__(lost)


def _nothing() -> None:
    pass


def _sender(kind: int) -> Callable[[str], None]:
    def send(text: str) -> None:
        try:
            _core.emit(kind, text)
        except UnicodeEncodeError:  # lone surrogates
            _core.emit(kind, text.encode("utf-8", "backslashreplace"))

    return send


def body_end() -> None:
    """A body ended: what it left of a line goes out."""
    for stream in _streams:
        stream.flush_all()


# ---- warnings, log records -------------------------------------------------


def _show_warning(
    message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: str | None = None
) -> None:
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
        return
    _core.emit(
        _kinds.WARN,
        marshal.dumps((str(message), category.__module__, category.__qualname__, filename, int(lineno))),
    )


_STANDARD = {
    "args", "asctime", "created", "exc_info", "exc_text", "filename", "funcName", "levelname", "levelno",
    "lineno", "message", "module", "msecs", "msg", "name", "pathname", "process", "processName",
    "relativeCreated", "stack_info", "taskName", "thread", "threadName",
}  # fmt: skip


def _plain(value: Any) -> Any:
    """value if marshal takes it (only exact built-in types then), else its repr."""
    try:
        marshal.dumps(value)
    except ValueError:
        return repr(value)
    return value


def _record_bytes(record: Any) -> bytes:
    """A log record as bytes; message template and arguments stay apart if they are plain."""
    d = dict(vars(record))
    exc = d.pop("exc_info", None)
    try:
        if type(d["msg"]) is not str:
            raise ValueError
        marshal.dumps(d["args"])
    except ValueError:
        d["msg"], d["args"] = record.getMessage(), None
    for name in d.keys() - _STANDARD:
        d[name] = _plain(d[name])
    d["worker"] = _worker
    packed: Any = None
    if exc and exc[1] is not None:
        from boc import _raise

        packed = _raise.pack(exc[1])
        try:
            marshal.dumps(packed)
        except ValueError:
            import logging

            packed, d["exc_text"] = None, logging.Formatter().formatException(exc)
    return marshal.dumps((d, packed))


def _forward_logging(logging: Any) -> None:
    class Forward(logging.Handler):  # type: ignore[misc, name-defined, unused-ignore]
        """Sends every record to main, where main's handlers take it."""

        def emit(self, record: Any) -> None:
            try:
                _core.emit(_kinds.LOG, _record_bytes(record))
            except Exception:
                self.handleError(record)

    logging.getLogger().addHandler(Forward())
    if _levels is not None:
        _apply_levels(logging)


def _apply_levels(logging: Any) -> None:
    assert _levels is not None
    root, disable, loggers = _levels
    logging.getLogger().setLevel(root)
    logging.disable(disable)
    manager = logging.root.manager
    for name, logger in manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and logger.level and name not in loggers:
            logger.setLevel(logging.NOTSET)
    for name, level in loggers.items():
        logging.getLogger(name).setLevel(level)


# ---- environment -----------------------------------------------------------


def apply_environment(data: bytes) -> None:
    """Take over a snapshot that main made (`_service.environment`)."""
    global _levels
    environ, path, limit, _levels, filters = marshal.loads(data)
    # The process has these already: main put them there. Only this interpreter's table is behind.
    table: Any = os.environ._data  # type: ignore[attr-defined]
    table.clear()
    table.update(environ)
    if sys.path != path:
        sys.path[:] = path
    finder: Any
    for finder in sys.path_importer_cache.values():
        if hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()
    if sys.getrecursionlimit() != limit:
        sys.setrecursionlimit(limit)
    if filters is not None:
        _apply_filters(filters)
    if _levels is not None and "logging" in sys.modules:
        _apply_levels(sys.modules["logging"])


def _pattern(packed: Any) -> Any:
    if packed is None or type(packed) is str:
        return packed
    import re

    return re.compile(*packed)


def _apply_filters(filters: list[Any]) -> None:
    made: list[Any] = []
    for action, message, (module, name), where, lineno in filters:
        category: Any = sys.modules.get(module)
        for step in name.split("."):
            category = getattr(category, step, None)
        # A category of a module that nobody imported here cannot be warned with here.
        if isinstance(category, type) and issubclass(category, Warning):
            made.append((action, _pattern(message), category, _pattern(where), lineno))
    filters_now: Any = warnings.filters
    filters_now[:] = made
    mutated: Any = getattr(warnings, "_filters_mutated", None)  # a version counter in C
    (mutated or getattr(warnings, "_filters_mutated_lock_held", _nothing))()


# ---- imports ---------------------------------------------------------------


class _Finder:
    """First on sys.meta_path: finds nothing itself, but sees what is about to be imported."""

    def __init__(self) -> None:
        self.hooks: dict[str, list[Callable[[Any], None]]] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if path is None and (refusal := _refused.known(name)) is not None:
            raise refusal
        hooks = self.hooks.pop(name, None)
        if hooks is None:
            return None
        frozen: Any = sys.modules["_frozen_importlib"]
        spec = frozen._find_spec(name, path, target)
        if spec is None or not hasattr(spec.loader, "exec_module"):
            self.hooks[name] = hooks
            return spec
        spec.loader = _Loader(spec.loader, hooks)
        return spec


class _Loader:
    """Loads like the loader that it replaces, then calls the hooks."""

    def __init__(self, loader: Any, hooks: list[Callable[[Any], None]]) -> None:
        self._loader = loader
        self._hooks = hooks

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        loader = module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = loader
        try:
            loader.exec_module(module)
        except BaseException:
            _finder.hooks.setdefault(module.__name__, []).extend(self._hooks)
            raise
        for hook in self._hooks:
            hook(module)


_finder = _Finder()


def after_import(name: str, hook: Callable[[Any], None]) -> None:
    """Call hook(module) when module `name` has been imported; now, if it has been."""
    module = sys.modules.get(name)
    if module is not None and not _being_imported(module):
        hook(module)
    else:
        _finder.hooks.setdefault(name, []).append(hook)


def _being_imported(module: Any) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


_locks: Any = getattr(sys.modules["_frozen_importlib"], "_module_locks", {0: 0})


def importing() -> bool:
    """The caller was called, however far up, by a module's top level that is being imported here."""
    if not _locks:  # no import at all is under way: the usual case
        return False
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            spec = frame.f_globals.get("__spec__")
            if getattr(spec, "_initializing", False):
                return True
        frame = frame.f_back
    return False
