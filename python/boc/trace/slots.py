"""Which name has which colour: a slot by its hash, first come first served, kept while the name is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from weakref import WeakKeyDictionary

from .records import Source

GREY = -1
"""The slot of names beyond the sixteenth."""
_KEPT: WeakKeyDictionary[Source, dict[str, int]] = WeakKeyDictionary()


def fnv1a(text: str) -> int:
    """32-bit FNV-1a of the UTF-8 bytes: the same number here and in the live view."""
    h = 2166136261
    for byte in text.encode("utf-8", "surrogatepass"):
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h


def assign(names: Iterable[str], kept: Mapping[str, int] | None = None) -> dict[str, int]:
    """A slot for each name, first come first served: 0 to 7 full colours, 8 to 15 their tints, then GREY.

    The slot is the hash mod 8; a taken one is passed over in steps of three. Names in `kept` keep theirs.
    """
    wanted = list(dict.fromkeys(names))
    out = {name: kept[name] for name in wanted if kept and kept.get(name, GREY) != GREY}
    taken = set(out.values())
    for name in wanted:
        if name in out:
            continue
        first = fnv1a(name) % 8
        free = (s for layer in (0, 8) for k in range(8) if (s := layer + (first + 3 * k) % 8) not in taken)
        out[name] = next(free, GREY)
        taken.add(out[name])
    return {name: out[name] for name in wanted}


def keep(source: Source, names: Iterable[str]) -> dict[str, int]:
    """The slots of a running program's names: who had one in the last picture and is still there keeps it."""
    found = assign(names, _KEPT.get(source))
    _KEPT[source] = found
    return found
