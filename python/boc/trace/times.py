"""Times and counts as people read them: three digits, thin space in thousands, µs."""

from __future__ import annotations

UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000), ("ns", 1))


def dur(ns: float, digits: int = 3) -> str:
    """A duration in ns: `4.12 ms`, `830 µs`, `1.04 s`."""
    size = abs(ns)
    for unit, scale in UNITS:
        if size >= scale * 0.9995 or unit == "ns":
            value = ns / scale
            places = max(0, digits - len(str(int(abs(value) + 0.5 * 10 ** -(digits - 1))))) if size else 0
            text = f"{value:.{places}f}"
            if "." in text:
                text = text.rstrip("0").rstrip(".")
            return f"{text} {unit}".replace("-", "−")
    raise AssertionError("the last unit takes all")


def count(n: float) -> str:
    """A whole number, thin spaces between thousands."""
    return f"{int(n):,}".replace(",", "\u202f")


def rate(n: float) -> str:
    """How many a second: a whole number, two digits below 10; `0` for none only."""
    return count(n) if n >= 10 or not n else f"{n:.2g}"


def percent(share: float) -> str:
    """A whole percentage: `99%`. What is not all is never called 100%, what is not none never 0%."""
    if 0.99 < share < 1:
        return "99%"
    if 0 < share < 0.005:
        return "<1%"
    return f"{share:.0%}"


def plural(n: int, what: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count(n)} {what}" if n == 1 else f"{count(n)} {what}s"


def size(n: float) -> str:
    """Bytes: `640 B`, `1.2 MB`; `·` for none."""
    if n <= 0:
        return "·"
    for unit in ("B", "kB", "MB", "GB"):
        if n < 999.5 or unit == "GB":
            return f"{n:.0f} {unit}" if n >= 99.5 or unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    raise AssertionError("the last unit takes all")
