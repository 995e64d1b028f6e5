"""Static checks: ruff on all Python, mypy and pyright on the installed package with its stubs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def installed() -> Path | None:
    """Where boc is installed in this environment."""
    for entry in sys.path:
        if (Path(entry) / "boc" / "__init__.py").exists():
            return Path(entry) / "boc"
    return None


def check(name: str, command: list[str], package: Path | None = None, only: str = "") -> bool:
    """Runs one checker; its output is shown if it fails, or the lines of it that hold `only`."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    text = done.stdout
    if package:  # the way back from what is installed to what is edited
        text = text.replace(f"{package}/kernel/", "kernel/").replace(f"{package}/", "python/boc/")
    print(f"-- {name}: {'ok' if done.returncode == 0 else 'failed'}", flush=True)
    if done.returncode:
        lines = [line for line in text.splitlines() if only in line]
        print("\n".join(lines) or text, flush=True)
    return done.returncode == 0


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
        print("-- mypy, pyright: boc has no Python face yet, left out")
    else:
        results.append(check("mypy --strict", [str(BIN / "mypy"), "-p", "boc"], package))
        if not pyright_works():
            print("-- pyright: cannot be fetched here, left out")
        else:
            command = [str(BIN / "pyright"), "--pythonpath", sys.executable, "--ignoreexternal",
                       "--verifytypes", "boc"]
            results.append(check("pyright", command, package, only="error"))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
