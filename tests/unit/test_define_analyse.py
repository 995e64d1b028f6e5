"""Looking at a body: what is refused, what it reaches, what it is warned of."""

# ruff: noqa: E501 - cells are written as a user would type them
from __future__ import annotations

import functools
import sys
import types

import pytest
from boc import _analyse, _define, _store
from definition_worker import Failed, World


class Handle:
    """Stands for a cown: a value of its own, no plain attribute."""

    value = None


@pytest.fixture
def world(monkeypatch, tmp_path):
    monkeypatch.setattr(_store, "cown_types", (Handle,))
    world = World(monkeypatch, tmp_path)
    world.main.Handle = Handle
    yield world
    world.close()


def entries(func, *values):
    """(kind, key, namespace), where a namespace of a module's definitions is called by the module."""
    found = []
    for kind, container, key, space in _define.analyse(func, values)[1]:
        found.append((kind, key, f"of {container['__name__']}" if space.startswith("ns:") else space))
    return sorted(found)


def hints(world, source, name="body"):
    world.cell(source)
    return [(hint[0].rpartition(":")[2], hint[1]) for hint in _define.analyse(getattr(world.main, name))[2]]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def body():\n    global total\n    total = 1", "total"),
        ("def body():\n    global total\n    total += 1", "total"),
        ("def body():\n    global total\n    del total", "total"),
        ("def body():\n    global total\n    import os as total", "total"),
        ("def body():\n    def inner():\n        global total\n        total = 1", "total"),
        ("def body():\n    class C:\n        global total\n        total = 1", "total"),
        ("def make():\n    n = 0\n    def body():\n        nonlocal n\n        n += 1\n    return body\nbody = make()", "n"),
        (
            "def make():\n    n = 0\n    def body():\n        def inner():\n            nonlocal n\n            n = 1\n"
            "        return inner\n    return body\nbody = make()",
            "n",
        ),
        (
            "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a)\n    return w\n"
            "@deco\ndef body():\n    global total\n    total = 1",
            "total",
        ),
    ],
)
def test_rebinding_an_outer_name_is_refused(world, source, name):
    world.cell(source)
    with pytest.raises(SyntaxError, match=f"rebinds the outer name '{name}'.*Put '{name}' in a Cown.*{name}={name}"):
        _define.analyse(world.main.body)


@pytest.mark.parametrize(
    "source",
    [
        "def body():\n    n = 0\n    def inner():\n        nonlocal n\n        n += 1\n    inner()\n    return n",
        "def make():\n    n = 1\n    def body():\n        n = 2\n        def inner():\n            nonlocal n\n"
        "            n += 1\n        return inner\n    return body\nbody = make()",
        "def make():\n    n = 1\n    def body():\n        return [n for n in range(3)], n\n    return body\nbody = make()",
        "def body():\n    class C:\n        total = 1\n    return C",
    ],
)
def test_own_names_may_be_rebound(world, source):
    world.cell(source)
    assert _define.analyse(world.main.body)[0] is not None


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("async def body(): pass", "an async function"),
        ("def body(): yield 1", "a generator"),
        ("async def body(): yield 1", "an async generator"),
    ],
)
def test_bodies_that_a_call_does_not_run_are_refused(world, source, what):
    world.cell(source)
    with pytest.raises(SyntaxError, match=f"'body' is {what}"):
        _define.analyse(world.main.body)


def decorate(world, source):
    """Apply a stand-in for @when."""

    # The C side calls without a Python frame of its own.
    from_c = functools.partial(_define.analyse)

    def when(*cowns):
        return from_c

    world.main.when = when
    world.cell(source)


def test_a_decorator_above_when_is_refused_and_one_below_composes(world):
    world.main.other = lambda f: f
    with pytest.raises(SyntaxError, match="decorator above @when") as caught:
        decorate(world, "\n@other\n@when(\n  1)\ndef body(c): pass")
    assert caught.value.lineno == 2
    decorate(world, "@when(\n  1,\n  2)\n@other\ndef body(c): pass")
    decorate(world, "def plain(c): pass\n\n\nwhen(1)(plain)")
    decorate(world, "@other\ndef plain(c): pass\n\n\nwhen(1)(plain)")


def test_entries_of_a_body(world):
    world.cell("""
import json
K = 1
LIST = []
def helper(x): return K + x
class Base: pass
class A(Base):
    def f(self): return LIST
unused = 5
def body(c):
    class Inner(A):
        y = K
    return [helper(i) for i in range(3)], json.dumps, missing, (lambda: later), Inner
""")
    assert entries(world.main.body) == sorted([
        (0, "A", "__main__"), (0, "K", "__main__"), (0, "LIST", "__main__"), (0, "helper", "__main__"),
        (0, "json", "__main__"), (0, "later", "__main__"), (0, "missing", "__main__"),
        (0, "range", "__main__"), (2, "A", "class"), (2, "Base", "class"), (3, "A.f", "function"),
        (3, "helper", "function"),
    ])  # fmt: skip


