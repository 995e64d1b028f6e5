"""`%boc COMMAND`: look at the runtime and steer it, one line each; `%%boc profile` for a cell.

A command is offered only if the installed `boc` has what it needs (`Command.needs`).
"""

from __future__ import annotations

import difflib
import importlib.util
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boc
from boc import _core
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from . import live, profile
from .arguments import Arguments
from .cells import Cells
from .routing import Router

Run = Callable[["BocMagics", "Arguments"], Any]
SETTLE = 0.1  # seconds that a step may take of its cell until what it led to is seen


@dataclass(frozen=True)
class Command:
    """One command: how it is written, what it does, which functions of `boc` it needs."""

    usage: str
    help: str
    run: Run
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # flags and options with a value (these end in =)

    def available(self) -> bool:
        return all(map(_offered, self.needs))


def _find(path: str) -> Any:
    """The function `path` of boc ("trace.serve"), or None if there is none."""
    found: Any = boc
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            return None
    return found


def _offered(need: str) -> bool:
    """Whether boc has `need`, without loading charts and traces: a name of `boc`, or `folder/file.py` in it."""
    if need.endswith(".py"):
        return (Path(str(boc.__file__)).parent / need).exists()
    return need in vars(boc) or need in boc._LAZY


# ---- the state in one line ---------------------------------------------------
def _plural(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def status_line() -> str:
    """What is now, in one line."""
    if not _core._running():
        held = " and is held: boc is paused" if _core._gate_closed() else ""
        return f"boc is not running; the first behavior starts it{held}"
    from boc._gate import counts

    finished = _core._counts()[2]
    running, ready, waiting = counts()
    replay = _core._replay_state()
    if replay is not None and not replay[3]:
        word = f"replaying {replay[0]} of {replay[1]} starts"
        now = f"{running} running, {ready + waiting} waiting or ready"
    elif _core._gate_closed():
        word, now = "paused", f"{running} running, {ready} ready, {waiting} waiting"
    else:
        word, now = "running", f"{running} running, {ready + waiting} waiting or ready"
    return " · ".join([f"boc is {word}: {_plural(_core._worker_count(), 'worker')}", now, f"{finished} done"])


def _status(_: BocMagics, a: Arguments) -> None:
    a.end()
    print(status_line())


def _start(_: BocMagics, a: Arguments) -> None:
    workers = a.number(int, "-w", "--workers")
    kind = a.option("-k", "--kind")
    trace = a.option("--trace")
    a.end()
    options: dict[str, Any] = {}
    if workers is not None:
        options["workers"] = workers
    if kind is not None:
        options["kind"] = kind
    if trace is not None:
        options["trace"] = False if trace == "off" else trace
    boc.start(**options)
    print(status_line())


def _stop(_: BocMagics, a: Arguments) -> None:
    a.end()
    boc.stop()
    print(status_line())


# ---- pictures ------------------------------------------------------------------
def _gantt(m: BocMagics, a: Arguments) -> Any:
    by = a.option("--by")
    last = a.number(float, "--last")
    covered = m.covered(a) | m.themed(a)
    by = by or (a.words.pop(0) if a.words and not a.words[0].startswith("-") else "worker")
    a.end()
    return boc.gantt(by=by, last=last, **covered)


def _chart(name: str) -> Run:
    """board, throughput, summary: shown as the cell's output. A summary follows the host's theme by itself."""

    def run(m: BocMagics, a: Arguments) -> Any:
        last = a.number(float, "--last")
        covered = m.covered(a) | (m.themed(a) if name != "summary" else {})
        a.end()
        return getattr(boc, name)(last=last, **covered)

    return run


def _explain(_: BocMagics, a: Arguments) -> None:
    name = a.one("the name of a behavior")
    a.end()
    from boc.view import explain

    try:
        print(explain(name))
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None


def _need_charts(what: str) -> None:
    """Say at once, and not when the first picture is due, that charts cannot be drawn here."""
    for name in ("numpy", "matplotlib"):
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"{what} needs {name}: pip install 'boc[view]'")


