"""Random programs of definitions that change: what a body gives on a worker is what it gave on main at the call.

A program is a namespace with constants, lists, functions, classes, and tables (dicts, lists, objects) of functions.
Each step rebinds, edits or changes one of them, or calls a body here and schedules it. All of it is plain data in
the end, so the two results can be compared.
"""

from __future__ import annotations

import copy
import random
from types import FunctionType
from typing import Any

CONSTANTS, LISTS, FUNCTIONS, CLASSES, TABLES, BODIES = (
    [f"{kind}{i}" for i in range(count)] for kind, count in (("G", 5), ("L", 2), ("f", 6), ("C", 3), ("T", 4), ("b", 5))
)


class Program:
    """One program; `step()` changes something, or returns a body to schedule with what it must give."""

    def __init__(self, seed: int, space: dict[str, Any]) -> None:
        self.rng = random.Random(seed)
        self.space = space
        self.made = 0
        self.log: list[str] = []
        for name in CONSTANTS:
            self.do(f"{name} = {self.number()}")
        for name in LISTS:
            self.do(f"{name} = [{self.number()}]")
        for i in range(len(FUNCTIONS)):
            self.function(i)
        for name in CLASSES:
            self.class_(name)
        for i, name in enumerate(TABLES):
            self.do(f"{name} = {['{}', '[]', 'Box()', '{1: []}'][i]}")
        for name in BODIES:
            self.body(name)

    def number(self) -> int:
        self.made += 1
        return self.made

    def do(self, text: str) -> None:
        """Run a piece of the program here."""
        self.log.append(text)
        code = compile(text, f"<piece {len(self.log)}>", "exec")
        exec(code, self.space)

    def used(self, below: int) -> str:
        """An expression that uses globals and functions with a number below this one, so that nothing calls itself."""
        parts = [self.rng.choice(CONSTANTS), self.rng.choice([*CONSTANTS, *LISTS])]
        if below and self.rng.random() < 0.6:
            parts.append(f"{self.rng.choice(FUNCTIONS[:below])}()")
        return ", ".join(parts)

    def function(self, i: int) -> None:
        used = self.used(i)
        name = FUNCTIONS[i]
        shape = self.rng.randrange(4)
        if shape == 0:
            self.do(f"def {name}(): return ({self.number()}, {used})")
        elif shape == 1:
            self.do(f"def make(n):\n    def {name}(): return (n, {used})\n    return {name}\n{name} = make({self.number()})")
        elif shape == 2:
            self.do(f"def {name}(n={self.number()}): return (n, {used})")
        else:
            self.do(f"{name} = lambda: ({self.number()}, {used})")

    def class_(self, name: str) -> None:
        self.do(f"class {name}:\n    n = {self.number()}\n    def get(self): return (self.n, {self.used(len(FUNCTIONS))})")

    def body(self, name: str) -> None:
        parts = [self.used(len(FUNCTIONS))]
        for _ in range(self.rng.randint(1, 2)):
            parts.append(self.rng.choice([
                "[T0[k]() for k in sorted(T0)]", "[f() for f in T1]", "[f() for k, f in sorted(vars(T2).items())]",
                "[[f() for f in T3[k]] for k in sorted(T3)]", f"{self.rng.choice(CLASSES)}().get()",
                f"{self.rng.choice(FUNCTIONS)}()",
            ]))  # fmt: skip
        closed = self.rng.random() < 0.3
        text = f"def {name}(): return ({', '.join(parts)})"
        if closed:
            held = self.rng.choice(TABLES[:2])
            values = "held.values()" if held == "T0" else "held"
            text = f"def made(held):\n    def {name}(): return ({', '.join(parts)}, [f() for f in {values}])\n    return {name}\n{name} = made({held})"
        self.do(text)

    def change(self) -> None:
        """One edit."""
        rng = self.rng
        piece = rng.choice([*FUNCTIONS, f"{rng.choice(CLASSES)}().get", f"lambda n={self.number()}: (n, {self.used(6)})"])
        i = rng.randrange(len(FUNCTIONS))
        edits = [
            lambda: self.do(f"{rng.choice(CONSTANTS)} = {self.number()}"),
            lambda: self.do(f"{rng.choice(CONSTANTS)} = {self.number()}"),
            lambda: self.do(f"{rng.choice(LISTS)}.append({self.number()})"),
            lambda: self.function(i),
            lambda: self.class_(rng.choice(CLASSES)),
            lambda: self.do(f"T0[{rng.randrange(3)}] = {piece}"),
            lambda: self.do(f"T1.append({piece})\ndel T1[:-3]"),
            lambda: self.do(f"T2.a{rng.randrange(3)} = {piece}"),
            lambda: self.do(f"T3.setdefault({rng.randrange(2)}, []).append({piece})\nT3 = {{k: v[-2:] for k, v in T3.items()}}"),
            lambda: self.do(f"T3[1] = [{piece}]"),
            lambda: self.do(f"{rng.choice(CLASSES)}.n = {self.number()}"),
            lambda: self.do(f"{rng.choice(CLASSES)}.get = lambda self: (self.n, {self.used(6)})"),
            lambda: self.do("T0 = dict(T0)"),
            lambda: self.body(rng.choice(BODIES)),
            lambda: self.edit_defaults(FUNCTIONS[i]),
            lambda: self.do(f"del {FUNCTIONS[i]}") if FUNCTIONS[i] in self.space and rng.random() < 0.1 else None,
        ]
        rng.choice(edits)()

    def edit_defaults(self, name: str) -> None:
        func = self.space.get(name)
        if type(func) is FunctionType and func.__defaults__:
            self.do(f"{name}.__defaults__ = ({self.number()},)")

    def step(self) -> tuple[Any, Any] | None:
        """A body and its result here, or None after a change."""
        if self.rng.random() < 0.6:
            try:
                self.change()
            except NameError as e:  # of a function deleted before
                self.log.append(f"# {e}")
            return None
        name = self.rng.choice(BODIES)
        body = self.space[name]
        self.log.append(f"schedule({name})")
        return body, outcome(body)


def outcome(body: Any) -> Any:
    """What a body gives, or the type and text of what it raises."""
    try:
        return copy.deepcopy(body())
    except (NameError, TypeError) as e:
        return type(e).__name__, str(e)
