"""When a wait says that nothing moves: after 5 s without any start, and again each minute."""

from __future__ import annotations

from boc import _core

__all__ = ["Stall"]

FIRST_S = 5.0
AGAIN_S = 60.0


class Stall:
    """Of one wait, which looks once every `tick` seconds."""

    def __init__(self) -> None:
        self.tick = FIRST_S / 10
        self._started, self._since, self._next = -1, 0, FIRST_S

    def look(self) -> None:
        """Say what runs if it is time to."""
        scheduled, started, finished = _core._counts()
        now = _core.now_ns()
        if started != self._started:
            self._started, self._since, self._next = started, now, FIRST_S
            return
        quiet = (now - self._since) / 1e9
        if quiet >= self._next:
            from boc import _waiting

            _waiting.stalled(scheduled - finished, quiet)
            self._next += AGAIN_S
