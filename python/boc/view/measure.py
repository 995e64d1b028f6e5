"""Text that fits: installed fonts, widths in CSS px, names cut to head and tail, ticks of an axis."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

from boc.trace.times import UNITS

_WISHED = ("Inter", "Segoe UI", "Helvetica Neue", "Liberation Sans", "DejaVu Sans")
_OTHERS = (
    *(f"Noto Sans {s}" for s in ("CJK JP", "CJK SC", "CJK TC", "CJK HK", "CJK KR", "JP", "SC", "TC", "HK", "KR")),
    *("Source Han Sans", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "IPAGothic", "NanumGothic"),
    *("Hiragino Sans", "PingFang SC", "PingFang HK", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic"),
    *("Malgun Gothic", "SimHei", "Unifont", "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Symbola"),
    *("Noto Sans Symbols", "Noto Sans Symbols 2", "Segoe UI Symbol", "Apple Symbols"),
    *(f"Noto Sans {s}" for s in ("Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Thai", "Armenian", "Georgian")),
)
"""Asked letter by letter for what the wished ones lack. Fonts of coloured bitmaps are left out: Agg draws none."""
_ELLIPSIS = "…"
SCALE = 1.5
"""Device pixels a CSS pixel."""


@lru_cache(1)
def fonts() -> list[str]:
    """The families that are there: matplotlib logs a line per text for each that is not."""
    there = {entry.name for entry in fontManager.ttflist}
    wished = [name for name in _WISHED if name in there] or ["sans-serif"]
    return wished + [name for name in _OTHERS if name in there]


@lru_cache(64)
def font(px: float, bold: bool = False) -> FontProperties:
    """The font at a size in CSS px."""
    return FontProperties(family=fonts(), size=px * 0.72, weight="bold" if bold else "normal")


@lru_cache(1 << 16)
def _shown(letter: str) -> str:
    """The letter, a space for what is none, a box where no installed font has it (matplotlib would warn)."""
    code = ord(letter)
    if code < 32 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000:
        return " " if code < 0xA0 else "□"
    return letter if any(get_font(path).get_char_index(code) for path in _paths()) else "□"


@lru_cache(1)
def _paths() -> list[str]:
    return [findfont(FontProperties(family=name)) for name in fonts()]


@lru_cache(1 << 14)
def clean(text: str) -> str:
    """The text as the installed fonts can draw it, in one line."""
    return "".join(map(_shown, text))


@lru_cache(1 << 16)
def _letter(letter: str, px: float, bold: bool) -> float:
    """How far Agg goes on behind a letter, which it hints: device pixels."""
    agg: Any = _agg()
    one, two = (agg.get_text_width_height_descent(letter * n, font(px, bold), False)[0] for n in (1, 2))
    return float(two - one)


@lru_cache(1)
def _agg() -> RendererAgg:
    return RendererAgg(1, 1, 100 * SCALE)  # type: ignore[no-untyped-call, unused-ignore]


@lru_cache(1 << 16)
def width(text: str, px: float, bold: bool = False) -> float:
    """Width of a text in CSS px at a size in px: the sum of its letters, as they are drawn."""
    return sum(_letter(c, px, bold) for c in clean(text)) / SCALE


def fit(text: str, space: float, px: float = 10.5) -> str:
    """The whole text, or its head and tail around an ellipsis (at least 4 letters), or nothing."""
    if space < 12 or not text:
        return ""
    text = clean(text)
    if width(text, px) <= space:
        return text
    for n in range(min(len(text) - 1, int(space / (px * 0.28))), 3, -1):
        cut = text[: (n + 1) // 2] + _ELLIPSIS + text[-(n // 2) :] if n > 8 else text[:n] + _ELLIPSIS
        if width(cut, px) <= space:
            return cut
    return ""


def step(span: float, space: float, apart: float = 90) -> float:
    """The distance of ticks: 1, 2 or 5 x 10^n, about `apart` px."""
    raw = span / max(2.0, space / apart)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)


def ticks(span: int, space: float) -> list[tuple[float, str]]:
    """Places (ns from the zero) and labels of an axis; the unit stands at the first and the last."""
    by = step(span, space)
    unit, scale = next((u, k) for u, k in UNITS if span >= k or u == "ns")
    places = [k * by for k in range(int(span * 1.0001 // by) + 1)]
    labels = [f"{p / scale:.10g}" for p in places]
    for at in {0, len(labels) - 1}:
        labels[at] += "\u2009" + unit
    return list(zip(places, labels, strict=True))
