"""An omelette by two cooks who are threads, with a lock on every thing in the kitchen.

Compare with `cooking.py`: the same kitchen and steps; and nothing here says which lock comes first.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence

from boc.examples._command import command, seconds


class Thing:
    """Anything in the kitchen: an ingredient with a state, or a tool."""

    def __init__(self, name: str, state: str = "whole") -> None:
        self.name = name
        self.state = state
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)

    def become(self, state: str) -> None:
        """Changes the state; the caller has the lock."""
        self.state = state
        self.changed.notify_all()

    def wait_until(self, state: str) -> None:
        """Waits, without the lock, until somebody else has brought it into this state."""
        with self.changed:
            self.changed.wait_for(lambda: self.state == state)


def work(cook: str, tool: Thing, ingredient: Thing, verb: str, state: str, seconds: float) -> None:
    """One step: takes the ingredient, then the tool. Every step must take them in this order."""
    with ingredient.lock, tool.lock:
        print(f"{cook} starts to {verb} the {ingredient.name} with the {tool.name}", flush=True)
        time.sleep(seconds)
        ingredient.become(state)


def cook_omelette(seconds: float) -> dict[str, str]:
    """Two threads share the steps out by hand. Returns the states of the ingredients at the end."""
    onion, pepper, eggs, cheese = (Thing(name) for name in ("onion", "pepper", "eggs", "cheese"))
    knife, whisk, grater, pan = (Thing(name) for name in ("knife", "whisk", "grater", "pan"))

    def first() -> None:
        work("cook 1", knife, onion, "dice", "diced", seconds)
        work("cook 1", grater, cheese, "grate", "grated", seconds)

    def second() -> None:
        work("cook 2", whisk, eggs, "beat", "beaten", seconds)
        work("cook 2", knife, pepper, "chop", "chopped", seconds)
        onion.wait_until("diced")
        cheese.wait_until("grated")
        with onion.lock, pepper.lock, eggs.lock, cheese.lock, pan.lock:
            print("cook 2 cooks the omelette", flush=True)
            time.sleep(seconds)

    cooks = [threading.Thread(target=cook, daemon=True) for cook in (first, second)]  # Ctrl-C ends the program
    for thread in cooks:
        thread.start()
    for thread in cooks:
        thread.join()
    return {thing.name: thing.state for thing in (onion, pepper, eggs, cheese)}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-cooking-threads`."""
    parser = argparse.ArgumentParser(description="An omelette by two threads with locks.")
    parser.add_argument("--seconds", type=seconds, default=0.1, help="how long one step takes (0.1)")
    options = parser.parse_args(argv)
    states = cook_omelette(options.seconds)
    print("omelette of " + ", ".join(f"{state} {name}" for name, state in states.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
