"""Behavior-Oriented Concurrency for Python and Jupyter, with a picture.

Data that is shared lives in cowns; work is written as behaviors, functions that name the cowns they need:

    from boc import Cown, wait, when

    account = Cown(100)

    @when(account)
    def deposit(account):
        account.value += 20

    wait()

The runtime starts a behavior when it can own all its cowns and runs it on a worker that is a real parallel interpreter.
"""

from __future__ import annotations

from boc._batch import batch
from boc._board import REMOVED, notice_seed, notice_update, noticeboard
from boc._control import (
    PumpResult,
    WaitResult,
    cancel,
    pump,
    quiesce,
    reset,
    scheduler_stats,
    set_pump_watchdog,
    set_wait_pump_poll,
    start,
    stop,
    wait,
)
from boc._core import (
    Cown,
    PinnedCown,
    drain,
    notice_delete,
    notice_read,
    notice_sync,
    notice_write,
    read,
    receive,
    send,
    when,
    whencall,
)
from boc._core import (
    is_main as _is_main,
)
from boc._errors import BehaviorError, Cancelled, Interrupted, ReplayDiverged, TransferError, WorkerDied
from boc._messages import TIMEOUT, set_tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from boc._await import quiesced
    from boc._charts import board, compare, critical_path, explain, gantt, summary, throughput, what_if
    from boc._doctor import doctor
    from boc._extending import get_include, get_sources
    from boc._gate import break_on, pause, resume, step
    from boc._gather import as_completed, gather
    from boc._marks import mark, span
    from boc._matrix import Matrix, MatrixView
    from boc._replay import replay
    from boc._schedule import schedule
    from boc._waiting import stacks

__version__ = "0.1.0"

# Loaded at first use: charts need numpy and matplotlib, and a start must not pay for them.
_LAZY = {
    "as_completed": "boc._gather",
    "gather": "boc._gather",
    "quiesced": "boc._await",
    "mark": "boc._marks",
    "span": "boc._marks",
    "stacks": "boc._waiting",
    "gantt": "boc._charts",
    "board": "boc._charts",
    "throughput": "boc._charts",
    "summary": "boc._charts",
    "doctor": "boc._doctor",
    "replay": "boc._replay",
    "schedule": "boc._schedule",
    "break_on": "boc._gate",
    "pause": "boc._gate",
    "resume": "boc._gate",
    "step": "boc._gate",
    "explain": "boc._charts",
    "critical_path": "boc._charts",
    "what_if": "boc._charts",
    "compare": "boc._charts",
    "get_include": "boc._extending",
    "get_sources": "boc._extending",
    "Matrix": "boc._matrix",
    "MatrixView": "boc._matrix",
    "load_ipython_extension": "boc.kernel",
    "unload_ipython_extension": "boc.kernel",
}
if _is_main():
    from boc import _service as _service  # what workers send to main; a start must not pay for its import
    from boc._gather import as_completed, gather

_LAZY_MODULES = ("trace", "view", "kernel", "debug", "integrate")

__all__ = [
    "REMOVED",
    "TIMEOUT",
    "BehaviorError",
    "Cancelled",
    "Cown",
    "Interrupted",
    "Matrix",
    "MatrixView",
    "PinnedCown",
    "PumpResult",
    "ReplayDiverged",
    "TransferError",
    "WaitResult",
    "WorkerDied",
    "__version__",
    "as_completed",
    "batch",
    "board",
    "break_on",
    "cancel",
    "compare",
    "critical_path",
    "doctor",
    "drain",
    "explain",
    "gantt",
    "gather",
    "get_include",
    "get_sources",
    "mark",
    "notice_delete",
    "notice_read",
    "notice_seed",
    "notice_sync",
    "notice_update",
    "notice_write",
    "noticeboard",
    "pause",
    "pump",
    "quiesce",
    "quiesced",
    "read",
    "receive",
    "replay",
    "reset",
    "resume",
    "schedule",
    "scheduler_stats",
    "send",
    "set_pump_watchdog",
    "set_tags",
    "set_wait_pump_poll",
    "span",
    "stacks",
    "start",
    "step",
    "stop",
    "summary",
    "throughput",
    "wait",
    "what_if",
    "when",
    "whencall",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    elif name in _LAZY_MODULES:
        value = importlib.import_module(f"boc.{name}")
    else:
        raise AttributeError(f"module 'boc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
