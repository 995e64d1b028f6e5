"""Completion in the header of `%%when` and after `%boc`.

In the header only cowns are offered (and lists of cowns), and options after a dash;
IPython's own completers are kept out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from boc import _control
from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from .header import OPTIONS
from .when import is_cown


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


def header_words(before: str, namespace: dict[str, Any]) -> list[str]:
    """What may stand at the end of `before`, the header up to the cursor without `%%when`."""
    word = _last_word(before)
    previous = before[: len(before) - len(word)].replace("=", " ").split()
    last = previous[-1] if previous else ""
    if last == "--on":
        return [k for k in (*_control._KINDS, "main") if k.startswith(word)]
    if last in ("->", "--name", "as"):
        return []
    if word.startswith("-"):
        return [o for o in OPTIONS if o.startswith(word)]
    return [n for n in _cown_names(namespace) if n.startswith(word)]


def make_matcher(
    namespace: Callable[[], dict[str, Any]], commands: Callable[[str], Iterable[str]]
) -> Callable[[CompletionContext], Any]:
    """A matcher for `Completer.custom_matchers`. `commands(before)`: the words after `%boc`."""

    @context_matcher(identifier="boc")  # type: ignore[untyped-decorator]
    def boc_matcher(context: CompletionContext) -> dict[str, Any]:
        line = context.line_with_cursor
        before = line[: context.cursor_position]
        stripped = before.lstrip()
        first = context.cursor_line == _first(context)
        if first and stripped.startswith("%%when") and stripped[6:7].isspace():
            words: Iterable[str] = header_words(stripped[7:], namespace())
        elif stripped.startswith("%boc ") or (first and stripped.startswith("%%boc ")):
            words = commands(stripped.partition(" ")[2])
        else:
            return {"completions": [], "suppress": False}
        return {
            "completions": [SimpleCompletion(text=w, type="boc") for w in words],
            "matched_fragment": _last_word(before),
            "suppress": True,
        }

    matcher: Callable[[CompletionContext], Any] = boc_matcher
    return matcher


def _first(context: CompletionContext) -> int:
    """The number of the first line that is not empty."""
    for number, line in enumerate(context.full_text.split("\n")):
        if line.strip():
            return number
    return 0
