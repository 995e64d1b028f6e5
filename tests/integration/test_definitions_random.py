"""Random programs of definitions that change between schedules, against the same program on main."""

from __future__ import annotations

import sys
from types import ModuleType

import boc
import pytest
from boc import whencall
from definition_programs import Program

pytestmark = pytest.mark.timeout(120)
KEEP_WORKERS = True
STEPS = 60


def play(seed, monkeypatch, steps=STEPS):
    """Play one program in a `__main__` of its own, and compare at every schedule."""
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec("class Box: pass", main.__dict__)
    program = Program(seed, main.__dict__)
    pending = []
    for _ in range(steps):
        found = program.step()
        if found is not None:
            pending.append((len(program.log), found[1], whencall(found[0], [])))
    for at, expected, result in pending:
        try:
            got = result.result(timeout=30)
        except (NameError, TypeError) as e:
            got = type(e).__name__, str(e)
        assert got == expected, f"seed {seed}, piece {at}: {got} for {expected}\n" + "\n".join(program.log[:at])


@pytest.mark.parametrize("seed", range(40))
def test_a_body_gives_what_it_gave_here(seed, monkeypatch):
    play(seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_programs(monkeypatch):
    for seed in range(100, 700):
        play(seed, monkeypatch)
    boc.quiesce()
