"""How a program with a runtime ends: whatever is going on, with its own status, soon, and with all its output.

docs/endings.md has the table that these tests fill in.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from programs import environ, run

# What goes on when the program ends: code, and whether a body is left that cannot be interrupted.
WORK = {
    "nothing scheduled": "boc.start(workers=2)",
    "idle workers": """
        @when(Cown(0))
        def f(c): c.value += 1
        f.result(10)
    """,
    "queued": """
        c = Cown(0)
        for i in range(2000):
            @when(c)
            def f(c): time.sleep(0.005)
    """,
    "loop": """
        @when(Cown(0))
        def f(c):
            os.write(w, b'.')
            while True:
                c.value += 1
    """,
    "swallows": """
        @when(Cown(0))
        def f(c):
            def spin():
                while True: pass
            os.write(w, b'.')
            while True:
                try: spin()
                except BaseException: pass
    """,
    "sleeping": """
        @when(Cown(0))
        def f(c):
            os.write(w, b'.')
            time.sleep(1000)
    """,
    "in C with the GIL": """
        @when(Cown(0))
        def f(c):
            os.write(w, b'.')
            import re
            re.match("(a+)+$", "a" * 60 + "b")
    """,
    "waits for a lock": """
        @when(Cown(0))
        def f(c):
            os.write(w, b'.')
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
    """,
    "pinned": """
        for i in range(10):
            @when(PinnedCown(0))
            def f(c): print("ran late")
    """,
    "behind a held cown": """
        c = Cown(0)
        c.acquire()
        @when(c)
        def f(c): print("ran late")
    """,
    "schedules for ever": """
        c = Cown(0)
        def again(c):
            @when(c)
            def f(c): again(c)
        again(c)
        again(Cown(0))
    """,
    "importing": """
        @when(Cown(0))
        def f(c):
            os.write(w, b'.')
            import asyncio, decimal, sqlite3, ssl, unittest, xml.dom.minidom
    """,
    "an update for ever": """
        def spin(now):
            os.write(w, b'.')
            while True: pass
        boc.notice_update("k", spin)
        boc.notice_update("k", spin)
    """,
    "thread of a body": """
        @when(Cown(0))
        def f(c):
            threading.Thread(target=time.sleep, args=(1000,)).start()
        f.result(10)
    """,
    "executor of a body": """
        @when(Cown(0))
        def f(c):
            from concurrent.futures import ThreadPoolExecutor
            globals()["pool"] = ThreadPoolExecutor(2)
            return sum(globals()["pool"].map(abs, range(5)))
        assert f.result(10) == 10
    """,
}
PENDING = ("queued", "loop", "swallows", "sleeping", "in C with the GIL", "waits for a lock", "pinned", "behind a held cown",
           "schedules for ever")

# How it ends: last line, status.
END = {
    "end": ("", 0),
    "sys.exit(3)": ("sys.exit(3)", 3),
    "raise": ("raise ValueError('at top level')", 1),
    "os._exit(7)": ("sys.stdout.flush(); os._exit(7)", 7),
}

# In these main waits until a body runs.
BEGUN = ("loop", "swallows", "sleeping", "in C with the GIL", "waits for a lock", "importing", "an update for ever")

PROGRAM = """
r, w = os.pipe()
atexit.register(print, "atexit ran")
{work}
{begun}
sys.stdout.write("last words")
{end}
"""


def program(work: str, end: str) -> str:
    begun = "os.read(r, 1)" if work in BEGUN else ""
    return PROGRAM.format(work=textwrap.dedent(WORK[work]), begun=begun, end=END[end][0])


@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("work", WORK)
def test_the_program_keeps_its_own_status(work: str, end: str) -> None:
    done = run(program(work, end)).clean(END[end][1])
    assert "last words" in done.out
    assert "ran late" not in done.out
    if end != "os._exit(7)":
        assert "atexit ran" in done.out
    if end == "raise":
        assert "ValueError: at top level" in done.err
        pending = "the program ended with work pending" in done.err
        assert pending == (work in PENDING) or work == "importing", done.err
    assert done.seconds < 8


FIRST_OF_ALL = """
import atexit, sys, threading
def ours(): return sorted(t.name for t in threading.enumerate() if t.name.startswith("boc"))
atexit.register(lambda: print("left", ours()))
import boc, boc.trace
boc.set_pump_watchdog(50)
@boc.when(boc.Cown(0))
def prints(c): print("printed")
boc.wait()
server = boc.trace.serve()
watching = boc.trace.attach(server.address)
print("before", ours())
"""


def test_no_thread_of_ours_lives_on_when_cpython_ends() -> None:
    """CPython kills daemon threads where they stand, and with -X perf that crashes now and then."""
    done = subprocess.run([sys.executable, "-c", FIRST_OF_ALL], env=environ(), text=True, capture_output=True, timeout=30)
    assert "before ['boc-pump-watchdog', 'boc-service', 'boc-trace-reader', 'boc-trace-server']" in done.stdout
    assert "left []" in done.stdout, done.stderr


def test_waits_that_timed_out_are_no_work() -> None:
    done = run("""
        import boc
        from boc import Cown, when

        @when(Cown(0))
        def f(c): boc.receive("never")

        while not boc.stacks():
            pass
        for _ in range(5):
            try:
                f.result(0)
                raise SystemExit("not reached")
            except TimeoutError:
                pass
    """)
    assert "work pending: 0 cancelled, 1 interrupted, 0 left stuck" in done.err
