"""What bodies print, show and raise: under the cell that scheduled them, and nowhere else."""

from __future__ import annotations

import pytest
from harness import Kernel


def test_prints_go_to_their_cell_after_it_ended_in_order(kernel: Kernel) -> None:
    kernel.run("a, b = Cown(0), Cown(0)")
    text = "@when({0})\ndef talk({0}):\n    for i in range(5):\n        print('{0}', i)\n        time.sleep(0.03)\n"
    one = kernel.run(text.format("a"))
    two = kernel.run(text.format("b"))
    three = kernel.run("quiesce(); print('all said')")
    assert one.out == "".join(f"a {i}\n" for i in range(5))
    assert two.out == "".join(f"b {i}\n" for i in range(5))
    assert three.out == "all said\n"


def test_output_is_complete_and_in_order_within_a_waiting_cell(kernel: Kernel) -> None:
    ran = kernel.run(
        "print('before')\n@when()\ndef said():\n    print('x' * 50)\n    print('err', file=sys.stderr)\n    return 5\n"
        "v = said.result()\nprint('after')"
    )
    assert ran.out == "before\n" + "x" * 50 + "\nafter\n"
    assert ran.err == "err\n"


def test_a_talkative_body_sends_few_messages(kernel: Kernel) -> None:
    ran = kernel.run(
        "@when()\ndef many():\n    end = time.time() + 0.6\n    n = 0\n    while time.time() < end:\n"
        "        print('tick', n); n += 1\n        time.sleep(0.001)\n    return n\nn = many.result()"
    )
    assert ran.out.count("tick") == kernel.value("n")
    assert len([m for m in ran.messages if m["msg_type"] == "stream"]) <= 10


def test_nested_behaviors_belong_to_the_same_cell(kernel: Kernel) -> None:
    ran = kernel.run(
        "@when()\ndef outer():\n    @when()\n    def inner():\n"
        "        time.sleep(0.1)\n        print('inner')\n    print('outer')"
    )
    other = kernel.run("quiesce()")
    assert sorted(ran.out.split()) == ["inner", "outer"] and other.out == ""


def test_redirection_catches_what_bodies_print(kernel: Kernel) -> None:
    ran = kernel.run(
        "import contextlib, io\nbuffer = io.StringIO()\nwith contextlib.redirect_stdout(buffer):\n"
        "    @when()\n    def quiet():\n        print('caught')\n    quiet.result()"
    )
    assert ran.out == "" and kernel.value("buffer.getvalue()") == "caught\n"
    ran = kernel.run("%%capture held\n@when()\ndef quiet():\n    print('held')\nquiet.result()")
    assert ran.out == "" and kernel.value("held.stdout") == "held\n"


def test_a_capturing_cell_catches_displays_and_the_result(kernel: Kernel) -> None:
    ran = kernel.run("%%capture held\n%%when --wait\nprint('said')\ndisplay('shown')\n6 * 7")
    kernel.run("quiesce()")
    assert [m["content"] for m in ran.messages] == []
    assert kernel.value("held.stdout") == "said\n"
    shown = kernel.value("[o.data['text/plain'] for o in held.outputs if o.data]")
    assert shown[0] == "'shown'" and "42" in shown[1] and len(shown) == 2


def test_an_unseen_exception_appears_once_under_its_cell(kernel: Kernel) -> None:
    ran = kernel.run("@when()\ndef broken():\n    time.sleep(0.1)\n    return [][3]")
    later = kernel.run("time.sleep(0.3); quiesce()")
    (text,) = ran.errors
    assert "IndexError" in text and "----> 4     return [][3]" in text and "broken" in text
    assert later.errors == [] and later.err == ""
    again = kernel.run("broken.result()", ok=False)
    assert again.reply["ename"] == "IndexError"
    assert len(ran.errors) == 1


def test_an_unseen_group_shows_what_is_in_it(kernel: Kernel) -> None:
    ran = kernel.run("@when()\ndef several():\n    raise ExceptionGroup('both', [ValueError('one'), KeyError('two')])")
    (error,) = kernel.until(lambda: ran.errors)
    assert "ValueError: one" in error and "KeyError: 'two'" in error
    assert "Cell In[" in error and "line 3, in several" in error and "ipykernel" not in error


def test_a_lost_value_is_said_of_its_cown(kernel: Kernel) -> None:
    ran = kernel.run("jar = Cown(1)\n@when(jar)\ndef spoil(jar):\n    jar.value = threading.Lock()")
    (error,) = kernel.until(lambda: ran.errors)
    assert error.startswith("the value of cown jar is lost:\n") and "as behavior 'spoil' left it" in error
    ran = kernel.run("def lose():\n    jar = Cown(1)\n    @when(jar)\n    def spoil(jar):\n"
                     "        jar.value = threading.Lock()\nlose()")  # fmt: skip
    (error,) = kernel.until(lambda: ran.errors)
    assert error.startswith("the value of cown jar")


