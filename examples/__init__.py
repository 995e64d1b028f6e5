"""Programs to run, read and change: `python -m boc.examples.cooking`, or the command `boc-cooking`."""
