"""What a front end shows for `%%when` and `%boc` under the cursor (Shift+Tab): the magic's own words.

ipykernel looks for the bare name, and `from boc import when` would answer for the magic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_NAME = re.compile(r"^[ \t]*(%%when|%%boc|%boc)\b", re.MULTILINE)


def magic_at(code: str, cursor: int) -> str | None:
    """The magic of this extension whose name the cursor stands in, or right behind."""
    for found in _NAME.finditer(code):
        if found.start(1) <= cursor <= found.end(1):
            return found[1]
    return None


def explained(shell: Any, plain: Callable[..., Any]) -> Callable[..., Any]:
    """`plain`, a kernel's `do_inspect`, that knows the magics."""

    def do_inspect(code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()) -> Any:
        name = magic_at(code, cursor_pos)
        if name is None:
            return plain(code, cursor_pos, detail_level, omit_sections)
        bundle = dict(shell.object_inspect_mime(name, detail_level=detail_level, omit_sections=omit_sections))
        if not shell.enable_html_pager:
            bundle.pop("text/html", None)
        return {"status": "ok", "found": True, "data": bundle, "metadata": {}}

    return do_inspect
