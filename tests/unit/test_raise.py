"""Exceptions taken apart and built again: types, chains, and tracebacks with source lines."""

from __future__ import annotations

import gc
import io
import linecache
import logging
import pickle
import re
import sys
import sysconfig
import threading
import timeit
import traceback

import pytest
from boc import _frames, _raise
from boc._errors import BehaviorError


def catch(f, *args):
    try:
        f(*args)
    except BaseException as e:
        return e
    raise AssertionError("did not raise")


def trip(exc, skip=1):
    packed = pickle.loads(pickle.dumps(_raise.pack(exc, skip)))
    return _raise.unpack(packed)


def raising(exc):
    raise exc


def shown(exc):
    return "".join(traceback.format_exception(exc))


class Custom(Exception):
    def __init__(self, code, *, why):
        super().__init__(f"code {code}")
        self.code = code
        self.why = why


class Slotted(Exception):
    __slots__ = ("extra",)


class Forbidden(Exception):
    def __init__(self):
        raise RuntimeError("called __init__")

    def __setattr__(self, name, value):
        raise RuntimeError("called __setattr__")


class Angry(Exception):
    def __str__(self):
        raise ValueError("no text")


SAMPLES = [
    ValueError("bad", 1, 2.5, None),
    KeyError((1, "two")),
    StopIteration(7),
    SystemExit(3),
    FileNotFoundError(2, "No such file", "a.txt", None, "b.txt"),
    PermissionError(13, "denied"),
    OSError("plain"),
    UnicodeDecodeError("utf-8", b"\xff\x00", 0, 1, "bad start"),
    UnicodeEncodeError("ascii", "é", 0, 1, "no"),
    UnicodeTranslateError("é", 0, 1, "no"),
    ImportError("no module", name="zork", path="/x"),
    ModuleNotFoundError("no module", name="zork"),
    SyntaxError("bad", ("f.py", 3, 4, "x = = 1\n", 3, 5)),
    KeyboardInterrupt(),
    ZeroDivisionError("division by zero"),
    ValueError([1, {"a": (1, 2)}]),
]


@pytest.mark.parametrize("exc", SAMPLES, ids=lambda e: type(e).__name__)
def test_builtin_types_come_back_as_they_were(exc):
    back = trip(catch(raising, exc))
    assert type(back) is type(exc)
    assert back.args == exc.args
    assert str(back) == str(exc)
    names = [n for n in dir(exc) if not n.startswith("__") and not callable(getattr(exc, n, None))]
    for name in names:
        assert getattr(back, name, None) == getattr(exc, name, None), name


def test_attributes_and_notes():
    exc = Custom(5, why=["a", "b"])
    exc.add_note("first")
    exc.add_note("second")
    back = trip(catch(raising, exc))
    assert type(back) is Custom
    assert (back.code, back.why, str(back)) == (5, ["a", "b"], "code 5")
    assert back.__notes__ == ["first", "second"]
    assert back.why is not exc.why


def test_neither_init_nor_setattr_runs():
    exc = Forbidden.__new__(Forbidden)
    vars(exc)["x"] = 4
    back = trip(exc)
    assert type(back) is Forbidden
    assert back.x == 4


def test_slots():
    exc = Slotted("a")
    exc.extra = {1: 2}
    assert trip(exc).extra == {1: 2}


def test_what_cannot_move_becomes_its_repr():
    lock = threading.Lock()
    exc = Custom(1, why=lock)
    exc.args = ("x", lock)
    back = trip(exc)
    assert back.args[0] == "x"
    assert back.args[1] == repr(lock)
    assert back.why == repr(lock)


def test_a_repr_that_raises():
    class Bad:
        def __repr__(self):
            raise ValueError

        def __reduce__(self):
            raise ValueError

    assert "Bad" in trip(ValueError(Bad())).args[0]


def test_cause_context_and_suppression():
    def f():
        try:
            raise KeyError("inner")
        except KeyError as e:
            try:
                raise TypeError("middle")
            except TypeError:
                raise ValueError("outer") from e

    back = trip(catch(f))
    assert type(back.__cause__) is KeyError
    assert type(back.__context__) is TypeError
    assert back.__context__.__context__ is back.__cause__
    assert back.__suppress_context__ is True
    text = shown(back)
    assert "direct cause" in text
    assert 'raise KeyError("inner")' in text
    back = trip(catch(raising, ValueError()))
    assert back.__cause__ is None and back.__suppress_context__ is False


def test_from_none_hides_the_context():
    def f():
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            raise ValueError("clean") from None

    assert "ZeroDivisionError" not in shown(trip(catch(f)))


