"""What the pages show runs as it stands: the Python of each page, from its top to its end, as one program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.S | re.M)
ELSEWHERE = {"endings.md"}  # a program that shows what CPython does without boc


def pages():
    """The pages with Python in them, and that Python."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        blocks = BLOCK.findall(path.read_text(encoding="utf-8"))
        if blocks and path.name not in ELSEWHERE:
            yield pytest.param("\n".join(blocks), id=str(path.relative_to(ROOT)))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("program", list(pages()))
def test_the_python_of_a_page(program, tmp_path):
    if "matplotlib" in program or "gantt" in program:
        pytest.importorskip("matplotlib")
    (tmp_path / "page.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=50,
                          stdin=subprocess.DEVNULL, env=os.environ | {"MPLBACKEND": "Agg"})
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
