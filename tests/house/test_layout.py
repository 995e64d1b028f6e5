"""What is where: who may know Python, what must be at the top, what may not be written anywhere."""

from __future__ import annotations

import re

import pytest
from rules import ROOT, files, lines, name, tracked

TEXT = {".c", ".h", ".def", ".py", ".pyi", ".md", ".toml", ".build", ".options", ".js", ".css", ".ipynb", ""}


def text_files() -> list:
    return [p for p in tracked() if p.suffix in TEXT]


@pytest.mark.parametrize("wanted", ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile",
                                    "pyproject.toml", ".ci/run", ".gitignore", "meson.build"])
def test_present(wanted):
    path = ROOT / wanted
    assert path.exists() and path.read_text().strip(), f"{wanted} is missing or empty"


def test_python_h_only_in_the_binding():
    allowed = ("ext/python/", "ext/matrix/", "ext/include/boc/", "tests/", "examples/")
    for path in files("**/*.c", "**/*.h"):
        if any("Python.h" in line and "#" in line and "include" in line for line in lines(path)):
            assert name(path).startswith(allowed), f"{name(path)} includes Python.h"


def test_the_core_knows_nothing_above_it():
    for path in files("ext/core/*.c", "ext/core/*.h"):
        for number, line in enumerate(lines(path), 1):
            assert not re.search(r"\bPy[A-Z]\w+\s*\(|\bPyObject\b", line), f"{name(path)}:{number}"


def test_the_model_does_not_draw():
    for path in files("python/boc/trace/*.py"):
        for number, line in enumerate(lines(path), 1):
            assert not re.match(r"\s*(from|import) (matplotlib|boc\.view|boc\.kernel)", line), \
                f"{name(path)}:{number} draws"


def test_views_know_only_the_model():
    for path in files("python/boc/view/*.py"):
        for number, line in enumerate(lines(path), 1):
            assert not re.match(r"\s*(from boc import|import boc\._|from boc\._core)", line), \
                f"{name(path)}:{number} reaches around the model"


def test_no_debt_and_no_workplace():
    this = ROOT / "tests" / "house" / "test_layout.py"
    wrong = re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b|/" + r"work/(w|env|main|shared)/|/root/")
    for path in text_files():
        for number, line in enumerate(lines(path) if path != this else (), 1):
            assert not wrong.search(line), f"{name(path)}:{number}: {line.strip()[:80]}"


def test_no_debug_prints_in_c():
    for path in files("ext/**/*.c"):
        for number, line in enumerate(lines(path), 1):
            assert not re.search(r"(?<![\w])(printf|puts)\s*\(", line), f"{name(path)}:{number} prints"


def test_no_dead_code():
    for path in files("ext/**/*.c", "ext/**/*.h"):
        for number, line in enumerate(lines(path), 1):
            assert not re.match(r"\s*#\s*if\s+0\b", line), f"{name(path)}:{number} keeps dead code"


def test_bench_does_not_import_the_peer_by_name():
    for path in files("python/**/*.py", "kernel/**/*.py", "ext/**/*"):
        assert "bocpy" not in path.read_text(encoding="utf-8"), f"{name(path)} names the peer"


def floors() -> dict[str, int]:
    """The table of ext/core/README.md: name of a file without its ending -> floor."""
    table = re.findall(r"^\| (\d+) \| ((?:`\w+` ?)+)\|", (ROOT / "ext/core/README.md").read_text(), re.M)
    return {file: int(floor) for floor, names in table for file in re.findall(r"\w+", names)}


def test_the_core_takes_only_from_below():
    floor = floors()
    paths = files("ext/core/*.c", "ext/core/*.h", "ext/core/*.def")
    assert {p.stem for p in paths} == set(floor), "ext/core/README.md and the folder differ"
    for path in paths:
        for line in lines(path):
            taken = re.match(r'\s*#\s*include "(\w+)\.(?:h|def)"', line)
            if taken and taken[1] != path.stem and taken[1] in floor:
                assert floor[taken[1]] < floor[path.stem], f"{name(path)} includes {taken[1]}.h"
