"""W15: the C core alone on one worker, trace off: a chain on one cown, a chain on two, ns a behavior."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "core-bench"


def built():
    """The benchmark of tests/core in a release build."""
    tools = Path(sys.executable).parent
    if not (BUILD / "build.ninja").exists():
        options = ["-Dpython=false", "-Dcore_tests=true", "-Dbuildtype=release"]
        subprocess.run([tools / "meson", "setup", BUILD, ROOT, *options], check=True, capture_output=True)
    subprocess.run([tools / "ninja", "-C", BUILD, "tests/core/core_bench"], check=True, capture_output=True)
    return BUILD / "tests" / "core" / "core_bench"


def main():
    done = subprocess.run([built()], check=True, capture_output=True, text=True)
    [run] = [one for one in json.loads(done.stdout) if one["workers"] == 1 and not one["trace"]]
    cases = {case["case"]: case["median_ns"] for case in run["cases"]}
    print(json.dumps({"one": cases["one cown, chain"], "two": cases["two cowns, chain"]}))


if __name__ == "__main__":
    main()
