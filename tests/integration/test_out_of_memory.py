"""Each request that boc makes of the C library fails in turn: memory, threads, descriptors.

Nothing aborts or hangs; a call that failed says so, what was scheduled ends with a value or a MemoryError, and the runtime
goes on.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from programs import FREE_THREADED, run

pytestmark = pytest.mark.timeout(300)

# do(hs): the scenario, which adds the results of its behaviors to hs.
PROGRAM = """
import ctypes, faulthandler, functools, gc
from boc import (Matrix, batch, notice_read, notice_sync, notice_update, notice_write, pump, quiesce, read, receive, send, start,
                 stop, wait, whencall)
faulthandler.enable()
failing = ctypes.CDLL({library!r})
failing.failing_arm.argtypes = [ctypes.c_long]
failing.failing_disarm.restype = ctypes.c_long
KIND = (MemoryError, boc.Cancelled, {errors})
log = set()
base = boc.debug.live()

def attempt(f, *args, **kw):
    try:
        return f(*args, **kw)
    except KIND as e:
        log.add(type(e).__name__)

class Thing:
    def __init__(self): self.x = [1, 2]
    def act(self, c): c.value += 1; return len(self.x)

def helper(v): return v + 1

{scenario}

def once(n):
    hs = []
    failing.failing_arm(n)
    attempt(do, hs)
    asked = failing.failing_disarm()
    quiesce(timeout=50)
    for h in hs:
        attempt(h.result, timeout=50)
    del hs
    c = Cown(0)
    @when(c)
    def after(c): return [c.value]
    assert after.result(timeout=50) == [0], n
    return asked

import json
n, most, child = -1, 0, False # at -1 none fails
while n <= most and not child: # each in a fork that begins with nothing
    end, mine = os.pipe()
    pid = os.fork()
    if pid == 0:
        child = True
        faulthandler.dump_traceback_later(60, exit=True) # a hang says where
        asked = once(n)
        wait(timeout=20)
        boc.reset()
        boc.set_tags([])
        until = time.monotonic() + 10
        while boc.debug.live() != base and time.monotonic() < until:
            gc.collect()
            time.sleep(0.01)
        left = {{k: v for k, v in boc.debug.live().items() if v != base[k]}}
        assert not left, left
        os.write(mine, json.dumps([asked, sorted(log)]).encode())
        os.close(mine)
    else:
        os.close(mine)
        with open(end, "rb") as said: text = said.read()
        status = os.waitpid(pid, 0)[1]
        assert status == 0, f"{{n}}: status {{status}}"
        asked, names = json.loads(text)
        most = max(most, asked)
        log.update(names)
        n += {step}
if not child:
    print(n, sorted(log))
"""

SCENARIOS = {
    "start": (
        """
def do(hs):
    attempt(start, 2)
    c = attempt(Cown, [1])
    def go():
        @when(c)
        def body(c): c.value.append(1); return 5
        hs.append(body)
    if c is not None:
        attempt(go)
""",
        "OSError, RuntimeError",
    ),
    "threads": (
        """
def do(hs):
    c = Cown(0)
    def go():
        @when(c)
        def body(c): c.value += 1; return c.value
        hs.append(body)
    ts = [threading.Thread(target=attempt, args=(go,)) for _ in range(3)]
    for t in ts: t.start()
    for t in ts: t.join()
""",
        "",
    ),
    "names": (
        """
turn = 0
def do(hs):
    global turn
    turn += 1
    space = {"when": when}
    exec(f"name{turn} = [1]\\ndef go(c):\\n @when(c)\\n def body(c): return name{turn}\\n return body", space)
    c = Cown(0)
    def go():
        hs.append(space["go"](c))
    attempt(go)
""",
        "",
    ),
    "many": (
        """
def do(hs):
    cs, d = [Cown([i]) for i in range(8)], Cown({"a": [1]})
    big, words = list(range(50)), {"k": [1, 2, 3]}
    def go():
        @when(cs, d, read(cs[3]))
        def body(cs, d, r, extra=big):
            d.value["n"] = [helper(len(cs)), words["k"][0], len(big)]
            return d.value
        hs.append(body)
    for _ in range(3): attempt(go)
""",
        "",
    ),
    "batch": (
        """
