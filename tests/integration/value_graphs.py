"""Random values for the tests of moving: how to make them, and whether two are alike, shared parts and cycles included.

Imported by workers too, so it imports little.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import uuid

from boc import Cown, Matrix

LARGE = 70_000  # bytes: above this boc lets a buffer go by itself


class Colour(enum.Enum):
    RED = 1
    GREEN = "g"


class Flags(enum.IntFlag):
    A = 1
    B = 2


Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass
class Record:
    one: object = None
    two: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    one: object = None
    two: object = None


class Slots:
    __slots__ = ("__dict__", "one", "two")

    def __init__(self, one=None, two=None):
        self.one = one
        self.two = two


class Plain:
    def __init__(self, one=None, two=None):
        self.one = one
        self.two = two


class Items(list):
    pass


class Table(dict):
    pass


def twice(x):
    return 2 * x


LEAVES = (
    None, True, False, 0, -1, 2**63, -(2**200), 0.5, float("inf"), 1 + 2j, "", "text", "é\ud800", "x" * 40, "y" * LARGE,
    b"", b"bytes", b"z" * 40, Ellipsis, NotImplemented, range(3, 30, 4), slice(1, None, 2), Colour.RED, Colour.GREEN,
    Flags.A | Flags.B, decimal.Decimal("1.25"), fractions.Fraction(1, 3), datetime.datetime(2026, 1, 2, 3, 4),
    datetime.timedelta(3, 4), pathlib.PurePosixPath("/a/b"), uuid.UUID(int=7), int, list, Record, twice, len,
    functools.partial(twice, 4), functools.reduce,
)  # fmt: skip
HASHABLE = tuple(x for x in LEAVES if x is not NotImplemented and not isinstance(x, slice | functools.partial))

# name -> (how to make it of two other nodes). Those that can be filled later come first.
OPEN = {
    "list": lambda a, b: [a, b],
    "dict": lambda a, b: {"a": a, 7: b},
    "record": Record,
    "slots": Slots,
    "plain": Plain,
    "items": lambda a, b: Items([a, b]),
    "table": lambda a, b: Table(a=a, b=b),
    "deque": lambda a, b: collections.deque([a, b], 5),
    "ordered": lambda a, b: collections.OrderedDict(a=a, b=b),
    "default": lambda a, b: collections.defaultdict(list, a=a, b=b),
}
CLOSED = {
    "tuple": lambda a, b: (a, b),
    "pair": Pair,
    "frozen": Frozen,
}
BUFFERS = {
    "bytes": lambda n: bytes([n % 251]) * (LARGE + n),
    "bytearray": lambda n: bytearray([n % 251]) * (LARGE + n),
    "small": lambda n: bytearray([n % 251]) * 9,
    "doubles": lambda n: array.array("d", [n]) * LARGE,
    "shorts": lambda n: array.array("H", [n % 9]) * 20,
    "matrix": lambda n: Matrix(2, 2, [float(n), 2.0, 3.0, 4.0]),
    "set": lambda n: set(HASHABLE[: n % 9]),
    "frozenset": lambda n: frozenset(HASHABLE[: n % 9]),
    "cown": lambda n: Cown(n),
    "view": lambda n: memoryview(bytearray([n % 251]) * LARGE)[8:-8].cast("q"),
    "fixed view": lambda n: memoryview(bytes(n % 50))[n % 7 :],
}


def make(steps):
    """A value out of steps (kind, a, b): a and b choose leaves or nodes made before; at the end cycles are tied."""
    nodes, kinds = list(LEAVES), [*OPEN, *CLOSED, *BUFFERS]
    fillable = []
    for kind, a, b in steps:
        name = kinds[kind % len(kinds)]
        if name in BUFFERS:
            nodes.append(BUFFERS[name](a))
            continue
        node = (OPEN.get(name) or CLOSED[name])(nodes[-1 - a % len(nodes)], nodes[b % len(nodes)])
        nodes.append(node)
        if name in OPEN:
            fillable.append((name, node))
    for i, (kind, a, b) in enumerate(steps):
        if fillable and (kind + a + b) % 3 == 0:
            name, node = fillable[a % len(fillable)]
            other = nodes[-1 - i % len(nodes)]
            if name in ("list", "items", "deque"):
                node.append(other)
            elif name in ("record", "slots", "plain"):
                node.one = other
            else:
                node[f"tied {i}"] = other
    return nodes[len(LEAVES) :] or nodes[:3]


PLAIN = (*(x for x in LEAVES if type(x) in (type(None), bool, int, float, str, bytes)), 0.0, -0.0, 2**31, "\U0001f9c5", "\u20ac")


def plain(steps):
    """As make(), of built-in types only: lists, dicts, tuples, sets and frozensets of numbers, str and bytes."""
    nodes, open_ones = list(PLAIN), []
    hashable = list(PLAIN)
    for kind, a, b in steps:
        one, two, name = nodes[-1 - a % len(nodes)], nodes[b % len(nodes)], kind % 6
        if name == 0:
            node = [one, two][: a % 3]
        elif name == 1:
            node = {hashable[-1 - a % len(hashable)]: one, hashable[b % len(hashable)]: two, "ab" * a: two}
        elif name == 2:
            node = (one, two, one)[: 1 + a % 3]
        else:
            node = (set, frozenset, tuple)[name - 3](hashable[-1 - i % len(hashable)] for i in range(a, a + b % 20))
            if name > 3:
                hashable.append(node)
        nodes.append(node)
        if name < 2:
            open_ones.append(node)
        if open_ones and (kind + a + b) % 3 == 0:
            other = open_ones[a % len(open_ones)]
            if type(other) is list:
                other.append(node)
            else:
                other["tied"] = node
    return nodes[len(PLAIN) :]


def leaves_of(value, seen=None):
    """Its str and bytes, each as often as it occurs, in the order of a walk; sets by their sorted representation."""
    seen = {} if seen is None else seen
    if type(value) in (str, bytes):
        return [value]
    if type(value) not in (list, tuple, dict) or id(value) in seen:
        return []
    seen[id(value)] = value
    members = [x for pair in value.items() for x in pair] if type(value) is dict else value
    return [leaf for x in members for leaf in leaves_of(x, seen)]


def alike(a, b):
    """Whether two values have the same types, contents and shape: what is one object in one is one in the other."""
    return _alike(a, b, {}, {})


_ATOMS = (type(None), bool, int, float, complex, str, bytes, type, type(Ellipsis), type(NotImplemented), range, enum.Enum,
          decimal.Decimal, fractions.Fraction, datetime.datetime, datetime.timedelta, pathlib.PurePath, uuid.UUID,
          type(len))  # fmt: skip


def _alike(a, b, there, back):
    if type(a) is not type(b):
        return False
    if isinstance(a, _ATOMS) or type(a) is type(twice):
        return a is b if isinstance(a, enum.Enum | type) or callable(a) else a == b
    if id(a) in there or id(b) in back:
        return there.get(id(a)) == id(b) and back.get(id(b)) == id(a)
    there[id(a)], back[id(b)] = id(b), id(a)

    def every(xs, ys):
        xs, ys = list(xs), list(ys)
        return len(xs) == len(ys) and all(_alike(x, y, there, back) for x, y in zip(xs, ys, strict=True))

    if isinstance(a, dict):
        extra = getattr(a, "default_factory", None) is getattr(b, "default_factory", None)
        return extra and every(a, b) and every(a.values(), b.values())
    if isinstance(a, list | tuple | collections.deque):
        return every(a, b) and getattr(a, "maxlen", 0) == getattr(b, "maxlen", 0)
    if isinstance(a, slice):
        return a == b
    if isinstance(a, set | frozenset | bytearray | array.array | Cown):
        return a == b
    if isinstance(a, memoryview):
        return (a.format, a.shape, a.readonly, a.tobytes()) == (b.format, b.shape, b.readonly, b.tobytes())
    if isinstance(a, Matrix):
        return memoryview(a).tolist() == memoryview(b).tolist()
    if isinstance(a, functools.partial):
        return a.func is b.func and every(a.args, b.args)
    return _alike(a.one, b.one, there, back) and _alike(a.two, b.two, there, back)
