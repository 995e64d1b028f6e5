"""`%%when` in a real kernel: result, header, capture, displays, what is refused."""

from __future__ import annotations

import pytest
from harness import Kernel, Ran


def ended(kernel: Kernel, ran: Ran, text: str) -> None:
    """Wait until `text` is among what the cell shows."""
    kernel.until(lambda: text in ran.text, why=f"{text!r} never came: {ran.text}")


def test_the_cell_ends_at_once_and_the_last_expression_is_the_result(kernel: Kernel) -> None:
    kernel.run("knife, onion = Cown('sharp'), Cown('whole')")
    kernel.run("import os; r, w = os.pipe()")
    ran = kernel.run("%%when knife, onion -> diced\nos.read(r, 1)\nonion.value = 'diced'\nlen(knife.value)")
    kernel.run("os.write(w, b'.')")
    assert ran.data("display_data") == ran.data("execute_result") == []
    assert kernel.value("diced.result()") == 5
    assert kernel.value("onion.result()") == "diced"
    assert kernel.value("diced.name") == "diced"


def test_return_works_too(kernel: Kernel) -> None:
    kernel.run("%%when -> early\nif True:\n    return 'out'\n'never'")
    assert kernel.value("early.result()") == "out"


def test_without_a_name_the_result_is_the_cells_output_and_updated_once(kernel: Kernel) -> None:
    ran = kernel.run("%%when\ntime.sleep(0.3)\n6 * 7")
    shown = ran.data("display_data")
    assert len(shown) == 1 and "pending" in shown[0]["data"]["text/html"]
    kernel.until(lambda: ran.data("update_display_data"))
    assert kernel.value("_.result()") == 42
    kernel.run("quiesce()")
    (update,) = ran.data("update_display_data")
    assert "42" in update["data"]["text/html"] and "42" in update["data"]["text/plain"]
    assert update["transient"]["display_id"] == shown[0]["transient"]["display_id"]


def test_a_quick_result_is_updated_once_too(kernel: Kernel) -> None:
    cells = [kernel.run("%%when\n1 + 1") for _ in range(5)]
    kernel.run("quiesce()")
    for ran in cells:
        kernel.until(lambda ran=ran: ran.data("update_display_data"))
        assert len(ran.data("display_data")) == len(ran.data("update_display_data")) == 1
        assert "2" in ran.data("update_display_data")[0]["data"]["text/html"]


def test_an_exception_shows_in_the_result(kernel: Kernel) -> None:
    ran = kernel.run("%%when\ntime.sleep(0.1)\n{}['salt']")
    kernel.until(lambda: ran.data("update_display_data") and ran.errors)
    html = ran.data("update_display_data")[0]["data"]["text/html"]
    assert "exception" in html and "KeyError" in html and "salt" in html
    assert "light-dark(#d92d20, #ff6b5e)" in html, "readable on a dark page too"
    (text,) = ran.errors
    assert "KeyError" in text and "----> 3 {}['salt']" in text


def test_wait_has_all_output_in_the_cell_and_raises(kernel: Kernel) -> None:
    ran = kernel.run(
        "%%when --wait -> told\nfor i in range(20):\n    print('line', i)\ntime.sleep(0.1)\nprint('end')\n9"
    )
    assert ran.out == "".join(f"line {i}\n" for i in range(20)) + "end\n"
    assert kernel.value("told.done()") is True
    ran = kernel.run("%%when --wait -> failed\nx = 1\n\nx / 0", ok=False)
    assert ran.reply["ename"] == "ZeroDivisionError"
    kernel.run("quiesce()")
    assert len(ran.errors) == 1, "raised in the cell, so not reported again"
    assert "----> 4 x / 0" in ran.errors[0]


def test_header_variants(kernel: Kernel) -> None:
    kernel.run("jars = [Cown(n) for n in range(3)]; shelf = {'top': Cown('tea')}")
    kernel.run(
        "%%when jars, shelf['top'] as top --name 'take stock' --wait -> stock\n[j.value for j in jars] + [top.value]"
    )
    assert kernel.value("stock.result()") == [0, 1, 2, "tea"]
    assert kernel.value("stock.name") == "take stock"
    kernel.run("%%when jars[1] as j --on main --wait -> where\nthreading.current_thread() is threading.main_thread()")
    assert kernel.value("where.result()") is True


