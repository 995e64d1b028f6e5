"""Functions and classes of a notebook, taken apart here and used in real sub-interpreters."""

# ruff: noqa: E501 - cells are written as a user would type them
from __future__ import annotations

import gc
import pickle
import sys
import sysconfig
import weakref

import pytest
from boc import _reach, _store
from boc._scan import imported_names
from definition_worker import Failed, World


@pytest.fixture
def world(monkeypatch, tmp_path):
    world = World(monkeypatch, tmp_path)
    yield world
    world.close()


def test_a_body_uses_helpers_constants_and_imports(world):
    world.cell("import json\nK = 3\ndef helper(x): return x * K")
    world.cell("def body(x): return json.dumps([helper(x), len('ab')])")
    assert world.run("body", 5) == "[15, 2]"


def test_a_constant_is_taken_as_it_is_when_scheduled(world):
    world.cell("K = 1\ndef body(): return K")
    assert world.run("body") == 1
    world.cell("K = 2")
    assert world.run("body") == 2


def test_a_name_not_yet_defined_raises_in_the_body_until_a_later_cell_defines_it(world):
    world.cell("def body(): return later(1)")
    with pytest.raises(Failed, match="NameError: name 'later' is not defined"):
        world.run("body")
    world.cell("def later(x): return x + 1")
    assert world.run("body") == 2
    world.cell("from operator import neg as later")
    assert world.run("body") == -1
    world.cell("del later")
    with pytest.raises(Failed, match="NameError"):
        world.run("body")


def test_closure_cells_defaults_and_keyword_only(world):
    world.cell("""
def outer(n):
    def body(x, *, y=10): return x + n + y
    return body
body = outer(100)
def with_default(x, scale=3): return x * scale
""")
    assert world.run("body", 1) == 111
    assert world.run("with_default", 2) == 6


def test_an_instance_comes_home_as_an_instance_of_the_original_class(world):
    world.cell("""
class Acc:
    total = 0
    def __init__(self, v): self.v = v
    def add(self, x):
        self.v += x
        return self
def body(acc): return acc.add(2)
def make(): return Acc(7)
""")
    acc = world.run("body", world.main.Acc(1))
    assert type(acc) is world.main.Acc and acc.v == 3
    assert type(world.run("make")) is world.main.Acc


def test_super_without_arguments_and_inheritance(world):
    world.cell("""
class Base:
    def __init__(self, v): self.v = v
    def who(self): return ['base']
class Sub(Base):
    def __init__(self, v):
        super().__init__(v + 1)
    def who(self): return ['sub', *super().who(), __class__ is Sub]
def body(): s = Sub(1); return s.v, s.who(), isinstance(s, Base), Sub.__mro__[1] is Base, Sub.__qualname__
""")
    assert world.run("body") == (2, ["sub", "base", True], True, True, "Sub")


def test_class_identity_is_stable_within_a_version_and_new_with_the_next(world):
    world.cell("class A:\n    version = 1\ndef same(a, b): return type(a) is type(b) is A, type(a).version")
    first = world.main.A
    old = first()
    assert world.run("same", old, first()) == (True, 1)
    assert world.run("same", old, first(), worker=1) == (True, 1)
    world.cell("class A:\n    version = 2\ndef kinds(a, b): return type(a) is A, type(b) is A, a.version, b.version")
    assert world.run("kinds", old, world.main.A()) == (False, True, 1, 2)
    assert world.run("kinds", old, world.main.A(), worker=1) == (False, True, 1, 2)


def test_recursion_and_mutual_recursion(world):
    world.cell("""
def fact(n): return 1 if n < 2 else n * fact(n - 1)
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
def body(): return fact(5), even(10), odd(10)
""")
    assert world.run("body") == (120, True, False)


