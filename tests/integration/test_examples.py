"""Every example answers --help, runs headless, and prints what it promises; each is a console command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("boc.examples")
pytestmark = pytest.mark.timeout(60)
NAMES = ["bank", "benchmark", "boids", "calculator", "cooking", "cooking_threads", "dining_philosophers",
         "fanout_benchmark", "fibonacci", "prime_factor", "primes"]


def run(name, *arguments, code=0):
    """Runs an example as a module in a process of its own and returns what it printed."""
    env = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, "-m", f"boc.examples.{name}", *arguments], capture_output=True,
                          text=True, timeout=50, stdin=subprocess.DEVNULL, env=env)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    if code == 0:
        assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_help(name):
    assert "usage:" in run(name, "--help")


@pytest.mark.parametrize("name", NAMES)
def test_is_a_command(name):
    command = Path(sys.executable).parent / f"boc-{name.replace('_', '-')}"
    if not command.exists():
        pytest.skip("the package is not installed into this environment")
    assert subprocess.run([command, "--help"], capture_output=True, timeout=30).returncode == 0


@pytest.mark.parametrize("name", ["cooking", "cooking_threads"])
def test_cooking(name):
    lines = run(name, "--seconds", "0.01").splitlines()
    assert lines[-1] == "omelette of diced onion, chopped pepper, beaten eggs, grated cheese"
    assert len(lines) == 6
    steps = [line for line in lines if "onion" in line or "pepper" in line][:2]
    assert all("knife" in step for step in steps)
    assert "cook" in lines[-2]


def test_cooking_draws(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "cooking.png"
    run("cooking", "--seconds", "0.01", "--picture", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_bank():
    first = run("bank", "--accounts", "6", "--transfers", "300", "--seed", "7")
    assert "saw [600]; 600 at the end" in first
    assert first == run("bank", "--accounts", "6", "--transfers", "300", "--seed", "7")


def test_dining_philosophers():
    lines = run("dining_philosophers", "--philosophers", "4", "--meals", "9").splitlines()
    assert lines == [f"philosopher {i} ate 9 times" for i in range(4)]


@pytest.mark.parametrize(("n", "value"), [(0, 0), (1, 1), (2, 1), (15, 610)])
def test_fibonacci(n, value):
    assert run("fibonacci", str(n), "--leaf", "3") == f"fibonacci({n}) = {value}\n"


@pytest.mark.parametrize(("limit", "text"), [
    ("2", "0 primes below 2, the largest is 0"),
    ("3", "1 primes below 3, the largest is 2"),
    ("100000", "9592 primes below 100000, the largest is 99991"),
])
def test_primes(limit, text):
    assert run("primes", limit, "--segment", "7000").strip() == text


@pytest.mark.parametrize(("n", "text"), [
    ("1", "1 * 1"), ("25", "5 * 5"), ("97", "1 * 97"), ("8", "2 * 4"), ("10403", "101 * 103"),
    ("1000036000099", "1000003 * 1000033"),
])
def test_prime_factor(n, text):
    assert run("prime_factor", n) == f"{n} = {text}\n"


def test_calculator():
    assert run("calculator").splitlines() == [
        "1 + 2 = 3", "6 * 7 = 42", "10 - 4.5 = 5.5", "1 / 0 = not a number: division by zero",
        "3 + banana = not understood: number operator number, please"]


def test_benchmark():
    sizes = ["--workers", "1", "2", "--chains", "4", "--steps", "20", "--products", "2"]
    text = run("benchmark", *sizes, "--json")
    assert [row["behaviors"] for row in json.loads(text)] == [80, 80]
    assert "usage" in run("benchmark", "--help")
    run("benchmark", "--group", "999", code=2)


def test_fanout_benchmark():
    text = run("fanout_benchmark", "--workers", "2", "--steps", "30", "--width", "3", "--json")
    assert [row["children"] for row in json.loads(text)] == [180]


WRONG = [
    ("bank", "--accounts", "1"), ("bank", "--transfers", "-1"), ("bank", "--accounts", "9" * 20), ("benchmark", "--workers", "0"),
    ("benchmark", "--chains", "0"), ("benchmark", "--group", "100"), ("boids", "--boids", "9" * 20), ("boids", "--pixels", "0"),
    ("boids", "--out", "/no/such/folder/x.png"), ("cooking", "--seconds", "-1"), ("cooking", "--seconds", "nan"),
    ("cooking", "--picture", "/no/such/folder/x.png"), ("cooking", "--picture", "chart.5"), ("cooking_threads", "--seconds", "inf"),
    ("dining_philosophers", "--philosophers", "1"), ("dining_philosophers", "--meals", "0"), ("fanout_benchmark", "--width", "0"),
    ("fibonacci", "-1"), ("fibonacci", "1.5"), ("fibonacci", "9" * 20), ("prime_factor", "0"), ("prime_factor", "--searchers", "0"),
    ("primes", "9" * 20), ("primes", "--segment", "0"), ("calculator", "--nope"),
]


def begin(name, *arguments):
    return subprocess.Popen([sys.executable, "-u", "-m", f"boc.examples.{name}", *arguments], text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("wrong", WRONG, ids=" ".join)
def test_wrong_arguments_are_named_in_one_line(wrong):
    with begin(*wrong) as program:
        _, said = program.communicate(timeout=30)
    assert program.returncode == 2 and "Traceback" not in said
    assert "error: " in said.splitlines()[-1]


@pytest.mark.parametrize("name", ["cooking", "cooking_threads"])
def test_an_interrupt_ends_a_command_without_a_traceback(name):
    with begin(name, "--seconds", "20") as program:
        assert program.stdout is not None
        program.stdout.readline()  # it works
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=10)
    assert program.returncode == 130 and said.startswith("interrupted\n") and "Traceback" not in said


def test_a_reader_that_goes_is_no_traceback():
    with begin("dining_philosophers", "--philosophers", "3000", "--meals", "1") as program:
        assert program.stdout is not None and program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        said = program.stderr.read()
        program.wait(30)
    assert said == ""
