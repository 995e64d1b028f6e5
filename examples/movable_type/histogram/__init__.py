"""Histogram: counts numbers in bins; moves between cowns by pointer."""

from histogram._histogram import Histogram

__all__ = ["Histogram"]