def test_local_recursion_through_closures(world):
    world.cell("""
def outer():
    def even(n): return n == 0 or odd(n - 1)
    def odd(n): return n != 0 and even(n - 1)
    def fact(n): return 1 if n < 2 else n * fact(n - 1)
    class Tree:
        def __init__(self, depth): self.kids = [Tree(depth - 1)] if depth else []
        def size(self): return 1 + sum(k.size() for k in self.kids)
    def body(): return even(4), fact(4), Tree(3).size()
    return body
body = outer()
""")
    assert world.run("body") == (True, 24, 4)


def test_classes_that_refer_to_each_other_through_closures(world):
    world.cell("""
def outer():
    class A:
        def make(self): return B()
        def peer(self): return C
    class B(A):
        up = A
    class C:
        def first(self): return A, helper()
    def helper(): return B
    def body(): return (type(A().make()) is B, B.up is A, B.__mro__[1] is A, A().peer() is C,
                        C().first() == (A, B))
    return body, A, B, C
body, A, B, C = outer()
def outside(a, b, c): return b.__mro__[1] is a and c().first() == (a, b)
""")
    assert world.run("body") == (True,) * 5
    main = world.main
    assert world.run("outside", main.A, main.B, main.C) is True
    assert world.run("outside", main.C().first()[0], main.B, main.C, worker=1) is True


def test_dataclasses(world):
    world.cell("""
from dataclasses import dataclass, field, replace, fields, asdict, KW_ONLY, MISSING
@dataclass(order=True)
class P:
    x: int
    y: int = 2
    tags: list = field(default_factory=list)
@dataclass(frozen=True, slots=True)
class Q:
    a: int
    _: KW_ONLY
    b: str = 'b'
def body(p, q):
    @dataclass
    class R(P):
        z: int = 3
    return (p == P(1), P(1) < P(2), asdict(replace(p, x=9)), fields(P)[0].default is MISSING, replace(q, a=5), repr(q),
            R(1).z, hash(q) == hash(Q(1)))
""")
    main = world.main
    got = world.run("body", main.P(1), main.Q(1))
    assert got[:4] == (True, True, {"x": 9, "y": 2, "tags": []}, True)
    assert got[4] == main.Q(5) and got[5:] == ("Q(a=1, b='b')", 3, True)


def test_enums(world):
    world.cell("""
import enum
class Color(enum.Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1
    def shout(self): return self.name + '!'
class Planet(enum.Enum):
    EARTH = (5.9, 6.3)
    MARS = (0.6, 3.3)
    def __init__(self, mass, radius): self.mass = mass; self.radius = radius
    @property
    def density(self): return self.mass / self.radius
class Level(enum.IntEnum):
    LOW = enum.auto()
    HIGH = enum.auto()
class Perm(enum.Flag):
    R = 4
    W = 2
    X = 1
    RW = R | W
class Name(enum.StrEnum):
    A = enum.auto()
def body(c, planet, perm):
    return (c is Color.RED, Color(1) is Color.CRIMSON is Color['RED'], c.shout(), [m.name for m in Color],
            planet.mass, planet.density == Planet.MARS.density, planet is Planet.MARS, Level.HIGH > Level.LOW, Level(2) + 1,
            perm == Perm.R | Perm.W, Perm.RW in perm, list(Perm), Name.A == 'a', Name('a') is Name.A, isinstance(c, Color),
            ~perm, len(Level), repr(c))
""")
    m = world.main
    got = world.run("body", m.Color.RED, m.Planet.MARS, m.Perm.RW)
    assert got == (True, True, "RED!", ["RED", "GREEN"], 0.6, True, True, True, 3, True, True,
                   [m.Perm.R, m.Perm.W, m.Perm.X], True, True, True, m.Perm.X, 2, "<Color.RED: 1>")  # fmt: skip


def test_named_tuples(world):
    world.cell("""
from typing import NamedTuple
from collections import namedtuple
class P(NamedTuple):
    x: int
    y: int = 2
    def norm(self): return self.x + self.y
Q = namedtuple('Q', 'a b', defaults=[7])
def body(p): return p._replace(x=5), P(3), p.norm(), Q(1), Q._fields, P._field_defaults, type(p) is P
""")
    m = world.main
    got = world.run("body", m.P(1))
    assert got == (m.P(5), m.P(3), 3, m.Q(1), ("a", "b"), {"y": 2}, True)
    assert type(got[0]) is m.P and type(got[3]) is m.Q


