"""An omelette with cowns and behaviors: each step names what it needs; their order is the recipe.

No step knows which cook does it, none waits by hand, and none can take two things in the wrong order.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from boc import Cown, gather, wait, when
from boc.examples._command import command, file_of, seconds


class Ingredient:
    """Something to eat, and what was done to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "whole"


class Tool:
    """Something to work with; it counts what it was used for."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.uses = 0

    def use(self, ingredient: Ingredient, verb: str, state: str) -> None:
        """Works on an ingredient."""
        print(f"{verb} the {ingredient.name} with the {self.name}")
        time.sleep(self.seconds)
        ingredient.state = state
        self.uses += 1


def cook(seconds: float) -> Cown[str]:
    """Schedules the five steps and returns the omelette to be."""
    onion, pepper, eggs, cheese = (
        Cown(Ingredient(name), name=name) for name in ("onion", "pepper", "eggs", "cheese"))
    knife, whisk, grater = (Cown(Tool(name, seconds), name=name) for name in ("knife", "whisk", "grater"))
    pan = Cown(Tool("pan", seconds), name="pan")
    recipe = {"onion": "diced", "pepper": "chopped", "eggs": "beaten", "cheese": "grated"}

    @when(knife, onion)
    def dice_onion(knife: Cown[Tool], onion: Cown[Ingredient]) -> None:
        knife.value.use(onion.value, "dice", "diced")

    @when(knife, pepper)
    def chop_pepper(knife: Cown[Tool], pepper: Cown[Ingredient]) -> None:
        knife.value.use(pepper.value, "chop", "chopped")

    @when(whisk, eggs)
    def beat_eggs(whisk: Cown[Tool], eggs: Cown[Ingredient]) -> None:
        whisk.value.use(eggs.value, "beat", "beaten")

    @when(grater, cheese)
    def grate_cheese(grater: Cown[Tool], cheese: Cown[Ingredient]) -> None:
        grater.value.use(cheese.value, "grate", "grated")

    @when([onion, pepper, eggs, cheese], pan)
    def cook_omelette(ingredients: list[Cown[Ingredient]], pan: Cown[Tool]) -> str:
        ready = [c.value for c in ingredients]
        for one in ready:
            if one.state != recipe[one.name]:
                raise ValueError(f"the {one.name} is {one.state}, the recipe says {recipe[one.name]}")
        print("cook the omelette in the pan")
        time.sleep(pan.value.seconds)
        return "omelette of " + ", ".join(f"{one.state} {one.name}" for one in ready)

    return cook_omelette


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-cooking`."""
    parser = argparse.ArgumentParser(description="An omelette with cowns and behaviors.")
    parser.add_argument("--seconds", type=seconds, default=0.1, help="how long one step takes (0.1)")
    parser.add_argument("--picture", metavar="FILE", type=file_of(".png", ".svg", ".pdf", needs="matplotlib"),
                        help="save a Gantt chart of the run (needs matplotlib)")
    options = parser.parse_args(argv)
    [omelette] = gather([cook(options.seconds)])
    print(omelette)
    if options.picture:
        from boc import gantt
        gantt().savefig(options.picture)
        print(f"chart in {options.picture}")
    wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
