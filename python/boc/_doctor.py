"""Which imported modules run on workers, and which need the main thread.

Nothing is known beforehand: each is imported once in a worker interpreter, in a process of its own. What was learned is
kept for the life of this process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from html import escape
from types import ModuleType
from typing import Any, NamedTuple

from boc import _core

__all__ = ["Diagnosis", "Module", "doctor"]

_SECONDS = 60.0
_MARK = "boc-doctor:"
_MAIN = "main (pinned)"

# What the other process runs: imports each module in a behavior and says how that went, a line each.
_TRIAL = f"""
import json, sys
given = json.loads(sys.stdin.read())
sys.path[:] = given["path"]
import boc
boc.start(1)
def trial(name):
    import importlib
    try:
        importlib.import_module(name)
    except BaseException as e:
        return f"{{type(e).__name__}}: {{e}}"
    return ""
for name in given["names"]:
    why = boc.whencall(trial, [], (name,)).result()
    print("\\n" + {_MARK!r} + json.dumps([name, why]), flush=True)
boc.stop()
"""

_learned: dict[str, str] = {}  # module -> "" or why a worker cannot import it


class Module(NamedTuple):
    """A module, where it can run ("workers", or "main (pinned)"), and why not everywhere."""

    name: str
    where: str
    why: str = ""


class Diagnosis(list[Module]):
    """What `boc.doctor()` found, module by module; shows as a table."""

    def __repr__(self) -> str:
        if not self:
            return "no module of the program is imported"
        width = max(len(m.name) for m in self)
        place = max(len(m.where) for m in self)
        lines = [f"{m.name:<{width}}  {m.where:<{place}}  {m.why}".rstrip() for m in self]
        if any(m.where == _MAIN for m in self):
            lines.append(_WAY_OUT)
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{self!r}</p>"
        cells = [(f"<code>{escape(m.name)}</code>", escape(m.where), escape(m.why)) for m in self]
        rows = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells)
        after = f"<p>{escape(_WAY_OUT)}</p>" if any(m.where == _MAIN for m in self) else ""
        head = "<tr><th>module</th><th>runs on</th><th>why</th></tr>"
        return f"<table>{head}{rows}</table>{after}"


_WAY_OUT = "main (pinned): use it in a behavior with @when(..., on='main'), or on the value of a PinnedCown"


def _imported() -> list[str]:
    """The modules that the program's own names come from, in the order of the names."""
    found: dict[str, None] = {}
    for name, value in list(vars(sys.modules["__main__"]).items()):
        if name.startswith("_") or name in ("In", "Out", "get_ipython", "exit", "quit", "open"):
            continue
        if isinstance(value, ModuleType):
            module = value.__name__
        elif isinstance(value, type) or callable(value):
            module = str(getattr(value, "__module__", None) or "").partition(".")[0]
        else:
            continue
        if module in sys.modules and module.partition(".")[0] not in ("__main__", "builtins", "boc", "IPython"):
            found.setdefault(module)
    return list(found)


def _try(names: list[str]) -> dict[str, str]:
    """Import them in a worker of a fresh process; a name that is missing from the answer took the process down."""
    told = json.dumps({"path": [p for p in sys.path if isinstance(p, str)], "names": names})
    try:
        done = subprocess.run([sys.executable, "-c", _TRIAL], input=told, capture_output=True, text=True,
                              timeout=_SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired as e:
        out = e.stdout.decode("utf-8", "replace") if isinstance(e.stdout, bytes) else e.stdout or ""
    else:
        out = done.stdout
    found = {}
    for line in out.splitlines():
        if line.startswith(_MARK):
            name, why = json.loads(line[len(_MARK) :])
            found[name] = why
    return found


def _learn(names: list[str]) -> None:
    left = [n for n in names if n not in _learned]
    while left:
        _learned.update(_try(left))
        lost = [n for n in left if n not in _learned]
        if lost:  # the first of them took the process down, or kept it busy; the others were not reached
            _learned[lost[0]] = "importing it in a worker ended the process or did not end"
        left = lost[1:]


def doctor(*modules: str | ModuleType) -> Diagnosis:
    """Say where each imported module can run: on workers, or on the main thread only.

    modules: names or modules to look at; without any, those that the names of the program (of the notebook) come from.
    Each is imported once in a worker interpreter, in a process of its own, so that nothing here changes.

    RuntimeError inside a behavior; TypeError for what is neither a name nor a module.
    """
    if _core._in_body() or not _core.is_main():
        raise RuntimeError("doctor() cannot be used inside a behavior")
    names = []
    for m in modules:
        if not isinstance(m, (str, ModuleType)):
            raise TypeError(f"doctor() takes names of modules, not {type(m).__name__}")
        names.append(m if isinstance(m, str) else m.__name__)
    names = list(dict.fromkeys(names)) if modules else _imported()
    _learn(names)
    return Diagnosis(Module(n, _MAIN if _learned[n] else "workers", _learned[n]) for n in names)