def test_read_only(kernel: Kernel) -> None:
    kernel.run("recipe = Cown({'eggs': 3}); bowl = Cown(0)")
    kernel.run("%%when bowl --read recipe --wait\nbowl.value = recipe.value['eggs']")
    assert kernel.value("bowl.result()") == 3
    ran = kernel.run("%%when --read recipe --wait\nrecipe.value = 4", ok=False)
    assert "read" in ran.text


def test_names_of_the_notebook_travel_and_assignments_stay(kernel: Kernel) -> None:
    kernel.run("""
class Egg:
    fresh = True
def beat(egg): return f"beaten {type(egg).__name__} {egg.fresh} {pinch}"
pinch = 'salt'
count = 3
egg = Cown(Egg())
""")
    ran = kernel.run("%%when egg -> beaten\ncount += 1\nbeat(egg.value), count")
    assert kernel.value("beaten.result()") == ("beaten Egg True salt", 4)
    assert kernel.value("count") == 3
    assert "'count'" in ran.err and "Cown" in ran.err
    again = kernel.run("%%when egg -> beaten\ncount += 1\nbeat(egg.value), count")
    assert again.err == "", "one hint per name and place"


def test_a_loop_variable_of_a_taken_name_needs_no_capture(kernel: Kernel) -> None:
    kernel.run("f = open(os.devnull)")
    ran = kernel.run("%%when --wait -> last\nfor f in range(3): pass\nf")
    assert kernel.value("last.result()") == 2 and ran.err == ""
    assert "'f'" in kernel.run("%%when\nf.read()", ok=False).text


def test_braces_and_dollars_are_left_alone(kernel: Kernel) -> None:
    kernel.run("%%when --wait --name '{count}' -> literal\nf'{1 + 1}', '{count} $HOME'")
    assert kernel.value("literal.result(), literal.name") == (("2", "{count} $HOME"), "{count}")


def test_a_last_expression_that_cannot_move_gives_its_repr(kernel: Kernel) -> None:
    kernel.run("%%when --wait -> lock\nimport threading\nthreading.Lock()")
    assert "lock" in kernel.value("lock.result()")
    ran = kernel.run("%%when --wait -> lock\nimport threading\nreturn threading.Lock()", ok=False)
    assert "lock" in ran.text


def test_display_and_shell_commands_in_a_body(kernel: Kernel) -> None:
    ran = kernel.run(
        "%%when --wait -> shown\n"
        "class Dish:\n    def _repr_html_(self): return '<b>omelette</b>'\n"
        "print('first')\ndisplay(Dish())\nprint('then')\n!echo from the shell\nlines = !echo one; echo two\nlines"
    )
    assert [m["msg_type"] for m in ran.messages][:2] == ["stream", "display_data"]
    assert ran.messages[0]["content"]["text"] == "first\n"
    assert ran.data("display_data")[0]["data"]["text/html"] == "<b>omelette</b>"
    assert ran.out == "first\nthen\nfrom the shell\n"
    assert kernel.value("shown.result()") == ["one", "two"]