def _live(m: BocMagics, a: Arguments) -> Any:
    theme = m.themed(a)["theme"]
    a.end()
    _need_charts("%boc live")
    return m.live.show(theme)


def _attach(_: BocMagics, a: Arguments) -> Any:
    """Show the other process's chart; what comes back gives later ones."""
    where = a.one("an address")
    a.end()
    from boc.trace import attach
    from IPython.display import display

    try:
        remote = attach(where)
    except (ValueError, TimeoutError) as error:
        raise UsageError(str(error)) from None
    display(boc.gantt(remote))  # type: ignore[no-untyped-call]
    return remote


def _save(m: BocMagics, a: Arguments) -> None:
    path = Path(a.one("a file name")).expanduser()
    a.end()
    if path.suffix == ".json":
        boc.schedule().save(path)
        print(f"the schedule is in {path}")
        return
    from boc.trace import Trace

    Trace.now_of().save(path)
    print(f"the trace is in {path}")


def _replay(_: BocMagics, a: Arguments) -> None:
    path = Path(a.one("a file")).expanduser()
    a.end()
    print(f"{len(boc.replay(path).schedule.starts)} starts to follow: run the cells again, then quiesce() or wait()")


def _stacks(_: BocMagics, a: Arguments) -> None:
    a.end()
    print(str(boc.stacks()) or "no body is running")


def _steered(name: str) -> Run:
    """pause, resume, reset: call it and say what is now."""

    def run(_: BocMagics, a: Arguments) -> None:
        a.end()
        function = _find(name)
        assert function is not None
        function()
        print(status_line())

    return run


def _step(_: BocMagics, a: Arguments) -> None:
    what: Any = a.words.pop(0) if a.words else None
    a.end()
    passed = boc.step(int(what)) if what is not None and what.isdigit() else boc.step(what)
    _settle(SETTLE)
    print(f"{', '.join(passed)} · {status_line()}" if passed else f"nothing is runnable · {status_line()}")


def _settle(seconds: float) -> None:
    """Give what was let through so long to run and to hand on its cowns: the line tells what a step led to."""
    until = time.monotonic() + seconds
    while _core._gate_closed() and (left := until - time.monotonic()) > 0:
        if not _core._gate_wait(_core._gate_arrivals(), left):
            return


def _passed(name: str, what: str) -> Run:
    """Commands that hand their one word on and show what comes back."""

    def run(_: BocMagics, a: Arguments) -> Any:
        words = [a.one(what)] if what else []
        a.end()
        function = _find(name)
        assert function is not None
        return function(*words)

    return run


_ALL = ("--all", "--last=")
_DARK = ("--dark", "--light")
COMMANDS: dict[str, Command] = {
    "live": Command("live [--dark]", "a chart that follows what happens, here", _live, ("gantt",), _DARK),
    "gantt": Command(
        "gantt [worker|cown|behavior] [--last S] [--all] [--dark]",
        "what ran where, and what was held by whom",
        _gantt,
        ("gantt",),
        ("--by=", *_ALL, *_DARK),
    ),
    "board": Command(
        "board [--all] [--dark]", "the noticeboard and its history", _chart("board"), ("board",), _ALL + _DARK
    ),
    "throughput": Command(
        "throughput [--last S] [--all] [--dark]",
        "behaviors finished per second",
        _chart("throughput"),
        ("throughput",),
        _ALL + _DARK,
    ),
    "summary": Command(
        "summary [--last S] [--all]", "counts, waits and shares in tables", _chart("summary"), ("summary",), _ALL
    ),
    "explain": Command("explain NAME", "why a behavior waited", _explain, ("trace/explain.py",)),
    "status": Command("status", "what is now, in one line", _status),
    "start": Command(
        "start [-w N] [--kind K]", "start the workers", _start, ("start",), ("-w=", "--kind=", "--trace=")
    ),
    "stop": Command("stop", "cancel what is queued, end the workers", _stop, ("stop",)),
    "pause": Command("pause", "hold what has not started", _steered("pause"), ("pause",)),
    "step": Command("step [N|NAME]", "let one behavior run", _step, ("step",)),
    "resume": Command("resume", "let all run again", _steered("resume"), ("resume",)),
    "replay": Command("replay FILE", "follow a saved run when the cells are run again", _replay, ("replay",)),
    "save": Command("save FILE", "write the trace to a file; FILE.json: the schedule", _save, ("trace/file.py",)),
    "attach": Command("attach WHERE", "watch another process", _attach, ("trace/serve.py",)),
    "doctor": Command("doctor", "where each imported module can run", _passed("doctor", ""), ("doctor",)),
    "stacks": Command("stacks", "which bodies run, since when, at which line", _stacks, ("stacks",)),
    "reset": Command("reset", "cancel all, forget board, names and trace", _steered("reset"), ("reset",)),
}


