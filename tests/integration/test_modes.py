"""The runtime under CPython's own switches, beside its debuggers, and started again and again."""

from __future__ import annotations

import textwrap

import pytest
from programs import FREE_THREADED, run

WORKOUT = """
    c = Cown({"a": [1, 2]})
    results = []
    for i in range(200):
        @when(c)
        def f(c):
            c.value["a"].append(i)
            return len(c.value["a"])
        results.append(f)
    @when(Cown(0))
    def imports(c):
        import datetime, decimal, json, re, sqlite3
        return json.dumps([str(decimal.Decimal(1) / 3)[:6], sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()])
    assert [r.result(20) for r in results] == list(range(3, 203))
    assert imports.result(20) == '["0.3333", [42]]'
    @when(Cown(0))
    def bad(c): raise ValueError("kept")
    try:
        bad.result(20)
    except ValueError as e:
        print("caught", e)
    boc.wait()
    @when(c)
    def again(c): return len(c.value["a"])
    print("length", again.result(20))
"""
LEFT = """
    @when(c)
    def left(c):
        while True: pass
"""

SWITCHES = {
    "plain": (),
    "-X dev": ("-X", "dev"),
    "-W error": ("-W", "error"),
    "-X faulthandler": ("-X", "faulthandler"),
    "-X importtime": ("-X", "importtime"),
    "-X perf": ("-X", "perf"),
    "-X utf8": ("-X", "utf8"),
    "-O": ("-OO",),
    "-s -P": ("-s", "-P"),
    "-B": ("-B",),
}


@pytest.mark.parametrize("left", ["done", "work left"])
@pytest.mark.parametrize("switch", SWITCHES)
def test_switch(switch: str, left: str) -> None:
    code = textwrap.dedent(WORKOUT) + (textwrap.dedent(LEFT) if left == "work left" else "")
    done = run(code, *SWITCHES[switch]).clean()
    assert "caught kept" in done.out
    assert "length 202" in done.out
    assert ("work pending" in done.err) == (left == "work left")


@pytest.mark.parametrize("env", [{"PYTHONMALLOC": "debug"}, {"PYTHONMALLOC": "malloc"}, {"PYTHONHASHSEED": "0"},
                                 {"PYTHONDONTWRITEBYTECODE": "1"}, {"LC_ALL": "C"}], ids=str)
def test_environment(env: dict[str, str]) -> None:
    if env.get("PYTHONMALLOC") == "malloc" and FREE_THREADED:
        pytest.skip("free-threaded builds know no PYTHONMALLOC=malloc")
    done = run(WORKOUT + LEFT, **env).clean()
    assert "length 202" in done.out


def test_debug_allocator_while_workers_are_made() -> None:
    """CPython 3.12 swaps the raw allocator of the process while it makes an interpreter: nobody may allocate meanwhile."""
    done = run("""
        boc.start(workers=16)
        @when(Cown(0))
        def blocks(c):
            for _ in range(3000):
                kept = [bytes(600 + size) for size in range(10)]
        for _ in range(20_000):
            kept = [bytes(1000 + size) for size in range(10)]
        print("ended", boc.wait(20))
    """, "-X", "dev").clean()
    assert "ended" in done.out


@pytest.mark.parametrize("how", ["-X", "before import", "after import"])
def test_tracemalloc_is_refused_by_name(how: str) -> None:
    begin = {"-X": "", "before import": "import tracemalloc; tracemalloc.start(); import boc",
             "after import": "import tracemalloc; tracemalloc.start()"}[how]
    done = run(f"""
{begin}
try:
    @when(Cown(0))
    def f(c): pass
except RuntimeError as e:
    print("refused:", e)
import tracemalloc
tracemalloc.stop()
@when(Cown(41))
def g(c): return c.value + 1
print(g.result(20))
""", *(("-X", "tracemalloc") if how == "-X" else ())).clean()
    assert "tracemalloc.stop()" in done.out
    assert "42" in done.out


