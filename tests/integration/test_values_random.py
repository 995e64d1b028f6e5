"""Random values, with shared parts, cycles, buffers and cowns inside, arrive everywhere as they were sent."""

from __future__ import annotations

import gc
import pickle
import sys

import boc
import pytest
from boc import _core
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from value_graphs import alike, leaves_of, plain
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


def as_pickle_has_it(steps):
    """What arrives is what pickle makes of it: types, contents, order, shared parts and cycles; str and bytes shared, too."""
    value = plain(steps)
    data = _core._dumps(value)
    there, by_pickle = _core._loads(data), pickle.loads(pickle.dumps(value, 5))
    assert alike(value, there)
    assert alike(by_pickle, there)
    assert repr(there) == repr(by_pickle)

    def shape(leaves):
        places = {id(x): i for i, x in reversed(list(enumerate(leaves)))}
        return [places[id(x)] for x in leaves]

    leaves = leaves_of(there)
    assert leaves == leaves_of(by_pickle)
    assert shape(leaves) == shape(leaves_of(by_pickle))
    assert sys.getrefcount(there) == 2 or any(there is x for x in gc.get_referents(there))


@QUICK
@given(STEPS)
def test_plain_values(steps):
    as_pickle_has_it(steps)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(MANY, max_examples=20_000)
@given(STEPS)
def test_many_plain_values(steps):
    as_pickle_has_it(steps)


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
