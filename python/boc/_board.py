"""The noticeboard's mapping and its REMOVED mark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from boc import _core
from boc._update import taken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    _Mapping = Mapping[str, Any]
else:
    _Mapping = Mapping

__all__ = ["REMOVED", "Notices", "notice_seed", "notice_update", "noticeboard"]


class _Removed:
    """Returned by an update function: delete the key. One identity everywhere."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REMOVED"

    def __reduce__(self) -> str:
        return "REMOVED"

    def __copy__(self) -> _Removed:
        return self

    def __deepcopy__(self, memo: object) -> _Removed:
        return self


REMOVED = _Removed()
_Removed.__module__ = __name__


class Notices(_Mapping):
    """A frozen view of the noticeboard, with all that a mappingproxy has; moves and pickles as a dict."""

    __slots__ = ("_data",)

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __or__(self, other: object) -> dict[Any, Any]:
        if isinstance(other, Notices):
            other = other._data
        return self._data | other if isinstance(other, (dict, MappingProxyType)) else NotImplemented

    def __ror__(self, other: object) -> dict[Any, Any]:
        return other | self._data if isinstance(other, (dict, MappingProxyType)) else NotImplemented

    def __ior__(self, other: object) -> NoReturn:
        raise TypeError("the view of the noticeboard is frozen: use | for a new dict, notice_write() to write")

    def copy(self) -> dict[str, Any]:
        """Return the entries as a dict."""
        return self._data.copy()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Notices):
            return self._data == other._data
        return self._data == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._data)

    def __reduce__(self) -> Any:
        return (dict, (self._data,))


def noticeboard() -> Notices:
    """Return all entries as this behavior sees them; on main, as they are once this thread's writes are applied."""
    return Notices(_core._notices())


def notice_update(key: str, fn: Callable[[Any], Any], default: Any = None) -> None:
    """Replace the value under key by fn(value), atomically and without waiting; default where there is none.

    fn may be a lambda; it, what it captures and default are copied at the call. It runs on a thread of the main
    interpreter and must not call boc; returning REMOVED deletes the key. TypeError: key is no string, fn is not
    callable. ValueError: key over 63 bytes of UTF-8 or with NUL. TransferError: something that cannot move.
    """
    if not callable(fn):
        raise TypeError(f"the update function must be callable, not {type(fn).__name__}")
    _core._notice_update(key, taken(fn), default)


def notice_seed(key: str, value: Any) -> None:
    """Write key from main and return once it is applied; RuntimeError elsewhere."""
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("notice_seed() is for main, the primary interpreter; use notice_write() in a behavior")
    _core.notice_write(key, value)
    _core.notice_sync(None)
