"""What the body of a `%%when` cell calls while it runs, on any kind of worker.

Small and light on imports: a worker loads it with the first cell that needs it.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

_PLAIN = (int, float, complex, str, bytes, bool, type(None))


def result(value: Any) -> Any:
    """The value of a cell's last expression: itself, or its repr if it cannot move."""
    if type(value) in _PLAIN:
        return value
    from boc import _core

    return value if _core._can_move(value) else repr(value)


def system(command: str) -> int:
    """`!command`: run it in a shell, its output printed as it comes. Returns the exit status."""
    with subprocess.Popen(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
    return process.returncode


def getoutput(command: str) -> list[str]:
    """`lines = !command`: the lines that it wrote, without their ends."""
    done = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", check=False,
    )  # fmt: skip
    return done.stdout.splitlines()
