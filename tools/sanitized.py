"""The extension under ASan and UBSan: corrupt bytes for its decoder, in a build folder that is kept.

Only boc is compiled anew. The interpreter is the one of the environment, so the libraries of the sanitizers must be
loaded before it; leaks are not looked for, since an interpreter never frees all that it has.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from envs import ROOT, Env, run_quietly
from steps import Outcome

PROGRAM = ROOT / "tests" / "integration" / "fuzz_decoder.py"
SECONDS = 30
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=250",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
# With the interpreter's own allocator objects change hands by pointer; with malloc each small one is watched.
ALLOCATORS: dict[str, dict[str, str]] = {"own allocator": {}, "malloc": {"PYTHONMALLOC": "malloc"}}


def libraries() -> list[str]:
    """The libraries that the sanitizers of the compiler need at run time; none where it has them not."""
    found = []
    for library in ("libasan.so", "libubsan.so"):
        try:
            asked = subprocess.run(["cc", f"-print-file-name={library}"], capture_output=True, text=True)
        except OSError:
            return []
        path = Path(asked.stdout.strip())
        if asked.returncode or not path.is_absolute() or not path.exists():
            return []
        found.append(str(path))
    return found


def build(env: Env) -> Path:
    """Compiles what changed; returns a folder with the installed package and the sanitized modules in it."""
    folder = env.build.with_name(f"{env.build.name}-sanitized")
    if not (folder / "build.ninja").exists():
        options = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dbuildtype=debug", "-Doptimization=1",
                   "-Db_ndebug=false"]
        command = [env.tool("meson"), "setup", str(folder), *options]
        run_quietly("configuring the sanitized extension", command, env.environ())
    run_quietly("building the sanitized extension", [env.tool("ninja"), "-C", str(folder)], env.environ())
    ask = [env.tool("python"), "-I", "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"]
    installed = Path(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()) / "boc"
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(installed, site / "boc", ignore=shutil.ignore_patterns("__pycache__"))
    for module in folder.glob("ext/*/_*.so"):
        shutil.copy2(module, site / "boc")
    return site


def decoder(env: Env, outcome: Outcome) -> None:
    """Corrupt bytes for the decoder; a report of a sanitizer ends the program and is shown."""
    preload = libraries()
    if not preload:
        outcome.note = f"skipped: {outcome.name} under ASan (cc has no libasan.so and libubsan.so)"
        return
    site = build(env)
    for name, more in ALLOCATORS.items():
        environ = env.environ(**OPTIONS, **more, LD_PRELOAD=" ".join(preload), PYTHONPATH=str(site))
        command = [env.tool("python"), str(PROGRAM), str(SECONDS)]
        done = subprocess.run(command, cwd=ROOT, env=environ, text=True, errors="replace", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = [line for line in done.stdout.splitlines() if "failed to allocate" not in line]
        if done.returncode:
            print("\n".join(lines[-60:]), flush=True)
            outcome.failures.append(f"{outcome.name}, {name}: exited with {done.returncode}")
        else:
            print(f"{name}: {lines[-1]}", flush=True)
            outcome.passed += 1
