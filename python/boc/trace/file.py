"""The .boctrace file: a header, then self-contained chunks, each with its length and checksum.

A program that dies while it writes leaves a file that reads up to its last whole chunk.
Little endian:

    8 bytes   b"BOCTRACE"
    chunks    tag (4 bytes), payload length (u32), crc32 of the payload (u32), payload

    HEAD      JSON: format, record (size), clock, wall (ns of the wall clock at 0), kinds (in order), begin (where a
              picture of it begins, ns; absent: at its first record)
    NAME      JSON: first, names: the name table from index `first`
    RECS      records, 32 bytes each
    LOST      JSON: rows of thread, begin, end, count
    BORD      JSON: rows of key, version, writer, time, text
    TALY      JSON: rows of time, first, counters (base64), see tally.py; the last such chunk counts
    DONE      JSON: now: when the recording was stopped

Kinds are known by name, so a file of another version reads where its kinds still exist.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from . import tally
from .events import EVENTS, KIND
from .records import RECORD, BoardValue, Gap, Records, empty
from .tally import Mark

MAGIC = b"BOCTRACE"
FORMAT = 1
_CHUNK = struct.Struct("<4sII")
_LARGEST = 1 << 28


class TraceFileError(ValueError):
    """The file is no trace, or of a format that this version does not read."""


@dataclass
class Contents:
    """What a file holds. `damage` says why reading stopped early, "" where it did not."""

    records: Records
    names: list[str]
    gaps: list[Gap] = field(default_factory=list)
    board: list[BoardValue] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    now: int | None = None
    head: dict[str, Any] = field(default_factory=dict)
    damage: str = ""

    @property
    def begin(self) -> int:
        """Where a picture of it begins, ns; 0: at its first record."""
        return int(self.head.get("begin", 0))


class Writer:
    """Appends chunks to a file. Each goes to the system whole, so a crash costs at most the last."""

    def __init__(self, path: str | os.PathLike[str], now_ns: int, begin: int = 0) -> None:
        self._file: BinaryIO = Path(path).open("wb")  # noqa: SIM115  (lives as long as the writer)
        self.records = 0
        head = {
            "format": FORMAT,
            "record": RECORD.itemsize,
            "clock": "CLOCK_MONOTONIC ns",
            "wall": time.time_ns() - now_ns,
            "pid": os.getpid(),
            "kinds": [e.name for e in EVENTS],
            "begin": begin,
        }
        try:
            self._file.write(MAGIC)
            self._json(b"HEAD", head)
        except BaseException:
            self.close()
            raise

    def _chunk(self, tag: bytes, payload: bytes | memoryview) -> None:
        self._file.write(_CHUNK.pack(tag, len(payload), zlib.crc32(payload)))
        self._file.write(payload)
        self._file.flush()

    def _json(self, tag: bytes, value: object) -> None:
        self._chunk(tag, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def names(self, first: int, names: list[str]) -> None:
        """Names that the following records use."""
        if names:
            self._json(b"NAME", {"first": first, "names": names})

    def write(self, records: Records, gaps: Iterable[Gap] = ()) -> None:
        """Records and what was lost before them."""
        rows = [list(g) for g in gaps]
        if rows:
            self._json(b"LOST", rows)
        if len(records):
            self._chunk(b"RECS", memoryview(np.ascontiguousarray(records).view(np.uint8)))
            self.records += len(records)

    def naming(self, records: Records) -> None:
        """Names of cowns, as if before all other records wherever they stand: time -1, and not counted."""
        self.write(records)
        self.records -= len(records)

    def board(self, values: Iterable[BoardValue]) -> None:
        """Values of the noticeboard."""
        rows = [list(v) for v in values]
        if rows:
            self._json(b"BORD", rows)

    def marks(self, marks: Iterable[Mark]) -> None:
        """The counters of the workers: those told last count."""
        rows = tally.to_json(marks)
        if rows:
            self._json(b"TALY", rows)

    def close(self, now_ns: int | None = None) -> None:
        """Say when it ended and close. May be called twice."""
        if not self._file.closed:
            try:
                if now_ns is not None:
                    self._json(b"DONE", {"now": now_ns})
            finally:
                with contextlib.suppress(OSError):  # what could not be flushed was told by the write
                    self._file.close()


def _chunks(data: memoryview, contents: Contents) -> Iterator[tuple[bytes, memoryview]]:
    at = len(MAGIC)
    while at < len(data):
        if at + _CHUNK.size > len(data):
            contents.damage = "the last chunk is cut off"
            return
        tag, size, crc = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if size > _LARGEST or at + size > len(data):
            contents.damage = "the last chunk is cut off"
            return
        payload = data[at : at + size]
        if zlib.crc32(payload) != crc:
            contents.damage = f"a chunk at byte {at} is damaged"
            return
        yield tag, payload
        at += size


def read(path: str | os.PathLike[str]) -> Contents:
    """Read a file as far as it is whole.

    Raises TraceFileError where it is no trace or of a newer format, OSError where it cannot be opened.
    """
    data = memoryview(np.fromfile(path, np.uint8))
    if bytes(data[: len(MAGIC)]) != MAGIC:
        raise TraceFileError(f"{os.fspath(path)!r} is no boc trace")
    out = Contents(empty(), [])
    named: list[Records] = []
    parts: list[Records] = []
    kinds: list[str] = []
    for tag, payload in _chunks(data, out):
        if tag == b"RECS":
            part = np.frombuffer(payload, RECORD, len(payload) // RECORD.itemsize)
            (named if len(part) and part["time"][0] < 0 else parts).append(part)
            continue
        if tag not in (b"HEAD", b"NAME", b"LOST", b"BORD", b"TALY", b"DONE"):
            continue
        value = json.loads(bytes(payload).decode("utf-8", "surrogatepass"))
        if tag == b"HEAD":
            if value["format"] > FORMAT or value["record"] != RECORD.itemsize:
                raise TraceFileError(f"{os.fspath(path)!r} has format {value['format']}; this version reads {FORMAT}")
            out.head, kinds = value, value["kinds"]
        elif tag == b"NAME":
            out.names[value["first"] :] = value["names"]
        elif tag == b"LOST":
            out.gaps += [Gap(*row) for row in value]
        elif tag == b"TALY":
            out.marks = tally.from_json(value)
        elif tag == b"BORD":
            known = {(v.key, v.version, v.time) for v in out.board}
            rows = [BoardValue(*row) for row in value]
            out.board += [v for v in rows if (v.key, v.version, v.time) not in known]
        else:
            out.now = value["now"]
    if not out.head and not out.damage:
        out.damage = "the file has no header"
    parts = named + parts
    if parts:
        out.records = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if kinds and kinds != [e.name for e in EVENTS]:
        number = np.array([KIND.get(k, 0) for k in kinds] + [0] * (256 - len(kinds)), np.uint8)
        out.records = out.records.copy()
        out.records["kind"] = number[out.records["kind"]]
    return out
