"""Start, wait, stop, pump: the public faces of the runtime's life, over `_core`."""

from __future__ import annotations

import _thread
import os
import sys

from boc import _core
from boc._results import PumpResult, WaitResult
from boc._stall import Stall
from boc._timeout import seconds

TYPE_CHECKING = False  # typing itself takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "PumpResult", "WaitResult", "cancel", "pump", "quiesce", "reset", "scheduler_stats", "set_pump_watchdog",
    "set_wait_pump_poll", "start", "stop", "wait",
]  # fmt: skip

_DEFAULT_TRACE = 1 << 16
_KINDS = ("auto", "interpreter")
_MOST_WORKERS = 1024

_options: tuple[int, str, int, bool, int | None] | None = None  # of the runtime that runs
_last_stats: list[dict[str, Any]] = []
_starting = _thread.allocate_lock()
if _core.is_main():
    os.register_at_fork(after_in_child=lambda: _starting.release() if _starting.locked() else None)
    os.register_at_fork(after_in_child=lambda: _last_stats.clear())
replayed_workers: int | None = None  # what a replay needs at least
last_start: tuple[int, int] = (0, 1)  # of the runtime's last life: when (ns), and its trace's size; 0: off

# ---- starting --------------------------------------------------------------


def _default_workers() -> int:
    text = os.environ.get("BOC_WORKERS", "")
    if text:
        try:
            return _checked_workers(int(text))
        except ValueError:
            raise ValueError(f"BOC_WORKERS={text!r}: it must be a number from 1 to {_MOST_WORKERS}") from None
    from boc._cores import usable_cores

    return max(2, usable_cores())


def _checked_workers(n: Any, what: str = "workers") -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"{what} must be an int, not {type(n).__name__}")
    if not 1 <= n <= _MOST_WORKERS:
        raise ValueError(f"{what} must be from 1 to {_MOST_WORKERS}, not {n}")
    return n


def _trace_events(trace: Any) -> int:
    """Events per ring, a power of two; 0: off."""
    if trace is None:
        trace = os.environ.get("BOC_TRACE") or _DEFAULT_TRACE
    if trace is True:
        return _DEFAULT_TRACE
    if isinstance(trace, str):
        text = trace.strip().lower()
        if text in ("on", "default"):
            return _DEFAULT_TRACE
        if text in ("off", "0", "false", "no"):
            return 0
        scale = {"k": 1 << 10, "m": 1 << 20}.get(text[-1:], 1)
        digits = text[:-1] if scale > 1 else text
        if not digits.isdigit():
            raise ValueError(f"trace={trace!r}: 'off', 'on', or a number of events per worker such as '64k'")
        trace = int(digits) * scale
    if not isinstance(trace, int):
        raise TypeError(f"trace must be a string or an int, not {type(trace).__name__}")
    if trace < 0 or trace > 1 << 26:
        raise ValueError(f"trace must be from 0 (off) to {1 << 26} events per worker, not {trace}")
    return 1 << (trace - 1).bit_length() if trace else 0


def start(
    workers: int | None = None,
    *,
    kind: str = "auto",
    processes: int | None = None,
    trace: str | int | bool | None = None,
    check: bool = False,
    worker_count: int | None = None,
) -> None:
    """Start the runtime; returns at once, the workers come up behind it. Idempotent.

    workers: how many (default: the usable physical cores, at least two; `BOC_WORKERS`). `worker_count` is another
    name for it. kind: "auto" or "interpreter". trace: events kept per worker ("64k" by default, "off"; `BOC_TRACE`).
    check: encode every value at every release, so that whatever could depend on placement shows; slow.

    RuntimeError if the runtime runs with other options and inside a behavior; TypeError or ValueError for bad ones.
    """
    global _options, last_start
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("start() cannot be used inside a behavior: the runtime runs already")
    if worker_count is not None:
        if workers is not None and workers != worker_count:
            raise TypeError("workers and worker_count are two names of one option; give one of them")
        workers = worker_count
    if kind not in _KINDS:
        raise ValueError(f"kind={kind!r}: known here are {', '.join(map(repr, _KINDS))}")
    if not isinstance(check, bool):
        raise TypeError(f"check must be a bool, not {type(check).__name__}")
    if processes is not None:
        processes = _checked_workers(processes, "processes")
    workers = None if workers is None else _checked_workers(workers)
    events = _trace_events(trace)
    if _core._running() and _options is not None:
        now = _options
        for name, given, value, current in (
            ("workers", workers is not None, workers, now[0]),
            ("kind", kind != "auto", kind, now[1]),
            ("trace", trace is not None, events, now[2]),
            ("check", check, check, now[3]),
            ("processes", processes is not None, processes, now[4]),
        ):
            if given and value != current:
                raise RuntimeError(
                    f"the runtime runs with {name}={current!r}, not {value!r}; call boc.wait() or boc.stop() first"
                )
        return
    n = workers if workers is not None else replayed_workers or _default_workers()
    if n < (replayed_workers or 0):
        raise RuntimeError(f"the replayed schedule was recorded with {replayed_workers} workers: start({n}) is too few")
    with _starting:  # several threads may come here with their first behavior
        if not _core._running():
            service = sys.modules.get("boc._service")  # not yet whole while another thread imports it
            getattr(service, "start", _core._launch_service)()  # first: the making of workers keeps the GIL to import
            last_start = (_core.now_ns(), events)
            try:
                _core._start(n, events, check)
            except BaseException:
                getattr(service, "stop", int)()
                raise
            _options = (n, kind, events, check, processes)


