"""The soak, a minute of it; BOC_SOAK_S and BOC_SOAK_SEED choose others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("BOC_SOAK_S", "60"))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 200)
def test_soak() -> None:
    pytest.importorskip("numpy")
    seed = os.environ.get("BOC_SOAK_SEED")
    program = Path(__file__).with_name("soak.py")
    done = subprocess.run([sys.executable, str(program), str(SECONDS), *([seed] if seed else [])], text=True,
                          capture_output=True, timeout=SECONDS + 120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr[-4000:]}"
    assert "soaked" in done.stdout
