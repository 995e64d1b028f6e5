"""The commands behind the Makefile. Runs on a bare CPython >= 3.12: standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import core
import sanitized
import steps
from envs import ROOT, Env, Failed, interpreters, newest, ready, say

DEMO, LINT = str(ROOT / "tools" / "demo.py"), str(ROOT / "tools" / "lint.py")
HEADLESS = {"MPLBACKEND": "Agg", "PIP_NO_INPUT": "1"}


def clean_environ(env: Env, **more: str) -> dict[str, str]:
    """For tests and demo: no display, no user's Jupyter or IPython settings, none of our own switches."""
    kept = {k: v for k, v in env.environ(**HEADLESS, **more).items()
            if not k.startswith(("BOC_", "JUPYTER", "IPYTHON", "PYTEST_")) and k != "PYTHONUNBUFFERED"}
    private = ROOT / "build" / "home"
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        kept[name] = str(private / name.lower())
        Path(kept[name]).mkdir(parents=True, exist_ok=True)
    return kept


def install(_: list[str]) -> int:
    env = ready(newest(), "jupyter")
    say(f"boc is installed in {env.home.name}; .venv leads to it")
    return 0


def lab(flags: list[str]) -> int:
    env = ready(newest(), "lab")
    root = ["--allow-root"] if os.geteuid() == 0 else []
    command = [env.tool("jupyter"), "lab", *root, *flags, "notebooks/cooking.ipynb"]
    os.chdir(ROOT)
    os.execve(command[0], command, env.environ())


def demo_step(env: Env, outcome: steps.Outcome) -> None:
    if not (ROOT / "notebooks" / "cooking.ipynb").exists():
        outcome.note = "notebooks/cooking.ipynb: not here"
        return
    steps.command(outcome, [env.tool("python"), DEMO], clean_environ(env), limit=300)


def demo(_: list[str]) -> int:
    env = ready(newest(), "test")
    return steps.stream([env.tool("python"), DEMO], clean_environ(env))


def lint_step(env: Env, outcome: steps.Outcome) -> None:
    environ = clean_environ(env)
    steps.command(outcome, [env.tool("python"), LINT], environ)


def lint(_: list[str]) -> int:
    env = ready(newest(), "test", "lint")
    return steps.stream([env.tool("python"), LINT], clean_environ(env))


def house(_: list[str]) -> int:
    env = ready(newest(), "test")
    return steps.stream([env.tool("python"), "-m", "pytest", "-q", "tests/house"], clean_environ(env))


def pytest(arguments: list[str]) -> int:
    env = ready(newest(), "test")
    return steps.stream([env.tool("python"), "-m", "pytest", *(arguments or ["tests"])], clean_environ(env))


def folders(*names: str) -> list[str]:
    return [f"tests/{name}" for name in names if any((ROOT / "tests" / name).rglob("test_*.py"))]


def python_step(env: Env, whole: bool, outcome: steps.Outcome) -> None:
    ready(env, "test")
    names = ["unit", "integration", "notebook"] + (["browser", "soak"] if whole else [])
    chosen = folders(*names)
    if not chosen:
        outcome.note = "no Python tests here"
        return
    marks = [] if whole else ["-m", "not slow"]
    for folder in chosen:  # each in a process of its own: a crash takes no other folder with it
        say(f"CPython {env.minor}: {folder}")
        steps.pytest(outcome, env.tool("python"), clean_environ(env), ["-q", *marks, folder])


def movable_step(env: Env, outcome: steps.Outcome) -> None:
    script = ROOT / "examples" / "movable_type"
    if not (script / "pyproject.toml").exists():
        outcome.note = "examples/movable_type: not here"
        return
    ready(env, "test")
    target = ROOT / "build" / "movable_type" / env.minor
    shutil.rmtree(target, ignore_errors=True)
    build = [env.tool("python"), "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps"]
    steps.command(outcome, [*build, "--target", str(target), str(script)], clean_environ(env))
    if not outcome.failures:
        own = ["--rootdir", str(script), "-c", str(script / "pyproject.toml"), str(script / "tests")]
        environ = clean_environ(env, PYTHONPATH=str(target))
        steps.pytest(outcome, env.tool("python"), environ, ["-q", *own])


