"""Static checks: ruff on all Python, mypy and pyright on the installed package with its stubs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # pyright looks for Python there


def installed() -> Path | None:
    """Where boc is installed in this environment."""
    for entry in sys.path:
        if (Path(entry) / "boc" / "__init__.py").exists():
            return Path(entry) / "boc"
    return None


def check(name: str, command: list[str], package: Path | None = None) -> bool:
    """Runs one checker; its output is shown if it fails."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    text = done.stdout.replace(f"{package.relative_to(ROOT)}", str(package)) if package else done.stdout
    if package:  # the way back from what is installed to what is edited
        for top in ("kernel", "examples"):
            text = text.replace(f"{package}/{top}/", f"{top}/")
        text = text.replace(f"{package}/", "python/boc/")
    print(f"-- {name}: {'ok' if done.returncode == 0 else 'failed'}", flush=True)
    if done.returncode:
        print(text, flush=True)
    return done.returncode == 0


def public_types_known() -> bool:
    """Whether pyright knows the type of every name in `boc.__all__` and of what can be reached under it."""
    public = subprocess.run([sys.executable, "-c", "import boc; print(*boc.__all__)"], capture_output=True, text=True)
    names = set(public.stdout.split())
    done = subprocess.run([BIN / "pyright", "--ignoreexternal", "--outputjson", "--verifytypes", "boc"], cwd=ROOT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    report = json.loads(done.stdout).get("typeCompleteness")
    if report is None or not report["symbols"]:
        print("-- pyright --verifytypes: failed\n" + done.stdout[-500:])
        return False
    unknown = []
    for symbol in report["symbols"]:
        parts = symbol["name"].split(".")
        private = any(part.startswith("_") for part in parts[2:])
        if len(parts) > 1 and parts[1] in names and not private and not symbol["isTypeKnown"]:
            unknown.append(symbol["name"])
    print(f"-- pyright --verifytypes: {'ok' if not unknown else 'failed'}", flush=True)
    print("".join(f"unknown type: {one}\n" for one in unknown), end="", flush=True)
    return not unknown


def pyright_works() -> bool:
    """The pyright wheel fetches its program at first use; without a network there is none."""
    try:
        return subprocess.run([BIN / "pyright", "--version"], capture_output=True, timeout=120,
                              stdin=subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def main() -> int:
    results = [check("ruff", [str(BIN / "ruff"), "check", "--quiet", "."])]
    results.append(check("mypy --strict tools", [str(BIN / "mypy"), "tools"]))
    package = installed()
    if package is None:
        print("-- mypy, pyright: boc is not installed, left out")
        return 0 if all(results) else 1
    results.append(check("mypy --strict", [str(BIN / "mypy"), "-p", "boc"], package))
    results.append(check("mypy --strict tests/typing", [str(BIN / "mypy"), "tests/typing/use.py"]))
    if pyright_works():
        results.append(check("pyright tests/typing", [str(BIN / "pyright"), "tests/typing"]))
        results.append(public_types_known())
    else:
        print("-- pyright: cannot be fetched here, left out")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
