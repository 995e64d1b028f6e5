"""The notebooks of the project: their cells, and a run of all of them from top to bottom in a kernel of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import Kernel, Ran

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def cells(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return found


def text(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def run_all(name: str) -> list[tuple[str, Ran]]:
    """Each code cell's text, and what came of it."""
    kernel = Kernel()
    try:
        ran = [(text(c), kernel.run(text(c), timeout=60)) for c in cells(name) if c["cell_type"] == "code"]
        assert not (left := kernel.left()), f"left behind in the kernel: {left}"
        return ran
    finally:
        kernel.close()


def find(ran: list[tuple[str, Ran]], start: str) -> Ran:
    return next(r for source, r in ran if source.startswith(start))
