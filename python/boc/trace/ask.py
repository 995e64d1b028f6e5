"""Questions to the running program, or to a trace: what each `Trace` answers, without making one first."""

from __future__ import annotations

from .compare import Comparison
from .critical import CriticalPath
from .explain import Explanation
from .model import Trace
from .summary import Summary
from .whatif import Prediction


def explain(behavior: str | int, trace: Trace | None = None) -> Explanation:
    """Why a behavior waited; a name stands for the last started of that name. KeyError where there is none."""
    return (trace or Trace.now_of()).explain(behavior)


def critical_path(trace: Trace | None = None) -> CriticalPath:
    """The chain of behaviors that decided when the last run ended."""
    return (trace or Trace.now_of().last_run()).critical_path()


def what_if(
    trace: Trace | None = None, *, workers: int | None = None, split: str | list[str] | None = None
) -> Prediction:
    """The last run with other workers, or with cowns split in two."""
    return (trace or Trace.now_of().last_run()).what_if(workers, split)


def summary(trace: Trace | None = None) -> Summary:
    """The last run in tables."""
    return (trace or Trace.now_of().last_run()).summary()


def compare(a: Trace, b: Trace | None = None) -> Comparison:
    """What changed from one run to another; b: by default the last one of the program."""
    return a.compare(b or Trace.now_of().last_run())
