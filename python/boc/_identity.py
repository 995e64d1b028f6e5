"""Maps of classes, functions and code objects that keep nothing alive for good: by identity, and by id.

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


class Kept:
    """`{id: object}` that keeps the latest objects alive, and finds the others as long as something else does."""

    __slots__ = ("_found", "_most", "kept")

    def __init__(self, most: int) -> None:
        self.kept: dict[bytes, Any] = {}
        self._found: dict[bytes, ref[Any]] = {}
        self._most = most

    def get(self, key: bytes) -> Any:
        """Return the object with this id, or None."""
        found = self.kept.get(key)
        if found is None and (known := self._found.get(key)) is not None:
            found = known()
        return found

    def __contains__(self, key: bytes | None) -> bool:
        return key is not None and self.get(key) is not None

    def add(self, key: bytes, value: Any) -> Any:
        """Keep an object, unless there is one with this id; return the one that is kept."""
        found = self.get(key)
        if found is not None:
            return found
        self.kept[key] = value
        if len(self.kept) > self._most:
            for old in list(self.kept)[: self._most // 2]:
                going = self.kept.get(old)
                if going is not None:  # else another thread came first
                    self._found[old] = ref(going, self._dropper(old))
                    self.kept.pop(old, None)
        return value

    def _dropper(self, key: bytes) -> Any:
        found = self._found

        def drop(gone: Any) -> None:
            if found.get(key) is gone:
                del found[key]

        return drop


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
