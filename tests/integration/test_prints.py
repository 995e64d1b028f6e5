"""What bodies print reaches the program's own streams, whole lines, before a wait returns."""

from __future__ import annotations

from running import script


def test_prints_reach_stdout_before_wait_returns(tmp_path):
    done = script(
        tmp_path,
        """
        import sys
        from boc import Cown, when, wait
        c = Cown(0)
        for i in range(3):
            @when(c)
            def count(c):
                print("body", i)
                print("err", i, file=sys.stderr)
        wait()
        print("after")
        """,
    )
    assert done.out == "body 0\nbody 1\nbody 2\nafter\n"
    assert done.err == "err 0\nerr 1\nerr 2\n"


def test_redirect_stdout_catches_what_bodies_print(tmp_path):
    done = script(
        tmp_path,
        """
        import contextlib, io
        from boc import Cown, when, quiesce, wait
        c = Cown(0)
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            @when(c)
            def _(c): print("caught")
            quiesce()
        @when(c)
        def _(c): print("free")
        wait()
        print(repr(text.getvalue()))
        """,
    )
    assert done.out == "free\n'caught\\n'\n"


def test_lines_of_many_workers_stay_whole(tmp_path):
    done = script(
        tmp_path,
        """
        from boc import Cown, when, wait, start
        start(workers=4)
        for i in range(200):
            @when(Cown(i))
            def _(c):
                for j in range(5):
                    print("a" * 50, "b" * 50, sep="-", end="")
                    print("", "c" * 50, sep="-")
        wait()
        """,
    )
    lines = done.out.splitlines()
    assert len(lines) == 1000
    assert set(lines) == {"a" * 50 + "-" + "b" * 50 + "-" + "c" * 50}


def test_a_partial_line_is_out_when_the_body_ended(tmp_path):
    done = script(
        tmp_path,
        """
        from boc import Cown, when, wait
        c = Cown(0)
        for part in ("one", " two"):
            @when(c)
            def _(c): print(part, end="")
        wait()
        print("!")
        """,
    )
    assert done.out == "one two!\n"


def test_everything_that_writes_to_stdout(tmp_path):
    done = script(
        tmp_path,
        """
        import sys
        from boc import Cown, when, wait
        @when(Cown(0))
        def _(c):
            sys.stdout.write("write\\n")
            sys.stdout.writelines(["a\\n", "b\\n"])
            sys.stdout.buffer.write(b"bytes\\n")
            print("é ☃ \\ud800")
            print("flushed", end="", flush=True)
            print()
            assert not sys.stdout.isatty() and sys.stdout.encoding == "utf-8" and sys.stdout.fileno() == 1
        wait()
        """,
        env={"PYTHONIOENCODING": "utf-8"},
    )
    assert done.out == "write\na\nb\nbytes\né ☃ \\ud800\nflushed\n"


def test_prints_of_a_body_that_raises_or_is_last(tmp_path):
    done = script(
        tmp_path,
        """
        from boc import Cown, when
        @when(Cown(0))
        def body(c):
            print("before")
            raise ValueError("x")
        body.result if False else None
        try:
            body.result()
        except ValueError as e:
            print("got", e)
        """,
    )
    assert done.out == "before\ngot x\n"


def test_result_is_after_the_prints_of_its_body(tmp_path):
    done = script(
        tmp_path,
        """
        from boc import Cown, when
        c = Cown(0)
        for i in range(50):
            @when(c)
            def r(c):
                print("body", i)
                return i
            print("main", r.result())
        """,
    )
    assert done.out == "".join(f"body {i}\nmain {i}\n" for i in range(50))


def test_output_of_threads_of_a_body(tmp_path):
    done = script(
        tmp_path,
        """
        from boc import Cown, when, wait
        @when(Cown(0))
        def _(c):
            import threading
            threads = [threading.Thread(target=print, args=("thread", i)) for i in range(3)]
            for t in threads: t.start()
            for t in threads: t.join()
        wait()
        """,
    )
    assert sorted(done.out.splitlines()) == ["thread 0", "thread 1", "thread 2"]


def test_what_a_thread_of_a_body_leaves_of_a_line_comes_out(tmp_path):
    done = script(
        tmp_path,
        """
        from boc import Cown, when, wait
        @when(Cown(0))
        def _(c):
            import threading
            t = threading.Thread(target=print, args=("no end",), kwargs={"end": ""})
            t.start(); t.join()
        wait()
        """,
    )
    assert done.out == "no end"


def test_much_output_is_complete(tmp_path):
    done = script(
        tmp_path,
        """
        from boc import Cown, when, wait
        @when(Cown(0))
        def _(c):
            for i in range(20000):
                print(i)
        wait()
        """,
    )
    assert done.out == "".join(f"{i}\n" for i in range(20000))


def test_a_closed_stdout_does_not_stop_the_program(tmp_path):
    done = script(
        tmp_path,
        """
        import io, sys
        from boc import Cown, when, wait
        sys.stdout = io.StringIO()
        sys.stdout.close()
        @when(Cown(0))
        def r(c):
            print("lost")
            return 5
        wait()
        sys.stdout = sys.__stdout__
        print("end")
        """,
    )
    assert done.out == "end\n"
    assert done.err.count("could not be delivered") == 1