def test_protocols_generics_and_abstract_classes(world):
    world.cell("""
from typing import Protocol, Generic, TypeVar, runtime_checkable
import abc
T = TypeVar('T')
@runtime_checkable
class Sized(Protocol):
    def size(self) -> int: ...
class Box(Generic[T]):
    def __init__(self, v: T): self.v = v
    def size(self): return 1
class IntBox(Box[int]): pass
type Number = int | float
class Pair[A, B]:
    def __init__(self, a: A, b: B): self.a, self.b = a, b
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
    @property
    @abc.abstractmethod
    def name(self): ...
class Square(Shape):
    def area(self): return 4
    name = 'square'
class Virtual: pass
Shape.register(Virtual)
def body():
    out = [isinstance(Box(1), Sized), isinstance(3, Sized), Box[int](3).v, IntBox(2).v, Pair[int, str](1, 'a').b,
           Square().area(), issubclass(Virtual, Shape), IntBox.__orig_bases__[0].__args__, Number.__value__ == int | float, len(Pair.__type_params__)]
    try: Shape()
    except TypeError as error: out.append('abstract' in str(error))
    return out
""")
    assert world.run("body") == [True, False, 3, 2, "a", 4, True, (int,), True, 2, True]


def test_slots_class_variables_properties_and_descriptors(world):
    world.cell("""
import functools
class Positive:
    def __set_name__(self, owner, name): self.name = '_' + name
    def __get__(self, obj, kind=None): return self if obj is None else getattr(obj, self.name)
    def __set__(self, obj, value):
        if value < 0: raise ValueError(self.name)
        setattr(obj, self.name, value)
class S:
    __slots__ = ('a', '__hidden', '__weakref__')
    def __init__(self, a): self.a = a; self.__hidden = a + 1
    def get(self): return self.__hidden
class T(S):
    count = 0
    p = Positive()
    def __init__(self, a): super().__init__(a); self.p = a
    @property
    def double(self):
        "twice a"
        return self.a * 2
    @double.setter
    def double(self, v): self.a = v // 2
    @classmethod
    def make(cls, a): return cls(a)
    @staticmethod
    def plain(a): return a + 1
    @functools.cached_property
    def slow(self): return self.a * 100
    @functools.singledispatchmethod
    def show(self, x): return 'other'
    @show.register
    def _(self, x: int): return 'int'
    triple = functools.partialmethod(lambda self, k, x: k * x, 3)
def body(s):
    t = T.make(3)
    t.double = 10
    out = [s.a, s.get(), t.a, t.double, T.double.__doc__, T.plain(1), t.slow, t.show(1), t.show(''), t.triple(2), t.p]
    try: t.p = -1
    except ValueError: out.append('refused')
    try: s.other = 1
    except AttributeError: out.append('slots')
    return out
""")
    assert world.run("body", world.main.S(1)) == [1, 2, 5, 10, "twice a", 2, 500, "int", "other", 6, 3, "refused", "slots"]


def test_metaclasses_and_init_subclass_do_not_run_again(world):
    world.cell("""
class Meta(type):
    made = []
    def __new__(mcls, name, bases, ns, *, tag):
        cls = super().__new__(mcls, name, bases, ns)
        mcls.made.append(name)
        cls.tag = tag
        return cls
    def __init__(cls, name, bases, ns, **kw): super().__init__(name, bases, ns)
    def __call__(cls, *a): obj = super().__call__(*a); obj.called = True; return obj
    def __len__(cls): return 42
class A(metaclass=Meta, tag='x'): pass
class Registry:
    known = []
    def __init_subclass__(cls, *, key): Registry.known.append(key)
class R1(Registry, key='one'): pass
class R2(R1, key='two'): pass
def body():
    class Local(Registry, key='local'): pass
    return A.tag, len(A), A().called, Meta.made, Registry.known, R2.__mro__[1] is R1
""")
    assert world.run("body") == ("x", 42, True, ["A"], ["one", "two", "local"], True)


