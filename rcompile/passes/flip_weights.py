"""Store a column inverted where that lowers what its converter must resolve (offset_flip).

A level v becomes top - v, so the column sums to at most top * rows / 2, which saves one ADC bit. The true sum is
top * sum(inputs) - read, computed digitally (Shafiee et al., ISCA 2016, section V). Decided for each column of each
section, by the largest sum that inputs can cause, or by the largest that calibration samples did cause.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rcompile.encodings.bounds import column_bounds
from rcompile.encodings.observed import Observed
from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarMatrix, CrossbarProgram
from rcompile.ir.encoding import SignScheme


def flip_weights(program: CrossbarProgram, seen: Callable[[int], Observed] | None = None) -> CrossbarProgram:
    """Decide for each column of each section of an offset_flip matrix.

    Args:
        program: with input slices.
        seen: the sums of a matrix on calibration samples, by its index; None decides by what inputs can cause.
    """
    matrices = tuple(
        replace(item, flips=column_flips(item, None if seen is None else seen(index)))
        if item.encoding.scheme is SignScheme.OFFSET_FLIP
        else item
        for index, item in enumerate(program.matrices)
    )
    return replace(program, matrices=matrices)


def column_flips(item: CrossbarMatrix, seen: Observed | None) -> NDArray[np.bool_]:
    """Return (G, sections, slices, N): whether a column is smaller inverted."""
    sums = column_bounds(item, flips=False)[1][:, 0]
    sizes = np.diff(item.read_cuts)[:, None, None, None]
    tops = np.array([s.mask for s in item.weight_slices])[None, :, None, None]
    flips = 2 * sums > tops * sizes
    if seen is not None:
        # equal ranges: what inputs can cause decides
        same = seen.inverted_largest == seen.column_largest
        flips = np.where(same, flips, seen.inverted_largest < seen.column_largest)
    return frozen(flips.transpose(2, 0, 1, 3))
