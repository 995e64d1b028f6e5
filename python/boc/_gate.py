"""Stepping: close the gate in front of every start, let behaviors through one by one, stop at breakpoints.

Closed, what becomes runnable collects in a pool, oldest first; bodies that run already run to their end. The main
program's own requests (`with c`, `result()` of what is done), `stop`, `cancel`, the exit and the noticeboard pass.
"""

from __future__ import annotations

import sys

from boc import _core
from boc._timeout import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Break", "break_on", "held", "pause", "resume", "step", "waits"]

# Asked by a wait at the closed gate: is there somebody who could open it? A view with buttons puts itself in here.
steerers: list[Callable[[], bool]] = []

_COWN, _KEY, _NAME, _NUMBER = range(4)


def pause() -> None:
    """Close the gate: nothing starts from now on, and what becomes runnable is held in a pool.

    May be called before the runtime runs, and in a behavior. `step()` lets behaviors through, `resume()` opens the
    gate; `stop()` and `reset()` open it too. RuntimeError while a schedule is replayed.
    """
    _no_replay("pause()")
    _core._gate_close()


def resume() -> None:
    """Open the gate: what is held runs, oldest first, up to the next that a breakpoint stops. It ends a replay."""
    if _core._replay_state() is not None:
        from boc import _replay

        _replay.abandon()
    _core._gate_open()


def _no_replay(what: str) -> None:
    if _core._replay_state() is not None:
        raise RuntimeError(f"{what}: a schedule is replayed, which decides what starts; boc.resume() ends that")


def held() -> list[tuple[int, str, bool]]:
    """What the gate holds, oldest first: id, name, whether it runs on the main thread."""
    pool: list[tuple[int, str, bool]] = _core._gate_held()
    return pool


# ---- stepping --------------------------------------------------------------


def _numbered(name: str) -> tuple[str, int]:
    """`chop#3` -> ("chop", 3); without a number 0."""
    plain, mark, digits = name.rpartition("#")
    return (plain, int(digits)) if mark and plain and digits.isdigit() and int(digits) > 0 else (name, 0)


def _ids(name: str) -> list[int]:
    """The ids of the behaviors of that name in this run, in order of schedule; as far as the trace knows."""
    if not _core._pending():
        return []  # the next schedule begins a run
    try:
        from boc.trace import Trace
    except ImportError:  # numpy is not there
        return []
    run = Trace.now_of().last_run()
    return [int(run.behaviors.id[row]) for row in run.find(name)]


def _label(behavior: int, name: str) -> str:
    """The name; with its number where there are several of it."""
    same = _ids(name)
    return f"{name}#{same.index(behavior) + 1}" if len(same) > 1 and behavior in same else name


def _not_runnable(what: str) -> ValueError:
    names = list(dict.fromkeys(name for _, name, _ in held()))
    shown = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
    text = f"no runnable behavior is named {what!r}; " + (f"runnable: {shown}" if names else "nothing is runnable")
    try:
        from boc.trace import Trace

        found = Trace.now_of().last_run().explain(what)
    except (ImportError, KeyError):
        return ValueError(text)
    if found.state in ("waiting", "ready"):
        text += f" ({found.sentence.rstrip('.')})"
    elif found.state != "lost":
        text += f" (it is {found.state})"
    return ValueError(text)


def _pick(what: str | None) -> tuple[int, str] | None:
    """The oldest that is held, or the oldest of a name, or the one meant by `name#3`."""
    pool = held()
    if what is None:
        return pool[0][:2] if pool else None
    exact = next((h for h in pool if h[1] == what), None)
    if exact is not None:
        return exact[:2]
    name, number = _numbered(what)
    if number and any(h[1] == name for h in pool):
        same = _ids(name)
        wanted = same[number - 1] if number <= len(same) else 0
        return next((h[:2] for h in pool if h[0] == wanted), None)
    return None


