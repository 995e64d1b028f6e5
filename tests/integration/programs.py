"""Programs for tests that need a process of their own: run one, and look at how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import textwrap
import time
from dataclasses import dataclass

PRELUDE = """
import atexit, os, sys, threading, time
import boc
from boc import Cown, PinnedCown, when
print("begun", flush=True)
"""

SIGNS_OF_A_CRASH = ("Fatal Python error", "Segmentation fault", "free():", "double free", "corruption",
                    "munmap_chunk", "Assertion", "remaining subinterpreters", "not the last thread")

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@dataclass(frozen=True)
class Ended:
    """How a program ended: exit status, its two streams, seconds it took."""

    status: int
    out: str
    err: str
    seconds: float

    def clean(self, status: int = 0) -> Ended:
        """Assert the status, and that CPython did not complain on its way out."""
        for sign in SIGNS_OF_A_CRASH:
            assert sign not in self.err, self.err
        assert self.status == status, f"status {self.status}\n{self.out}\n{self.err}"
        return self


def source(code: str) -> str:
    """The program: the imports that all of them need, then code."""
    return PRELUDE + textwrap.dedent(code)


def environ(**more: str) -> dict[str, str]:
    """The environment of the tests without what would change how the program runs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BOC_") and k != "PYTHONWARNINGS"}
    return kept | more


def run(code: str, *flags: str, timeout: float = 30.0, **env: str) -> Ended:
    """Run code in a fresh process of this interpreter; fails if it does not end within timeout seconds."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, *flags, "-c", source(code)], env=environ(**env), text=True,
                          capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)
