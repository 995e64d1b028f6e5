"""What lives: for tests that nothing is left behind."""

from __future__ import annotations

from boc import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Living(TypedDict):
        """What `live` returns."""

        cowns: int
        behaviors: int
        live_values: int
        encoded_values: int
        encoded_bytes: int

    class Buffers(TypedDict):
        """What `buffers` returns."""

        passed_bytes: int
        copied_bytes: int

    class Definitions(TypedDict):
        """What `definitions` returns."""

        records: int
        bytes: int


__all__ = ["buffers", "definitions", "live"]


def live() -> Living:
    """Count what lives now in the whole process.

    cowns and behaviors of the core; live_values: objects that rest in workers between bodies; encoded_values and
    encoded_bytes: pickled data of cowns, captures, messages and the noticeboard, with the large buffers in it.
    Exact once nothing is pending.
    """
    cowns, behaviors, values, encoded, size = _core._living()
    return {
        "cowns": cowns,
        "behaviors": behaviors,
        "live_values": values,
        "encoded_values": encoded,
        "encoded_bytes": size,
    }


def buffers() -> Buffers:
    """Count the bytes of large buffers (64 KiB and more) inside values that moved, since the process began.

    passed_bytes changed hands as a pointer; copied_bytes were copied, because the original stays in use where it was
    (a capture, a result, a reader) or because its kind cannot be taken. For tests that a large value is not copied.
    """
    passed, copied = _core._buffers()
    return {"passed_bytes": passed, "copied_bytes": copied}


def definitions() -> Definitions:
    """Count what the process keeps of functions and classes that travelled: their code, and the globals they use.

    Each is kept once, whatever uses it and however often; none is dropped. For tests that a program does not make new
    ones for ever.
    """
    records, size = _core._stored()
    return {"records": records, "bytes": size}
