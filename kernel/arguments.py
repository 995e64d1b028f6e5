"""The words behind a `%boc` command: flags, options with a value, and the rest in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError


class Arguments:
    """The words behind a command: options taken out one by one, the rest in order."""

    def __init__(self, command: str, words: list[str]) -> None:
        self.command = command
        self.words = words

    def flag(self, *names: str) -> bool:
        for name in names:
            if name in self.words:
                self.words.remove(name)
                return True
        return False

    def option(self, *names: str) -> str | None:
        """The value of `--name value`, `--name=value` or `-w4`."""
        for i, word in enumerate(self.words):
            for name in names:
                if word == name:
                    if i + 1 >= len(self.words):
                        raise UsageError(f"{name} needs a value")
                    del self.words[i]
                    return self.words.pop(i)
                if word.startswith(name + "=") or (len(name) == 2 and word.startswith(name)):
                    del self.words[i]
                    return word[len(name) :].lstrip("=")
        return None

    def number(self, kind: Callable[[str], Any], *names: str) -> Any:
        text = self.option(*names)
        if text is None:
            return None
        try:
            return kind(text)
        except ValueError:
            raise UsageError(f"{names[-1]} needs a number, not {text!r}") from None

    def one(self, what: str) -> str:
        if not self.words:
            raise UsageError(f"%boc {self.command} needs {what}")
        return self.words.pop(0)

    def end(self) -> None:
        if self.words:
            raise UsageError(f"%boc {self.command} does not know {self.words[0]!r}")
