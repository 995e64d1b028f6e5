"""Waiting for several results: gather, as_completed.

Loaded with boc on main: CPython loses an interrupt that comes in the callback of a weak reference, and every import has
some of those. So no wait imports anything.
"""

from __future__ import annotations

import itertools
import threading

from boc import _core, _service
from boc._timeout import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, overload

    from boc._core import Cown

__all__ = ["as_completed", "gather", "tokens"]

tokens = itertools.count(1)  # of those who watch a cown


def _all(cowns: Iterable[Any], what: str) -> list[Any]:
    """The cowns that somebody is to wait for; refuses what is none, and waiting where nobody may."""
    if _core._in_body() or not _core.is_main():
        raise RuntimeError(f"{what} cannot be used inside a behavior: a body never waits")
    if _core._batching():
        raise RuntimeError(f"{what} inside `with batch():` would wait for what the batch has not scheduled yet")
    if isinstance(cowns, _core.Cown):
        raise TypeError(f"{what} takes a list of cowns, not one: put them in brackets, [a, b]")
    found = list(cowns)
    for c in found:
        if not isinstance(c, _core.Cown):
            raise TypeError(f"{what} takes cowns, not {type(c).__name__}")
    return found


# A tuple of cowns of several types gives a list of their union; a longer one, or a list of them, a list of Any.
if TYPE_CHECKING:

    @overload
    def gather[T](cowns: Iterable[Cown[T]], timeout: float | None = None) -> list[T]: ...
    @overload
    def gather[A, B](cowns: tuple[Cown[A], Cown[B]], timeout: float | None = None) -> list[A | B]: ...
    @overload
    def gather[A, B, C](cowns: tuple[Cown[A], Cown[B], Cown[C]], timeout: float | None = None) -> list[A | B | C]: ...
    @overload
    def gather[A, B, C, D](
        cowns: tuple[Cown[A], Cown[B], Cown[C], Cown[D]], timeout: float | None = None
    ) -> list[A | B | C | D]: ...
    @overload
    def gather[A, B, C, D, E](
        cowns: tuple[Cown[A], Cown[B], Cown[C], Cown[D], Cown[E]], timeout: float | None = None
    ) -> list[A | B | C | D | E]: ...
    @overload
    def gather[A, B, C, D, E, F](
        cowns: tuple[Cown[A], Cown[B], Cown[C], Cown[D], Cown[E], Cown[F]], timeout: float | None = None
    ) -> list[A | B | C | D | E | F]: ...
    @overload
    def gather(cowns: Iterable[Cown[Any]], timeout: float | None = None) -> list[Any]: ...


def gather(cowns: Iterable[Cown[Any]], timeout: float | None = None) -> list[Any]:
    """Return the values in order, or raise the first error by position.

    timeout: seconds for all of them together; TimeoutError.
    """
    from time import monotonic

    found = _all(cowns, "gather()")
    deadline = None if timeout is None else monotonic() + max(0.0, seconds(timeout))
    values, brought = [], 0
    for i, c in enumerate(found):
        if i == brought:
            brought = _core._bring(found, i)
        values.append(c.result(None if deadline is None else max(0.0, deadline - monotonic())))
    return values


def as_completed[C: Cown[Any]](cowns: Iterable[C]) -> Iterator[C]:
    """Yield each cown as it is done."""
    return _each_done(_all(cowns, "as_completed()"))


def _each_done(waiting: list[Any]) -> Iterator[Any]:
    changed = threading.Event()
    while waiting:
        changed.clear()
        mine = []
        ready = [c for c in waiting if c.done()]
        if not ready:
            for c in waiting:
                token = next(tokens)
                mine.append(token)
                _service.watchers[token] = changed.set
                if not _core._watch(c, token):
                    changed.set()
            _wait(changed)
            for token in mine:
                _service.watchers.pop(token, None)
            continue
        for c in ready:
            waiting.remove(c)
            yield c


def _wait(event: Any) -> None:
    """Wait for a threading.Event; pinned work goes on meanwhile on the main thread."""
    said, slices = False, 0
    while not event.is_set():
        if _core._gate_closed() and _core._gate_settled() and not event.wait(0.05) and _core._gate_settled():
            from boc._gate import waits

            waits(said)
            said = True
        pumps = _core._pump_if_mine()
        event.wait(0.005 if pumps else 0.05)
        if not pumps or slices % 10 == 9:
            _core._stuck(slices < 10)
        slices += 1
