"""Integration tests use the installed package like a user does; each leaves no runtime behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

boc = pytest.importorskip("boc")


@pytest.fixture(autouse=True)
def no_runtime_left(request):
    """Ends what the test left: the board, the workers, the watchdog, names and trace.

    A module that says `KEEP_WORKERS = True` gets two workers that stay from test to test: ending an interpreter
    that imported pytest costs more than most tests. Its last test ends them.
    """
    keep = getattr(request.module, "KEEP_WORKERS", False)
    if keep:
        boc.start(2)
    yield
    if keep and request.node.nextitem_module is request.module:
        boc.quiesce(timeout=5)
        return
    boc.stop()
    boc.set_pump_watchdog(None)
    boc.set_tags([])
    boc.reset()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Lets the fixture above know whether another test of the same module follows."""
    item.nextitem_module = getattr(nextitem, "module", None)


@pytest.fixture
def script(tmp_path):
    """Runs a program text as a script of its own: `script(text, *arguments, timeout=20, code=None)`.

    With `command=True` the text goes to `python -c`. The exit status must be `code` unless that is None.
    """
    def run(text, *arguments, timeout=20, code=0, command=False, flags=(), env=None):
        text = textwrap.dedent(text)
        path = tmp_path / "program.py"
        path.write_text(text)
        target = ["-c", text] if command else [str(path)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BOC_")} | (env or {})
        done = subprocess.run([sys.executable, *flags, *target, *arguments], capture_output=True, text=True,
                              timeout=timeout, env=kept, cwd=tmp_path, stdin=subprocess.DEVNULL)
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
