"""Bodies and local definitions of importable modules take their globals by value; top-level ones go by name."""

from __future__ import annotations

import textwrap

import pytest


@pytest.fixture
def program(script, tmp_path):
    """`program(main, **modules)` runs a script with these modules beside it; its output as lines."""
    def run(main, **modules):
        for name, text in modules.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return script(main).stdout.splitlines()

    return run


PICKY = """
    from boc import _core
    if _core.worker_index() >= 0:
        raise ImportError("picky does not load here")
    V = 3
"""

KITCHEN = """
    from boc import Cown, when
    LIMIT = 10
    LIST = [1]
    c = Cown(5)
    def more():
        @when(c)
        def f(c): return LIMIT, LIST
        return f
"""


def test_a_body_sees_what_was_set_on_main_before_the_schedule(program):
    assert program("""
        import kitchen
        print(kitchen.more().result())
        kitchen.LIMIT = 20
        kitchen.LIST.append(2)
        print(kitchen.more().result())
    """, kitchen=KITCHEN) == ["(10, [1])", "(20, [1, 2])"]


def test_a_worker_does_not_import_the_module_of_a_body(program):
    assert program("""
        import kitchen
        print(kitchen.loaded().result())
    """, kitchen="""
        import sys
        import wave
        from boc import when
        K = 3
        def loaded():
            @when()
            def f(): return K, [n for n in ("kitchen", "wave") if n in sys.modules]
            return f
    """) == ["(3, [])"]


def test_a_module_that_workers_cannot_import_hurts_only_who_needs_it(program):
    lines = program("""
        import kitchen
        print(kitchen.constant().result(), kitchen.local().result())
        for wrong in kitchen.by_name(), kitchen.of_picky():
            try:
                wrong.result()
            except ImportError as e:
                print(e)
    """, picky=PICKY, kitchen="""
        import picky
        from boc import Cown, when
        K = 3
        def helper(): return K
        def constant():
            @when()
            def f(): return K
            return f
        def local():
            class Local:
                def get(self): return K + 1
            c = Cown(Local())
            @when(c)
            def f(c): return c.value.get()
            return f
        def by_name():
            @when()
            def f(): return helper()
            return f
        def of_picky():
            @when()
            def f(): return picky.V
            return f
    """)
    assert lines == ["3 4", "picky does not load here", "picky does not load here"]


def test_an_import_that_a_worker_refuses_names_who_imports_it(program):
    numpy = pytest.importorskip("numpy")
    assert numpy
    lines = program("""
        import kitchen
        try:
            kitchen.by_name().result()
        except ImportError as e:
            print(e)
    """, kitchen="""
        import numpy
        from boc import when
        def helper(): return 1
        def by_name():
            @when()
            def f(): return helper()
            return f
    """)
    assert "module kitchen imports it at its top level" in lines[0], lines
    assert "put those that bodies use into a module without numpy" in lines[0], lines


def test_a_capture_that_cannot_move_is_named_at_the_call(program):
    lines = program("""
        import boc, kitchen
        try:
            kitchen.locked()
        except boc.TransferError as e:
            print(e)
    """, kitchen="""
        import threading
        from boc import when
        LOCK = threading.Lock()
        def locked():
            @when()
            def f(): return LOCK
            return f
    """)
    assert "'LOCK'" in lines[0], lines


def test_by_name_and_by_value_are_two_views(program):
    assert program("""
        import kitchen
        kitchen.LIMIT = 20
        print(kitchen.both().result())
    """, kitchen="""
        from boc import when
        LIMIT = 10
        def helper(): return LIMIT
        def both():
            def local(): return LIMIT
            @when()
            def f(): return LIMIT, local(), helper()
            return f
    """) == ["(20, 20, 10)"]


def test_a_namespace_says_whose_it_is(program):
    assert program("""
        import pkg.kitchen
        print(*pkg.kitchen.who().result(), sep="\\n")
    """, pkg____init__="", pkg__fridge="MILK = 2\n", pkg__kitchen="""
        import logging
        from boc import when
        def who():
            class Cup: pass
            @when()
            def f():
                import sys
                class Made: pass
                from . import fridge
                from .fridge import MILK
                space = globals()
                return (logging.getLogger(__name__).name, Made.__module__, Cup.__module__, fridge.MILK + MILK,
                        space["__package__"], space["__file__"].rpartition("/")[2], space["__spec__"].name,
                        space["__spec__"].parent, "pkg.kitchen" in sys.modules)
            return f
    """) == ["pkg.kitchen", "pkg.kitchen", "pkg.kitchen", "4", "pkg", "kitchen.py", "pkg.kitchen", "pkg", "False"]


