class Histogram:
    """Counts numbers in `bins` bins of equal width over [low, high); what lies outside, and NaN, is not counted."""

    def __new__(cls, bins: int, low: float, high: float) -> Histogram: ...
    def add(self, value: float, /) -> None:
        """Count one number."""
    def merge(self, other: Histogram, /) -> None:
        """Add the counts of another with the same bins. ValueError if the bins differ."""
    def counts(self) -> list[int]:
        """The counts, from the lowest bin to the highest."""
