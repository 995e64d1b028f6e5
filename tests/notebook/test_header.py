"""The header line of `%%when`: its grammar, and what is said about one that is wrong."""

from __future__ import annotations

import pytest
from boc.kernel.header import Header, HeaderError, Item, parse


def cowns(line: str) -> list[tuple[str, str, bool]]:
    return [(i.expression, i.name, i.read) for i in parse(line).items]


def test_names_and_spaces() -> None:
    assert cowns("knife,onion") == cowns("  knife ,  onion ") == [("knife", "knife", False), ("onion", "onion", False)]
    assert cowns("") == []
    assert cowns("knife,") == [("knife", "knife", False)]
    assert parse("knife->diced").result == parse("knife  ->  diced").result == "diced"
    assert parse("-> x") == Header(result="x")


def test_options_stand_anywhere() -> None:
    want = Header([Item("a", "a"), Item("b", "b"), Item("c", "c", True)], "r", "slow", True, "process")
    for line in (
        "a, b -> r --name slow --wait --read c --on process",
        "--wait a, --name slow b --read c --on process -> r",
        "--on=process --name='slow' --read=c a , b --wait -> r",
        "--read c --wait -> r --on process --name slow a, b",
    ):
        assert parse(line) == want, line


def test_an_expression_needs_a_name() -> None:
    assert cowns("jars[0] as jar, shelf.get('a, b', {1: 2}) as s") == [
        ("jars[0]", "jar", False),
        ("shelf.get('a, b', {1: 2})", "s", False),
    ]
    assert cowns("a - -1 as b --read x[0] as y, c") == [
        ("a - -1", "b", False),
        ("c", "c", False),
        ("x[0]", "y", True),
    ]


def test_the_same_cown_twice_is_one() -> None:
    assert cowns("a, a --read c --read c") == [("a", "a", False), ("c", "c", True)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a ->", "'->' needs the name"),
        ("a -> --wait", "'->' needs the name"),
        ("a -> 3", "'3' is not a name"),
        ("a -> r -> s", "given twice"),
        ("a -> class", "'class' is not a name"),
        ("a --nmae x", "unknown option --nmae, did you mean --name?"),
        ("a --gpu", "unknown option --gpu"),
        ("a --name", "--name needs a value"),
        ("a --name x --name y", "--name is given twice"),
        ("a --on gpu", "--on gpu"),
        ("a --read a", "'a' stands in the list and in --read"),
        ("a --read", "--read needs a value"),
        ("a,,b", "missing before ','"),
        (", a", "missing before ','"),
        ("a b", "'a b'"),
        ("jars[0]", "'jars[0]' needs a name"),
        ("x as a, y as a", "'a' names two cowns"),
        ("a as for", "'for' is not a name"),
        ("a (", "cannot read the header"),
        ("'a", "cannot read the header"),
    ],
)
def test_a_wrong_header_is_one_line_that_names_the_thing(line: str, says: str) -> None:
    with pytest.raises(HeaderError) as caught:
        parse(line)
    text = str(caught.value)
    assert says in text
    assert "\n" not in text and len(text) < 120
