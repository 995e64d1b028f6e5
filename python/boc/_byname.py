"""Modules, and what goes by its name in one, found again in another interpreter."""

from __future__ import annotations

from types import ModuleType

from boc import _names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Absent(ModuleType):
    """Stands for a module that cannot be imported here: a body that uses it gets the error, others run."""

    def __init__(self, name: str, error: ImportError) -> None:
        super().__init__(name)
        self.__dict__["_error"] = error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise ImportError(*self._error.args, name=self._error.name, path=self._error.path)


def module_value(name: str, epoch: int = 0) -> ModuleType:
    """Import a module that something captured, or return what says at its first use why it cannot be had."""
    try:
        return _names.module(name, epoch)
    except ImportError as error:
        return Absent(name, error)


def named(module: str, qualname: str, epoch: int) -> Any:
    """Return a function or class of a module that was reloaded `epoch` times at its origin."""
    found: Any = _names.module(module, epoch)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
