"""Values of global names on their way to where a definition is loaded: records of the store, ordered in time.

A record says where the values were taken, when, and what they are: whoever loads it binds them unless it has later
ones of that place. A place is an interpreter as long as it lives. One that served a worker serves the next
(boc._interpreter), and what it has taken is known beyond the worker: to take the same again gives the record of
before, so that a program that starts and waits for ever does not fill the store.
"""

from __future__ import annotations

import marshal
from time import monotonic_ns

from boc import _store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Name = tuple[str, str]  # namespace key, name
    When = tuple[str, int]  # place, ns

_MOST = 4096  # names and records remembered


def _place() -> dict[str, Any]:
    """Return what is known of this interpreter's takings: plain objects, which no worker's modules hang on."""
    known: dict[str, Any] | None = _store.kept.get("taken")
    if known is None:
        from os import urandom

        known = _store.kept.setdefault("taken", {"name": urandom(6).hex(), "since": {}, "records": {}})
    return known


def record(values: dict[Name, bytes], data: bytes) -> bytes:
    """Return the id of the record of these names. `values`: each name's value, pickled; `data`: all of them."""
    place, now = _place(), monotonic_ns()
    since: dict[Name, tuple[bytes, int]] = place["since"]  # digest of the value taken last, when it was the first time
    records: dict[bytes, tuple[bytes, int]] = place["records"]  # digest of data -> id of its last record, when
    if len(since) > _MOST or len(records) > _MOST:
        since.clear()
        records.clear()
    content = _store.digest(data)
    key, taken = records.get(content, (b"", -1))
    for name, value in values.items():
        digest = _store.digest(value)
        before = since.get(name, (b"", -1))
        if before[0] != digest:
            # Another thread that came later may have been faster: then this record is not the last.
            before = since[name] = digest, max(now, before[1] + 1)
        if before[1] > taken:
            key = b""  # it was something else in between, which somebody may have bound
    if not key:
        key = _store.put(b"N" + marshal.dumps((place["name"], now, data), 2))
        records[content] = key, now
    return key


def taken(stored: bytes) -> tuple[When, bytes]:
    """Return of a record, without its letter, where and when it was taken, and the values by namespace, pickled."""
    place, when, data = marshal.loads(stored)
    return (place, when), data