def test_the_recipe_is_made_once_per_code(world):
    world.cell("def make():\n    def body(): return 1\n    return body\na, b = make(), make()")
    assert _define.analyse(world.main.a)[0] == _define.analyse(world.main.b)[0]


def test_more_than_256_names(world):
    names = [f"n{i}" for i in range(600)]
    world.cell("\n".join(f"{n} = {i}" for i, n in enumerate(names)) + f"\ndef body(): return {' + '.join(names)}")
    assert len(_define.analyse(world.main.body)[1]) == 600
    assert world.run("body") == sum(range(600))


def test_bodies_of_modules_take_values_along_and_what_goes_by_name_its_cowns(world, tmp_path, monkeypatch):
    (tmp_path / "kitchen_defs.py").write_text(
        "from fridge_defs import open_door\nlimit = 3\njar = None\nshelf = []\ndef body(): return limit, jar, open_door()\n"
        "def make():\n    n = 3\n    def inner(): return n, limit\n    return inner\n"
    )
    (tmp_path / "fridge_defs.py").write_text("milk = None\nother = 1\ndef open_door(): return milk\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import fridge_defs
    import kitchen_defs

    kitchen_defs.jar = Handle()
    kitchen_defs.shelf.append(Handle())
    fridge_defs.milk = Handle()
    cowns = [(0, "jar", "mod:kitchen_defs"), (0, "milk", "mod:fridge_defs"), (0, "shelf", "mod:kitchen_defs")]
    used = [(0, name, "of kitchen_defs") for name in ("limit", "jar", "open_door")]
    # A function of a module is watched to see its reload.
    assert entries(kitchen_defs.body) == sorted([(4, "open_door", "reload:fridge_defs"), *cowns, *used])
    world.main.kitchen_defs = kitchen_defs
    world.cell("def body(): return kitchen_defs.body()")
    assert entries(world.main.body) == sorted(
        [(0, "kitchen_defs", "__main__"), (4, "body", "reload:kitchen_defs"), *cowns]
    )
    assert _define.define(kitchen_defs.body) is None
    assert _define.reduce_for_pickle(kitchen_defs.body) is NotImplemented
    # A function inside a function of a module has no name to go by, but its globals are the module's.
    kitchen_defs.jar = fridge_defs.milk = None
    kitchen_defs.shelf.clear()
    world.main.inner = kitchen_defs.make()
    world.cell("def use(): return inner()")
    assert world.run("use") == (3, 3)
    assert world.run(kitchen_defs.body) == (3, None, None)


def test_a_reloaded_module_is_reloaded_in_workers(world, tmp_path, monkeypatch):
    import importlib

    path = tmp_path / "edited_defs.py"
    path.write_text("VALUE = 1\ndef get(): return VALUE\nclass C:\n    v = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import edited_defs

    world.main.edited_defs = edited_defs
    world.cell("def body(): return edited_defs.get(), edited_defs.C.v")
    assert world.run("body") == (1, 1)
    assert world.run(edited_defs.get) == 1
    path.write_text("VALUE = 22\ndef get(): return VALUE + 1\nclass C:\n    v = 2\n")
    importlib.reload(edited_defs)
    assert world.run("body") == (23, 2)
    assert world.run(edited_defs.get) == 23
    assert world.run(edited_defs.get, worker=1) == 23
    world.main.get = edited_defs.get
    world.main.obj = edited_defs.C()
    world.cell("def use(): return get(), obj.v")
    assert world.run("use", worker=2) == (23, 2)


def test_a_module_that_does_not_load_in_workers_hurts_only_who_uses_it(world, tmp_path, monkeypatch):
    (tmp_path / "picky_defs.py").write_text(
        "import sys\nif not hasattr(sys, 'allow_picky'):\n    raise ImportError('picky does not load here')\nV = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "allow_picky", True, raising=False)
    world.cell("""
import picky_defs
class A:
    def uses(self): return picky_defs.V
    def other(self): return 1
def body(): return A().other()
def used(): return A().uses()
""")
    assert world.run("body") == 1
    with pytest.raises(Failed, match="picky does not load here"):
        world.run("used")


def test_a_module_that_workers_cannot_find_goes_by_definition(world, monkeypatch):
    module = types.ModuleType("made_by_hand_defs")
    exec("K = 4\ndef helper(): return K", module.__dict__)
    monkeypatch.setitem(sys.modules, "made_by_hand_defs", module)
    world.main.helper = module.helper
    world.cell("def body(): return helper()")
    assert world.run("body") == 4


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("items = []\ndef body():\n    items.append(1)", [("3", "items")]),
        ("items = {}\ndef body(x):\n    items['a'] = x", [("3", "items")]),
        ("items = {}\ndef body(x):\n    items['a'] += x", [("3", "items")]),
        ("items = [[1]]\ndef body(x, y):\n    items[0][x + y * 2] = 2\n    del items[0]", [("3", "items"), ("4", "items")]),
        ("class A: pass\na = A()\ndef body(x):\n    a.x = x\n    A.n += 1\n    del a.x", [("4", "a"), ("5", "A"), ("6", "a")]),
        ("class A: pass\na = A(); a.log = []\ndef body():\n    a.log.append(3)", [("4", "a")]),
        ("class A: log = []\na = A()\ndef body():\n    a.log.append(3)\n    A.log.clear()", [("4", "a"), ("5", "A")]),
        ("import collections\nq = collections.deque()\ndef body():\n    q.popleft()", [("4", "q")]),
        ("s = set()\ndef body():\n    def inner():\n        s.add(1)\n    inner()", [("4", "s")]),
        (
            "def make():\n    log = []\n    def body(x):\n        [log.append(i) for i in x]\n        log.sort(); log.sort()\n"
            "    return body\nbody = make()",
            [("4", "log"), ("5", "log")],
        ),
        ("jar = Handle()\ndef body(x):\n    jar.value = x\n    jar.value.append(1)\n    jar.value['a'] = 1", []),
        ("jars = [Handle()]\ndef body(x):\n    jars[0].value = x\n    jars[0].value[1] = 2\n    jars[0].append(1)", []),
        ("items = []\ndef body(c):\n    c.value.append(items)\n    c.x = 1\n    c.value[0] = items\n    y = [items]", []),
        ("items = []\ndef body(c):\n    mine = list(items)\n    mine.append(2)\n    return items.count(2), items[0]", []),
        ("import os, sys\ndef body():\n    os.environ['A'] = 'b'\n    sys.path.append('x')\n    sys.flag = 1", []),
        ("text = 'a'\ndef body():\n    return text.index('a'), [x for x in text]", []),
    ],
)
def test_changes_to_captured_objects_give_hints(world, source, expected):
    assert hints(world, source) == expected


def test_the_text_of_a_hint_says_the_way_out(world):
    world.cell("items = []\ndef body():\n    items.append(1)")
    (place, name, text), = _define.analyse(world.main.body)[2]
    assert place.endswith(":3")
    assert name == "items"
    assert "calls .append() of the captured 'items'" in text and "Put 'items' in a Cown" in text


def test_classify(world):
    world.cell("""
import functools, enum, re, json
K = 3
def plain(x): return K
def data(x=[]): return x
def constant(x=(1, 'a')): return x
def outer():
    n = 0
    items = []
    def reads(): return n
    def counts():
        nonlocal n
        n += 1
    def holds(): return items
    keep.append((reads, counts))
    return holds
keep = []
holds = outer()
def deco(f):
    @functools.wraps(f)
    def w(): return f()
    return w
@deco
def wrapped(): return 1
def late():
    def f(): return n
    keep.append(f)
    n = 1
    kinds.append(classify(f))
    n = 2
kinds = []
class A: pass
class E(enum.Enum):
    A = 1
@functools.lru_cache
def cached(): return 1
plain_with = lambda: 1
plain_with.calls = []
""")
    m = world.main
    m.classify = _define.classify
    m.late()
    stable = [None, 1, 1.5, "a", b"a", (), (1, ("a", None)), frozenset((1, 2)), ..., m.plain, m.constant, m.A, m.E.A, int,
              m.json, m.json.dumps, len, "a".join if False else str.join, m.wrapped, m.cached, range(3), Handle()]  # fmt: skip
    mutable = [[], {}, set(), (1, []), m.A(), bytearray(), m.data, m.holds, *m.keep[0], [].append, m.plain_with,
               m.functools.partial(m.plain, 1)]  # fmt: skip
    assert [_define.classify(v) for v in stable] == ["stable"] * len(stable)
    assert [_define.classify(v) for v in mutable] == ["mutable"] * len(mutable)
    # Its cell can still be rebound while the function that owns it runs.
    assert m.kinds == ["mutable"]


def test_source_lines_are_kept_per_version(world):
    world.cell("def body():\n    return 1")
    code = world.main.body.__code__
    lines = _define.source_lines(code)
    assert lines == ("def body():\n", "    return 1")
    assert _define.source_lines(code) is lines
    assert _define.source_lines(compile("1", "<nowhere>", "eval")) is None


def test_innermost_follows_wrappers(world):
    assert _analyse.innermost(3) is None
    world.cell("class A:\n    def f(self): pass")
    assert _analyse.innermost(world.main.A().f) is world.main.A.f
