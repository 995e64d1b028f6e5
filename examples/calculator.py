"""A calculator that answers messages: one behavior listens on a tag and sends each result back.

Messages suit a conversation. Data that is shared belongs in a cown: a body in `receive` keeps its worker.
"""

from __future__ import annotations

import argparse
import operator
from collections.abc import Callable, Sequence

from boc import TIMEOUT, receive, send, wait, when
from boc.examples._command import command

OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
SAMPLE = ["1 + 2", "6 * 7", "10 - 4.5", "1 / 0", "3 + banana"]


def evaluate(text: str) -> str:
    """The value of `number operator number`, or what is wrong with it."""
    try:
        left, sign, right = text.split()
        return f"{OPERATORS[sign](float(left), float(right)):g}"
    except ZeroDivisionError:
        return "not a number: division by zero"
    except (ValueError, KeyError):
        return "not understood: number operator number, please"


def listen() -> None:
    """Answers until it is told to stop."""
    @when()
    def calculator() -> None:
        while True:
            _, question = receive("ask")
            if question is None:
                return
            number, text = question
            send("answer", (number, evaluate(text)))


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `boc-calculator`."""
    parser = argparse.ArgumentParser(description="A calculator over messages.")
    parser.add_argument("expression", nargs="*", default=SAMPLE, help='such as "6 * 7"')
    options = parser.parse_args(argv)
    listen()
    for question in enumerate(options.expression):
        send("ask", question)
    for _ in options.expression:
        tag, answer = receive("answer", 30.0)
        if tag == TIMEOUT:
            print("the calculator does not answer")
            return 1
        number, value = answer
        print(f"{options.expression[number]} = {value}")
    send("ask", None)
    wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
