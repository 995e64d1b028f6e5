"""What the commands share: numbers within bounds, files that can be written, and an end without a traceback."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

Main = Callable[..., int]  # of the arguments, or those of the process


def number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` to `most`."""
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"invalid int value: {text!r}") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:,} to {most:,}, not {text}")
        return value

    return read


def seconds(text: str) -> float:
    """The type of an option that is a time, up to a minute."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None
    if not 0.0 <= value <= 60.0:
        raise argparse.ArgumentTypeError(f"must be from 0 to 60 seconds, not {text}")
    return value


def file_of(*endings: str, needs: str) -> Callable[[str], Path]:
    """The type of an option that names a file to write, of one of these kinds, in a folder that is there.

    `needs`: the package that writes it.
    """
    def read(text: str) -> Path:
        if importlib.util.find_spec(needs) is None:
            raise argparse.ArgumentTypeError(f"needs {needs}, which is not installed")
        path = Path(text)
        if path.suffix.lower() not in endings:
            raise argparse.ArgumentTypeError(f"must end in {' or '.join(endings)}, not {text!r}")
        if not os.access(path.parent, os.W_OK) or path.is_dir():
            raise argparse.ArgumentTypeError(f"cannot write {text!r}")
        return path

    return read


def command(main: Main) -> Main:
    """Make Ctrl-C and a reader that has gone (`boc-bank | head -1`) ends like others, with a status of their own."""
    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        try:
            status = main(argv)
            sys.stdout.flush()
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left has nowhere to go
            return 1
        except OSError as error:
            print(error, file=sys.stderr)
            return 1
        return status

    return run
