"""The Python side of boc without its C module: what a worker or main would see, from a fake."""

from __future__ import annotations

import threading
import time
from collections import deque

import pytest


class FakeCore:
    """The queue between workers and main, in one interpreter."""

    def __init__(self):
        self.queue = deque()
        self.event = threading.Event()
        self.behavior = (7, "cook", 3, 0)  # id, name, origin, worker of what "runs" now
        self.applied = []
        self.dirty = 0
        self.reported = 0

    def emit(self, kind, a, b=""):
        self.queue.append((kind, a, b, *self.behavior))
        self.event.set()

    def service_wake(self):
        self.event.set()

    def service_wait(self, timeout):
        return self.event.wait(min(timeout, 0.05))

    def service_next(self, timeout):
        deadline = time.monotonic() + timeout
        while not self.queue and time.monotonic() < deadline:
            self.event.wait(0.01)
        out = []
        while self.queue:
            out.append(self.queue.popleft())
        self.event.clear()
        return out

    def notice_apply(self, item):
        if isinstance(item, Exception):
            raise item
        self.applied.append(item)

    def _board_settled(self, timeout):
        return True

    def _notice_clear(self):
        self.applied.clear()

    def report_unseen(self):
        self.reported += 1

    def dirty_output(self):
        self.dirty += 1


@pytest.fixture
def core(monkeypatch):
    from boc import _service, _worker

    fake = FakeCore()
    monkeypatch.setattr(_service, "_core", fake)
    monkeypatch.setattr(_worker, "_core", fake)
    monkeypatch.setattr(_service, "_stopping", False)
    _service.reset()
    yield fake
    _service.reset()
    _service._items.clear()


PRELUDE = """
import sys, types
_boc = types.ModuleType("boc")
_boc.__path__ = {path!r}
sys.modules["boc"] = _boc
_core = types.ModuleType("boc._core")
sent = []
_core.emit = lambda kind, a, b="": sent.append((kind, a, b))
import _pickle
_core._dumps, _core._loads = _pickle.dumps, _pickle.loads
_core.environment_dirty = lambda: None
_core.dirty_output = lambda: sent.append("dirty")
sys.modules["boc._core"] = _boc._core = _core
def _show(kind, exc, tb):
    import traceback
    traceback.print_exception(exc, file=sys.__stderr__)
sys.excepthook = _show
"""


@pytest.fixture
def prelude():
    """Code that makes boc's Python modules importable in another process or interpreter, over a fake core."""
    import boc

    return PRELUDE.format(path=list(boc.__path__))
