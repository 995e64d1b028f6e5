"""stop(), Ctrl-C and threads: what interrupts, what is abandoned, who may still schedule while the program ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from programs import environ, run, source


@pytest.mark.parametrize("body", ["pass", "eval('1')"], ids=["loops", "evaluates"])
def test_ctrl_c_ends_the_program(body: str) -> None:
    """By the signal, as without boc: also if CPython's note of it is lost, since bodies evaluate text meanwhile."""
    code = source(f"""
@when(Cown(0))
def f(c):
    while True: {body}
print("waiting", flush=True)
boc.wait()
""")
    child = subprocess.Popen([sys.executable, "-u", "-c", code], env=environ(), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.readline()
    time.sleep(0.2)  # into the wait: there is no event for "sleeps now"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert "work pending" in err


STUCK = {
    "sleeps": "time.sleep(1000)",
    "swallows": """
    def spin():
        while True: pass
    while True:
        try: spin()
        except BaseException: pass""",
    "keeps the GIL": "re.match('(a+)+$', 'a' * 60 + 'b')",
}


@pytest.mark.parametrize("body", STUCK)
def test_stop_abandons_what_is_stuck(body: str) -> None:
    done = run(f"""
r, w = os.pipe()
c = Cown(0)
import re
@when(c)
def f(c):
    re.compile("a")
    os.write(w, b".")
    {STUCK[body].strip()}
os.read(r, 1)
time.sleep(0.2)  # until it is inside: what is inside gives no sign
begun = time.monotonic()
boc.stop()
print("stopped after", time.monotonic() - begun)
try:
    f.result(5)
except boc.WorkerDied as e:
    print("died:", e)
for i in range(3):
    @when(Cown(i))
    def g(c): return c.value
    print("anew", g.result(20))
    boc.wait()
""").clean()
    assert 0.9 < float(done.out.split("stopped after")[1].split()[0]) < 3
    assert "died:" in done.out
    assert "anew 2" in done.out


def test_stop_interrupts_what_runs() -> None:
    done = run("""
        r, w = os.pipe()
        c = Cown(0)
        @when(c)
        def f(c):
            try:
                os.write(w, b".")
                while True: c.value += 1
            finally:
                print("cleaned up")
        @when(c)
        def queued(c): print("ran late")
        os.read(r, 1)
        boc.stop()
        for one in f, queued:
            try:
                one.result(5)
            except boc.Cancelled:
                print("cancelled")
    """).clean()
    assert done.out.count("cancelled") == 2
    assert "ran late" not in done.out


def test_an_interrupt_hits_no_other_behavior() -> None:
    """Bodies that end while they are interrupted; those that follow on the worker must not feel it."""
    done = run("""
        boc.start(workers=1)
        c = Cown(0)
        hit = 0
        for i in range(300):
            @when(c)
            def short(c):
                for _ in range(200): pass
            @when(c)
            def after(c): return "well"
            if i % 3 == 0: time.sleep(0.0002)
            boc.cancel(short, interrupt=True)
            assert after.result(20) == "well"
        print("none hit")
    """).clean()
    assert "none hit" in done.out


@pytest.mark.parametrize("how", ["cancel", "stop"])
def test_an_import_that_was_interrupted_works_next_time(how: str) -> None:
    done = run(f"""
        from importlib import import_module
        boc.start(workers=1)
        for i in range(12):
            r, w = os.pipe()
            @when(Cown(0))
            def f(c):
                for name in [n for n in sys.modules if n.partition(".")[0] in ("asyncio", "xml", "email", "unittest")]:
                    del sys.modules[name]
                os.write(w, b".")
                for name in ("asyncio", "unittest", "email.mime.text", "xml.dom.minidom"):
                    import_module(name)
            os.read(r, 1)
            time.sleep(i * 0.008)
            {"boc.cancel(f, interrupt=True)" if how == "cancel" else "boc.stop(); boc.start(workers=1)"}
            @when(Cown(0))
            def g(c):
                for name in ("asyncio", "unittest", "email.mime.text", "xml.dom.minidom"):
                    import_module(name)
                return "imported"
            assert g.result(20) == "imported", g.result(20)
        print("all", g.result(20))
    """, timeout=60).clean()
    assert "all imported" in done.out


def test_interrupts_at_random_while_bodies_import(tmp_path) -> None:
    """Whatever they hit, none is lost, and the same workers import the same modules afterwards."""
    package = tmp_path / "fresh"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for i in range(20):
        inner = "".join(f"import fresh.m{j}\n" for j in range(i + 1, min(i + 3, 20)))
        (package / f"m{i}.py").write_text(f"{inner}x = {i}\n")
    done = run("""
        import random
        sys.path.insert(0, os.environ["FRESH"])
        random.seed(7)
        boc.start(workers=2)
        def again(c):
            from importlib import import_module
            while True:
                for name in [n for n in sys.modules if n.partition(".")[0] == "fresh"]:
                    del sys.modules[name]
                for i in range(20):
                    import_module(f"fresh.m{i}")
        def once(c):
            import fresh.m0, fresh.m7, fresh.m19
            return sum(sys.modules[f"fresh.m{i}"].x for i in range(20))
        for i in range(60):
            bodies = [when(Cown(0))(again) for _ in range(2)]
            time.sleep(random.random() * 0.01)
            boc.cancel(*bodies, interrupt=True)
            for body in bodies:
                try:
                    body.result(20)
                except boc.Cancelled:
                    pass
            assert [when(Cown(0))(once).result(20) for _ in range(2)] == [190, 190]
        print("none lost")
    """, FRESH=str(tmp_path), timeout=100).clean()
    assert "none lost" in done.out
    assert "Interrupted" not in done.err


def test_an_import_that_does_not_end_is_interrupted(tmp_path) -> None:
    (tmp_path / "endless.py").write_text("import os\nos.write(int(os.environ['BEGUN']), b'.')\nwhile True: pass\n")
    done = run("""
        sys.path.insert(0, os.environ["WHERE"])
        r, w = os.pipe()
        os.environ["BEGUN"] = str(w)
        @when(Cown(0))
        def f(c):
            import endless
        os.read(r, 1)
        print("stopped", boc.cancel(f, interrupt=True))
        try:
            f.result(20)
        except boc.Cancelled:
            print("cancelled")
    """, WHERE=str(tmp_path)).clean()
    assert "stopped 1" in done.out
    assert "cancelled" in done.out


def test_an_interrupt_that_a_destructor_swallows_comes_again() -> None:
    done = run("""
        boc.start(workers=1)
        def body(c):
            class Slow:
                def __del__(self):
                    for _ in range(200): pass
            while True:
                Slow()
        for i in range(30):
            g = when(Cown(0))(body)
            time.sleep(0.001 + i * 0.0001)
            boc.cancel(g, interrupt=True)
            try:
                g.result(20)
            except boc.Cancelled:
                pass
        print("none lost")
    """).clean()
    assert "none lost" in done.out
    assert "Interrupted" not in done.err


def test_an_interrupt_before_the_body_begins_is_kept() -> None:
    """A worker has taken the behavior and makes its captures: that is no time to miss it."""
    done = run("""
        boc.start(workers=1)
        big = [str(i) for i in range(100_000)]
        for i in range(20):
            c = Cown(big)
            @when(c)
            def f(c):
                while big:
                    pass
            while not boc.stacks() and not f.done():
                pass
            assert boc.cancel(f, interrupt=True) == 1
            try:
                f.result(20)
            except boc.Cancelled:
                pass
        print("none lost")
    """, timeout=60).clean()
    assert "none lost" in done.out


def test_an_interrupt_of_a_body_that_waits_in_threading() -> None:
    """Not between a wait and the lock's new hold, where it would become an error of a lock that nobody holds."""
    done = run("""
        import queue
        def event():
            threading.Event().wait(0.01)
        def get():
            try: queue.Queue().get(timeout=0.01)
            except queue.Empty: pass
        r, w = os.pipe()
        for wait in (event, get):
            @when(Cown(0))
            def f(c):
                os.write(w, b".")
                while True: wait()
            os.read(r, 1)
            time.sleep(0.05)
            assert boc.cancel(f, interrupt=True) == 1
            try: print(f.result(20))
            except BaseException as e: print(type(e).__name__)
    """).clean()
    assert done.out.endswith("Cancelled\nCancelled\n")


def test_an_interrupt_while_a_value_is_decoded_reaches_a_short_body() -> None:
    done = run("""
        class Slow:
            def __reduce__(self): return (made, ())
        def made():
            os.write(w, b".")
            until = time.monotonic() + 0.2
            while time.monotonic() < until: pass
            return Slow()
        r, w = os.pipe()
        c = Cown(Slow())
        @when(c)
        def f(c): return "ran"
        os.read(r, 1)
        assert boc.cancel(f, interrupt=True) == 1
        try: print(f.result(20))
        except boc.Cancelled as e: print("cancelled")
    """).clean()
    assert done.out.endswith("cancelled\n")


def test_threads_that_go_on_while_the_program_ends() -> None:
    done = run("""
        def late():
            time.sleep(0.3)
            @when(Cown(20))
            def f(c): return c.value + 1
            print("late thread got", f.result(20), flush=True)
        def for_ever():
            while True:
                try:
                    @when(Cown(0))
                    def f(c): pass
                except RuntimeError:
                    return
        threading.Thread(target=late).start()
        for _ in range(2):
            threading.Thread(target=for_ever, daemon=True).start()
        sys.exit(3)
    """).clean(3)
    assert "late thread got 21" in done.out


def test_an_executor_that_waits_while_the_program_ends() -> None:
    done = run("""
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(2)
        def work(i):
            try:
                @when(Cown(i))
                def f(c):
                    time.sleep(0.05)
                    return c.value
                print(f"got {f.result(20)}\\n", end="", flush=True)
            except BaseException as e:
                print("raised", repr(e))
        for i in range(4): pool.submit(work, i)
    """).clean()
    assert done.out.count("got") == 4, done.out


def test_scheduling_after_the_end_says_that_the_program_ends() -> None:
    done = run("""
        def late(when=when, Cown=Cown):
            try:
                @when(Cown(0))
                def f(c): pass
            except RuntimeError as e:
                print("refused:", e)
        @when(Cown(0))
        def f(c): pass
        f.result(20)
        class Late:
            # As the modules are cleared, after all callbacks. Free-threaded builds have set the names to None by then.
            def __del__(self, late=late): late()
        keep = Late()
    """).clean()
    assert "refused: the program ends" in done.out


def test_no_worker_in_a_foreign_interpreter() -> None:
    done = run("""
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        boc.start(workers=1)
        i = interpreters.create()
        code = "import sys; sys.path[:] = %r\\ntry:\\n import boc\\nexcept ImportError as e:\\n print('said:', e, flush=True)" % sys.path
        try:
            print(interpreters.run_string(i, code))
        except Exception as e:
            print("said:", e)
        interpreters.destroy(i)
    """).clean()
    assert "said:" in done.out
