"""with batch(): all or nothing, and nothing in between."""

from __future__ import annotations

import _thread

from boc import _core

__all__ = ["batch"]


class batch:  # noqa: N801
    """Schedule every `when` inside atomically at the end of the block.

    Nothing else comes between them on any shared cown. Inside, result cowns exist and may be used in further whens;
    waiting raises RuntimeError. An exception schedules none, and the results hold Cancelled. A batch belongs to its
    thread; a nested one joins the outer.
    """

    __slots__ = ("_number", "_thread")

    def __enter__(self) -> batch:
        if getattr(self, "_thread", None) is not None:
            raise RuntimeError("this batch is in use; make a new one: with boc.batch():")
        thread = _thread.get_ident()
        self._number = _core._batch_enter()
        self._thread: int | None = thread  # nothing can fail since: it would stay open
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if self._thread != _thread.get_ident():
            raise RuntimeError("a batch belongs to the thread that entered it")
        self._thread = None
        _core._batch_exit(kind is None)

    def __del__(self) -> None:
        if getattr(self, "_thread", None) is None:
            return
        if self._thread == _thread.get_ident() and _core._batching() == self._number:
            _core._batch_exit(False)  # entered and never left
