"""Watch another process: its records over a ZeroMQ publisher, as the chunks of a trace file, never pickles.

By default the address is a socket in a directory of mode 0700, so only this user gets in. Over TCP both sides show
CURVE keys (libzmq's own); whoever has no key, or a wrong one, gets nothing.

A message is topic, sequence number (u64), tag and payload. The topic is "live", or "past" and a reader's own token:
a reader that subscribes to its token gets what the rings still hold, then follows what is live from there on.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import struct
import tempfile
import threading
import time
from importlib import import_module
from typing import Any

from .events import KIND
from .records import Cursor, Gap, Records, Source
from .tally import marks_of, to_json

_PAST, _LIVE = b"past", b"live"
_RECORDS = 1 << 15
_BUSY_MS, _IDLE_MS = 10, 50
_COUNTERS_S = 0.5
_HEARTBEAT = 20
"""Empty looks between two messages that only say what time it is."""


def zmq() -> Any:
    """The module zmq. ImportError, with the way to get it."""
    try:
        return import_module("zmq")
    except ImportError as error:
        raise ImportError("watching another process needs pyzmq: pip install 'boc[jupyter]'") from error


def keys() -> tuple[bytes, bytes]:
    """A new pair of CURVE keys for one side: public, secret (40 characters each)."""
    public, secret = zmq().curve_keypair()
    return public, secret


class Server:
    """A publisher that runs on a thread of its own. `address` is where to attach; `public` the key over TCP."""

    def __init__(
        self, where: str | None, key: tuple[bytes, bytes] | None, clients: list[bytes] | None, source: Source | None
    ) -> None:
        z = zmq()
        self._directory = ""
        if where is None:
            self._directory = tempfile.mkdtemp(prefix=f"boc-{os.getpid()}-")  # made with mode 0700
            where = f"ipc://{self._directory}/trace"
        if not where.startswith("ipc://") and not where.startswith("tcp://"):
            raise ValueError(f"an address begins with ipc:// or tcp://, not {where!r}")
        if where.startswith("tcp://") and (key is None or not clients):
            raise ValueError("over tcp:// the server shows its key and names the clients' public keys: key=, clients=")
        self.public = key[0] if key else b""
        self._context = z.Context()
        self._guard: Any = None
        self._socket = self._context.socket(z.XPUB)
        self._socket.linger = 0
        self._socket.sndhwm = 4096
        try:
            if key is not None:
                self._authenticate(key, clients or [])
            self._socket.bind(where)
        except BaseException:
            self._release()
            raise
        self.address: str = self._socket.last_endpoint.decode()
        self._cursor = Cursor(source)
        self._sequence = self._told = 0  # messages, and names, that all have heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="boc-trace-server", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def _authenticate(self, key: tuple[bytes, bytes], clients: list[bytes]) -> None:
        auth: Any = import_module("zmq.auth.thread")
        self._guard = auth.ThreadAuthenticator(self._context)
        self._guard.start()
        allowed = set(clients)

        class Allow:
            """Only the clients that were named."""

            def callback(self, domain: str, public: bytes) -> bool:
                return zmq().utils.z85.encode(public) in allowed if len(public) == 32 else public in allowed

        self._guard.configure_curve_callback(domain="*", credentials_provider=Allow())
        self._socket.curve_server = True
        self._socket.curve_publickey, self._socket.curve_secretkey = key

    def _run(self) -> None:
        z = zmq()
        wait, idle, due = 0, 0, 0.0
        while not self._stop.is_set():
            if self._socket.poll(wait, z.POLLIN):
                asked = self._socket.recv()
                if asked[:1] == b"\x01" and asked[1:].startswith(_PAST):
                    self._past(asked[1:])
            got = self._follow()
            idle = 0 if got else idle + 1
            if idle and idle % _HEARTBEAT == 0:
                self._send(_LIVE, b"TIME", self._time())
            if time.monotonic() >= due and (got or idle == _HEARTBEAT):
                self._counters(_LIVE)
                due = time.monotonic() + _COUNTERS_S
            wait = _BUSY_MS if got else _IDLE_MS

    def _time(self) -> bytes:
        return json.dumps({"now": self._cursor.source.now_ns()}).encode()

    def _send(self, topic: bytes, tag: bytes, payload: Any) -> None:
        self._socket.send_multipart([topic, struct.pack("<Q", self._sequence), tag, payload], copy=True)

    def _follow(self) -> bool:
        """Publish what is new to all."""
        batch = self._cursor.read(_RECORDS)
        if not len(batch.records) and not batch.gaps:
            return False
        self._sequence += 1
        began = (batch.records["kind"] == KIND["worker_up"]).any()  # cowns from before have no record
        naming = self._cursor.naming() if began else batch.records[:0]
        self._names(_LIVE, self._cursor.names, self._told)
        self._told = len(self._cursor.names)
        self._batch(_LIVE, naming, [])
        self._batch(_LIVE, batch.records, batch.gaps)
        self._send(_LIVE, b"TIME", self._time())
        return True

    def _past(self, topic: bytes) -> None:
        """Tell one reader what is still there; it follows from the sequence number that this carries."""
        while self._follow():
            pass
        with Cursor(self._cursor.source) as cursor:
            batch = cursor.drain()
            self._names(topic, cursor.names, 0)
            self._batch(topic, cursor.naming(), [])
            board = json.dumps([list(v) for v in cursor.board()])
            self._send(topic, b"BORD", board.encode("utf-8", "surrogatepass"))
            for at in range(0, len(batch.records), _RECORDS):
                self._batch(topic, batch.records[at : at + _RECORDS], [])
            self._batch(topic, batch.records[:0], batch.gaps)
        self._counters(topic)
        self._send(topic, b"DONE", self._time())

    def _counters(self, topic: bytes) -> None:
        self._send(topic, b"TALY", json.dumps(to_json(marks_of(self._cursor.source))).encode())

    def _names(self, topic: bytes, names: list[str], first: int) -> None:
        if len(names) > first:
            text = json.dumps({"first": first, "names": names[first:]})
            self._send(topic, b"NAME", text.encode("utf-8", "surrogatepass"))

    def _batch(self, topic: bytes, records: Records, gaps: list[Gap]) -> None:
        if gaps:
            self._send(topic, b"LOST", json.dumps([list(g) for g in gaps]).encode())
        if len(records):
            self._send(topic, b"RECS", records.tobytes())

    def _release(self) -> None:
        self._socket.close()
        if self._guard is not None:
            self._guard.stop()
        self._context.term()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def stop(self) -> None:
        """Stop serving. May be called twice."""
        if not self._stop.is_set():
            self._stop.set()
            atexit.unregister(self.stop)
            self._thread.join()
            self._cursor.close()
            self._release()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"a trace is served at {self.address}"


def serve(
    where: str | None = None,
    *,
    key: tuple[bytes, bytes] | None = None,
    clients: list[bytes] | None = None,
    source: Source | None = None,
) -> Server:
    """Let other processes watch this one: `boc.trace.attach(server.address)` there.

    where: None for a socket that only this user reaches, or "tcp://host:port" with `key`, a pair from `keys()`, and
    `clients`, the public keys that may watch. ValueError for TCP without keys.
    """
    return Server(where, key, clients, source)


def token() -> bytes:
    """A topic that is one reader's own."""
    return _PAST + secrets.token_hex(8).encode()
