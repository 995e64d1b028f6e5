"""Completion in the header of `%%when` and after `%boc`.

In the header only cowns are offered (and lists of cowns), and options after a dash;
IPython's own completers are kept out of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from boc import _control
from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from .header import OPTIONS
from .when import is_cown

_MAGIC = re.compile(r"\s*(?:[\w\s,.]+=\s*)?%(?P<cell>%)?(?P<name>when|boc)\s+(?P<rest>.*)$")
_CELL = ("profile",)


def _cown_names(namespace: dict[str, Any]) -> list[str]:
    names = []
    for name, value in list(namespace.items()):
        if not name.startswith("_") and is_cown(value) and value != [] and value != ():
            names.append(name)
    return sorted(names)


def _last_word(text: str) -> str:
    """What stands before the cursor since the last space or comma."""
    at = len(text)
    while at > 0 and not text[at - 1].isspace() and text[at - 1] not in ",=":
        at -= 1
    return text[at:]


def header_words(before: str, namespace: dict[str, Any]) -> list[str] | None:
    """What may stand at the end of `before`, the header up to the cursor without `%%when`; None: any expression."""
    word = _last_word(before)
    if any(c in word for c in ".[("):
        return None
    previous = before[: len(before) - len(word)].replace("=", " ").split()
    last = previous[-1] if previous else ""
    if last == "--on":
        return [k for k in (*_control._KINDS, "main") if k.startswith(word)]
    if last in ("->", "--name", "as"):
        return []
    if word.startswith("-"):
        return [o for o in OPTIONS if o.startswith(word)]
    return [n for n in _cown_names(namespace) if n.startswith(word)]


class _Only(list[SimpleCompletion]):
    """All that there is to offer, also if that is nothing: IPython asks others where a list is empty."""

    def __len__(self) -> int:
        return max(1, super().__len__())


def make_matcher(
    namespace: Callable[[], dict[str, Any]], commands: Callable[[str], Iterable[str] | None]
) -> Callable[[CompletionContext], Any]:
    """A matcher for `Completer.custom_matchers`. `commands(before)`: the words after `%boc`."""

    @context_matcher(identifier="boc")  # type: ignore[untyped-decorator]
    def boc_matcher(context: CompletionContext) -> dict[str, Any]:
        line = context.line_with_cursor
        before = line[: context.cursor_position]
        words: Iterable[str] | None = None
        header = _MAGIC.match(before)
        if header is not None and header["cell"]:
            if _is_header(context):
                words = header_words(header["rest"], namespace()) if header["name"] == "when" else _CELL
        elif header is not None and header["name"] == "boc":
            words = commands(header["rest"])
        if words is None:
            return {"completions": [], "suppress": False}
        word = _last_word(before)
        return {
            "completions": _Only(SimpleCompletion(text=w, type="boc") for w in words if w.startswith(word)),
            "matched_fragment": word,
            "suppress": True,
        }

    matcher: Callable[[CompletionContext], Any] = boc_matcher
    return matcher


def _is_header(context: CompletionContext) -> bool:
    """Whether nothing but other cell magics stands above the cursor's line (`%%time`)."""
    above = context.full_text.split("\n")[: context.cursor_line]
    return all(not line.strip() or line.lstrip().startswith("%%") for line in above)
