"""The tables of the model: dataclasses of numpy columns. Times: ns of CLOCK_MONOTONIC, -1 unknown."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from numpy.typing import NDArray

NONE = -1
"""No time, or no row."""

WAITING, READY, RUNNING, DONE, RAISED, CANCELLED, LOST = range(7)
STATES = ("waiting", "ready", "running", "done", "raised", "cancelled", "lost")
"""States by number. lost: records of it were overtaken, so what became of it is not known."""

MAIN_ROW = -1
"""`thread` of what ran on the main thread; workers are 0.., other threads of the program -2, -3, .."""
NO_THREAD = -100

# One name a width, for those who read; numpy's own types do not follow a column through an expression.
I64 = NDArray[Any]
I32 = NDArray[Any]
U8 = NDArray[Any]
U64 = NDArray[Any]
Bool = NDArray[Any]


@dataclass
class Columns:
    """Columns of one length. Subclasses name them."""

    def __len__(self) -> int:
        first: NDArray[Any] = getattr(self, fields(self)[0].name)
        return len(first)

    def take(self, rows: NDArray[Any]) -> Self:
        """The same columns, only these rows (a mask or indices)."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass
class Behaviors(Columns):
    """One row a behavior, in order of id. `parent`: an id, 0 from outside; `stolen`: from which worker.

    `native`: the main program's own request (a `result()`, a `with c`), which nobody wrote as a behavior.
    """

    id: U64
    name: I32
    parent: U64
    sched: I64
    ready: I64
    start: I64
    body: I64
    body_end: I64
    end: I64
    cancel: I64
    thread: I32
    stolen: I32
    state: U8
    pinned: Bool
    native: Bool
    cpu: I64


@dataclass
class Requests(Columns):
    """One row a request of a behavior for a cown (rows of the other tables).

    `pred`: row of the behavior before it in the queue. `exact`: the grant was recorded; else it is the latest
    instant at which it can have happened.
    """

    behavior: I32
    cown: I32
    read: Bool
    time: I64
    grant: I64
    release: I64
    pred: I32
    exact: Bool


@dataclass
class Cowns(Columns):
    """One row a cown that somebody asked for, in order of id. `name`: a name id, 0 where it has none.

    `maker`: the id of the behavior whose result it is, else 0.
    """

    id: U64
    name: I32
    born: I64
    maker: U64


@dataclass
class Notices(Columns):
    """One row a change of the noticeboard. `key`: a name id; `writer`: row of a behavior or -1."""

    time: I64
    key: I32
    version: I64
    writer: I32
    deleted: Bool


@dataclass
class Notes(Columns):
    """Marks and user spans: `end` is -1 for a mark and for an open span. `text`: a name id."""

    behavior: I32
    text: I32
    begin: I64
    end: I64
    thread: I32
    span: Bool


@dataclass
class Moves(Columns):
    """One row a value that was moved: `kind` 0 decode, 1 encode; `cown`: row or -1."""

    kind: U8
    cown: I32
    bytes: I64
    time: I64
    duration: I64
    thread: I32


@dataclass
class Rests(Columns):
    """One row a sleep of a worker; `end` -1: it still sleeps."""

    thread: I32
    begin: I64
    end: I64
