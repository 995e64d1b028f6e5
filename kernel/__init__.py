"""The Jupyter side of boc: magics, output under its cell, pinned work, the live view.

`%load_ext boc` comes here. Importing this package loads nothing more; see `extension`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Add `%%when` and `%boc` to an IPython shell; twice is once. Starts nothing."""
    from .extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take away what `load_ipython_extension` added; may be called again."""
    from .extension import unload

    unload(shell)
