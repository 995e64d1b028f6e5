"""Integration tests use the installed package like a user does; each leaves no runtime behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import time

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
    nothing_left(request.config, getattr(request.node, "failed", False))


def nothing_left(config, failed):
    """Cowns, behaviors and values are as many as before the test: zero, but for what modules hold at their top."""
    before = getattr(config, "living", None)
    end = time.monotonic() + 10
    while True:
        now = boc.debug.live()
        left = {name: count for name, count in now.items() if before is not None and count > before[name]}
        if not left or failed or time.monotonic() > end:
            break
        gc.collect()  # only then: it is dear in a process that has imported much
        time.sleep(0.01)  # an abandoned worker lets go of what it has when its body ends
    config.living = now
    assert failed or not left, f"left behind: {left}, before the test: {before}"


def pytest_runtestloop(session):
    """Test modules may hold cowns at their top: these are there when the first test begins."""
    session.config.living = boc.debug.live()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Lets the fixture above know that a test failed: its traceback holds what it had."""
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


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
