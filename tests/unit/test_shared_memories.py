"""What is remembered of definitions is shared by the threads that schedule: each may find that another came first."""

from __future__ import annotations

import sys
import threading

import pytest
from boc import _reach
from boc._identity import Kept

THREADS = 4


@pytest.fixture(autouse=True)
def switching():
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(was)


def at_once(work):
    """Run `work` in several threads that begin together; return what they raised."""
    gate, raised = threading.Barrier(THREADS), []

    def run():
        gate.wait()
        try:
            work()
        except Exception as error:
            raised.append(repr(error))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return raised


def test_classes_that_died_are_forgotten_by_several_threads(monkeypatch):
    dead = {n: (lambda: None, []) for n in range(5000)}
    monkeypatch.setattr(_reach, "sent", dead)
    assert at_once(lambda: _reach.Reach().sent_names()) == []
    assert dead == {}


def test_several_threads_let_the_oldest_go():
    class Thing:
        pass

    kept = Kept(64)
    things = [Thing() for _ in range(4000)]
    position = iter(range(len(things)))

    def work():
        for n in position:
            kept.add(n.to_bytes(4, "big"), things[n])

    assert at_once(work) == []
    assert all(kept.get(n.to_bytes(4, "big")) is things[n] for n in range(len(things)))
    assert len(kept.kept) <= 64 + THREADS
