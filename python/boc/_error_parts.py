"""What an exception is made of, and how it is built again without its `__init__`, whose arguments nobody knows.

Also how a pickle says one that is part of a value.
"""

from __future__ import annotations

from types import FunctionType, GetSetDescriptorType, MemberDescriptorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["bare", "fields_of", "rebuild", "reduce", "restore", "set_field"]

_HEAP_TYPE = 1 << 9

# What the C structures of built-in exceptions hold beyond args.
_FIELDS: dict[type, tuple[str, ...]] = {
    StopIteration: ("value",),
    SystemExit: ("code",),
    ImportError: ("msg", "name", "path", "name_from"),
    OSError: ("errno", "strerror", "filename", "filename2"),
    BlockingIOError: ("characters_written",),
    NameError: ("name",),
    AttributeError: ("name",),
    SyntaxError: (
        "msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset", "print_file_and_line",
    ),
    UnicodeEncodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeDecodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeTranslateError: ("object", "start", "end", "reason"),
}  # fmt: skip


def fields_of(exc: BaseException) -> Iterator[tuple[str, Any]]:
    """What is in slots and C structures beyond args."""
    for cls in type(exc).__mro__:
        if cls.__flags__ & _HEAP_TYPE:
            for name, slot in vars(cls).items() if "__slots__" in vars(cls) else ():
                if type(slot) is MemberDescriptorType and hasattr(exc, name):
                    yield name, getattr(exc, name)
        elif names := _FIELDS.get(cls):
            for name in names:
                value = getattr(exc, name, None)
                if value is not None:
                    yield name, value


def bare(cls: type[BaseException], *args: Any) -> BaseException:
    """A new instance by the nearest C base's `__new__`: nothing of the user's runs."""
    base = next(b for b in cls.__mro__ if not b.__flags__ & _HEAP_TYPE)
    exc = base.__new__(cls, *args)
    assert isinstance(exc, BaseException)
    return exc


def set_field(exc: BaseException, name: str, value: Any) -> None:
    """Set what `fields_of` gave."""
    for cls in type(exc).__mro__:  # C fields and slots, past a user's property or __setattr__
        slot = vars(cls).get(name)
        if isinstance(slot, GetSetDescriptorType | MemberDescriptorType):
            slot.__set__(exc, value)
            return
    BaseException.__setattr__(exc, name, value)


def reduce(exc: BaseException) -> Any:
    """How a pickle says an exception; NotImplemented where pickle's way is right: it calls the class with `args`."""
    cls = type(exc)
    if not any(isinstance(made, FunctionType) for made in (cls.__init__, cls.__new__)):
        return NotImplemented
    if any(isinstance(said, FunctionType) for said in (cls.__reduce__, cls.__reduce_ex__)):
        return NotImplemented
    return rebuild, (cls, exc.args, tuple(fields_of(exc))), vars(exc) or None, None, None, restore


def rebuild(cls: type[BaseException], args: tuple[Any, ...], fields: tuple[tuple[str, Any], ...]) -> BaseException:
    """Build what `reduce` took apart, without its `__init__`."""
    exc = bare(cls, *(args if issubclass(cls, BaseExceptionGroup) else ()))
    BaseException.args.__set__(exc, args)  # type: ignore[attr-defined]
    for name, value in fields:
        set_field(exc, name, value)
    return exc


def restore(exc: BaseException, state: dict[str, Any]) -> None:
    """Give an exception the attributes that it had, past a `__setattr__` of its own."""
    vars(exc).update(state)
