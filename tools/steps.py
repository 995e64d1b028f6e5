"""Steps of a test run: each is streamed, timed and counted; a table and one summary line end the run."""

from __future__ import annotations

import json
import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from envs import ROOT, say

REPORTS = ROOT / "build" / "reports"


@dataclass
class Outcome:
    """What one step found. `failures` holds one line each; `note` says why a step was left out."""

    name: str
    passed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""


class Run:
    """Runs steps one after another and remembers what they found."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.outcomes: list[Outcome] = []
        self.began = time.monotonic()

    def step(self, name: str, work: Callable[[Outcome], None]) -> None:
        """Runs one step; what it raises is a failure of that step, and the next ones still run."""
        outcome = Outcome(name)
        self.outcomes.append(outcome)
        say(f"step {len(self.outcomes)} of {self.steps}: {name}")
        began = time.monotonic()
        try:
            work(outcome)
        except (Exception, SystemExit) as error:
            outcome.failures.append(f"{name}: {error}")
        outcome.seconds = time.monotonic() - began
        if outcome.note:
            say(outcome.note)

    def finish(self) -> int:
        """Prints the table and the summary; returns the exit status."""
        print()
        for o in self.outcomes:
            verdict = "skipped" if o.note and not o.passed else "ok"
            verdict = f"{len(o.failures)} failed" if o.failures else verdict
            print(f"{o.name:44} {verdict:>10} {o.passed:6} passed {o.skipped:4} skipped {o.seconds:7.1f} s")
        failures = [line for o in self.outcomes for line in o.failures]
        for line in failures:
            print(f"FAILED {line}")
        parts = [f"{len(failures)} failed"] if failures else []
        parts.append(f"{sum(o.passed for o in self.outcomes)} passed")
        parts.append(f"{sum(o.skipped for o in self.outcomes)} skipped")
        text = f" {', '.join(parts)} in {time.monotonic() - self.began:.2f}s "
        print(f"{text:=^100}", flush=True)
        return 1 if failures else 0


def stream(command: list[str], env: dict[str, str], limit: float = 1500.0) -> int:
    """Runs a command with its output going where ours goes; its exit status, 124 if it ran past the limit."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return 124


def pytest(outcome: Outcome, python: str, env: dict[str, str], arguments: list[str]) -> None:
    """Runs pytest and adds the counts of its JUnit report; may be called several times for one step."""
    report = REPORTS / (re.sub(r"\W+", "-", " ".join([outcome.name, *arguments])) + ".xml")
    before = len(outcome.failures)
    report.unlink(missing_ok=True)
    status = stream([python, "-m", "pytest", f"--junitxml={report}", *arguments], env)
    if status == 5:
        outcome.note = f"{outcome.name}: no tests here"
        return
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                outcome.failures.append(f"{outcome.name}: {case.get('classname')}::{case.get('name')}")
            elif "skipped" in kinds:
                outcome.skipped += 1
            else:
                outcome.passed += 1
    if status and len(outcome.failures) == before:
        outcome.failures.append(f"{outcome.name}: pytest exited with {status} ({arguments[-1]})")


def meson_test(outcome: Outcome, command: list[str], folder: Path, env: dict[str, str]) -> None:
    """Runs the C tests of a build folder and takes the counts from meson's log."""
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    status = stream(command, env)
    for line in log.read_text().splitlines() if log.exists() else ():
        test = json.loads(line)
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            outcome.passed += 1
        elif test["result"] == "SKIP":
            outcome.skipped += 1
        else:
            outcome.failures.append(f"{outcome.name}: {test['name']} {test['result']}")
    if status and not outcome.failures:
        outcome.failures.append(f"{outcome.name}: meson test exited with {status}")


def command(outcome: Outcome, arguments: list[str], env: dict[str, str], limit: float = 600.0) -> None:
    """Runs a command that passes if it exits with 0."""
    status = stream(arguments, env, limit)
    if status:
        outcome.failures.append(f"{outcome.name}: exited with {status}")
    else:
        outcome.passed += 1
