"""Random values, with shared parts, cycles, buffers and cowns inside, arrive everywhere as they were sent."""

from __future__ import annotations

import boc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from value_programs import dates, everywhere_else, expected, run, through_a_cown

KEEP_WORKERS = True
STEPS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=12)
QUICK = settings(max_examples=40, deadline=None, database=None, derandomize=True,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
MANY = settings(QUICK, max_examples=2000, derandomize=False)


@QUICK
@given(STEPS)
def test_through_a_cown(steps):
    through_a_cown(steps)


@QUICK
@given(STEPS)
def test_everywhere_else(steps):
    everywhere_else(steps)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@MANY
@given(STEPS)
def test_many_values(steps):
    through_a_cown(steps)
    everywhere_else(steps)


# ---- programs: what is aliased, moved and changed, with and without encoding at every release ----------------------
OPS = st.lists(st.tuples(st.sampled_from(("append", "alias", "copy", "nest", "raise", "result", "clear", "swap")),
                         st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=25)  # fmt: skip


@QUICK
@given(OPS)
def test_programs_come_out_as_if_all_was_copied(ops):
    assert run(ops) == expected(ops)


def test_dates_stay_dates():
    """The workers of 3.12 have other classes of that name."""
    dates()


@pytest.fixture
def check_mode():
    boc.stop()
    boc.start(2, check=True)
    yield
    boc.stop()


@QUICK
@given(OPS, STEPS)
def test_check_mode_gives_the_same(check_mode, ops, steps):
    assert run(ops) == expected(ops)
    through_a_cown(steps)
