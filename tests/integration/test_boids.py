"""The boids: the same flight however many workers, the physics of the box, the files."""

from __future__ import annotations

import subprocess
import sys

import boc
import pytest

pytest.importorskip("boc.examples.boids")
from boc.examples.boids import Flock, Rules, fly, picture, random_flock, save, steer


def test_the_flight_does_not_depend_on_the_workers():
    ends = []
    for workers in (1, 3):
        boc.start(workers=workers)
        ends.append(fly(random_flock(60, Rules(cells=4), 8, seed=3)))
        boc.wait()
    assert ends[0].boids == ends[1].boids and len(ends[0].pictures) == 8
    assert ends[0].cells_computed == ends[1].cells_computed > 8


def test_cells_give_what_one_cell_for_all_gives():
    flock = random_flock(50, Rules(cells=5), 1, seed=4)
    whole = steer(flock.boids, flock.boids, flock.rules)
    fly(flock)
    assert boc.Matrix.allclose(flock.boids, whole, rtol=0, atol=1e-12)


def test_boids_stay_in_the_box_at_their_speed_and_come_to_agree():
    rules = Rules(cells=4)
    flock = fly(random_flock(80, rules, 120, seed=1, keep=False))
    assert flock.boids[:, :2].min() >= 0.0 and flock.boids[:, :2].max() < rules.cells
    speeds = flock.boids[:, 2:].magnitude(1)
    assert boc.Matrix.allclose(speeds, boc.Matrix.full((80, 1), rules.speed))
    assert flock.order[-1] > 2 * flock.order[0] and flock.pictures == []


def test_one_boid_flies_straight():
    start = boc.Matrix(1, 4, [3.99, 1.0, 0.05, 0.0])
    flock = fly(Flock(start, Rules(cells=4), 2))
    assert boc.Matrix.allclose(flock.boids, boc.Matrix(1, 4, [0.09, 1.0, 0.05, 0.0]), rtol=0, atol=1e-12)


def test_pictures(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    flock = fly(random_flock(30, Rules(cells=4), 5, seed=2))
    assert picture(flock.pictures[0], flock.rules, 100).size == (100, 100)
    assert save(flock, tmp_path / "a.gif", 100) == 5
    with image_module.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 5 and film.size == (100, 100)
    assert save(flock, tmp_path / "a.png", 100) == 5
    with image_module.open(tmp_path / "a.png") as strip:
        assert strip.size[1] == 100 and strip.size[0] > 500


def test_as_a_command():
    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "boc.examples.boids", *arguments], capture_output=True, text=True,
                              timeout=50)

    done = run("--boids", "40", "--frames", "6", "--cells", "4")
    assert done.returncode == 0 and "6 frames of 40 boids" in done.stdout and done.stderr == ""
    assert "usage:" in run("--help").stdout
    for bad in (["--boids", "0"], ["--cells", "2"], ["--out", "a.txt"], ["--boids", "x"]):
        refused = run(*bad)
        assert refused.returncode == 2 and "error" in refused.stderr
