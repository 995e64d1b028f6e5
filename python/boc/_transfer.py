"""Why a value cannot move: the smallest member that is refused, its path, and the way out.

Only called once an encode has failed, so it may take its time, but not for ever:
it finds by trial which member is refused, and stops when its time is up with
the path that it has then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

from boc import _raise
from boc._errors import TransferError

__all__ = ["explain_arrival", "explain_refusal", "explain_unreadable"]

_TIME_S = 0.5  # of this thread alone: how busy the machine is must not change the text
_WALL_S = 5.0
_DEPTH = 60
_MEMBERS = 200_000
_ATOMS = frozenset({str, int, float, bool, type(None), bytes, complex})

_OTHERWISE = "make it inside the behavior, or keep it in a PinnedCown"
_ITERATOR = "make a list of it, make it inside the behavior, or keep it in a PinnedCown"
_OPEN = "open it inside the behavior, or keep it in a PinnedCown"
_TEXT = "keep its text instead"
_WAYS_OUT = {
    "generator": _ITERATOR,
    "async_generator": _ITERATOR,
    "coroutine": "await it where it was made, and keep what it gives",
    "module": "workers find no such module to import; capture the functions, classes and values that are needed of it "
    "(helper = module.helper), or give it a file",
    "frame": _TEXT,
    "traceback": _TEXT,
    "code": "define the function in an importable module",
    "mmap.mmap": "map the file inside the behavior, send memoryview(map) for a copy of its contents, or keep the map "
    "in a PinnedCown",
    "socket.socket": _OPEN,
    "_io.TextIOWrapper": _OPEN,
    "_io.BufferedReader": _OPEN,
    "_io.BufferedWriter": _OPEN,
    "_io.BufferedRandom": _OPEN,
    "_io.FileIO": _OPEN,
    "sqlite3.Connection": _OPEN,
    "_thread.lock": "a cown needs no lock: make it inside the behavior, or keep it in a PinnedCown",
    "_thread.RLock": "a cown needs no lock: make it inside the behavior, or keep it in a PinnedCown",
}


def _refused(value: Any) -> BaseException | None:
    """The exception of trying to encode `value`, or None."""
    if type(value) in _ATOMS:
        return None
    try:
        _raise.encode_part(value)
    except Exception as e:
        return e
    return None


def _key_text(key: Any) -> str:
    try:
        text = repr(key)
    except Exception:
        text = type(key).__name__
    return text if len(text) <= 40 else text[:37] + "..."


def _name_in(owner: Any, member: Any) -> str:
    """How `owner` calls `member`, which came out of its reduced form."""
    for name in ("args", "func", "keywords", "__self__", "__func__"):
        try:
            if getattr(owner, name, None) is member:
                return f".{name}"
        except Exception:  # a property that raises
            continue
    for name, value in getattr(owner, "__dict__", {}).items():
        if value is member:
            return f".{name}"
    for cls in type(owner).__mro__:
        for name, slot in vars(cls).items():
            if type(slot).__name__ in ("member_descriptor", "getset_descriptor"):
                try:
                    if getattr(owner, name) is member:
                        return f".{name}"
                except Exception:
                    continue
    return ""


def _state_members(owner: Any, state: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(state, dict):
        for name, value in state.items():
            yield (f".{name}" if isinstance(name, str) else f"[{_key_text(name)}]"), value
    elif isinstance(state, tuple):
        for part in state:  # (dict, slots) of copyreg, or what a __getstate__ gives
            if isinstance(part, dict):
                yield from _state_members(owner, part)
            else:
                yield _name_in(owner, part), part
    elif state is not None:
        yield _name_in(owner, state), state


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """(how it is written after the value's name, member). May raise what a __reduce__ raises."""
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{_key_text(key)}]", item
        for key in list(value):
            yield f" (the key {_key_text(key)})", key
    elif isinstance(value, list | tuple | deque):
        for i, item in enumerate(list(value)):
            yield f"[{i}]", item
    elif isinstance(value, set | frozenset):
        for item in list(value):
            yield " (an element)", item
    if type(value) in (dict, list, tuple, deque, set, frozenset):
        return
    if isinstance(value, type):
        for name, item in list(vars(value).items()):
            if not name.startswith("__"):
                yield f".{name}", item
        return
    code = getattr(value, "__code__", None)
    cells = getattr(value, "__closure__", None)
    if code is not None and hasattr(value, "__globals__"):
        for name, cell in zip(code.co_freevars, cells or (), strict=False):
            try:
                yield f" (its variable {name!r})", cell.cell_contents
            except ValueError:  # not bound yet
                continue
        for i, item in enumerate(value.__defaults__ or ()):
            yield f".__defaults__[{i}]", item
        for name in code.co_names:
            if name in value.__globals__:
                yield f" (its variable {name!r})", value.__globals__[name]
        return
    reduced = value.__reduce_ex__(5)
    if not isinstance(reduced, tuple):
        return
    parts = (*reduced, None, None, None, None)
    yield from _state_members(value, parts[2])
    args = parts[1] or ()
    whole = _name_in(value, args)  # as in exceptions, which reduce to their args
    for i, item in enumerate(args):
        if i == 0 and _is_new(parts[0]):
            continue
        name = f"{whole}[{i}]" if whole else _name_in(value, item)
        if not name and isinstance(item, tuple | list | dict):
            yield from _members(item)
        else:
            yield name, item