def test_decorators(world):
    world.cell("""
import functools, contextlib
def traced(f):
    @functools.wraps(f)
    def wrapper(*a, **k): return ['traced', f(*a, **k)]
    return wrapper
def times(n):
    def deco(f):
        @functools.wraps(f)
        def wrapper(*a): return [f(*a)] * n
        return wrapper
    return deco
class Counted:
    def __init__(self, f): functools.update_wrapper(self, f); self.f = f; self.n = 0
    def __call__(self, *a): self.n += 1; return self.f(*a), self.n
@traced
@times(2)
def helper(x): return x + K
@Counted
def counted(x): return x
@functools.lru_cache(maxsize=None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
@contextlib.contextmanager
def managed(x): yield x + 1
@functools.singledispatch
def show(x): return 'other'
@show.register
def _(x: int): return 'int'
@functools.total_ordering
class V:
    def __init__(self, v): self.v = v
    def __eq__(self, o): return self.v == o.v
    def __lt__(self, o): return self.v < o.v
K = 5
def body():
    with managed(1) as m:
        return (helper(1), counted(3), fib(50), m, show(1), show('a'), V(1) <= V(2), helper.__name__, helper.__wrapped__(1),
                fib.cache_parameters()['maxsize'])
@traced
def wrapped_body(x): return x * K
""")
    assert world.run("body") == (["traced", [6, 6]], (3, 1), 12586269025, 2, "int", "other", True, "helper", [6, 6], None)
    assert world.run("wrapped_body", 2) == ["traced", 10]
    world.cell("K = 7")
    assert world.run("wrapped_body", 2) == ["traced", 14]


def test_partials_bound_methods_lambdas_and_callables_as_bodies(world):
    world.cell("""
import functools, operator
K = 2
class Acc:
    def __init__(self, v): self.v = v
    def add(self, x): return self.v + x * K
    def __call__(self, x): return x - self.v
    @classmethod
    def named(cls, x): return cls.__name__, x
def power(base, exponent): return base ** exponent + K
square = functools.partial(power, exponent=2)
""")
    m = world.main
    assert world.run(m.square, 3) == 11
    assert world.run(m.Acc(10).add, 5) == 20
    assert world.run(m.Acc(10), 50) == 40
    assert world.run(m.Acc.named, 50) == ("Acc", 50)
    world.cell("double = lambda x: x * K")
    assert world.run("double", 4) == 8
    assert world.run(m.operator.neg, 4) == -4
    world.cell("K = 3")
    assert world.run(m.Acc(10).add, 5) == 25


def test_definitions_inside_captured_containers(world):
    world.cell("""
K = 2
LIMITS = [1, 2]
class Op:
    def run(self, x): return x * K
handlers = {'double': lambda x: x * K, 'limits': lambda x: LIMITS, 'op': Op, 'obj': Op()}
def body(x): return handlers['double'](x), handlers['limits'](x), handlers['op']().run(x), handlers['obj'].run(x)
""")
    assert world.run("body", 4) == (8, [1, 2], 8, 8)
    world.cell("K = 10; LIMITS.append(3)")
    assert world.run("body", 4) == (40, [1, 2, 3], 40, 40)


def test_a_class_through_a_value_alone_brings_the_globals_of_its_methods(world):
    world.cell("""
import math
K = 2
def helper(x): return x * K + math.floor(0.5)
class Op:
    def run(self, x): return helper(x)
def body(op, x): return op.run(x)
def make(): return Op()
def adder(n): return lambda x: x + n + K
def call(f, x): return f(x)
""")
    op = world.main.Op()
    assert world.run("body", op, 4) == 8
    assert world.run("body", op, 4, worker=1) == 8
    # Made in one worker, used in another that was never told of the class's names.
    made = world.run("make", worker=2)
    assert world.run("body", made, 5, worker=3) == 10
    assert world.run("call", world.main.adder(1), 1, worker=4) == 4