def test_tracemalloc_beside_workers() -> None:
    """Traced once the workers are there, it counts what main allocates."""
    done = run("""
        boc.start(workers=1)
        @when(Cown(0))
        def f(c): pass
        f.result(20)
        import tracemalloc
        tracemalloc.start()
        kept = [bytes(1000) for _ in range(1000)]
        c = Cown([0])
        for i in range(100):
            @when(c)
            def g(c):
                c.value.append([bytes(100)])
                return len(c.value)
        print(g.result(20), tracemalloc.get_traced_memory()[0] > 1_000_000)
    """).clean()
    assert "101 True" in done.out


def test_faulthandler_dumps_every_thread() -> None:
    done = run("""
        import faulthandler
        r, w = os.pipe()
        @when(Cown(0))
        def f(c):
            os.write(w, b".")
            time.sleep(0.3)
        os.read(r, 1)
        faulthandler.dump_traceback()
        assert f.result(10) is None
    """).clean()
    assert "most recent call first" in done.err


def test_starts_and_waits_without_growth() -> None:
    done = run("""
        def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4
        def once(i):
            c = Cown({"i": i})
            @when(c)
            def f(c):
                import json, random
                c.value["j"] = json.dumps(c.value)
                return c.value["j"]
            f.result(20)
            boc.wait()
        for i in range(20): once(i)
        begun, files = rss(), len(os.listdir("/proc/self/fd"))
        for i in range(200): once(i)
        print("grew", rss() - begun, "files", len(os.listdir("/proc/self/fd")) - files,
              "threads", len(os.listdir("/proc/self/task")))
    """, timeout=60).clean()
    words = done.out.split()
    grew, files, threads = int(words[-5]), int(words[-3]), int(words[-1])
    assert grew < 3000, "KB"  # one leaked interpreter in each round would be 1,000,000
    assert files <= 0
    assert threads <= 4


def test_each_start_is_as_good_as_new(tmp_path) -> None:
    (tmp_path / "kept.py").write_text("state = []\n")
    done = run("""
        sys.path.insert(0, os.environ["KEPT"])
        for i in range(3):
            boc.start(workers=1)
            @when(Cown(0))
            def f(c):
                import atexit, builtins, copyreg, logging, warnings
                import kept
                atexit.register(print, "callback", i)
                kept.state.append(1)
                seen = (len(kept.state), hasattr(builtins, "mine"), len(logging.getLogger("mine").filters),
                        warnings.filters[0][0] == "mine", threading.main_thread() is threading.current_thread())
                builtins.mine = 1
                logging.getLogger("mine").addFilter(print)
                sys.stdout = None
                return seen
            print(f.result(20))
            boc.wait()
    """, KEPT=str(tmp_path)).clean()
    assert done.out.count("(1, False, 0, False, True)") == 3, done.out


@pytest.mark.skipif(FREE_THREADED, reason="CPython's own looks at the threads of all interpreters there (docs/endings.md)")
def test_frames_of_threads_are_looked_at_while_workers_run() -> None:
    """debugpy and matplotlib call it; CPython's own takes frames of running workers into main's memory, and crashes."""
    done = run("""
        held = sys._current_frames
        ready = Cown(0)

        @when(Cown(0))
        def first(c): pass
        first.result(20)  # until then a thread without a name here may make the workers ready, on main as well

        def deep(n):
            return n and 1 + deep(n - 1)

        @when(ready)
        def look_too(ready):
            return len(sys._current_frames())

        bodies = []
        for c in [Cown(0), Cown(0)]:
            for i in range(200):
                @when(c)
                def body(c):
                    for _ in range(20):
                        deep(80)
                bodies.append(body)
        mine = {threading.get_ident()}
        while not all(b.done() for b in bodies):
            for _ in range(100):
                frames = held()
            assert mine <= set(frames) <= {t.ident for t in threading.enumerate()}, frames
        assert frames[threading.get_ident()] is sys._getframe(), frames
        print("looked", look_too.result(20) >= 1)
    """).clean()
    assert "looked True" in done.out
