"""Reports of exceptions that nobody looked at: each once, and after five alike only a count."""

from __future__ import annotations

from boc import _raise

__all__ = ["LAST", "LOST", "Reports"]

_SHOWN = 5
LOST = "The value of cown '{}' is lost, and nobody looked at it since:\n"
LAST = "(further ones like this are only counted)\n"

Key = tuple[str, str, int]


def _key(exc: BaseException, name: str) -> Key:
    tb = exc.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    kind = _raise.type_name(type(exc))
    return (kind, name, 0) if tb is None else (kind, tb.tb_frame.f_code.co_filename, tb.tb_lineno)


class Reports:
    """What was reported so far. Alike means the same type at the same line."""

    def __init__(self) -> None:
        self._seen: dict[Key, int] = {}
        self._told: dict[Key, int] = {}

    def text(self, exc: BaseException, name: str, lost: bool = False) -> str:
        """The report of one more; empty if it only counts. name: the behavior's, or of the cown whose value is lost."""
        key = _key(exc, name)
        n = self._seen[key] = self._seen.get(key, 0) + 1
        if n > _SHOWN:
            return ""
        self._told[key] = n
        import traceback

        head = LOST.format(name) if lost else f"Exception in behavior '{name}', which nobody looked at:\n"
        tail = LAST if n == _SHOWN else ""
        try:
            return head + "".join(traceback.format_exception(exc)) + tail
        except Exception:  # the exception's own code is broken
            return head + _raise.describe(exc) + "\n" + tail

    def counts(self, everything: bool = True) -> str:
        """One line for each kind that grew beyond what was told; else for those that at least doubled."""
        lines: list[str] = []
        for key, n in self._seen.items():
            told = self._told[key]
            more = n - told
            if more > 0 if everything else more >= told:
                self._told[key] = n
                what = f"{key[0]} at {key[1]}:{key[2]}" if key[2] else f"{key[0]} of '{key[1]}'"
                lines.append(f"{more} more {what} in behaviors, which nobody looked at ({n} in all)\n")
        return "".join(lines)

    def clear(self) -> None:
        self._seen.clear()
        self._told.clear()
