"""Where the C header is, for extension modules that make a type of their own movable.

A build passes `boc.get_include()` to its compiler and includes `<boc/boc.h>`; nothing is linked. The folder
`examples/movable_type` of the project is such a module, ready to copy.
"""

from __future__ import annotations

from pathlib import Path


def get_include() -> str:
    """The folder to give to a C or C++ compiler with `-I`, so that `#include <boc/boc.h>` is found."""
    return str(Path(__file__).parent / "include")


def get_sources() -> list[str]:
    """C files that a module must compile with its own: none, the header has all there is."""
    return []