def available() -> dict[str, Command]:
    """The commands that this boc can carry out."""
    return {name: c for name, c in COMMANDS.items() if c.available()}


def listing() -> str:
    """All commands, one a line."""
    rows = [(f"%boc {c.usage}", c.help) for c in available().values()]
    rows.append(("%%boc profile", "run the cell, wait for its behaviors, show where the time went"))
    width = max(len(usage) for usage, _ in rows)
    return "\n".join(f"{usage:<{width}}  {text}" for usage, text in rows)


@magics_class
class BocMagics(Magics):
    """The line magic and what its commands share: cells, and the live view."""

    shell: Any

    def __init__(self, shell: Any, cells: Cells, router: Router | None) -> None:
        super().__init__(shell)
        self.cells = cells
        self.live = live.LiveViews(shell, router, cells)
        self.theme = "light"

    def covered(self, a: Arguments) -> dict[str, Any]:
        """What a chart covers: the run, and at least the last cell that scheduled; or all with --all."""
        return {"all": a.flag("--all"), "since": self.cells.since(_core._counts()[0])}

    def themed(self, a: Arguments) -> dict[str, str]:
        """The theme of a chart, as --dark or --light said, here or last: a kernel does not know its front end's."""
        for name in ("dark", "light"):
            if a.flag(f"--{name}"):
                self.theme = name
        return {"theme": self.theme}

    @line_cell_magic
    def boc(self, line: str, cell: str | None = None) -> Any:
        """Look at behaviors and steer them. `%boc` alone lists the commands.

        `%%boc profile` runs a cell, waits for its behaviors and shows where the time went.
        """
        __tracebackhide__ = True
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%boc: {error}") from None
        if cell is not None:
            if words != ["profile"]:
                raise UsageError("a cell can be profiled: %%boc profile")
            _need_charts("%%boc profile")
            return profile.profile(self, cell)
        if not words:
            print(listing())
            return None
        commands = available()
        name = words.pop(0)
        if name not in commands:
            near = difflib.get_close_matches(name, commands, 1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise UsageError(f"%boc has no command {name!r}{hint}\n{listing()}")
        try:
            return commands[name].run(self, Arguments(name, words))
        except ModuleNotFoundError as error:
            raise UsageError(f"%boc {name} needs {error.name}: pip install 'boc[view]'") from None
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            raise UsageError(f"%boc {name}: {error}") from None

    def complete(self, before: str) -> list[str] | None:
        """What may stand at the end of `before`, the text behind `%boc `; None: the name of a file."""
        words = before.split()
        word = "" if not before or before[-1].isspace() else words.pop()
        if not words:
            return [c for c in available() if c.startswith(word)]
        command = available().get(words[0])
        if command is None:
            return []
        if command.usage.endswith(" FILE"):
            return None
        offered = [o.rstrip("=") for o in command.options]
        if words[0] == "gantt":
            offered += ["worker", "cown", "behavior"]
        if words[0] == "step":
            offered += dict.fromkeys(name for _, name, _ in _core._gate_held())
        return [o for o in offered if o.startswith(word) and o not in words]

    def after_cell(self) -> None:
        self.live.after_cell()

    def close(self) -> None:
        self.live.close()
