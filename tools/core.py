"""The C tests of the core: plain, under ASan and UBSan, under TSan; each in a build folder that is kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

from envs import ROOT, Env, run_quietly
from steps import Outcome, meson_test

SANITIZERS = {"plain": "none", "asan": "address,undefined", "tsan": "thread"}
PROGRAM = "int main(void) { return 0; }\n"
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def launcher(kind: str) -> list[str] | None:
    """How a program with this sanitizer is started here; None if it cannot be built or started.

    TSan refuses address spaces laid out with much randomness; `setarch -R` takes that away.
    """
    if kind == "plain":
        return []
    folder = ROOT / "build" / "probe"
    folder.mkdir(parents=True, exist_ok=True)
    source, program = folder / "probe.c", folder / f"probe-{kind}"
    source.write_text(PROGRAM)
    compile_it = ["cc", f"-fsanitize={SANITIZERS[kind]}", "-o", str(program), str(source)]
    if subprocess.run(compile_it, capture_output=True).returncode:
        return None
    for prefix in ([], ["setarch", "-R"]):
        try:
            if subprocess.run([*prefix, program], capture_output=True).returncode == 0:
                return prefix
        except FileNotFoundError:
            continue
    return None


def configure(env: Env, kind: str) -> Path:
    """Configures the build folder once."""
    folder = ROOT / "build" / f"core-{kind}"
    if not (folder / "build.ninja").exists():
        options = ["-Dpython=false", "-Dcore_tests=true", "-Dbuildtype=debugoptimized", "-Db_ndebug=false",
                   "-Dwerror=true", "-Db_lundef=false", f"-Db_sanitize={SANITIZERS[kind]}"]
        command = [env.tool("meson"), "setup", str(folder), *options]
        run_quietly("configuring the C tests", command, env.environ())
    return folder


def tests(env: Env, kind: str, whole: bool, outcome: Outcome) -> None:
    """Builds and runs the C tests; the suite `slow` only if the whole is asked for."""
    if not (ROOT / "tests" / "core" / "meson.build").exists():
        outcome.note = "tests/core: no tests here"
        return
    prefix = launcher(kind)
    if prefix is None:
        outcome.note = f"{outcome.name}: this compiler has no {SANITIZERS[kind]} sanitizer, left out"
        return
    folder = configure(env, kind)
    run_quietly("building the C tests", [env.tool("ninja"), "-C", str(folder)], env.environ())
    command = [env.tool("meson"), "test", "-C", str(folder), "--no-rebuild", "--print-errorlogs"]
    command += [] if whole else ["--no-suite", "slow"]
    command += ["--wrap", " ".join(prefix)] if prefix else []
    meson_test(outcome, command, folder, env.environ(**OPTIONS))
