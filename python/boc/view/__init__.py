"""Charts of a run: matplotlib figures that are drawn on any thread and show themselves.

Imported on demand; needs numpy and matplotlib (the extra `view`).
"""

from __future__ import annotations

from . import _matplotlib  # noqa: F401  # before those that need it
from .api import board, compare, critical_path, explain, gantt, resolve, summary, throughput
from .figure import Chart
from .palette import PALETTE, fnv1a
from .summary import Report

__all__ = [
    "PALETTE",
    "Chart",
    "Report",
    "board",
    "compare",
    "critical_path",
    "explain",
    "fnv1a",
    "gantt",
    "resolve",
    "summary",
    "throughput",
]
