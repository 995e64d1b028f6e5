"""The seams of the definitions part: the store of bytes, this interpreter's number, the type of a handle.

The store is the process-wide one of the C core. Where the core is absent (tests of this part alone) a dict
stands in for it; tests carry its contents across interpreters as bytes.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_blobs: dict[bytes, bytes] = {}


def _put(data: bytes) -> bytes:
    key = digest(data)
    _blobs[key] = data
    return key


def _number() -> int:
    """Return this interpreter's id; 0 is the main interpreter."""
    try:
        if sys.version_info >= (3, 13):
            import _interpreters

            return int(_interpreters.get_current()[0])
        import _xxsubinterpreters  # type: ignore[import-not-found,unused-ignore]

        return int(_xxsubinterpreters.get_current())
    except ImportError:
        return 0


def _nothing(*args: object) -> None:
    pass


def digest(data: bytes) -> bytes:
    """Return 32 bytes that no other data has."""
    try:
        from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:  # a CPython without its own
        from hashlib import sha256
    return bytes(sha256(data).digest())


put: Callable[[bytes], bytes] = _put
get: Callable[[bytes], bytes | None] = _blobs.get
names_moved: Callable[[], None] = _nothing
watch_changes: Callable[[Any], None] = _nothing
cown_types: tuple[type, ...] = ()
kept: dict[str, Any] = {}  # what outlives these modules: stays as long as the interpreter, whatever workers it serves
try:
    from boc import _core  # type: ignore[attr-defined,unused-ignore]
except ImportError:
    pass
else:
    put = getattr(_core, "store_put", _put)
    get = getattr(_core, "store_get", _blobs.get)
    kept = getattr(_core, "kept", kept)
    names_moved = getattr(_core, "names_moved", _nothing)
    watch_changes = getattr(_core, "watch_changes", _nothing)
    cown_types = tuple(getattr(_core, name) for name in ("Cown", "PinnedCown") if hasattr(_core, name))

is_main: bool = _number() == 0


def fetch(key: bytes) -> bytes:
    """Return the bytes stored under `key`; `RuntimeError` if this process never had them."""
    data = get(key)
    if data is None:
        raise RuntimeError("a definition is missing from the store of this process")
    return data
