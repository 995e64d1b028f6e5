"""Boids: a flock in a periodic box. Behaviors compute the cells of the box, one pinned behavior a frame writes back.

Each boid steers towards the middle of those that it sees, turns as they do, and keeps its distance (Reynolds 1987). The
box is cut into cells as wide as a boid sees, so a cell needs its own boids and those of the eight cells around. Every
occupied cell of a frame is a behavior, with its boids as captured matrices; their results meet in one behavior on the
pinned flock, which writes them back, keeps the picture, and schedules the next frame.

Without a display: `boc-boids --out boids.gif`, or `--out boids.png` for a strip of a few frames.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boc import Cown, Matrix, PinnedCown, quiesce, start, wait, when
from boc.examples._command import command, file_of, number


@dataclass(frozen=True)
class Rules:
    """How boids fly. Lengths in units of the box, whose side is `cells`; a boid sees one unit far."""

    cells: int = 8
    speed: float = 0.05
    near: float = 0.35
    cohesion: float = 0.02
    alignment: float = 0.09
    separation: float = 0.006


def wrapped(difference: Matrix, side: float) -> Matrix:
    """The shortest way in a periodic box, for each difference of coordinates."""
    return difference - (difference / side).round() * side


def steer(own: Matrix, seen: Matrix, rules: Rules) -> Matrix:
    """The next state of `own` boids, N x 4 of x, y, vx, vy, that see the M x 4 `seen`, themselves among them."""
    side = float(rules.cells)
    dx = wrapped(seen[:, 0].T - own[:, 0], side)  # N x M: to each that may be seen
    dy = wrapped(seen[:, 1].T - own[:, 1], side)
    distance = dx * dx + dy * dy
    sees = distance.less(1.0)
    close = distance.less(rules.near**2)
    count = sees.sum(1)  # at least itself

    ahead = (sees @ seen[:, 2:]) / count - own[:, 2:]
    to_middle = Matrix.concat([(dx * sees).sum(1) / count, (dy * sees).sum(1) / count], axis=1)
    away = Matrix.concat([(dx * close).sum(1), (dy * close).sum(1)], axis=1)

    velocity = own[:, 2:].fma(1.0, to_middle * rules.cohesion)
    velocity.scaled_add(rules.alignment, ahead, in_place=True)
    velocity.scaled_add(-rules.separation, away, in_place=True)
    velocity.normalize(axis=1, in_place=True)
    velocity *= rules.speed
    position = own[:, :2] + velocity
    position -= (position / side).floor() * side
    return Matrix.concat([position, velocity], axis=1)


@dataclass
class Flock:
    """All boids, N x 4 of x, y, vx, vy, with the pictures so far; lives on the main interpreter.

    `show` is called with the flock after each frame.
    """

    boids: Matrix
    rules: Rules
    frames: int
    keep: bool = True
    show: Callable[[Flock], None] | None = None
    pictures: list[Matrix] = field(default_factory=list)
    cells_computed: int = 0
    order: list[float] = field(default_factory=list)

    def by_cell(self) -> dict[tuple[int, int], list[int]]:
        """Which boids are in each occupied cell."""
        last = self.rules.cells - 1
        cells: dict[tuple[int, int], list[int]] = {}
        places = self.boids[:, :2].floor().clip(0, last).values()
        for i, (x, y) in enumerate(zip(places, places, strict=True)):
            cells.setdefault((int(x), int(y)), []).append(i)
        return cells

    def around(self, cells: dict[tuple[int, int], list[int]], x: int, y: int) -> list[int]:
        """The boids of a cell and of the eight around it."""
        n = self.rules.cells
        near = {((x + i) % n, (y + j) % n) for i in (-1, 0, 1) for j in (-1, 0, 1)}
        return [boid for cell in sorted(near) for boid in cells.get(cell, ())]

    def advance(self, parts: list[tuple[list[int], Matrix]]) -> None:
        """Write the computed cells back and keep what a picture needs."""
        for members, state in parts:
            self.boids.put(members, state)
        self.cells_computed += len(parts)
        heading = self.boids[:, 2:].mean(0) / self.rules.speed
        self.order.append(heading.length)
        if self.keep:
            self.pictures.append(self.boids.copy())
        if self.show is not None:
            self.show(self)


def random_flock(count: int, rules: Rules, frames: int, seed: int, keep: bool = True) -> Flock:
    """Boids anywhere, flying anywhere."""
    Matrix.seed(seed)
    position = Matrix.uniform(0.0, float(rules.cells), (count, 2))
    angle = Matrix.uniform(0.0, 2 * math.pi, (count, 1))
    velocity = Matrix.concat([angle.cos(), angle.sin()], axis=1) * rules.speed
    return Flock(Matrix.concat([position, velocity], axis=1), rules, frames, keep)


def schedule_frame(flock: PinnedCown[Flock], number: int = 0) -> None:
    """One behavior for each occupied cell, and one on the flock that writes back and schedules the next frame.

    On the main interpreter, holding the flock.
    """
    state = flock.value
    rules = state.rules
    cells = state.by_cell()
    members = list(cells.values())
    parts: list[Cown[Matrix]] = []
    for (x, y), here in cells.items():
        own, seen = state.boids.take(here), state.boids.take(state.around(cells, x, y))

        @when(name=f"row {y}")
        def cell(own: Matrix = own, seen: Matrix = seen, rules: Rules = rules) -> Matrix:
            return steer(own, seen, rules)

        parts.append(cell)

    @when(flock, parts, name="frame")
    def frame(flock: PinnedCown[Flock], parts: list[Cown[Matrix]]) -> None:
        flock.value.advance([(here, part.value) for here, part in zip(members, parts, strict=True)])
        if number + 1 < flock.value.frames:
            schedule_frame(flock, number + 1)


def fly(flock: Flock) -> Flock:
    """Run all frames and return the flock."""
    pinned = PinnedCown(flock, name="flock")
    with pinned:
        schedule_frame(pinned)
    quiesce()
    return flock


# Pictures -----------------------------------------------------------------------

PAPER, LINE, EDGE = "#ffffff", "#e6e9ed", "#aeb6bf"
NAMES = ("#3a75bf", "#c78b28", "#36af91", "#954074", "#b191ea", "#6a6f02")
FINER = 2  # drawn this much larger, then made smaller, for smooth edges


def picture(boids: Matrix, rules: Rules, pixels: int) -> Any:
    """One frame as a Pillow image: a dart for each boid, coloured by where it heads."""
    from PIL import Image, ImageDraw

    size = pixels * FINER
    unit = size / rules.cells
    image = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle([(0, 0), (size - 1, size - 1)], outline=EDGE, width=FINER)
    for i in range(1, rules.cells):
        draw.line([(i * unit, 0), (i * unit, size)], LINE, FINER)
        draw.line([(0, i * unit), (size, i * unit)], LINE, FINER)
    length, width = 0.24 * unit, 0.08 * unit
    along = boids[:, 2:].normalize(axis=1)
    for (x, y, _, _), (ux, uy) in zip(_rows(boids), _rows(along), strict=True):
        x, y = x * unit, y * unit
        dart = [(x + ux * length * 0.6, y + uy * length * 0.6),
                (x - ux * length * 0.4 - uy * width, y - uy * length * 0.4 + ux * width),
                (x - ux * length * 0.4 + uy * width, y - uy * length * 0.4 - ux * width)]
        sector = int((math.atan2(uy, ux) / (2 * math.pi) + 0.5) * len(NAMES)) % len(NAMES)
        draw.polygon(dart, NAMES[sector])
    return image.resize((pixels, pixels), Image.Resampling.LANCZOS)


def png(boids: Matrix, rules: Rules, pixels: int) -> bytes:
    """One frame as the bytes of a PNG file, for a notebook."""
    from io import BytesIO

    to = BytesIO()
    picture(boids, rules, pixels).save(to, "PNG")
    return to.getvalue()


def _rows(matrix: Matrix) -> list[tuple[float, ...]]:
    values = list(matrix.values())
    return [tuple(values[i:i + matrix.columns]) for i in range(0, len(values), matrix.columns)]


def save(flock: Flock, path: Path, pixels: int) -> int:
    """Write the kept frames as a GIF, or as a PNG strip of six; returns how many frames are in the file."""
    kept = flock.pictures
    if path.suffix.lower() == ".png":
        from PIL import Image

        count = min(6, len(kept))
        chosen = [kept[round(i * (len(kept) - 1) / max(1, count - 1))] for i in range(count)]
        gap = 16
        strip = Image.new("RGB", (count * (pixels + gap) - gap, pixels), PAPER)
        for i, boids in enumerate(chosen):
            strip.paste(picture(boids, flock.rules, pixels), (i * (pixels + gap), 0))
        strip.save(path)
        return count
    images = [picture(boids, flock.rules, pixels) for boids in kept]
    images[0].save(path, save_all=True, append_images=images[1:], duration=40, loop=0)
    return len(images)


def window(rules: Rules) -> Callable[[Flock], None]:
    """A matplotlib window that follows the flock."""
    import matplotlib.pyplot as plt

    plt.ion()
    _, axes = plt.subplots(figsize=(6, 6))
    axes.set(xlim=(0, rules.cells), ylim=(rules.cells, 0), xticks=[], yticks=[], aspect="equal")
    darts: Any = None

    def show(flock: Flock) -> None:
        nonlocal darts
        x, y, u, v = (list(column) for column in flock.boids.column_views())
        if darts is not None:
            darts.remove()
        darts = axes.quiver(x, y, u, v, color=NAMES[0], angles="xy", pivot="mid")
        plt.pause(0.001)

    return show


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-boids`."""
    parser = argparse.ArgumentParser(
        description="A flock: behaviors compute cells, one pinned behavior a frame writes back.")
    parser.add_argument("--boids", type=number(1, 1_000_000), default=300)
    parser.add_argument("--frames", type=number(1, 1_000_000), default=120)
    parser.add_argument("--cells", type=number(3, 1000), default=8, help="cells along a side of the box (8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=number(1, 1024), help="by default as many as there are cores")
    parser.add_argument("--out", type=file_of(".gif", ".png", needs="PIL"),
                        help="a .gif of all frames, or a .png strip of six (needs Pillow)")
    parser.add_argument("--pixels", type=number(16, 10_000), default=320, help="side of a frame in the file")
    parser.add_argument("--show", action="store_true", help="a window that follows (needs matplotlib)")
    options = parser.parse_args(argv)
    start(workers=options.workers)
    rules = Rules(cells=options.cells)
    flock = random_flock(options.boids, rules, options.frames, options.seed, keep=options.out is not None)
    began = time.perf_counter()
    flock.show = window(rules) if options.show else None
    fly(flock)
    seconds = time.perf_counter() - began
    wait()
    print(f"{options.frames} frames of {options.boids} boids, {flock.cells_computed} cells, "
          f"{options.frames / seconds:.3g} frames a second")
    print(f"flying the same way: {flock.order[0]:.0%} at first, {flock.order[-1]:.0%} at the end")
    if options.out is not None:
        print(f"{save(flock, options.out, options.pixels)} frames in {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
