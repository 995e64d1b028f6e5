"""What semantics.md promises of errors: exceptions as values, tracebacks, never silent and never twice."""

from __future__ import annotations

import traceback

import boc
import pytest
from boc import Cown, quiesce, when

pytestmark = pytest.mark.timeout(30)
KEEP_WORKERS = True


class Custom(Exception):
    """Has an `__init__` of its own that must not be called again."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")
        self.first = first


def test_raised_becomes_the_value():
    @when()
    def fails():
        raise ValueError("burnt")

    @when(fails)
    def look(fails):
        return isinstance(fails.value, ValueError), fails.exception, str(fails.value)

    assert look.result() == (True, True, "burnt")


def test_traceback_has_the_lines():
    @when()
    def fails():
        deep = {}
        return deep["missing"]  # the line to see

    try:
        fails.result()
    except KeyError as error:
        text = "".join(traceback.format_exception(error))
    assert "the line to see" in text
    assert "in fails" in text
    assert __file__ in text


def test_notes_and_cause():
    @when()
    def fails():
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError as error:
            raised = RuntimeError("outer")
            raised.add_note("a note")
            raise raised from error

    with pytest.raises(RuntimeError, match="outer") as caught:
        fails.result()
    assert caught.value.__notes__ == ["a note"]
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_custom_exception_keeps_its_attributes():
    @when()
    def fails():
        raise Custom("a", "b")

    with pytest.raises(Custom, match="a and b") as caught:
        fails.result()
    assert caught.value.first == "a"


def test_what_cannot_move_becomes_its_repr():
    @when()
    def fails():
        import threading
        error = ValueError("has a lock")
        error.lock = threading.Lock()
        raise error

    with pytest.raises(ValueError, match="has a lock") as caught:
        fails.result()
    assert "lock" in str(caught.value.lock)


def test_exception_groups():
    @when()
    def fails():
        raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])

    with pytest.raises(ExceptionGroup) as caught:
        fails.result()
    assert [type(e) for e in caught.value.exceptions] == [ValueError, KeyError]


def test_base_exceptions_are_an_error_of_that_body():
    @when()
    def leaves():
        raise SystemExit(3)

    with pytest.raises(boc.BehaviorError) as caught:
        leaves.result()
    e = caught.value
    assert isinstance(e.__cause__, SystemExit)
    assert (str(e), e.type_name, e.text) == ("SystemExit: 3", "SystemExit", "3")
    assert "raise SystemExit(3)" in e.traceback and e.traceback.endswith("SystemExit: 3\n")

    @when()
    def goes_on():
        return 1

    assert goes_on.result() == 1


def test_keyboard_interrupt_in_a_body():
    @when()
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(boc.BehaviorError):
        interrupted.result()


def test_dependents_run_and_see_it():
    @when()
    def fails():
        raise ValueError("x")

    @when(fails, Cown(1))
    def after(fails, one):
        return type(fails.value).__name__, one.value

    assert after.result() == ("ValueError", 1)


def test_asking_later_still_raises():
    @when()
    def fails():
        raise ValueError("x")

    for _ in range(2):
        with pytest.raises(ValueError):
            fails.result()


def test_hierarchy():
    assert issubclass(boc.TransferError, RuntimeError)
    assert issubclass(boc.WorkerDied, RuntimeError)
    assert issubclass(boc.BehaviorError, RuntimeError)
    assert issubclass(boc.Cancelled, Exception)
    assert issubclass(boc.Interrupted, BaseException) and not issubclass(boc.Interrupted, Exception)


def test_unseen_is_said_once_at_wait(script):
    done = script("""
        from boc import when, wait
        @when()
        def burns():
            raise ValueError("burnt the omelette")
        wait()
        print("after")
    """)
    assert done.stderr.count("ValueError: burnt the omelette") == 1
    assert "raise ValueError" in done.stderr
    assert done.stdout == "after\n"


def test_unseen_is_said_at_exit(script):
    done = script("""
        import time
        from boc import when, quiesce
        @when()
        def burns():
            raise ValueError("burnt")
        quiesce()
    """)
    assert done.stderr.count("ValueError: burnt") == 1


def test_seen_is_not_said(script):
    done = script("""
        from boc import when, wait
        @when()
        def burns():
            raise ValueError("burnt")
        @when(burns)
        def look(burns):
            burns.value = None
        @when()
        def other():
            raise ValueError("asked")
        try:
            other.result()
        except ValueError:
            pass
        wait()
    """)
    assert done.stderr == ""


def test_after_five_alike_only_a_count(script):
    done = script("""
        from boc import when, wait
        def many():
            @when()
            def burns():
                raise ValueError("burnt")
        for _ in range(40):
            many()
        wait()
    """)
    assert done.stderr.count("ValueError: burnt") <= 6
    assert "35" in done.stderr or "40" in done.stderr


def test_nothing_is_pending_after_errors():
    for _ in range(20):
        @when()
        def fails():
            raise ValueError("x")

        fails.exception  # noqa: B018
    quiesce(timeout=10)
