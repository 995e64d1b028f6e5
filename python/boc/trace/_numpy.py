"""Loads numpy before the modules here ask for it."""

from .._aside import load

load("numpy", "numpy.typing")