def step(what: int | str | None = None, *, timeout: float | None = None) -> list[str]:
    """Let behaviors through the closed gate; returns the names of those that it let through.

    what: None, the oldest that is runnable; n, so many one after the other; a name, the oldest runnable one of
    that name, or with a number (`"chop_pepper#3"`) the third of that name that was scheduled in this run, that is
    since nothing was pending.

    A step does not wait for the body to end. But where nothing is runnable while something still runs, the next
    step waits for what that makes runnable: at most `timeout` seconds, None as long as it takes. Returns [] where
    nothing is runnable and nothing runs.

    RuntimeError while the gate is open and in a behavior, ValueError for a name that is not runnable or n below 1.
    """
    name: str | None = None
    count = 1
    if isinstance(what, str):
        name = what
    elif isinstance(what, bool) or not (what is None or isinstance(what, int)):
        raise TypeError(f"step() takes a number of steps or a name, not {type(what).__name__}")
    elif what is not None:
        count = what
        if count < 1:
            raise ValueError(f"step() takes a number of steps from 1 on, not {count}")
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("step() cannot be used inside a behavior: a body never waits")
    _no_replay("step()")
    if not _core._gate_closed():
        raise RuntimeError("step(): the gate is open; boc.pause() closes it")
    deadline = None
    if timeout is not None:
        from time import monotonic

        deadline = monotonic() + _seconds(timeout)
    done: list[str] = []
    while len(done) < count:
        arrivals = _core._gate_arrivals()
        found = _pick(name)
        if found is not None:
            label = _label(*found)
            if _core._gate_step(found[0]):
                done.append(label)
            continue
        left = None
        if deadline is not None:
            from time import monotonic

            left = max(0.0, deadline - monotonic())
        if not _core._gate_wait(arrivals, left) or not _core._gate_closed():
            found = _pick(name)  # what came at the last moment
            if found is None:
                break
    if name is not None and not done:
        raise _not_runnable(name)
    return done


def _seconds(timeout: Any) -> float:
    return max(0.0, seconds(timeout))


# ---- breakpoints -----------------------------------------------------------


