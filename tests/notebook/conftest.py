"""One real kernel per test module, with the extension loaded and some cowns made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("ipykernel")
pytest.importorskip("jupyter_client")

from harness import Kernel

START = """
import time, threading, os, sys
%load_ext boc
import boc
from boc import Cown, PinnedCown, cancel, quiesce, when
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    started = Kernel()
    started.run(START)
    yield started
    left = started.left()
    started.close()
    assert not left, f"left behind in the kernel: {left}"
