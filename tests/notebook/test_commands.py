"""`%boc` in a real kernel: what it lists, says and shows; the live picture."""

from __future__ import annotations

import base64
import io
import struct
import time
from typing import Any

import pytest
from harness import Kernel, Ran
from PIL import Image

pytest.importorskip("matplotlib")

WORK = """
@when(pot)
def stir(pot):
    time.sleep(0.05)
@when(pot)
def season(pot):
    time.sleep(0.03)
"""


def size(png: str) -> tuple[int, int, int]:
    """Width, height and bytes of a base64 PNG."""
    data = base64.b64decode(png)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height, len(data)


def test_alone_and_unknown_it_lists_the_commands(kernel: Kernel) -> None:
    listed = kernel.run("%boc").out
    for name in ("live", "gantt", "board", "summary", "explain NAME", "status", "start", "stop", "save FILE", "stacks"):
        assert f"%boc {name}" in listed
    assert "%%boc profile" in listed
    ran = kernel.run("%boc gant", ok=False)
    assert "gant" in ran.text and "did you mean gantt" in ran.text and "%boc status" in ran.text
    for name in ("attach", "doctor", "replay"):
        offered = f"%boc {name}" in listed
        assert offered == (kernel.run(f"%boc {name}", ok=None).text.find("no command") < 0)


def test_start_stop_status_say_what_is_now_in_one_line(kernel: Kernel) -> None:
    kernel.run("boc.stop()")
    assert kernel.run("%boc status").out == "boc is not running; the first behavior starts it\n"
    ran = kernel.run("%boc start -w 3")
    assert "3 workers" in ran.out and ran.out.count("\n") == 1
    assert "3 workers" in kernel.run("%boc status").out
    ran = kernel.run("%boc start -w 4", ok=False)
    assert "workers=3" in ran.text and len(ran.text.strip().splitlines()) == 1
    assert "not running" in kernel.run("%boc stop").out
    kernel.run("%boc start -w 2")
    for bad in ("%boc start -w many", "%boc start -w", "%boc status now", "%boc gantt sideways", "%boc explain nobody"):
        assert len(kernel.run(bad, ok=False).text.strip().splitlines()) == 1, bad


def test_a_look_at_a_result_is_no_behavior(kernel: Kernel) -> None:
    kernel.run("quiesce()\npot = Cown([])")
    before = kernel.value("boc._core._counts()[2]")
    kernel.run("for _n in range(3):\n    @when(pot)\n    def fill(pot):\n        pot.value.append(1)")
    assert len(kernel.run("pot.result()\nfill.result()\npot.result()").errors) == 0
    kernel.run("quiesce()")
    assert f"{before + 3} done" in kernel.run("%boc status").out


def test_pause_step_and_resume(kernel: Kernel, tmp_path: Any) -> None:
    try:
        kernel.run("%boc start -w 2")
        assert "boc is paused: 2 workers · 0 running, 0 ready, 0 waiting" in kernel.run("%boc pause").out
        kernel.run("pot = Cown(0)" + WORK)
        assert "1 ready, 1 waiting" in kernel.run("%boc status").out
        ran = kernel.run("quiesce()", ok=False)
        assert "paused: 1 ready, 1 waiting; press Step or Resume, or Interrupt and boc.step()" in ran.text
        assert "did you mean" not in kernel.run("%boc step nobody", ok=False).text
        kernel.run("import boc.kernel.commands as _commands; _commands.SETTLE = 30")
        stepped = kernel.run("%boc step")
        assert stepped.out.startswith("stir · boc is paused") and stepped.out.count("\n") == 1
        assert "0 running, 1 ready, 0 waiting" in stepped.out, "what the step led to"
        ran = kernel.run("%boc step season")
        assert ran.out.startswith("season · ") and "0 running, 0 ready, 0 waiting" in ran.out
        loop = f"while not os.access({str(tmp_path / 'enough')!r}, os.F_OK): time.sleep(0.01)"
        kernel.run(f"import os\n@when(pot)\ndef simmer(pot):\n    {loop}")
        slow = kernel.run("_commands.SETTLE = 2\n%boc step simmer")
        assert "1 running, 0 ready, 0 waiting" in slow.out, "it does not wait for a long body"
        (tmp_path / "enough").touch()
        assert kernel.run("%boc step 2").out.startswith("nothing is runnable · ")
        waited = kernel.submit("%%when pot --wait\n'late'")
        kernel.finish(waited)
        assert "paused: 1 ready" in waited.text and not waited.ok
        assert "boc is running" in kernel.run("%boc resume").out
        kernel.run("quiesce()")
    finally:
        kernel.run("_commands.SETTLE = 0.1\nboc.resume()\nboc.stop()")


