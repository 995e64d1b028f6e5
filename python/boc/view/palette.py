"""Colours: eight names that stay apart for every eye, two themes, and the rule that gives a name its slot.

Hue says name and nothing else; red is kept for raised and lost, the accent for now, readers and ready.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from boc.trace.slots import GREY, assign, fnv1a

__all__ = ["GREY", "PALETTE", "THEMES", "Theme", "assign", "fnv1a"]

PALETTE = ("#3a75bf", "#c78b28", "#36af91", "#954074", "#74dcf4", "#6a6f02", "#b191ea", "#c0d772")


@dataclass(frozen=True)
class Theme:
    """The colours that are no name's."""

    name: str
    background: str
    row: str
    ink: str
    muted: str
    faint: str
    grid: str
    rule: str
    neutral: str
    accent: str
    red: str


LIGHT = Theme(
    name="light",
    background="#ffffff",
    row="#f7f8fa",
    ink="#1b1f24",
    muted="#5d6670",
    faint="#8a939d",
    grid="#e6e9ed",
    rule="#cfd5db",
    neutral="#aeb6bf",
    accent="#0b6bcb",
    red="#d92d20",
)
DARK = Theme(
    name="dark",
    background="#111418",
    row="#171b20",
    ink="#e8ebee",
    muted="#a0a9b3",
    faint="#76808b",
    grid="#23282e",
    rule="#363d45",
    neutral="#5b656f",
    accent="#6cb2ff",
    red="#ff6b5e",
)
THEMES = {"light": LIGHT, "dark": DARK}


def theme(name: str | Theme) -> Theme:
    """A theme by name. ValueError where there is none."""
    if isinstance(name, Theme):
        return name
    if name not in THEMES:
        raise ValueError(f"theme is 'light' or 'dark', not {name!r}")
    return THEMES[name]


@lru_cache(4096)
def rgb(colour: str) -> tuple[float, float, float]:
    """`#rrggbb` as three shares of 1."""
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return r, g, b


@lru_cache(4096)
def mix(a: str, b: str, share: float) -> str:
    """`share` of a, the rest b."""
    parts = (x * share + y * (1 - share) for x, y in zip(rgb(a), rgb(b), strict=True))
    return "#" + "".join(f"{round(255 * v):02x}" for v in parts)


def linear(colour: str) -> NDArray[np.float64]:
    """Linear light of a colour (3,)."""
    return np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(colour)])


@lru_cache(4096)
def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours (WCAG 2), 1 to 21."""
    x, y = sorted(float(linear(c) @ (0.2126, 0.7152, 0.0722)) for c in (a, b))
    return (y + 0.05) / (x + 0.05)


@lru_cache(4096)
def ink_on(fill: str) -> str:
    """The colour of text in a bar: near black or white, whichever contrasts more."""
    return max(("#11151a", "#ffffff"), key=lambda ink: contrast(fill, ink))


@lru_cache(4096)
def edge(colour: str, where: Theme) -> str:
    """The edge of a bar: darker on light, lighter on dark, so that pale fills keep 3:1."""
    return mix(colour, "#000000", 0.72) if where.name == "light" else mix(colour, "#ffffff", 0.8)


def base(slot: int, where: Theme) -> str:
    """The full colour behind a slot: edges and hollow bars take it."""
    return where.faint if slot == GREY else PALETTE[slot % 8]


def fill(slot: int, where: Theme) -> str:
    """The fill of a slot in a theme."""
    if slot == GREY:
        return where.neutral
    return PALETTE[slot] if slot < 8 else mix(PALETTE[slot - 8], where.background, 0.5)


EXACT = tuple(
    {c for th in (LIGHT, DARK) for c in (*vars(th).values(), *(fill(s, th) for s in range(16))) if c[0] == "#"}
)
"""Every colour of fills and themes: what a picture of fewer colours keeps as it is."""


# ---- how far apart colours are, for each kind of eye -------------------------------------------------

# Machado, Oliveira and Fernandes 2009, severity 1.
VISION: dict[str, NDArray[np.float64]] = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """OKLab x 100 of linear light (3,)."""
    out: NDArray[np.float64] = 100 * _TO_LAB @ np.cbrt(_TO_LMS @ np.clip(light, 0, 1))
    return out


def least_distance(colours: Iterable[str], vision: str = "normal") -> float:
    """The distance of the two closest of some colours (OKLab x 100) as that kind of eye sees them."""
    seen = np.array([oklab(VISION[vision] @ linear(c)) for c in colours])
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    return float(apart[~np.eye(len(seen), dtype=bool)].min())