def start_on_demand() -> None:
    """Start with the defaults; for `@when` and the noticeboard's writes."""
    start()


# ---- waiting ---------------------------------------------------------------


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    from time import monotonic

    return max(0.0, deadline - monotonic())


def _deadline(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    from time import monotonic

    return monotonic() + seconds(timeout)


def _until_quiescent(deadline: float | None) -> bool:
    from boc import _service

    stall = Stall()
    said: list[str] = []  # of a closed gate
    while True:
        done = _core._quiesce(_left(deadline), stall.tick, said)
        if done is not None:
            _service.drain(_left(deadline))
            return bool(done)
        failed = _core._start_error()
        if failed is not None and not _core._worker_count():
            raise RuntimeError(f"no worker could be started: {failed}")
        if not said:
            stall.look()


def _answer(stats: bool, noticeboard: bool, counters: Any, board: Any) -> Any:
    if stats and noticeboard:
        return WaitResult(counters, board)
    return counters if stats else board if noticeboard else None


def _board(deadline: float | None, what: str) -> dict[str, Any]:
    if not _core._running():
        return {}
    if not _core._board_settled(_left(deadline)):
        raise TimeoutError(f"{what}: updates of the noticeboard are still to be applied; the runtime goes on")
    entries: dict[str, Any] = _core._notices()
    return entries


def quiesce(timeout: float | None = None, *, stats: bool = False, noticeboard: bool = False) -> Any:
    """Wait until nothing is pending; the workers stay. In notebooks use this one.

    timeout: seconds, None waits for ever; TimeoutError when they are up, and the runtime goes on as before.
    Returns None, a list of counters per worker (stats), a dict (noticeboard), or a WaitResult of both.
    RuntimeError inside a behavior.
    """
    _outside("quiesce()")
    ran = _core._running()
    deadline = _deadline(timeout)
    if not _until_quiescent(deadline):
        raise TimeoutError(_timeout_text("quiesce()"))
    from boc import _service

    _replayed(at_end=False)
    board = _board(deadline, "quiesce()") if noticeboard else None
    _service.flush_unseen(False, _left(deadline))
    return _answer(stats, noticeboard, scheduler_stats() if stats and ran else [], board)


def wait(timeout: float | None = None, *, stats: bool = False, noticeboard: bool = False) -> Any:
    """Wait until nothing is pending, then shut the workers down and clear the noticeboard.

    timeout: seconds, None waits for ever; TimeoutError when they are up, and the runtime goes on as before.
    Returns None, a list of counters per worker (stats), a dict (noticeboard), or a WaitResult of both.
    RuntimeError inside a behavior.
    """
    _outside("wait()")
    ran = _core._running()
    deadline = _deadline(timeout)
    if not _until_quiescent(deadline):
        raise TimeoutError(_timeout_text("wait()"))
    try:
        _replayed(at_end=True)
    finally:
        board = _board(deadline, "wait()") if noticeboard else None
        counters = scheduler_stats() if stats and ran else []
        _shut_down(cancel=False, interrupt=False, grace=-1.0, deadline=deadline)
    return _answer(stats, noticeboard, counters, board)


def _replayed(at_end: bool) -> None:
    """Nothing is pending: raises what a replay found. at_end: no more is to come."""
    if _core._replay_state() is not None:
        from boc import _replay

        _replay.settle(at_end)


def _outside(what: str) -> None:
    if _core._in_body() or not _core.is_main():
        raise RuntimeError(f"{what} cannot be used inside a behavior: a body never waits; schedule another behavior")
    _no_batch(what)


def _no_batch(what: str) -> None:
    if _core._batching():
        raise RuntimeError(f"{what} inside `with batch():` would wait for what the batch has not scheduled yet")


def _timeout_text(what: str) -> str:
    scheduled, _, finished = _core._counts()
    return f"{what}: {scheduled - finished} behaviors are still pending; the runtime goes on"


def _shut_down(cancel: bool, interrupt: bool, grace: float, deadline: float | None = None) -> tuple[int, int, int]:
    global _options
    from boc import _service

    if _core._running():
        scheduler_stats()  # to be asked for later
    ending = _core._stop(cancel, interrupt, grace)
    _core._forget_definitions()  # what bodies captured is not kept for schedules that may never come
    _service.drain(_left(deadline))
    _core._notice_clear()
    if not ending[2]:  # nothing of an abandoned worker is at rest
        with _starting:
            _core._collect_cycles()
    _service.flush_unseen(timeout=_left(deadline))
    _service.reset()
    _options = None
    return ending  # type: ignore[no-any-return]


before_forgetting: list[Callable[[], None]] = []  # the notebook's live view ends its picture here


def stop(cancel: bool = True) -> None:
    """End now: cancel what is queued and interrupt what runs.

    cancel=False cancels what is queued and lets running bodies end. A body stuck in C is abandoned with its worker
    after 1 s; its result and the cowns it held hold WorkerDied. Afterwards `start()` or `@when` begins anew.
    """
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("stop() cannot be used inside a behavior: a body never waits")
    _no_batch("stop()")
    if _core._replay_state() is not None:
        from boc import _replay

        _replay.abandon(opens=False)
    if _core._running():
        from time import monotonic

        _shut_down(True, interrupt=cancel, grace=1.0 if cancel else -1.0, deadline=monotonic())
    _core._gate_open()


def at_exit() -> None:
    """The last of the process: what bodies printed is written, what nobody saw is said."""
    from boc import _service

    watchdog = sys.modules.get("boc._watchdog")
    if watchdog is not None:
        watchdog.end()
    _service.stop()
    _service.flush_unseen()


def cancel(*results: Any, interrupt: bool = False) -> int:
    """Drop queued behaviors, named by their result cowns; returns how many it stopped or interrupted.

    interrupt=True raises `Interrupted` in running ones. One that has ended is left alone. TypeError for a cown that
    is no result.
    """
    flat: list[Any] = []
    for r in results:
        flat.extend(r) if isinstance(r, (list, tuple)) else flat.append(r)
    for r in flat:
        _core._check_result(r)
    return sum(_core._cancel(r, interrupt) for r in flat)


def scheduler_stats() -> list[dict[str, Any]]:
    """Counters of each worker since the start, one dict per worker; [] if nothing ever ran in this process.

    started, finished       behaviors whose bodies it began; whose cowns it handed on (cancelled ones too)
    busy_s                  seconds in bodies, with their values' way in and out
    dispatched_to_pending   made runnable by a release here and run next, while their values are warm
    pushed_local, _remote   put into its queue by itself, by other threads
    popped_local, _via_steal  taken from its own queue or run next; taken from another worker's
    steal_attempts          looks into another worker's queue; steal_failures: those that found nothing
    parked, unparked        times that it slept; that somebody woke it
    fairness_arm_fires      times that the fairness token let others go before a chain of its own
    fetches                 live values brought to rest for others between bodies; porter_fetches: during one
    """
    if _core._running():
        _last_stats[:] = _core._stats()
    return [dict(d) for d in _last_stats]


def reset() -> None:
    """Cancel everything, clear the noticeboard, open the gate and take its breakpoints away, forget the trace."""
    _outside("reset()")
    stop()
    for hook in tuple(before_forgetting):
        hook()
    _core._break_remove(0)
    _core._gate_open()
    _core._notice_clear()
    _core._clear_messages()
    _core._forget_definitions()
    _core.trace_clear()


# ---- pinned work -----------------------------------------------------------


def pump(deadline_ms: int | None = None, max_behaviors: int | None = None, raise_on_error: bool = False) -> PumpResult:
    """Run pinned behaviors that are ready, on this thread.

    deadline_ms: milliseconds after which no further one is started. max_behaviors: at most so many. raise_on_error:
    raise the first Exception of a body after its cleanup; the rest stay queued. A BaseException leaves the pump too.
    TypeError for bounds that are no positive int; RuntimeError from a worker, inside a pinned body, or while another
    thread pumps.
    """
    _no_batch("pump()")
    return PumpResult(*_core._pump(deadline_ms, max_behaviors, raise_on_error))


def set_wait_pump_poll(ms: int = 50) -> None:
    """Set the longest sleep of a wait that pumps, in milliseconds (1 to 50)."""
    if isinstance(ms, bool) or not isinstance(ms, int) or ms <= 0:
        raise TypeError(f"ms must be a positive int, not {ms!r}")
    _core._set_wait_poll(ms)


def set_pump_watchdog(warn_ms: int | None = 1000, on_starve: Callable[[int, str], object] | None = None) -> None:
    """Warn when pinned work has waited longer than warn_ms; None turns it off.

    on_starve(severity, message) takes the warning's place; severity is 0. The check runs on a thread of the main
    interpreter.
    """
    from boc import _watchdog

    _watchdog.set_watchdog(warn_ms, on_starve)


if sys.platform == "win32":  # pragma: no cover
    raise ImportError("boc does not run on Windows yet")
