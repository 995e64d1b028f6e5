"""Ctrl-C ends every way to wait on the main thread, and the runtime goes on.

What is waited for cannot end before the test lets it go, which it does after the interrupt was seen. So a wait that is over
was ended by the interrupt, however slow the machine is.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from programs import FREE_THREADED, environ, run, source

# Each with f running, which ends when something comes through `go`.
WAYS = {
    "wait": "boc.wait()",
    "wait with a time": "boc.wait(1000)",
    "quiesce": "boc.quiesce()",
    "stop": "boc.stop(cancel=False)",
    "result": "f.result()",
    "result with a time": "f.result(1000)",
    "gather": "boc.gather([f])",
    "as_completed": "next(boc.as_completed([f]))",
    "receive": "boc.receive('never')",
    "receive with a time": "boc.receive(['never', 'at all'], 1000)",
    "notice_sync": """
        def slow(old): os.read(go, 1)
        boc.notice_update("slow", slow)
        boc.notice_sync(1000)
    """,
    "notice_read": """
        def slow(old): os.read(go, 1)
        boc.notice_update("slow", slow)
        boc.notice_read("slow")
    """,
    "await": """
        import asyncio
        async def main(): await f
        asyncio.run(main())
    """,
    "quiesced": """
        import asyncio
        asyncio.run(boc.quiesced())
    """,
    "pump": """
        @when(PinnedCown(0))
        def on_main(c):
            while not hasattr(atexit, "over"): pass
        boc.pump()
    """,
    "a wait that pumps": """
        @when(PinnedCown(0))
        def on_main(c):
            while not hasattr(atexit, "over"): time.sleep(0.01)  # a long sleep may begin between the signal and its handler
        boc.quiesce()
    """,
    "time.sleep": "time.sleep(1000)",
    "a loop": "while True: pass",
}

PROGRAM = """
begun, begin = os.pipe()
go, let_go = os.pipe()
c = Cown(0)
@when(c)
def f(c):
    os.write(begin, b".")
    os.read(go, 1)
    return "ended"
os.read(begun, 1)
def waits():
    {waits}
try:
    print("waiting", flush=True)
    waits()
    print("ended by itself", flush=True)
except KeyboardInterrupt:
    atexit.over = True  # the signal may come when a body of main's is scheduled and does not run yet
    print("interrupted", f.done(), flush=True)
for _ in range(2):
    os.write(let_go, b".")
@when(Cown(1))
def g(c): return c.value
print("usable", g.result(20), f.result(20))
boc.wait()
"""


def asleep(pid: int) -> str:
    """How often the main thread of a process fell asleep, if it is blocked in the kernel now; else nothing."""
    with open(f"/proc/{pid}/task/{pid}/status") as status:
        words = dict(line.split(":", 1) for line in status)
    return words["voluntary_ctxt_switches"].strip() if words["State"].split()[0] == "S" else ""


def await_sleep(pid: int) -> None:
    """Until its main thread sleeps."""
    while not asleep(pid):
        time.sleep(0.001)


def await_rest(pid: int) -> None:
    """Until it sleeps for longer than one does who only waits for the GIL (5 ms): a call of C that begins between a signal
    and its handler, as `time.sleep` may after that, would sleep to its end."""
    before = ""
    while not before or before != asleep(pid):
        before = asleep(pid)
        time.sleep(0.01)


def never(pid: int) -> None:
    """It does not block."""


SETTLED = {"time.sleep": await_rest, "a loop": never, "pump": never}


def interrupted(code: str, settle: Callable[[int], None] = await_sleep) -> list[str]:
    """Run code, send SIGINT once it says "waiting" and has settled; what it printed then."""
    child = subprocess.Popen([sys.executable, "-u", "-c", source(code)], env=environ(), stdout=subprocess.PIPE, text=True,
                             stdin=subprocess.DEVNULL)
    assert child.stdout is not None
    with child:
        try:
            assert child.stdout.readline() == "begun\n"
            assert child.stdout.readline() == "waiting\n"
            settle(child.pid)
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=60)
        finally:
            child.kill()
    assert child.returncode == 0, out
    return out.splitlines()


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_ends_the_wait(way: str) -> None:
    code = PROGRAM.format(waits=WAYS[way].strip().replace("\n    ", "\n"))
    assert interrupted(code, SETTLED.get(way, await_sleep)) == ["interrupted False", "usable 1 ended"]


WITHOUT_LOOP = [way for way, code in WAYS.items() if "asyncio" not in code]


@pytest.mark.parametrize("way", WITHOUT_LOOP)
def test_a_wait_imports_nothing(way: str) -> None:
    """CPython loses an interrupt that comes in the callback of a weak reference, and every import has some of those."""
    code = PROGRAM.format(waits=WAYS[way].strip().replace("\n    ", "\n"))
    code = code.replace('print("interrupted", f.done(), flush=True)', 'print("new", sorted(set(sys.modules) - before))')
    code = code.replace("try:", "import sys\nbefore = set(sys.modules)\ntry:", 1)
    assert interrupted(code, SETTLED.get(way, await_sleep)) == ["new []", "usable 1 ended"]


# `with c:` of an idle cown waits where its value rests with a worker whose body keeps the GIL.
HOLDING = """
begun, begin = os.pipe()
go, let_go = os.pipe()
c = Cown(None, name="jar")
def rests(c): c.value = list(range(50_000))
def keeps_the_gil():
    import ctypes
    read, room = ctypes.PyDLL(None).read, ctypes.create_string_buffer(1)
    os.write(begin, b".")
    read(go, room, 1)
    return "ended"