class Break:
    """A breakpoint, as `break_on` gives it. `hits`: how often it closed the gate. `with` removes it at the end."""

    __slots__ = ("_hits", "_token", "what")
    what: str
    """What it stops on, as it was given."""

    def __init__(self, token: int, what: str) -> None:
        self._token = token
        self._hits = 0
        self.what = what

    @property
    def hits(self) -> int:
        """How often it stopped something; each behavior counts once, each write of a key once."""
        now = _core._break_hits(self._token)
        if now is not None:
            self._hits = now
        return self._hits

    @property
    def active(self) -> bool:
        """Whether it still stops; False after `remove()` and `boc.reset()`."""
        return _core._break_hits(self._token) is not None

    def remove(self) -> None:
        """Take it away; the gate stays as it is. May be called twice."""
        if self.hits >= 0:
            _core._break_remove(self._token)

    def __enter__(self) -> Break:
        return self

    def __exit__(self, *args: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        times = "not hit yet" if not self.hits else "hit once" if self.hits == 1 else f"hit {self.hits} times"
        return f"<break_on({self.what}), {times if self.active else times + ', removed'}>"


def break_on(*, cown: Any = None, key: str | None = None, name: str | None = None) -> Break:
    """Close the gate when something is about to happen; give one of the three.

    cown: before a behavior starts that has this cown in its set; it is held, and so is all that is not running.
    name: before a behavior of this name starts, each of them; `"chop_pepper#3"` for the third of that name in this run.
    key: right after this key of the noticeboard was written, updated or deleted, by whomever: nothing starts
    after that; the body that wrote goes on.

    Returns the breakpoint, which `remove()` takes away. A behavior that was stopped runs at the next `step()` or
    `resume()`. TypeError for wrong arguments; ValueError for an empty name, for one with a number that has started
    already, and for a key that cannot be one.
    """
    given = [n for n, v in (("cown", cown), ("key", key), ("name", name)) if v is not None]
    if len(given) != 1:
        got = f", not {' and '.join(given)}" if given else ""
        raise TypeError(f"break_on() takes one of cown=, key= and name={got}")
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("break_on() cannot be used inside a behavior")
    if cown is not None:
        if not isinstance(cown, _core.Cown):
            raise TypeError(f"cown must be a Cown, not {type(cown).__name__}")
        return Break(_core._break_add(_COWN, "", cown.id, 0), f"cown={cown.name}")
    text = key if key is not None else name
    if not isinstance(text, str):
        raise TypeError(f"{given[0]} must be a string, not {type(text).__name__}")
    if not text:
        raise ValueError(f"{given[0]} is empty")
    if key is not None:
        _core._notice_key(text)
        return Break(_core._break_add(_KEY, text, 0, 0), f"key={text!r}")
    return _break_on_name(text)


def _break_on_name(text: str) -> Break:
    plain, number = _numbered(text)
    if not number:
        return Break(_core._break_add(_NAME, text, 0, 0), f"name={text!r}")
    same = _ids(plain)
    if number > len(same):
        return Break(_core._break_add(_NUMBER, plain, 0, number - len(same)), f"name={text!r}")
    from boc.trace import Trace

    state = Trace.now_of().explain(same[number - 1]).state
    if state not in ("waiting", "ready"):
        raise ValueError(f"{text!r} has started already: it is {state}")
    return Break(_core._break_add(_NUMBER, plain, same[number - 1], 0), f"name={text!r}")


# ---- waits at the closed gate ----------------------------------------------


def waits(said: bool) -> str:
    """A wait that the closed gate keeps from ending: RuntimeError unless somebody could open it; then say so once."""
    text = paused_text()
    if not _somebody_else():
        raise RuntimeError(text)
    if not said:
        from boc import _kinds, _service

        line = f"boc: {text}\n"
        if not _service._sunk(_kinds.ERR, line, 0, "") and sys.stderr is not None:
            sys.stderr.write(line)
            sys.stderr.flush()
    return text


def counts() -> tuple[int, int, int]:
    """How many behaviors run, are ready (held at the gate where it is closed), and wait for cowns."""
    running = len(_core.running())
    ready = len(held())
    return running, ready, max(0, _core._pending() - running - ready)


def paused_text() -> str:
    """What a wait says at the closed gate."""
    _, ready, waiting = counts()
    return f"paused: {ready} ready, {waiting} waiting; press Step or Resume, or Interrupt and boc.step()"


# Threads of these packages are machinery: nobody there will call step() or resume().
_MACHINERY = ("boc", "ipykernel", "IPython", "zmq", "tornado", "jupyter_client", "asyncio", "debugpy", "_pydevd_bundle",
              "pydevd", "tqdm", "matplotlib")  # fmt: skip


def _is_users(thread: Any) -> bool:
    """Whether a thread may run code of the program: by the module of its class, then of what it was given to run."""
    what = getattr(thread, "_target", None) or getattr(thread, "function", None)
    for thing in (type(thread), what):
        module = getattr(thing, "__module__", None) or ""
        if module.partition(".")[0] in _MACHINERY:
            return module == "boc._gate"  # threading.Timer(1, boc.resume)
    if getattr(what, "__module__", "") == "concurrent.futures.thread":
        frame = sys._current_frames().get(thread.ident)  # an idle worker of a pool stands in the pool's own code
        return frame is None or not frame.f_code.co_filename.endswith("thread.py")
    return True


def _somebody_else() -> bool:
    return any(asked() for asked in tuple(steerers)) or bool(other_threads())


def other_threads(but: tuple[int, ...] = ()) -> list[Any]:
    """The threads beside this one, and beside those of some idents, that may run code of the program."""
    import threading

    me = threading.current_thread()
    return [t for t in threading.enumerate() if t is not me and t.ident not in but and t.is_alive() and _is_users(t)]


_awake: dict[int | None, int] = {}  # of threads, at the last look
_MANY = 1000


def elsewhere(resting: tuple[int, ...]) -> int | None:
    """For how long threads of the program have run since the last look, ns, or waited to run: others that do not rest.

    None if there is no such thread. Where the system does not tell, 0.
    """
    there = other_threads(but=resting)
    if len(_awake) > _MANY:
        _awake.clear()
    more = 0
    for t in there:
        now = _awake_of(t.native_id)
        more += now - _awake.get(t.native_id, now)
        _awake[t.native_id] = now
    return more if there else None


def _awake_of(native_id: int | None) -> int:
    try:
        with open(f"/proc/self/task/{native_id}/schedstat", "rb") as file:
            ran, waited, _ = file.read().split()
        return int(ran) + int(waited)
    except (OSError, ValueError):
        return 0