def test_a_cycle_of_causes():
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    back = trip(a)
    assert back.__cause__.__cause__ is back


def test_a_long_chain_is_cut():
    exc = ValueError(0)
    for i in range(1, 1000):
        new = ValueError(i)
        new.__cause__ = exc
        exc = new
    back, n = trip(exc), 0
    while back is not None:
        back, n = back.__cause__, n + 1
    assert n == 100


def test_groups_keep_members_and_their_tracebacks():
    def f():
        raise ExceptionGroup("several", [catch(raising, ValueError(1)), ExceptionGroup("in", [KeyError(2)])])

    back = trip(catch(f))
    assert type(back) is ExceptionGroup
    assert back.message == "several"
    assert [type(e) for e in back.exceptions] == [ValueError, ExceptionGroup]
    assert back.exceptions[0].__traceback__ is not None
    assert type(back.exceptions[1].exceptions[0]) is KeyError
    assert "| ValueError: 1" in shown(back)
    base = trip(BaseExceptionGroup("b", [KeyboardInterrupt()]))
    assert type(base) is BaseExceptionGroup


@pytest.fixture
def only_data(monkeypatch):
    """As where definitions cannot be sent: classes go by name or not at all."""
    monkeypatch.setattr(_raise, "_encode", lambda value: pickle.dumps(value, 5))
    monkeypatch.setattr(_raise, "_decode", pickle.loads)


def test_local_class_arrives_as_behavior_error(only_data):
    class Local(Exception):
        pass

    exc = Local("what")
    exc.add_note("look here")
    back = trip(catch(raising, exc), skip=0)
    assert type(back) is BehaviorError
    assert isinstance(back, RuntimeError)
    assert back.type_name.endswith("Local")
    assert back.text == "what"
    assert "in raising\n    raise exc\n" in back.traceback
    assert back.traceback.rstrip().endswith("Local: what")
    assert back.__notes__ == ["look here"]
    assert "raise exc" in shown(back)


def test_a_type_that_is_gone_at_the_other_end(monkeypatch):
    packed = _raise.pack(catch(raising, Custom(1, why=2)), 1)
    monkeypatch.delattr(sys.modules[__name__], "Custom")
    back = _raise.unpack(packed)
    assert type(back) is BehaviorError
    assert back.text == "code 1"


def test_an_exception_whose_own_attributes_raise():
    class Hostile(Exception):
        @property
        def args(self):
            raise RuntimeError("no")

    back = trip(Hostile("x"))
    assert type(back) is BehaviorError
    assert back.type_name.endswith("Hostile")


def test_text_that_raises(only_data):
    class Local(Angry):
        pass

    assert "str() raised ValueError" in trip(Local()).text


def test_encode_hook_moves_what_pickle_cannot(monkeypatch):
    class Local(Exception):
        pass

    table = []

    def encode(value):
        table.append(value)
        return len(table) - 1

    monkeypatch.setattr(_raise, "_encode", encode)
    monkeypatch.setattr(_raise, "_decode", table.__getitem__)
    back = _raise.unpack(_raise.pack(Local([1]), 0))
    assert type(back) is Local and back.args == ([1],)


# ---- tracebacks ------------------------------------------------------------


def inner(x):
    return [1, 2, 3][x] + \
        x / (x - x)  # fmt: skip


def middle(x):
    return inner(x)


def outer(x):
    return middle(x)


