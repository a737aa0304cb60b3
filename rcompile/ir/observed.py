"""What column sums were seen to be on calibration samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.matrix import IntegerArray

BINS = 4096
"""Of a histogram; wider ranges are counted in steps of a power of two."""


@dataclass(frozen=True)
class Observed:
    """The sums of one matrix.

    Attributes:
        vectors: how many input vectors were looked at.
        least, largest: (cycles, polarities, slices) over all columns and sections.
        counts: (cycles, polarities, slices, bins) how often a sum fell into each bin.
        origin: the sum at the first bin's lower end.
        width: sums that a bin holds, a power of two.
        column_largest: (sections, slices, G, N) over all cycles, as levels are before any flip.
        inverted_largest: the same if the column were inverted.
        column_means, column_spread: (sections, slices, G, N) mean and mean distance from it, of single sums.
    """

    vectors: int
    least: IntegerArray
    largest: IntegerArray
    counts: NDArray[np.int64]
    origin: int
    width: int
    column_largest: IntegerArray
    inverted_largest: IntegerArray
    column_means: NDArray[np.float64]
    column_spread: NDArray[np.float64]
