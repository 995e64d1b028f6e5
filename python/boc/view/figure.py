"""A matplotlib Figure that shows itself: PNG and text in a notebook, text in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .palette import EXACT
from .png import encode


class Chart(Figure):
    """A figure with a text of its own: what a terminal shows."""

    describe: Callable[[], str] | None = None
    """Makes the text when somebody reads it."""

    def png(self) -> bytes:
        """The picture as PNG, at the figure's own resolution."""
        canvas: Any = self.canvas if isinstance(self.canvas, FigureCanvasAgg) else FigureCanvasAgg(self)
        canvas.draw()
        return encode(np.asarray(canvas.buffer_rgba()), EXACT)

    def _repr_png_(self) -> bytes:
        return self.png()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """PNG and text together, so that a saved notebook shows one of them wherever it is read."""
        width = round(float(self.get_figwidth()) * 100)
        data = {"image/png": self.png(), "text/plain": str(self)}
        return data, {"image/png": {"width": width}}

    def __str__(self) -> str:
        return self.describe() if self.describe is not None else super().__str__()

    def __repr__(self) -> str:
        return self.describe() if self.describe is not None else super().__repr__()
