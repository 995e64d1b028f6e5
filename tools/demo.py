"""Executes the cooking notebook in a real kernel and leaves `out/cooking.html` and `out/cooking.png`.

The picture is the last PNG of the cell tagged `picture`, else the last PNG of the notebook.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.client import CellExecutionComplete
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


class Executor(NotebookClient):  # type: ignore[misc]
    """Keeps what arrives for cells that have ended already, as JupyterLab does: behaviors print late."""

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        sent: dict[str, tuple[Any, int]] = self.__dict__.setdefault("sent", {})
        sent[parent_msg_id] = (cell, cell_index)
        while True:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            owner = sent.get(message["parent_header"].get("msg_id"))
            if owner is None:
                continue
            try:
                self.process_message(message, *owner)
            except CellExecutionComplete:
                if owner[0] is cell:
                    return


def main() -> int:
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)
    client = Executor(notebook, timeout=120, kernel_name="python3",
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