def test_a_rebound_global_reaches_methods_called_through_a_value_alone(world):
    world.cell("K = 2\nclass Op:\n    def run(self): return K\ndef body(op): return op.run()")
    op = world.main.Op()
    assert world.run("body", op) == 2
    world.cell("K = 3\ndef body(op): return op.run()")
    assert world.run("body", op) == 3
    assert world.run("body", op, worker=1) == 3


def test_class_attributes_set_later_are_set_in_the_same_class(world):
    world.cell("""
class A:
    limit = 1
    gone = 1
    def f(self): return 1
def body(a): return A.limit, a.f(), type(a) is A, hasattr(A, 'gone')
""")
    m = world.main
    a = m.A()
    assert world.run("body", a) == (1, 1, True, True)
    world.cell("A.limit = 2\nA.f = lambda self: 2\ndel A.gone")
    assert world.run("body", a) == (2, 2, True, False)
    assert world.run("body", a, worker=1) == (2, 2, True, False)
    world.cell("A.limit = 3; A.gone = 4")
    assert world.run("body", a) == (3, 2, True, True)
    world.cell("del A.gone")
    assert world.run("body", a) == (3, 2, True, False)
    # An object made by a worker carries its class's attributes to one that was told nothing.
    world.cell("def make(): return A()\ndef look(a): return type(a).limit, a.f()")
    assert world.run("look", world.run("make"), worker=2) == (3, 2)


def test_plain_pickle_inside_a_body_finds_the_classes(world):
    world.cell("""
import pickle
class Sub:
    def __init__(self, v): self.v = v
def body(): return pickle.loads(pickle.dumps(Sub(3))).v
def through(s): return pickle.loads(pickle.dumps(s)).v
""")
    assert world.run("body") == 3
    assert world.run("through", world.main.Sub(4), worker=1) == 4
    world.cell("class Sub:\n    def __init__(self, v): self.v = -v")
    assert world.run("through", world.main.Sub(4), worker=1) == -4


def test_a_cell_run_with_exec_has_a_namespace_of_its_own(world):
    space = world.cell("K = 5\nclass E:\n    def f(self): return K\ndef helper(): return E().f()\ndef body(): return helper(), K", {})
    world.cell("K = 1\ndef body(): return K")
    assert world.run(space["body"]) == (5, 5)
    assert world.run("body") == 1
    space["K"] = 6
    assert world.run(space["body"]) == (6, 6)


def test_a_class_made_in_a_worker_comes_home_and_goes_out_again(world):
    world.cell("""
K = 3
def make():
    class Local:
        def __init__(self, v): self.v = v
        def f(self): return self.v * K
    return Local(4)
def use(obj): return obj.f(), type(obj).__qualname__
""")
    got = world.run("make")
    assert type(got).__name__ == "Local" and got.f() == 12
    assert world.run("use", got) == (12, "make.<locals>.Local")
    assert world.run("use", got, worker=1) == (12, "make.<locals>.Local")
    assert "Local" not in world.main.__dict__


def test_submodules_that_a_body_addresses_are_imported(world):
    world.cell("import xml.dom.minidom, concurrent.futures\ndef body(): return xml.dom.minidom.__name__")
    assert world.run("body") == "xml.dom.minidom"