def kept(): # some thread is in the read: what it wrote before let go of the GIL, and it may not have it again yet
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{{thread}}/syscall") as call:
            if call.read().split()[1:2] == [hex(go)]:
                return True
    return False
boc.start(1)
while True:
    boc.whencall(rests, [c])
    f = boc.whencall(keeps_the_gil, [])
    os.read(begun, 1)
    while not kept():
        time.sleep(0.001)
    if boc.debug.live()["live_values"]:  # not so if it was encoded before the body began
        break
    os.write(let_go, b".")
    f.result(20)
try:
    print("waiting", flush=True)
    {waits}
    print("ended by itself", flush=True)
except KeyboardInterrupt:
    print("interrupted", f.done(), c.acquired, flush=True)
os.write(let_go, b".")
print("usable", len(c.result(20)), f.result(20))
with c:
    print("held", len(c.value))
boc.wait()
"""


@pytest.mark.skipif(FREE_THREADED, reason="without a GIL no body keeps it")
@pytest.mark.skipif(sys.version_info < (3, 13), reason="workers of 3.12 do not load ctypes, which keeps it for as long as a test likes")
@pytest.mark.parametrize("waits", ["c.acquire()", "c.__enter__()", "c.result()", "c.unwrap()"])
def test_ctrl_c_ends_the_wait_for_a_value_that_rests_elsewhere(waits: str) -> None:
    out = interrupted(HOLDING.format(waits=waits))
    assert out == ["interrupted False False", "usable 50000 ended", "held 50000"]


def test_ctrl_c_is_not_lost_in_what_a_schedule_finds_out_about_a_body() -> None:
    done = run("""
        import signal
        from boc import _places
        signal.signal(signal.SIGINT, signal.default_int_handler)
        real = _places.arguments
        def pressed(*args):
            signal.raise_signal(signal.SIGINT)
            return real(*args)
        _places.arguments = pressed
        try:
            @when(Cown(1))
            def f(c): return c.value
            while True: pass
        except KeyboardInterrupt:
            print("interrupted")
        boc.wait()
    """, timeout=30).clean()
    assert "interrupted" in done.out


@pytest.mark.parametrize(("ours", "theirs"), [("boc.trace", "numpy"), ("boc.view", "matplotlib.figure")])
def test_ctrl_c_does_not_cut_the_import_of_what_charts_need(ours: str, theirs: str) -> None:
    """Cut once, numpy cannot be imported in that process again, and no chart could be drawn."""
    pytest.importorskip(theirs)
    done = run(f"""
        import importlib, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        seen = threading.Event()
        def press(event, args):
            if event == "import" and args[0] == "{theirs}" and not seen.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                seen.wait(60)
        sys.addaudithook(press)
        try:
            importlib.import_module("{ours}")
        except KeyboardInterrupt:
            seen.set()
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
        print("{theirs}" in sys.modules)
        importlib.import_module("{ours}")
    """)
    assert done.clean().out == "begun\nTrue\n"