def house_step(env: Env, outcome: steps.Outcome) -> None:
    steps.pytest(outcome, env.tool("python"), clean_environ(env), ["-q", "tests/house"])


def more_versions(envs: list[Env]) -> list[Env]:
    """With those of tools/fetch-pythons; a line names what is not there."""
    minors = {env.minor for env in envs}
    fetched = [env for env in interpreters(fetched=True) if env.minor not in minors]
    absent = sorted({"3.14", "3.15", "3.13t"} - minors - {env.minor for env in fetched})
    if absent:
        say(f"skipped: CPython {', '.join(absent)} (tools/fetch-pythons gets them)")
    return fetched + envs


def run_all(whole: bool) -> int:
    envs = interpreters()
    if whole and not os.environ.get("BOC_PYTHON"):
        envs = more_versions(envs)
    first = ready(newest(), "test", "lint")
    work: list[tuple[str, Callable[[steps.Outcome], None]]] = []
    work.append(("C core, plain and sanitized", partial(core.tests, first, whole, [])))
    work.append(("lint", partial(lint_step, first)))
    work.append(("house rules", partial(house_step, first)))
    for env in reversed(envs):
        work.append((f"CPython {env.minor}", partial(python_step, env, whole)))
    work.append(("movable type template", partial(movable_step, first)))
    work.append(("demo", partial(demo_step, first)))
    if whole:
        work.insert(1, ("corrupt bytes for the decoder", partial(sanitized.decoder, first)))
    run = steps.Run(len(work))
    steps.REPORTS.mkdir(parents=True, exist_ok=True)
    for name, do in work:
        run.step(name, do)
    return run.finish()


def test(_: list[str]) -> int:
    return run_all(whole=False)


def test_all(_: list[str]) -> int:
    return run_all(whole=True)


def core_tests(_: list[str]) -> int:
    env = ready(newest(), boc=False)
    run = steps.Run(1)
    run.step("C core", partial(core.tests, env, False, ["* plain"]))
    return run.finish()


def sanitize(_: list[str]) -> int:
    env = ready(newest())
    run = steps.Run(2)
    run.step("C core", partial(core.tests, env, False, ["* asan", "* tsan"]))
    run.step("corrupt bytes for the decoder", partial(sanitized.decoder, env))
    return run.finish()


def bench(chosen: list[str]) -> int:
    env = ready(newest(), "bench", "view")
    command = [env.tool("python"), str(ROOT / "tests" / "bench" / "run.py"), "--peer", "bocpy", *chosen]
    return steps.stream(command, clean_environ(env), limit=7200)


def docs(_: list[str]) -> int:
    env = ready(newest(), "docs", "jupyter")
    out = ROOT / "build" / "docs"
    status = steps.stream([env.tool("python"), "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html",
                           str(ROOT / "docs"), str(out)], clean_environ(env))
    if status == 0:
        say(f"docs are in {out.relative_to(ROOT)}/index.html")
    return status


def clean(_: list[str]) -> int:
    for path in [ROOT / "build", ROOT / "out", *ROOT.glob(".venv*")]:
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
    return 0


COMMANDS = {
    "install": install, "lab": lab, "demo": demo, "test": test, "test-all": test_all, "pytest": pytest,
    "core": core_tests, "sanitize": sanitize, "bench": bench, "docs": docs, "lint": lint, "house": house,
    "clean": clean,
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        raise Failed(f"usage: workshop.py {' | '.join(COMMANDS)}")
    try:
        return COMMANDS[sys.argv[1]](sys.argv[2:])
    except (KeyboardInterrupt, subprocess.CalledProcessError) as error:
        raise Failed(f"boc: {type(error).__name__}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
