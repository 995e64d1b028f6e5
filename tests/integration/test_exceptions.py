"""Exceptions of bodies: values with the worker's traceback, seen or reported once."""

from __future__ import annotations

import re

from running import script

HEAD = """
from boc import Cown, when, wait, quiesce, BehaviorError, Cancelled, WorkerDied, TransferError
"""


def test_traceback_shows_the_workers_frames(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
def inner(x):
    return 1 / x

@when(Cown(0))
def cook(c):
    return inner(c.value)

cook.result()
""",
        code=1,
    )
    assert "ZeroDivisionError: division by zero" in done.err
    assert f'File "{done.path}", line 9, in cook\n    return inner(c.value)' in done.err
    assert f'File "{done.path}", line 5, in inner\n    return 1 / x' in done.err
    assert re.search(r"    return 1 / x\n +~~\^~~\n", done.err)
    worker_part = done.err[done.err.index("in cook") :]
    assert "boc/" not in worker_part
    assert done.err.count("Traceback") == 1


def test_source_lines_as_scheduled(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
import pathlib, traceback
@when(Cown(0))
def cook(c):
    raise ValueError("the old line")
path = pathlib.Path(__file__)
path.write_text("# all new\\n" * 30)
try:
    cook.result()
except ValueError as e:
    print("".join(traceback.format_exception(e)))
""",
    )
    assert 'raise ValueError("the old line")' in done.out


def test_types_args_notes_and_causes(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
class Mine(Exception):
    def __init__(self, a, *, b):
        super().__init__("text of mine")
        self.a, self.b = a, b

@when(Cown(0))
def cook(c):
    try:
        {}["k"]
    except KeyError as e:
        error = Mine([1, 2], b=c)
        error.add_note("a note")
        raise error from e
try:
    cook.result()
except Mine as e:
    assert (e.a, str(e), e.__notes__) == ([1, 2], "text of mine", ["a note"])
    assert isinstance(e.b, Cown), e.b
    assert type(e.__cause__) is KeyError and e.__cause__.args == ("k",)
    assert e.__cause__.__traceback__ is not None
else:
    raise AssertionError

@when(Cown(0))
def group(c):
    raise ExceptionGroup("g", [ValueError(1), Mine(1, b=2)])
try:
    group.result()
except* Mine as e:
    assert e.exceptions[0].b == 2
except* ValueError:
    pass

@when(Cown(0))
def file(c):
    open("/nowhere/at/all")
try:
    file.result()
except FileNotFoundError as e:
    assert e.errno == 2 and e.filename == "/nowhere/at/all"

@when(Cown(0))
def local(c):
    import threading
    raise ValueError(threading.Lock(), "kept")
try:
    local.result()
except ValueError as e:
    assert "_thread.lock" in e.args[0] and e.args[1] == "kept"

@when(Cown(0))
def unknown(c):
    class Local(Exception): pass
    raise Local("inside")
try:
    unknown.result()
except Exception as e:
    if type(e) is BehaviorError:
        assert isinstance(e, RuntimeError)
        assert e.type_name.endswith("Local") and e.text == "inside" and "in unknown" in e.traceback
    else:
        assert type(e).__name__ == "Local" and str(e) == "inside"
wait()
""",
    )
    assert done.err == ""


def test_dependents_see_the_exception_and_the_runtime_survives(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
@when(Cown(0))
def bad(c):
    raise SystemExit(5)
@when(Cown(0))
def worse(c):
    raise KeyboardInterrupt
@when(bad, worse)
def look(bad, worse):
    return [bad.exception, type(bad.value).__name__, type(worse.value).__name__]
print(look.result())
for r in (bad, worse):
    try:
        r.result()
    except BehaviorError as e:
        print(type(e.__cause__).__name__)
wait()
print("fine")
""",
    )
    assert done.out == "[True, 'SystemExit', 'KeyboardInterrupt']\nSystemExit\nKeyboardInterrupt\nfine\n"
    assert done.err == ""


def test_an_unseen_exception_is_reported_once(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
@when(Cown(0))
def cook(c):
    raise ValueError("nobody looked")
wait()
""",
    )
    assert done.err.count("nobody looked at") == 1
    assert done.err.count("ValueError: nobody looked") == 1
    assert "behavior 'cook'" in done.err
    assert 'raise ValueError("nobody looked")' in done.err


def test_unseen_when_the_cown_dies(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
import sys, time
@when(Cown(0))
def cook(c):
    raise ValueError("dropped")
quiesce()
del cook
deadline = time.monotonic() + 10
quiesce()
print("end", file=sys.stderr)
""",
    )
    assert done.err.count("ValueError: dropped") == 1


def test_unseen_at_exit_without_a_wait(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
import time
c = Cown(0)
@when(c)
def cook(c):
    raise ValueError("at exit")
while not cook.done(): time.sleep(0.01)
""",
    )
    assert done.err.count("ValueError: at exit") == 1


def test_seen_exceptions_are_not_reported(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
import asyncio, boc
def fail():
    @when(Cown(0))
    def cook(c):
        raise ValueError("seen")
    return cook
def swallow(f, *a):
    try: f(*a)
    except ValueError: pass
swallow(lambda: fail().result())
swallow(lambda: boc.gather([fail()]))
a = fail(); quiesce(); swallow(a.unwrap)
async def main():
    await fail()
swallow(asyncio.run, main())
b = fail(); quiesce()
with b: assert b.exception
c = fail()
@when(c)
def look(c): return str(c.value)
print(look.result())
d = fail(); quiesce()
boc.cancel(d)
swallow(d.result)
wait()
""",
    )
    assert done.err == ""
    assert done.out == "seen\n"


def test_after_five_alike_only_a_count_grows(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
for i in range(40):
    @when(Cown(i))
    def cook(c):
        raise ValueError(f"number {c.value}")
wait()
""",
    )
    assert done.err.count("ValueError: number") == 5
    assert "35 more ValueError at" in done.err


def test_asking_later_still_raises(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
@when(Cown(0))
def cook(c):
    raise ValueError("x")
wait()
for _ in range(2):
    try: cook.result()
    except ValueError: pass
    else: raise AssertionError
""",
    )


def test_cancelled_is_not_reported(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
import boc
c = Cown(0)
with c:
    @when(c)
    def never(c): raise ValueError
    assert boc.cancel(never) == 1
try: never.result()
except Cancelled: print("cancelled")
with c:
    @when(c)
    def again(c): raise ValueError
    boc.cancel(again)
wait()
""",
    )
    assert done.out == "cancelled\n"
    assert done.err == ""