def test_places_are_those_of_cells(kernel: Kernel, tmp_path: Any) -> None:
    told = tmp_path / "go"
    loop = f"    while not os.access({str(told)!r}, os.F_OK): time.sleep(0.01)"
    ran = kernel.run(f"import os, time\n@when()\ndef _():\n{loop}\nmine = _\nmine.name")
    number = ran.reply["execution_count"]
    assert ran.data("execute_result")[0]["data"]["text/plain"] == f"'cell {number}:2'"
    end = time.monotonic() + 30
    while "1 running" not in kernel.run("%boc status").out:
        assert time.monotonic() < end
    assert f"  Cell In[{number}], line 4, in _\n    while not" in kernel.run("%boc stacks").out
    stalled = "print(boc._waiting.stalled_text(boc.stacks(), 1, 5.0))"
    assert f"now at Cell In[{number}]:4 in _" in kernel.run(f"import boc._waiting\n{stalled}").out
    told.touch()
    kernel.run("del _\nquiesce()")


def test_doctor_lists_what_the_notebook_imported(kernel: Kernel) -> None:
    kernel.run("import json, numpy")
    data = kernel.run("%boc doctor", timeout=90).data("execute_result")[0]["data"]
    assert "json" in data["text/plain"] and "main (pinned)" in data["text/plain"] and "<table" in data["text/html"]


def test_save_and_replay(kernel: Kernel, tmp_path: Any) -> None:
    cell = "pot = Cown(0)" + WORK + "quiesce()"
    kernel.run("boc.reset()\n" + cell)
    assert "the schedule is in" in kernel.run(f"%boc save {tmp_path}/run.json").out
    kernel.run(f"%boc save {tmp_path}/run.boctrace")
    for path in ("run.json", "run.boctrace"):
        assert kernel.run(f"%boc replay {tmp_path}/{path}").out.startswith("2 starts to follow")
        assert "boc is replaying 0 of 2 starts" in kernel.run("%boc start\n%boc status").out
        kernel.run(cell)
        assert "boc is running" in kernel.run("%boc status").out, "all was followed"
    kernel.run(f"%boc replay {tmp_path}/run.json")
    ran = kernel.run("@boc.when()\ndef other(): ...\nquiesce()", ok=False)
    assert "ReplayDiverged" in ran.text and "main scheduled 'other' where 'stir'" in ran.text
    assert "nothing.json" in kernel.run("%boc replay nothing.json", ok=False).text
    kernel.run("boc.reset()")


def test_a_dark_theme_is_asked_for_once(kernel: Kernel) -> None:
    kernel.run("dark = Cown(0)\n@when(dark)\ndef _(c): pass\nquiesce()")

    def corner(line: str) -> Any:
        data = kernel.run(line).data("execute_result")[0]["data"]["image/png"]
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB").getpixel((0, 0))

    assert corner("%boc gantt") == (255, 255, 255)
    assert corner("%boc gantt --dark") == corner("%boc board") == corner("%boc throughput") == (0x11, 0x14, 0x18)
    assert corner("%boc gantt --light") == (255, 255, 255)


@pytest.mark.parametrize("line", ["gantt", "gantt cown", "gantt --by behavior", "gantt --last 60 --all", "throughput"])
def test_charts(kernel: Kernel, line: str) -> None:
    kernel.run("pot = Cown(0)" + WORK + "quiesce()")
    ran = kernel.run(f"%boc {line}")
    (shown,) = ran.data("execute_result")
    width, _, weight = size(shown["data"]["image/png"])
    assert width >= 600 and weight < 200_000
    assert "behavior" in shown["data"]["text/plain"] or "finished" in shown["data"]["text/plain"]


