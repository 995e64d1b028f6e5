"""What the house tests share: the files of the project, and the shape of the C functions in them."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every file of the project, as git knows it; outside a clone, every file that is no build output."""
    found = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           capture_output=True, text=True)
    if found.returncode == 0:
        paths = [ROOT / name for name in found.stdout.split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if p.relative_to(ROOT).parts[0] not in ("build", "out", ".git")]
    return tuple(sorted(p for p in paths if p.is_file()))


def files(*patterns: str) -> list[Path]:
    """Tracked files whose path from the root matches one of the patterns (`ext/**/*.c`)."""
    return [p for p in tracked() if any(_matches(name(p), one) for one in patterns)]


def _matches(name: str, pattern: str) -> bool:
    """What `Path.full_match` does from CPython 3.13 on."""
    text = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(text, name) is not None


def name(path: Path) -> str:
    """The path from the root."""
    return str(path.relative_to(ROOT))


def lines(path: Path) -> list[str]:
    """The lines of a text file."""
    return path.read_text(encoding="utf-8").splitlines()


def c_functions(path: Path) -> list[tuple[str, int, int]]:
    """(name, first line, length) of each function: it opens at column 0 and ends with a `}` there."""
    found, head, start = [], "", 0
    for number, line in enumerate(lines(path), 1):
        if line.startswith("}") and start:
            found.append((head, start, number - start + 1))
            start = 0
        elif not start and line.rstrip().endswith("{") and line[0] not in " \t#/*}":
            match = re.search(r"(\w+)\s*\(", line)
            if match and not line.startswith(("struct", "enum", "union", "typedef", "extern")):
                head, start = match[1], number
        elif not start and line.startswith("{"):
            head, start = "?", number
    return found