def test_annotations_travel_but_bring_no_library(world):
    world.cell("""
import fractions
from dataclasses import dataclass
from typing import Optional, get_type_hints
class A: pass
def helper(x: int, y: 'A', z: Optional[A], w: fractions.Fraction, v: list[fractions.Fraction]) -> list[int]: pass
@dataclass
class D:
    a: int
    f: fractions.Fraction = None
    def m(self, other: A, also: fractions.Fraction) -> 'D': pass
def body():
    import sys
    D(1)
    return helper.__annotations__, D.__annotations__, D.m.__annotations__['other'] is A, 'fractions' in sys.modules
""")
    A = world.main.A
    late = "fractions.Fraction"
    assert world.run("body") == (
        {"x": int, "y": "A", "z": A | None, "w": late, "v": f"list[{late}]", "return": list[int]},
        {"a": int, "f": late},
        True,
        False,
    )


def test_shared_cells_stay_shared_and_function_attributes_travel(world):
    world.cell("""
def counter():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    def get(): return n
    up.note = 'x'
    return up, get
def body(pair):
    up, get = pair
    up()
    return get(), up.note, up.__doc__, up.__qualname__
""")
    assert world.run("body", world.main.counter()) == (1, "x", None, "counter.<locals>.up")


def test_classes_of_c_libraries_and_of_typing(world):
    world.cell("""
import sys
from typing import TypedDict, NotRequired
class Row(TypedDict):
    x: int
    y: NotRequired[str]
def body(): return Row(x=1), Row.__total__, Row.__optional_keys__
""")
    assert world.run("body") == ({"x": 1}, True, frozenset("y"))
    if sys.version_info < (3, 13):  # ctypes does not load in sub-interpreters
        return
    world.cell("""
import ctypes
class S(ctypes.Structure):
    _fields_ = [('a', ctypes.c_int)]
    def two(self): return self.a * 2
def body(): return S(4).a, S(4).two()
""")
    assert world.run("body") == (4, 8)


def test_a_definition_does_not_keep_its_class_alive(world):
    world.cell("""
class Old:
    K = 1
    def __init__(self): super().__init__()
    @property
    def p(self): return Old
    @classmethod
    def c(cls): return super()
def body(): return Old().K
""")
    assert world.run("body") == 1
    world.main.Old.K = 2
    assert world.run("body") == 2
    gone = weakref.ref(world.main.Old)
    world.cell("class Old:\n    K = 3")
    gc.collect()
    if not (sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < (3, 14)):  # there no class ever dies
        assert gone() is None
    assert world.run("body") == 3


def test_a_large_captured_table_is_not_walked_whole(world):
    world.cell("""
class Never:
    @property
    def __dict__(self): raise AssertionError('asked')
class Proxy:
    @property
    def __class__(self): raise RuntimeError('outside of a context')
    def __reduce__(self): return Proxy, ()
table = [[float(j) for j in range(100)] for i in range(10_000)]
proxy = Proxy()
def body(): return len(table), type(proxy) is Proxy
""")
    assert world.run("body") == (10_000, True)
    reach = _reach.Reach()
    reach.values([world.main.table])
    assert len(reach._kept) < 5000


def test_the_modules_of_import_statements():
    def late(one, two):
        import kitchen
        from pantry.shelf import jar, lid

        def later():
            import cellar.door as door
            return door
        return kitchen.put(jar, lid, one, two), later
    assert imported_names(late.__code__) == {"kitchen", "pantry.shelf", "cellar.door"}


def test_names_taken_again_are_the_record_of_before_unless_they_were_others_in_between():
    """A receiver binds a record once; values that come back after others have to come as a new one."""
    from boc import _taken

    def record(**values: int) -> bytes:
        pickled = {("space", name): pickle.dumps(value) for name, value in values.items()}
        return _taken.record(pickled, pickle.dumps({"space": values}))

    one, apart = record(x=1, y=1), record(z=1)
    assert record(z=1) == apart != one == record(x=1, y=1)
    two = record(x=2, z=1)  # other names beside it stay known, x does not
    assert record(z=1) == apart
    back = record(x=1, y=1)
    assert len({one, two, back}) == 3
    assert record(x=1, y=1) == back
    assert record(x=2, z=1) != two
    assert _taken.taken(_store.fetch(one)[1:])[0] < _taken.taken(_store.fetch(back)[1:])[0]