def test_a_result_that_cannot_move_is_said_under_its_cell(kernel: Kernel) -> None:
    for code in ("@when()\ndef {0}():\n    return threading.Lock()", "%%when -> {0}\nreturn threading.Lock()"):
        ran = kernel.run(code.format("opened"))
        (error,) = kernel.until(lambda ran=ran: ran.errors)
        assert error.startswith("behavior opened:\n") and "'_thread.lock' cannot move between workers" in error
        assert kernel.run("opened.result()", ok=False).reply["ename"] == "TransferError"
        assert len(ran.errors) == 1


def test_one_that_the_cell_looks_at_is_not_reported(kernel: Kernel) -> None:
    ran = kernel.run(
        "@when()\ndef broken():\n    1 / 0\n"
        "try:\n    broken.result()\nexcept ZeroDivisionError as e:\n    print('seen')"
    )
    kernel.run("quiesce()")
    assert ran.errors == [] and ran.out == "seen\n"


def test_one_that_a_later_body_looks_at_is_not_reported(kernel: Kernel) -> None:
    ran = kernel.run(
        "@when()\ndef broken():\n    time.sleep(0.2)\n    1 / 0\n"
        "@when(broken)\ndef care(broken):\n    time.sleep(0.2)\n"
        "    print('handled', broken.value)\n    broken.value = None"
    )
    kernel.run("quiesce()")
    assert ran.errors == [] and "handled division by zero" in ran.out


def test_a_wait_in_the_cell_reports_at_once(kernel: Kernel) -> None:
    ran = kernel.submit("@when()\ndef broken():\n    1 / 0\nquiesce()\ntime.sleep(0.6)\nprint('end')")
    kernel.until(lambda: ran.errors)
    assert "end" not in ran.out
    kernel.finish(ran)
    assert len(ran.errors) == 1


def test_after_five_alike_only_a_count(kernel: Kernel) -> None:
    ran = kernel.run(
        "for i in range(12):\n    @when()\n    def broken():\n        raise LookupError('again')\nquiesce()"
    )
    kernel.run("quiesce()")
    assert len(ran.errors) == 5
    assert "only counted" in ran.err
    said = [
        m["content"].get("text", "") for p in list(kernel._by_parent.values()) for m in p if m["msg_type"] == "stream"
    ]
    assert "7 more LookupError at Cell In[" in "".join(said)


def test_warnings_and_hints_appear_under_the_scheduling_cell(kernel: Kernel) -> None:
    ran = kernel.run("@when()\ndef warn():\n    time.sleep(0.1)\n    import warnings\n    warnings.warn('too hot')")
    other = kernel.run("quiesce()")
    assert "too hot" in ran.err and other.err == ""


@pytest.mark.parametrize("name", ["INFO", "WARNING"])
def test_log_records_reach_mains_handlers_under_their_cell(kernel: Kernel, name: str) -> None:
    kernel.run(
        "import logging\nlog = logging.getLogger('kitchen'); log.setLevel(logging.INFO)\n"
        "log.handlers[:] = [logging.StreamHandler()]"
    )
    ran = kernel.run(
        "@when()\ndef speak():\n    time.sleep(0.1)\n    import logging\n"
        f"    logging.getLogger('kitchen').log(logging.{name}, 'steam')"
    )
    other = kernel.run("quiesce()")
    assert "steam" in ran.err and other.err == ""


def test_the_programs_own_threads_are_left_alone(kernel: Kernel) -> None:
    ran = kernel.run("t = threading.Thread(target=lambda: print('thread'))\nt.start(); t.join()")
    assert ran.out == "thread\n"


def test_a_silent_request_has_its_own_output(kernel: Kernel) -> None:
    """As debuggers and other tools send them: no cell of the notebook says what they print."""
    cell = kernel.run("print('a cell')")
    late = "@when()\ndef tool():\n    time.sleep(0.2)\n    print('from a tool')"
    first = kernel.run(late + "\nquiesce()", silent=True)
    second = kernel.run(late, silent=True)
    after = kernel.run("quiesce()")
    kernel.until(lambda: "from a tool" in second.out)
    assert first.out == second.out == "from a tool\n"
    assert cell.out == "a cell\n" and after.out == ""
    wrong = kernel.run("@when()\ndef tool():\n    1 / 0\nquiesce()\n1 / 0", silent=True, ok=False)
    assert any("ZeroDivisionError" in text for text in wrong.errors)
    assert kernel.run("@when()\ndef f():\n    print('mine')\nquiesce()").out == "mine\n"
