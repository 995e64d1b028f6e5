"""Random nested programs against an oracle: each body exactly once, exclusive, in the order of the contract.

A program is a tree: main schedules behaviors on random cowns, each body schedules children on random cowns.
Every cown holds a log of (behavior, occupancy mark); the oracle checks, per cown and from the logs alone,
that two behaviors of one scheduler appear in the order in which it scheduled them.
"""

from __future__ import annotations

import random

import boc
import pytest
from boc import Cown, batch, quiesce, read, start, when

pytestmark = pytest.mark.timeout(60)


def plan(rng, cowns, depth):
    """A behavior: its name comes later; (cown indices, indices read only, children, raises)."""
    used = rng.sample(range(cowns), rng.randint(1, min(4, cowns)))
    readers = [i for i in used if rng.random() < 0.2]
    count = rng.randint(0, 3) if depth else 0
    children = [plan(rng, cowns, depth - 1) for _ in range(count)]
    return used, readers, children, rng.random() < 0.1


def schedule(cowns, name, node):
    """Schedules a node. A writer logs its name on each of its cowns; a child is named after its parent."""
    used, readers, children, raises = node
    handles = [read(cowns[i]) if i in readers else cowns[i] for i in used]

    @when(*handles)
    def body(*held):
        for i, c in zip(used, held, strict=True):
            if i not in readers:
                log = c.value
                log.append(("in", name))
        for k, child in enumerate(children):
            schedule(cowns, (*name, k), child)
        for i, c in zip(used, held, strict=True):
            if i not in readers:
                c.value.append(("out", name))
        if raises:
            raise ValueError(str(name))
        return name

    return body


def nodes(name, node):
    """Every (name, node) of a tree."""
    yield name, node
    for k, child in enumerate(node[2]):
        yield from nodes((*name, k), child)


def check(logs, trees):
    """The oracle."""
    written = {}
    for k, tree in enumerate(trees):
        for name, (used, readers, _, _) in nodes((k,), tree):
            written[name] = {i for i in used if i not in readers}
    for i, log in enumerate(logs):
        assert [kind for kind, _ in log] == ["in", "out"] * (len(log) // 2), f"two bodies held cown {i}"
        order = [name for kind, name in log if kind == "in"]
        assert [name for kind, name in log if kind == "out"] == order, f"bodies overlap on cown {i}"
        assert sorted(order) == sorted(name for name, on in written.items() if i in on), f"not once on cown {i}"
        place = {name: at for at, name in enumerate(order)}
        for name in order:
            for older in range(name[-1]):
                sibling = (*name[:-1], older)
                assert place.get(sibling, -1) < place[name], f"{sibling} after {name} on cown {i}"
            for end in range(1, len(name)):
                parent = name[:end]
                assert place.get(parent, -1) < place[name], f"{parent} after its child {name} on cown {i}"


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_random_program(seed, workers):
    run(seed, workers, check_mode=False)


@pytest.mark.parametrize("seed", range(2))
def test_random_program_with_every_value_encoded(seed):
    run(seed, 2, check_mode=True)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_random_programs():
    for workers in range(1, 5):  # starting and stopping cost more than a program
        for check_mode in (False, True):
            for seed in range(100 * workers, 100 * workers + (15 if check_mode else 85)):
                run(seed, workers, check_mode)
            boc.stop()


def run(seed, workers, check_mode):
    rng = random.Random(seed)
    size = rng.randint(2, 8)
    trees = [plan(rng, size, 3) for _ in range(rng.randint(5, 25))]
    if check_mode:
        start(workers, check=True)
    else:
        start(workers)
    cowns = [Cown([]) for _ in range(size)]
    results, at = [], 0
    while at < len(trees):
        if rng.random() < 0.2:
            with batch():
                for _ in range(min(3, len(trees) - at)):
                    results.append(schedule(cowns, (at,), trees[at]))
                    at += 1
        else:
            results.append(schedule(cowns, (at,), trees[at]))
            at += 1
    quiesce(timeout=40)
    for k, (result, tree) in enumerate(zip(results, trees, strict=True)):
        assert result.exception is tree[3]
        if tree[3]:
            with pytest.raises(ValueError):
                result.result()
        else:
            assert result.result() == (k,)
    check([c.result() for c in cowns], trees)
