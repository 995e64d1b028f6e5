"""Main's side of output: routing, order, coalescing, broken sinks, unseen exceptions, notices."""

from __future__ import annotations

import contextlib
import io
import logging
import marshal
import os
import sys
import threading
import time
import warnings

import pytest
from boc import _kinds, _raise, _service, _worker


def caught(f):
    try:
        f()
    except BaseException as e:
        return e
    raise AssertionError("did not raise")


def out_of(core, *texts, kind=_kinds.OUT):
    for text in texts:
        core.emit(kind, text)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        _service.drain()
    return out.getvalue(), err.getvalue()


def test_text_goes_to_the_streams_of_the_moment(core):
    assert out_of(core, "a\n", "b\n") == ("a\nb\n", "")
    assert out_of(core, "a\n", kind=_kinds.ERR) == ("", "a\n")
    assert out_of(core, b"bytes \xc3\xa9\n") == ("bytes é\n", "")


def test_neighbours_are_written_together(core):
    class Stream(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            return super().write(text)

    for i in range(100):
        core.emit(_kinds.OUT, f"{i}\n")
    core.behavior = (8, "other", 3, 0)
    core.emit(_kinds.OUT, "other\n")
    stream = Stream()
    with contextlib.redirect_stdout(stream):
        _service.drain()
    assert stream.writes == 2
    assert stream.getvalue().endswith("99\nother\n")


def test_the_thread_delivers_without_a_wait(core):
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        _service.start()
        thread = _service._threads[os.getpid()]
        assert thread.name == "boc-service" and thread.daemon
        _service.start()
        assert _service._threads[os.getpid()] is thread
        core.emit(_kinds.OUT, "x\n")
        deadline = time.monotonic() + 10
        while stream.getvalue() != "x\n":
            assert time.monotonic() < deadline
            core.event.wait(0.01)
        core.emit(_kinds.OUT, "last\n")
        _service.stop()
    assert stream.getvalue() == "x\nlast\n"
    thread.join(10)
    assert not thread.is_alive()


def test_an_encoding_that_cannot_write_it(core, monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    core.emit(_kinds.OUT, "é\n")
    with contextlib.redirect_stdout(stream):
        _service.drain()
    assert raw.getvalue() == b"\\xe9\n"


def test_a_broken_stream_is_told_once_and_never_raises(core, monkeypatch):
    class Broken(io.StringIO):
        def write(self, text):
            raise OSError("disk full")

    real = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", real)
    with contextlib.redirect_stdout(Broken()):
        for _ in range(3):
            core.emit(_kinds.OUT, "x\n")
            _service.drain()
    assert real.getvalue().count("disk full") == 1


def test_no_stream_at_all(core, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    core.emit(_kinds.OUT, "x\n")
    _service.drain()


def test_drain_gives_up_where_the_writer_needs_a_lock_of_the_caller(core, monkeypatch):
    monkeypatch.setattr(_service, "_STUCK_S", 0.1)
    mine = threading.Lock()
    entered = threading.Event()

    class Stream(io.StringIO):
        def write(self, text):
            entered.set()
            with mine:
                return super().write(text)

    stream = Stream()
    core.emit(_kinds.OUT, "x\n")
    with contextlib.redirect_stdout(stream):
        with mine:
            other = threading.Thread(target=_service.drain)
            other.start()
            assert entered.wait(10)
            _service.drain()
            assert stream.getvalue() == ""
        other.join(10)
    assert stream.getvalue() == "x\n"


def test_drain_waits_for_a_writer_that_moves(core):
    entered, go = threading.Event(), threading.Event()

    class Stream(io.StringIO):
        def write(self, text):
            entered.set()
            go.wait(10)
            return super().write(text)

    stream = Stream()
    core.emit(_kinds.OUT, "x\n")
    with contextlib.redirect_stdout(stream):
        other = threading.Thread(target=_service.drain)
        other.start()
        assert entered.wait(10)
        threading.Timer(0.1, go.set).start()
        _service.drain()
        assert stream.getvalue() == "x\n"
    other.join(10)


def test_drain_inside_a_write(core):
    class Stream(io.StringIO):
        def write(self, text):
            _service.drain()
            return super().write(text)

    stream = Stream()
    core.emit(_kinds.OUT, "x\n")
    with contextlib.redirect_stdout(stream):
        _service.drain()
    assert stream.getvalue() == "x\n"


# ---- sink ------------------------------------------------------------------


def test_a_sink_may_take_anything(core, monkeypatch):
    got = []
    monkeypatch.setattr(_service, "sink", lambda *a: got.append(a) or True)
    core.emit(_kinds.OUT, "x\n")
    core.emit(_kinds.DISPLAY, b"{}", "plain")
    core.emit(_kinds.HINT, "hint", "key")
    core.emit(_kinds.UNSEEN, ValueError("v"))
    assert out_of(core) == ("", "")
    assert got[0] == (_kinds.OUT, "x\n", 3, "cook")
    assert got[1] == (_kinds.DISPLAY, (b"{}", "plain"), 3, "cook")
    assert got[2] == (_kinds.HINT, "hint", 3, "cook")
    text, error = got[3][1]
    assert "ValueError: v" in text and isinstance(error, ValueError)


def test_a_sink_may_decline_or_break(core, monkeypatch):
    monkeypatch.setattr(_service, "sink", lambda *a: False)
    assert out_of(core, "x\n") == ("x\n", "")
    real = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", real)
    monkeypatch.setattr(_service, "sink", lambda *a: 1 / 0)
    assert out_of(core, "x\n", "y\n") == ("x\ny\n", "")
    assert out_of(core, "z\n") == ("z\n", "")
    assert real.getvalue().count("ZeroDivisionError") == 1


def test_display_without_a_notebook_is_its_text(core):
    core.emit(_kinds.DISPLAY, b"{}", "<Figure>")
    assert out_of(core) == ("<Figure>\n", "")


# ---- logging, warnings, hints ----------------------------------------------


class Keep(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def kept():
    handler = Keep()
    logger = logging.getLogger("boc_test")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.records
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def send_record(core, *args, exc_info=None, extra=None):
    logger = logging.getLogger("boc_test")
    record = logger.makeRecord("boc_test", *args, exc_info, extra=extra)
    core.emit(_kinds.LOG, _worker._record_bytes(record))


def test_log_records_arrive_whole(core, kept):
    exc = caught(lambda: 1 / 0)
    info = (type(exc), exc, exc.__traceback__)
    extra = {"job": 5, "o": object}
    send_record(core, logging.INFO, "f.py", 4, "%s and %d", ("a", 2), exc_info=info, extra=extra)
    _service.drain()
    (record,) = kept
    assert record.getMessage() == "a and 2"
    assert (record.msg, record.args, record.lineno, record.levelname) == ("%s and %d", ("a", 2), 4, "INFO")
    assert (record.behavior, record.worker, record.job, record.o) == ("cook", -1, 5, repr(object))
    assert record.exc_info[0] is ZeroDivisionError
    assert "1 / 0" in logging.Formatter().format(record)


def test_log_messages_that_are_objects(core, kept):
    send_record(core, logging.INFO, "f.py", 4, ["x"], ())
    send_record(core, logging.INFO, "f.py", 4, "%s", (Keep,))
    _service.drain()
    assert [r.getMessage() for r in kept] == ["['x']", str(Keep)]


def test_levels_of_main_decide(core, kept):
    send_record(core, logging.DEBUG, "f.py", 4, "quiet", ())
    _service.drain()
    assert kept == []


def warn(core, text="w", category=DeprecationWarning, line=3):
    data = (text, category.__module__, category.__qualname__, "some_file.py", line)
    core.emit(_kinds.WARN, marshal.dumps(data))


def test_a_warning_of_several_workers_is_shown_once(core):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            warn(core)
        warn(core, line=4)
        _service.drain()
    assert [(str(w.message), w.category, w.filename, w.lineno) for w in shown] == [
        ("w", DeprecationWarning, "some_file.py", 3),
        ("w", DeprecationWarning, "some_file.py", 4),
    ]


def test_a_warning_that_main_makes_an_error(core):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn(core)
        assert "DeprecationWarning: w" in out_of(core)[1]


def test_around_wraps_what_handlers_print(core, monkeypatch, kept):
    seen = []

    @contextlib.contextmanager
    def around(origin):
        seen.append(origin)
        yield

    monkeypatch.setattr(_service, "around", around)
    send_record(core, logging.INFO, "f.py", 4, "x", ())
    _service.drain()
    assert seen == [3]
    assert len(kept) == 1


def test_a_hint_is_given_once(core, caplog):
    for _ in range(3):
        core.emit(_kinds.HINT, "put it in a Cown", "f.py:3:x")
    core.emit(_kinds.HINT, "put it in a Cown", "f.py:4:x")
    _service.drain()
    assert [(r.name, r.levelname, r.behavior) for r in caplog.records] == [("boc", "WARNING", "cook")] * 2


# ---- unseen exceptions -----------------------------------------------------


def fail(n):
    raise ValueError(f"number {n}")


def test_unseen_exceptions_are_reported_with_their_lines(core):
    core.emit(_kinds.UNSEEN, _raise.pack(caught(lambda: fail(1)), 2))
    err = out_of(core)[1]
    assert err.startswith("Exception in behavior 'cook', which nobody looked at:\nTraceback")
    assert 'raise ValueError(f"number {n}")' in err
    assert err.endswith("ValueError: number 1\n")


def test_after_five_alike_only_a_count_grows(core):
    for i in range(8):
        core.emit(_kinds.UNSEEN, caught(lambda i=i: fail(i)))
    err = out_of(core)[1]
    assert err.count("Traceback") == 5
    assert "number 4" in err and "number 5" not in err
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        _service.flush_unseen()
        _service.flush_unseen()
    assert stream.getvalue().startswith("3 more ValueError at ")
    assert stream.getvalue().count("\n") == 1


def test_a_quiesce_tells_a_count_only_when_it_doubled(core):
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        for i in range(40):
            core.emit(_kinds.UNSEEN, caught(lambda i=i: fail(i)))
            _service.flush_unseen(everything=False)
    told = [line for line in stream.getvalue().splitlines() if " more " in line]
    assert [line.split()[0] for line in told] == ["5", "10", "20"]


def test_other_kinds_are_shown_meanwhile(core):
    for i in range(6):
        core.emit(_kinds.UNSEEN, caught(lambda i=i: fail(i)))
    out_of(core)
    core.emit(_kinds.UNSEEN, caught(lambda: 1 / 0))
    assert "ZeroDivisionError" in out_of(core)[1]


# ---- notices, watchers -----------------------------------------------------


def test_notices_are_applied_in_order_and_failures_named(core, caplog):
    core.emit(_kinds.NOTICE, "first", "k1")
    core.emit(_kinds.NOTICE, ValueError("no room"), "k2")
    core.behavior = (0, "", 0, -1)
    core.emit(_kinds.NOTICE, KeyError("gone"), "k3")
    core.emit(_kinds.NOTICE, "second", "k4")
    _service.drain()
    assert core.applied == ["first", "second"]
    texts = [r.getMessage() for r in caplog.records]
    assert len(texts) == 2
    assert "'k2'" in texts[0] and "behavior 'cook'" in texts[0] and "no room" in texts[0]
    assert "'k3'" in texts[1] and "main" in texts[1]


def test_watchers_are_called_once(core):
    called = []
    _service.watchers[5] = lambda: called.append(1)
    token = (5).to_bytes(8, "little")
    core.emit(_kinds.DONE, token)
    core.emit(_kinds.DONE, token)
    _service.drain()
    assert called == [1] and _service.watchers == {}