def test_a_chart_covers_the_last_cell_that_scheduled(kernel: Kernel) -> None:
    kernel.run("pot = Cown(0)" + WORK + "quiesce()")
    kernel.run(WORK + "quiesce()\ntime.sleep(0.1)" + WORK + "quiesce()")
    kernel.run("1 + 1")
    text = kernel.run("%boc gantt").data("execute_result")[0]["data"]["text/plain"]
    assert text.startswith("4 behaviors")
    everything = kernel.run("%boc gantt --all").data("execute_result")[0]["data"]["text/plain"]
    assert int(everything.replace("\u202f", "").replace("\u2009", "").split()[0]) > 4


def test_board_summary_explain_stacks_save(kernel: Kernel, tmp_path: Any) -> None:
    kernel.run("from boc import notice_write\npot = Cown(0)" + WORK + "notice_write('soup', 'hot')\nquiesce()")
    assert "soup" in kernel.run("%boc board").data("execute_result")[0]["data"]["text/plain"]
    data = kernel.run("%boc summary").data("execute_result")[0]["data"]
    assert "season" in data["text/plain"] and "<table" in data["text/html"]
    said = kernel.run("%boc explain season").out
    (shown,) = kernel.run("boc.explain('season')").data("execute_result")
    assert shown["data"]["text/plain"] == said.strip()
    assert "season waited" in said and "stir" in said
    running = kernel.run("@when(pot)\ndef simmer(pot):\n    time.sleep(0.5)\ntime.sleep(0.2)\n%boc stacks")
    assert "simmer" in running.out
    kernel.run(f"quiesce()\n%boc save {tmp_path}/run.boctrace")
    assert (tmp_path / "run.boctrace").stat().st_size > 100
    kernel.run(f"import os\nhome, os.environ['HOME'] = os.environ.get('HOME', ''), {str(tmp_path)!r}\nwhich = 2")
    kernel.run("%boc save ~/run{which}.boctrace\nos.environ['HOME'] = home")
    assert (tmp_path / "run2.boctrace").exists()


def test_profile_runs_the_cell_waits_and_reports(kernel: Kernel) -> None:
    ran = kernel.run("%%boc profile\npot = Cown(0)" + WORK + "pot.name\n'last'")
    results = ran.data("execute_result")
    assert any("season" in r["data"]["text/plain"] for r in results)
    assert any(r["data"]["text/plain"] == "'last'" for r in results)
    assert kernel.value("season.done()") is True
    bad = kernel.run("%%boc profile\nx = 1\n1 / 0", ok=False)
    assert "----> 3 1 / 0" in bad.errors[0] and "profile.py" not in bad.errors[0]
    wrong = kernel.run("%%boc profile\nx = 1\nawait x", ok=False)
    assert wrong.errors[0].startswith("  Cell In[") and "line 3\n    await x" in wrong.errors[0]
    assert "SyntaxError: 'await' outside function" in wrong.errors[0] and ".py" not in wrong.errors[0]
    assert "profile" in kernel.run("%%boc measure\n1", ok=False).text


@pytest.mark.parametrize("cell", ["%boc live", "%%boc profile\nran = True"])
def test_without_the_packages_for_charts_a_command_says_what_to_install(kernel: Kernel, cell: str) -> None:
    kernel.run("import sys\nkept, sys.modules['numpy'] = sys.modules.get('numpy'), None\nran = False")
    said = kernel.run(cell, ok=False).err
    kernel.run("sys.modules.pop('numpy')\nif kept: sys.modules['numpy'] = kept")
    assert "needs numpy: pip install 'boc[view]'" in said and len(said.splitlines()) == 1
    assert kernel.value("ran") is False


# ---- the live picture ------------------------------------------------------------------
def pictures(kernel: Kernel, live: Ran) -> list[dict[str, Any]]:
    """All updates of a live view, under whatever cell they were sent, in order."""
    mark = live.data("display_data")[0]["transient"]["display_id"]
    found = []
    for messages in list(kernel._by_parent.values()):
        for m in messages:
            if m["msg_type"] == "update_display_data" and m["content"]["transient"]["display_id"] == mark:
                found.append((m["at"], m["content"]["data"]))
    return [data for _, data in sorted(found, key=lambda f: f[0])]


