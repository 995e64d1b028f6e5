"""A worker's side: streams, logging, warnings, environment, imports that are refused."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest
from boc._streams import WorkerStream

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters


class Sent(list):
    dirty = 0

    def mark(self):
        self.dirty += 1


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def stream(sent):
    return WorkerStream("<stdout>", 1, sent.append, sent.mark)


def test_whole_lines_leave_at_once(stream, sent):
    print("a", "b", file=stream)
    print("c\nd\ne", file=stream)
    assert "".join(sent) == "a b\nc\nd\ne\n"
    assert all(text.endswith("\n") for text in sent)


def test_part_of_a_line_waits_until_flushed(stream, sent):
    print("a", end="", file=stream)
    assert (sent, sent.dirty) == ([], 1)
    print("b", end="", file=stream)
    assert (sent, sent.dirty) == ([], 1)
    stream.flush()
    assert sent == ["ab"]
    stream.flush()
    assert sent == ["ab"]
    print("c", end="", file=stream, flush=True)
    assert sent == ["ab", "c"]


def test_lines_of_threads_do_not_mix(stream, sent):
    go_on = threading.Event()

    def prints():
        print("one", end=" ", file=stream)
        go_on.wait(10)
        print("line", file=stream)
        print("left", end="", file=stream)

    thread = threading.Thread(target=prints)
    thread.start()
    while not sent.dirty:
        pass
    print("another", end=" ", file=stream)
    go_on.set()
    thread.join()
    print("line", file=stream)
    assert sent == ["one line\n", "another line\n"]
    stream.flush()
    assert len(sent) == 2
    stream.flush_all()
    assert sent[2:] == ["left"]


def test_a_long_line_does_not_pile_up(stream, sent):
    for _ in range(10):
        stream.write("x" * 10_000)
    assert sent == ["x" * 70_000]


def test_it_is_a_standard_stream(stream):
    assert stream.isatty() is False
    assert stream.writable() and not stream.readable() and not stream.closed
    assert (stream.encoding, stream.fileno(), stream.name, stream.mode) == ("utf-8", 1, "<stdout>", "w")
    assert stream.write("abc") == 3
    stream.writelines(["a", "b"])
    stream.close()
    assert not stream.closed
    with pytest.raises(TypeError, match="must be str, not bytes"):
        stream.write(b"x")


def test_bytes_are_text(stream, sent):
    assert stream.buffer.write("é\n".encode()[:1]) == 1
    stream.buffer.write("é\n".encode()[1:])
    stream.buffer.write(b"\xff\n")
    stream.buffer.flush()
    assert sent == ["é\n", "\ufffd\n"]


def test_a_write_in_the_middle_of_a_write(sent):
    def send(text):
        sent.append(text)
        if len(sent) == 1:
            print("in", file=stream)

    stream = WorkerStream("<stdout>", 1, send, sent.mark)
    print("out", file=stream)
    assert sent == ["out\n", "in\n"]


def run(prelude, code, *args):
    command = [sys.executable, *args, "-c", prelude + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_setup_sends_prints_and_tracebacks(prelude):
    run(
        prelude,
        """
        from boc import _worker
        _worker.setup(0)
        print("hello"); print("part", end="")
        sys.stderr.write("oh\\n")
        _worker.body_end()
        assert sent[-2:] == [(2, "oh\\n", ""), (1, "part", "")] and "dirty" in sent, sent
        assert (1, "hello\\n", "") in sent
        """,
    )


def test_setup_is_light(prelude):
    out = run(
        prelude,
        """
        import __future__, io, types, warnings  # light themselves; from 3.14 on not all of them are there from the start
        before = set(sys.modules)
        from boc import _worker
        _worker.setup(0)
        sys.__stdout__.write(" ".join(set(sys.modules) - before))
        """,
        "-I",
    )
    new = {name for name in out.split() if not name.startswith("boc")}
    assert not new, new


def test_warnings_are_sent(prelude):
    run(
        prelude,
        """
        import marshal
        from boc import _worker
        _worker.setup(0)
        import warnings
        warnings.warn("look", UserWarning)
        kind, data, _ = sent[0]
        text, module, name, file, line = marshal.loads(data)
        assert (kind, text, module, name) == (4, "look", "builtins", "UserWarning")
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            warnings.warn("mine")
        assert len(seen) == 1 and len(sent) == 1
        """,
    )


@pytest.mark.parametrize("first", ["", "import logging"])
def test_logging_is_sent_whenever_it_is_imported(prelude, first):
    run(
        prelude,
        f"""
        import marshal
        {first}
        from boc import _worker
        _worker.setup(4)
        import os
        path = ["/x", *sys.path]
        _worker.apply_environment(marshal.dumps(({{b"A": b"1"}}, path, 1234, (10, 0, {{"lib": 40}}), None)))
        assert os.environ["A"] == "1" and len(os.environ) == 1
        assert sys.path == path and sys.getrecursionlimit() == 1234
        import logging
        logging.getLogger("mine").debug("value %d", 5)
        logging.getLogger("lib").warning("not this")
        logging.basicConfig()
        assert len(sent) == 1, sent
        kind, data, _ = sent[0]
        record, packed = marshal.loads(data)
        assert kind == 3 and packed is None
        assert (record["name"], record["worker"]) == ("mine", 4)
        assert (record["msg"], record["args"]) == ("value %d", (5,))
        _worker.apply_environment(marshal.dumps(({{}}, path, 1234, (30, 0, {{}}), None)))
        logging.getLogger("mine").info("no")
        logging.getLogger("lib").warning("now")
        assert len(sent) == 2
        """,
    )


def test_log_record_with_exception(prelude):
    run(
        prelude,
        """
        import marshal
        from boc import _worker
        _worker.setup(4)
        import logging
        class Odd(Exception): pass
        try:
            raise Odd("x", Odd)
        except Odd:
            logging.exception("failed")
        record, packed = marshal.loads(sent[0][1])
        assert record["msg"] == "failed"
        from boc import _raise
        assert "Odd" in str(type(_raise.unpack(packed)))
        """,
    )


def test_filters_arrive(prelude):
    run(
        prelude,
        """
        import warnings
        warnings.resetwarnings()
        warnings.filterwarnings("ignore", message="bor.*")
        warnings.filterwarnings("error", category=DeprecationWarning, module="zork")
        from boc import _environment, _worker
        data = _environment.changed()
        assert _environment.changed() is None
        _worker.setup(0)
        warnings.resetwarnings()
        _worker.apply_environment(data)
        warnings.warn("boring")
        warnings.warn("news")
        assert len(sent) == 1
        try:
            warnings.warn_explicit("old", DeprecationWarning, "f", 1, module="zork")
        except DeprecationWarning:
            pass
        else:
            raise AssertionError
        """,
    )


def test_every_change_of_main_is_noticed(prelude):
    run(
        prelude,
        """
        import logging, os, warnings
        from boc import _environment
        assert _environment.changed() is not None
        changes = [
            lambda: os.environ.__setitem__("BOC_X", "1"),
            lambda: os.environ.pop("BOC_X"),
            lambda: sys.path.append("/y"),
            lambda: sys.setrecursionlimit(3000),
            lambda: logging.getLogger("a").setLevel(10),
            lambda: logging.getLogger().setLevel(10),
            lambda: logging.disable(20),
            lambda: warnings.simplefilter("ignore"),
        ]
        for change in changes:
            assert _environment.changed() is None
            change()
            assert _environment.changed() is not None
        _environment.forget()
        assert _environment.changed() is not None
        """,
    )


def test_hooks_survive_a_failed_import_and_run_once(prelude, tmp_path):
    text = "import sys\nif not hasattr(sys, 'go'): raise ValueError\ncown = 'own'\n"
    (tmp_path / "late_module.py").write_text(text)
    run(
        prelude,
        f"""
        sys.path.insert(0, {str(tmp_path)!r})
        from boc import _worker
        _worker.setup(0)
        _worker.after_import("late_module", lambda module: setattr(module, "cown", "main's"))
        try:
            import late_module
        except ValueError:
            sys.go = True
        import late_module
        assert late_module.cown == "main's"
        for loader in (late_module.__loader__, late_module.__spec__.loader):
            assert type(loader).__name__ == "SourceFileLoader"
        _worker.after_import("late_module", lambda module: setattr(module, "cown", "newer"))
        assert late_module.cown == "newer"
        """,
    )


def test_importing_knows_a_modules_top_level(prelude, tmp_path):
    text = "from boc import _worker\ndef ask(): return _worker.importing()\ntop = ask()\n"
    (tmp_path / "asks.py").write_text(text)
    run(
        prelude,
        f"""
        sys.path.insert(0, {str(tmp_path)!r})
        from boc import _worker
        import asks
        assert asks.top is True and asks.ask() is False
        """,
    )


def in_interpreter(prelude, code):
    """Run code in an isolated interpreter; a failure comes back as text."""
    index = interpreters.create()
    try:
        result = interpreters.run_string(index, prelude + textwrap.dedent(code))
        assert result is None, result
    finally:
        interpreters.destroy(index)


def test_refused_modules_say_the_way_out(prelude):
    pytest.importorskip("readline")
    in_interpreter(
        prelude,
        """
        from boc import _refused, _worker
        _worker.setup(0)
        for i in range(2):
            try:
                import readline
            except ImportError as e:
                assert "PinnedCown" in str(e) and "on='main'" in str(e), e
                assert e.name == "readline"
                first = e
            else:
                raise AssertionError("it loads")
        import json
        """,
    )


def test_a_wrapped_refusal_is_shortened():
    from boc import _raise

    inner = ImportError("module numpy._core._multiarray_umath does not support loading in subinterpreters")
    outer = ImportError("\n\nIMPORTANT: PLEASE READ THIS\n\n" + "x\n" * 50 + f"Original error was: {inner}\n")
    outer.__cause__ = inner
    back = _raise.unpack(_raise.pack(outer))
    assert str(back).startswith("numpy does not load in workers")
    assert "\n" not in str(back) and back.msg == str(back)
    assert isinstance(back.__cause__, ImportError)
    other = ImportError("no such thing")
    assert str(_raise.unpack(_raise.pack(other))) == "no such thing"


def test_a_failed_import_behind_another_is_named():
    from boc import _raise

    inner = ImportError("module numpy._core._multiarray_umath does not support loading in subinterpreters")
    outer = ImportError("Unable to import required dependency numpy.\nSee the traceback.")
    outer.__cause__ = inner
    text = str(_raise.unpack(_raise.pack(outer)))
    assert text.startswith("Unable to import required dependency numpy. (numpy does not load in workers")
    assert "PinnedCown" in text
