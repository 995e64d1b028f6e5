"""The C tests of the core: plain, under ASan with UBSan, and under TSan, in one build folder that is kept.

tests/core/meson.build says which variants there are; a test is named "what variant".
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from envs import ROOT, Env, run_quietly
from steps import Outcome, meson_test

PROGRAM = "int main(void) { return 0; }\n"
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def launcher() -> list[str]:
    """What a program under TSan must be started with here: it refuses an address space laid out too randomly."""
    folder = ROOT / "build" / "probe"
    folder.mkdir(parents=True, exist_ok=True)
    source, program = folder / "probe.c", folder / "probe"
    source.write_text(PROGRAM)
    built = subprocess.run(["cc", "-fsanitize=thread", "-o", str(program), str(source)], capture_output=True)
    if built.returncode == 0 and subprocess.run([program], capture_output=True).returncode:
        return ["setarch", "-R"]
    return []


def configure(env: Env) -> Path:
    """Configures the build folder once, and builds."""
    folder = ROOT / "build" / "core"
    if not (folder / "build.ninja").exists():
        options = ["-Dpython=false", "-Dcore_tests=true", "-Dbuildtype=debugoptimized", "-Db_ndebug=false",
                   "-Dwerror=true", "-Db_lundef=false"]
        run_quietly("configuring the C tests", [env.tool("meson"), "setup", str(folder), *options], env.environ())
    run_quietly("building the C tests", [env.tool("ninja"), "-C", str(folder)], env.environ())
    return folder


def tests(env: Env, whole: bool, names: list[str], outcome: Outcome) -> None:
    """Runs the C tests with these names (`*` allowed; none: all); the suite `slow` only if the whole is asked for."""
    if not (ROOT / "tests" / "core" / "meson.build").exists():
        outcome.note = "tests/core: no tests here"
        return
    folder, prefix = configure(env), launcher()
    command = [env.tool("meson"), "test", "-C", str(folder), "--no-rebuild", "--print-errorlogs"]
    command += [] if whole else ["--no-suite", "slow"]
    command += ["--wrap", " ".join(prefix)] if prefix else []
    meson_test(outcome, [*command, *names], folder, env.environ(**OPTIONS))
