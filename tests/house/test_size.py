"""Files and functions stay small enough to be read at once, and each file says what it is for."""

from __future__ import annotations

import ast

from rules import c_functions, files, lines, name

C_FILE, C_FUNCTION, PY_FILE = 800, 80, 400


def test_c_files():
    sizes = [(name(p), len(lines(p))) for p in files("ext/**/*.c", "ext/**/*.h")]
    long = [f"{path}: {size}" for path, size in sizes if size > C_FILE]
    assert not long, f"more than {C_FILE} lines: {long}"


def test_c_functions():
    long = [f"{name(p)}:{start} {head}: {length}" for p in files("ext/**/*.c", "tests/core/*.c")
            for head, start, length in c_functions(p) if length > C_FUNCTION]
    assert not long, f"more than {C_FUNCTION} lines: {long}"


def test_python_files():
    long = [f"{name(p)}: {len(lines(p))}" for p in files("python/**/*.py", "kernel/**/*.py", "tools/*.py")
            if len(lines(p)) > PY_FILE]
    assert not long, f"more than {PY_FILE} lines: {long}"


def test_c_files_say_what_they_are_for():
    for path in files("ext/**/*.c", "ext/**/*.h", "ext/**/*.def"):
        first = next((line for line in lines(path) if line.strip()), "")
        assert first.startswith("/*"), f"{name(path)} does not begin with a comment"


def test_python_files_say_what_they_are_for():
    for path in files("python/**/*.py", "kernel/**/*.py", "tools/*.py", "examples/*.py", "tests/**/*.py"):
        source = path.read_text(encoding="utf-8")
        if source.strip():
            assert ast.get_docstring(ast.parse(source)), f"{name(path)} has no docstring"
