"""The words of the house in what users read: a cown is held, a behavior waits, nothing is locked."""

from __future__ import annotations

import ast
import re

from rules import files, lines, name

# In guides that compare with threads the words of threads are needed.
ABOUT_THREADS = {"docs/guides/coming-from.md", "docs/guides/thinking.md", "docs/how-it-works.md",
                 "docs/guides/limits.md"}
WRONG = re.compile(r"\b(locked|blocked|behaviour|behaviours|deadlocked cown)\b", re.I)


def test_messages_of_the_package():
    for path in files("python/**/*.py", "kernel/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not WRONG.search(node.value), f"{name(path)}:{node.lineno}: {node.value[:80]!r}"


def test_messages_of_the_binding():
    for path in files("ext/**/*.c"):
        for number, line in enumerate(lines(path), 1):
            for text in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
                assert not WRONG.search(text), f"{name(path)}:{number}: {text!r}"


def test_guides():
    for path in files("docs/**/*.md", "README.md"):
        if name(path) in ABOUT_THREADS:
            continue
        for number, line in enumerate(lines(path), 1):
            assert not WRONG.search(line), f"{name(path)}:{number}: {line.strip()[:80]}"
