"""The mutation list of the core stays whole: each mutant still has its line and somebody who looks for it."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest
from rules import ROOT

PATH = ROOT / "tests" / "core" / "mutants.py"


def load():
    spec = importlib.util.spec_from_file_location("mutants", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


mutants = load()
SCENARIOS = set(re.findall(r'\{"(\w+)", \w+\}', (PATH.parent / "sys_scenarios.c").read_text()))


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda m: m.name)
def test_has_its_line_and_its_finder(mutant):
    assert (mutants.CORE / mutant.file).read_text().count(mutant.old) >= 1, "no such line any more: mend the mutant"
    assert mutant.old != mutant.new
    tool, _, test = mutant.where.rpartition(" ")
    if tool == "tsan":
        assert (PATH.parent / f"{test}.c").exists()
    else:
        assert mutant.where in SCENARIOS


def test_names_differ():
    names = [m.name for m in mutants.MUTANTS]
    assert len(names) == len(set(names))
