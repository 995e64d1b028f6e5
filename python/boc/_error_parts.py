"""Exceptions that are part of a value, as pickles say them, also if their `__init__` takes other things than `args`."""

from __future__ import annotations

from types import FunctionType

from boc import _raise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["rebuild", "reduce", "restore"]


def reduce(exc: BaseException) -> Any:
    """How a pickle says an exception; NotImplemented where pickle's way is right: it calls the class with `args`."""
    cls = type(exc)
    if not any(isinstance(made, FunctionType) for made in (cls.__init__, cls.__new__)):
        return NotImplemented
    if any(isinstance(said, FunctionType) for said in (cls.__reduce__, cls.__reduce_ex__)):
        return NotImplemented
    return rebuild, (cls, exc.args, tuple(_raise.fields_of(exc))), vars(exc) or None, None, None, restore


def rebuild(cls: type[BaseException], args: tuple[Any, ...], fields: tuple[tuple[str, Any], ...]) -> BaseException:
    """Build what `reduce` took apart, without its `__init__`."""
    exc = _raise.bare(cls, *(args if issubclass(cls, BaseExceptionGroup) else ()))
    BaseException.args.__set__(exc, args)  # type: ignore[attr-defined]
    for name, value in fields:
        _raise.set_field(exc, name, value)
    return exc


def restore(exc: BaseException, state: dict[str, Any]) -> None:
    """Give an exception the attributes that it had, past a `__setattr__` of its own."""
    vars(exc).update(state)