def test_a_display_can_be_updated_by_the_body(kernel: Kernel) -> None:
    ran = kernel.run("%%when --wait -> updated\nh = display('raw', display_id=True)\nh.update('done')\nh.display_id")
    mark = kernel.value("updated.result()")
    assert [m["transient"]["display_id"] for m in ran.data("display_data") + ran.data("update_display_data")] == [
        mark
    ] * 2


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%when nothing_here\n1", "nothing_here"),
        ("%%when knif\n1", "did you mean 'knife'"),
        ("%%when sys\n1", "'sys' is not a cown"),
        ("%%when knife --sometimes\n1", "--sometimes"),
        ("%%when knife ->\n1", "'->' needs the name"),
        ("%%when knife --read knife\n1", "--read"),
        ("%%when knife", "empty"),
        ("%%when knife\n   \n# later\n", "no body"),
        ("%%when knife\nawait knife", "await"),
        ("%%when knife\n%time 1", "%time 1"),
        ("%%when knife\nname = input()", "input()"),
        ("%%when knife\nyield 3", "generator"),
        ("%%when knife\nglobal pinch\npinch = 1", "behavior 'cell"),
    ],
)
def test_a_wrong_cell_is_one_short_message_and_schedules_nothing(kernel: Kernel, cell: str, says: str) -> None:
    kernel.run("knife = Cown('sharp')\nquiesce()")
    before = kernel.value("boc._core._counts()[0]")
    ran = kernel.run(cell, ok=False)
    assert says in ran.text
    assert len(ran.text.strip().splitlines()) == 1, ran.text
    assert kernel.value("boc._core._counts()[0]") == before


def test_a_syntax_error_points_at_the_cells_own_line(kernel: Kernel) -> None:
    ran = kernel.run("\n%%when knife\nx = 1\nif x\n    y", ok=False)
    assert ran.reply["ename"] == "SyntaxError"
    assert "line 4" in ran.text and "if x" in ran.text
    assert len(ran.text.strip().splitlines()) <= 4


def test_it_works_away_from_the_main_thread(kernel: Kernel) -> None:
    ran = kernel.run(
        "shell = get_ipython()\n"
        "t = threading.Thread(target=lambda: shell.run_cell_magic('when', '--wait -> there', 'print(1)\\n5'))\n"
        "t.start(); t.join()"
    )
    assert kernel.value("there.result()") == 5
    assert ran.out == "1\n"


def test_completion_and_help(kernel: Kernel) -> None:
    kernel.run("knife = Cown(1); knives = [Cown(2)]; kettle = 5")

    def offers(code: str, at: int | None = None) -> list[str]:
        reply = kernel.client.complete(code, len(code) if at is None else at, reply=True, timeout=10)
        matches: list[str] = reply["content"]["matches"]
        return matches

    assert offers("%%when k") == ["knife", "knives"]
    assert "kettle" not in offers("%%when ")
    assert offers("%%when knife, kn") == ["knife", "knives"]
    assert offers("%%when knife --w") == ["--wait"]
    assert offers("%%when knife --on ma") == ["main"]
    assert offers("%%when ket") == [] and offers("%%when knife -> ") == [] and offers("%%when knife as k") == []
    assert "append" in offers("%%when knives.")
    assert offers("%%time\n\n%%when knife, kniv") == ["knives"]
    assert offers("%%when knife\nprin", 17) == ["print"]
    assert set(offers("%boc sta")) == set(offers("was = %boc sta")) == {"status", "start", "stacks"}
    assert offers("%%boc ") == ["profile"] and offers("%boc status ") == []
    (page,) = kernel.run("%%when?").reply["payload"]
    text = page["data"]["text/plain"]
    assert "cowns" in text and "--wait" in text and "result" in text


def test_a_tooltip_explains_the_magic_and_not_the_decorator(kernel: Kernel) -> None:
    def shown(code: str, at: int) -> str:
        content = kernel.client.inspect(code, at, reply=True, timeout=10)["content"]
        return str(content["data"].get("text/plain", "")) if content["found"] else ""

    assert "--wait" in shown("%%when knife --wait\n1", 4) and "--wait" in shown("%%when", 6)
    assert "lists the commands" in shown("x = 1\n%boc status", 9)
    assert "Decorate a function" in shown("when", 2) and "Decorate" in shown("%%when knife\nwhen(a)", 16)
    assert "A box for one value" in shown("knife = 1\nCown", 13)


def test_an_error_without_frames_of_a_body_points_at_the_header(kernel: Kernel) -> None:
    kernel.run("pot = Cown(0)")
    ran = kernel.run("\n%%when pot --wait -> kept\nimport threading\nreturn threading.Lock()", ok=False)
    (shown,) = ran.errors
    assert "TransferError" in shown and "----> 2 %%when pot --wait -> kept" in shown
    assert ".py" not in shown, "nothing of the extension's own files"
