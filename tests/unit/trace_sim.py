"""A simulated program for tests of the trace: it keeps the protocol and says what happened in records.

FIFO requests per cown, readers together, workers that steal, a main thread that pumps.
`Sim.log` is the program's own log, made apart from the records, to hold the model against.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from boc.trace.events import KIND, flag
from boc.trace.records import MAIN, RECORD, Records

MS, US = 1_000_000, 1_000


@dataclass
class Job:
    """A behavior to be: `at` from the start, cowns written and read, times in ns."""

    name: str
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    at: float = 0
    body: float = MS
    decode: float = 0
    encode: float = 0
    raises: str = ""
    pinned: bool = False
    cancel_after: float | None = None
    notes: tuple[tuple[float, str, str], ...] = ()
    spawn: tuple[tuple[float, Job], ...] = ()
    result: bool = False


@dataclass
class Live:
    job: Job
    id: int
    parent: int
    left: int = 0
    ready: bool = False
    state: str = "waiting"
    worker: int = -1
    stolen: int = -1
    queues: list[str] = field(default_factory=list)


class Sim:
    """Run jobs; `records()` gives what the rings hold. The clock starts at `base`."""

    def __init__(
        self,
        jobs: Iterable[Job],
        workers: int = 2,
        until: float | None = None,
        base: int = 10**9,
        first_id: int = 100,
        wake: float = 20 * US,
        pump: float = 200 * US,
    ) -> None:
        self.workers, self.base, self.until = workers, base, until
        self.wake, self.pump = wake, pump
        self.names: list[str] = [""]
        self._name: dict[str, int] = {"": 0}
        self.rows: dict[int, list[tuple[int, int, int, int, int, int, int]]] = {}
        self.log: list[tuple[Any, ...]] = []
        self.values: list[tuple[str, int, int, int, str]] = []
        self.queue: dict[str, deque[list[Any]]] = {}
        self.cown: dict[str, int] = {}
        self.cown_seq: dict[str, int] = {}
        self.live: dict[int, Live] = {}
        self._id, self._tick, self.version = first_id, 0, 0
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._wq: list[deque[Live]] = [deque() for _ in range(workers)]
        self._busy: list[Live | None] = [None] * workers
        self._mainq: deque[Live] = deque()
        self._main_busy = False
        self._rr = 0
        self.now = base
        for w in range(workers):
            self.emit(w, base, "worker_up", w)
        for job in jobs:
            for c in job.write + job.read:
                self._cown(c, base)
        for job in jobs:
            self._at(base + int(job.at), self._schedule, job, 0, MAIN)
        while self._events:
            t, _, call, args = heapq.heappop(self._events)
            if until is not None and t > base + until:
                self.now = base + int(until)
                break
            self.now = t
            call(t, *args)

    # what the rings hold

    def emit(
        self, thread: int, t: int, kind: str, subject: int = 0, other: int = 0, seq: int = 0, flags: int = 0
    ) -> None:
        row = (t, subject, other, seq & 0xFFFFFFFF, KIND[kind], flags, thread)
        self.rows.setdefault(thread, []).append(row)

    def records(self, keep: dict[int, int] | None = None) -> Records:
        """All records by thread, of some threads only the newest."""
        out: list[tuple[int, ...]] = []
        for thread in sorted(self.rows):
            mine = self.rows[thread]
            assert all(a[0] <= b[0] for a, b in itertools.pairwise(mine))
            out += mine[-keep[thread] :] if keep and thread in keep else mine
        return np.array(out, RECORD)

    def intern(self, text: str) -> int:
        if text not in self._name:
            self._name[text] = len(self.names)
            self.names.append(text)
        return self._name[text]

    # the program

    def _at(self, t: float, call: Callable[..., None], *args: Any) -> None:
        self._tick += 1
        heapq.heappush(self._events, (int(t), self._tick, call, args))

    def _next(self) -> int:
        self._id += 1
        return self._id

    def _cown(self, name: str, t: int) -> int:
        if name not in self.cown:
            self.cown[name] = self._next()
            self.cown_seq[name] = 0
            self.queue[name] = deque()
            self.emit(MAIN, t, "cown", self.cown[name], 0, self.intern(name))
        return self.cown[name]

    def _schedule(self, t: int, job: Job, parent: int, thread: int) -> None:
        b = Live(job, self._next(), parent)
        self.live[b.id] = b
        asked = sorted([(c, False) for c in job.write] + [(c, True) for c in job.read], key=lambda x: self.cown[x[0]])
        entries, rows = [], []
        for c, read in asked:
            q = self.queue[c]
            free = all(e[1] and e[2] for e in q) and read if q else True
            entry = [b, read, free]
            self.log.append(("request", b.id, c, t))
            if free:
                self.cown_seq[c] += 1
                rows.append((c, self.cown_seq[c], flag("request", "GRANTED") | (flag("request", "READ") * read)))
                self.log.append(("grant", b.id, c, t))
            else:
                rows.append((c, q[-1][0].id, flag("request", "READ") * read))
                b.left += 1
            q.append(entry)
            b.queues.append(c)
            entries.append(entry)
        flags = (
            flag("schedule", "READY") * (b.left == 0)
            | flag("schedule", "PINNED") * job.pinned
            | flag("schedule", "has a result") * job.result
        )
        self.emit(thread, t, "schedule", b.id, parent, self.intern(job.name), flags)
        self.log.append(("schedule", b.id, job.name, t))
        for c, seq, f in rows:
            self.emit(thread, t, "request", b.id, self.cown[c], seq, f)
        if b.left == 0:
            self._ready(t, b, thread, False)
        if job.cancel_after is not None:
            self._at(t + job.cancel_after, self._cancel, b)

    def _ready(self, t: int, b: Live, thread: int, told: bool) -> None:
        b.ready = True
        if b.state != "cancelled":
            b.state = "ready"
        self.log.append(("ready", b.id, t))
        if told:
            pass
        if b.state == "cancelled":
            self._gone(t, b, thread)
            return
        if b.job.pinned:
            self.emit(thread, t, "pinned", b.id, 0, len(self._mainq) + 1)
            self._mainq.append(b)
            self._at(t + self.pump, self._pump)
            return
        w = thread if thread < MAIN else self._rr % self.workers
        self._rr += thread >= MAIN
        self._wq[w].append(b)
        for k in range(self.workers):
            self._at(t + self.wake * (1 + (k != w)), self._take, k)

    def _cancel(self, t: int, b: Live) -> None:
        if b.state in ("waiting", "ready"):
            ready = b.state == "ready"
            b.state = "cancelled"
            self.emit(MAIN, t, "cancel", b.id)
            self.log.append(("cancel", b.id, t))
            if ready:
                for q in [*self._wq, self._mainq]:
                    if b in q:
                        q.remove(b)
                self._gone(t, b, MAIN)

    def _gone(self, t: int, b: Live, thread: int) -> None:
        self.emit(thread, t, "end", b.id, 0, 0, flag("end", "CANCELLED"))
        self._release(t, b, thread)

    def _take(self, t: int, w: int) -> None:
        if self._busy[w] is not None:
            return
        b = None
        if self._wq[w]:
            b = self._wq[w].popleft()
        else:
            for d in range(1, self.workers):
                v = (w + d) % self.workers
                if self._wq[v]:
                    b = self._wq[v].popleft()
                    b.stolen = v
                    self.emit(w, t, "steal", b.id, 0, v)
                    break
        if b is not None:
            self._busy[w] = b
            self._begin(t, b, w)

    def _pump(self, t: int) -> None:
        if not self._main_busy and self._mainq:
            self._main_busy = True
            self._begin(t, self._mainq.popleft(), MAIN)

    def _begin(self, t: int, b: Live, thread: int) -> None:
        b.state, b.worker = "running", thread
        job = b.job
        stolen = flag("start", "STOLEN") if b.stolen >= 0 else 0
        self.emit(thread, t, "start", b.id, 0, self.intern(job.name), stolen)
        self.log.append(("start", b.id, thread, t, b.stolen))
        body = t + int(job.decode)
        end = body + int(job.body)
        self._at(body, self._mark, b, "body", 0)
        for share, key, text in job.notes:
            self._at(body + share * job.body, self._note, b, key, text)
        for share, child in job.spawn:
            self._at(body + share * job.body, self._spawn, child, b)
        self._at(end, self._mark, b, "body_end", flag("body_end", "RAISED") * bool(job.raises))
        self._at(end + int(job.encode), self._end, b)

    def _spawn(self, t: int, child: Job, b: Live) -> None:
        for c in child.write + child.read:
            self._cown(c, t)
        self._schedule(t, child, b.id, b.worker)

    def _mark(self, t: int, b: Live, kind: str, flags: int) -> None:
        self.emit(b.worker, t, kind, b.id, 0, 0, flags)
        if kind == "body_end" and b.job.raises:
            self.emit(b.worker, t, "raise", b.id, 0, self.intern(b.job.raises))

    def _note(self, t: int, b: Live, key: str, text: str) -> None:
        self.version += 1
        self.emit(1030, t, "notice_write", b.id, self.intern(key), self.version)
        self.values.append((key, self.version, b.id, t, text))

    def _end(self, t: int, b: Live) -> None:
        b.state = "done"
        self.emit(b.worker, t, "end", b.id, 0, 0, flag("end", "RAISED") * bool(b.job.raises))
        self.log.append(("end", b.id, t, bool(b.job.raises)))
        w = b.worker
        if w < MAIN:
            self._busy[w] = None
            self._at(t + 2 * US, self._take, w)
        else:
            self._main_busy = False
            self._at(t + 2 * US, self._pump)
        self._release(t, b, w)

    def _release(self, t: int, b: Live, thread: int) -> None:
        for c in b.queues:
            q = self.queue[c]
            for e in list(q):
                if e[0] is b:
                    q.remove(e)
            self.log.append(("release", b.id, c, t))
        for c in b.queues:
            self._advance(t, c, thread)

    def _advance(self, t: int, c: str, thread: int) -> None:
        q = self.queue[c]
        for k, e in enumerate(list(q)):
            if k and not (e[1] and all(p[1] for p in list(q)[:k])):
                break
            if not e[2]:
                e[2] = True
                b = e[0]
                b.left -= 1
                self.cown_seq[c] += 1
                last = flag("grant", "READY") if b.left == 0 else 0
                self.emit(
                    thread,
                    t,
                    "grant",
                    b.id,
                    self.cown[c],
                    self.cown_seq[c],
                    last | flag("grant", "READ") * e[1],
                )
                self.log.append(("grant", b.id, c, t))
                if b.left == 0:
                    self._ready(t, b, thread, True)
            if not e[1]:
                break


class SimSource:
    """A simulation as a source: what the C module offers. `parts` are given out one read after another."""

    def __init__(self, sim: Sim, parts: list[tuple[Records, dict[int, int]]] | None = None) -> None:
        self.sim = sim
        self.parts = [(sim.records(), {})] if parts is None else parts
        self.opened = self.closed = 0
        self.before: dict[int, int] = {}

    def trace_open(self) -> SimStream:
        self.opened += 1
        return SimStream(self)

    def trace_names(self, first: int = 0, /) -> list[str]:
        return self.sim.names[first:]

    def cown_names(self) -> bytes:
        rows = [(self.sim.cown[name], self.sim.intern(name)) for name in self.sim.cown]
        return np.array(rows, np.uint64).tobytes()

    def now_ns(self) -> int:
        return self.sim.now

    def board_history(self) -> list[tuple[str, int, int, int, str | None, str]]:
        return [(*v, "") for v in self.sim.values]


class SimStream:
    def __init__(self, source: SimSource) -> None:
        self.source, self.at = source, 0

    def read(self, max_records: int = 1 << 20, /) -> tuple[bytes, dict[int, int]]:
        if self.at >= len(self.source.parts):
            return b"", {}
        records, lost = self.source.parts[self.at]
        head, rest = records[:max_records], records[max_records:]
        if len(rest):
            self.source.parts[self.at] = (rest, {})
        else:
            self.at += 1
        return head.tobytes(), lost

    def before(self) -> dict[int, int]:
        return self.source.before if self.at else {}

    def close(self) -> None:
        self.source.closed += 1


def cooking(**options: Any) -> Sim:
    """An omelette: a grater that breaks, readers, a pinned plate, a cancelled garnish."""

    def job(at: float, name: str, write: str, ms: float, read: str = "", **k: Any) -> Job:
        return Job(name, tuple(write.split()), tuple(read.split()), at * MS, ms * MS, 1.3 * MS, 0.9 * MS, **k)

    suffix = options.pop("suffix", "")
    jobs = [
        job(
            0.4,
            "dice_onion",
            "knife board onion",
            34,
            notes=((0.05, "status", "'prepping'"), (0.9, "done", "1")),
        ),
        job(0.7, "chop_pepper", "knife board pepper", 26, notes=((0.95, "done", "3"),)),
        job(1.0, "beat_eggs", "whisk bowl eggs", 22, notes=((0.95, "done", "2"),)),
        job(
            1.2,
            "grate_cheese",
            "grater cheese",
            19,
            raises="ValueError",
            notes=((0.97, "status", "'grater bent'"),),
        ),
        job(1.4, "mend_grater", "grater cheese", 15, notes=((0.9, "done", "4"),)),
        job(
            1.6,
            "heat_pan",
            "pan",
            24,
            notes=((0.2, "pan °C", "60"), (0.6, "pan °C", "120"), (0.95, "pan °C", "180")),
        ),
        job(
            1.9,
            "cook_omelette",
            "onion pepper eggs cheese pan",
            30,
            notes=((0.02, "status", "'cooking'"), (0.5, "pan °C", "165"), (0.97, "status", "'done'")),
        ),
        job(2.2, "taste", "", 13, "pan"),
        job(2.4, "photograph", "", 17, "pan"),
        job(2.6, "show_plate", "display", 9, "pan", pinned=True),
        job(2.8, "garnish", "onion board", 8, cancel_after=60 * MS),
        job(3.0, "wash_up", "knife board bowl whisk", 16, notes=((0.9, "done", "5"),)),
        job(3.2, "wash_pan", "pan", 12),
    ]
    for j in jobs:
        j.name = (j.name + suffix)[:80]
    return Sim(jobs, **{"wake": 300 * US, "pump": MS, **options})


def kitchen(
    n: int,
    workers: int = 2,
    cowns: int = 12,
    mean: float = 900 * US,
    load: float = 1.15,
    seed: int = 7,
    hot: float = 0.22,
    names: int = 8,
    **options: Any,
) -> Sim:
    """n behaviors over some cowns, the first of them hot; some readers, raises, pinned and notes."""
    g = random.Random(seed)
    base = [
        "knife",
        "board",
        "pan",
        "bowl",
        "onion",
        "pepper",
        "eggs",
        "cheese",
        "whisk",
        "grater",
        "oven",
        "plate",
    ]
    box = [base[i] if i < len(base) else f"jar[{i - len(base)}]" for i in range(cowns)]
    kinds = [
        "dice_onion",
        "chop_pepper",
        "beat_eggs",
        "grate_cheese",
        "cook_omelette",
        "wash_up",
        "taste",
        "plate",
    ]
    kinds = (kinds + [f"step_{i:02d}" for i in range(names)])[:names]
    gap, t, jobs = mean / (workers * load), 0.0, []
    for i in range(n):
        k, x = g.randrange(len(kinds)), g.random()
        want = {box[0]} if g.random() < hot else set()
        want.add(g.choice(box[1:]) if cowns > 1 else box[0])
        if g.random() < 0.35 and cowns > 1:
            want.add(g.choice(box[1:]))
        body = mean * (0.35 + 0.9 * (k % 5) / 4 + g.expovariate(1 / 0.35))
        reads = kinds[k] == "taste"
        jobs.append(
            Job(
                kinds[k],
                () if reads else tuple(sorted(want)),
                tuple(sorted(want)) if reads else (),
                t,
                body,
                mean * 0.05,
                mean * 0.03,
                "ValueError" if x > 0.997 else "",
                kinds[k] == "plate" and x < 0.12,
                None,
                ((0.9, "orders", str(i)),) if x < 0.02 else (),
            )
        )
        t += g.expovariate(1 / gap) if (i // max(1, n // 7)) % 3 != 2 else g.expovariate(1 / (gap * 1.9))
    return Sim(jobs, workers, **{"wake": mean * 0.02, "pump": mean * 0.3, **options})
