"""The reader's side of `serve`: another process as a source, so that everything works on it."""

from __future__ import annotations

import atexit
import json
import struct
import threading
import time
from collections import deque

import numpy as np

from . import slots
from .live import KEEP
from .model import Trace
from .records import BEFORE, RECORD, BoardValue, Gap, Records, empty
from .serve import _LIVE, token, zmq
from .tally import Mark, from_json


class Remote:
    """Another process, watched over its address. `trace()` gives a snapshot, and charts take it as it is.

    Memory is bounded: beyond `keep` records the oldest are forgotten, and the picture says how far back it reaches.
    """

    def __init__(
        self, where: str, server: bytes | None, key: tuple[bytes, bytes] | None, timeout: float, keep: int
    ) -> None:
        z = zmq()
        if where.startswith("tcp://") and (server is None or key is None):
            raise ValueError("over tcp:// the reader shows its keys and knows the server's: server=, key=")
        self.address, self._keep = where, keep
        self._context = z.Context()
        self._socket = self._context.socket(z.SUB)
        self._socket.linger = 0
        if server is not None and key is not None:
            self._socket.curve_serverkey = server
            self._socket.curve_publickey, self._socket.curve_secretkey = key
        self._lock = threading.Lock()
        self._parts: deque[Records] = deque()
        self._early: list[tuple[int, bytes, bytes]] | None = []
        self._size, self._begin = 0, -1
        self._gaps: list[Gap] = []
        self._names: list[str] = []
        self._naming = empty()
        self._marks: list[Mark] = []
        self._board: list[BoardValue] = []
        self._now, self._heard = 0, time.monotonic_ns()
        self._colours: dict[str, int] = {}
        self._whole = threading.Event()
        self._stop = threading.Event()
        self._topic = token()
        try:
            self._socket.connect(where)
        except z.ZMQError as error:
            self._socket.close()
            self._context.term()
            raise ValueError(f"{where!r} is no address to attach to ({error.strerror.split(' (')[0]})") from None
        self._socket.subscribe(_LIVE)
        self._socket.subscribe(self._topic)
        self._thread = threading.Thread(target=self._run, name="boc-trace-reader", daemon=True)
        self._thread.start()
        atexit.register(self.close)
        if not self._whole.wait(timeout):
            self.close()
            raise TimeoutError(f"nothing answered at {where}: nobody serves there, or a key is wrong")

    def _run(self) -> None:
        z = zmq()
        try:
            while not self._stop.is_set():
                if self._socket.poll(50, z.POLLIN):
                    topic, number, tag, payload = self._socket.recv_multipart()
                    with self._lock:
                        self._take(topic, struct.unpack("<Q", number)[0], tag, payload)
        finally:
            self._socket.close()
            self._context.term()

    def _take(self, topic: bytes, number: int, tag: bytes, payload: bytes) -> None:
        """What is live waits until the past is whole; then only what came after it counts."""
        if topic == self._topic:
            self._apply(tag, payload)
            if tag == b"DONE" and self._early is not None:
                early, self._early, self._begin = self._early, None, number
                for n, t, p in early:
                    if n > number:
                        self._apply(t, p)
                self._whole.set()
        elif self._early is not None:
            self._early.append((number, tag, payload))
        elif number > self._begin or tag == b"TIME":
            self._apply(tag, payload)

    def _apply(self, tag: bytes, payload: bytes) -> None:
        if tag == b"RECS":
            records = np.frombuffer(payload, RECORD, len(payload) // RECORD.itemsize)
            if len(records) and records["time"][0] < 0:
                self._naming = np.unique(np.concatenate([self._naming, records]))
                return
            self._parts.append(records)
            self._size += len(records)
            while self._size > self._keep and len(self._parts) > 1:
                self._forget(self._parts.popleft())
            return
        value = json.loads(payload.decode("utf-8", "surrogatepass"))
        if tag == b"NAME":
            self._names[value["first"] :] = value["names"]
        elif tag == b"LOST":
            self._gaps += [Gap(*row) for row in value]
        elif tag == b"BORD":
            self._board = [BoardValue(*row) for row in value]
        elif tag == b"TALY":
            self._marks = from_json(value)
        elif tag in (b"TIME", b"DONE"):
            self._now, self._heard = value["now"], time.monotonic_ns()

    def _forget(self, part: Records) -> None:
        self._size -= len(part)
        for thread in np.unique(part["thread"]).tolist():
            mine = part[part["thread"] == thread]
            self._gaps.append(Gap(thread, BEFORE, int(mine["time"][-1]) + 1, len(mine)))

    def trace(self, last: float | None = None) -> Trace:
        """A snapshot of what was heard; of the last seconds only, if asked for."""
        with self._lock:
            records = np.concatenate(self._parts) if self._parts else empty()
            out = Trace.from_records(
                records, self._names, self._gaps, self._board, self._now, self._naming, self._marks
            )
        out.kept = self._colours = slots.assign([out.text(n) for n in out.slots], self._colours)
        return out if last is None else out.last(last)

    @property
    def silent(self) -> float:
        """Seconds since the other process was last heard; it says what time it is at least once a second."""
        return (time.monotonic_ns() - self._heard) / 1e9

    def close(self) -> None:
        """Stop watching. May be called twice."""
        self._stop.set()
        atexit.unregister(self.close)
        self._thread.join()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"watching {self.address}"


def attach(
    where: str,
    *,
    server: bytes | None = None,
    key: tuple[bytes, bytes] | None = None,
    timeout: float = 5.0,
    keep: int = KEEP,
) -> Remote:
    """Watch another process that called `boc.trace.serve()`, by its address.

    Over TCP `server` is its public key and `key` one's own pair. Raises TimeoutError where nothing answers in
    `timeout` seconds (nobody serves there, or a key is wrong), ValueError for TCP without keys.
    """
    return Remote(where, server, key, timeout, keep)
