"""Modules that do not load in worker interpreters: an ImportError that says the way out.

CPython refuses extension modules that did not declare themselves safe, with a text
that says nothing to a newcomer; packages wrap it in pages of advice that does not
apply. Here the text is put right where it is raised, and again where it leaves.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["forget", "install", "known", "reword"]

_PHRASE = "does not support loading in subinterpreters"
_WAY_OUT = "use it on the main interpreter, with @when(..., on='main') or on the value of a PinnedCown"

# Top-level packages of modules that were refused here. Their second import may fail with any text.
_tops: set[str] = set()


def _importer(top: str) -> str:
    """Return the module whose import led here, as far as it is no part of `top`; empty for an import by a body."""
    found = ""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if (
            frame.f_code.co_name == "<module>"
            and type(name) is str
            and name.partition(".")[0] != top
            and getattr(frame.f_globals.get("__spec__"), "_initializing", False)
        ):
            found = name
        frame = frame.f_back
    return found


def _way_out(top: str) -> str:
    importer = _importer(top)
    if not importer:
        return f": {_WAY_OUT}"
    return (
        f", and module {importer} imports it at its top level. Functions and classes of {importer} go to workers by "
        f"name: put those that bodies use into a module without {top}, or import {top} inside the functions that need "
        f"it; or {_WAY_OUT}"
    )


def _text(module: str) -> str:
    top = module.partition(".")[0]
    if top == module:
        return f"module {module} {_PHRASE}, so workers cannot import it{_way_out(top)}"
    return f"{top} does not load in workers (module {module} {_PHRASE}){_way_out(top)}"


def known(name: str) -> ImportError | None:
    """What importing top-level `name` must raise here; None: nothing is known against it."""
    if name in _tops:
        return ImportError(f"{name} does not load in workers{_way_out(name)}", name=name)
    return None


def forget() -> None:
    """Start anew (tests)."""
    _tops.clear()


def _refusal_behind(exc: BaseException) -> str:
    """The text of a refusal among the causes of `exc`; empty if there is none."""
    behind = exc.__cause__ or exc.__context__
    for _ in range(20):
        if behind is None:
            break
        if isinstance(behind, ImportError):
            reword(behind)
            if _WAY_OUT in str(behind):
                return str(behind)
        behind = behind.__cause__ or behind.__context__
    return ""


def reword(exc: ImportError) -> None:
    """Put the text of a refusal right, in place. Any other ImportError stays as it is."""
    try:
        text = str(exc)
    except Exception:
        return
    if _WAY_OUT in text and "\n" not in text:
        return
    why = _refusal_behind(exc)
    if _PHRASE not in text:
        if why:
            first = text.strip().partition("\n")[0]
            exc.msg = f"{first} ({why})"
            exc.args = (exc.msg,)
        return
    module = text[: text.index(_PHRASE)].split()[-1].strip("'\"")
    # The one behind was put right where it was raised, where it can be seen who imports.
    exc.msg = why or _text(module)
    exc.args = (exc.msg,)
    if exc.name is None:
        exc.name = module.partition(".")[0]


def install() -> None:
    """In a worker: reword refusals where the import system raises them."""
    external: Any = sys.modules["_frozen_importlib_external"]
    frozen: Any = sys.modules["_frozen_importlib"]
    extension, builtin = external.ExtensionFileLoader, frozen.BuiltinImporter
    create_extension, create_builtin = extension.create_module, builtin.create_module

    def refused(exc: ImportError, name: str) -> None:
        if _PHRASE in str(exc):
            _tops.add(name.partition(".")[0])
            reword(exc)

    def extension_create_module(self: Any, spec: Any) -> Any:
        try:
            return create_extension(self, spec)
        except ImportError as e:
            refused(e, spec.name)
            raise

    def builtin_create_module(spec: Any) -> Any:
        try:
            return create_builtin(spec)
        except ImportError as e:
            refused(e, spec.name)
            raise

    extension.create_module = extension_create_module
    builtin.create_module = staticmethod(builtin_create_module)