def do(hs):
    a, b = Cown(1), Cown([2])
    def go():
        with batch():
            for _ in range(4):
                @when(a, b)
                def body(a, b): a.value += 1; b.value.append(1); return a.value
                hs.append(body)
                @when(read(b))
                def look(b): return len(b.value)
                hs.append(look)
    attempt(go)
""",
        "",
    ),
    "callables": (
        """
def do(hs):
    a = Cown(1)
    def go(*args): hs.append(whencall(*args))
    attempt(go, functools.partial(Thing.act, Thing()), [a])
    attempt(go, Thing().act, [a])
    attempt(go, lambda c, k: k, [a], ([1, 2],))
""",
        "",
    ),
    "nested": (
        """
def do(hs):
    a, b = Cown(1), Cown({"x": 1})
    def go():
        @when(a, b)
        def body(a, b):
            @when(b)
            def inner(b): b.value["y"] = [2]; return Thing()
            @when(inner)
            def last(i): return len(i.value.x)
            return [inner, last]
        hs.append(body)
    attempt(go)
""",
        "",
    ),
    "raised": (
        """
def do(hs):
    a = Cown(1)
    def go():
        @when(a)
        def body(a): raise KeyError("no", [1])
        hs.append(body)
        @when(body)
        def after(r): return str(r.value)
        hs.append(after)
    attempt(go)
""",
        "KeyError, boc.BehaviorError",
    ),
    "pinned": (
        """
def do(hs):
    p, a = PinnedCown([1]), Cown(2)
    def go():
        @when(p, a)
        def body(p, a): p.value.append(a.value); return len(p.value)
        hs.append(body)
    for _ in range(3): attempt(go)
    attempt(pump, deadline_ms=2000)
""",
        "",
    ),
    "messages": (
        """
def do(hs):
    a = Cown(1)
    def go():
        @when(a)
        def body(a): return receive("t", timeout=0.2)[1]
        hs.append(body)
    attempt(go)
    attempt(send, "t", {"a": [1, 2]})
    attempt(send, "u", [Thing()])
    attempt(receive, "u", timeout=0.1)
    boc.set_tags([])
""",
        "",
    ),
    "board": (
        """
def do(hs):
    a = Cown(1)
    for i in range(3): attempt(notice_write, f"k{i}", {"a": [i]})
    attempt(notice_update, "k1", lambda v: {**v, "b": 1})
    notice_sync(50)
    def go():
        @when(a)
        def body(a): notice_write("w", [1]); notice_sync(50); return notice_read("k1", 1)
        hs.append(body)
    attempt(go)
    attempt(notice_read, "k0")
    attempt(lambda: dict(boc.noticeboard()))
""",
        "",
    ),
    "matrix": (
        """
def do(hs):
    m = attempt(lambda: Cown(Matrix.ones((600, 600))))
    b = attempt(lambda: Cown([Matrix.ones((3, 3)), bytes(100000)]))
    def go():
        @when(m, b)
        def body(m, b): m.value = m.value + 1; b.value.append(m.value); return m.value
        hs.append(body)
        @when(read(m), read(b))
        def look(m, b): return len(b.value)
        hs.append(look)
    if m is not None and b is not None:
        attempt(go)
""",
        "",
    ),
    "awaits": (
        """
import asyncio
def do(hs):
    c = Cown(1)
    def go():
        @when(c)
        def body(c): time.sleep(0.002); return [1]
        hs.append(body)
        async def main(): return await body
        assert asyncio.run(asyncio.wait_for(main(), 60)) == [1]
    attempt(go)
""",
        "",
    ),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if shutil.which("cc") is None or platform.libc_ver()[0] != "glibc":
        pytest.skip("needs a C compiler and glibc")
    target = tmp_path_factory.mktemp("failing") / "failing.so"
    source = Path(__file__).with_name("failing.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", str(source), "-o", str(target), "-ldl"], check=True)
    return str(target)


QUICK = ("start", "threads", "many", "batch", "board")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SCENARIOS])
def test_each_request_fails_once(library, name):
    scenario, errors = SCENARIOS[name]
    step = 7 if FREE_THREADED else 1  # to begin takes a second there
    program = PROGRAM.format(library=library, scenario=scenario, errors=errors, step=step)
    done = run(program, timeout=280, LD_PRELOAD=library).clean()
    assert "MemoryError" in done.out.splitlines()[-1], done.out