def _is_new(function: Any) -> bool:
    return getattr(function, "__name__", "") in ("__newobj__", "__newobj_ex__")


def _find(value: Any, reason: BaseException) -> tuple[str, Any, BaseException]:
    """(path, smallest refused member, why)."""
    end, latest = time.thread_time() + _TIME_S, time.monotonic() + _WALL_S
    path = ""
    seen = {id(value)}
    for _ in range(_DEPTH):
        try:
            found = None
            for step, member in islice(_members(value), _MEMBERS):
                if time.thread_time() > end or time.monotonic() > latest:
                    return path, value, reason
                if id(member) in seen:
                    continue
                why = _refused(member)
                if why is not None:
                    found = step, member, why
                    break
        except Exception as e:  # its own __reduce__ (or what it walks) is what fails
            return path, value, e
        if found is None:
            return path, value, reason
        path += found[0]
        value, reason = found[1], found[2]
        seen.add(id(value))
    return path, value, reason


_ONLY_MOVES = "cannot be copied, it can only move"  # as move.c says of a C type
_USUAL = ("cannot pickle", "Can't pickle", "Can't get local object", "cannot be pickled", "not picklable")


def _because(value: Any, reason: BaseException) -> str:
    if isinstance(reason, RecursionError):
        return " (it is nested too deeply)"
    text = _raise.describe(reason)
    if isinstance(reason, TypeError) and any(usual in text for usual in _USUAL):
        return ""
    if isinstance(value, type) or len(text) > 300:
        return f" ({type(reason).__name__})"
    return f" ({text})"


def explain_refusal(value: object, exc: BaseException, what: str = "", behavior: str = "") -> TransferError:
    """The error to raise when `value` was refused with `exc`, which becomes its cause where it says more.

    what: what the value is for people, such as "the value of cown 'x'" or "the captured variable 'f'".
    behavior: name of the body that had it last.
    """
    path, member, reason = _find(value, exc)
    name = _raise.type_name(type(member))
    way_out = _WAYS_OUT.get(name, _OTHERWISE)
    if what.startswith("cown "):
        what = f"the value of {what}"
    if path:
        whole = what or f"a value of type '{_raise.type_name(type(value))}'"
        place = f": it is at {path.strip()} of {whole}"
    else:
        place = f": it is {what}" if what else ""
    last = f" as behavior '{behavior}' left it" if behavior else ""
    only_moves = isinstance(exc, TypeError) and _ONLY_MOVES in str(exc)
    if only_moves:
        refused, because, way_out = _ONLY_MOVES, "", "put it in a Cown of its own, which is not copied"
    else:
        refused, because = "cannot move between workers", _because(member, reason)
    error = TransferError(
        f"a value of type '{name}' {refused}{because}{place}{last}; {way_out}",
        path=path,
        type_name=name,
        behavior=behavior,
    )
    if because:  # else the cause says the same once more
        error.__cause__ = exc
    return error


def explain_unreadable(value: object, exc: TransferError) -> TransferError:
    """The error to raise when a copy of `value` was to be read and a part of it can only move; `exc` says which type.

    In `value` something that cannot be encoded stands in place of that part.
    """
    path = _find(value, exc)[0]
    what, _, way_out = str(exc).partition(": ")
    return TransferError(f"{what}: it is at {path.strip()} of the value; {way_out}", path=path, type_name=exc.type_name)


def explain_arrival(exc: BaseException, what: str = "", behavior: str = "") -> TransferError:
    """The error to raise when a value that was sent cannot be loaded where it is needed."""
    if isinstance(exc, TransferError):
        return exc
    error = TransferError(f"{what or 'a value'} cannot be loaded here: {_raise.describe(exc)}", behavior=behavior)
    error.__cause__ = exc
    return error
