"""What a run did: records, the model of it, files, exports, and other processes. Imported on demand; needs numpy."""

from __future__ import annotations

import os

from . import _numpy  # noqa: F401  # before those that need it
from .attach import Remote, attach
from .events import EVENTS, KIND, Event
from .file import TraceFileError
from .live import LiveTrace
from .model import Trace
from .recorder import Recording, record
from .records import MAIN, RECORD, Cursor, Source
from .schedule import Schedule, ScheduleError
from .serve import Server, keys, serve

# The questions that a Trace answers, as functions of the running program or of traces; they stand before the modules
# of the same names, which are imported by now.
from .ask import compare, critical_path, explain, summary, what_if  # isort: skip

__all__ = [
    "EVENTS",
    "KIND",
    "MAIN",
    "RECORD",
    "Cursor",
    "Event",
    "LiveTrace",
    "Recording",
    "Remote",
    "Schedule",
    "ScheduleError",
    "Server",
    "Source",
    "Trace",
    "TraceFileError",
    "attach",
    "compare",
    "critical_path",
    "explain",
    "keys",
    "load",
    "record",
    "serve",
    "summary",
    "what_if",
]


def load(path: str | os.PathLike[str]) -> Trace:
    """Read a .boctrace file. Raises TraceFileError where it is none."""
    return Trace.load(path)
