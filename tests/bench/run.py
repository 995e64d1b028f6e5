"""Runs the workloads, ours and the peer's in turn, each sample in a process of its own; table and JSON.

    run.py [--peer bocpy] [--rounds 5] [--json FILE] [--list] [W2 W9 ...]

The peer runs the same text with its module's name in the import; a line that ends in `# peer: code` reads
`code` there. A figure is the median of the rounds, its spread half the interquartile range over the median.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from workloads import WORKLOADS, Workload

HERE = Path(__file__).resolve().parent
OUT = HERE.parent.parent / "build" / "bench"


def peer_text(text: str, peer: str) -> str:
    """The program as the peer runs it."""
    text = re.sub(r"^from boc import", f"from {peer} import", text, flags=re.M)
    text = re.sub(r"^import boc\b", f"import {peer} as boc", text, flags=re.M)
    return re.sub(r"^( *)\S.*# peer: (.*)$", r"\1\2", text, flags=re.M)


def sample(program: Path, arguments: tuple[str, ...]) -> dict[str, float] | str:
    """One run in a fresh process: its figures, or in one line why there are none."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("BOC_")}
    try:
        done = subprocess.run([sys.executable, str(program), *arguments], capture_output=True, text=True,
                              timeout=300, env=env, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "ran past 300 s"
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    try:
        figures: dict[str, float] = json.loads(lines[-1])
    except json.JSONDecodeError:
        return f"printed {lines[-1][:60]!r}"
    return figures


def summary(values: list[float]) -> dict[str, float]:
    """Median and spread."""
    middle = statistics.median(values)
    if len(values) < 3:
        return {"median": middle, "spread": 0.0}
    low, _, high = statistics.quantiles(values, n=4)
    return {"median": middle, "spread": (high - low) / 2 / middle if middle else 0.0}


def ratio_of(row: Workload, ours: dict[str, float], theirs: dict[str, float]) -> tuple[float, float]:
    """How many times better ours is: the median over the metrics, and the least of them."""
    keys = [row.metric]
    if row.metric == "*":
        keys = [k for k in theirs if k in ours and not k.startswith("numpy")]
    ratios = [ours[k] / theirs[k] if row.more else theirs[k] / max(ours[k], 1e-12) for k in keys]
    return statistics.median(ratios), min(ratios)


def figures_of(row: Workload, samples: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median and spread of each metric of the row."""
    keys = samples[0] if row.metric == "*" else [row.metric]
    return {key: summary([one[key] for one in samples]) for key in keys}


def measure(programs: dict[str, Path | None], arguments: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Samples of each side, in turn."""
    found: dict[str, Any] = {side: [] for side in programs}
    for _ in range(rounds):
        for side, program in programs.items():
            if program is None or isinstance(found[side], str):
                continue
            one = sample(program, arguments)
            if isinstance(one, str):
                found[side] = one
            else:
                found[side].append(one)
    return found


def shown(value: float, unit: str) -> str:
    """A figure for people."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if unit in ("/s", "requests/s", "B") and abs(value) >= factor:
            return f"{value / factor:.3g} {letter}{unit}"
    return f"{value:.3g} {unit}"


def verdict(row: Workload, middle: float, ratio: float | None) -> str:
    """Whether the target is met, and which it is."""
    if row.bound is not None:
        return f"{'met' if middle <= row.bound else 'MISSED'}: <= {shown(row.bound, row.unit)}"
    if row.target is not None and ratio is not None:
        return f"{'met' if ratio >= row.target else 'MISSED'}: >= {row.target:g}x"
    return ""


def report(row: Workload, found: dict[str, Any]) -> dict[str, Any]:
    """Prints the row and returns what goes into the JSON."""
    title = f"{row.key:4} {row.title:41}"
    result: dict[str, Any] = {"key": row.key, "title": row.title, "unit": row.unit, "samples": found}
    if isinstance(found["ours"], str):
        print(f"{title} failed: {found['ours']}", flush=True)
        return result
    ours = figures_of(row, found["ours"])
    theirs, ratio = None, None
    if found.get("peer") and not isinstance(found["peer"], str):
        theirs = figures_of(row, found["peer"])
        sides = [{k: v["median"] for k, v in side.items()} for side in (ours, theirs)]
        ratio, least = ratio_of(row, *sides)
        result |= {"ratio": ratio, "least": least}
    key = row.metric if row.metric != "*" else "product 16"
    text = f"{shown(ours[key]['median'], row.unit):>12} ±{ours[key]['spread']:4.0%}"
    if theirs:
        text += f" {shown(theirs[key]['median'], row.unit):>12} ±{theirs[key]['spread']:4.0%} {ratio:8.2f}x"
    elif isinstance(found.get("peer"), str):
        text += f"  peer: {found['peer'][:30]:>22}"
    else:
        text += " " * 29
    print(f"{title} {text}  {verdict(row, ours[key]['median'], ratio)}", flush=True)
    return result | {"ours": ours, "peer": theirs}


def programs_for(row: Workload, peer: str | None) -> dict[str, Path | None]:
    """The program, and the peer's version of it in the build folder."""
    program = HERE / row.program
    if not peer or not row.peer:
        return {"ours": program}
    OUT.mkdir(parents=True, exist_ok=True)
    theirs = OUT / f"{peer}_{row.program}"
    theirs.write_text(peer_text(program.read_text(), peer))
    return {"ours": program, "peer": theirs}


def main() -> int:
    as_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_is)
    parser.add_argument("keys", nargs="*", help="rows to run, such as W2; all if none")
    parser.add_argument("--peer", help="module of the peer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=OUT / "results.json")
    parser.add_argument("--list", action="store_true", help="list the rows and end")
    options = parser.parse_args()
    rows = [row for row in WORKLOADS if not options.keys or row.key in options.keys]
    if options.list:
        for row in rows:
            print(f"{row.key:4} {row.title}")
        return 0
    peer = options.peer
    if peer and importlib.util.find_spec(peer) is None:
        print(f"{peer} is not installed here: ours alone")
        peer = None
    print(f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {options.rounds} rounds, "
          f"{'alternating with ' + peer if peer else 'no peer'}", flush=True)
    done: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}
    results, began = [], time.time()
    for row in rows:
        run = (row.program, row.arguments)
        if run not in done:
            done[run] = measure(programs_for(row, peer), row.arguments, options.rounds)
        results.append(report(row, done[run]))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"python": platform.python_version(), "cpus": os.cpu_count(),
                                        "rounds": options.rounds, "peer": peer, "rows": results}, indent=1))
    print(f"{len(rows)} rows in {time.time() - began:.0f} s; all samples in {options.json}")
    return 1 if any("ours" not in result for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
