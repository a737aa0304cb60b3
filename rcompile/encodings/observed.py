"""What column sums were seen to be on calibration samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.matrix import IntegerArray

BINS = 4096
"""Of a histogram; wider ranges are counted in steps of a power of two."""


@dataclass(frozen=True)
class Range:
    """Sums from `low` to `high`, both included."""

    low: int
    high: int


@dataclass(frozen=True)
class Observed:
    """The sums of one matrix.

    Attributes:
        counts: (cycles, polarities, slices, bins) how often a sum, as columns are stored, fell into each bin.
        base: the least sum of the first bin.
        width: sums that a bin holds, a power of two.
        column_largest: (sections, slices, G, N) over all cycles, as levels are before any flip.
        inverted_largest: the same if the column were inverted.
        column_mean, column_deviation: (sections, slices, G, N) of single sums over all cycles and polarities.
    """

    counts: NDArray[np.int64]
    base: int
    width: int
    column_largest: IntegerArray
    inverted_largest: IntegerArray
    column_mean: NDArray[np.float64]
    column_deviation: NDArray[np.float64]

    def span(self, place: tuple[int, int, int]) -> Range | None:
        """Return the range of the sums of a (cycle, polarity, slice), to a bin; None where none was seen."""
        filled = np.flatnonzero(self.counts[place])
        if not filled.size:
            return None
        return Range(self.base + int(filled[0]) * self.width, self.base + (int(filled[-1]) + 1) * self.width - 1)
