"""Histogram on its own, in cowns, and its errors."""

import pytest
from boc import Cown, read, wait, when
from histogram import Histogram


@pytest.fixture(autouse=True)
def runtime():
    yield
    wait(10)


def filled(*values):
    histogram = Histogram(4, 0.0, 1.0)
    for value in values:
        histogram.add(value)
    return histogram


def test_counting():
    histogram = filled(0.1, 0.1, 0.6, 0.99, 1.0, -1.0, float("nan"))
    assert histogram.counts() == [2, 0, 1, 1]
    histogram.merge(filled(0.3))
    assert histogram.counts() == [2, 1, 1, 1]


def test_it_moves_into_a_cown_and_leaves_the_object_empty():
    histogram = filled(0.1)
    cown = Cown(histogram)
    for use in (histogram.counts, lambda: histogram.add(0.5), lambda: histogram.merge(filled()),
                lambda: filled().merge(histogram)):
        with pytest.raises(RuntimeError, match="moved"):
            use()
    with pytest.raises(RuntimeError):
        Cown(histogram)
    with cown:
        assert cown.value.counts() == [1, 0, 0, 0]


def test_workers_change_it():
    cown = Cown(filled())
    for i in range(100):
        @when(cown)
        def count(cown):
            cown.value.add((i % 4) / 4)

    @when(cown)
    def whole(cown):
        return cown.value

    assert whole.result(10).counts() == cown.result(10).counts() == [25, 25, 25, 25]


def test_readers_and_captures_get_copies():
    cown, other = Cown(filled(0.1)), filled(0.9)

    @when(read(cown))
    def seen(cown):
        both = filled()
        both.merge(cown.value)
        both.merge(other)
        return both.counts()

    assert seen.result(10) == [1, 0, 0, 1]
    assert other.counts() == [0, 0, 0, 1]
    assert cown.result(10).counts() == [1, 0, 0, 0]


@pytest.mark.parametrize("args", [(0, 0.0, 1.0), (1, 1.0, 1.0), (1, 2.0, 1.0), (1, float("nan"), 1.0)])
def test_bad_bins(args):
    with pytest.raises(ValueError):
        Histogram(*args)


def test_bad_arguments():
    histogram = filled(0.1)
    for bad in ("a", None):
        with pytest.raises(TypeError):
            histogram.add(bad)
        with pytest.raises(TypeError):
            histogram.merge(bad)
    with pytest.raises(ValueError):
        histogram.merge(Histogram(5, 0.0, 1.0))
    assert histogram.counts() == [1, 0, 0, 0]
