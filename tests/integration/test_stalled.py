"""A wait in which nothing starts says what runs, to a terminal only."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import boc
import pytest
from running import script

PROGRAM = """
import boc, time
from boc import Cown, _stall, when, wait
_stall.FIRST_S, _stall.AGAIN_S = 0.5, 0.5
c = Cown(0)
def slow():
    time.sleep(1.8)
@when(c)
def cook(c):
    slow()
@when(c)
def serve(c):
    pass
wait()
print("done")
"""


def test_a_terminal_hears_it_and_again(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    main, terminal = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(Path(boc.__file__).parents[1])}
    with subprocess.Popen([sys.executable, path], stdout=terminal, stderr=terminal, env=env) as program:
        os.close(terminal)
        text, deadline = "", time.monotonic() + 60
        while "done" not in text and time.monotonic() < deadline:
            if select.select([main], [], [], 1)[0]:
                try:
                    text += os.read(main, 4096).decode()
                except OSError:  # the other side is closed
                    break
        assert program.wait(30) == 0
    os.close(main)
    assert text.count("boc: waiting; nothing has started for") in (2, 3), text
    assert "'cook' on worker" in text and "program.py:7 in slow" in text, text
    assert "1 behavior is waiting behind them" in text, text


@pytest.mark.parametrize("wait", ["wait()", "boc.quiesce()"])
def test_a_pipe_hears_nothing(tmp_path, wait):
    done = script(tmp_path, PROGRAM.replace("wait()\nprint", f"{wait}\nprint"))
    assert (done.out, done.err) == ("done\n", "")
