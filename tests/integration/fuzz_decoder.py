"""Corrupt bytes for the decoder: an error, never a crash.

`feed()` is what the tests use. As a program, `python fuzz_decoder.py SECONDS [SEED]`, it goes on from seed to seed and says
which one it is at: `make sanitize` runs it with the extension under ASan and UBSan, whose reports end the process.
"""

from __future__ import annotations

import array
import os
import pickle
import random
import re
import resource
import sys
import time
from contextlib import contextmanager, nullcontext

import boc
from boc import Cown, Matrix, _core

# Opcodes that matter most: next buffer, its read-only sign, REDUCE, MEMOIZE, GLOBAL by the stack, NEWOBJ, BUILD, frames.
OPCODES = (0x97, 0x98, ord("R"), 0x94, 0x93, 0x81, ord("b"), 0x95)
# Those of plain values from REF to FROZENSET, some with the bit of what comes again; sizes and places that make no sense.
PLAIN_OPCODES = (*range(7, 17), *range(0x87, 0x91), 0, 1, 254, 255)
# What would not be the decoder's fault: the end of the process, and a number of a billion digits.
HARMFUL = (b"os\x8c", b"exit", b"\x8a", b"system")
# A bytearray that is said to be larger than memory: CPython frees what it has not yet filled in, and says so on stderr.
HUGE = re.compile(rb"\x96.{3}(?!\0{5})", re.DOTALL)
PLAIN = b"\x01"
NONSENSE = (b"", PLAIN, PLAIN + b"\x0c\x01\x07\1\0\0\0", PLAIN + b"\x8c\x01\x07\2\0\0\0", PLAIN + b"\x8d\xff\xff\xff\xff\xff",
            PLAIN + b"\x8c\x01\x0e\x01\x07\1\0\0\0\0", PLAIN + b"\x90\x01\x07\1\0\0\0", PLAIN + b"\x0a\x01\0\0\x11\0",
            PLAIN + b"\x09\x01a\0", PLAIN + b"\x0e\x01\x0d\0\0", PLAIN + b"\x0d\x01" * 200 + b"\0", PLAIN + b"\0\0", PLAIN + b"\x80", b"\x80\x05\x97.", b"\x80\x05cboc._core\n_part\nK\x00\x85R.", b"\x80\x05cboc._core\n_cown\nK\x07R.",
            b"\x80\x05cboc._core\n_part\nJ\xff\xff\xff\xff\x85R.")


class Plate:
    """Goes by its definition."""

    def __init__(self):
        self.items = [1, {"a": (2.5, "x")}]


def samples():
    """Encoded values of each kind: a list of `(load, bytes, rest)`, where `load(bytes)` or `load((bytes, *rest))` decodes."""
    c = Cown(1)
    ring, pair, text = [], (1, "\U0001f9c5"), "xyz" * 9
    ring.append(ring)
    knot = ([pair, text], pair)
    knot[0].append(knot)
    values = [[1, {"a": (2.5, "x")}], Plate, Plate(), [c, Cown(2)], {"k": [1, 2, {3}]}, sys.version_info[:2], ring,
              Matrix(2, 2, [1.0, 2.0, 3.0, 4.0]), array.array("d", range(20)), [memoryview(bytearray(b"abcdef"))[1:4]] * 2,
              knot,
              [{frozenset({pair, 2.5}): {"é", text}, "again": [pair, frozenset({pair}), text, -70_000, 2**40, True, None]}] * 3,
              {(i, "k" * i): [b"z" * i, "é" * i, "\u20ac" * i] for i in range(40)},
              lambda x, y=(1, 2): x, boc.TransferError("no", path=".x"), range, bytes(70_000)]
    found = []
    for value in values:
        data = _core._dumps(value)
        found.append((_core._loads, data, ()) if isinstance(data, bytes) else (_core._loads, data[0], data[1:]))
    found += [(pickle.loads, pickle.dumps(o, p), ()) for o in (c, Matrix(3, 4)) for p in (2, 5)]
    return found


def broken(rng, data):
    """Some bytes of it changed, and at times its end lost, a piece of it doubled, or a piece cut out."""
    opcodes = PLAIN_OPCODES if data.startswith(PLAIN) else OPCODES
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(min(len(data), 400))] = rng.choice((rng.randrange(256), *opcodes))
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)):]
    elif rng.random() < 0.2:
        a, b = sorted(rng.randrange(len(data) + 1) for _ in "ab")
        data[a:b] = data[a:b] * rng.choice((0, 2))
    return bytes(data)


@contextmanager
def little_memory(more=1 << 28):
    """What the process may have beyond what it has: corrupt bytes can ask for a memo of 30 GB, and CPython fills it in."""
    with open("/proc/self/statm") as f:
        used = int(f.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def feed(seed, count, good):
    """Decodes so many corrupt inputs; returns how many were refused. Anything but an Exception gets through."""
    rng, refused = random.Random(seed), 0
    for _ in range(count):
        load, body, rest = rng.choice(good)
        data = broken(rng, body)
        if HUGE.search(data) or any(word in data for word in HARMFUL):
            continue
        try:
            load(data if not rest else (data, *rest))
        except Exception as e:
            assert str(e) is not None
            refused += 1
    return refused


def main(seconds, seed=1):
    """Under ASan, whose own memory has no bounds, `max_allocation_size_mb` takes the place of the limit."""
    with nullcontext() if "asan" in os.environ.get("LD_PRELOAD", "") else little_memory():
        run(seconds, seed)


def run(seconds, seed):
    good, end, refused, inputs = samples(), time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        if seed % 100 == 1:
            print(f"seed {seed}: {inputs} corrupt inputs so far, {refused} refused", flush=True)
        refused += feed(seed, 500, good)
        inputs += 500
        seed += 1
    print(f"{inputs} corrupt inputs, {refused} refused, no crash")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
