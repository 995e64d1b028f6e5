"""Children of a program with workers: the child of a fork lives, has no runtime of its parent's, and can begin its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from programs import environ, run

STATES = {
    "starting": "boc.start(workers=2)",
    "idle": """
        @when(Cown(0))
        def f(c): pass
        f.result(10)
    """,
    "busy": """
        @when(Cown(0))
        def f(c):
            import pickle
            while True:
                pickle.dumps(list(range(1000)))
        @when(Cown(0))
        def g(c): time.sleep(1000)
        time.sleep(0.1)
    """,
}

CHILD = """
    old = Cown({"a": 1})
    def child():
        import json, threading
        t = threading.Thread(target=json.dumps, args=({},))
        t.start(); t.join()
        try:
            @when(old)
            def no(c): pass
        except RuntimeError as e:
            assert "fork" in str(e), e
        else:
            raise AssertionError("a cown of before was scheduled on")
        new = Cown(20)
        @when(new)
        def yes(c):
            c.value += 1
            return c.value * 2
        assert yes.result(20) == 42
        boc.wait()
        print("child is well", flush=True)
"""

WAYS = {
    "os.fork": """
        pid = os.fork()
        if pid == 0:
            child()
            sys.exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    """,
    "os.fork, os._exit": """
        pid = os.fork()
        if pid == 0:
            child()
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    """,
    "from a thread": """
        def in_thread():
            pid = os.fork()
            if pid == 0:
                child()
                os._exit(5)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
            print("forked", flush=True)
        t = threading.Thread(target=in_thread)
        t.start(); t.join()
    """,
    "multiprocessing fork": """
        import multiprocessing
        p = multiprocessing.get_context("fork").Process(target=child)
        p.start(); p.join(20)
        assert p.exitcode == 0, p.exitcode
    """,
    "pool fork": """
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
        print("child is well")
    """,
    "pty.fork": """
        import pty
        pid, fd = pty.fork()
        if pid == 0:
            child()
            os._exit(5)
        text = b""
        while b"well" not in text:
            text += os.read(fd, 1000)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        print("child is well")
    """,
    "subprocess": """
        import subprocess
        print(subprocess.run([sys.executable, "-c", "print('child is well')"], capture_output=True, text=True,
                             check=True).stdout)
    """,
    "preexec_fn": """
        import subprocess
        print(subprocess.run([sys.executable, "-c", "print('child is well')"], capture_output=True, text=True,
                             check=True, preexec_fn=os.getpid).stdout)
    """,
    "os.system": """
        assert os.system("exit 3") >> 8 == 3
        print("child is well")
    """,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", STATES)
def test_a_child_of_main(state: str, way: str) -> None:
    code = "\n".join(textwrap.dedent(part) for part in (STATES[state], CHILD, WAYS[way]))
    done = run(code, "-W", "ignore").clean()
    assert "child is well" in done.out, done.err


def test_a_child_that_is_born_while_a_line_is_written_and_an_update_runs() -> None:
    done = run("""
        writing, updating, go_on = threading.Event(), threading.Event(), threading.Event()
        class Slow:
            def write(self, text):
                if "slow" in text:
                    writing.set()
                    go_on.wait(60)
            def flush(self): pass
        own, sys.stdout = sys.stdout, Slow()
        @when(Cown(0))
        def f(c): print("slow")
        assert writing.wait(20)  # the service has its lock
        pid = os.fork()
        if pid == 0:
            sys.stdout = own
            assert boc._service._lock.acquire(blocking=False)
            boc._service._lock.release()
            @when(Cown(0))
            def g(c):
                print("the child writes")
                boc.notice_update("n", lambda n: n + 1, 0)
            boc.quiesce(30)
            boc.notice_sync(30)
            assert boc.notice_read("n") == 1
            own.flush()
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        go_on.set()
        sys.stdout = own
        go_on.clear()
        atexit.events = updating, go_on  # an event cannot be captured; its module goes by name
        boc.notice_update("k", lambda n: [atexit.events[0].set(), atexit.events[1].wait(60)][1], 0)
        assert updating.wait(20)  # somebody of the program has the board
        pid = os.fork()
        if pid == 0:
            assert boc._service._notice_lock.acquire(blocking=False)
            boc._service._notice_lock.release()
            boc.notice_update("n", lambda n: n + 1, 0)
            boc.notice_sync(30)
            assert boc.notice_read("n") == 1
            boc.stop()
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        go_on.set()
        print("well", flush=True)
    """, "-W", "ignore").clean()
    assert "the child writes" in done.out and "well" in done.out, done.err


def test_a_cown_of_before_is_refused_in_every_way() -> None:
    done = run("""
        idle, live = Cown(1), Cown([])
        @when(live)
        def f(c): c.value.append(1)
        boc.quiesce()
        ways = {"value": lambda c: c.value, "result": lambda c: c.result(5), "acquire": lambda c: c.acquire(),
                "with": lambda c: c.__enter__(), "unwrap": lambda c: c.unwrap(),
                "when": lambda c: boc.whencall(print, [c])}
        hold = Cown(0)
        hold.acquire()
        queued = boc.whencall(print, [hold])
        pid = os.fork()
        if pid == 0:
            for c in (idle, live, f):
                for name, way in ways.items():
                    try:
                        print(name, "gave", way(c))
                    except RuntimeError as e:
                        if name != "value":
                            assert "fork" in str(e), (name, e)
            try:
                print("cancel gave", boc.cancel(queued))
            except RuntimeError as e:
                assert "fork" in str(e), e
            new = Cown(0)
            assert boc.whencall(lambda a: a.value, [new]).result(20) == 0
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        assert boc.cancel(queued) == 1
        hold.release()
    """, "-W", "ignore").clean()
    assert "gave" not in done.out, done.out


def test_the_parent_goes_on_after_a_fork() -> None:
    done = run("""
        c = Cown(0)
        for i in range(5):
            @when(c)
            def f(c): c.value += 1
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        print(c.result(10))
    """, "-W", "ignore").clean()
    assert "5" in done.out


def test_a_child_has_no_statistics_of_its_parent() -> None:
    run("""
        boc.start(2)
        @when()
        def f(): pass
        f.result(10)
        for end in (boc.quiesce, boc.wait):
            end()
            assert len(boc.scheduler_stats()) == 2
            pid = os.fork()
            if pid == 0:
                assert boc.scheduler_stats() == [] == boc.wait(stats=True)
                boc.start(3)
                assert len(boc.scheduler_stats()) == 3
                sys.exit(5)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    """, "-W", "ignore").clean()


def test_a_child_of_a_child() -> None:
    done = run("""
        def generation(n):
            c = Cown(n)
            @when(c)
            def f(c): return c.value
            assert f.result(20) == n
            if n == 3:
                print("great-grandchild", flush=True)
                return
            pid = os.fork()
            if pid == 0:
                generation(n + 1)
                sys.exit(n)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == n
        generation(0)
    """, "-W", "ignore").clean()
    assert "great-grandchild" in done.out


def test_spawn(tmp_path) -> None:
    program = tmp_path / "spawns.py"
    program.write_text("""
import multiprocessing
from boc import Cown, when

def square(x):
    c = Cown(x)
    @when(c)
    def f(c): return c.value ** 2
    return f.result(20)

if __name__ == "__main__":
    c = Cown(3)
    @when(c)
    def f(c): return c.value
    assert f.result(10) == 3
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(square, range(4)))
""")
    done = subprocess.run([sys.executable, program], env=environ(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[0, 1, 4, 9]"), done.stderr


def test_a_body_runs_programs_and_cannot_fork() -> None:
    done = run("""
        @when(Cown(0))
        def f(c):
            import subprocess
            out = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True).stdout
            assert os.system("exit 3") >> 8 == 3
            try:
                os.fork()
            except RuntimeError as e:
                return out, str(e)
        print(f.result(20))
    """).clean()
    assert "42" in done.out
    assert "fork" in done.out


def test_a_body_can_terminate_its_child() -> None:
    done = run("""
        @when(Cown(0))
        def f(c):
            import subprocess
            p = subprocess.Popen([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(1000)"],
                                 stdout=subprocess.PIPE)
            p.stdout.readline()
            p.terminate()
            return p.wait(10)
        print("ended by", f.result(20))
    """).clean()
    assert "ended by -15" in done.out
