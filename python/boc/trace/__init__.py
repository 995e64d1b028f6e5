"""What a run did: records, the model of it, files and exports. Imported on demand; needs numpy."""

from __future__ import annotations

import os

from .events import EVENTS, KIND, Event
from .file import TraceFileError
from .model import Trace
from .recorder import Recording, record
from .records import MAIN, RECORD, Cursor, Source

__all__ = [
    "EVENTS",
    "KIND",
    "MAIN",
    "RECORD",
    "Cursor",
    "Event",
    "Recording",
    "Source",
    "Trace",
    "TraceFileError",
    "load",
    "record",
]


def load(path: str | os.PathLike[str]) -> Trace:
    """Read a .boctrace file. Raises TraceFileError where it is none."""
    return Trace.load(path)