def entries(tb):
    out = []
    while tb is not None:
        code = tb.tb_frame.f_code
        position = list(code.co_positions())[tb.tb_lasti // 2]
        names = (code.co_filename, code.co_name, code.co_qualname)
        out.append((*names, code.co_firstlineno, tb.tb_lineno, position))
        tb = tb.tb_next
    return out


def test_positions_names_and_lines_are_the_originals():
    exc = catch(outer, 1)
    assert entries(trip(exc).__traceback__) == entries(exc.__traceback__.tb_next)


def test_printed_alike_with_carets():
    exc = catch(outer, 1)
    want = shown(exc)
    exc.__traceback__ = exc.__traceback__.tb_next
    want = shown(exc)
    assert "~^~" in want
    assert shown(trip(exc, 0)) == want


def test_frames_stand_alone():
    tb = trip(catch(outer, 1)).__traceback__
    while tb is not None:
        assert tb.tb_frame.f_back is None
        assert tb.tb_frame.f_locals == {}
        assert tb.tb_frame.f_globals["__name__"] == __name__
        tb = tb.tb_next


def test_it_can_be_raised_again_and_logged():
    back = trip(catch(outer, 1))
    again = catch(raising, back)
    names = [f.name for f in traceback.extract_tb(again.__traceback__)]
    assert names == ["catch", "raising", "outer", "middle", "inner"]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("test_raise")
    logger.addHandler(handler)
    try:
        logger.error("oh", exc_info=back)
    finally:
        logger.removeHandler(handler)
    assert "in middle" in stream.getvalue()


def test_recursion_stays_small():
    def f(n):
        return f(n + 1)

    exc = catch(f, 0)
    packed = _raise.pack(exc, 1)
    assert len(packed[1]) <= 3
    back = _raise.unpack(pickle.loads(pickle.dumps(packed)))
    assert type(back) is RecursionError
    assert "Previous line repeated" in shown(back)


def test_name_error_suggestion():
    def f():
        cheese = 1
        return cheeze, cheese  # noqa: F821

    assert "Did you mean: 'cheese'?" in shown(trip(catch(f)))


def test_attribute_error_suggestion_without_the_object():
    class Knife:
        sharpness = 3
        lock = threading.Lock()

    knife = Knife()
    back = trip(catch(lambda: knife.sharpnes))
    assert re.search(r"Did you mean:? '\.?sharpness'", shown(back))  # 3.15 has other words for it
    assert repr(back.obj) == repr(knife)


def test_no_traceback_at_all():
    back = trip(ValueError(1), 0)
    assert back.__traceback__ is None


def run_file(path):
    code = compile(path.read_text(), str(path), "exec")
    space = {"__name__": "made"}
    exec(code, space)
    return catch(space["f"])


def test_source_of_the_time_when_it_was_scheduled(tmp_path):
    path = tmp_path / "mod.py"
    path.write_text("def f():\n    raise ValueError('old text')\n")
    exc = run_file(path)
    _frames.remember(str(path))
    path.write_text("# something else entirely\n\nx = 'new text, and longer'\n")
    back = trip(exc)
    text = shown(back)
    assert f'File "{path}", line 2, in f' in text
    assert "raise ValueError('old text')" in text
    linecache.checkcache()
    assert "new text" in linecache.getline(str(path), 3)  # nobody else is misled
    assert "old text" in shown(back)


def test_source_that_only_the_other_side_knew(tmp_path):
    name = str(tmp_path / "gone.py")
    space = {"__name__": "made2"}
    exec(compile("\n\ndef f():\n    raise ValueError(1)\n", name, "exec"), space)
    _frames.keep_source(name, 3, "def f():\n    raise ValueError(1)\n")
    text = shown(trip(catch(space["f"])))
    assert "    raise ValueError(1)\n" in text


def test_source_of_a_module_edited_since(tmp_path, monkeypatch):
    path = tmp_path / "boc_test_edited.py"
    path.write_text("def f():\n    raise ValueError('old')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("boc_test_edited")
    packed = _raise.pack(catch(module.f), 1)
    path.write_text("def f():\n    raise ValueError('a new text')\n")
    assert "raise ValueError('old')" in shown(_raise.unpack(packed))
    del sys.modules["boc_test_edited"]


def test_unencodable_column_positions():
    def f():
        s = "ééé"; return s + 1  # noqa: E702

    exc = catch(f)
    assert entries(trip(exc).__traceback__) == entries(exc.__traceback__.tb_next)


def test_many_lines_and_far_lines():
    source = "def f():\n" + "\n" * 5000 + "    return g(\n" + "        1,\n" * 300 + "    )\n"
    space = {"__name__": "far"}
    exec(compile(source, "<far>", "exec"), space)
    exc = catch(space["f"])
    assert entries(trip(exc).__traceback__) == entries(exc.__traceback__.tb_next)


def test_cheap():
    exc = catch(outer, 1)
    best = min(timeit.repeat(lambda: _raise.pack(exc, 1), number=100, repeat=20)) / 100
    assert best < 60e-6  # the aim is 30 us; the margin is for a loaded machine


def test_a_record_that_cannot_be_read():
    back = _raise.unpack(ModuleNotFoundError("No module named 'zork'"))
    assert type(back) is BehaviorError
    assert "cannot be loaded here: ModuleNotFoundError: No module" in str(back)


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="there code objects go with the collector alone")
def test_neither_way_leaves_cycles():
    exc = catch(outer, 1)
    while gc.collect():  # what tests of before left may take several rounds
        pass
    gc.disable()
    try:
        for _ in range(5):
            _raise.unpack(_raise.pack(exc, 1))
        assert gc.collect() == 0
    finally:
        gc.enable()
