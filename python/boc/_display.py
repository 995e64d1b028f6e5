"""`display` in a behavior on a worker: the worker makes the bundle, the notebook shows it.

A worker has no IPython shell. `display(thing)` asks the thing for its representations, as
a notebook would, and sends them to main, which puts them under the cell that scheduled
the behavior. A matplotlib figure becomes a PNG. Without a notebook its text is printed.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False  # typing itself takes 10 ms to import, and every worker loads this
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Handle", "bundle", "display", "install", "unpack"]

_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/pdf": "_repr_pdf_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
}


def _plain(value: Any) -> Any:
    """What JSON can carry: bytes as base64, anything strange as its repr."""
    if isinstance(value, bytes | bytearray | memoryview):
        import base64

        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or type(value) in (str, int, float, bool):
        return value
    return str(value) if isinstance(value, str | int | float) else repr(value)


def _figure_png(figure: Any) -> bytes:
    import io

    out = io.BytesIO()
    figure.savefig(out, format="png", bbox_inches="tight")
    return out.getvalue()


def _ask(thing: Any, method: str) -> Any:
    if isinstance(thing, type):
        return None
    function = getattr(thing, method, None)
    if function is None:
        return None
    try:
        return function()
    except Exception:  # one representation that fails leaves the others
        return None


def bundle(thing: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The representations of `thing` by MIME type, and their metadata."""
    try:
        data: dict[str, Any] = {"text/plain": repr(thing)}
    except Exception as error:
        data = {"text/plain": f"<{type(thing).__name__}: repr() raised {type(error).__name__}>"}
    metadata: dict[str, Any] = {}
    made = _ask(thing, "_repr_mimebundle_")
    if isinstance(made, tuple) and len(made) == 2:
        made, metadata = made
    if isinstance(made, dict):
        data.update(made)
    for kind, method in _METHODS.items():
        value = None if kind in data else _ask(thing, method)
        if isinstance(value, tuple) and len(value) == 2:
            value, metadata[kind] = value
        if value is not None:
            data[kind] = value
    if "image/png" not in data and callable(getattr(thing, "savefig", None)):
        try:
            data["image/png"] = _figure_png(thing)
        except Exception as error:
            data["text/plain"] += f" (cannot be drawn: {error})"
    return _plain(data), _plain(metadata or {})


class Handle:
    """What `display(..., display_id=True)` gives: shows other things in the same place."""

    def __init__(self, display_id: str) -> None:
        self.display_id = display_id

    def update(self, thing: Any, **options: Any) -> None:
        """Replace what is shown."""
        display(thing, display_id=self.display_id, update=True, **options)

    def display(self, thing: Any, **options: Any) -> None:
        """Show another thing under the same id."""
        display(thing, display_id=self.display_id, **options)


def display(
    *things: Any,
    raw: bool = False,
    metadata: dict[str, Any] | None = None,
    transient: dict[str, Any] | None = None,
    display_id: str | bool | None = None,
    update: bool = False,
    **_options: Any,
) -> Handle | None:
    """Show things under the cell that scheduled this behavior, as IPython's `display` does."""
    import os
    import sys

    from boc import _core, _kinds

    if display_id is True:
        display_id = os.urandom(16).hex()
    transient = dict(transient or {})
    if isinstance(display_id, str):
        transient["display_id"] = display_id
    sys.stdout.flush()
    for thing in things:
        data, notes = (_plain(thing), {}) if raw and isinstance(thing, dict) else bundle(thing)
        notes = {**notes, **(metadata or {})}
        packed = marshal.dumps((data, _plain(notes), _plain(transient), bool(update)))
        _core.emit(_kinds.DISPLAY, packed, str(data.get("text/plain", "")))
    return Handle(display_id) if isinstance(display_id, str) else None


def unpack(packed: bytes) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], bool]:
    """What `display` sent: data, metadata, transient, whether it replaces."""
    data, metadata, transient, update = marshal.loads(packed)
    return data, metadata, transient, update


def _patch(module: Any) -> None:
    """IPython's own functions, loaded in a worker, show in the notebook too."""
    module.display = display


def install() -> None:
    """In a new worker: `display` is a builtin, as in a notebook."""
    import builtins

    from boc._worker import after_import

    vars(builtins).setdefault("display", display)
    for name in ("IPython.core.display_functions", "IPython.display"):
        after_import(name, _patch)