@pytest.mark.parametrize("end", ["boc.wait()", "boc.stop()", "boc.reset()", "%unload_ext boc"])
def test_the_live_picture_follows_rests_and_stays(kernel: Kernel, end: str) -> None:
    kernel.run("%load_ext boc\npot = Cown(0)\nimport matplotlib.figure, numpy")
    live = kernel.run("%boc live\nprint('below')")
    kinds = [m["msg_type"] for m in live.messages if m["msg_type"] != "update_display_data"]
    assert kinds == ["display_data", "stream"]
    text = live.data("display_data")[0]["data"]["text/plain"]
    assert ("so far" if kernel.value("boc._core._counts()[0]") else "No behavior has run yet") in text
    busy = kernel.submit("for n in range(15):\n    @when(pot)\n    def boil(pot):\n        time.sleep(0.1)\nquiesce()")
    kernel.until(lambda: len(pictures(kernel, live)) >= 2, 20)
    assert not busy.reply, "also while a cell blocks in quiesce()"
    kernel.finish(busy)
    view = "get_ipython().magics_manager.registry['BocMagics'].live.views[-1]"
    kernel.until(lambda: kernel.value(f"{view}._shown == {view}._state()"), 20)
    rested = len(pictures(kernel, live))
    time.sleep(0.8)
    assert len(pictures(kernel, live)) == rested, "nothing changes, nothing is sent"
    kernel.run(end)
    last = pictures(kernel, live)[-1]
    width, _, weight = size(last["image/png"])
    assert width >= 600 and weight < 200_000
    assert "behaviors" in last["text/plain"]
    kernel.until(lambda: "boc-live" not in kernel.value("[t.name for t in threading.enumerate()]"))
    kernel.run("%load_ext boc")


def test_the_last_picture_keeps_nobody_waiting(kernel: Kernel) -> None:
    """Drawing may be slow: who can take it later is not kept, who takes nothing after the cell has it before."""
    kernel.run("pot = Cown(0)\ndrawn, real, may = [], boc.gantt, threading.Event()")
    kernel.run("def slow(*a, **k):\n    may.wait(60)\n    drawn.append(1)\n    return real(*a, **k)\nboc.gantt = slow")
    try:
        for attended in (True, False):
            live = kernel.run("%boc live")
            kernel.run("@when(pot)\ndef boil(pot):\n    pass\nquiesce()", allow_stdin=True)
            soon = "" if attended else "threading.Timer(0.5, may.set).start()\n"
            kernel.run(soon + "boc.wait()", allow_stdin=attended)
            assert (kernel.value("len(drawn)") == 0) is attended
            kernel.run("may.set()")
            kernel.until(lambda view=live: pictures(kernel, view), 20)
            kernel.until(lambda: "boc-live" not in kernel.value("[t.name for t in threading.enumerate()]"))
            kernel.run("may.clear()\ndrawn.clear()")
    finally:
        kernel.run("boc.gantt = real\nmay.set()")


def test_at_most_four_pictures_a_second(kernel: Kernel) -> None:
    kernel.run("pot = Cown(0)")
    live = kernel.run("%boc live")
    ran = kernel.run("for n in range(30):\n    @when(pot)\n    def boil(pot):\n        time.sleep(0.05)\nquiesce()")
    assert len(pictures(kernel, live)) <= 4 * ran.seconds + 3
    kernel.until(lambda: pictures(kernel, live), 20)
    kernel.run("boc.wait()")


def test_a_second_view_takes_over(kernel: Kernel) -> None:
    kernel.run("pot = Cown(0)")
    first = kernel.run("%boc live")
    kernel.run(WORK + "quiesce()")
    second = kernel.run("%boc live")
    # A cell does not wait long for a picture that may come later: on a busy machine it does.
    kernel.until(lambda: kernel.value("[t.name for t in threading.enumerate()].count('boc-live')") == 1, 20)
    seen = len(pictures(kernel, first))
    assert seen >= 1
    kernel.run(WORK + "quiesce()")
    kernel.until(lambda: pictures(kernel, second), 20)
    assert len(pictures(kernel, first)) == seen
    kernel.run("boc.wait()")


def test_a_cell_may_plot_meanwhile(kernel: Kernel) -> None:
    kernel.run("import matplotlib.pyplot as plt; pot = Cown(0)\n%boc live")
    kernel.run("for n in range(10):\n    @when(pot)\n    def boil(pot):\n        time.sleep(0.05)")
    ran = kernel.run("for n in range(3):\n    plt.figure(); plt.plot(range(n + 2))\nplt.show()")
    assert len([d for d in ran.data("display_data") if "image/png" in d["data"]]) == 3
    kernel.run("boc.wait()")
