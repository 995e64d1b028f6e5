"""Loads numpy and matplotlib before the modules here ask for them."""

from .._aside import load

_PARTS = ("figure", "backends.backend_agg", "collections", "font_manager")
load("numpy", "numpy.typing", *(f"matplotlib.{part}" for part in _PARTS))
