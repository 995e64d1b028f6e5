"""Values and modules that cannot move: clear errors that name the place and the way out."""

from __future__ import annotations

import pytest
from running import script

HEAD = """
import threading
from boc import Cown, PinnedCown, when, wait, quiesce, TransferError
def refused(f):
    try: f()
    except TransferError as e: return e
    raise AssertionError("not refused")
class Box:
    pass
"""


def test_at_the_call(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
e = refused(lambda: Cown(threading.Lock()))
assert e.type_name == "_thread.lock" and "PinnedCown" in str(e), e
e = refused(lambda: Cown(i for i in range(3)))
assert e.type_name == "generator", e
PinnedCown(threading.Lock())
""",
    )


def test_at_the_end_of_the_body_that_stored_it(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
c = Cown(0, name="pan")
@when(c)
def store(c):
    c.value = threading.Lock()
@when(c)
def look(c):
    try:
        c.value
    except TransferError as e:
        first = (str(e), e.type_name, c.exception)
    c.value = 5
    return first
text, type_name, exception = look.result()
assert type_name == "_thread.lock" and "pan" in text and exception, text
assert c.result() == 5
wait()
""",
    )


def test_deep_inside_at_the_next_move(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
c = Cown(None, name="pan")
@when(c)
def store(c):
    box, inner = Box(), Box()
    inner.lock = threading.Lock()
    box.items = [1, 2, 3, inner]
    c.value = box
e = refused(c.result)
assert e.path == ".items[3].lock", e.path
assert "'_thread.lock'" in str(e) and ".items[3].lock of the value of cown 'pan'" in str(e), e
assert e.behavior == "store" and "as behavior 'store' left it" in str(e), e
wait()
""",
    )


def test_the_body_that_had_it_last_is_named_on_whichever_worker_it_moves(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
import time
c, d = Cown([], name="pan"), Cown(None)
@when(c)
def store(c):
    c.value.append(threading.Lock())
@when(c)
def later(c):
    return len(c.value)
@when(c)
def last(c):
    c.value.append(1)
quiesce()
@when(d)
def other(d):
    return 5
quiesce()
e = refused(c.result)
assert (e.path, e.behavior) == ("[0]", "last"), (e.path, e.behavior)
wait()
""",
    )


def test_a_lost_value_is_said_once(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
c = Cown(0, name="pan")
@when(c)
def store(c):
    c.value = threading.Lock()
wait()
""",
    )
    assert done.err.count("The value of cown 'pan' is lost, and nobody looked") == 1
    assert "'_thread.lock' cannot move" in done.err and "as behavior 'store' left it" in done.err
    assert "cannot pickle" not in done.err


def test_a_result_that_cannot_move(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
@when(Cown(0))
def cook(c):
    return threading.Lock()
e = refused(cook.result)
assert "cook" in str(e), e
wait()
""",
    )
    assert done.err == ""


def test_a_capture_that_cannot_move_is_named(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
lock = threading.Lock()
ran = []
def schedule():
    @when(Cown(0))
    def cook(c):
        with lock: return 1
e = refused(schedule)
assert "lock" in str(e) and "'_thread.lock'" in str(e), e
def default():
    @when(Cown(0))
    def cook(c, gen=(i for i in range(3))):
        return 1
e = refused(default)
assert "gen" in str(e), e
wait()
""",
    )


def test_reduce_that_raises(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
class Bad:
    def __reduce__(self): raise ValueError("never")
class Worse:
    def __reduce__(self): return 5
e = refused(lambda: Cown([Bad()]))
assert e.path == "[0]" and "ValueError: never" in str(e), e
refused(lambda: Cown([Worse()]))
""",
    )


def test_modules_that_workers_cannot_load(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
@when(Cown(0))
def cook(c):
    import readline
for i in range(2):
    try: cook.result()
    except ImportError as e:
        assert "PinnedCown" in str(e) and "on='main'" in str(e), e
        print(type(e).__name__, e.name)
wait()
""",
    )
    assert done.out == "ImportError readline\n" * 2
    assert done.err == ""


def test_a_value_that_a_worker_cannot_load(tmp_path):
    (tmp_path / "only_main.py").write_text(
        "import threading\n"
        "if threading.current_thread() is not threading.main_thread() or 'boc._worker' in __import__('sys').modules:\n"
        "    raise ImportError('for main only')\n"
        "class Thing: pass\n"
    )
    script(
        tmp_path,
        HEAD
        + """
import only_main
c = Cown(only_main.Thing(), name="pan")
@when(c)
def cook(c):
    return c.value
e = refused(cook.result)
assert "pan" in str(e) and "for main only" in str(e), e
assert type(e.__cause__) is ImportError
assert type(c.result()) is only_main.Thing
wait()
""",
    )


def test_an_array_says_the_way_out(tmp_path):
    pytest.importorskip("numpy")
    script(
        tmp_path,
        HEAD
        + """
import numpy
c = Cown(numpy.zeros(3), name="array")
@when(c)
def cook(c):
    return c.value.sum()
e = refused(cook.result)
assert "array" in str(e) and "numpy does not load in workers" in str(e) and "PinnedCown" in str(e), e
@when(Cown(0))
def load(c):
    import numpy
try: load.result()
except ImportError as e: assert "\\n" not in str(e) and "PinnedCown" in str(e), e
wait()
""",
    )


def test_charts_are_drawn_on_the_main_interpreter(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
for name in ("gantt", "board", "throughput", "summary", "critical_path", "what_if", "compare", "explain"):
    @when()
    def draw(name=name):
        import boc
        getattr(boc, name)(*["x"][: name in ("explain", "compare")])
    try:
        draw.result()
    except RuntimeError as e:
        assert str(e).startswith(f"{name}() cannot be used on a worker") and "on='main'" in str(e), e
    else:
        raise AssertionError(name)
""",
    )
