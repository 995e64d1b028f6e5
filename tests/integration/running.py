"""Run a program that uses boc as a user would: a script in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import boc


class Ended(NamedTuple):
    code: int
    out: str
    err: str
    path: Path


def script(tmp_path, source, *args, code=0, env=None, timeout=60, name="program.py"):
    """Run `source` as a script; checks the exit status and that it ended by itself."""
    path = tmp_path / name
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    where = str(Path(boc.__file__).parents[1])
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHONUNBUFFERED"))}
    done = subprocess.run(
        [sys.executable, *args, str(path)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": where, **(env or {})},
    )
    assert done.returncode == code, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return Ended(done.returncode, done.stdout, done.stderr, path)
