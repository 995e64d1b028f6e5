"""The workloads: which program, with which arguments, what it measures, and the target beside the peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    `metric` is a key of the JSON that the program prints; `more` says that more is better. `target` is the
    least ratio to the peer (ours over theirs if more is better, else theirs over ours), `bound` an absolute
    figure in `unit` that ours must reach, None where there is none.
    """

    key: str
    title: str
    program: str
    arguments: tuple[str, ...] = ()
    metric: str = "rate"
    unit: str = "/s"
    more: bool = True
    target: float | None = None
    bound: float | None = None
    peer: bool = True


def less(key: str, title: str, program: str, argument: str | None, metric: str, unit: str,
         bound: float | None = None, target: float | None = None, peer: bool = True) -> Workload:
    """A workload of which less is better."""
    arguments = (argument,) if argument else ()
    return Workload(key, title, program, arguments, metric, unit, False, target, bound, peer)


def grown(key: str, title: str, which: str, scale: int) -> Workload:
    """A growth row: its figure at the larger scale must not be less than at the smaller one above it."""
    return Workload(key, f"growth: {title}", "growth.py", (which, str(scale)), peer=False)


RING = "w04_ring.py"
WAYS = ("wait", "result", "quiesce", "await", "with", "pump", "receive", "notice_sync", "sleep", "loop")
TOUCHED = {"int": "an int", "dict": "a dict of 3", "table": "a dict of 10,000", "instance": "an instance",
           "bytes": "100 bytes", "megabyte": "1 MB of bytes"}


def touch(kind: str, where: str) -> Workload:
    """What one touch of a value costs, where it stays or on its way between interpreters."""
    place = "one worker" if where == "one" else "across"
    return Workload("W17", f"touch {TOUCHED[kind]}, {place}", "w17_touch.py", (kind, where), "us", "us", False)


WORKLOADS = (
    Workload("W1", "null, fresh functions, 8 cowns", "w01_fresh.py", target=5),
    Workload("W2", "null, chains on 8 cowns", "w02_chains.py", target=5),
    Workload("W3", "null, one contended cown", "w03_contended.py", target=5),
    *(Workload("W4", f"ring, 20 products, group {g}", RING, (g, "20", "2"), target=2) for g in "124"),
    Workload("W4b", "ring, 20 products, group 1, 1 worker", RING, ("1", "20", "1")),
    *(Workload("W5", f"ring, null, group {g}", RING, (g, "0", "2"), target=5) for g in "124"),
    Workload("W6", "fan-out 4, 1 producer, 1 worker", "w06_fanout.py", ("1", "1"), target=5),
    Workload("W6", "fan-out 4, 1 producer, 2 workers", "w06_fanout.py", ("1", "2"), target=5),
    Workload("W6", "fan-out 4, 2 producers, 1 worker", "w06_fanout.py", ("2", "1"), target=5),
    Workload("W6", "fan-out 4, 2 producers, 2 workers", "w06_fanout.py", ("2", "2"), target=5),
    Workload("W7", "dict of 10,000, touches", "w07_dict.py", target=50),
    less("W8", "100 MB bytes to the other worker", "w08_move.py", "bytes", "ms", "ms", bound=0.1),
    less("W8", "100 MB bytearray to the other worker", "w08_move.py", "bytearray", "ms", "ms", bound=0.1),
    less("W8", "a million ints to the other worker", "w08_move.py", "list", "ms", "ms", target=1),
    less("W9", "round trip to a result", "w09_round_trip.py", None, "us", "us", bound=15),
    less("W10", "import", "w10_start.py", None, "import", "ms", bound=25),
    less("W10", "start() returns", "w10_start.py", None, "start", "ms", bound=1),
    less("W10", "first result after start()", "w10_start.py", None, "first", "ms", bound=45),
    less("W11", "a queued behavior", "w11_memory.py", "behavior", "bytes", "B", bound=256),
    less("W11", "a cown with an int", "w11_memory.py", "cown", "bytes", "B", bound=128),
    less("W11", "a worker", "w11_memory.py", "worker", "bytes", "B", bound=8e6),
    Workload("W12", "noticeboard, repeated reads", "w12_board.py", metric="again", target=5),
    Workload("W12", "noticeboard, first read after a change", "w12_board.py", metric="first", target=5),
    Workload("W12", "noticeboard, writes", "w12_board.py", metric="writes", target=5),
    Workload("W13", "messages, ints", "w13_messages.py", ("int",), target=2),
    Workload("W13", "messages, small dicts", "w13_messages.py", ("dict",), target=2),
    less("W14", "Matrix, median over its operations", "w14_matrix.py", None, "*", "us", target=2),
    less("W15", "core alone, one cown", "w15_core.py", None, "one", "ns", bound=40, peer=False),
    less("W15", "core alone, two cowns", "w15_core.py", None, "two", "ns", bound=90, peer=False),
    *(touch(kind, where) for where in ("one", "across") for kind in TOUCHED),
    less("W18", "interrupt of a body, p99 of 200", "w18_interrupt.py", "body", "p99", "ms", bound=10, peer=False),
    *(less("W18", f"Ctrl-C: {way}, p99 of 200", "w18_interrupt.py", way, "p99", "ms", bound=100, peer=False) for way in WAYS),
    *(grown("G1", f"{n:,} pending", "pending", n) for n in (10000, 1000000)),
    *(grown("G2", f"{n:,} cowns", "cowns", n) for n in (1000, 1000000)),
    *(grown("G3", f"{n:,} cowns in a when", "wide", n) for n in (10, 1000)),
    *(grown("G4", f"{n:,} waiters on one", "waiters", n) for n in (100, 10000)),
    *(grown("G5", f"{n} workers", "workers", n) for n in (2, 64)),
    Workload("T1", "W2 with the trace on", "w02_chains.py", peer=False),
    Workload("T2", "W2 with the trace off", "w02_chains.py", ('{"trace": false}',), peer=False),
    less("V1", "Gantt of 1,000,000", "gantt_time.py", "1000000", "seconds", "s", bound=1, peer=False),
)
