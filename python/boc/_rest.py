"""A step of bytecode for a body that rests in C, so that an interrupt of it arrives."""

from __future__ import annotations


def breathe() -> None:
    """Nothing; what is pending for this thread happens at the call."""
