"""Executes the cooking notebook in a real kernel and leaves `out/cooking.html` and `out/cooking.png`.

The picture is the last PNG of the cell tagged `picture`, else the last PNG of the notebook.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "cooking.ipynb"
OUT = ROOT / "out"


def picture(notebook: Any) -> bytes | None:
    """The PNG that stands for the run."""
    found: list[tuple[bool, str]] = []
    for cell in notebook.cells:
        tagged = "picture" in cell.get("metadata", {}).get("tags", [])
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png:
                found.append((tagged, png))
    if not found:
        return None
    chosen = [png for tagged, png in found if tagged] or [png for _, png in found]
    return base64.b64decode(chosen[-1])


def main() -> int:
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3",
                            resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    try:
        client.execute()
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    OUT.mkdir(exist_ok=True)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    (OUT / "cooking.html").write_text(html, encoding="utf-8")
    png = picture(notebook)
    if png is None:
        print("the notebook left no picture", file=sys.stderr)
        return 1
    (OUT / "cooking.png").write_bytes(png)
    print(f"{len(notebook.cells)} cells ran; out/cooking.html and out/cooking.png written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
