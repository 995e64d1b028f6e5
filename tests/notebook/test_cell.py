"""A cell's text as a function: result, captured names, line numbers, what is refused. No kernel."""

from __future__ import annotations

import linecache
import traceback
from typing import Any

import pytest
from boc.kernel.cell import Body, CellError, CellSyntaxError, Source, compile_body
from IPython.core.inputtransformer2 import TransformerManager


def body(text: str, parameters: tuple[str, ...] = ("a",), above: str = "", **names: Any) -> Body:
    whole = f"{above}%%when {', '.join(parameters)}\n{text}"
    source = Source(f"<cell {hash(whole)}>", whole, above.count("\n") + 1)
    source.remember()
    names["__builtins__"] = __builtins__
    return compile_body(text, source, "cell 7", parameters, names, TransformerManager().transform_cell)


def run(text: str, **names: Any) -> Any:
    made = body(text, **names)
    return made.function(1, *[names[n] for n in made.captured])


def test_the_last_expression_is_the_result() -> None:
    assert run("x = 2\nx + a") == 3
    assert run("return 5\n7") == 5
    assert run("x = 2") is None
    assert run("a + 1\n# a remark\n\n") == 2


@pytest.mark.parametrize(
    ("text", "captured"),
    [
        ("n += 1\nn", ("n",)),
        ("if a:\n    n = 2\nn", ("n",)),
        ("n = 1\nn", ()),
        ("n", ()),  # only read: an ordinary captured global
        ("def f():\n    return n\nif a > 5:\n    n = 3\nf()", ("n",)),
        ("n = 5\ndef f():\n    return n\nf()", ()),
        ("[n for n in range(3)]", ()),
        ("for n in (1, 2):\n    pass", ()),
        ("import math as n\nn.pi", ()),
    ],
)
def test_a_name_read_and_assigned_starts_with_the_notebooks_value(text: str, captured: tuple[str, ...]) -> None:
    assert body(text, n=3).captured == captured


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("n += 1\nn", True),
        ("n = n + 1\nn", True),
        ("n: int = n * 2", True),
        ("if (n := n + 1):\n    n", True),
        ("for n in range(n):\n    n", True),
        ("if a:\n    n = 2\nn", False),
        ("for n in a:\n    pass\nn", False),
        ("if a:\n    m = [n for n in range(3)]\n    n = 3\nn", False),
    ],
)
def test_a_name_is_read_first_in_the_order_of_evaluation(text: str, reads: bool) -> None:
    made = body(text, n=3)
    assert made.captured == ("n",) and made.read_first == ({"n"} if reads else set())


def test_a_captured_name_starts_with_its_value_and_stays_inside() -> None:
    names = {"n": 3}
    assert run("n += 1\nn", **names) == 4
    assert names == {"n": 3}


@pytest.mark.parametrize("above", ["", "\n", "\n\n"])
def test_line_numbers_are_the_cells_own(above: str) -> None:
    made = body("\n\nx = 1\n!true\n1 / 0\n", above=above)
    with pytest.raises(ZeroDivisionError) as caught:
        made.function(1)
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert frame.lineno == above.count("\n") + 6
    assert frame.line == "1 / 0"
    assert linecache.getline(frame.filename, above.count("\n") + 1) == "%%when a\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\nawait a", "line 3: 'await'"),
        ("async for x in a:\n    pass", "line 2: 'await'"),
        ("[x async for x in a]", "line 2: 'async for'"),
        ("%time 1", "line 2: magics do not work in a behavior: %time 1"),
        ("x = 1\nx?", "line 3: magics do not work in a behavior: x?"),
        ("%%time\n1", "magics do not work"),
        ("get_ipython().run_line_magic('time', '1')", "magics do not work"),
        ("input('name? ')", "input() cannot be used"),
        ("breakpoint()", "breakpoint() cannot be used"),
        ("", "the cell has no body"),
        ("  \n# nothing\n", "the cell has no body"),
    ],
)
def test_what_cannot_be_in_a_behavior_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(CellError) as caught:
        body(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_input_of_the_notebooks_own_is_an_ordinary_function() -> None:
    assert run("input(4)", input=lambda n: n + 1) == 5


def test_an_async_function_inside_may_await() -> None:
    assert run("async def f():\n    await g()\n6") == 6


def test_shell_commands_work(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("lines = !echo one; echo {two} $((1 + 2))\nlines") == ["one", "{two} 3"]
    assert run("!echo said\n4") == 4
    assert capfd.readouterr().out == "said\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [("x = = 1", 2), ("x = 1\nif x\n    y", 3), ("x = 1\nfrom math import *", 3), ("\nbreak", 3)],
)
def test_a_syntax_error_points_into_the_cell(text: str, line: int) -> None:
    with pytest.raises(CellSyntaxError) as caught:
        body(text)
    assert caught.value.error.lineno == line
