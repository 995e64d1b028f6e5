"""The exceptions of boc.

They are the same classes in every interpreter, move between interpreters, and
are named by the package (`boc.Cancelled`), which is where users import them.
"""

from __future__ import annotations

__all__ = ["BehaviorError", "Cancelled", "Interrupted", "ReplayDiverged", "TransferError", "WorkerDied"]


class TransferError(RuntimeError):
    """A value cannot move between workers.

    Attributes:
        path: where in the value the unmovable member is, as Python would write it
            (`.items[3].lock`); empty if it is the value itself.
        type_name: the member's type, with its module (`_thread.lock`).
        behavior: name of the body that had the value last; empty if there was none.
    """

    path: str
    type_name: str
    behavior: str

    def __init__(self, *args: object, path: str = "", type_name: str = "", behavior: str = "") -> None:
        super().__init__(*args)
        self.path = path
        self.type_name = type_name
        self.behavior = behavior


class BehaviorError(RuntimeError):
    """Stands for an exception that could not be brought here as what it was, and is raised for a body that ended
    with a SystemExit or another BaseException that is no Exception (`__cause__`).

    type_name: type of the original, with its module.
    text: its `str()`.
    traceback: its traceback as text, in the form in which Python prints it.
    """

    type_name: str
    text: str
    traceback: str

    def __init__(self, *args: object, type_name: str = "", text: str = "", traceback: str = "") -> None:
        super().__init__(*args)
        self.type_name = type_name
        self.text = text
        self.traceback = traceback


class Cancelled(Exception):
    """The behavior was cancelled before it ended; its result cown holds this."""


class Interrupted(BaseException):
    """Raised in a running body by `cancel(..., interrupt=True)`, `stop` and exit.

    No `Exception`, so that a body's `except Exception` lets it pass. Clean up and let it go.
    """


class ReplayDiverged(RuntimeError):
    """A replayed run took another decision than the recorded one; the text names the first difference.

    replayed: how many starts agreed before it. recorded: how many the schedule has.
    """

    replayed: int
    recorded: int

    def __init__(self, *args: object, replayed: int = 0, recorded: int = 0) -> None:
        super().__init__(*args)
        self.replayed = replayed
        self.recorded = recorded


class WorkerDied(RuntimeError):
    """The worker that ran the behavior, or that kept the value, is gone."""


for _class in (TransferError, BehaviorError, Cancelled, Interrupted, ReplayDiverged, WorkerDied):
    _class.__module__ = "boc"
del _class
