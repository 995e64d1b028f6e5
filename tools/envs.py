"""Virtual environments of the workshop: one per CPython found, brought up to date when something changed.

An environment is `.venv-3.x` with two stamps in it: the requirements that were installed, and a digest
of the sources that the installed wheel was built from. The wheel is built in `build/cp3x`, which is kept,
so that a change of one C file compiles one C file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("ext", "python", "kernel", "examples", "meson.build", "meson.options", "pyproject.toml")
NOISE = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}


class Failed(SystemExit):
    """A step of the workshop that could not be done; ends the program with its one line."""


@dataclass(frozen=True)
class Env:
    """A virtual environment for one minor version of CPython, such as "3.13"."""

    minor: str
    base: Path

    @property
    def home(self) -> Path:
        return ROOT / f".venv-{self.minor}"

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    @property
    def build(self) -> Path:
        return ROOT / "build" / f"cp{self.minor.replace('.', '')}"

    def environ(self, **more: str) -> dict[str, str]:
        """The caller's environment with this one first on PATH."""
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
        env["VIRTUAL_ENV"] = str(self.home)
        env["PATH"] = f"{self.home / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
        return env | more

    def tool(self, name: str) -> str:
        return str(self.home / "bin" / name)


def say(text: str) -> None:
    """One line of progress, at once also into a pipe."""
    print(f"== {text}", flush=True)


def interpreters(*, fetched: bool = False) -> list[Env]:
    """The environments that this machine can have, newest first; fetched: of tools/fetch-pythons instead."""
    flags = ["--fetched"] if fetched else []
    found = subprocess.run([ROOT / "tools" / "find-python", *flags], capture_output=True, text=True)
    if found.returncode:
        raise Failed(found.stderr.strip())
    pairs = (line.split(" ", 1) for line in found.stdout.splitlines())
    return [Env(minor, Path(path)) for minor, path in pairs]


@contextmanager
def only_one() -> Iterator[None]:
    """Keeps two makes from building into one folder at the same time."""
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def requirements(extras: tuple[str, ...]) -> list[str]:
    """Requirements of the build, of boc itself, and of the named extras with the extras that they name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    optional: dict[str, list[str]] = project["project"].get("optional-dependencies", {})
    wanted = list(project["build-system"]["requires"]) + list(project["project"]["dependencies"])
    pending, seen = list(extras), set[str]()
    while pending:
        extra = pending.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for item in optional[extra]:
            own = re.fullmatch(r"boc\[([\w, ]+)\]", item)
            if own:
                pending += [name.strip() for name in own[1].split(",")]
            else:
                wanted.append(item)
    return sorted(set(wanted))


def sources_digest() -> str:
    """Digest of every file that the wheel is made from."""
    digest = hashlib.sha256(sys.version.encode())
    for top in SOURCES:
        path = ROOT / top
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            if NOISE.isdisjoint(file.parts):
                digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def run_quietly(what: str, command: list[str], env: dict[str, str]) -> None:
    """Runs a command whose output matters only if it fails."""
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        print(done.stdout, flush=True)
        raise Failed(f"boc: {what} failed ({' '.join(command[:4])} ... exited with {done.returncode})")


def make_venv(env: Env) -> None:
    """Makes the environment unless it is there and made from the same interpreter."""
    stamp = env.home / ".boc-base"
    if env.python.exists() and stamp.exists() and stamp.read_text() == str(env.base):
        return
    say(f"CPython {env.minor}: making {env.home.name} from {env.base}")
    shutil.rmtree(env.home, ignore_errors=True)
    shutil.rmtree(env.build, ignore_errors=True)
    run_quietly("making a virtual environment", [str(env.base), "-m", "venv", str(env.home)], env.environ())
    stamp.write_text(str(env.base))


def install_requirements(env: Env, extras: tuple[str, ...]) -> None:
    """Installs what the extras need and the environment does not have yet."""
    stamp = env.home / ".boc-requirements"
    have = set(json.loads(stamp.read_text())) if stamp.exists() else set[str]()
    missing = [item for item in requirements(extras) if item not in have]
    if not missing:
        return
    say(f"CPython {env.minor}: installing {', '.join(re.split('[<>=!~;]', item)[0] for item in missing)}")
    command = [str(env.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--prefer-binary", *missing]  # a free-threaded build has wheels of few releases
    run_quietly("installing packages", command, env.environ())
    stamp.write_text(json.dumps(sorted(have | set(missing))))


def install_boc(env: Env) -> None:
    """Builds the wheel incrementally and installs it, if a source changed since the last time."""
    stamp = env.home / ".boc-sources"
    digest = sources_digest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    say(f"CPython {env.minor}: building and installing boc")
    stamp.unlink(missing_ok=True)
    command = [str(env.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-build-isolation", "--force-reinstall", f"-Cbuild-dir={env.build}", str(ROOT)]
    try:
        subprocess.run(command, cwd=ROOT, env=env.environ(), check=True, capture_output=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(env.build, ignore_errors=True)  # perhaps configured by another meson or compiler
        run_quietly("building boc", command, env.environ())
    stamp.write_text(digest)


def ready(env: Env, *extras: str, boc: bool = True) -> Env:
    """Brings the environment up to date and returns it."""
    with only_one():
        make_venv(env)
        install_requirements(env, extras)
        if boc:
            install_boc(env)
    return env


def newest() -> Env:
    """The environment of the newest interpreter; `.venv` leads to it."""
    env = interpreters()[0]
    link = ROOT / ".venv"
    if link.is_symlink() and os.readlink(link) != env.home.name:
        link.unlink()
    if not link.exists() and not link.is_symlink():
        link.symlink_to(env.home.name)
    return env
