"""A map keyed by identity that does not keep its keys alive, for classes, functions and code objects.

`weakref.WeakKeyDictionary` compares by equality, which a metaclass may redefine and which is slow for code.
No generic class here: `class A[T]` imports typing, and every worker would pay for it.
"""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class IdentityMap:
    """`{object: value}` by identity; an entry goes when its object does. To look up and store only."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: dict[int, tuple[Any, Any]] = {}

    def get(self, key: object) -> Any:
        """Return what is stored for this very object, or None."""
        item = self._items.get(id(key))
        return item[1] if item is not None and item[0]() is key else None

    def set(self, key: object, value: Any) -> None:
        """Store `value` for this very object; `TypeError` if it cannot be referred to weakly."""
        items, number = self._items, id(key)

        def drop(gone: Any) -> None:
            item = items.get(number)
            # The address may already belong to a new object with an entry of its own.
            if item is not None and item[0] is gone:
                del items[number]

        items[number] = (ref(key, drop), value)


class Mark:
    """Remembers which object it was made of, keeping only small immutable ones alive."""

    __slots__ = ("_kind", "_what")

    def __init__(self, value: object) -> None:
        self._kind = type(value)
        self._what: Any
        if self._kind in _KEPT:
            self._what = value
            return
        try:
            self._what = ref(value)
        except TypeError:
            self._what = id(value)

    def fits(self, value: object) -> bool:
        """Whether this is the object; the address of a dead one of the same type may deceive."""
        what = self._what
        if type(value) is not self._kind:
            return False
        if self._kind in _KEPT:
            return what is value
        return bool(what == id(value)) if type(what) is int else what() is value


_KEPT = frozenset((type(None), bool, int, float, complex, str, bytes))
