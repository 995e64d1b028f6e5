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


__all__ = ["live"]


def live() -> Living:
    """Count what lives now in the whole process.

    cowns and behaviors of the core; live_values: objects that rest in workers between bodies; encoded_values and
    encoded_bytes: pickled data of cowns, captures, messages and the noticeboard. Exact once nothing is pending.
    """
    cowns, behaviors, values, encoded, size = _core._living()
    return {
        "cowns": cowns,
        "behaviors": behaviors,
        "live_values": values,
        "encoded_values": encoded,
        "encoded_bytes": size,
    }