def test_local_classes_of_a_module_come_home(program):
    assert program("""
        import kitchen
        print(*kitchen.run(), sep="\\n")
    """, kitchen="""
        import dataclasses, enum, typing
        from boc import Cown, when
        RATE = 3
        def run():
            @dataclasses.dataclass
            class Egg:
                size: int
                def cost(self): return self.size * RATE
            class Color(enum.Enum):
                RED = 1
                def cost(self): return self.value + RATE
            class Pair(typing.NamedTuple):
                a: int
                def cost(self): return self.a - RATE
            class Base:
                def cost(self): return RATE
            class Sub(Base):
                def cost(self): return super().cost() + 1
            def fact(n): return n * fact(n - 1) if n > 1 else RATE
            things = [Cown(Egg(2)), Cown(Color.RED), Cown(Pair(5)), Cown(Sub())]
            out = []
            for cown in things:
                @when(cown)
                def f(c): return c.value.cost(), c.value
                cost, back = f.result()
                out.append((cost, type(back) in (Egg, Color, Pair, Sub)))
            @when()
            def g(): return fact(4), Egg(4).cost(), Sub().cost()
            return [*out, g.result()]
    """) == ["(6, True)", "(4, True)", "(2, True)", "(4, True)", "(72, 12, 4)"]


def test_cowns_at_the_top_of_a_module_are_mains_also_where_it_is_imported_later(program):
    assert program("""
        import boc, kitchen
        from boc import when
        @when()
        def late():
            import kitchen
            kitchen.put(1)
            return kitchen.jars[0] is not None
        print(late.result())
        boc.quiesce()
        print(kitchen.jar.result(), kitchen.jars[0].result(), kitchen.top.result(), kitchen.runs)
    """, kitchen="""
        from boc import Cown, when
        runs = 0
        jar = Cown([])
        jars = [Cown(0)]
        START = 7
        @when(jar)
        def top(jar):
            jar.value.append(START)
            return START
        def put(x):
            @when(jar, jars[0])
            def f(jar, other):
                jar.value.append(x)
                other.value += 1
    """) == ["True", "[7, 1] 1 7 0"]


def test_a_reloaded_module(program):
    assert program("""
        import importlib, os, sys, pathlib
        sys.dont_write_bytecode = True
        import kitchen
        print(kitchen.body().result())
        path = pathlib.Path(kitchen.__file__)
        path.write_text(path.read_text().replace("10", "1000"))
        importlib.reload(kitchen)
        print(kitchen.body().result())
    """, kitchen="""
        from boc import when
        LIMIT = 10
        def helper(): return LIMIT
        def body():
            @when()
            def f(): return LIMIT, helper()
            return f
    """) == ["(10, 10)", "(1000, 1000)"]


def test_a_function_by_name_schedules_in_a_worker(program):
    assert program("""
        import boc, kitchen
        from boc import when, Cown
        kitchen.LIMIT = 20
        @when()
        def outer(): return kitchen.body()
        inner = outer.result()
        print(inner.result())
        @when()
        def pinned(): return kitchen.pinned(kitchen.pin)
        print(pinned.result().result(), kitchen.LIMIT)
    """, kitchen="""
        from boc import when, PinnedCown
        LIMIT = 10
        pin = PinnedCown(1)
        def body():
            def local(): return LIMIT
            @when()
            def f(): return LIMIT, local()
            return f
        def pinned(pin):
            @when(pin)
            def f(p): return LIMIT
            return f
    """) == ["(10, 10)", "10 20"]


def test_hints_and_updates_of_a_module(program):
    assert program("""
        import logging, sys
        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        import boc, kitchen
        kitchen.LIMIT = 20
        kitchen.change().result()
        boc.notice_write("a", 1)
        boc.notice_update("a", kitchen.grow)
        boc.notice_update("a", lambda x: kitchen.grow(x))
        kitchen.update()
        boc.notice_sync()
        print(boc.notice_read("a"))
    """, kitchen="""
        from boc import notice_update, when
        LIMIT = 10
        SEEN = []
        def step(): return LIMIT
        def grow(x): return x + step()
        def update(): notice_update("a", lambda x: grow(x) + LIMIT)
        def change():
            @when()
            def f(): SEEN.append(1)
            return f
    """)[-1] == "81"


def test_a_module_made_at_run_time_goes_by_definition_and_itself_says_the_way_out(program):
    lines = program("""
        import sys, types
        import boc
        from boc import Cown, when
        made = types.ModuleType("made")
        sys.modules["made"] = made
        exec('''
        K = 4
        class P:
            def get(self): return K + 1
        def helper(): return K
        def schedule():
            from boc import when
            @when()
            def f(): return K, helper(), P().get(), __name__
            return f
        '''.replace("\\n        ", "\\n"), made.__dict__)
        print(made.schedule().result())
        made.K = 9
        print(made.schedule().result())
        helper, c = made.helper, Cown(made.P())
        @when(c)
        def f(c): return helper(), c.value.get()
        print(f.result(), type(c.result()) is made.P)
        try:
            @when()
            def g(): return made.K
        except boc.TransferError as e:
            print(e)
    """)
    assert lines[:3] == ["(4, 4, 5, 'made')", "(9, 9, 10, 'made')", "(9, 10) True"]
    assert "capture the functions, classes and values that are needed of it (helper = module.helper)" in lines[3]
