"""Which name has which colour: a slot by its hash, first come first served, kept while the name is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def assign(
    names: Iterable[str], kept: Mapping[str, int] | None = None, elsewhere: Collection[int] = ()
) -> dict[str, int]:
    """A slot for each name, first come first served: 0 to 7 full colours, 8 to 15 their tints, then GREY.

    The slot is the hash mod 8; a taken one is passed over in steps of three. Names in `kept` keep theirs. What names
    outside of the picture have (`elsewhere`) is taken only where nothing else is left.
    """
    wanted = list(dict.fromkeys(names))
    out = {name: kept[name] for name in wanted if kept and kept.get(name, GREY) != GREY}
    taken = set(out.values())
    for name in wanted:
        if name in out:
            continue
        first = fnv1a(name) % 8
        for layer in (0, 8):
            free = [s for k in range(8) if (s := layer + (first + 3 * k) % 8) not in taken]
            if free:
                break
        out[name] = next((s for s in free if s not in elsewhere), free[0]) if free else GREY
        taken.add(out[name])
    return {name: out[name] for name in wanted}


def kept(source: Source) -> dict[str, int] | None:
    """The slots of a running program's names in the last picture."""
    return _KEPT.get(source)


def keep(source: Source, names: Mapping[str, bool]) -> dict[str, int]:
    """The slots for a picture of a running program: of the names that it shows (True), and of its others.

    The first eight shown have full colours. Who had a slot in the last picture keeps it, unless it is needed here.
    """
    shown = [name for name, here in names.items() if here]
    others = [name for name, here in names.items() if not here]
    before = _KEPT.get(source, {})
    away = {before[name] for name in others if before.get(name, GREY) != GREY}
    first = shown[:8]
    found = assign(first, {name: s for name in first if 0 <= (s := before.get(name, GREY)) < 8}, away)
    for part in (shown[8:], others):
        taken = set(found.values())
        theirs = {name: s for name in part if name not in found and (s := before.get(name, GREY)) not in taken}
        found = assign([*found, *part], found | theirs, away)
    _KEPT[source] = found
    return found
