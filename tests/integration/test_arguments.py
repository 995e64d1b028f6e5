"""Arguments that are wrong: the error names the argument, and what it may be."""

from __future__ import annotations

import boc
import pytest
from boc import Cown, PinnedCown, when, whencall

KEEP_WORKERS = True
HUGE = 10**400


def one(c, k):
    return c.value, k


def test_when_without_its_parentheses():
    with pytest.raises(TypeError, match=r"the function 'test_.*f', not a Cown; .* is written @when\(\)"):
        @when
        def f():
            pass


def test_receive_without_a_tag():
    with pytest.raises(TypeError, match=r"^receive\(\) missing"):
        boc.receive()


@pytest.mark.parametrize("call", [boc.gather, boc.as_completed])
def test_a_cown_where_a_list_of_them_belongs(call):
    with pytest.raises(TypeError, match="takes a list of cowns, not one"):
        call(Cown(1))


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("call", [
    lambda t: Cown(1).result(t),
    lambda t: boc.wait(t),
    lambda t: boc.quiesce(t),
    lambda t: boc.gather([Cown(1)], t),
    lambda t: boc.receive("t", t),
    lambda t: boc.notice_sync(t),
], ids=["result", "wait", "quiesce", "gather", "receive", "notice_sync"])
def test_a_flag_is_no_timeout(call, flag):
    boc.start()
    with pytest.raises(TypeError, match="timeout must be a number of seconds or None, not bool"):
        call(flag)


def test_a_huge_timeout_is_for_ever():
    assert Cown(1).result(HUGE) == 1
    assert boc.gather([Cown(1)], HUGE) == [1]
    boc.quiesce(HUGE)
    boc.send("t", 1)
    assert boc.receive("t", HUGE) == ("t", 1)
    assert boc.receive("t", 0) == (boc.TIMEOUT, None)
    boc.notice_write("a", 1)
    boc.notice_sync(HUGE)
    assert Cown(1).result(-HUGE) == 1


@pytest.mark.parametrize(("text", "call"), [
    ("cowns must be a list or tuple of cowns, not int", lambda: whencall(one, 5)),
    ("cowns must be a list or tuple of cowns, not NoneType", lambda: whencall(one, None)),
    ("cowns must be a list or tuple of cowns, not str", lambda: whencall(one, "ab")),
    ("captures must be a list of values .* or a dict by parameter name, not int", lambda: whencall(one, Cown(1), 5)),
    ("captures must be a list of values .* or a dict by parameter name, not str", lambda: whencall(one, [Cown(1)], "k")),
])
def test_whencall_names_what_is_wrong(text, call):
    with pytest.raises(TypeError, match=text):
        call()


def test_whencall_takes_one_cown_without_a_list():
    c = Cown(7)
    assert whencall(one, c, [2]).result() == (7, 2)
    assert whencall(one, boc.read(c), {"k": 3}).result() == (7, 3)
    assert whencall(one, (d for d in [c]), (k for k in [4])).result() == (7, 4)


def test_an_error_of_the_iterable_is_its_own():
    def cowns():
        yield Cown(1)
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        whencall(one, cowns(), [1])


def test_tags():
    with pytest.raises(ValueError, match="at least one tag"):
        boc.receive([])
    for call in (lambda t: boc.send(t, 1), lambda t: boc.receive(t, 0), boc.drain, boc.set_tags):
        with pytest.raises(ValueError, match="a tag must be valid UTF-8"):
            call("\ud800")
        with pytest.raises(TypeError, match=r"a tag is a string, not int|tags are a string or a list .* not int"):
            call(5)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_a_flag_is_a_bool(value):
    with pytest.raises(TypeError, match=r"^check must be a bool, not "):
        boc.start(2, check=value)


def test_options_of_a_runtime_that_runs():
    with pytest.raises(ValueError, match="processes must be from 1"):
        boc.start(processes=0)
    with pytest.raises(TypeError, match="processes must be an int, not str"):
        boc.start(processes="2")
    boc.start(2)
    try:
        for options in ({"workers": 3}, {"processes": 3}, {"kind": "interpreter"}, {"check": True}, {"trace": "1k"}):
            with pytest.raises(RuntimeError, match=f"the runtime runs with {next(iter(options))}="):
                boc.start(**options)
        boc.start()
        boc.start(2)
    finally:
        boc.stop()
    boc.start(2, kind="interpreter", processes=3)
    try:
        boc.start(2, kind="interpreter", processes=3)
        boc.start()
    finally:
        boc.stop()


def test_reset_in_a_body_is_named():
    @when()
    def body():
        boc.reset()

    with pytest.raises(RuntimeError, match=r"reset\(\) cannot be used inside a behavior"):
        body.result()


class Pot:
    pass


def test_repr_says_the_type_of_what_rests_anywhere():
    c, p, inside = Cown(None, name="c"), PinnedCown([1], name="p"), []
    assert repr(p) == "<PinnedCown p: held by nobody, list>"
    for value, name in (([], "list"), ({}, "dict"), (5, "int"), (Pot(), "Pot"), ("a text longer than sixteen", "str"), ([1], "list")):
        @when(c)
        def keep(c, value=value):
            c.value = value
            return [value]

        boc.quiesce()
        assert repr(c) == f"<Cown c: held by nobody, {name}>"
        assert repr(keep) == "<Cown keep: held by nobody, list>"

    @when(p, c)
    def swap(p, c):
        p.value = {}
        return repr(p), repr(c)

    inside = swap.result()
    assert inside == ("<PinnedCown p: owned by main, dict>", "<Cown c: owned by main, list>")
    assert repr(p) == "<PinnedCown p: held by nobody, dict>"


def test_a_cown_without_a_name_is_called_by_its_number():
    c = Cown(1)
    assert c.name == f"cown {c.id}"
    assert Cown(1, name="jar").name == "jar"

    @when(c)
    def look(pot):
        return pot.name

    assert look.result() == c.name == "c"
