"""Imports that an interrupt does not cut: numpy whose first import was cut cannot be imported in that process again."""

from __future__ import annotations

import importlib
import sys
import threading

from boc._core import is_main

__all__ = ["load"]


def load(*names: str) -> None:
    """Import modules of other packages on a thread of their own, for signals go to the main one.

    An interrupt comes out of this at once, and the imports go on to their end.
    """
    if not is_main() or threading.current_thread() is not threading.main_thread() or all(map(_loaded, names)):
        return
    done = threading.Event()

    def work() -> None:
        try:
            for name in names:
                importlib.import_module(name)
        except ImportError:
            pass  # whoever needs it asks again
        finally:
            done.set()

    threading.Thread(target=work, name="boc-import").start()
    done.wait()


def _loaded(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)
